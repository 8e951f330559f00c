# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotation on a host whose clock is wrong, and in several labs. What else it does is tested with the simulator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import LIFETIME, find_learners
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LabRecord, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.modules import streaming_rotation

from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    after,
    build_key,
    compare_and_set,
    lease_of,
    release,
)


@pytest.mark.parametrize("days", [-1000, 0, 1000])
def test_a_wrong_clock_drops_no_generation_and_shortens_no_record(tmp_path, monkeypatch, days):
    # Given a lab with a lease, and a host with that clock.
    params = dict(lease_store=f"sqlite://{tmp_path}/leases.sqlite3", lab="cad", rotate=["anna"])
    module = SimpleNamespace(params=params, check_mode=False, _diff=False, result=dict(streaming_rotation.EMPTY_RESULT))
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


def test_who_is_rotated_in_one_lab_is_rotated_in_every_lab_that_has_the_same_user(tmp_path, monkeypatch):
    # Given labs with the same user: with the same lease, with one for another application, over, and elsewhere.
    params = dict(lease_store=f"sqlite://{tmp_path}/leases.sqlite3", lab="cad", rotate=["anna"])
    module = SimpleNamespace(
        params=params,
        check_mode=False,
        _diff=False,
        result=dict(streaming_rotation.EMPTY_RESULT),
        warn=lambda _warning: None,
    )
    anna, office = build_key("anna"), build_key("anna", build_purpose(application_id="office"))
    elsewhere = build_key("anna", scope=f"{SCOPE}-2")
    labs = [("cad", anna, 60), ("same", anna, 60), ("office", office, 60), ("over", anna, -1), ("far", elsewhere, 60)]
    monkeypatch.setattr(streaming_rotation, "utc_now", lambda: NOW)
    with open_lease_store(module, create=True, service_now=lambda: NOW) as store:
        compare_and_set(store, lease_of())
        Labs(store, None).join(LabRecord(lab, key, "Anna", after(ends_at)) for lab, key, ends_at in labs)

    streaming_rotation.run(module)

    # Then those that are ahead on the same stack and fleet are named, and have rotated the learner too.
    assert module.result["other_labs"] == ["office", "same"]
    with open_lease_store(module, create=False, service_now=lambda: NOW) as store:
        rotated = [key for lab, _key, _ends_at in labs for key in find_learners(store, lab)]
    assert rotated == [(lab, "anna", 1) for lab in ("cad", "same", "office")]


def test_a_store_that_fails_in_another_lab_leaves_who_was_rotated_in_the_result(tmp_path, monkeypatch):
    # Given two labs with the same user, and a store that fails for the second one.
    params = dict(lease_store=f"sqlite://{tmp_path}/leases.sqlite3", lab="cad", rotate=["anna"])
    module = SimpleNamespace(
        params=params, check_mode=False, _diff=False, result=dict(streaming_rotation.EMPTY_RESULT), warn=None
    )
    monkeypatch.setattr(streaming_rotation, "utc_now", lambda: NOW)
    with open_lease_store(module, create=True, service_now=lambda: NOW) as store:
        compare_and_set(store, lease_of())
        Labs(store, None).join(LabRecord(lab, build_key("anna"), "Anna", after(60)) for lab in ("cad", "same"))

    def find(store, lab):
        if lab == "same":
            raise LeaseStoreError("It is full.")
        return find_learners(store, lab)

    monkeypatch.setattr(streaming_rotation, "find_learners", find)
    with pytest.raises(LeaseStoreError, match="full"):
        streaming_rotation.run(module)

    assert module.result == {"changed": True, "generations": {"anna": 1}, "rotated": ["anna"], "other_labs": []}
