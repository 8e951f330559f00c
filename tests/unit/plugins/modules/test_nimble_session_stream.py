# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import Stream
from ansible_collections.labstream.aws.plugins.modules.nimble_session_stream import (
    build_policy,
    describe_outcome,
    parse_rows,
)

from tests.unit.plugins.module_utils.support import build_key, resource_lease_of

HOUR = 3600
SECRET = "https://streaming.example.org/?secret"


def params(**given):
    """Arguments of the module, as Ansible hands them over: what is not given has its default, most often None."""
    names = ("session_id", "session_ids", "sessions", "client_token", "min_remaining")
    defaults = dict(studio_id="studio-1", expiration_in_seconds=HOUR, wait_timeout=150, force=False)
    return {**dict.fromkeys(names), **defaults, **given}


@pytest.mark.parametrize(
    ("given", "sessions"),
    [
        pytest.param(dict(session_id="seat-01"), ["seat-01"], id="one session"),
        pytest.param(dict(session_ids=["b", "a", "A"]), ["b", "a", "A"], id="a lab, in its order"),
        pytest.param(dict(session_id="a?b#c%2F+"), ["a?b#c%2F+"], id="what a URL gives a meaning to"),
        pytest.param(dict(session_ids=["学生", "..."]), ["学生", "..."], id="what is no path"),
        pytest.param(dict(sessions=[dict(session_id="b"), dict(session_id="a")]), ["b", "a"], id="a lab with rows"),
        pytest.param({}, [], id="none, for state=absent with a lab"),
    ],
)
def test_the_arguments_say_which_sessions_are_asked_for(given, sessions):
    rows = parse_rows(params(**given))
    assert [row.holder for row in rows] == sessions
    assert all(row.values == dict(id=None, name=None, email=None, session_id=row.holder) for row in rows)


NO_ID = "but an id is text of 1 to 256 characters without spaces and slashes, and not '.' or '..'."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(dict(session_ids=[]), "session_ids is empty: name at least one.", id="an empty lab"),
        pytest.param(
            dict(session_ids=["a", "b", "b", "a"]),
            "Entries 2 and 3 of session_ids are both 'b': remove one.",
            id="the first of two that are there twice",
        ),
        pytest.param(dict(studio_id="", session_id="a"), f"studio_id is '', {NO_ID}", id="no studio"),
        pytest.param(dict(studio_id="a/b"), f"studio_id is 'a/b', {NO_ID}", id="a studio of a lab to be released"),
    ],
)
def test_a_lab_that_cannot_be_served_is_rejected(given, message):
    with pytest.raises(InvalidOption) as rejected:
        parse_rows(params(**given))
    assert str(rejected.value) == message


@pytest.mark.parametrize("bad", ["", ".", "..", "a b", "a/b", "a\n", "a\u00a0b", "\ud800"])
def test_a_bad_id_is_rejected_wherever_it_stands(bad):
    in_a_list = dict(session_ids=["a", bad, "b"])
    in_rows = dict(sessions=[dict(session_id=each) for each in ("a", bad, "b")])
    for given, option in (
        (dict(session_id=bad), "session_id"),
        (in_a_list, "Entry 2 of session_ids"),
        (in_rows, "Entry 2 of sessions"),
    ):
        with pytest.raises(InvalidOption) as rejected:
            parse_rows(params(**given))
        assert str(rejected.value) == f"{option} is {bad!r}, {NO_ID}"


@pytest.mark.parametrize(
    ("given", "need"),
    [
        pytest.param({}, ReusePolicy(HOUR, validity=HOUR), id="the longest, which is the default"),
        pytest.param(dict(expiration_in_seconds=60), ReusePolicy(HOUR, validity=60), id="the shortest"),
        pytest.param(
            dict(min_remaining=0), ReusePolicy(HOUR, validity=HOUR, min_remaining=0), id="nothing must remain"
        ),
        pytest.param(
            dict(expiration_in_seconds=60, min_remaining=59),
            ReusePolicy(HOUR, validity=60, min_remaining=59),
            id="nearly all must remain",
        ),
        pytest.param(dict(wait_timeout=1), ReusePolicy(HOUR, validity=HOUR), id="the shortest wait"),
        pytest.param(dict(wait_timeout=HOUR), ReusePolicy(HOUR, validity=HOUR), id="the longest wait"),
        pytest.param(dict(session_id="a", client_token="x"), ReusePolicy(HOUR, validity=HOUR), id="the shortest token"),
        pytest.param(
            dict(session_id="a", client_token="a ~" * 21), ReusePolicy(HOUR, validity=HOUR), id="a long token"
        ),
        pytest.param(dict(session_id="a", force=True), ReusePolicy(HOUR, validity=HOUR), id="force"),
    ],
)
def test_the_arguments_say_how_long_a_stream_must_be_good(given, need):
    assert build_policy(params(**given)) == need


