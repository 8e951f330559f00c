# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.plugin_utils._nimble_sessions import nimble_sessions

FAILED = "'s2' is START_FAILED (INSUFFICIENT_CAPACITY: AWS has no capacity for this instance type)"


def learner(who, **fields):
    """A learner as the roster has them."""
    return {"id": who, "name": who.title(), "email": None, **fields}


def session(session_id, owned_by, state="READY", status_code=None):
    """A session as nimble_session_info returns it, which has more."""
    return {"session_id": session_id, "owned_by": owned_by, "state": state, "status_code": status_code, "arn": "x"}


def matched(*who, **options):
    found = nimble_sessions([learner(name) for name in who], **options)
    return {each["id"]: each["session_id"] for each in found["sessions"] + found["failures"]}


def problem(who, **options):
    """Why this one learner has no session."""
    result = nimble_sessions([learner(who)], **options)
    [failure] = result["failures"]
    assert result["sessions"] == []
    assert {**failure, "message": ""} == {**learner(who), "session_id": None, "code": "NoSession", "message": ""}
    return failure["message"]


def get_error(*who, **options):
    with pytest.raises((ValueError, InvalidOption)) as error:
        nimble_sessions([learner(name) for name in who], **options)
    return str(error.value)


def test_learners_keep_their_order_and_what_identifies_them_and_nothing_else():
    known = [learner("ben", user_id="b-1"), learner("anna", email="anna@example.org")]

    assert nimble_sessions(known, {"anna": "s1", "ben": "s2"}) == {
        "sessions": [
            {**learner("ben"), "session_id": "s2"},
            {**learner("anna", email="anna@example.org"), "session_id": "s1"},
        ],
        "failures": [],
    }


def test_the_mapping_comes_before_the_owner():
    found = [session("s1", "anna"), session("s2", "ben"), session("s3", "chloe")]

    assert matched("anna", "ben", sessions={"anna": "spare"}, found=found) == {"anna": "spare", "ben": "s2"}


def test_a_learner_is_found_in_the_mapping_in_any_case():
    assert matched("anna", "BEN", sessions={"Anna": "s1", "ben": "s2"}) == {"anna": "s1", "BEN": "s2"}


def test_entries_of_the_mapping_for_others_have_no_effect():
    assert matched("anna", sessions={"anna": "s1", "ben": "s1"}) == {"anna": "s1"}


def test_the_owner_is_compared_exactly():
    found = [session("s1", "Anna"), session("s2", "anna@example.org"), session("s3", None)]

    assert problem("anna", found=found).startswith("Learner 'anna' has no session: ")


@pytest.mark.parametrize("state", ["DELETED", "DELETE_IN_PROGRESS", "CREATE_FAILED", "START_FAILED", "STOP_FAILED"])
def test_a_session_that_is_lost_does_not_count(state):
    found = [session("s1", "anna", state), session("s2", "anna", "STOPPED"), session("s3", "anna", "DELETE_FAILED")]

    assert matched("anna", found=found) == {"anna": "s2"}


@pytest.mark.parametrize("state", ["READY", "STOPPED", "START_IN_PROGRESS", "STOP_IN_PROGRESS", "CREATE_IN_PROGRESS"])
def test_a_session_that_can_stream_counts(state):
    assert matched("anna", found=[session("s1", "anna", state)]) == {"anna": "s1"}


def test_a_session_in_the_mapping_counts_in_any_state():
    """What is wrong with it is an error when it is used."""
    assert matched("anna", sessions={"anna": "s1"}, found=[session("s1", "anna", "DELETED")]) == {"anna": "s1"}


def test_the_error_for_a_learner_without_a_session_says_what_to_do():
    assert problem("anna") == (
        "Learner 'anna' has no session: name one in nimble_lab_sessions, or create one that this learner owns "
        "(CreateStreamingSession), then run again."
    )


def test_the_error_for_a_learner_with_lost_sessions_names_them():
    found = [session("s1", "anna", "DELETED"), session("s2", "anna", "START_FAILED", "INSUFFICIENT_CAPACITY")]

    assert problem("anna", found=found) == (
        f"Learner 'anna' owns no session that can be used ('s1' is DELETED, {FAILED}): fix or "
        "replace it (CreateStreamingSession), or name another in nimble_lab_sessions, then run again."
    )


def test_the_error_for_a_learner_with_several_sessions_names_them():
    found = [session("s1", "anna"), session("s2", "anna", "STOPPED"), session("s3", "anna", "DELETED")]

    assert problem("anna", found=found) == (
        "Learner 'anna' owns 2 sessions ('s1' is READY, 's2' is STOPPED): name one in nimble_lab_sessions."
    )


def test_one_learners_problem_is_not_the_others():
    found = [session("s1", "anna"), session("s2", "ben"), session("s3", "ben")]

    assert matched("anna", "ben", "chloe", found=found) == {"anna": "s1", "ben": None, "chloe": None}


@pytest.mark.parametrize(
    "options",
    [
        {"sessions": {"anna": "s1", "ben": "s1"}},
        {"sessions": {"anna": "s1"}, "found": [session("s1", "ben")]},
        {"sessions": {"ben": "s1"}, "found": [session("s1", "anna")]},
    ],
)
def test_two_learners_with_one_session_are_rejected(options):
    assert get_error("anna", "ben", **options) == (
        "Learners 'anna' and 'ben' have the same session 's1', but only one person can use it: name another for one of "
        "them in nimble_lab_sessions."
    )


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        (["s1"], "nimble_lab_sessions is ['s1'], but it must be a dictionary of learner and session id."),
        ("anna=s1", "nimble_lab_sessions is 'anna=s1', but it must be a dictionary of learner and session id."),
        ({"anna": 7}, "nimble_lab_sessions has 'anna': 7, and 7 is not text: put it in quotes, since YAML changes"),
        ({7: "s1"}, "nimble_lab_sessions has 7: 's1', and 7 is not text: put it in quotes, since YAML changes"),
        ({"anna": None}, "nimble_lab_sessions has 'anna': None, and None is not text: put it in quotes"),
        ({"anna": ""}, "The session of learner 'anna' in nimble_lab_sessions is '', but an id is text of"),
        ({"anna": "s1", "Anna": "s2"}, "nimble_lab_sessions has learner 'Anna' twice, in another case: remove one."),
        ({"anna": "a/b"}, "The session of learner 'anna' in nimble_lab_sessions is 'a/b', but an id is text"),
    ],
)
def test_what_is_not_a_mapping_is_rejected(sessions, message):
    assert get_error("ben", sessions=sessions).startswith(message)
