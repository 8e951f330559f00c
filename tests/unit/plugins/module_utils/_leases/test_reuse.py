# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import ResourceGrant
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601

from tests.unit.plugins.module_utils.support import DAY, NOW, WEEK, after, build_policy, lease_of

PENDING, RESOURCE = ResourceGrant("token"), ResourceGrant("token", "stream-1")


def asking(validity=None, until=None, min_remaining=None):
    """Return a policy; ``until`` is in seconds from now."""
    return build_policy(
        validity=validity, valid_until=None if until is None else after(until), min_remaining=min_remaining
    )


@pytest.mark.parametrize(
    ("policy", "lease", "reused"),
    [
        # With a validity, a lease must have been issued for the same one.
        pytest.param(asking(3600), dict(validity=3600), True, id="the same validity"),
        pytest.param(asking(3600), dict(validity=7200), False, id="a longer validity"),
        pytest.param(asking(3600), dict(validity=1800), False, id="a shorter validity"),
        pytest.param(asking(3600), dict(validity=None), False, id="issued for a point in time"),
        # And a tenth of it must be left, or at most 15 minutes.
        pytest.param(asking(3600), dict(validity=3600, expires=360), True, id="a tenth is left"),
        pytest.param(asking(3600), dict(validity=3600, expires=359), False, id="less than a tenth is left"),
        pytest.param(asking(WEEK), dict(validity=WEEK, expires=900), True, id="15 minutes of a week are left"),
        pytest.param(asking(WEEK), dict(validity=WEEK, expires=899), False, id="less than 15 minutes of a week"),
        pytest.param(asking(9000), dict(validity=9000, expires=900), True, id="where a tenth is 15 minutes"),
        pytest.param(asking(8999), dict(validity=8999, expires=899), True, id="a tenth is rounded down"),
        # Unless the user says how much must be left.
        pytest.param(asking(3600, min_remaining=0), dict(validity=3600, expires=1), True, id="a second is enough"),
        pytest.param(asking(3600, min_remaining=1800), dict(validity=3600, expires=1800), True, id="just enough"),
        pytest.param(asking(3600, min_remaining=1800), dict(validity=3600, expires=1799), False, id="just too little"),
        # However little is asked, a URL that is expired is never given out.
        pytest.param(asking(3600, min_remaining=0), dict(validity=3600, expires=0), False, id="expires now"),
        pytest.param(asking(3600, min_remaining=0), dict(validity=3600, expires=-1), False, id="expired"),
        pytest.param(asking(1), dict(validity=1, expires=1), True, id="the shortest validity"),
        pytest.param(asking(1), dict(validity=1, expires=0), False, id="the shortest validity, expired"),
        pytest.param(asking(3600), dict(validity=3600, url=None), False, id="its URL is wiped"),
        pytest.param(asking(3600), dict(validity=3600, url=None, released_at=NOW), False, id="released"),
        # The URL of a resource is at the service.
        pytest.param(asking(3600), dict(validity=3600, grant=RESOURCE), True, id="a resource"),
        pytest.param(asking(3600), dict(validity=3600, grant=RESOURCE, expires=360), True, id="just enough"),
        pytest.param(asking(3600), dict(validity=3600, grant=RESOURCE, expires=359), False, id="ends soon"),
        pytest.param(asking(3600), dict(validity=60, grant=RESOURCE), False, id="a resource of another validity"),
        pytest.param(asking(3600), dict(validity=3600, grant=PENDING), False, id="a pending lease has none"),
        pytest.param(
            asking(3600), dict(validity=3600, grant=RESOURCE, released_at=NOW), False, id="a released resource"
        ),
        # With valid_until, only that counts.
        pytest.param(asking(until=3600), dict(expires=3600), True, id="lasts until then"),
        pytest.param(asking(until=3600), dict(expires=3599), False, id="ends before that"),
        pytest.param(asking(until=3600), dict(expires=DAY, validity=DAY), True, id="issued for a validity, and lasts"),
        pytest.param(asking(until=3600, min_remaining=7200), dict(expires=3600), True, id="whatever must remain"),
        pytest.param(asking(until=3600, min_remaining=60), dict(expires=3599), False, id="that is later"),
        pytest.param(asking(until=WEEK), dict(expires=WEEK), True, id="just in reach"),
        pytest.param(asking(until=WEEK), dict(expires=WEEK - 1), False, id="just in reach, and ends before it"),
        pytest.param(asking(until=3600), dict(url=None), False, id="wiped, and would last until then"),
        pytest.param(asking(until=-1), dict(expires=0), False, id="valid_until and lease are past"),
        # Where no URL lasts until then, it is renewed on its last day, or when the user says.
        pytest.param(asking(until=WEEK + 1), dict(expires=DAY), True, id="out of reach, a day is left"),
        pytest.param(asking(until=WEEK + 1), dict(expires=DAY - 1), False, id="out of reach, the last day"),
        pytest.param(asking(until=2 * WEEK, min_remaining=60), dict(expires=60), True, id="out of reach, as asked"),
        pytest.param(asking(until=2 * WEEK, min_remaining=60), dict(expires=59), False, id="out of reach, too little"),
        pytest.param(asking(until=2 * WEEK, min_remaining=0), dict(expires=0), False, id="out of reach, expired"),
    ],
)
def test_a_lease_is_reused_while_it_is_valid_for_as_long_as_asked(policy, lease, reused):
    assert policy.accepts(lease_of(**lease), NOW) is reused