OF_AN_HOUR = "but it must be from 60 to 3600 (one hour)."
A_WAIT = "but it must be from 1 to 3600 seconds."
A_TOKEN = "but it must have 1 to 64 printable ASCII characters, and no space at its ends."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(expiration_in_seconds=59), f"expiration_in_seconds is 59, {OF_AN_HOUR}"),
        (dict(expiration_in_seconds=3601), f"expiration_in_seconds is 3601, {OF_AN_HOUR}"),
        (dict(wait_timeout=0), f"wait_timeout is 0, {A_WAIT}"),
        (dict(wait_timeout=3601), f"wait_timeout is 3601, {A_WAIT}"),
        (
            dict(expiration_in_seconds=60, min_remaining=60),
            "min_remaining is 60, but it must be from 0 to less than the validity of 60 seconds: a new URL would not "
            "meet it either.",
        ),
        (
            dict(min_remaining=-1),
            "min_remaining is -1, but it must be from 0 to less than the validity of 3600 seconds: a new URL would not "
            "meet it either.",
        ),
        (dict(session_id="a", client_token=""), f"client_token is '' (length 0), {A_TOKEN}"),
        (dict(session_id="a", client_token="x" * 65), f"client_token is '{'x' * 65}' (length 65), {A_TOKEN}"),
        (dict(session_id="a", client_token=" x"), f"client_token is ' x' (length 2), {A_TOKEN}"),
        (
            dict(session_id="a", client_token="x\r\nX-Evil: 1"),
            rf"client_token is 'x\r\nX-Evil: 1' (length 12), {A_TOKEN}",
        ),
        (dict(session_id="a", client_token="ü"), f"client_token is 'ü' (length 1), {A_TOKEN}"),
        (
            dict(session_ids=["a"], client_token="x"),
            "client_token is only for session_id: give one session, or leave client_token out.",
        ),
        (
            dict(session_id="a", client_token="x", force=True),
            "client_token and force=true contradict each other, since the service returns the same stream for the same "
            "token: leave one of them out.",
        ),
    ],
)
def test_what_the_service_would_not_grant_is_rejected(given, message):
    with pytest.raises(InvalidOption) as rejected:
        build_policy(params(**given))
    assert str(rejected.value) == message


STREAM = Stream(
    "stream-1",
    "READY",
    "STREAM_READY",
    SECRET,
    created_at=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    created_by="instructor",
    expires_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    owned_by="anna",
)
ALL = dict(
    stream_id="stream-1",
    state="READY",
    status_code="STREAM_READY",
    created_at="2026-11-21T08:00:00Z",
    created_by="instructor",
    expires_at="2026-11-21T09:30:00Z",
    owned_by="anna",
    url=SECRET,
)
NOTHING = dict.fromkeys(ALL)
LEASE = resource_lease_of()  # until 09:00


@pytest.mark.parametrize(
    ("outcome", "entry"),
    [
        pytest.param(Outcome(build_key(), None, LEASE, issued=True, resource=STREAM), ALL, id="a new stream"),
        pytest.param(Outcome(build_key(), LEASE, LEASE, resource=STREAM), ALL, id="one that was held"),
        pytest.param(Outcome(build_key(), LEASE, issued=True), NOTHING, id="one that would be created"),
        pytest.param(
            Outcome(build_key(), None, LEASE, issued=True, resource=Stream("stream-1", "READY")),
            {
                **NOTHING,
                "stream_id": "stream-1",
                "state": "READY",
                "expires_at": "2026-11-21T09:00:00Z",
            },
            id="one that the service describes with little",
        ),
        pytest.param(Outcome(build_key(), None, failure=Failure("Odd", "No.")), NOTHING, id="none"),
        pytest.param(
            Outcome(build_key(), None, failure=Failure("NotReady", "No."), resource=STREAM),
            ALL,
            id="one that is not good",
        ),
    ],
)
def test_an_entry_has_what_the_service_says_of_the_stream(outcome, entry):
    assert describe_outcome(outcome) == entry


def test_the_identity_of_a_session_is_passed_through():
    identity = dict(id="4711", name="Anna Example", email="anna@example.org")
    [row] = parse_rows(params(sessions=[dict(session_id="session-anna", **identity)]))
    assert row.values == dict(session_id="session-anna", **identity)
