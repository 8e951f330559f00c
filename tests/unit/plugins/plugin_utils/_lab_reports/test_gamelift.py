# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role gamelift_lab publishes."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import lab_report
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

NOW = datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.UTC)
EXPIRES = "2026-11-21T16:00:00Z"
LEARNERS = roster([{"id": "anna", "name": "Anna"}, {"id": "Ben", "email": "ben@example.org", "language": "de"}])
STEPS = ("rotation", "before", "sessions", "capacity", "urls", "lost_urls", "ending", "restore")
NO_STEPS = {name: {} for name in STEPS}
COUNTS = {"requested": 2, "issued": 1, "reused": 1, "failed": 0, "released": 0, "earliest_expiry": EXPIRES}


def url(learner, stream_url_id="su-1", expires=EXPIRES, issued=False):
    """What the module returns for one learner; there is more in it."""
    row = {field: learner[field] for field in ("id", "name", "email")}
    lease = f"lease of {learner['id']}"
    return {
        **row,
        "stream_url": None,
        "stream_url_id": stream_url_id,
        "expires": expires,
        "issued": issued,
        "lease": lease,
    }


URLS = {
    "changed": True,
    "region": "us-east-1",
    "stream_urls": [url(LEARNERS[0], issued=True), url(LEARNERS[1], "su-2")],
    "failures": [],
    "summary": COUNTS,
    "recovered": [],
    "duplicates": [],
    "revoked": [],
    "capacity": {"sessions": 6, "needed": 2, "max_needed": 10},
    "removed": [],
    "outdated_labs": [],
}


def known_url(learner_id, *sessions, session_length=7200, active_labs=()):
    """A stream URL as the module that gathers information returns it, with the starts of its sessions by status."""
    return {
        "id": learner_id,
        "lease": f"lease of {learner_id}",
        "active_labs": list(active_labs),
        "session_length": session_length,
        "stream_sessions": [{"status": status, "started_at": started_at} for status, started_at in sessions],
    }


def group(**location):
    """The result of the module that scales the stream group."""
    numbers = {"always_on": 4, "maximum": 6, "allocated": 4, "in_use": 1, "available": 3, "max_available": 5}
    state = {"location_name": "us-east-1", "capacity": {**numbers, **location}}
    return {
        "changed": True,
        "stream_group": {"arn": "arn:aws:x", "location_states": [state]},
        "restored": [],
        "kept": [],
    }


def ended(*learner_ids, released=True):
    """The result of the module that ends a lab."""
    leases = [{"id": each, "lease": f"lease of {each}", "released": released} for each in learner_ids]
    summary = {**dict.fromkeys(COUNTS, 0), "earliest_expiry": None, "released": len(leases) if released else 0}
    revoked = [f"su-{each}" for each in learner_ids] if released else []
    return {"summary": summary, "leases": leases, "known_labs": ["monday"], "revoked": revoked, "failures": []}


def report(steps=None, **options):
    """Report on a lab in which these steps did something."""
    results = {
        "role": "gamelift_lab",
        "lab": "monday",
        "state": "present",
        "check_mode": False,
        "learners": LEARNERS,
        "failure": "",
        "roster_failure": "",
        "warnings": [],
        "summary_path": "",
        "rotate": [],
        "withdraw_removed": False,
        "withdraw_limit": None,
        "purge": False,
        "stream_group": "sg-1",
        "application": "a-cad",
        "locations": ["us-east-1", "eu-west-1"],
        "usage_limit": 5,
        "session_length": None,
        "spare_sessions": 0,
        "manage_capacity": False,
        "recover": False,
        "terminate_sessions": True,
        "timezone": "",
        "ends_at": "",
        **options,
    }
    return lab_report({**results, "steps": {**NO_STEPS, **(steps or {})}}, NOW)


def summarize(steps=None, **options):
    return report(steps, **options)["summary"]


