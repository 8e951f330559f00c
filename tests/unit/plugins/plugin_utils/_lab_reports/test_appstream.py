# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role appstream_lab publishes of a lab."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LIMITS

from tests.unit.plugins.plugin_utils._lab_reports.results import (
    BEFORE,
    EXPIRES,
    FLEET,
    LEARNERS,
    REGION,
    REMOVED,
    SKIPPED,
    SUMMARY,
    URLS,
    report,
    summarize,
    url,
    warnings,
)


def test_a_seat_is_who_has_it_where_it_is_and_the_lease():
    target = {"provider": "appstream", "stack_name": "cad-course", "fleet_name": "cad-fleet", "region": REGION}
    rotation = {"generations": {"ben": 2}}
    learners = [LEARNERS[0], {**LEARNERS[1], "language": "de"}]

    assert report({"urls": URLS, "rotation": rotation}, learners=learners)["seats"] == [
        {
            "id": "anna",
            "name": "Anna",
            "email": None,
            "user_id": "anna",
            "lease": "lease of anna",
            **target,
            "expires": EXPIRES,
            "issued": True,
            "generation": 0,
            "language": None,
        },
        {
            "id": "Ben",
            "name": None,
            "email": "ben@example.org",
            "user_id": "ben",
            "lease": "lease of Ben",
            **target,
            "expires": EXPIRES,
            "issued": False,
            "generation": 2,
            "language": "de",
        },
    ]


def test_a_learner_without_a_url_has_no_seat():
    failed = {**URLS, "streaming_urls": [url(LEARNERS[0], expires=None), url(LEARNERS[1])]}

    assert [seat["id"] for seat in report({"urls": failed})["seats"]] == ["Ben"]


def test_a_learner_whose_url_was_issued_but_not_stored_has_no_seat():
    lost = {**URLS, "streaming_urls": [url(LEARNERS[0], expires=None, issued=True), url(LEARNERS[1])]}

    assert [seat["id"] for seat in report({"urls": lost})["seats"]] == ["Ben"]


def test_in_check_mode_a_url_that_would_be_issued_makes_a_seat():
    predicted = {**URLS, "streaming_urls": [url(LEARNERS[0], expires=None, issued=True)]}

    [seat] = report({"urls": predicted}, check_mode=True)["seats"]

    assert (seat["expires"], seat["issued"], seat["lease"]) == (None, True, "lease of anna")


def test_in_check_mode_all_urls_of_a_fleet_that_would_be_started_are_predicted():
    steps = {
        "urls": SKIPPED,
        "sessions": {"region": REGION, "sessions": []},
        "fleet": {"fleet": FLEET, "changed": True},
    }

    predicted = report(steps, check_mode=True)

    assert [(seat["id"], seat["user_id"], seat["lease"], seat["expires"]) for seat in predicted["seats"]] == [
        ("anna", "anna", None, None),
        ("Ben", "ben", None, None),
    ]
    assert {seat["region"] for seat in predicted["seats"]} == {REGION}
    assert (predicted["summary"]["issued"], predicted["summary"]["outcome"]) == (2, "ok")
    assert predicted["summary"]["message"] == (
        "Learners: 2. Streaming URLs to be issued: 2, reused: 0. "
        "Fleet 'cad-fleet' would be RUNNING with sessions in use: 1, available: 2, desired: 3."
    )


@pytest.mark.parametrize("urls", [{}, SKIPPED, {"failed": True, "streaming_urls": [], "region": None}])
def test_a_step_that_was_skipped_or_failed_early_makes_no_seats(urls):
    assert report({"urls": urls})["seats"] == []


