# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add to a tree of collections for ansible-core: this checkout as labstream.aws, and those that it or its tests need.

Usage: collections_tree.py REQUIREMENTS TREE

They are extracted from a wheel of the PyPI package "ansible", so that only pip is needed; the rest of that package,
500 MB, is left out. REQUIREMENTS names the release. What the tree has already is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
WANTED = [f"ansible_collections/{name}" for name in ("amazon/aws", "awx/awx", "community/aws")]


def main() -> None:
    """Add the collections of the release, and the link to this checkout."""
    requirements, tree = map(Path, sys.argv[1:])
    wanted = tuple(f"{folder}/" for folder in WANTED if not (tree / folder).exists())
    with tempfile.TemporaryDirectory() as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        # The release's own minimum of Python is that of its ansible-core, which is not used.
        subprocess.run([*pip, "--python-version", "3.14", "--dest", downloads, "-r", requirements], check=True)
        (wheel,) = Path(downloads).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tree, [name for name in archive.namelist() if name.startswith(wanted)])
    link = tree / "ansible_collections/labstream/aws"
    if not link.is_symlink():
        link.parent.mkdir()
        link.symlink_to(os.path.relpath(CHECKOUT, link.parent))


if __name__ == "__main__":
    main()
