# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a change to what users get comes with a changelog fragment.

Compares the checkout with the commit where its branch left main; on main itself, and where git does not know main,
nothing is checked. BASE in the environment names another branch than main or origin/main.
"""

from __future__ import annotations

import os
import subprocess
import sys

USERS_GET = ("plugins/", "roles/", "playbooks/", "extensions/eda/", "extensions/patterns/", "meta/")
FRAGMENTS = "changelogs/"


def main() -> None:
    """Print which files lack a fragment, and exit."""
    changed = changed_files()
    has_fragment = any(name.startswith(FRAGMENTS) for name in changed)
    undocumented = [] if has_fragment else [name for name in changed if name.startswith(USERS_GET)]
    if undocumented:
        print(f"Without a fragment in changelogs/fragments: {', '.join(undocumented)}")
        print("A change that users do not notice has one of the section 'trivial'.")
    sys.exit(bool(undocumented))


def changed_files() -> list[str]:
    """Return the files that differ from where the branch left main, those that git does not know yet too."""
    for branch in filter(None, (os.environ.get("BASE"), "origin/main", "main")):
        base = git("merge-base", branch, "HEAD")
        if base:
            new = git("ls-files", "--others", "--exclude-standard")
            return f"{git('diff', '--name-only', base)}\n{new}".split("\n")
    return []


def git(*arguments: str) -> str:
    """Return what git prints, or nothing if it fails."""
    return subprocess.run(["git", *arguments], check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