def test_the_summary_has_the_same_keys_whatever_was_done():
    assert summarize({"urls": URLS}) == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 2,
        "issued": 1,
        "reused": 1,
        "failed": 0,
        "released": 0,
        "rotated": [],
        "earliest_expiry": EXPIRES,
        "renew_before": None,
        "failures": [],
        "expired": 0,
        "known": None,
        "ended": None,
        "fleet": None,
        "warnings": [],
        "check": False,
        "would_issue": 0,
        "message": ("Learners: 2. Streaming URLs issued: 1, reused: 1. They are valid until 2026-11-21 16:00 (UTC)."),
    }
    assert summarize({}, learners=[]).keys() == summarize({}, state="absent", learners=[]).keys()
    assert summarize({"urls": URLS}).keys() == summarize({}, learners=[]).keys()


def test_failures_of_urls_and_of_sessions_are_listed():
    steps = {"urls": {**URLS, "failures": [{"id": "anna"}]}, "expire": {"failures": [{"session_id": "s1"}]}}

    assert summarize(steps)["failures"] == [{"id": "anna"}, {"session_id": "s1"}]


def test_the_fleet_is_as_it_was_described_last():
    stopped = {**FLEET, "state": "STOPPED"}
    need = {"needed": 2, "available_sessions": 2}
    fleet = {"name": "cad-fleet", "fleet_type": "ON_DEMAND", "capacity": FLEET["capacity"], "other_sessions": None}
    fleet["limits"] = {limit: FLEET[limit] for limit in LIMITS}

    steps = {"fleet_info": {"fleets": [stopped]}, "capacity": need, "urls": URLS}
    assert summarize(steps)["fleet"] == {**fleet, "state": "STOPPED", "needed": 2}
    assert summarize({**steps, "fleet": {"fleet": FLEET}})["fleet"] == {**fleet, "state": "RUNNING", "needed": 2}
    # The module failed before it described the fleet.
    assert summarize({**steps, "fleet": {"fleet": {"name": "cad-fleet", "state": None}}})["fleet"]["state"] == "STOPPED"


# What the fleet lacks


@pytest.mark.parametrize(
    ("needed", "available", "text"),
    [
        (2, 2, None),
        (
            3,
            3,
            "Fleet 'cad-fleet' is set to have 2 sessions available (2 now), but 3 learners have no session yet: raise "
            "its "
            "capacity, or set appstream_lab_manage_fleet.",
        ),
        (
            1,
            3,
            "Fleet 'cad-fleet' is set to have 2 sessions available (2 now), but 1 learner has no session yet, and 2 "
            "should be spare: raise its capacity, or set appstream_lab_manage_fleet.",
        ),
    ],
)
def test_a_fleet_that_the_role_leaves_alone_may_lack_sessions(needed, available, text):
    steps = {"fleet_info": {"fleets": [FLEET]}, "capacity": {"needed": needed, "available_sessions": available}}

    assert report(steps)["insufficient_capacity"] == text
    if text:
        instead = "run without --skip-tags fleet, or add fleet to --tags."
        skipped = text.replace("set appstream_lab_manage_fleet.", instead)
        assert report(steps, manage_fleet=True)["insufficient_capacity"] == skipped
    assert warnings(steps) == []
    assert warnings(steps, on_insufficient_capacity="warn") == ([text] if text else [])


def test_what_the_module_says_of_capacity_comes_first():
    steps = {"fleet_info": {"fleets": [FLEET]}, "capacity": {"needed": 9, "available_sessions": 9}}
    steps["fleet"] = {"fleet": FLEET, "insufficient_capacity": None}

    assert report(steps)["insufficient_capacity"] is None
    steps["fleet"] = {"fleet": FLEET, "insufficient_capacity": "Fleet 'cad-fleet' has 2 of 9."}
    assert warnings(steps, on_insufficient_capacity="warn") == ["Fleet 'cad-fleet' has 2 of 9."]


