# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a filter is applied to, it returns something or fails with one message.

Each example takes good input, and puts something else in one or two places, at any depth.
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
MAX_SECONDS = 10

LEARNER = {"id": "anna", "name": "Anna", "email": "anna@example.org", "user_id": "anna", "session_id": "s1"}
PURPOSE = {"application_id": None, "session_context": "unit-7"}
ISSUED = {**LEARNER, **PURPOSE, "expires": "2126-11-21T16:00:00Z", "issued": True, "lease": "a lease"}
SUMMARY = {"requested": 1, "issued": 1, "reused": 0, "failed": 0, "released": 0, "earliest_expiry": None}
FLEET = {
    "state": "RUNNING",
    "fleet_type": "ON_DEMAND",
    "capacity": {"desired": 2, "running": 1, "in_use": 0, "available": 1, "max_available": 2},
    "max_user_duration_in_seconds": 7200,
    "idle_disconnect_timeout_in_seconds": 300,
    "disconnect_timeout_in_seconds": 600,
    "problem": None,
}
ARGUMENTS = {"learners": [LEARNER], "notices": [], "error": None, "roster_failure": ""}
OPTIONS = {
    "name": "monday",
    "state": "present",
    "summary_path": "",
    "timezone": "",
    "ends_at": "2126-11-21T16:00:00Z",
    "rotate": ["anna"],
    "spare_sessions": 1,
    "withdraw_removed": True,
    "withdraw_limit": None,
}
APPSTREAM_LAB = {
    "role": "appstream_lab",
    "check_mode": False,
    "failure": "",
    "arguments": {
        **ARGUMENTS,
        "options": {
            **OPTIONS,
            "stack_name": "cad-course",
            "fleet_name": "cad-fleet",
            "starts_at": "",
            "break_minutes": 15,
            "end_sessions": False,
            "manage_fleet": True,
            "on_insufficient_capacity": "warn",
            "stop_fleet": "auto",
            "keep_running_minutes": 30,
        },
    },
    "steps": {
        "rotation": {"generations": {"anna": 1}, "rotated": ["anna"]},
        "generations": {},
        "sessions": {"region": "us-east-1", "sessions": [], "fleet": FLEET},
        "fleet": {},
        "urls": {"region": "us-east-1", "streaming_urls": [ISSUED], "failures": [], "summary": SUMMARY},
        "before": {"leases": [{"id": "ben", "user_id": "ben", "labs": [], "ended": False, "expires": None}]},
        "withdraw": {},
        "ending": {
            "leases": [{"user_id": "anna", "labs": []}],
            "known_labs": ["monday"],
            "other_labs": [{"lab": "b", "starts_in": 60, "starts_at": "2126-11-21T15:00:00Z", "ends_at": None}],
        },
        "expire": {"sessions": [{"id": "s1", "expired": True}]},
        "fleet_info": {"fleets": [FLEET]},
        "on_fleet": {"sessions": [{"id": "s1", "state": "ACTIVE"}]},
        "stop": {},
    },
}
# Input that is good, with all options.
GOOD: dict[str, dict[str, Any]] = {
    "appstream_user_id": {"_input": "Anna Example", "style": "opaque", "key": "correct horse battery staple"},
    "lab_report": {"_input": APPSTREAM_LAB},
    "to_utc": {"_input": "17:00", "timezone": "Europe/Berlin", "now": "2026-11-21T08:00:00Z", "allow_past": False},
    "output_paths": {
        "_input": {"urls_csv": "urls.csv", "links_csv": "/srv/links.csv", "pages_dir": ""},
        "prefix": "lab_handout_",
        "playbook_dir": "/srv",
        "connection": "local",
    },
    "lab_conflicts": {
        "_input": {
            host: {"appstream_lab_name": "cad", "lab_handout_pages_dir": "pages", "ansible_connection": "local"}
            for host in ("a", "b")
        },
        "playbook_dir": "/srv",
    },
    "required_capacity": {
        "_input": ["anna", "ben"],
        "sessions": [{"user_id": "anna", "state": "ACTIVE"}],
        "spare_sessions": 1,
    },
    "nimble_sessions": {
        "_input": [LEARNER, {**LEARNER, "id": "ben"}],
        "sessions": {"anna": "s1"},
        "found": [{"session_id": "s2", "owned_by": "ben", "state": "READY", "status_code": None}],
    },
    "roster": {
        "_input": "Login,Mail\nanna,anna@example.org\n",
        "columns": {"id": "Login", "email": "Mail"},
        "style": "opaque",
        "key": "correct horse battery staple",
    },
    "rotated_learners": {"_input": [LEARNER], "generations": {"anna": 2}, "former_of": ["anna"]},
    "lab_outcome": {
        "_input": {
            "lab": "monday",
            "state": "present",
            "provider": "appstream",
            "summary": {"outcome": "ok", "message": "Late."},
            "has_handouts": True,
            "hands_out": True,
            "handout": None,
            "run_tags": ["all"],
            "failure": "No.",
        }
    },
}
LISTED = [{"id": "anna", "name": "Anna", "email": "anna@example.org", "user_id": "anna", **PURPOSE}]
NIMBLE_LAB = {
    "role": "nimble_lab",
    "check_mode": False,
    "failure": "",
    "arguments": {**ARGUMENTS, "options": {**OPTIONS, "studio_id": "studio-1", "start_timeout": 9}},
    "steps": {
        "before": {"leases": [{"id": "ben", "session_id": "s9", "labs": [], "ended": False, "expires": None}]},
        "match": {"sessions": [LEARNER], "failures": []},
        "start": {"sessions": [{"session_id": "s1", "state": "START_IN_PROGRESS"}], "failures": []},
        "wait": {"sessions": [{"session_id": "s1", "state": "START_IN_PROGRESS"}]},
        "streams": {
            "region": "us-east-1",
            "streams": [{**ISSUED, "expires_at": "2126-11-21T16:00:00Z"}],
            "failures": [],
            "summary": SUMMARY,
        },
    },
}
GAMELIFT_LAB = {
    "role": "gamelift_lab",
    "check_mode": False,
    "failure": "",
    "arguments": {
        **ARGUMENTS,
        "options": {
            **OPTIONS,
            "stream_group": "sg-1",
            "application": "a-cad",
            "locations": ["us-east-1"],
            "usage_limit": 5,
            "session_length": 3600,
            "terminate_sessions": False,
            "recover": False,
            "manage_capacity": True,
        },
    },
    "steps": {
        "rotation": {"generations": {"anna": 1}, "rotated": ["anna"]},
        "generations": {},
        "before": {"leases": [{"id": "ben", "labs": [], "ended": False, "expires": None}]},
        "sessions": {
            "stream_urls": [
                {
                    "id": "anna",
                    "lease": "lease1.x",
                    "active_labs": ["monday"],
                    "session_length": 3600,
                    "stream_sessions": [{"status": "CONNECTED", "started_at": "2126-11-21T15:00:00Z"}],
                }
            ]
        },
        "capacity": {
            "stream_group": {
                "arn": "arn:aws:x",
                "location_states": [{"location_name": "us-east-1", "capacity": {"in_use": 1, "available": 3}}],
            },
            "restored": [],
            "kept": [],
        },
        "urls": {"region": "us-east-1", "stream_urls": [{**ISSUED, "stream_url_id": "su-1"}], "summary": SUMMARY},
        "lost_urls": {},
        "ending": {},
        "restore": {},
    },
}
HANDOUT = {
    "role": "lab_handout",
    "check_mode": False,
    "failure": "",
    "paths": {"pages_dir": "/srv/pages"},
    "arguments": {**ARGUMENTS, "options": {**OPTIONS, "seats": [ISSUED], "s3_bucket": "pages"}},
    "steps": {"write": {"summary": {"requested": 1}}, "upload": {"msg": "No bucket."}, "upload_to_region": {}},
}
CASES = [
    *GOOD.items(),
    ("roster", {"_input": LISTED}),
    ("lab_report", {"_input": NIMBLE_LAB}),
    ("lab_report", {"_input": GAMELIFT_LAB}),
    ("lab_report", {"_input": HANDOUT}),
]


