# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    RETENTION,
    Lease,
    ReusePolicy,
    build_purpose,
    is_key_part,
    is_url,
    url_sha256,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.url_issuer import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601

from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    WEEK,
    after,
    build_key,
    build_policy,
    intent_of,
    lease_of,
    stream_lease_of,
)

END = "2026-11-21T17:00:00+01:00"


def asking(validity=None, until=None, min_remaining=None):
    """A need, with the moment given in seconds from now."""
    return build_policy(
        validity=validity, valid_until=None if until is None else after(until), min_remaining=min_remaining
    )


@pytest.mark.parametrize(
    ("need", "lease", "reused"),
    [
        # With a validity, a lease must have been issued for the same one.
        pytest.param(asking(3600), dict(validity=3600), True, id="the same validity"),
        pytest.param(asking(3600), dict(validity=7200), False, id="a longer validity"),
        pytest.param(asking(3600), dict(validity=1800), False, id="a shorter validity"),
        pytest.param(asking(3600), dict(validity=None), False, id="issued for a moment"),
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
        # However little is asked, a URL that is dead is never given out.
        pytest.param(asking(3600, min_remaining=0), dict(validity=3600, expires=0), False, id="expires now"),
        pytest.param(asking(3600, min_remaining=0), dict(validity=3600, expires=-1), False, id="expired"),
        pytest.param(asking(1), dict(validity=1, expires=1), True, id="the shortest validity"),
        pytest.param(asking(1), dict(validity=1, expires=0), False, id="the shortest validity, expired"),
        pytest.param(asking(3600), dict(validity=3600, url=None), False, id="its URL is wiped"),
        pytest.param(asking(3600), dict(validity=3600, url=None, forgotten=NOW), False, id="forgotten"),
        # A stream's URL is at the service.
        pytest.param(asking(3600), dict(validity=3600, url=None, stream_id="s"), True, id="a stream"),
        pytest.param(asking(3600), dict(validity=3600, url=None, stream_id="s", expires=360), True, id="just enough"),
        pytest.param(asking(3600), dict(validity=3600, url=None, stream_id="s", expires=359), False, id="ends soon"),
        pytest.param(asking(3600), dict(validity=60, url=None, stream_id="s"), False, id="a stream of another time"),
        pytest.param(asking(3600), dict(validity=3600, url=None, client_token="t"), False, id="an intent has none"),
        pytest.param(
            asking(3600), dict(validity=3600, url=None, stream_id="s", forgotten=NOW), False, id="a forgotten stream"
        ),
        # With a moment, only the moment counts.
        pytest.param(asking(until=3600), dict(expires=3600), True, id="lasts until the moment"),
        pytest.param(asking(until=3600), dict(expires=3599), False, id="ends before the moment"),
        pytest.param(asking(until=3600), dict(expires=DAY, validity=DAY), True, id="issued for a validity, and lasts"),
        pytest.param(asking(until=3600, min_remaining=7200), dict(expires=3600), True, id="whatever must remain"),
        pytest.param(asking(until=3600, min_remaining=60), dict(expires=3599), False, id="the moment is later"),
        pytest.param(asking(until=WEEK), dict(expires=WEEK), True, id="the moment is just in reach"),
        pytest.param(asking(until=WEEK), dict(expires=WEEK - 1), False, id="just in reach, and ends before it"),
        pytest.param(asking(until=3600), dict(url=None), False, id="wiped, and would last until the moment"),
        pytest.param(asking(until=-1), dict(expires=0), False, id="moment and lease are past"),
        # Where no URL lasts until the moment, it is renewed on its last day, or when the user says.
        pytest.param(asking(until=WEEK + 1), dict(expires=DAY), True, id="out of reach, a day is left"),
        pytest.param(asking(until=WEEK + 1), dict(expires=DAY - 1), False, id="out of reach, the last day"),
        pytest.param(asking(until=2 * WEEK, min_remaining=60), dict(expires=60), True, id="out of reach, as asked"),
        pytest.param(asking(until=2 * WEEK, min_remaining=60), dict(expires=59), False, id="out of reach, too little"),
        pytest.param(asking(until=2 * WEEK, min_remaining=0), dict(expires=0), False, id="out of reach, expired"),
    ],
)
def test_a_lease_is_reused_while_it_is_good_enough(need, lease, reused):
    assert need.accepts(lease_of(**lease), NOW) is reused