# What may go wrong


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({}, []),
        ({"ends_at": "2026-11-21T10:00:00Z"}, []),
        (
            {"ends_at": "2026-11-21T13:01:30Z"},
            [
                "A session on fleet 'cad-fleet' ends after 120 minutes (MaxUserDurationInSeconds), but the lab lasts "
                "301 "
                "minutes: raise the limit while the fleet is STOPPED (UpdateFleet), or ask learners to save in time."
            ],
        ),
        ({"starts_at": "2026-11-22T13:00:00Z", "ends_at": "2026-11-22T14:00:00Z"}, []),
        ({"starts_at": "2026-11-21T05:00:00Z", "ends_at": "2026-11-21T09:00:00Z"}, []),
        ({"ends_at": "10:30", "timezone": "Europe/Berlin"}, []),
        ({"ends_at": "2026-11-21T07:00:00Z"}, []),  # The lab ended while the role ran.
        ({"break_minutes": 5}, []),
        (
            {"break_minutes": "6"},
            [
                "Fleet 'cad-fleet' disconnects learners after 5 minutes without input "
                "(IdleDisconnectTimeoutInSeconds), but "
                "a break takes 6 minutes: raise the timeout (UpdateFleet), or set it to 0, which means never."
            ],
        ),
    ],
)
def test_limits_of_the_fleet_that_are_too_short_are_warnings(options, texts):
    assert warnings({"fleet_info": {"fleets": [FLEET]}}, **options) == texts


def test_a_fleet_may_end_sessions_in_a_break():
    fleet = {**FLEET, "idle_disconnect_timeout_in_seconds": 0, "max_user_duration_in_seconds": None}

    assert warnings({"fleet_info": {"fleets": [fleet]}}, break_minutes=15, ends_at="2026-11-30T07:00:00Z") == [
        "Fleet 'cad-fleet' ends a session 10 minutes after the learner was disconnected (DisconnectTimeoutInSeconds), "
        "but "
        "a break takes 15 minutes: raise the timeout (UpdateFleet)."
    ]


def test_a_running_fleet_with_errors_is_a_warning():
    fleet = {**FLEET, "problem": "Fleet 'cad-fleet' is RUNNING with errors."}

    assert warnings({"fleet_info": {"fleets": [fleet]}}) == ["Fleet 'cad-fleet' is RUNNING with errors."]
    assert warnings({"fleet_info": {"fleets": [{**fleet, "state": "STARTING"}]}}) == []


@pytest.mark.parametrize(
    ("rotated", "check_mode", "beginning"),
    [
        (["anna"], False, "anna has a new user id, and with it an empty home folder"),
        (["anna", "ben"], False, "anna, ben have a new user id"),
        (["anna"], True, "anna would get a new user id"),
    ],
)
def test_the_cost_of_a_rotation_is_a_warning(rotated, check_mode, beginning):
    [warning] = warnings({"rotation": {"rotated": rotated}}, check_mode=check_mode)

    assert warning.startswith(beginning)


