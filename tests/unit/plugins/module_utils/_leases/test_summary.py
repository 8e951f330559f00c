# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Failure, Outcome
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import (
    NO_SUMMARY,
    build_diff,
    build_release_diff,
    build_release_warning,
    build_summary,
    failure_message,
)

from tests.unit.plugins.module_utils.support import NOW, after, build_key, intent_of, lease_of, stream_lease_of

SECRET = "correct-horse-battery-staple"


def lease(seat, **fields):
    return lease_of(build_key(seat), **{"url": f"https://streaming.example.org/?{SECRET}", **fields})


def issued(seat, *, existing=None, expires=3600):
    return Outcome(build_key(seat), existing, lease(seat, expires=expires), issued=True)


def reused(seat, *, expires=3600):
    return Outcome(build_key(seat), lease(seat, expires=expires), lease(seat, expires=expires))


def predicted(seat, *, existing=None):
    return Outcome(build_key(seat), existing, issued=True)


def failed(seat, message="The service said no.", *, existing=None):
    return Outcome(build_key(seat), existing, failure=Failure("NotReady", message))


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        pytest.param([], {}, id="nobody"),
        pytest.param(
            [issued("anna"), reused("ben", expires=60), failed("cleo")],
            dict(requested=3, issued=1, reused=1, failed=1, earliest_expiry="2026-11-21T08:01:00Z"),
            id="one of each",
        ),
        pytest.param([predicted("anna")], dict(requested=1, issued=1), id="to be issued"),
        pytest.param(
            [failed("anna", existing=lease("anna"))], dict(requested=1, failed=1), id="failed, but one was held"
        ),
        pytest.param(
            [dataclasses.replace(failed("anna"), issued=True)],
            dict(requested=1, failed=1),
            id="failed after it was issued",
        ),
        pytest.param(
            [predicted("anna", existing=lease("anna", expires=1)), reused("ben")],
            dict(requested=2, issued=1, reused=1, earliest_expiry="2026-11-21T09:00:00Z"),
            id="what is to be replaced is not the first to expire",
        ),
    ],
)
def test_the_summary_counts_what_became_of_the_seats(outcomes, summary):
    assert build_summary(outcomes) == {**NO_SUMMARY, **summary}


def test_the_summary_of_nothing_is_not_changed_by_others():
    build_summary([issued("anna")])["issued"] = 99
    assert dict(requested=0, issued=0, reused=0, failed=0, forgotten=0, earliest_expiry=None) == NO_SUMMARY


def test_a_diff_shows_seats_and_expiries():
    outcomes = [
        issued("anna", existing=lease("anna", expires=-60)),
        reused("ben"),
        predicted("cleo"),
        failed("dan", existing=lease("dan", expires=60)),
        issued("eve", existing=lease("eve", url=None, forgotten=NOW)),
    ]
    assert build_diff(outcomes) == dict(
        before={"anna": "2026-11-21T07:59:00Z", "ben": "2026-11-21T09:00:00Z", "dan": "2026-11-21T08:01:00Z"},
        after={
            "anna": "2026-11-21T09:00:00Z",
            "ben": "2026-11-21T09:00:00Z",
            "cleo": "to be issued",
            "eve": "2026-11-21T09:00:00Z",
        },
    )


def test_a_diff_shows_no_intents_since_nobody_has_a_url_of_them():
    outcomes = [
        issued("anna", existing=intent_of(build_key("anna"))),
        failed("ben", existing=intent_of(build_key("ben"))),
        predicted("cleo", existing=intent_of(build_key("cleo"))),
        predicted("dan", existing=stream_lease_of(build_key("dan"), expires=60)),
    ]
    assert build_diff(outcomes) == dict(
        before={"dan": "2026-11-21T08:01:00Z"},
        after={"anna": "2026-11-21T09:00:00Z", "cleo": "to be issued", "dan": "to be issued"},
    )


def test_a_diff_of_a_run_that_reuses_all_has_no_difference():
    diff = build_diff([reused("anna"), reused("ben")])
    assert diff["before"] == diff["after"]


def test_a_diff_of_forgetting_shows_who_had_a_url():
    leases = [
        lease("anna"),
        lease("ben", forgotten=NOW, url=None),
        stream_lease_of(build_key("cleo"), expires=60),
        intent_of(build_key("dan")),
    ]
    assert build_release_diff(leases) == dict(
        before={"anna": "2026-11-21T09:00:00Z", "cleo": "2026-11-21T08:01:00Z"}, after={}
    )