def module_of(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.labstream.aws.plugins.filter.{name}")


def apply(name: str, options: Mapping[str, Any]) -> Any:
    """Return what the filter returns for its input."""
    given_input, others = options["_input"], {option: value for option, value in options.items() if option != "_input"}
    return module_of(name).FilterModule().filters()[name](given_input, **others)


def spoilt(name: str, good: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return input with one or two parts that are wrong, which may be options that it lacks."""
    documented = yaml.safe_load(module_of(name).DOCUMENTATION)["options"]
    return strategies.spoilt(good, more=((option,) for option in documented))


def test_each_filter_has_good_input_here() -> None:
    assert sorted(GOOD) == sorted(path.stem for path in FILTERS.glob("*.py"))


@pytest.mark.parametrize(("name", "good"), CASES)
def test_good_input_is_accepted(name: str, good: dict[str, Any]) -> None:
    assert apply(name, good)


@pytest.mark.parametrize(("name", "good"), CASES)
def test_any_input_gives_something_or_one_message(name: str, good: dict[str, Any]) -> None:
    @strategies.settled(100, 2000, name)
    @given(spoilt(name, good))
    def try_out(options: dict[str, Any]) -> None:
        begun = time.monotonic()
        try:
            apply(name, options)
        except AnsibleFilterError as error:
            message = str(error)
            assert message.strip()
            assert len(message.splitlines()) == 1
            assert len(message) <= MAX_MESSAGE_LENGTH
        assert time.monotonic() - begun < MAX_SECONDS

    try_out()
