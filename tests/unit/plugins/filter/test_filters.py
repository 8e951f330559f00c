# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as Python functions: what they return, and that bad input is an AnsibleFilterError.

The rules are specified in tests/unit/plugins/plugin_utils, and the filters in a playbook in test_in_playbook.py.
"""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.filter import (
    appstream_user_id,
    nimble_sessions,
    required_capacity,
    roster,
    rotated_learners,
    to_utc,
)

KEY = "correct horse battery staple"


@pytest.mark.parametrize(
    ("module", "name", "arguments", "expected"),
    [
        (appstream_user_id, "appstream_user_id", {"text": "Anna@Example.org"}, "anna@example.org"),
        (
            appstream_user_id,
            "appstream_user_id",
            {"text": "anna@example.org", "style": "opaque", "key": KEY},
            "ce7nmd3mh5f2hxjhzo32",
        ),
        (
            roster,
            "roster",
            {"source": "Mail\nanna@example.org\n", "columns": {"email": "Mail"}, "style": "opaque", "key": KEY},
            [
                {
                    "id": "anna@example.org",
                    "name": None,
                    "email": "anna@example.org",
                    "user_id": "ce7nmd3mh5f2hxjhzo32",
                    "session_context": None,
                    "application_id": None,
                }
            ],
        ),
        (
            to_utc,
            "to_utc",
            {"value": "17:00", "timezone": "Europe/Berlin", "now": "2026-11-21T08:00:00Z"},
            "2026-11-21T16:00:00Z",
        ),
    ],
)
def test_a_filter_is_found_by_its_name_and_takes_its_options(module, name, arguments, expected):
    assert module.FilterModule().filters()[name](**arguments) == expected


def filter_of(module):
    """Return the only filter of its module."""
    [filter_] = module.FilterModule().filters().values()
    return filter_


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda: filter_of(appstream_user_id)(""),
            "A user id cannot be derived from '': there is nothing in it.",
        ),
        (
            lambda: filter_of(appstream_user_id)("anna", style="opaque", key="short"),
            "style='opaque' needs a key: a secret text of at least 16 characters.",
        ),
        (lambda: filter_of(roster)(""), "The roster is empty: its first line must name the columns."),
        (
            lambda: filter_of(to_utc)("17:00", timezone="Berlin"),
            "There is no time zone 'Berlin': give an IANA name such as 'Europe/Berlin'.",
        ),
        (
            lambda: filter_of(to_utc)("2026-01-01T17:00Z", now="noon"),
            "now is 'noon', which is not a valid ISO 8601 timestamp with an offset, such as '2026-11-21T08:00:00Z'.",
        ),
        (
            lambda: filter_of(required_capacity)([], [{}]),
            "The filter labstream.aws.required_capacity cannot be applied to this input, see its documentation: "
            "KeyError: "
            "'state'",
        ),
        (
            lambda: filter_of(required_capacity)([], spare_sessions="two"),
            "spare_sessions is 'two', but it must be a whole number.",
        ),
        (
            lambda: filter_of(nimble_sessions)([], sessions="anna=s1"),
            "nimble_lab_sessions is 'anna=s1', but it must be a dictionary of learner and session id.",
        ),
        (
            lambda: filter_of(rotated_learners)([], {"anna": 10**9}),
            "The generation of learner 'anna' is 1000000000, but it must be a whole number from 0 to 1000.",
        ),
    ],
)
def test_bad_input_is_one_message(use, message):
    with pytest.raises(AnsibleFilterError) as error:
        use()
    assert str(error.value) == message


def test_the_roster_warns_of_what_it_changed_and_left_out(monkeypatch):
    warnings = []
    monkeypatch.setattr(Display, "warning", lambda self, message, *_others, **_options: warnings.append(message))
    learners = filter_of(roster)("SID,Email,Role\n1,<anna@example.org>,Student\n2,tim@example.org,TA\n")

    assert [learner["id"] for learner in learners] == ["anna@example.org"]
    assert warnings == [
        "Roster line 3 is left out: 'TA' in the column 'Role' is not a learner.",
        "Roster line 2, column 'Email': '<anna@example.org>' is read as 'anna@example.org'.",
    ]
