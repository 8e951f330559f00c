# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What labs raise of a stream group's capacity is stored before the capacity is changed, and restored if it can be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.capacity import LocationCapacity
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_states import REMEDIES, GroupTransition
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.lab_capacity import (
    LabStreamGroup,
    RestoredCapacities,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import build_scope
from ansible_collections.labstream.aws.plugins.module_utils._labs.capacity import (
    CAPACITIES,
    CapacitySettings,
    LabCapacity,
)
from ansible_collections.labstream.aws.plugins.module_utils._waiting import ensure_state

from tests.unit.plugins.module_utils.support import NOW, MemoryStore

LOCATION = "us-east-1"
ARN = "arn:aws:gameliftstreams:us-east-1:123456789012:streamgroup/sg-1"
CLIENT = SimpleNamespace(
    meta=SimpleNamespace(
        endpoint_url="https://gameliftstreams.example.org",
        region_name="eu-central-1",
        service_model=SimpleNamespace(endpoint_prefix="gameliftstreams"),
    )
)
SCOPE = build_scope(CLIENT, ARN).to_text()


class FakeStreamGroup:
    """A stream group with one location, all of whose always-on capacity is idle."""

    status_member = "Status"
    client = CLIENT

    def __init__(self, transition, always_on=0, status="ACTIVE", location=LOCATION):
        self.transition, self.always_on, self.status, self.location = transition, always_on, status, location
        self.location_status, self.maximum, self.target_idle = "ACTIVE", 50, 0
        self.retries = [0.0]
        self.before_update = lambda: None
        self.updates = 0

    def describe(self):
        numbers = dict.fromkeys(("AlwaysOnCapacity", "AllocatedCapacity", "IdleCapacity"), self.always_on)
        numbers.update(MaximumCapacity=self.maximum, TargetIdleCapacity=self.target_idle)
        location = {"LocationName": self.location, "Status": self.location_status, **numbers}
        return {"Arn": ARN, "Id": "sg-1", "Status": self.status, "LocationStates": [location]}

    def make(self, step):
        self.before_update()
        self.updates += 1
        self.always_on = self.transition.configurations[0]["AlwaysOnCapacity"]

    def is_conflict(self, error):
        return False

    def wait(self, seconds):
        raise AssertionError("nothing is waited for")


def start(store, lab, needed, **options):
    """A lab, and the stream group as its run sees it."""
    stream_group = FakeStreamGroup(GroupTransition([LocationCapacity(LOCATION, needed)]), **options)
    return LabCapacity(store, lab, lambda: NOW), stream_group


def run(lab, stream_group):
    resource = LabStreamGroup(stream_group, lab)
    list(ensure_state(resource, stream_group.transition, 1))
    resource.join()


def test_what_the_capacity_was_is_stored_before_it_is_changed():
    store = MemoryStore()
    lab, stream_group = start(store, "a", 30, always_on=2)
    stored = []
    stream_group.before_update = lambda: stored.append(lab.at(SCOPE, LOCATION).record)

    run(lab, stream_group)

    assert [each.before for each in stored] == [CapacitySettings(2, 50)]
    assert lab.at(SCOPE, LOCATION).record.previous == CapacitySettings(30, 50)


def test_a_run_that_is_slower_than_another_looks_again(monkeypatch):
    store = MemoryStore()
    lab, stream_group = start(store, "b", 40)
    faster, same_group = start(store, "a", 30)
    records = store.records(CAPACITIES)
    write = records.write

    def write_late(changes):
        monkeypatch.setattr(records, "write", write)
        run(faster, same_group)
        stream_group.always_on = same_group.always_on
        return write(changes)

    monkeypatch.setattr(records, "write", write_late)
    run(lab, stream_group)

    record = lab.at(SCOPE, LOCATION).record
    assert (stream_group.updates, record.labs) == (1, {"a", "b"})
    assert (record.before.always_on, record.after.always_on) == (0, 40)


@pytest.mark.parametrize("status", REMEDIES)
def test_nothing_is_restored_of_a_stream_group_that_hosts_nothing_any_more(status):
    store = MemoryStore()
    lab, stream_group = start(store, "a", 30)
    run(lab, stream_group)
    stream_group.status = status

    restored = RestoredCapacities.plan(stream_group.describe(), SCOPE, lab)
    restored.forget()

    assert (restored.capacities, restored.kept, lab.find_locations(SCOPE)) == ([], [], [])


@pytest.mark.parametrize("changes", [{"location": "eu-west-1"}, {"location_status": "REMOVING"}])
def test_nothing_is_restored_at_a_location_that_was_removed(changes):
    store = MemoryStore()
    lab, stream_group = start(store, "a", 30)
    run(lab, stream_group)
    vars(stream_group).update(changes)

    restored = RestoredCapacities.plan(stream_group.describe(), SCOPE, lab)
    restored.forget()

    assert (restored.capacities, restored.kept, lab.find_locations(SCOPE)) == ([], [], [])


def test_the_maximum_is_restored_as_far_as_somebody_leaves_it_to_the_lab():
    store = MemoryStore()
    lab, stream_group = start(store, "a", 60)
    run(lab, stream_group)
    stream_group.maximum = 60
    assert lab.at(SCOPE, LOCATION).record.after == CapacitySettings(60, 60)

    for target_idle, maximum in ((50, 50), (55, 55)):
        stream_group.target_idle = target_idle
        restored = RestoredCapacities.plan(stream_group.describe(), SCOPE, lab)
        assert restored.capacities == [LocationCapacity(LOCATION, 0, None, maximum)]


def test_an_update_that_fails_changes_nothing_that_is_to_be_restored():
    store = MemoryStore()
    lab, stream_group = start(store, "a", 30)

    def reject():
        raise NotReady("It is refused.")

    stream_group.before_update = reject
    with pytest.raises(NotReady, match="It is refused"):
        run(lab, stream_group)

    restored = RestoredCapacities.plan(stream_group.describe(), SCOPE, lab)
    restored.forget()
    assert (restored.capacities, restored.kept, lab.find_locations(SCOPE)) == ([], [], [])