def test_the_end_of_a_lab():
    steps = {
        "urls": {
            "summary": {"requested": 3, "issued": 0, "reused": 0, "failed": 0, "released": 3, "earliest_expiry": None}
        },
        "expire": {"summary": {"expired": 1}, "failures": []},
        "ending": {"known_labs": ["monday"], "other_labs": [], "leases": [{"labs": []}]},
        "fleet_info": {"fleets": [FLEET]},
    }

    def message(steps, **options):
        return summarize(steps, state="absent", learners=[], **options)["message"]

    released = "Leases released: 3. Streaming URLs that were handed out work until they expire."
    assert message(steps, end_sessions=True, other_sessions=[{}] * 4) == (
        f"{released} Sessions expired: 1. Fleet 'cad-fleet' stays RUNNING, because other sessions are on it: 4."
    )
    stopped = {**steps, "stop": {"changed": True, "fleet": {**FLEET, "state": "STOPPED"}}}
    assert message(stopped) == f"{released} Fleet 'cad-fleet' is STOPPED."
    assert message(stopped, check_mode=True, end_sessions=True) == (
        "Leases to be released: 3. Streaming URLs that were handed out work until they expire. Sessions to be expired: "
        "1. "
        "Fleet 'cad-fleet' would be STOPPED."
    )
    later = {"lab": "b", "starts_in": 7200, "starts_at": "2026-11-21T10:00:00Z", "ends_at": "2026-11-21T12:00:00Z"}
    with_another = {**steps, "ending": {**steps["ending"], "other_labs": [later]}}
    assert message({**stopped, **with_another}, timezone="Europe/Berlin") == (
        f"{released} Fleet 'cad-fleet' is STOPPED; lab 'b' needs it at 2026-11-21 11:00 (Europe/Berlin)."
    )
    later |= {"starts_in": 0, "starts_at": None}
    assert message(with_another) == (
        f"{released} Fleet 'cad-fleet' stays RUNNING, because lab 'b' lasts until 2026-11-21 12:00 (UTC)."
    )
    unknown = {"urls": {"known_labs": ["a", "b"], "leases": []}}
    assert [summarize(each, state="absent", learners=[])["known"] for each in (unknown, steps, {})] == [
        False,
        True,
        None,
    ]
    assert message(unknown) == "Nothing was released."
    assert summarize(unknown, state="absent", learners=[])["warnings"] == [
        "Nothing is stored about lab 'monday' on this stack and fleet, so nothing was released. Labs known there: a, b."
    ]
    assert message({"urls": {"known_labs": ["monday"], "leases": [{"labs": []}]}}) == (
        "There is no lease left to release: the lab has ended before."
    )
    assert message({"urls": {"known_labs": ["monday"], "leases": [{"labs": ["tuesday"]}]}}) == (
        "There is no lease left to release, except those that other labs need."
    )
    assert message({}) == "The leases stay, since the tag 'leases' is not among those that run."
    assert summarize({}, state="absent", learners=[])["outcome"] == "unchanged"
    assert summarize({"stop": stopped["stop"]}, state="absent", learners=[])["outcome"] == "ok"
    assert summarize(steps, state="absent", learners=[], other_sessions=[{}])["fleet"]["other_sessions"] == 1


@pytest.mark.parametrize(
    ("steps", "stop_fleet", "needs"),
    [
        pytest.param({}, "auto", True, id="left out"),
        pytest.param({}, "always", False, id="left out, but the fleet is always stopped"),
        pytest.param({"urls": {"summary": SUMMARY}}, "auto", False, id="ended now, or predicted"),
        pytest.param({"ending": {"leases": [{"labs": [], "ended": True}]}}, "auto", False, id="ended before"),
    ],
)
def test_the_fleet_of_a_lab_that_keeps_its_leases_is_not_stopped(steps, stop_fleet, needs):
    steps = {"ending": {"leases": [{"labs": [], "ended": False}]}, "fleet_info": {"fleets": [FLEET]}, **steps}
    published = report(steps, state="absent", learners=[], stop_fleet=stop_fleet)

    because = "the lab has not ended (the tag 'leases' is not among those that run)"
    assert published["fleet_needs"] == ([because] if needs else [])
    stays = f"Fleet 'cad-fleet' stays RUNNING, because {because}."
    assert (stays in published["summary"]["message"]) is needs


def test_urls_that_no_step_was_to_issue_are_not_counted():
    assert summarize({"fleet": {"fleet": FLEET}})["message"] == (
        "Learners: 2. No streaming URLs were issued, since the tag 'urls' is not among those that run. Fleet "
        "'cad-fleet' is RUNNING with sessions in use: 1, available: 2, desired: 3."
    )


@pytest.mark.parametrize(
    ("manage_fleet", "steps", "is_named"),
    [
        pytest.param(True, {"urls": {"failed": True}}, True, id="the step that starts it"),
        pytest.param(True, {}, False, id="the failure is another one"),
        pytest.param(True, {"urls": {"failed": True}, "fleet": {"failed": True}}, False, id="the step has run"),
        pytest.param(False, {"urls": {"failed": True}}, False, id="it is not managed"),
    ],
)
def test_a_stopped_fleet_without_urls_names_the_step_that_was_left_out(manage_fleet, steps, is_named):
    steps = {"sessions": {"fleet": {**FLEET, "state": "STOPPED"}}, **steps}
    message = summarize(steps, manage_fleet=manage_fleet, failure="Fleet 'cad-fleet' is STOPPED.")["message"]

    left_out = (
        "Fleet 'cad-fleet' was not started, since the tag 'fleet' is not among those that run: run without "
        "--skip-tags fleet, or add fleet to --tags. "
    )
    assert message == f"{left_out if is_named else ''}Fleet 'cad-fleet' is STOPPED."


