# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What roles publish of a lab."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LIMITS
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import lab_report
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

NOW = datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.UTC)
EXPIRES = "2026-11-21T16:00:00Z"
REGION = "eu-central-1"
LEARNERS = roster([{"id": "anna", "name": "Anna"}, {"id": "Ben", "email": "ben@example.org"}])
SKIPPED = {"changed": False, "skipped": True}
FLEET = {
    "name": "cad-fleet",
    "state": "RUNNING",
    "fleet_type": "ON_DEMAND",
    "capacity": {"desired": 3, "running": 3, "in_use": 1, "available": 2, "max_available": 2},
    "max_user_duration_in_seconds": 7200,
    "idle_disconnect_timeout_in_seconds": 300,
    "disconnect_timeout_in_seconds": 600,
    "problem": None,
}
SUMMARY = {"requested": 2, "issued": 1, "reused": 1, "failed": 0, "released": 0, "earliest_expiry": EXPIRES}


def url(learner, expires=EXPIRES, issued=False):
    """What the module returns for one learner; there is more in it."""
    row = {**learner, "streaming_url": None, "session_context": "unit-1"}
    return {**row, "expires": expires, "issued": issued, "lease": f"lease of {learner['id']}"}


URLS = {
    "changed": True,
    "region": REGION,
    "streaming_urls": [url(LEARNERS[0], issued=True), url(LEARNERS[1])],
    "failures": [],
    "renew_before": None,
    "summary": SUMMARY,
}


def report(steps=None, **options):
    """Report on an AppStream lab in which these steps did something."""
    names = (
        "rotation",
        "fleet_info",
        "sessions",
        "capacity",
        "fleet",
        "before",
        "urls",
        "withdraw",
        "ending",
        "expire",
        "stop",
    )
    none = {name: {} for name in names}
    results = {
        "role": "appstream_lab",
        "lab": "monday",
        "state": "present",
        "check_mode": False,
        "learners": LEARNERS,
        "failure": "",
        "roster_failure": "",
        "warnings": [],
        "summary_path": "",
        "stack_name": "cad-course",
        "fleet_name": "cad-fleet",
        "timezone": "",
        "starts_at": "",
        "ends_at": "",
        "break_minutes": 0,
        "ends_sessions": False,
        "on_insufficient_capacity": "ignore",
        "other_sessions": [],
        "kept_user_ids": [],
        "rows": LEARNERS,
        "rotate": [],
        "withdraws": False,
        "withdraw_limit": None,
        "stop_fleet": "auto",
        "keep_running_minutes": 30,
        **options,
    }
    return lab_report({**results, "steps": {**none, **(steps or {})}}, NOW)


def summarize(steps=None, **options):
    return report(steps, **options)["summary"]


def warnings(steps=None, **options):
    return summarize(steps, **options)["warnings"]


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


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_at_the_end_those_in_the_roster_have_seats_without_leases(role):
    build_report = {"appstream_lab": report, "nimble_lab": report_nimble}[role]
    learners = [LEARNERS[0], {**LEARNERS[1], "language": "de"}]
    seats = build_report(state="absent", learners=learners)["seats"]

    assert [(seat["id"], seat["name"], seat["language"]) for seat in seats] == [
        ("anna", "Anna", None),
        ("Ben", None, "de"),
    ]
    assert [(seat["lease"], seat["expires"], seat["issued"]) for seat in seats] == [(None, None, False)] * 2
    assert build_report(state="absent", learners=[])["seats"] == []


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_a_roster_that_cannot_be_read_at_the_end_is_a_warning(role):
    build_report = {"appstream_lab": report, "nimble_lab": report_nimble}[role]
    cause = "The lookup plugin 'labstream.aws.roster' failed: There is no roster x.csv."
    failed = build_report(state="absent", learners=[], roster_failure=f"Task failed: {cause}")

    assert failed["summary"]["warnings"] == [
        "The overview has no names, since the roster cannot be read: There is no roster x.csv."
    ]
    assert failed["summary"]["outcome"] == "unchanged"


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
        "Fleet 'cad-fleet' is to be RUNNING with sessions in use: 1, available: 2, desired: 3."
    )