@pytest.mark.parametrize(
    ("policy", "validity"),
    [
        pytest.param(asking(1), 1, id="the shortest"),
        pytest.param(asking(60), 60, id="as asked"),
        pytest.param(asking(WEEK), WEEK, id="the longest"),
        # A little more than is left until then, since not all servers of the service have the same clock.
        pytest.param(asking(until=1), 6, id="a second off"),
        pytest.param(asking(until=3600), 3605, id="until then"),
        pytest.param(asking(until=3600, min_remaining=7200), 3605, id="whatever must remain"),
        pytest.param(asking(until=WEEK - 4), WEEK, id="never more than the longest"),
        pytest.param(asking(until=WEEK), WEEK, id="just in reach"),
        pytest.param(asking(until=WEEK + 1), WEEK, id="just out of reach"),
        pytest.param(asking(until=52 * WEEK, min_remaining=60), WEEK, id="far out of reach"),
    ],
)
def test_the_service_is_asked_for_a_validity_that_lasts(policy, validity):
    assert policy.validity_at(NOW) == validity


def test_a_part_of_a_second_is_asked_for_as_a_whole_one():
    # Given a clock with fractions, when there are 59.5 s left, then 60 s and the margin are asked for.
    assert asking(until=60).validity_at(after(0.5)) == 65


@pytest.mark.parametrize(("until", "validity"), [(55, 60), (56, 120), (115, 120), (WEEK - 1, WEEK)])
def test_a_service_that_counts_in_minutes_is_asked_for_whole_ones(until, validity):
    assert build_policy(valid_until=after(until), granularity=60).validity_at(NOW) == validity


@pytest.mark.parametrize("late", [0, 1, 3600])
def test_no_validity_reaches_a_time_that_has_passed(late):
    with pytest.raises(InvalidOption) as rejected:
        asking(until=0).validity_at(after(late))
    assert str(rejected.value) == (
        "valid_until is 2026-11-21T08:00:00Z, which has passed: the service's clock says "
        f"{to_iso8601(after(late))}. Give a later time."
    )


@pytest.mark.parametrize(
    "policy",
    [asking(1), asking(60), asking(WEEK), asking(60, min_remaining=59), asking(until=3600), asking(until=WEEK)],
)
@pytest.mark.parametrize("later", [0, 1])
def test_what_was_just_issued_is_reusable(policy, later):
    """Otherwise a run would not accept its own URL, and would issue every time."""
    lease = lease_of(expires=policy.validity_at(NOW) + later, validity=policy.validity)
    assert policy.accepts(lease, NOW)


@pytest.mark.parametrize("min_remaining", [None, 0, 60, WEEK - 1])
@pytest.mark.parametrize("until", [60, WEEK - 1, WEEK, WEEK + 1, 2 * WEEK])
def test_what_was_just_issued_for_a_point_in_time_is_reusable(until, min_remaining):
    policy = asking(until=until, min_remaining=min_remaining)
    assert policy.accepts(lease_of(expires=policy.validity_at(NOW)), NOW)
    assert 1 <= policy.validity_at(NOW) <= WEEK


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (dict(validity=60, min_remaining=60), 60),
        (dict(validity=60, min_remaining=61), 60),
        (dict(validity=60, min_remaining=-1), 60),
        (dict(validity=1, min_remaining=1), 1),
        (dict(valid_until=NOW, min_remaining=WEEK), WEEK),
        (dict(valid_until=NOW, min_remaining=-1), WEEK),
    ],
)
def test_a_remaining_time_that_no_new_url_has_is_rejected(asked, granted):
    with pytest.raises(InvalidOption) as rejected:
        build_policy(**asked)
    assert str(rejected.value) == (
        f"min_remaining is {asked['min_remaining']}, but it must be from 0 to less than the validity of {granted} "
        "seconds: a new URL would not meet it either."
    )


@pytest.mark.parametrize(
    ("policy", "expiries", "renew_before"),
    [
        pytest.param(asking(3600), [60, 120], None, id="with a validity there is nothing to last until"),
        pytest.param(asking(until=WEEK), [WEEK, 2 * WEEK], None, id="all last"),
        pytest.param(asking(until=2 * WEEK), [WEEK, WEEK - 5, 3 * WEEK], after(WEEK - 5), id="the first to expire"),
        pytest.param(asking(until=2 * WEEK), [], None, id="none"),
    ],
)
def test_the_first_url_to_expire_too_early_says_when_to_run_again(policy, expiries, renew_before):
    assert policy.renew_before([lease_of(expires=expires) for expires in expiries]) == renew_before


ENDLESS = 7800 * 365 * DAY


@pytest.mark.parametrize(
    ("policy", "granted", "order"),
    [
        pytest.param(asking(3600), 3600, 0, id="as asked"),
        pytest.param(asking(3600), 3540, 0, id="a minute less"),
        pytest.param(asking(3600), 3539, -1, id="less"),
        pytest.param(asking(3600), 3660, 0, id="a minute more"),
        pytest.param(asking(3600), 3661, 1, id="more"),
        pytest.param(asking(60), 54, 0, id="a tenth of a minute less"),
        pytest.param(asking(60), 53, -1, id="half of a minute"),
        pytest.param(asking(WEEK), ENDLESS, 1, id="endless"),
        pytest.param(asking(until=7200), 7205, 0, id="until then"),
        pytest.param(asking(until=7200), 3600, -1, id="not until then"),
        pytest.param(asking(until=2 * WEEK), WEEK, 0, id="as long as is possible"),
    ],
)
def test_what_is_granted_is_compared_with_what_was_asked(policy, granted, order):
    assert policy.compare(lease_of(expires=granted)) == order


def test_a_rejected_option_is_an_error_of_this_collection_with_a_code():
    with pytest.raises(LabstreamError) as rejected:
        ReusePolicy(WEEK, validity=60, min_remaining=60)
    assert rejected.value.code == "InvalidOption"
