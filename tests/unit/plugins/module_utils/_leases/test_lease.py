# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    RETENTION,
    Lease,
    LeaseKey,
    ResourceGrant,
    UrlGrant,
    build_purpose,
    is_key_part,
    parse_purpose,
    to_sha256,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome

from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    after,
    build_key,
    lease_of,
    pending_lease_of,
    resource_lease_of,
)

KEYS = [
    build_key(),
    build_key("anna", build_purpose(application_id="cad", session_context="unit-7")),
    build_key("änna@例え.jp"),
    build_key("a " * 450, scope="s" * 2048),
]
URL = "https://streaming.example.org/?secret=swordfish"


@pytest.mark.parametrize("key", KEYS)
def test_the_text_of_a_key_gives_the_key_again_and_shows_no_session_context(key):
    text = key.to_text()
    assert LeaseKey.parse(text) == key
    assert text.isascii()
    assert not set(text) & set(" |:/?&=#\"'")
    assert "unit-7" not in text


def test_the_text_of_a_key_is_frozen():
    """Seats that were published hold it: another text would lose their leases."""
    assert LeaseKey("appstream|host|arn", "anna").to_text() == "lease1.WyJhcHBzdHJlYW18aG9zdHxhcm4iLCJhbm5hIiwiIl0"


def test_different_keys_have_different_texts():
    assert len({key.to_text() for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        7,
        ["lease1."],
        URL,
        "lease1.",
        "lease1.!",
        f"lease1.{URL}",
        "lease2" + build_key().to_text().removeprefix("lease1"),
        build_key().to_text() + "=",
        build_key().to_text() + "A",
        build_key().to_text()[:-1],
        build_key().to_text().removeprefix("lease1."),
        LeaseKey("", "anna").to_text(),
        LeaseKey(SCOPE, "").to_text(),
        LeaseKey(SCOPE, "an\nna").to_text(),
        LeaseKey(SCOPE, "a" * 901).to_text(),
        LeaseKey(SCOPE, "anna", "cad").to_text(),
        LeaseKey(SCOPE, 7).to_text(),
        LeaseKey(SCOPE, "anna", None).to_text(),
        LeaseKey(SCOPE, "anna", ["x"]).to_text(),
        "lease1.ODg4OA",
        "lease1.e30",
        "lease1." + "W1tb" * 5000,
        "lease1.\ud800",
    ],
)
def test_another_text_is_not_a_key_and_is_not_quoted(text):
    with pytest.raises(InvalidOption) as rejected:
        LeaseKey.parse(text)
    assert str(rejected.value) == (
        "A lease is not valid: pass on the lease that a module or role of this collection has returned."
    )
    assert rejected.value.__cause__ is None


def test_a_purpose_is_in_the_key_as_its_hash():
    purpose = build_purpose(application_id="cad")
    assert LeaseKey.build("scope", "anna", purpose) == ("scope", "anna", to_sha256(purpose))
    assert LeaseKey.build("scope", "anna") == ("scope", "anna", "")


NAMES = ("application_id", "session_context")


def purpose_of(*parts):
    """A purpose of AppStream."""
    return build_purpose(**dict(zip(NAMES, parts, strict=False)))


@pytest.mark.parametrize("parts", [(None, None), ("cad", None), (None, "unit-7"), ('c"d', "ü")])
def test_the_parts_of_a_purpose_are_read_again(parts):
    assert parse_purpose(purpose_of(*parts)) == {name: part for name, part in zip(NAMES, parts, strict=True) if part}


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
    assert (purpose_of(*one) == purpose_of(*other)) is equal


def test_a_purpose_does_not_depend_on_the_order_of_its_parts():
    assert build_purpose(session_context="unit-7", application_id="cad") == purpose_of("cad", "unit-7")


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
    assert purpose_of(*parts) == purpose


def test_the_grant_of_a_url_has_its_hash():
    url = "https://streaming.example.org/?secret=püzzle"
    assert UrlGrant.build(url) == UrlGrant(url, hashlib.sha256(url.encode("utf-8")).hexdigest())


