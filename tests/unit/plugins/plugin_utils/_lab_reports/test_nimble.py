# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role nimble_lab publishes of a lab."""

from __future__ import annotations

from tests.unit.plugins.plugin_utils._lab_reports.results import (
    EXPIRES,
    REGION,
    ROWS,
    SKIPPED,
    STREAMS,
    report_nimble,
    row,
    stream,
)


def session(session_id, state):
    return {"session_id": session_id, "state": state}


def test_learners_of_nimble_studio_who_were_removed_are_named_but_not_those_whose_session_is_not_ready():
    removed = [{"id": who, "session_id": who, "expires": None, "labs": []} for who in ("zoe", "BEN")]
    assert report_nimble({"streams": {"removed": removed}})["summary"]["warnings"] == [
        "Learners who are no longer in the roster still have URLs: zoe. Set nimble_lab_withdraw_removed to withdraw "
        "them."
    ]
    before = {"leases": [{**each, "ended": False} for each in (*removed, {**removed[0], "id": "anna"})]}
    published = report_nimble({"before": before, "streams": {"removed": removed}}, withdraw_removed=True)
    assert [each["session_id"] for each in published["removed"]] == ["zoe"]
    assert published["summary"]["warnings"] == [
        "Learners who are no longer in the roster were withdrawn, but their URLs still work: zoe."
    ]
    published = report_nimble({"before": before}, withdraw_removed=True, withdraw_limit=0, failure="Too many.")
    assert published["summary"]["warnings"] == []
    assert published["excess"].startswith("1 of 3 learners would be withdrawn, more than nimble_lab_withdraw_limit")


def test_a_seat_of_nimble_studio_in_the_order_of_the_learners():
    target = {"provider": "nimble", "studio_id": "studio-1", "region": REGION, "expires": EXPIRES}

    report = report_nimble({"streams": STREAMS}, learners=[{"id": "anna"}, {"id": "ben", "language": "de"}])

    assert report["seats"] == [
        {**row("anna", "s1"), "lease": "lease of anna", **target, "issued": False, "language": None},
        {**row("ben", "s2"), "lease": "lease of ben", **target, "issued": True, "language": "de"},
    ]
    assert report["summary"] == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 2,
        "started": 0,
        "issued": 1,
        "reused": 1,
        "failed": 0,
        "released": 0,
        "earliest_expiry": EXPIRES,
        "failures": [],
        "ended": None,
        "warnings": [],
        "check": False,
        "would_issue": 0,
        "message": (
            "Learners: 2. Sessions started: 0. Streams created: 1, reused: 1. They are valid until 2026-11-21 16:00 "
            "(UTC)."
        ),
    }


def test_a_stream_that_failed_makes_no_seat_though_it_has_an_expiry():
    failure = {**row("anna", "s1"), "code": "NotReady", "message": "Stream is CREATE_FAILED."}
    steps = {"streams": {**STREAMS, "failures": [failure]}}

    failed = report_nimble(steps, failure="1 of 2 got no stream.")

    assert [seat["id"] for seat in failed["seats"]] == ["ben"]
    assert (failed["summary"]["outcome"], failed["summary"]["failures"]) == ("partial", [failure])


def test_in_check_mode_the_streams_of_sessions_that_would_be_started_are_predicted():
    start = {"region": REGION, "sessions": [session("s1", "START_IN_PROGRESS")], "summary": {"started": 1}}
    options = {"check_mode": True, "starting": ["s1"]}
    one = {**STREAMS, "streams": [stream("ben", "s2", expires=None, issued=True)]}
    one["summary"] = {**STREAMS["summary"], "issued": 1, "reused": 0}

    predicted = report_nimble({"start": start, "streams": one}, **options)
    alone = report_nimble({"start": start, "streams": SKIPPED}, **options)

    assert [(seat["id"], seat["lease"], seat["issued"]) for seat in predicted["seats"]] == [
        ("anna", None, True),
        ("ben", "lease of ben", True),
    ]
    assert predicted["summary"]["message"] == (
        "Learners: 2. Sessions to be started: 1. Streams to be created: 2, reused: 0."
    )
    assert [(seat["id"], seat["region"]) for seat in alone["seats"]] == [("anna", REGION)]


def test_each_learner_without_a_stream_is_a_failure_with_its_reason():
    unmatched = {**row("gina", None), "code": "NoSession", "message": "Learner 'gina' has no session."}
    start = {
        "sessions": [session("s1", "START_IN_PROGRESS")],
        "failures": [{"session_id": "s2", "code": "NotReady", "message": "Session 's2' is START_FAILED."}],
        "msg": "1 of 2 sessions could not be started: s2: ...",
    }
    steps = {
        "match": {"sessions": ROWS, "failures": [unmatched]},
        "start": start,
    }

    failed = report_nimble(steps, starting=["s1"], late=["s1"])

    late = (
        "The session is still START_IN_PROGRESS after 9 seconds (nimble_lab_start_timeout): run again to keep waiting "
    )
    late += "for it."
    assert failed["summary"]["failures"] == [
        unmatched,
        {**ROWS[1], "code": "NotReady", "message": "Session 's2' is START_FAILED."},
        {**ROWS[0], "code": "NotReady", "message": late},
    ]
    assert (failed["summary"]["outcome"], failed["summary"]["failed"], failed["seats"]) == ("failed", 3, [])
    assert failed["summary"]["message"] == f"Learner 'gina' has no session. {start['msg']} s1: {late}"


def test_a_message_names_at_most_five_learners_without_a_session():
    unmatched = [{**row(str(number), None), "code": "NoSession", "message": f"{number}."} for number in range(7)]

    summary = report_nimble({"match": {"sessions": [], "failures": unmatched}})["summary"]

    assert summary["message"] == "0. 1. 2. 3. 4. 2 more learners have no session, see failures."


def test_the_end_of_a_lab_on_nimble_studio():
    released = {"summary": {"requested": 2, "released": 2, "issued": 0, "reused": 0, "earliest_expiry": None}}
    options = {"state": "absent", "learners": []}

    ended = report_nimble({"match": {}, "streams": released}, **options)["summary"]
    nothing = report_nimble({"match": {}}, **options)["summary"]

    assert (ended["outcome"], ended["requested"], ended["message"]) == (
        "ok",
        2,
        "Leases released: 2. URLs of streams work until they expire.",
    )
    assert (ended["ended"], nothing["ended"]) == (True, False)
    assert (nothing["outcome"], nothing["message"]) == (
        "unchanged",
        "No lease is stored for this lab, so nothing was released.",
    )
    assert report_nimble({"match": {}}, learners=[])["summary"]["message"].startswith("There are no learners")
