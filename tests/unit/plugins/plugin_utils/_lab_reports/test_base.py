# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reports on labs of all roles share."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import (
    describe_working,
    get_ended,
    has_ended,
)

from tests.unit.plugins.plugin_utils._lab_reports.results import (
    BEFORE,
    FLEET,
    LEARNERS,
    NOW,
    REMOVED,
    STREAMS,
    SUMMARY,
    URLS,
    report,
    report_nimble,
    row,
    summarize,
    warnings,
)


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_at_the_end_those_in_the_roster_have_seats_without_leases(role):
    build_report = {"appstream_lab": report, "nimble_lab": report_nimble}[role]
    learners = [LEARNERS[0], {**LEARNERS[1], "language": "de"}]
    ends = {"urls": {"leases": []}, "streams": {"leases": []}}
    seats = build_report(ends, state="absent", learners=learners)["seats"]

    assert [(seat["id"], seat["name"], seat["language"]) for seat in seats] == [
        ("anna", "Anna", None),
        ("Ben", None, "de"),
    ]
    assert [(seat["lease"], seat["expires"], seat["issued"]) for seat in seats] == [(None, None, False)] * 2
    assert build_report(ends, state="absent", learners=[])["seats"] == []
    assert build_report(state="absent", learners=learners)["seats"] == []  # It has not ended.


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_a_roster_that_cannot_be_read_at_the_end_is_a_warning(role):
    build_report = {"appstream_lab": report, "nimble_lab": report_nimble}[role]
    failed = build_report(state="absent", learners=[], roster_failure="There is no roster x.csv.")

    assert failed["summary"]["warnings"] == [
        "The overview has no names, since the roster cannot be read: There is no roster x.csv."
    ]
    assert failed["summary"]["outcome"] == "unchanged"


@pytest.mark.parametrize("role", ["appstream_lab", "nimble_lab"])
def test_the_summary_says_whether_it_is_a_check_and_how_many_urls_would_be_issued(role):
    build_report, step = {"appstream_lab": (report, "urls"), "nimble_lab": (report_nimble, "streams")}[role]
    steps = {step: {"summary": {**dict.fromkeys(SUMMARY, 0), "issued": 3}}}

    summaries = [build_report(steps, check_mode=check_mode)["summary"] for check_mode in (True, False)]

    assert [(each["check"], each["would_issue"]) for each in summaries] == [(True, 3), (False, 0)]


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


@pytest.mark.parametrize(
    ("withdraw_removed", "check_mode", "labs", "texts"),
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
def test_learners_who_were_removed_are_named_with_the_end_of_their_urls(withdraw_removed, check_mode, labs, texts):
    steps = {"urls": {"removed": [{**REMOVED, "labs": labs}]}}
    assert warnings(steps, withdraw_removed=withdraw_removed, check_mode=check_mode) == texts


@pytest.mark.parametrize(
    ("options", "removed", "excess"),
    [
        (dict(withdraw_removed=False), [], None),
        (dict(withdraw_limit=None), ["a", "b", "c", "zoe"], "appstream_lab_withdraw_limit (3)"),
        (dict(withdraw_limit="4"), ["a", "b", "c", "zoe"], None),
    ],
)
def test_it_is_known_before_anything_is_done_who_would_be_withdrawn(options, removed, excess):
    """Whoever has another case or was released before is not."""
    published = report({"before": {"leases": BEFORE}}, **{"withdraw_removed": True, **options})
    assert published["summary"]["warnings"] == []
    assert sorted(each["id"] for each in published["removed"]) == removed
    assert (excess or "") in (published["excess"] or "")
    assert (published["excess"] is None) is (excess is None)


def test_labs_whose_handouts_show_replaced_urls_are_a_warning():
    assert warnings({"urls": {"outdated_labs": ["a", "b"]}}) == [
        "This run replaced URLs that other labs use too. Run these labs again to update their handouts: a, b."
    ]


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


def test_the_message_has_the_errors_that_no_step_has_shown_and_then_that_of_the_step():
    match = {"sessions": [], "failures": [{**row("anna", None), "code": "NoSession", "message": "No session."}]}
    steps = {"match": match, "streams": {}}

    assert report_nimble(steps)["summary"]["message"] == "No session."
    assert report_nimble(steps, failure="It broke.")["summary"]["message"] == "No session. It broke."


ONGOING, OVER = [{"ended": False}, {"ended": True}], [{"ended": True}]


@pytest.mark.parametrize(
    ("ending", "query", "ended"),
    [
        pytest.param({"leases": ONGOING}, {}, True, id="in this run"),
        pytest.param({"failed": True, "msg": "Denied."}, {}, True, id="in this run, in part"),
        pytest.param({}, {"leases": OVER}, True, id="before"),
        pytest.param({}, {"leases": ONGOING}, False, id="for some learners only"),
        pytest.param({}, {"skipped": True}, False, id="nobody looked"),
        pytest.param({}, {}, False, id="no step ran"),
    ],
)
def test_a_lab_has_ended_in_this_run_or_before(ending, query, ended):
    assert has_ended(ending, query) is ended


@pytest.mark.parametrize(
    ("known", "options", "ended"),
    [
        (True, {}, True),
        (None, {}, True),
        pytest.param(False, {}, False, id="a misspelled name"),
        pytest.param(False, {"purge": True}, True, id="purged before"),
        pytest.param(None, {"state": "present"}, None, id="it does not end"),
    ],
)
def test_only_a_lab_that_ends_and_is_known_can_have_ended(known, options, ended):
    assert get_ended({"state": "absent", "purge": False, **options}, True, known) is ended


def test_a_run_that_fails_says_what_it_leaves_behind_unless_in_check_mode():
    fleet = {"fleet": {"changed": True, "fleet": FLEET}}
    billed = "Fleet 'cad-fleet' was started or scaled, and is billed while it runs."

    assert summarize(fleet, failure="It broke.")["message"] == f"It broke. {billed}"
    assert summarize(fleet, failure="It broke.", check_mode=True)["message"] == "It broke."
    assert summarize({"fleet": {**fleet["fleet"], "changed": False}}, failure="It broke.")["message"] == "It broke."
    assert billed not in summarize(fleet)["message"]


@pytest.mark.parametrize(
    ("expiries", "ending"),
    [
        (
            ["2026-11-21T16:00:00Z", "2026-11-21T12:00:00Z"],
            "work until they expire, the last at 2026-11-21 17:00 ({}).",
        ),
        (["2026-11-21T08:00:00Z", "2026-11-21T07:00:00Z"], "have expired."),
        ([None], "work until they expire."),
        ([], "work until they expire."),
    ],
)
def test_urls_that_nobody_can_revoke_work_until_a_time_in_the_time_zone_of_the_lab(expiries, ending):
    leases = [{"released": True, "expires": expiry} for expiry in expiries]
    # Another lab needs it.
    leases.append({"released": False, "expires": "2026-11-21T18:00:00Z"})

    said = describe_working({"timezone": "Europe/Berlin"}, "The URLs", leases, NOW)

    assert said == f"The URLs {ending.format('Europe/Berlin')}"
