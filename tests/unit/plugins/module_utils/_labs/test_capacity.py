# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever ends last restores the capacity that labs have raised, unless somebody else has changed it since."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._labs.capacity import (
    CAPACITIES,
    START_TIME,
    CapacityKey,
    CapacityRecord,
    CapacitySettings,
    LabCapacity,
    Restoration,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS, LabRecord, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Write

from tests.unit.plugins.module_utils.support import DAY, NOW, SCOPE, MemoryStore, after, build_key

KEY = CapacityKey(SCOPE, "us-east-1")
HOURS = 3600


class Location:
    """A location whose capacity labs raise and restore, as the module does it. The maximum is 50, or more if needed."""

    def __init__(self, always_on=0):
        self.capacity, self.store, self.now = CapacitySettings(always_on, 50), MemoryStore(lambda: self.now), NOW

    def raised(self, lab, key=KEY, **options):
        return LabCapacity(self.store, lab, lambda: self.now, **options).at(key.scope, key.location)

    def find_locations(self, lab):
        return LabCapacity(self.store, lab, lambda: self.now).find_locations(SCOPE)

    def run(self, lab, needed, *, killed_before="", ends_at=4 * HOURS, starts_at=None):
        """Start a lab, or run it again; return whether its URLs were issued."""
        raised = self.raised(lab)
        if self.capacity.always_on < needed:
            wanted = CapacitySettings(needed, max(needed, self.capacity.maximum))
            assert raised.plan(self.capacity, wanted)
            if killed_before == "update":
                return
            self.capacity = wanted
            if killed_before == "confirm":
                return
            raised.confirm()
        else:
            raised.join(self.capacity)
        if killed_before != "issue":
            record = LabRecord(lab, build_key(lab), lab, after(ends_at), starts_at)
            Labs(self.store, SCOPE).join([record])

    def end(self, lab):
        """End a lab; return what became of the capacity."""
        labs = Labs(self.store, SCOPE)
        labs.leave(labs.get_records(lab), self.now)
        raised = self.raised(lab)
        restoration = raised.leave(self.capacity)
        self.capacity = restoration.settings or self.capacity
        if not restoration.needed_by:
            raised.forget()
        return restoration

    @property
    def record(self):
        return self.store.records(CAPACITIES).read([KEY]).get(KEY)


def run_labs(steps, location=None):
    """Run labs by steps such as "a30", "b40" and "-a", which ends lab a; "=20" is a change by hand."""
    location = location or Location()
    restorations = []
    for step in steps.split():
        if step[0] == "-":
            restorations.append(location.end(step[1:]))
        elif step[0] == "=":
            location.capacity = CapacitySettings(int(step[1:]), 50)
        else:
            location.run(step[0], int(step[1:]))
    return location, restorations


@pytest.mark.parametrize(
    ("steps", "always_on"),
    [
        pytest.param("a30 -a", 0, id="the lab that raised it"),
        pytest.param("a30 a30 a35 -a", 0, id="a lab that raised it twice"),
        pytest.param("=30 a20 -a", 30, id="a lab that had enough"),
        pytest.param("=10 a30 -a", 10, id="to what it was, not to nothing"),
        pytest.param("a30 b20 -a", 30, id="needed by another lab"),
        pytest.param("a30 b20 -a -b", 0, id="another lab inherits it"),
        pytest.param("a30 b40 -a", 40, id="raised by both, and still needed"),
        pytest.param("a30 b40 -a -b", 0, id="raised by both, in the order of their starts"),
        pytest.param("a30 b40 -b -a", 0, id="raised by both, the last one first"),
        pytest.param("a30 b40 a50 -b -a", 0, id="raised in turns"),
        pytest.param("a30 b20 c20 -a -b", 30, id="inherited by the second of three"),
        pytest.param("a30 b20 c20 -a -b -c", 0, id="inherited twice"),
        pytest.param("a30 b20 c20 -b -a -c", 0, id="inherited by the last"),
        pytest.param("a30 -b", 30, id="not by a lab that is unknown"),
        pytest.param("a30 -a -a", 0, id="ended twice"),
        pytest.param("a30 -a =20 -a", 20, id="raised by hand after the end"),
        pytest.param("a30 -a b20 -b", 0, id="one lab after the other"),
    ],
)
def test_whoever_ends_last_restores_the_capacity(steps, always_on):
    location, _restorations = run_labs(steps)

    assert location.capacity == CapacitySettings(always_on, 50)
    assert (location.record is None) is (always_on in (0, 10) or "=" in steps)


