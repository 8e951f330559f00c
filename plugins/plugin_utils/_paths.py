# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Where relative paths start on the controller."""

from __future__ import annotations

import os
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]


def resolve_path(path: str, playbook_dir: str, collection: Path = COLLECTION) -> Path:
    """Return the absolute path that a user means on the controller.

    A relative path starts at the folder of the playbook. But a playbook of the collection itself, such as
    ``labstream.aws.start_lab``, lies where no user keeps files: then it starts at the working directory.
    """
    expanded = Path(path).expanduser()
    if expanded.is_absolute():
        return expanded
    is_ours = Path(playbook_dir).resolve().is_relative_to(collection)
    return Path(os.getcwd() if is_ours else playbook_dir) / expanded
