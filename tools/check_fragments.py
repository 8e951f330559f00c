# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a change to what users get comes with a changelog fragment.

Compares the checkout with the commit where its branch left main; on main itself, and where git does not know main,
nothing is checked. BASE in the environment names another branch than main or origin/main.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch

USERS_GET = (
    "plugins/",
    "roles/",
    "playbooks/",
    "extensions/eda/",
    "extensions/patterns/",
    "meta/",
    "galaxy.yml",
    "requirements.txt",
)
FRAGMENTS = "changelogs/fragments/*.yml"
# A release moves the fragments into this file, and adds their names to it.
CHANGELOG = "changelogs/changelog.yaml"
MOVED = re.compile(r"^\+ +- \S+\.yml$", re.MULTILINE)


def main() -> None:
    """Print which files lack a fragment, and exit."""
    undocumented = find_undocumented(*changed_files())
    if undocumented:
        print(f"Without a fragment in changelogs/fragments: {', '.join(undocumented)}")
        print("A change that users do not notice has one of the section 'trivial'.")
    sys.exit(bool(undocumented))


def find_undocumented(written: Sequence[str], deleted: Sequence[str], changelog: str) -> list[str]:
    """Return the files that users get, of those written and deleted, unless there is a fragment or a release.

    ``changelog`` is the diff of the changelog.
    """
    if any(fnmatch(name, FRAGMENTS) for name in written) or MOVED.search(changelog):
        return []
    return [name for name in (*written, *deleted) if name.startswith(USERS_GET)]


def changed_files() -> tuple[list[str], list[str], str]:
    """Return what has changed since the branch left main.

    These are the files written, also those that git does not know yet, those deleted, and the diff of the changelog.
    """
    for branch in filter(None, (os.environ.get("BASE"), "origin/main", "main")):
        base = git("merge-base", branch, "HEAD")
        if base:
            new = git("ls-files", "--others", "--exclude-standard")
            written, deleted = (
                git("diff", "--name-only", f"--diff-filter={kind}", "--no-renames", base) for kind in "dD"
            )
            changelog = git("diff", base, "--", CHANGELOG)
            return [*written.splitlines(), *new.splitlines()], deleted.splitlines(), changelog
    return [], [], ""


def git(*arguments: str) -> str:
    """Return what git prints, or nothing if it fails."""
    return subprocess.run(["git", *arguments], check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