@pytest.mark.parametrize(
    ("need", "validity"),
    [
        pytest.param(asking(1), 1, id="the shortest"),
        pytest.param(asking(60), 60, id="as asked"),
        pytest.param(asking(WEEK), WEEK, id="the longest"),
        # A little more than is left until a moment, since not all servers of the service have the same clock.
        pytest.param(asking(until=1), 6, id="a second off"),
        pytest.param(asking(until=3600), 3605, id="until the moment"),
        pytest.param(asking(until=3600, min_remaining=7200), 3605, id="whatever must remain"),
        pytest.param(asking(until=WEEK - 4), WEEK, id="never more than the longest"),
        pytest.param(asking(until=WEEK), WEEK, id="just in reach"),
        pytest.param(asking(until=WEEK + 1), WEEK, id="just out of reach"),
        pytest.param(asking(until=52 * WEEK, min_remaining=60), WEEK, id="far out of reach"),
    ],
)
def test_the_service_is_asked_for_a_validity_that_lasts(need, validity):
    assert need.validity_at(NOW) == validity


def test_a_part_of_a_second_is_asked_for_as_a_whole_one():
    # Given a clock that tells fractions, when there are 59.5 s left, then 60 s and the margin are asked for.
    assert asking(until=60).validity_at(after(0.5)) == 65


@pytest.mark.parametrize("late", [0, 1, 3600])
def test_no_validity_reaches_a_moment_that_has_passed(late):
    with pytest.raises(InvalidOption) as refused:
        asking(until=0).validity_at(after(late))
    assert str(refused.value) == (
        "valid_until is 2026-11-21T08:00:00Z, which has passed: the service's clock says "
        f"{to_iso8601(after(late))}. Give a later moment."
    )


@pytest.mark.parametrize(
    "need", [asking(1), asking(60), asking(WEEK), asking(60, min_remaining=59), asking(until=3600), asking(until=WEEK)]
)
@pytest.mark.parametrize("later", [0, 1])
def test_what_was_just_issued_is_good_enough(need, later):
    """Else a run would not accept its own work, and would issue for ever."""
    lease = lease_of(expires=need.validity_at(NOW) + later, validity=need.validity)
    assert need.accepts(lease, NOW)


@pytest.mark.parametrize("min_remaining", [None, 0, 60, WEEK - 1])
@pytest.mark.parametrize("until", [60, WEEK - 1, WEEK, WEEK + 1, 2 * WEEK])
def test_what_was_just_issued_for_a_moment_is_good_enough(until, min_remaining):
    need = asking(until=until, min_remaining=min_remaining)
    assert need.accepts(lease_of(expires=need.validity_at(NOW)), NOW)
    assert 1 <= need.validity_at(NOW) <= WEEK


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
def test_a_remaining_time_that_no_new_url_has_is_refused(asked, granted):
    with pytest.raises(InvalidOption) as refused:
        build_policy(**asked)
    assert str(refused.value) == (
        f"min_remaining is {asked['min_remaining']}, but it must be from 0 to less than the validity of {granted} "
        "seconds: a new URL would not meet it either."
    )


@pytest.mark.parametrize(
    ("need", "expiries", "renew_before"),
    [
        pytest.param(asking(3600), [60, 120], None, id="with a validity there is no moment to last until"),
        pytest.param(asking(until=WEEK), [WEEK, 2 * WEEK], None, id="all last"),
        pytest.param(asking(until=2 * WEEK), [WEEK, WEEK - 5, 3 * WEEK], after(WEEK - 5), id="the first to expire"),
        pytest.param(asking(until=2 * WEEK), [], None, id="none"),
    ],
)
def test_the_first_url_to_expire_too_early_says_when_to_run_again(need, expiries, renew_before):
    assert need.renew_before([lease_of(expires=expires) for expires in expiries]) == renew_before


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ((None, None), (None, None), True),
        (("cad", None), ("cad", None), True),
        (("cad", "unit-7"), ("cad", "unit-7"), True),
        (("cad", None), ("CAD", None), False),
        (("cad", None), (None, "cad"), False),
        (("cad", "unit-7"), ("unit-7", "cad"), False),
        (("cad", None), (None, None), False),
        (('a","session_context":"b', None), ("a", "b"), False),
        (("ünit", None), ("unit", None), False),
    ],
)
def test_purposes_are_equal_if_they_open_the_same(one, other, equal):
    assert (build_purpose(*one) == build_purpose(*other)) is equal


