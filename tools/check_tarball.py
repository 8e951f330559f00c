# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a tarball of the collection holds the files in git except those for development.

Usage: check_tarball.py TARBALL
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile

# ansible-galaxy writes these two files from galaxy.yml.
MADE_BY_GALAXY = {"MANIFEST.json", "FILES.json"}
NOT_SHIPPED = (
    "galaxy.yml",
    "Makefile",
    "noxfile.py",
    "antsibull-nox.toml",
    "codecov.yml",
    ".pre-commit-config.yaml",
    ".github/",
    "pyproject.toml",
    ".gitignore",
    ".ansible-lint",
    ".ci/",
    "requirements/",
    "tools/",
)


def main() -> None:
    """Compare the names, print those that differ, and exit."""
    with tarfile.open(sys.argv[1]) as tarball:
        shipped = {member.name for member in tarball if not member.isdir()}
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    sources = {name for name in names if os.path.lexists(name) and not name.startswith(NOT_SHIPPED)} - {""}
    expected = sources | MADE_BY_GALAXY
    for name in sorted(shipped ^ expected):
        print(f"{name} {'is missing in' if name in expected else 'does not belong in'} the tarball")
    sys.exit(shipped != expected)


if __name__ == "__main__":
    main()