def test_a_seat_is_who_has_it_where_it_is_and_the_lease():
    rotation = {"generations": {"ben": 2}}
    anna, ben = report({"urls": URLS, "rotation": rotation})["seats"]

    where = {"provider": "gamelift", "stream_group": "sg-1", "application": "a-cad", "region": "us-east-1"}
    assert anna == {
        "id": "anna",
        "name": "Anna",
        "email": None,
        **where,
        "stream_url_id": "su-1",
        "lease": "lease of anna",
        "expires": EXPIRES,
        "issued": True,
        "generation": 0,
        "usage_limit": 5,
        "language": None,
    }
    assert (ben["stream_url_id"], ben["generation"], ben["language"]) == ("su-2", 2, "de")


@pytest.mark.parametrize(
    ("entry", "check_mode", "has_seat"),
    [
        pytest.param(url(LEARNERS[0], None, expires=None), False, False, id="failed"),
        pytest.param(url(LEARNERS[0], expires=None, issued=True), False, False, id="created and not stored"),
        pytest.param(url(LEARNERS[0], None, expires=None, issued=True), True, True, id="would be created"),
    ],
)
def test_only_who_has_a_url_or_would_have_one_has_a_seat(entry, check_mode, has_seat):
    assert bool(report({"urls": {**URLS, "stream_urls": [entry]}}, check_mode=check_mode)["seats"]) is has_seat


def test_learners_get_urls_of_their_generation():
    assert report({"rotation": {"generations": {"BEN": 2}}})["users"] == [
        {"id": "anna", "name": "Anna", "email": None, "generation": 0},
        {"id": "Ben", "name": None, "email": "ben@example.org", "generation": 2},
    ]


@pytest.mark.parametrize(
    ("urls", "sessions"),
    [
        pytest.param([], 4, id="nobody"),
        pytest.param([known_url("ANNA", ("CONNECTED", EXPIRES))], 3, id="one of them"),
        pytest.param([known_url("anna", ("CONNECTED", EXPIRES), ("ACTIVE", EXPIRES))], 3, id="one of them, twice"),
        pytest.param([known_url("anna", ("TERMINATED", EXPIRES), ("ERROR", EXPIRES))], 4, id="one whose have ended"),
        pytest.param([known_url("carla", ("CONNECTED", EXPIRES))], 4, id="somebody who has left"),
    ],
)
def test_sessions_are_needed_for_learners_without_one_and_to_spare(urls, sessions):
    assert report({"sessions": {"stream_urls": urls}}, spare_sessions=2)["available_sessions"] == sessions


def test_the_summary_says_what_was_done_and_the_capacity():
    summary = summarize({"urls": URLS, "capacity": group(), "sessions": {"stream_urls": []}}, session_length=3600)

    assert summary == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        **COUNTS,
        "rotated": [],
        "recovered": 0,
        "duplicates": [],
        "revoked": 0,
        "unknown": [],
        "failures": [],
        "running_sessions": 0,
        "sessions_end_by": None,
        "sessions": {"sessions": 6, "needed": 2, "max_needed": 10},
        "capacity": {
            "location": "us-east-1",
            "always_on": 4,
            "maximum": 6,
            "allocated": 4,
            "in_use": 1,
            "available": 3,
            "needed": 2,
            "restored": [],
            "kept": [],
        },
        "limits": {"max_user_duration_in_seconds": 3600},
        "warnings": [],
        "known": None,
        "ended": None,
        "check": False,
        "would_issue": 0,
        "message": (
            "Learners: 2. Stream URLs created: 1, reused: 1. They are valid until 2026-11-21 16:00 (UTC). Sessions "
            "possible at once at us-east-1, eu-west-1: 6, needed: 2, or up to 10 if learners open their URLs several "
            "times at once. Location 'us-east-1' has sessions in use: 1, available: 3, always on: 4, maximum: 6."
        ),
    }
    assert summarize({"urls": ended("anna")}, state="absent").keys() == summary.keys()
    assert summarize({}, learners=[]).keys() == summary.keys()


LACKING = (
    "Not every learner can have a session at the same time: there can be 1, for 2 learners, who can "
    "start up to 10. Set gamelift_lab_manage_capacity, raise the maximum capacity "
    "(labstream.aws.gamelift_stream_group), or add to gamelift_lab_locations."
)


