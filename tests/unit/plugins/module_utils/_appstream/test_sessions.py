# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How sessions are selected, and how results show them. The calls are tested by the modules, on the simulator."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.sessions import (
    build_outcome,
    count_states,
    failure_message,
    select_sessions,
    validate_session_id,
    validate_user_id,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._session_outcomes import build_result


def session(number, user, state="ACTIVE"):
    return {"Id": f"s-{number}", "UserId": user, "State": state}


ANNA, BEN, ANNA_AGAIN = LISTED = [session(1, "anna", "EXPIRED"), session(2, "ben"), session(3, "anna")]


@pytest.mark.parametrize(
    ("member", "values", "sessions"),
    [
        pytest.param("UserId", ["ben", "anna"], [BEN, ANNA, ANNA_AGAIN], id="all of each user, in the order asked"),
        pytest.param("Id", ["s-3", "s-2"], [ANNA_AGAIN, BEN], id="by id"),
        pytest.param("UserId", ["chloe", "ben"], [{"UserId": "chloe"}, BEN], id="a user who has none"),
        pytest.param("Id", ["s-4"], [{"Id": "s-4"}], id="an id that is not there"),
        pytest.param(
            "UserId", ["Anna", "ann", "anna "], [{"UserId": each} for each in ("Anna", "ann", "anna ")], id="exactly"
        ),
        pytest.param("Id", ["ben"], [{"Id": "ben"}], id="an id is no user"),
    ],
)
def test_sessions_are_selected_by_user_or_by_id(member, values, sessions):
    assert select_sessions(LISTED, member, values) == sessions


def test_states_are_counted_by_name_and_missing_ones_are_not():
    listed = [*LISTED, {**BEN, "ConnectionState": "CONNECTED"}, {**BEN, "ConnectionState": None}]

    assert list(count_states(listed, "State").items()) == [("ACTIVE", 4), ("EXPIRED", 1)]
    assert count_states(listed, "ConnectionState") == {"CONNECTED": 1}
    assert count_states([], "State") == {}


def test_every_session_counts_once_and_requested_are_the_names_given():
    outcomes = [
        build_outcome(ANNA),
        build_outcome(ANNA_AGAIN, expired=True),
        build_outcome({"UserId": "chloe"}),
        build_outcome(BEN, failure=Failure("x", "x")),
    ]

    summary = build_result(outcomes, 3, "expired")["summary"]
    assert summary == {"requested": 3, "expired": 1, "unchanged": 2, "failed": 1}


def test_a_reason_that_many_sessions_have_is_reported_once():
    denied = Failure("AccessDeniedException", "Failed to expire the session: not allowed.")
    failed = [build_outcome(session(number, f"u{number}"), failure=denied) for number in range(7)]

    not_live = [build_outcome(ANNA), build_outcome({"UserId": "chloe"})]
    assert failure_message([*failed, build_outcome(BEN, expired=True), *not_live]) == (
        "7 of 8 sessions could not be expired: u0 (s-0), u1 (s-1), u2 (s-2), u3 (s-3), u4 (s-4) and 2 more: "
        "Failed to expire the session: not allowed."
    )
    assert failure_message([build_outcome(BEN, expired=True)]) is None


@pytest.mark.parametrize("user_id", ["an", "x" * 128, "anna@example.org", "EXAMPLE\\anna", "Anna Müller"])
def test_user_ids_of_all_authentication_types_are_taken(user_id):
    validate_user_id("user_id", user_id)


@pytest.mark.parametrize("user_id", ["", "a", "x" * 129, "anna\n", "an\x00"])
def test_a_user_id_that_no_user_has_is_rejected(user_id):
    with pytest.raises(InvalidOption, match=r"^user_id is .* \(length \d+\), but it must have 2 to 128 "):
        validate_user_id("user_id", user_id)


@pytest.mark.parametrize("session_id", ["", "\t"])
def test_a_session_id_that_is_none_is_rejected(session_id):
    with pytest.raises(InvalidOption, match=r"^session_id is .*, but it must have at least one printable character"):
        validate_session_id("session_id", session_id)
