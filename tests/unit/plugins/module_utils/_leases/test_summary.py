# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import (
    NO_SUMMARY,
    build_diff,
    build_failure_message,
    build_grant_warnings,
    build_release_diff,
    build_release_warning,
    build_summary,
    format_holder,
)

from tests.unit.plugins.module_utils.support import (
    NOW,
    after,
    build_key,
    build_policy,
    lease_of,
    pending_lease_of,
    resource_lease_of,
)

SECRET = "correct-horse-battery-staple"


def lease(holder, **fields):
    return lease_of(build_key(holder), **{"url": f"https://streaming.example.org/?{SECRET}", **fields})


def issued(holder, *, existing=None, expires=3600):
    return Outcome(build_key(holder), existing, lease(holder, expires=expires), issued=True)


def reused(holder, *, expires=3600):
    return Outcome(build_key(holder), lease(holder, expires=expires), lease(holder, expires=expires))


def predicted(holder, *, existing=None):
    return Outcome(build_key(holder), existing, issued=True)


def failed(holder, message="The service said no.", *, existing=None):
    return Outcome(build_key(holder), existing, failure=Failure("NotReady", message))


def names(outcomes):
    return {outcome.key: outcome.key.holder for outcome in outcomes}


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
            [failed("anna", existing=lease("anna"))], dict(requested=1, failed=1), id="failed, but there was one"
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
def test_the_summary_counts_the_outcomes(outcomes, summary):
    assert build_summary(outcomes) == {**NO_SUMMARY, **summary}


def test_the_summary_of_nothing_is_not_changed_by_others():
    build_summary([issued("anna")])["issued"] = 99
    assert dict(requested=0, issued=0, reused=0, failed=0, released=0, earliest_expiry=None) == NO_SUMMARY


def test_a_diff_shows_holders_and_expiries():
    outcomes = [
        issued("anna", existing=lease("anna", expires=-60)),
        reused("ben"),
        predicted("cleo"),
        failed("dan", existing=lease("dan", expires=60)),
        issued("eve", existing=lease("eve", url=None, released_at=NOW)),
    ]
    assert build_diff(outcomes, names(outcomes)) == dict(
        before={"anna": "2026-11-21T07:59:00Z", "ben": "2026-11-21T09:00:00Z", "dan": "2026-11-21T08:01:00Z"},
        after={
            "anna": "2026-11-21T09:00:00Z",
            "ben": "2026-11-21T09:00:00Z",
            "cleo": "to be issued",
            "eve": "2026-11-21T09:00:00Z",
        },
    )


def test_a_diff_shows_no_pending_leases_since_nobody_has_a_url_of_them():
    outcomes = [
        issued("anna", existing=pending_lease_of(build_key("anna"))),
        failed("ben", existing=pending_lease_of(build_key("ben"))),
        predicted("cleo", existing=pending_lease_of(build_key("cleo"))),
        predicted("dan", existing=resource_lease_of(build_key("dan"), expires=60)),
    ]
    assert build_diff(outcomes, names(outcomes)) == dict(
        before={"dan": "2026-11-21T08:01:00Z"},
        after={"anna": "2026-11-21T09:00:00Z", "cleo": "to be issued", "dan": "to be issued"},
    )


def test_a_diff_of_a_run_that_reuses_all_has_no_difference():
    outcomes = [reused("anna"), reused("ben")]
    diff = build_diff(outcomes, names(outcomes))
    assert diff["before"] == diff["after"]


def test_a_diff_of_a_release_shows_who_had_a_url():
    leases = [
        lease("anna"),
        lease("ben", released_at=NOW, url=None),
        resource_lease_of(build_key("cleo"), expires=60),
        pending_lease_of(build_key("dan")),
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
            "1 released streaming URL still works until it expires at 2026-11-21T08:00:01Z: the service cannot "
            "revoke a URL.",
            id="one that works",
        ),
        pytest.param(
            [lease("anna"), lease("ben", expires=7200), lease("cleo", expires=-5), lease("dan", url=None)],
            "2 released streaming URLs still work until they expire, the last at 2026-11-21T10:00:00Z: "
            "the service cannot revoke a URL.",
            id="two that work, and others",
        ),
        pytest.param(
            [resource_lease_of(expires=60)],
            "1 released streaming URL still works until it expires at 2026-11-21T08:01:00Z: the service cannot "
            "revoke a URL.",
            id="a resource, whose URL is at the service",
        ),
        pytest.param(
            [lease("anna"), resource_lease_of(expires=60), resource_lease_of(expires=0), pending_lease_of()],
            "2 released streaming URLs still work until they expire, the last at 2026-11-21T09:00:00Z: "
            "the service cannot revoke a URL.",
            id="resources that work, one that has expired, and a pending one",
        ),
        pytest.param([pending_lease_of()], None, id="a pending one"),
        pytest.param([resource_lease_of(released_at=NOW)], None, id="a resource that was released before"),
    ],
)
def test_a_warning_counts_released_urls_that_still_work(leases, warning):
    assert build_release_warning(leases, NOW) == warning