@pytest.mark.parametrize(
    ("sessions", "steps", "check_mode", "warnings"),
    [
        pytest.param(2, {}, False, [], id="one for each"),
        pytest.param(1, {}, False, [LACKING], id="too few"),
        pytest.param(1, {}, True, [LACKING], id="too few in check mode"),
        pytest.param(1, {"capacity": group()}, False, [LACKING], id="too few though they were raised"),
        pytest.param(1, {"capacity": {**group(), "changed": False}}, True, [LACKING], id="not to be raised"),
    ],
)
def test_too_few_sessions_are_a_warning_with_what_to_do(sessions, steps, check_mode, warnings):
    capacity = {"sessions": sessions, "needed": 2, "max_needed": 10}
    summary = summarize({**steps, "urls": {**URLS, "capacity": capacity}}, check_mode=check_mode)

    assert (summary["sessions"], summary["warnings"]) == (capacity, warnings)
    assert (
        f"Sessions possible at once at us-east-1, eu-west-1: {sessions}, needed: 2, or up to 10 " in summary["message"]
    )


def test_check_mode_does_not_know_the_sessions_of_a_capacity_that_would_be_raised():
    capacity = {"sessions": 1, "needed": 2, "max_needed": 10}
    summary = summarize({"capacity": group(), "urls": {**URLS, "capacity": capacity}}, check_mode=True)

    assert (summary["sessions"], summary["warnings"]) == (None, [])
    assert "at once" not in summary["message"]


@pytest.mark.parametrize(("check_mode", "stored"), [(False, "stored again"), (True, "to be stored again")])
def test_recovered_urls_are_counted(check_mode, stored):
    summary = summarize({"urls": {**URLS, "recovered": ["su-2"]}}, check_mode=check_mode)

    assert (summary["recovered"], bool(summary["warnings"])) == (1, not check_mode)
    assert f"reused: 1, of which {stored}: 1. " in summary["message"]


@pytest.mark.parametrize(
    ("revoked", "duplicates", "warnings"),
    [
        (
            [],
            ["su-3", "su-4"],
            [
                "Learners of this lab have further stream URLs, which work until the lab is ended or they expire: "
                "su-3, su-4. Set gamelift_lab_revoke_duplicates with gamelift_lab_recover to revoke them now."
            ],
        ),
        (["su-3", "su-4", "su-9"], [], []),
    ],
)
def test_duplicates_are_named_unless_they_were_revoked(revoked, duplicates, warnings):
    summary = summarize({"urls": {**URLS, "duplicates": ["su-3", "su-4"], "revoked": revoked}})

    assert (summary["duplicates"], summary["warnings"]) == (duplicates, warnings)


LOST_STORE = (
    "Nothing is stored about this lab, but 2 ACTIVE stream URLs seem to belong to it: the lease store was lost, or "
    "gamelift_lab_lease_store is not the one that the lab was started with. Correct that, or set gamelift_lab_recover "
    "to reuse these URLs. Otherwise, learners get new ones."
)


@pytest.mark.parametrize(
    ("stream_urls", "unknown", "options", "warning"),
    [
        pytest.param([], ["su-8", "su-9"], {}, LOST_STORE, id="nothing is stored"),
        pytest.param([known_url("anna")], ["su-8"], {}, None, id="something is stored"),
        pytest.param([], [], {}, None, id="a new lab"),
        pytest.param([], ["su-8", "su-9"], {"recover": True}, None, id="to be recovered"),
        pytest.param([], ["su-8", "su-9"], {"state": "absent"}, None, id="at the end"),
    ],
)
def test_a_lease_store_that_seems_to_be_lost_is_a_warning(stream_urls, unknown, options, warning):
    published = report({"sessions": {"stream_urls": stream_urls, "unknown": unknown}}, **options)

    assert (published["lost_store"], published["summary"]["warnings"]) == (warning, [warning] if warning else [])


def test_urls_that_no_step_was_to_create_are_not_counted():
    message = "No stream URLs were created, since the tag 'urls' is not among those that run."
    assert message in summarize({"urls": {}})["message"]


