# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tools check of a change, and what each module has to have beside it."""

from __future__ import annotations

import pytest

from tests.documentation import CHECKOUT, find_internal
from tools.check_fragments import find_undocumented

FRAGMENT, MODULE = "changelogs/fragments/leases.yml", "plugins/modules/appstream_fleet.py"
CHANGELOG = "changelogs/changelog.yaml"
TARGETS = CHECKOUT / "tests/integration/targets"


@pytest.mark.parametrize(
    ("written", "deleted", "undocumented"),
    [
        ([], [], []),
        (["README.md", "tests/unit/conftest.py", "requirements/test.txt"], [], []),
        ([MODULE], [], [MODULE]),
        ([], [MODULE], [MODULE]),
        (["galaxy.yml", "requirements.txt"], [], ["galaxy.yml", "requirements.txt"]),
        ([MODULE, FRAGMENT], [], []),
        ([FRAGMENT], [MODULE], []),
        # Somebody else's fragment, and files beside the fragments, say nothing of the change.
        ([MODULE], [FRAGMENT], [MODULE]),
        ([MODULE, "changelogs/config.yaml", "changelogs/fragments/.keep"], [], [MODULE]),
    ],
)
def test_what_users_get_changes_with_a_fragment(
    written: list[str], deleted: list[str], undocumented: list[str]
) -> None:
    assert find_undocumented(written, deleted, changelog="") == undocumented


@pytest.mark.parametrize(
    ("diff", "undocumented"),
    [
        pytest.param("     fragments:\n+      - leases.yml\n", [], id="a fragment has moved into it"),
        pytest.param("-        - A typpo.\n+        - A typo.\n       - leases.yml\n", [MODULE], id="a correction"),
        pytest.param("-      - leases.yml\n", [MODULE], id="a fragment has gone"),
    ],
)
def test_a_release_needs_no_fragment(diff: str, undocumented: list[str]) -> None:
    assert find_undocumented([MODULE, CHANGELOG, "CHANGELOG.rst"], [FRAGMENT], diff) == undocumented


def test_every_module_is_in_the_target_of_its_name_or_of_an_alias() -> None:
    modules = {file.stem for file in (CHECKOUT / "plugins/modules").glob("*.py")}
    used = set()
    for target in TARGETS.iterdir():
        aliases = (target / "aliases").read_text(encoding="utf-8").split()
        tasks = (target / "tasks/main.yml").read_text(encoding="utf-8")
        used |= {name for name in (target.name, *aliases) if f"labstream.aws.{name}:" in tasks}
    assert used == modules - find_internal()