LESS = "The service granted less time than was asked for: {} new streaming URLs end too early, the first at {}"
MORE = "The service granted more time than was asked for: {} new streaming URLs end too late, the last at {}"
ASKED = " instead of 2026-11-21T09:00:00Z"


@pytest.mark.parametrize(
    ("outcomes", "warnings"),
    [
        pytest.param([issued("anna"), predicted("ben"), failed("cleo", "It is full.")], [], id="as asked"),
        pytest.param([reused("anna", expires=1800)], [], id="what was issued earlier"),
        pytest.param(
            [issued("anna", expires=1800), issued("ben", expires=1200), issued("cleo")],
            [LESS.format(2, "2026-11-21T08:20:00Z") + ASKED + "."],
            id="less",
        ),
        pytest.param(
            [issued("anna", expires=60)],
            [LESS.format(1, "2026-11-21T08:01:00Z") + ASKED + ", so every run issues new ones."],
            id="too little to reuse it",
        ),
        pytest.param(
            [issued("anna", expires=7200), issued("ben", expires=10800), issued("cleo", expires=0)],
            [
                LESS.format(1, "2026-11-21T08:00:00Z") + ASKED + ", so every run issues new ones.",
                MORE.format(2, "2026-11-21T11:00:00Z") + ASKED + ".",
            ],
            id="less and more",
        ),
    ],
)
def test_what_is_granted_otherwise_than_asked_is_said(outcomes, warnings):
    outcomes = [
        dataclasses.replace(each, lease=each.lease and dataclasses.replace(each.lease, validity=3600))
        for each in outcomes
    ]
    assert build_grant_warnings(outcomes, build_policy(validity=3600)) == warnings


@pytest.mark.parametrize(
    ("outcomes", "is_stored", "message"),
    [
        pytest.param(
            [failed("anna", "It is full."), issued("ben"), reused("cleo")],
            True,
            "1 of 3 got no streaming URL: anna: It is full. The others are stored: run again to get them.",
            id="one of three",
        ),
        pytest.param(
            [failed("anna", "It is full."), issued("ben")],
            False,
            "1 of 2 got no streaming URL: anna: It is full. "
            "Nothing is stored (lease_store=none): run again to issue all of them again.",
            id="one of two, without a store",
        ),
        pytest.param(
            [failed("anna", "It is full."), failed("ben", "It sleeps.")],
            True,
            "2 of 2 got no streaming URL: anna: It is full; ben: It sleeps. Fix the problem, then run again.",
            id="all",
        ),
        pytest.param(
            [failed("anna", "It is full.")],
            False,
            "1 of 1 got no streaming URL: anna: It is full. Fix the problem, then run again.",
            id="the only one, without a store",
        ),
    ],
)
def test_the_message_of_a_failed_run_says_who_why_and_what_to_do(outcomes, is_stored, message):
    assert build_failure_message(outcomes, names(outcomes), is_stored=is_stored, check_mode=False) == message


def test_in_check_mode_nothing_is_stored():
    outcomes = [failed("anna", "It is full."), predicted("ben")]
    message = build_failure_message(outcomes, names(outcomes), is_stored=True, check_mode=True)
    assert message == "1 of 2 got no streaming URL: anna: It is full. Fix the problem, then run again."


def test_a_holder_is_named_with_the_purpose():
    assert format_holder("anna", "") == "anna"
    assert format_holder("anna", build_purpose(application_id="cad")) == 'anna {"application_id":"cad"}'
    cad = lease_of(build_key("anna", build_purpose(application_id="cad")), purpose=build_purpose(application_id="cad"))
    assert build_release_diff([cad])["before"] == {'anna {"application_id":"cad"}': "2026-11-21T09:00:00Z"}


def test_no_text_shows_a_url():
    outcomes = [issued("anna", existing=lease("anna")), reused("ben"), failed("cleo", existing=lease("cleo"))]
    leases = [outcome.existing for outcome in outcomes]
    texts = [
        build_summary(outcomes),
        build_diff(outcomes, names(outcomes)),
        build_release_diff(leases),
        build_release_warning(leases, after(1)),
        build_failure_message(outcomes, names(outcomes), is_stored=True, check_mode=False),
    ]
    assert SECRET not in repr(texts)
    assert "2026-11-21" in repr(texts)
