# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a filter is applied to, it returns something or fails with one sentence.

Each example takes good input, and puts something else in one or two places, however deep they are.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.filter import roster

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies

FILTERS = Path(roster.__file__).parent
MAX_MESSAGE_LENGTH = 1500
LONGEST_SECONDS = 10

LEARNER = {"learner": "anna", "name": "Anna", "email": "anna@example.org", "user_id": "anna", "session_id": "seat-1"}
PURPOSE = {"application_id": None, "session_context": "unit-7"}
ISSUED = {"user_id": "anna", **PURPOSE, "expires": "2126-11-21T16:00:00Z", "issued": True}
STREAM = {"session_id": "seat-1", "expires_at": "2126-11-21T16:00:00Z", "issued": True}
OF_ALL = {"scope": "a-scope", "region": "us-east-1", "failures": []}
FLEET = {
    "fleet_type": "ON_DEMAND",
    "max_sessions_per_instance": None,
    "compute_capacity_status": {"desired": 2},
    "capacity": {"desired": 2, "running": 1, "in_use": 0, "available": 1, "max_available": 2},
}
# Input that is good, with all options.
GOOD: dict[str, dict[str, Any]] = {
    "appstream_seats": {
        "_input": [LEARNER],
        "result": {**OF_ALL, "streaming_urls": [ISSUED]},
        "stack_name": "cad-course",
        "fleet_name": "cad-fleet",
    },
    "appstream_user_id": {"_input": "Anna Example", "style": "opaque", "key": "correct horse battery staple"},
    "to_utc": {"_input": "17:00", "timezone": "Europe/Berlin", "now": "2026-11-21T08:00:00Z"},
    "required_capacity": {
        "_input": FLEET,
        "user_ids": ["anna", "ben"],
        "sessions": [{"user_id": "anna", "state": "ACTIVE"}],
        "spare_sessions": 1,
    },
    "nimble_seats": {"_input": [LEARNER], "result": {**OF_ALL, "streams": [STREAM]}, "studio_id": "studio-1"},
    "nimble_sessions": {
        "_input": [LEARNER, {**LEARNER, "learner": "ben"}],
        "sessions": {"anna": "seat-1"},
        "found": [{"session_id": "seat-2", "owned_by": "ben", "state": "READY", "status_code": None}],
    },
    "roster": {
        "_input": "Login,Mail\nanna,anna@example.org\n",
        "columns": {"learner": "Login", "email": "Mail"},
        "style": "opaque",
        "key": "correct horse battery staple",
    },
    "rotated_learners": {"_input": [LEARNER], "generations": {"anna": 2}},
}
LISTED = [{"learner": "anna", "name": "Anna", "email": "anna@example.org", "user_id": "anna", **PURPOSE}]
CASES = [*GOOD.items(), ("roster", {"_input": LISTED})]


def module_of(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.labstream.aws.plugins.filter.{name}")


def apply(name: str, options: Mapping[str, Any]) -> Any:
    """What the filter makes of its input."""
    given_input, others = options["_input"], {option: value for option, value in options.items() if option != "_input"}
    return module_of(name).FilterModule().filters()[name](given_input, **others)


def spoilt(name: str, good: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The input with one or two parts that are not as they should be. Options that it lacks are among them."""
    documented = yaml.safe_load(module_of(name).DOCUMENTATION)["options"]
    return strategies.spoilt(good, more=((option,) for option in documented))


def test_each_filter_has_good_input_here() -> None:
    assert sorted(GOOD) == sorted(path.stem for path in FILTERS.glob("*.py"))


@pytest.mark.parametrize(("name", "good"), CASES)
def test_good_input_is_taken(name: str, good: dict[str, Any]) -> None:
    assert apply(name, good)


@pytest.mark.parametrize(("name", "good"), CASES)
def test_any_input_gives_something_or_one_sentence(name: str, good: dict[str, Any]) -> None:
    @strategies.settled(100, 2000, name)
    @given(spoilt(name, good))
    def try_out(options: dict[str, Any]) -> None:
        begun = time.monotonic()
        try:
            apply(name, options)
        except AnsibleFilterError as refused:
            sentence = str(refused)
            assert sentence.strip()
            assert len(sentence.splitlines()) == 1
            assert len(sentence) <= MAX_MESSAGE_LENGTH
        assert time.monotonic() - begun < LONGEST_SECONDS

    try_out()