@pytest.mark.parametrize("urls", [{}, SKIPPED, {"failed": True, "streaming_urls": [], "region": None}])
def test_a_step_that_was_skipped_or_failed_early_makes_no_seats(urls):
    assert report({"urls": urls})["seats"] == []


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_the_summary_says_whether_it_is_a_check_and_how_many_urls_would_be_issued(role):
    build_report, step = {"appstream_lab": (report, "urls"), "nimble_lab": (report_nimble, "streams")}[role]
    steps = {step: {"summary": {**dict.fromkeys(SUMMARY, 0), "issued": 3}}}

    summaries = [build_report(steps, check_mode=check_mode)["summary"] for check_mode in (True, False)]

    assert [(each["check"], each["would_issue"]) for each in summaries] == [(True, 3), (False, 0)]


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
        "fleet": None,
        "warnings": [],
        "check": False,
        "would_issue": 0,
        "message": ("Learners: 2. Streaming URLs issued: 1, reused: 1. They are valid until 2026-11-21 16:00 (UTC)."),
    }
    assert summarize({}, learners=[]).keys() == summarize({}, state="absent", learners=[]).keys()
    assert summarize({"urls": URLS}).keys() == summarize({}, learners=[]).keys()


def test_a_lab_without_learners_is_unchanged():
    summary = summarize({}, learners=[])

    assert (summary["outcome"], summary["message"]) == (
        "unchanged",
        "There are no learners, so nothing was done: check the roster.",
    )


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [({}, "failed"), ({"urls": URLS}, "partial"), ({"expire": {"summary": {"expired": 1}}}, "partial")],
)
def test_a_failed_lab_is_partial_if_something_was_done(steps, outcome):
    failed = summarize(steps, failure="Task failed: The filter plugin 'a.b.c' failed: It broke.")

    assert (failed["outcome"], failed["message"]) == (outcome, "It broke.")


def test_a_summary_that_cannot_be_written_is_a_failure_and_hides_no_other():
    options = {"summary_path": "/nowhere/x.json", "write_error": "no such folder"}

    written = "The summary cannot be written to /nowhere/x.json: no such folder"
    assert summarize({"urls": URLS}, **options, failure="It broke.")["message"] == f"It broke. {written}"
    failed = {"outcome": "partial", "message": written}
    assert summarize({"urls": URLS}, **options) == {**summarize({"urls": URLS}), **failed}
    assert summarize({}, **options)["outcome"] == "failed"
    assert report_nimble({"streams": STREAMS}, **options)["summary"]["outcome"] == "partial"


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


def test_warnings_of_the_arguments_come_first_and_none_is_repeated():
    fleet = {**FLEET, "problem": "unknown"}

    assert warnings({"fleet_info": {"fleets": [fleet]}}, warnings=["unknown"]) == ["unknown"]


def test_learners_are_counted_though_their_module_failed_before_it_did():
    urls = {"failed": True, "region": None, "streaming_urls": [], "failures": [], "summary": dict.fromkeys(SUMMARY, 0)}

    summary = summarize({"urls": urls}, failure="Fleet 'cad-fleet' does not exist.")

    assert (summary["outcome"], summary["requested"], summary["issued"]) == ("failed", 2, 0)

    streams = {**urls, "streams": []}
    summary = report_nimble({"streams": streams}, failure="Studio 'nix' does not exist.")["summary"]

    assert (summary["outcome"], summary["requested"], summary["issued"]) == ("failed", 2, 0)