@pytest.mark.parametrize(("described", "expires"), [(after(59), after(59)), (None, after(60))])
def test_the_lease_of_a_resource_is_the_pending_one_with_the_resource_and_an_id_of_its_own(described, expires):
    # Given a pending lease, when its resource is created; whether the service says when it expires or not.
    pending = pending_lease_of(client_token="token-1", expires=60, validity=60)
    lease = pending.with_resource("stream-1", described)

    # Then the rest is as it was.
    grant = ResourceGrant("token-1", "stream-1")
    assert lease == dataclasses.replace(pending, lease_id=lease.lease_id, grant=grant, expires=expires)
    assert lease.lease_id != pending.lease_id


@pytest.mark.parametrize(
    ("lease", "is_pending", "opens"),
    [
        pytest.param(lease_of(expires=1), False, True, id="a URL"),
        pytest.param(lease_of(expires=0), False, False, id="a URL that has expired"),
        pytest.param(lease_of(url=None), False, False, id="a URL that was wiped"),
        pytest.param(pending_lease_of(), True, False, id="pending"),
        pytest.param(pending_lease_of(released_at=NOW), True, False, id="pending, released"),
        pytest.param(resource_lease_of(expires=1), False, True, id="a resource"),
        pytest.param(resource_lease_of(expires=0), False, False, id="a resource that has expired"),
        pytest.param(resource_lease_of(released_at=NOW), False, False, id="a released resource"),
    ],
)
def test_a_pending_lease_opens_nothing_and_another_what_works(lease, is_pending, opens):
    assert lease.is_pending is is_pending
    assert lease.is_valid_at(NOW) is opens


RETAINED = int(RETENTION.total_seconds())


@pytest.mark.parametrize(
    ("passed", "has_url", "is_visible"),
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
def test_a_store_shows_no_url_that_has_expired_and_nothing_after_the_retention(passed, has_url, is_visible):
    # Given a lease of an hour with a URL.
    lease = lease_of(expires=3600, validity=3600)

    # When it is read; then the URL is seen until it expires, and the rest until the retention ends.
    rest = lease.without_url()
    assert lease.visible_at(after(passed)) == (lease if has_url else rest if is_visible else None)


@pytest.mark.parametrize(
    "lease",
    [
        pytest.param(lease_of(url=None, expires=0), id="a URL that was wiped"),
        pytest.param(lease_of(url=None, expires=0, released_at=NOW), id="a lease that was released"),
        pytest.param(pending_lease_of(expires=0), id="pending"),
        pytest.param(resource_lease_of(expires=0), id="a resource"),
    ],
)
def test_what_has_no_url_is_visible_as_it_is_until_the_retention_ends(lease):
    assert lease.visible_at(NOW) == lease.visible_at(after(RETAINED - 1)) == lease
    assert lease.visible_at(after(RETAINED)) is None


def test_no_two_leases_share_an_id():
    leases = []
    for _number in range(100):
        leases.append(Lease(build_key(), UrlGrant.build("https://x"), issued=NOW, expires=NOW))
        leases.append(Lease(build_key(), ResourceGrant("token"), issued=NOW, expires=NOW))
        leases.append(leases[-1].with_resource("stream-1", None))
    ids = {lease.lease_id for lease in leases}
    assert len(ids) == 300
    assert all(len(lease_id) == 32 for lease_id in ids)


def test_a_url_is_named_by_its_sha_256():
    """Frozen by a known value: it answers "whose link is this?" in stores that exist."""
    assert to_sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_unpaired_surrogate_has_a_sha_256_too_since_anybody_may_ask_whose_url_it_is():
    assert to_sha256("\ud800") != to_sha256("?")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("scope", "s" * 2048, True),
        ("scope", "\u00e4" * 1025, False),
        ("holder", "s" * 900, True),
        ("holder", "s" * 901, False),
        ("holder", "", False),
        ("holder", None, False),
        ("holder", 7, False),
        ("holder", "a\ud800", False),
        ("holder", "a\n", False),
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