def test_a_lab_without_learners_is_unchanged():
    summary = summarize({}, learners=[])

    assert (summary["outcome"], summary["message"]) == (
        "unchanged",
        "There are no learners, so nothing was done: check the roster.",
    )


def test_a_lab_that_failed_after_its_capacity_was_raised_says_why():
    summary = summarize({"capacity": group()}, failure="Task failed: The filter plugin 'a.b.c' failed: It broke.")

    assert (summary["outcome"], summary["message"]) == (
        "failed",
        "It broke. The capacity of location 'us-east-1' was raised, and is billed until the lab is ended.",
    )


@pytest.mark.parametrize(
    ("steps", "options", "message"),
    [
        pytest.param(
            {"urls": ended("anna", "ben")},
            {},
            "Leases released: 2. Stream URLs revoked: 2. Their sessions end now.",
            id="with their sessions",
        ),
        pytest.param(
            {"urls": ended("anna"), "sessions": {"stream_urls": []}},
            {"terminate_sessions": False},
            "Leases released: 1. Stream URLs revoked: 1.",
            id="without sessions",
        ),
        pytest.param(
            {"urls": ended("anna")},
            {"check_mode": True},
            "Leases to be released: 1. Stream URLs to be revoked: 1. Their sessions would end now.",
            id="in check mode",
        ),
        pytest.param(
            {"urls": ended("anna"), "lost_urls": {"revoked": ["su-anna", "su-8"], "unknown": []}},
            {},
            "Leases released: 1. Stream URLs revoked: 2, of which the lease store did not know: 1. Their sessions end "
            "now.",
            id="also what the lease store did not know",
        ),
        pytest.param(
            {
                "urls": {**ended(), "known_labs": []},
                "lost_urls": {"revoked": ["su-8"], "unknown": []},
                "sessions": {"stream_urls": []},
            },
            {"terminate_sessions": False},
            "Leases released: 0. Stream URLs revoked: 1, of which the lease store did not know: 1. It is not known "
            "which sessions of these go on.",
            id="nothing else",
        ),
        pytest.param(
            {"urls": ended("anna", released=False)},
            {},
            "There is no lease left to release: the lab has ended before.",
            id="again",
        ),
        pytest.param(
            {"urls": {**ended(), "leases": [{"id": "anna", "released": False, "labs": ["tuesday"]}]}},
            {},
            "There is no lease left to release, except those that other labs need.",
            id="needed by another lab",
        ),
        pytest.param(
            {"urls": {**ended("anna", released=False), "revoked": ["su-anna"]}},
            {},
            "Leases released: 0. Stream URLs revoked: 1. Their sessions end now.",
            id="sessions that an earlier end has kept",
        ),
        pytest.param({}, {}, "The leases stay, since the tag 'leases' is not among those that run.", id="left alone"),
        pytest.param(
            {"urls": {**ended(), "known_labs": ["friday"]}},
            {},
            "Nothing was released.",
            id="unknown",
        ),
        pytest.param(
            {
                "urls": ended("anna"),
                "restore": {
                    **group(),
                    "restored": [{"location_name": "x", "always_on_capacity": 0, "maximum_capacity": 9}],
                    "kept": ["Location 'y' keeps its capacity."],
                },
            },
            {},
            "Leases released: 1. Stream URLs revoked: 1. Their sessions end now. The capacity of location 'x' is "
            "restored to 0 always on, maximum 9. Location 'y' keeps its capacity.",
            id="with its capacity",
        ),
        pytest.param(
            {"urls": ended("anna")},
            {"manage_capacity": True},
            "Leases released: 1. Stream URLs revoked: 1. Their sessions end now. The capacity is not restored, since "
            "the tag 'capacity' is not among those that run: what was raised is still billed.",
            id="without its capacity",
        ),
    ],
)
def test_the_message_of_the_end_says_what_was_ended(steps, options, message):
    assert summarize(steps, state="absent", **options)["message"] == message


def test_the_end_of_a_lab_that_is_not_known_is_a_warning_with_those_that_are():
    summary = summarize({"urls": {**ended(), "known_labs": ["friday"]}}, state="absent")

    assert summary["warnings"] == [
        "Nothing is stored about lab 'monday' on this stream group, so nothing was released. Labs known there: friday."
    ]