def test_a_purpose_does_not_depend_on_the_order_of_its_parts():
    assert build_purpose(session_context="unit-7", application_id="cad") == build_purpose("cad", "unit-7")


@pytest.mark.parametrize(
    ("parts", "purpose"),
    [
        ((), ""),
        (("cad",), '{"application_id":"cad"}'),
        (("cad", "unit-7"), '{"application_id":"cad","session_context":"unit-7"}'),
    ],
)
def test_the_text_of_a_purpose_is_frozen(parts, purpose):
    """It is a part of keys in stores that exist: another text would lose their leases."""
    assert build_purpose(*parts) == purpose


def test_a_lease_of_a_new_url_says_what_was_asked_and_got():
    # Given what the service has just issued.
    url = "https://streaming.example.org/?secret=püzzle"

    # When it becomes a lease.
    lease = Lease.of_url(build_key(), url, issued=NOW, expires=after(60), validity=60, lab="cad")

    # Then all of it is in the lease, and nothing says that it was forgotten.
    assert lease == Lease(
        key=build_key(),
        lease_id=lease.lease_id,
        url=url,
        url_sha256=hashlib.sha256(url.encode("utf-8")).hexdigest(),
        issued=NOW,
        expires=after(60),
        validity=60,
        lab="cad",
        forgotten=None,
    )


def test_an_intent_says_what_is_about_to_be_created():
    # Given a token, when it becomes an intent.
    intent = Lease.intent(build_key(), "token-1", issued=NOW, expires=after(60), validity=60, lab="cad")

    # Then it has no URL and no stream yet.
    assert intent == Lease(
        key=build_key(),
        lease_id=intent.lease_id,
        url=None,
        url_sha256=None,
        issued=NOW,
        expires=after(60),
        validity=60,
        lab="cad",
        forgotten=None,
        client_token="token-1",
        stream_id=None,
    )


@pytest.mark.parametrize(("told", "expires"), [(after(59), after(59)), (None, after(60))])
def test_the_lease_of_a_stream_is_its_intent_with_the_stream_and_an_id_of_its_own(told, expires):
    # Given an intent, when its stream is created; whether the service tells its end or not.
    intent = Lease.intent(build_key(), "token-1", issued=NOW, expires=after(60), validity=60, lab="cad")
    lease = intent.of_stream("stream-1", told)

    # Then the rest is as it was.
    assert lease == dataclasses.replace(intent, lease_id=lease.lease_id, stream_id="stream-1", expires=expires)
    assert lease.lease_id != intent.lease_id


@pytest.mark.parametrize(
    ("lease", "is_intent", "opens"),
    [
        pytest.param(lease_of(expires=1), False, True, id="a URL"),
        pytest.param(lease_of(expires=0), False, False, id="a URL that has expired"),
        pytest.param(lease_of(url=None), False, False, id="a URL that was wiped"),
        pytest.param(intent_of(), True, False, id="an intent"),
        pytest.param(intent_of(forgotten=NOW), True, False, id="a forgotten intent"),
        pytest.param(stream_lease_of(expires=1), False, True, id="a stream"),
        pytest.param(stream_lease_of(expires=0), False, False, id="a stream that is over"),
        pytest.param(stream_lease_of(forgotten=NOW), False, False, id="a forgotten stream"),
    ],
)
def test_an_intent_opens_nothing_and_a_lease_what_works(lease, is_intent, opens):
    assert lease.is_intent is is_intent
    assert lease.is_valid_at(NOW) is opens


