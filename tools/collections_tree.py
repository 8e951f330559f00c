# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build a tree of collections for ansible-core: this checkout as labstream.aws, and those that it and its tests need.

Usage: collections_tree.py REQUIREMENTS TREE

They are extracted from wheels of the PyPI package "ansible", so that only pip is needed; the rest of that package,
500 MB, is left out. Each line of REQUIREMENTS names a release; a collection is taken from the first that has it.
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
WANTED = [f"ansible_collections/{name}" for name in ("amazon/aws", "awx/awx", "community/aws")]


def main() -> None:
    """Replace the tree."""
    requirements, tree = map(Path, sys.argv[1:])
    shutil.rmtree(tree, ignore_errors=True)
    for release in filter(None, (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())):
        extract(release, tree)
    link = tree / "ansible_collections/labstream/aws"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(CHECKOUT, link.parent))


def extract(release: str, tree: Path) -> None:
    """Add the collections of this release that the tree does not have."""
    wanted = tuple(f"{folder}/" for folder in WANTED if not (tree / folder).exists())
    with tempfile.TemporaryDirectory() as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        # The release's own minimum of Python is that of its ansible-core, which is not used.
        subprocess.run([*pip, "--python-version", "3.14", "--dest", downloads, release], check=True)
        (wheel,) = Path(downloads).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tree, [name for name in archive.namelist() if name.startswith(wanted)])


if __name__ == "__main__":
    main()