@pytest.mark.parametrize(
    ("steps", "always_on"),
    [
        pytest.param("a30 =40 -a", 40, id="raised"),
        pytest.param("a30 =10 -a", 10, id="lowered"),
        pytest.param("a30 a40 =30 -a", 30, id="set to what it was in between"),
        pytest.param("a30 b40 =35 -a", 35, id="while another lab is under way"),
        pytest.param("a30 =10 b20 -a -b", 10, id="and raised again by another lab"),
        pytest.param("a30 =10 a20 -a", 10, id="and raised again by the lab"),
    ],
)
def test_a_capacity_that_somebody_has_changed_since_is_left_alone(steps, always_on):
    location, _restorations = run_labs(steps)

    assert location.capacity.always_on == always_on
    assert location.record is None


def test_the_result_says_what_became_of_it():
    assert run_labs("a30 b20 -a -b")[1] == [Restoration(needed_by="b"), Restoration(CapacitySettings(0, 50))]
    assert run_labs("a30 =40 -a")[1] == [Restoration(is_changed=True)]
    assert run_labs("a30 =0 -a")[1] == [Restoration()]
    assert run_labs("=30 a20 -a")[1] == [Restoration()]


def test_the_maximum_is_restored_too():
    location, _restorations = run_labs("a70")
    assert location.capacity == CapacitySettings(70, 70)

    assert location.end("a") == Restoration(CapacitySettings(0, 50))


@pytest.mark.parametrize("killed_before", ["update", "confirm", "issue"])
@pytest.mark.parametrize("rest", ["-a", "a30 -a", "a40 -a", "b20 -a -b", "b35 -b -a"])
def test_a_run_that_was_killed_while_it_raised_the_capacity_leaves_nothing_behind(killed_before, rest):
    location = Location()
    location.run("a", 20)
    location.run("a", 30, killed_before=killed_before)

    run_labs(rest, location)

    assert location.capacity == CapacitySettings(0, 50)
    assert location.record is None


def test_a_lab_that_is_over_needs_no_capacity_also_if_nobody_ended_it():
    location = Location()
    location.run("a", 30)
    location.run("b", 40, ends_at=1 * HOURS)
    location.now = after(2 * HOURS)

    assert location.end("a") == Restoration(CapacitySettings(0, 50))


def test_a_lab_restores_what_was_raised_by_one_that_is_over_if_it_has_used_it():
    location = Location()
    location.run("a", 30, ends_at=1 * HOURS)
    location.now = after(2 * HOURS)
    location.run("b", 20)

    assert location.end("b") == Restoration(CapacitySettings(0, 50))


def test_a_lab_that_starts_later_does_not_keep_the_capacity():
    location = Location()
    location.run("a", 30)
    location.run("b", 20, ends_at=DAY, starts_at=after(DAY - HOURS))

    assert location.end("a") == Restoration(CapacitySettings(0, 50))


def test_a_lab_that_has_just_raised_the_capacity_is_under_way_before_its_urls_are_issued():
    location = Location()
    location.run("a", 30)
    location.run("b", 40, killed_before="issue")

    assert location.end("a") == Restoration(needed_by="b")
    assert location.end("b") == Restoration(CapacitySettings(0, 50))


def test_a_lab_that_has_never_issued_urls_is_not_under_way_for_long():
    location = Location()
    location.run("a", 30)
    location.run("b", 40, killed_before="issue")
    location.now = NOW + START_TIME

    assert location.end("a") == Restoration(CapacitySettings(0, 50))


def test_the_lab_that_ends_last_inherits_the_capacity():
    location = Location()
    location.run("a", 30)
    location.run("c", 20, ends_at=2 * HOURS)
    location.run("b", 20, ends_at=3 * HOURS)

    assert location.end("a") == Restoration(needed_by="b")
    assert location.record.labs == {"b"}