# The end of a lab


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
    assert message(steps, ends_sessions=True, other_sessions=[{}] * 4) == (
        f"{released} Sessions expired: 1. Fleet 'cad-fleet' stays RUNNING, because other sessions are on it: 4."
    )
    stopped = {**steps, "stop": {"changed": True, "fleet": {**FLEET, "state": "STOPPED"}}}
    assert message(stopped) == f"{released} Fleet 'cad-fleet' is STOPPED."
    assert message(stopped, check_mode=True, ends_sessions=True) == (
        "Leases to be released: 3. Streaming URLs that were handed out work until they expire. Sessions to be expired: "
        "1. "
        "Fleet 'cad-fleet' is to be STOPPED."
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
    assert message(unknown) == (
        "Nothing is stored about lab 'monday' on this stack and fleet, so nothing was changed. Labs known there: a, b."
    )
    assert message({"urls": {"known_labs": ["monday"], "leases": [{"labs": []}]}}) == (
        "There is no lease left to release, except those that other labs need."
    )
    assert summarize({}, state="absent", learners=[])["outcome"] == "unchanged"
    assert summarize({"stop": stopped["stop"]}, state="absent", learners=[])["outcome"] == "ok"
    assert summarize(steps, state="absent", learners=[], other_sessions=[{}])["fleet"]["other_sessions"] == 1


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


REMOVED = {"id": "zoe", "user_id": "zoe", "expires": "2026-11-21T10:00:00Z", "labs": [], "other_labs": []}


@pytest.mark.parametrize(
    ("withdraws", "check_mode", "labs", "texts"),
    [
        (
            False,
            False,
            [],
            [
                "Learners who are no longer in the roster still have URLs: zoe until 2026-11-21 10:00 (UTC). Set "
                "appstream_lab_withdraw_removed to withdraw them."
            ],
        ),
        (
            True,
            True,
            ["b"],
            [
                "Learners who are no longer in the roster would be withdrawn, but their URLs would still work: zoe "
                "until 2026-11-21 10:00 (UTC).",
                "Their URLs would be released for other labs too: b.",
            ],
        ),
        (
            True,
            False,
            [],
            [
                "Learners who are no longer in the roster were withdrawn, but their URLs still work: zoe until "
                "2026-11-21 10:00 (UTC)."
            ],
        ),
    ],
)
def test_learners_who_were_removed_are_named_with_the_end_of_their_urls(withdraws, check_mode, labs, texts):
    steps = {"urls": {"removed": [{**REMOVED, "labs": labs}]}}
    assert warnings(steps, withdraws=withdraws, check_mode=check_mode) == texts


def ended(who):
    return {"id": who, "user_id": who, "labs": [], "ended": True, "expires": None}


BEFORE = [
    {"id": who, "user_id": who, "labs": [], "ended": who == "eve", "expires": None}
    for who in ("Anna", "zoe", "eve", "a", "b", "c")
]


@pytest.mark.parametrize(
    ("options", "removed", "excess"),
    [
        (dict(withdraws=False), [], None),
        (dict(withdraw_limit=None), ["a", "b", "c", "zoe"], "appstream_lab_withdraw_limit (3)"),
        (dict(withdraw_limit="4"), ["a", "b", "c", "zoe"], None),
    ],
)
def test_it_is_known_before_anything_is_done_who_would_be_withdrawn(options, removed, excess):
    """Whoever has another case or was released before is not."""
    published = report({"before": {"leases": BEFORE}}, **{"withdraws": True, **options})
    assert published["summary"]["warnings"] == []
    assert sorted(each["id"] for each in published["removed"]) == removed
    assert (excess or "") in (published["excess"] or "")
    assert (published["excess"] is None) is (excess is None)


@pytest.mark.parametrize("withdraws", [False, True])
def test_sessions_of_who_is_withdrawn_now_or_was_before_are_ended_unless_another_lab_has_the_user(withdraws):
    earlier = [{**each, "labs": ["b"] if each["id"] == "kim" else []} for each in map(ended, ("Anna", "eve", "kim"))]
    removed = [{**REMOVED, "labs": ["b"]}, {**REMOVED, "id": "ben", "user_id": "ben", "other_labs": ["b"]}]
    steps = {"before": {"leases": earlier}, "urls": {"removed": removed}}
    published = report(steps, withdraws=withdraws)
    assert published["withdrawn_user_ids"] == (["zoe", "eve"] if withdraws else [])
    kept = "Users who are in another lab on this stack and fleet keep their sessions: ben."
    assert (kept in published["summary"]["warnings"]) is withdraws


def test_learners_can_be_rotated_who_were_in_the_roster_before():
    published = report({"before": {"leases": BEFORE}}, rotate=["ANNA", "Zoe", "nobody"])
    assert published["unknown"] == ["nobody"]
    assert published["former_users"] == [{"user_id": "zoe", "id": "zoe"}]
    rotation = {"rotation": {"generations": {"anna": 1}}}
    published = report({"before": {"leases": BEFORE}, **rotation}, rotate=["ANNA", "zoe"])
    assert [user["user_id"] for user in published["former_users"]] == ["anna", "zoe"]
    assert "language" not in published["users"][0]


def test_labs_whose_handouts_show_replaced_urls_are_a_warning():
    assert warnings({"urls": {"outdated_labs": ["a", "b"]}}) == [
        "This run replaced URLs that other labs use too. Run these labs again to update their handouts: a, b."
    ]


# Nimble Studio


def row(who, session_id):
    return {"id": who, "name": who.title(), "email": None, "session_id": session_id}


def stream(who, session_id, expires=EXPIRES, issued=False):
    """What the module returns for one session; there is more in it."""
    return {**row(who, session_id), "lease": f"lease of {who}", "expires_at": expires, "issued": issued, "url": None}


def session(session_id, state):
    return {"session_id": session_id, "state": state}


ROWS = [row("anna", "s1"), row("ben", "s2")]
STREAMS = {"region": REGION, "streams": [stream("ben", "s2", issued=True), stream("anna", "s1")], "failures": []}
STREAMS["summary"] = {"requested": 2, "issued": 1, "reused": 1, "failed": 0, "released": 0, "earliest_expiry": EXPIRES}


def report_nimble(steps=None, **options):
    results = {
        "role": "nimble_lab",
        "lab": "monday",
        "state": "present",
        "check_mode": False,
        "learners": [{"id": "anna"}, {"id": "ben"}],
        "failure": "",
        "roster_failure": "",
        "warnings": [],
        "summary_path": "",
        "studio_id": "studio-1",
        "start_timeout": 9,
        "starting": [],
        "late": [],
        "withdraws": False,
        "withdraw_limit": None,
        **options,
    }
    none = {"before": {}, "match": {"sessions": ROWS, "failures": []}, "start": {}, "streams": {}}
    return lab_report({**results, "steps": {**none, **(steps or {})}})


def test_learners_of_nimble_studio_who_were_removed_are_named_but_not_those_whose_session_is_not_ready():
    removed = [{"id": who, "session_id": who, "expires": None, "labs": []} for who in ("zoe", "BEN")]
    assert report_nimble({"streams": {"removed": removed}})["summary"]["warnings"] == [
        "Learners who are no longer in the roster still have URLs: zoe. Set nimble_lab_withdraw_removed to withdraw "
        "them."
    ]
    before = {"leases": [{**each, "ended": False} for each in (*removed, {**removed[0], "id": "anna"})]}
    published = report_nimble({"before": before, "streams": {"removed": removed}}, withdraws=True)
    assert [each["session_id"] for each in published["removed"]] == ["zoe"]
    assert published["summary"]["warnings"] == [
        "Learners who are no longer in the roster were withdrawn, but their URLs still work: zoe."
    ]
    published = report_nimble({"before": before}, withdraws=True, withdraw_limit=0, failure="Too many.")
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
    assert (nothing["outcome"], nothing["message"]) == (
        "unchanged",
        "No lease is stored for this lab, so nothing was released.",
    )
    assert report_nimble({"match": {}}, learners=[])["summary"]["message"].startswith("There are no learners")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"timezone": "Europe/Berlin", "ends_at": "17:00"}, "2026-11-21 17:00 (Europe/Berlin)"),
        ({"timezone": "Asia/Kolkata"}, "2026-11-21 21:30 (Asia/Kolkata)"),
        ({"ends_at": "2026-11-21 17:00:00+01:00"}, "2026-11-21 17:00 (UTC+01:00)"),
        ({"ends_at": "2026-11-21T16:00:00Z"}, "2026-11-21 16:00 (UTC)"),
        ({}, "2026-11-21 16:00 (UTC)"),
    ],
)
def test_the_message_says_until_when_in_the_time_zone_of_the_lab(options, shown):
    message = summarize({"urls": URLS}, **options)["message"]

    assert message.endswith(f" They are valid until {shown}.")


