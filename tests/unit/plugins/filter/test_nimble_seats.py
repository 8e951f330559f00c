# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which learner has which seat on Nimble Studio."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.filter import nimble_sessions
from ansible_collections.labstream.aws.plugins.filter.nimble_seats import FilterModule
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

EXPIRES = "2126-11-21T16:00:00Z"
LEARNERS = nimble_sessions.FilterModule().filters()["nimble_sessions"](
    roster([{"learner": "anna", "name": "Anna"}, {"learner": "nobody"}, {"email": "ben@example.org"}]),
    sessions={"anna": "s1", "ben@example.org": "s2"},
)


def seats_of(result):
    return FilterModule().filters()["nimble_seats"](LEARNERS, result, studio_id="studio")


def entry(session_id, expires=EXPIRES, issued=False):
    """What the module returns for one session; there is more in it."""
    return {"session_id": session_id, "expires_at": expires, "issued": issued, "url": None, "state": "READY"}


def result_of(*entries, failed=()):
    failures = [{"session_id": session_id, "code": "NotReady", "message": "."} for session_id in failed]
    return {"scope": "the scope", "region": "us-east-1", "streams": list(entries), "failures": failures}


def test_a_seat_says_who_has_it_and_where_it_is_in_the_order_of_the_learners():
    target = {"provider": "nimble", "scope": "the scope", "region": "us-east-1", "studio_id": "studio"}
    target |= {"expires": EXPIRES}

    assert seats_of(result_of(entry("s2", issued=True), entry("s1"))) == [
        {"learner": "anna", "name": "Anna", "email": None, "seat": "s1", "issued": False, **target},
        {
            "learner": "ben@example.org",
            "name": None,
            "email": "ben@example.org",
            "seat": "s2",
            "issued": True,
            **target,
        },
    ]


def test_a_learner_without_a_stream_has_no_seat():
    assert [seat["seat"] for seat in seats_of(result_of(entry("s2")))] == ["s2"]


def test_a_stream_that_failed_makes_no_seat_though_it_has_an_expiry():
    assert [seat["seat"] for seat in seats_of(result_of(entry("s1"), entry("s2"), failed=["s1"]))] == ["s2"]


def test_in_check_mode_a_stream_that_would_be_created_makes_a_seat():
    seat, _ben = seats_of(result_of(entry("s1", expires=None, issued=True), entry("s2")))

    assert (seat["expires"], seat["issued"]) == (None, True)


def test_a_task_that_was_skipped_or_broke_gives_no_seats():
    assert seats_of({}) == []
    assert seats_of({"changed": False, "skipped": True}) == []
    assert seats_of({"failed": True, "scope": None, "region": None, "streams": [], "failures": []}) == []


def test_the_result_of_another_class_is_refused():
    with pytest.raises(AnsibleFilterError, match="The result has streams of other sessions than the learners'"):
        seats_of(result_of(entry("s1"), entry("s3")))


def test_what_is_wrong_with_a_map_is_one_sentence():
    with pytest.raises(AnsibleFilterError) as refused:
        nimble_sessions.nimble_sessions([], sessions="anna=s1")
    assert str(refused.value) == "nimble_lab_sessions is a dictionary of learner and session id, not 'anna=s1'."
