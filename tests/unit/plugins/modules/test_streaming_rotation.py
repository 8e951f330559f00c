# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotation on a host whose clock is wrong. What else it does is tested with the simulator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import LIFETIME, find_learners
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.modules import streaming_rotation

from tests.unit.plugins.module_utils.support import DAY, NOW, after, compare_and_set, lease_of, release


@pytest.mark.parametrize("days", [-1000, 0, 1000])
def test_a_wrong_clock_forgets_no_generation_and_shortens_no_record(tmp_path, monkeypatch, days):
    # Given a lab with a lease, and a host with that clock.
    params = dict(lease_store=f"sqlite://{tmp_path}/leases.sqlite3", lab="cad", rotate=["anna"])
    module = SimpleNamespace(params=params, check_mode=False, _diff=False, result={})
    monkeypatch.setattr(streaming_rotation, "utc_now", lambda: after(days * DAY))
    with open_lease_store(module, create=True, service_now=lambda: NOW) as store:
        compare_and_set(store, lease_of())

    # When the learner is rotated twice, with another run in between that wipes and drops.
    streaming_rotation.run(module)
    with open_lease_store(module, create=True, service_now=lambda: NOW) as store:
        release(store)
    streaming_rotation.run(module)

    # Then it is known that it was twice.
    assert module.result["generations"] == {"anna": 2}
    with open_lease_store(module, create=False, service_now=lambda: NOW) as store:
        records = find_learners(store, "cad")
    assert [key.generation for key in records] == [1, 2]
    assert {record.expires for record in records.values()} == {max(NOW, after(days * DAY)) + LIFETIME}