@pytest.mark.parametrize(("issued", "is_known"), [(1, False), (0, True)])
def test_check_mode_says_until_when_only_of_what_is_reused(issued, is_known):
    urls = {**URLS, "summary": {**SUMMARY, "issued": issued}}

    assert ("valid until" in summarize({"urls": urls}, check_mode=True)["message"]) is is_known


ABOVE = "The lab has failed. The error is above, and in {}_summary."


def test_what_is_shown_at_the_end_is_the_message_without_the_error_that_a_step_has_shown():
    failed = report({"urls": URLS}, failure="The connection broke.")

    assert failed["summary"]["message"] == "The connection broke."
    assert failed["closing"] == ABOVE.format("appstream_lab")
    assert "closing" not in failed["summary"]
    done = report({"urls": URLS})
    assert done["closing"] == done["summary"]["message"]


def test_errors_that_no_step_has_shown_are_shown_at_the_end():
    match = {"sessions": [], "failures": [{**row("anna", None), "code": "NoSession", "message": "No session."}]}
    steps = {"match": match, "streams": {}}

    assert report_nimble(steps)["closing"] == report_nimble(steps)["summary"]["message"] == "No session."
    assert report_nimble(steps, failure="It broke.")["closing"] == f"No session. {ABOVE.format('nimble_lab')}"


