# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build a tree of collections for ansible-core: this checkout as labstream.aws, and those that it and its tests need.

Usage: collections_tree.py REQUIREMENTS TREE

They are extracted from the wheel of the PyPI package "ansible" in REQUIREMENTS, so that only pip is needed. The rest of
that package, 500 MB, is left out. Its newer releases do not include awx.awx.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
WANTED = tuple(f"ansible_collections/{name}/" for name in ("amazon/aws", "awx/awx", "community/aws"))


def main() -> None:
    """Replace the tree."""
    requirements, tree = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(tree, ignore_errors=True)
    with tempfile.TemporaryDirectory() as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", downloads, "--requirement", requirements], check=True)
        (wheel,) = Path(downloads).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tree, [name for name in archive.namelist() if name.startswith(WANTED)])
    link = tree / "ansible_collections/labstream/aws"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(CHECKOUT, link.parent))


if __name__ == "__main__":
    main()