def test_a_run_that_was_slower_than_another_does_not_change_the_capacity():
    location = Location()
    slow = location.raised("b")
    location.run("a", 30)

    assert not slow.plan(CapacitySettings(0, 50), CapacitySettings(40, 50))
    assert location.record.labs == {"a"}
    # It reads the capacity again, and plans again.
    assert slow.plan(location.capacity, CapacitySettings(40, 50))
    assert (location.record.labs, location.record.before) == ({"a", "b"}, CapacitySettings(0, 50))


def test_a_store_that_fails_is_an_error(monkeypatch):
    location = Location()
    monkeypatch.setattr(location.store.records(CAPACITIES), "write", lambda changes: [LeaseStoreError("It is full.")])

    with pytest.raises(LeaseStoreError, match="It is full"):
        location.run("a", 30)


def record_of(**fields):
    known = dict(key=KEY, labs=frozenset({"Übung, №7", "a"}), raised_by="a", raised_at=NOW, expires=after(DAY))
    return CapacityRecord(
        **{
            **known,
            "before": CapacitySettings(0, 5),
            "previous": CapacitySettings(2, 5),
            "after": CapacitySettings(9, 9),
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"labs": None}, id="no labs"),
        pytest.param({"labs": "[]"}, id="an empty list"),
        pytest.param({"labs": '{"a": 1}'}, id="another type"),
        pytest.param({"labs": "a"}, id="no JSON"),
        pytest.param({"after_maximum": "many"}, id="no number"),
        pytest.param({"raised_at": None}, id="no time"),
    ],
)
def test_a_record_of_somebody_else_is_rejected(change):
    record = record_of()
    values = {**record.key._asdict(), **CAPACITIES.encode(record)}

    assert CAPACITIES.from_values(values) == record
    with pytest.raises((TypeError, ValueError)):
        CAPACITIES.from_values({**values, **change})


def test_a_record_outlives_the_stream_group():
    location, _restorations = run_labs("a30")

    assert location.record.expires - NOW >= timedelta(days=365)
    assert location.record.visible_at(location.record.expires + timedelta(days=29)) == location.record
    assert location.record.visible_at(location.record.expires + timedelta(days=30)) is None


def test_a_lab_finds_the_locations_that_it_restores():
    location = Location()
    location.run("a", 30)
    location.run("b", 20)
    for key in (CapacityKey(SCOPE, "eu-west-1"), CapacityKey("another", "x")):
        location.raised("b", key).plan(CapacitySettings(0, 0), CapacitySettings(1, 1))

    assert (location.find_locations("a"), location.find_locations("b")) == (["us-east-1"], ["eu-west-1"])
    location.end("a")
    assert (location.find_locations("a"), location.find_locations("b")) == ([], ["eu-west-1", "us-east-1"])


def test_what_another_lab_stores_while_the_capacity_is_restored_stays():
    location = Location()
    location.run("a", 30)
    raised = location.raised("a")
    restoration = raised.leave(location.capacity)
    location.run("b", 40)

    raised.forget()

    assert restoration.settings == CapacitySettings(0, 50)
    assert "b" in location.record.labs


def test_check_mode_stores_nothing():
    location = Location()
    assert location.raised("a", check_mode=True).plan(location.capacity, CapacitySettings(30, 50))
    assert location.record is None

    location.run("a", 30)
    location.run("b", 20)
    before = location.record
    labs = Labs(location.store, SCOPE)
    labs.leave(labs.get_records("a"), NOW)
    raised = location.raised("a", check_mode=True)
    assert raised.leave(location.capacity) == Restoration(needed_by="b")
    raised.forget()
    location.raised("b", check_mode=True).join(location.capacity)
    assert location.record == before


def test_other_records_are_not_in_the_way():
    location = Location()
    location.store.records(LAB_RECORDS).write([Write(LabRecord("z", build_key("z", scope="x"), "z", after(DAY)), None)])
    location.run("a", 30)

    assert location.end("a") == Restoration(CapacitySettings(0, 50))