def test_the_end_of_a_lab_whose_lease_store_was_lost_is_counted_and_says_what_is_left():
    failure = {"id": "anna", "code": "Odd", "message": "No."}
    urls = {**ended(), "known_labs": [], "unknown": ["su-7", "su-8", "su-9"]}
    lost = {"revoked": ["su-7"], "unknown": ["su-9"], "failures": [failure], "summary": {"failed": 1}}

    summary = summarize({"urls": urls, "lost_urls": lost}, state="absent")
    alone = summarize({"urls": urls, "lost_urls": {"changed": False, "skipped": True}}, state="absent")

    counted = ("outcome", "known", "revoked", "unknown", "failed", "failures")
    assert [summary[each] for each in counted] == ["ok", True, 1, ["su-9"], 1, [failure]]
    assert [alone[each] for each in counted] == ["unchanged", False, 0, urls["unknown"], 0, []]
    assert summary["warnings"] == [
        "The lease store did not know all of the lab. If there are pages, delete those of this lab that do not say "
        "that it has ended.",
        "Nothing is stored about 1 stream URL that seems to belong to this lab, so it was not revoked: su-9. To revoke "
        "it, end the lab again with the learners and with the gamelift_lab_application, gamelift_lab_locations, "
        "gamelift_lab_launch_args, gamelift_lab_environment, gamelift_lab_role_arn and gamelift_lab_resolution that it "
        "was started with.",
    ]


@pytest.mark.parametrize(
    ("released", "outcome"), [pytest.param(True, "ok", id="now"), pytest.param(False, "unchanged", id="before")]
)
def test_sessions_that_go_on_are_named_with_their_latest_end(released, outcome):
    """Whenever the leases were released. And not those that another lab needs, nor those that have ended."""
    found = [
        known_url("anna", ("CONNECTED", "2026-11-21T07:00:00Z"), ("TERMINATED", "2026-11-21T07:59:00Z")),
        known_url(
            "ben", ("PENDING_CLIENT_RECONNECTION", "2026-11-21T07:30:00Z"), active_labs=["monday"] if released else []
        ),
        known_url("carla", ("CONNECTED", "2026-11-21T07:45:00Z"), active_labs=["friday", "monday"]),
    ]
    steps = {"urls": ended("anna", "ben", released=released), "sessions": {"stream_urls": found}}

    summary = summarize(steps, state="absent", terminate_sessions=False, timezone="Europe/Berlin")

    assert (summary["outcome"], summary["running_sessions"]) == (outcome, 2)
    assert summary["sessions_end_by"] == "2026-11-21T09:30:00Z"
    assert summary["message"].endswith(
        "2 sessions go on, until 2026-11-21 10:30 (Europe/Berlin) at the latest, and are billed."
    )


CARLA_GOES_ON = (
    " 1 session of learners who are no longer in this lab goes on, until 2026-11-21 09:30 (UTC) at the latest, and is "
    "billed."
)


@pytest.mark.parametrize(
    ("removed", "active_labs", "terminates", "goes_on"),
    [
        pytest.param(["carla"], ["friday", "monday"], False, True, id="withdrawn now"),
        pytest.param(["carla"], ["monday"], True, False, id="withdrawn now with the session"),
        pytest.param([], [], True, True, id="withdrawn before"),
        pytest.param([], ["friday"], False, False, id="needed by another lab"),
    ],
)
def test_sessions_of_learners_who_were_withdrawn_are_named(removed, active_labs, terminates, goes_on):
    started = ("CONNECTED", "2026-11-21T07:30:00Z")
    found = [known_url("anna", started), known_url("carla", started, active_labs=active_labs)]
    withdrawn = [{"id": each, "lease": f"lease of {each}", "expires": EXPIRES, "labs": []} for each in removed]
    steps = {"urls": {**URLS, "removed": withdrawn}, "sessions": {"stream_urls": found}}

    summary = summarize(steps, withdraw_removed=True, terminate_sessions=terminates)

    assert (summary["running_sessions"], bool(summary["sessions_end_by"])) == (int(goes_on), goes_on)
    assert summary["message"].endswith(CARLA_GOES_ON) == goes_on


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"manage_capacity": True}, "It is not known who has a session, so the capacity is for all learners: "),
        ({"terminate_sessions": False}, "It is not known which sessions go on, and are billed: "),
        (
            {"state": "absent", "manage_capacity": True, "terminate_sessions": False},
            "It is not known which sessions go on, and are billed: ",
        ),
    ],
)
def test_sessions_that_are_not_known_are_a_warning(options, warning):
    urls = ended("anna") if "state" in options else URLS
    published = report({"urls": urls, "sessions": {"stream_urls": [], "msg": "It is denied."}}, **options)

    assert published["summary"]["warnings"] == [f"{warning}It is denied."]
    assert (published["summary"]["outcome"], published["available_sessions"]) == ("ok", 2)