RETAINED = int(RETENTION.total_seconds())


@pytest.mark.parametrize(
    ("passed", "has_url", "is_seen"),
    [
        pytest.param(0, True, True, id="new"),
        pytest.param(3599, True, True, id="a second before it expires"),
        pytest.param(3600, False, True, id="when it expires"),
        pytest.param(3601, False, True, id="a second later"),
        pytest.param(3600 + RETAINED - 1, False, True, id="a second before its retention ends"),
        pytest.param(3600 + RETAINED, False, False, id="when its retention ends"),
        pytest.param(2 * RETAINED, False, False, id="long after"),
    ],
)
def test_a_reader_sees_no_url_that_has_expired_and_nothing_after_the_retention(passed, has_url, is_seen):
    # Given a lease of an hour with a URL.
    lease = lease_of(expires=3600, lab="cad", validity=3600)

    # When it is read; then the URL is seen until it expires, and the rest until the retention ends.
    rest = dataclasses.replace(lease, url=None)
    assert lease.visible_at(after(passed)) == (lease if has_url else rest if is_seen else None)


@pytest.mark.parametrize(
    "lease",
    [
        pytest.param(lease_of(url=None, expires=0), id="a URL that was wiped"),
        pytest.param(lease_of(url=None, expires=0, forgotten=NOW), id="a lease that was forgotten"),
        pytest.param(intent_of(expires=0), id="an intent"),
        pytest.param(stream_lease_of(expires=0), id="a stream"),
    ],
)
def test_what_has_no_url_is_seen_as_it_is_until_the_retention_ends(lease):
    assert lease.visible_at(NOW) == lease.visible_at(after(RETAINED - 1)) == lease
    assert lease.visible_at(after(RETAINED)) is None


def test_no_two_leases_share_an_id():
    times = dict(issued=NOW, expires=NOW, lab=None)
    leases = []
    for _number in range(100):
        leases.append(Lease.of_url(build_key(), "https://x", validity=None, **times))
        leases.append(Lease.intent(build_key(), "token", validity=60, **times))
        leases.append(leases[-1].of_stream("stream-1", None))
    ids = {lease.lease_id for lease in leases}
    assert len(ids) == 300
    assert all(len(lease_id) == 32 for lease_id in ids)


def test_a_url_is_named_by_its_sha_256():
    """Frozen by a known value: it answers "whose link is this?" in stores that exist."""
    assert url_sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_half_a_character_has_a_sha_256_too_since_anybody_may_ask_whose_url_it_is():
    assert url_sha256("\ud800") != url_sha256("?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/?a=b", True),
        ("x" * 65_536, True),
        ("x" * 65_537, False),
        ("", False),
        ("https://example.org/\n", False),
        ("https://example.org/\ud800", False),
    ],
)
def test_a_url_has_a_length_that_opens_and_no_character_that_nobody_sees(text, expected):
    assert is_url(text) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("scope", "s" * 2048, True),
        ("scope", "\u00e4" * 1025, False),
        ("seat", "s" * 900, True),
        ("seat", "s" * 901, False),
        ("seat", "", False),
        ("seat", None, False),
        ("seat", 7, False),
        ("seat", "a\ud800", False),
        ("seat", "a\n", False),
    ],
)
def test_a_part_of_a_key_is_text_that_each_store_can_hold(name, value, expected):
    assert is_key_part(name, value) is expected


def test_nothing_that_is_printed_of_a_lease_shows_its_url():
    lease = lease_of(url="https://streaming.example.org/?secret=swordfish")
    outcome = Outcome(lease.key, lease, lease)
    for printed in (repr(lease), str(lease), f"{lease}", repr(outcome), repr([lease]), repr({"lease": lease})):
        assert "swordfish" not in printed
        assert "https" not in printed
    assert "anna" in repr(lease)


def test_a_refused_option_is_an_error_of_this_collection_with_a_code():
    with pytest.raises(LabstreamError) as refused:
        ReusePolicy(WEEK, validity=60, min_remaining=60)
    assert refused.value.code == "InvalidOption"
