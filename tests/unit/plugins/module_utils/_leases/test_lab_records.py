# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which labs a lease serves, and which of them are ahead."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import (
    LAB_RECORDS,
    LabRecord,
    Labs,
    describe_excess,
    find_other_labs,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Write

from tests.unit.plugins.module_utils.support import DAY, NOW, SCOPE, MemoryStore, after, build_key

ELSEWHERE = SCOPE + "-2"


def record_of(lab="cad", holder="anna", *, ends_at=3600, scope=SCOPE, **fields):
    """A record of a lab that lasts for so many seconds."""
    return LabRecord(lab, build_key(holder, scope=scope), holder, after(ends_at), **fields)


def store_with(*records):
    """A store with these records."""
    store = MemoryStore()
    store.records(LAB_RECORDS).write([Write(record, None) for record in records])
    return store


@pytest.mark.parametrize(
    ("record", "ahead"),
    [
        pytest.param(record_of(), True, id="under way"),
        pytest.param(record_of(starts_at=after(60)), True, id="still to start"),
        pytest.param(record_of(ends_at=1), True, id="in its last second"),
        pytest.param(record_of(ends_at=0), False, id="over"),
        pytest.param(record_of(ended_at=NOW), False, id="ended before its time"),
    ],
)
def test_a_lab_is_ahead_until_its_end_unless_it_was_ended(record, ahead):
    assert Labs(store_with(record), SCOPE).others_ahead(None, NOW) == ([record] if ahead else [])


def test_labs_of_a_scope_are_known_by_name_also_when_they_are_over():
    store = store_with(
        record_of("b"), record_of("b", "ben"), record_of("a", ended_at=NOW), record_of("c", scope=ELSEWHERE)
    )
    assert Labs(store, SCOPE).names == ["a", "b"]
    assert Labs(store, None).names == ["a", "b", "c"]


def test_a_lab_that_ends_keeps_its_records_and_changes_no_other():
    # Given two labs with one lease.
    mine, other = record_of("cad"), record_of("blender")
    store = store_with(mine, other)

    # When one ends.
    labs = Labs(store, SCOPE)
    labs.leave(labs.get_records("cad"), after(5))

    # Then that is stored of it, and nothing of the other has changed.
    assert Labs(store, SCOPE).get_records("blender") == [other]
    [ended] = Labs(store, SCOPE).get_records("cad")
    assert ended == dataclasses.replace(mine, ended_at=after(5), record_id=ended.record_id)
    assert ended.record_id != mine.record_id


def test_what_another_run_has_written_meanwhile_is_not_ended():
    store = store_with(record_of())
    labs = Labs(store, SCOPE)
    renewed = record_of(ends_at=7200)
    Labs(store, SCOPE).join([renewed])
    labs.leave(labs.get_records("cad"), NOW)
    assert Labs(store, SCOPE).get_records("cad") == [renewed]


def test_a_lab_that_another_run_has_ended_meanwhile_is_returned_as_that_run_has_ended_it():
    store = store_with(record_of("cad"))
    labs, other = Labs(store, SCOPE), Labs(store, SCOPE)
    known = labs.get_records("cad")
    ended = other.leave(other.get_records("cad"), NOW)

    assert labs.leave(known, after(5)) == ended
    assert Labs(store, SCOPE).get_records("cad") == ended


def test_a_store_that_fails_fails_the_run():
    store = store_with()
    records = store.records(LAB_RECORDS)
    records.write = lambda changes: [LeaseStoreError("The lease store x is full.")] * len(changes)
    for change in (
        lambda: Labs(store, SCOPE).join([record_of()]),
        lambda: Labs(store, SCOPE).leave([record_of()], NOW),
    ):
        with pytest.raises(LeaseStoreError):
            change()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"lease": "no lease"}, id="a lease that is none"),
        pytest.param({"lease": build_key("ben").to_text()}, id="another lease than its key says"),
        pytest.param({"learner_id": None}, id="no learner"),
        pytest.param({"expires": "soon"}, id="no time"),
    ],
)
def test_a_record_of_somebody_else_is_rejected(change):
    record = record_of()
    values = {**record.key._asdict(), **LAB_RECORDS.encode(record)}
    assert LAB_RECORDS.from_values(values) == record
    with pytest.raises((TypeError, ValueError)):
        LAB_RECORDS.from_values({**values, **change})


@pytest.mark.parametrize(
    ("removed", "learners", "limit", "is_excess"),
    [
        pytest.param(3, 4, None, False, id="three of a small lab"),
        pytest.param(4, 39, None, True, id="more than three, which is more than a tenth"),
        pytest.param(4, 40, None, False, id="a tenth"),
        pytest.param(5, 40, None, True, id="more than a tenth"),
        pytest.param(5, 40, 5, False, id="as many as the limit"),
        pytest.param(1, 40, 0, True, id="a limit of nobody"),
        pytest.param(2, 2, 9, True, id="all, whatever the limit"),
    ],
)
def test_only_a_few_of_a_lab_are_withdrawn(removed, learners, limit, is_excess):
    excess = describe_excess([f"learner-{number}" for number in range(removed)], learners, limit, "limit")
    assert (excess is not None) is is_excess


def test_other_labs_are_listed_once_each_the_next_one_first():
    # Given labs that are over, under way, later, of another fleet, on another stack under the same name, and one whose
    # learners have different times.
    store = store_with(
        record_of("mine"),
        record_of("mine", starts_at=after(80), ends_at=300, scope=ELSEWHERE),
        record_of("over", ends_at=-1),
        record_of("ended", ended_at=NOW),
        record_of("later", starts_at=after(DAY), ends_at=2 * DAY),
        record_of("soon", starts_at=after(60), ends_at=7200, scope=ELSEWHERE),
        record_of("now", "anna", ends_at=100),
        record_of("now", "ben", starts_at=after(50), ends_at=200),
        record_of("of another fleet", scope="elsewhere"),
    )
    assert find_other_labs(store, "mine", SCOPE, lambda scope: scope.startswith(SCOPE), NOW) == [
        ("now", None, after(200)),
        ("soon", after(60), after(7200)),
        ("mine", after(80), after(300)),
        ("later", after(DAY), after(2 * DAY)),
    ]
