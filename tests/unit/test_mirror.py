# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit tests of what plugins share mirror its tree one to one."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PLUGINS, TESTS = CHECKOUT / "plugins", CHECKOUT / "tests/unit/plugins"
FOLDERS = ("module_utils", "plugin_utils")
# State machines, which need hypothesis.
MODELS = "_model"
# What is thin, or can only be seen at work, and the tests that show it.
ELSEWHERE = {
    "module_utils/_appstream/errors.py": "unit/plugins/module_utils/test_service_errors.py",
    "module_utils/_gamelift/api.py": "integration/test_gamelift_stream_url.py",
    "module_utils/_gamelift/arguments.py": "unit/plugins/modules/test_gamelift_stream_url.py",
    "module_utils/_gamelift/ending.py": "unit/plugins/module_utils/_gamelift/test_urls.py",
    "module_utils/_gamelift/errors.py": "unit/plugins/module_utils/_gamelift/test_urls.py",
    "module_utils/_gamelift/listing.py": "unit/plugins/module_utils/_gamelift/test_urls.py",
    "module_utils/_gamelift/states.py": "unit/plugins/module_utils/_gamelift/test_urls.py",
    "module_utils/_gamelift/stream_groups.py": "integration/test_gamelift_stream_group.py",
    "module_utils/_gamelift/url_info.py": "integration/test_gamelift_stream_url_info.py",
    "module_utils/_nimble/api.py": "unit/plugins/module_utils/_nimble/test_streams.py",
    "module_utils/_nimble/service_loader.py": "unit/plugins/module_utils/_nimble/test_service_model.py",
    "module_utils/_version.py": "unit/test_versions.py",
    "plugin_utils/_filters.py": "unit/plugins/filter/test_filters.py",
    "plugin_utils/_lab_reports/report.py": "unit/plugins/plugin_utils/_lab_reports/test_base.py",
    "plugin_utils/_progress.py": "integration/test_appstream_fleet_action.py",
    "plugin_utils/_roster_source.py": "unit/plugins/lookup/test_roster.py",
    "plugin_utils/_unsafe.py": "unit/plugins/filter/test_in_playbook.py",
}


def find(root: Path, pattern: str) -> list[Path]:
    """Return the files of both folders below the root, relative to it."""
    return [path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob(pattern)]


def to_tests(source: Path) -> Path:
    """Return where the tests of a file are."""
    return source.with_name(f"test_{source.stem.removeprefix('_')}.py")


def test_every_file_has_tests_of_its_name_unless_others_are_named_here() -> None:
    untested = {str(source) for source in find(PLUGINS, "*.py") if not (TESTS / to_tests(source)).is_file()}

    assert untested - ELSEWHERE.keys() == set()
    assert [tests for tests in ELSEWHERE.values() if not (CHECKOUT / "tests" / tests).is_file()] == []


def test_every_file_of_tests_has_the_name_of_what_it_tests() -> None:
    expected = {to_tests(source) for source in find(PLUGINS, "*.py")}
    named = find(TESTS, "test_*.py")

    assert {each for each in named if each.with_stem(each.stem.removesuffix(MODELS)) not in expected} <= expected