def test_why_they_are_not_known_is_not_said_twice():
    steps = {"sessions": {"stream_urls": [], "msg": "It is denied."}}

    summary = report(steps, manage_capacity=True, failure="It is denied.")["summary"]

    assert (summary["outcome"], summary["message"], summary["warnings"]) == ("failed", "It is denied.", [])


@pytest.mark.parametrize(
    ("steps", "has_ended"),
    [
        pytest.param({"urls": ended("anna")}, True, id="in this run"),
        pytest.param({"ending": {"leases": [{"ended": True}]}}, True, id="before"),
        pytest.param({"ending": {"leases": []}}, True, id="and its records were removed"),
        pytest.param({"ending": {"leases": [{"ended": True}, {"ended": False}]}}, False, id="not yet"),
    ],
)
def test_the_capacity_is_restored_only_if_the_lab_has_ended(steps, has_ended):
    published = report(steps, state="absent", manage_capacity=True)

    assert published["has_ended"] == has_ended
    left = "The capacity is not restored: the lab has not ended, since the tag 'leases' is not among those that run."
    assert published["summary"]["message"].endswith(left) == (not has_ended)


def test_at_the_end_those_in_the_roster_have_seats_without_leases():
    seats = report({"urls": ended("anna")}, state="absent")["seats"]

    assert [(seat["id"], seat["lease"], seat["stream_url_id"], seat["issued"]) for seat in seats] == [
        ("anna", None, None, False),
        ("Ben", None, None, False),
    ]


@pytest.mark.parametrize(
    ("withdraw_removed", "check_mode", "warning"),
    [
        (True, False, "Learners who are no longer in the roster were withdrawn, and their URLs revoked: carla."),
        (True, True, "Learners who are no longer in the roster would be withdrawn, and their URLs revoked: carla."),
        (
            False,
            False,
            "Learners who are no longer in the roster still have URLs: carla until 2026-11-21 16:00 (UTC). Set "
            "gamelift_lab_withdraw_removed to withdraw them.",
        ),
    ],
)
def test_learners_who_are_no_longer_in_the_roster_are_named(withdraw_removed, check_mode, warning):
    removed = {"id": "carla", "lease": "lease of carla", "expires": EXPIRES, "labs": []}
    steps = {"urls": {**URLS, "removed": [removed]}}

    assert summarize(steps, withdraw_removed=withdraw_removed, check_mode=check_mode)["warnings"] == [warning]


@pytest.mark.parametrize(("check_mode", "verb"), [(False, "has"), (True, "would get")])
def test_rotated_learners_are_named(check_mode, verb):
    summary = summarize({"rotation": {"rotated": ["anna"]}}, check_mode=check_mode)

    assert summary["rotated"] == ["anna"]
    assert summary["warnings"][0].startswith(f"anna {verb} a new URL, and the previous one")


def test_who_is_neither_in_the_roster_nor_was_in_the_lab_cannot_be_rotated():
    before = {"leases": [{"id": "carla", "ended": False}]}

    assert report({"before": before}, rotate=["ANNA", "carla", "dora"])["unknown_learner"] == (
        "gamelift_lab_rotate has 'dora', which is not the id of a learner who is in the roster or has left it: "
        "correct it."
    )