@pytest.mark.parametrize(
    ("user_ids", "text"),
    [
        (
            ["ben"],
            "Users who are in another lab on this stack and fleet keep their sessions: ben.",
        ),
        (
            list("abcdef"),
            "Users who are in another lab on this stack and fleet keep their sessions: a, b, c, d, e and 1 more.",
        ),
    ],
)
def test_sessions_that_may_be_of_another_lab_are_a_warning(user_ids, text):
    assert warnings({}, state="absent", learners=[], kept_user_ids=user_ids) == [text]


def ended(who):
    return {"id": who, "user_id": who, "labs": [], "ended": True, "expires": None}


@pytest.mark.parametrize("withdraw_removed", [False, True])
def test_sessions_of_who_is_withdrawn_now_or_was_before_are_ended_unless_another_lab_has_the_user(withdraw_removed):
    earlier = [{**each, "labs": ["b"] if each["id"] == "kim" else []} for each in map(ended, ("Anna", "eve", "kim"))]
    removed = [{**REMOVED, "labs": ["b"]}, {**REMOVED, "id": "ben", "user_id": "ben", "other_labs": ["b"]}]
    steps = {"before": {"leases": earlier}, "urls": {"removed": removed}}
    published = report(steps, withdraw_removed=withdraw_removed)
    assert published["withdrawn_user_ids"] == (["zoe", "eve"] if withdraw_removed else [])
    kept = "Users who are in another lab on this stack and fleet keep their sessions: ben."
    assert (kept in published["summary"]["warnings"]) is withdraw_removed


def test_learners_can_be_rotated_who_were_in_the_roster_before():
    published = report({"before": {"leases": BEFORE}}, rotate=["ANNA", "Zoe", "nobody"])
    assert published["unknown_learner"] == (
        "appstream_lab_rotate has 'nobody', which is not the id of a learner who is in the roster or has left it: "
        "correct it."
    )
    assert published["former_users"] == [{"user_id": "zoe", "id": "zoe"}]
    rotation = {"rotation": {"generations": {"anna": 1}}}
    published = report({"before": {"leases": BEFORE}, **rotation}, rotate=["ANNA", "zoe"])
    assert [user["user_id"] for user in published["former_users"]] == ["anna", "zoe"]
    assert "language" not in published["users"][0]


CAPACITY = {"needed": 2, "available_sessions": 2}


@pytest.mark.parametrize(
    ("steps", "manages", "is_ready"),
    [
        pytest.param({"sessions": {"fleet": FLEET}, "capacity": CAPACITY}, True, True, id="enough"),
        pytest.param(
            {"sessions": {"fleet": FLEET}, "capacity": {**CAPACITY, "available_sessions": 3}}, True, False, id="few"
        ),
        pytest.param(
            {"sessions": {"fleet": {**FLEET, "state": "STOPPED"}}, "capacity": CAPACITY}, True, False, id="stopped"
        ),
        pytest.param(
            {"sessions": {"fleet": {**FLEET, "state": "STOPPED"}}, "capacity": CAPACITY}, False, True, id="left alone"
        ),
        pytest.param({"fleet_info": {"fleets": [FLEET]}}, True, False, id="at the end"),
    ],
)
def test_a_fleet_that_the_role_manages_is_ready_if_it_runs_with_the_sessions(steps, manages, is_ready):
    assert report(steps, manage_fleet=manages)["fleet_is_ready"] is is_ready