@pytest.mark.parametrize(
    ("leases", "warning"),
    [
        pytest.param([], None, id="none"),
        pytest.param([lease("anna", expires=0)], None, id="one that has expired"),
        pytest.param([lease("anna", url=None)], None, id="one that was wiped"),
        pytest.param(
            [lease("anna", expires=1)],
            "1 forgotten streaming URL works until it expires at 2026-11-21T08:00:01Z: "
            "the service cannot revoke a URL.",
            id="one that works",
        ),
        pytest.param(
            [lease("anna"), lease("ben", expires=7200), lease("cleo", expires=-5), lease("dan", url=None)],
            "2 forgotten streaming URLs work until they expire, the last at 2026-11-21T10:00:00Z: "
            "the service cannot revoke a URL.",
            id="two that work, and others",
        ),
        pytest.param(
            [stream_lease_of(expires=60)],
            "1 forgotten streaming URL works until it expires at 2026-11-21T08:01:00Z: "
            "the service cannot revoke a URL.",
            id="one of a stream, which is at the service",
        ),
        pytest.param(
            [lease("anna"), stream_lease_of(expires=60), stream_lease_of(expires=0), intent_of()],
            "2 forgotten streaming URLs work until they expire, the last at 2026-11-21T09:00:00Z: "
            "the service cannot revoke a URL.",
            id="streams that work, one that is over, and an intent",
        ),
        pytest.param([intent_of()], None, id="an intent"),
        pytest.param([stream_lease_of(forgotten=NOW)], None, id="a stream that was forgotten before"),
    ],
)
def test_a_warning_tells_of_forgotten_urls_that_still_work(leases, warning):
    assert build_release_warning(leases, NOW) == warning


@pytest.mark.parametrize(
    ("outcomes", "remembered", "message"),
    [
        pytest.param(
            [failed("anna", "It is full."), issued("ben"), reused("cleo")],
            True,
            "1 of 3 got no streaming URL: anna: It is full. "
            "The others are remembered: run again, and they are returned.",
            id="one of three",
        ),
        pytest.param(
            [failed("anna", "It is full."), issued("ben")],
            False,
            "1 of 2 got no streaming URL: anna: It is full. "
            "Nothing is remembered (lease_store=none): run again, and all are issued anew.",
            id="one of two, without a store",
        ),
        pytest.param(
            [failed("anna", "It is full."), failed("ben", "It sleeps.")],
            True,
            "2 of 2 got no streaming URL: anna: It is full; ben: It sleeps. Mend what is named, then run again.",
            id="all",
        ),
        pytest.param(
            [failed("anna", "It is full.")],
            False,
            "1 of 1 got no streaming URL: anna: It is full. Mend what is named, then run again.",
            id="the only one, without a store",
        ),
    ],
)
def test_the_message_of_a_failed_run_says_who_why_and_what_now(outcomes, remembered, message):
    assert failure_message(outcomes, remembered, False) == message


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more"), (500, " and 495 more")])
def test_seats_that_failed_alike_are_told_together_and_only_the_first_five_by_name(count, more):
    message = failure_message([*(failed(f"learner-{number}") for number in range(count)), issued("anna")], True, False)
    told = ", ".join(f"learner-{number}" for number in range(5))
    assert message.startswith(
        f"{count} of {count + 1} got no streaming URL: {told}{more}: The service said no. The others"
    )


def test_only_the_first_five_reasons_are_told():
    message = failure_message([failed(f"learner-{number}", f"Reason {number}.") for number in range(6)], True, False)
    assert "learner-4: Reason 4; and more, see failures. Mend" in message
    assert "Reason 5" not in message


def test_no_result_tells_a_url():
    outcomes = [issued("anna", existing=lease("anna")), reused("ben"), failed("cleo", existing=lease("cleo"))]
    leases = [outcome.existing for outcome in outcomes]
    told = [
        build_summary(outcomes),
        build_diff(outcomes),
        build_release_diff(leases),
        build_release_warning(leases, after(1)),
        failure_message(outcomes, True, False),
    ]
    assert SECRET not in repr(told)
    assert "2026-11-21" in repr(told)