HANDOUT = {
    "role": "lab_handout",
    "present": True,
    "check_mode": False,
    "paths": {"pages_dir": "/srv/pages", "links_csv": "/srv/links.csv", "overview_html": "/srv/o.html"},
    "summary": {"requested": 2, "missing": 0, "written": 3, "warnings": []},
    "seats": [{"id": "anna", "expires": EXPIRES}, {"id": "ben", "expires": "2026-11-21T17:00:00Z"}, {"id": "cleo"}],
    "timezone": "Europe/Berlin",
    "s3_bucket": "",
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "Pages: 2, in /srv/pages. Their addresses: /srv/links.csv. Overview: /srv/o.html. The URLs are "
            "valid until 2026-11-21 17:00 (Europe/Berlin).",
        ),
        (
            {"check_mode": True, "paths": {"pages_dir": "/srv/pages"}, "seats": []},
            "Pages: 2, in /srv/pages.",
        ),
        (
            {"paths": {"pages_dir": "/srv/pages"}, "s3_bucket": "labs", "seats": [{"expires": None}]},
            "Pages: 2, in /srv/pages and in the bucket labs.",
        ),
        ({"paths": {"urls_csv": "/srv/urls.csv"}, "seats": []}, "URLs: /srv/urls.csv."),
        ({"present": False}, "Pages marked as ended: all of the lab, in /srv/pages."),
        ({"present": False, "check_mode": True, "paths": {"urls_csv": "/srv/urls.csv"}}, "Files to be removed."),
    ],
)
def test_handouts_end_with_what_there_is_where_and_until_when(options, message):
    summary = lab_report({**HANDOUT, **options}, NOW)["summary"]

    assert summary == {**HANDOUT["summary"], "message": message}
