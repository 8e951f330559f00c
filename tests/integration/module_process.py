# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process of a module does that ``Ansible.call_module`` starts."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

# That of the process from which this one is forked, which may belong to another environment than the tests.
PATH = list(sys.path)


def run(file: Path, arguments: Path, stdout: Path, environment: Mapping[str, str], folder: Path) -> None:
    """Run the module's file as Python would run it with ``arguments`` as its argument."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stdout.with_suffix(".stderr"))):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream.fileno())
    sys.path[:] = PATH
    sys.argv = [str(file), str(arguments)]
    runpy.run_path(str(file), run_name="__main__")
