# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records and the values that stores have of them. The stores' own tests write and read all kinds of leases."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.records import LEASES, to_dict

from tests.unit.plugins.module_utils.support import NOW, after, build_key, lease_of

LEASE = lease_of(validity=60)
VALUES = {**LEASE.key._asdict(), **LEASES.encode(LEASE)}


def test_a_lease_is_decoded_from_its_values():
    assert LEASES.from_values(VALUES) == LEASE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"expires": None}, id="no expiry"),
        pytest.param({"expires": "soon"}, id="no time"),
        pytest.param({"expires": 10**16}, id="no year"),
        pytest.param({"lease_id": 1}, id="a number for a text"),
        pytest.param({"lease_id": None}, id="no id"),
        pytest.param({"purpose": 1}, id="a number for a purpose"),
        pytest.param({"url_sha256": None}, id="neither a URL nor a resource"),
        pytest.param({"validity": "long"}, id="no validity"),
    ],
)
def test_values_that_are_not_of_a_lease_are_rejected(change):
    with pytest.raises((LookupError, OSError, OverflowError, TypeError, ValueError)):
        LEASES.from_values({**VALUES, **change})


def test_records_are_listed_as_they_are_visible_or_as_they_are():
    old, expired = lease_of(build_key("old"), expires=-31 * 86_400), lease_of(build_key("expired"), expires=-1)
    records = [LEASE, old, expired]
    assert to_dict(records, None) == {record.key: record for record in records}
    assert to_dict(records, NOW) == {LEASE.key: LEASE, expired.key: expired.without_url()}
    assert to_dict(records, after(-2)) == {LEASE.key: LEASE, expired.key: expired}
