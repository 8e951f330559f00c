# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a lab's learners: page names are unguessable, the same in every run, agreed on by concurrent runs."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import (
    LEARNERS,
    LIFETIME,
    RENEWED_BELOW,
    LearnerKey,
    LearnerRecord,
    find_learners,
    get_latest_keys,
    remember_learners,
    rotate_learners,
    validate_generation,
    validate_learner_id,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import RETENTION, build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore

from tests.unit.plugins.module_utils.support import NOW, MemoryRecords, MemoryStore, StoreClock, build_key

ANNA, BEN = LearnerKey("cad", "anna"), LearnerKey("cad", "ben")


@pytest.fixture
def clock():
    return StoreClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock)


def writes(store):
    return sum(records.writes for records in store.others.values())


def remember(store, wanted, *, lab="cad", until=None, existing=None):
    """What a run does."""
    existing = find_learners(store, lab) if existing is None else existing
    return remember_learners(store, existing, wanted, until or store.now())


def tokens(records):
    return {key: record.page_token for key, record in records.items()}


def test_a_name_has_128_random_bits_and_no_part_of_the_learners(store):
    records = remember(store, {LearnerKey("cad", f"anna-{number}"): None for number in range(50)})
    names = set(tokens(records).values())
    assert len(names) == 50
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_a_later_run_finds_the_same_names_and_writes_nothing(store):
    first = remember(store, {ANNA: build_key("anna"), BEN: None})
    before = writes(store)
    assert remember(store, {ANNA: build_key("anna"), BEN: None}) == first
    assert writes(store) == before


def test_each_lab_and_each_generation_has_a_name_of_its_own(store):
    records = [
        remember(store, {ANNA: None}),
        remember(store, {LearnerKey("cad-2", "anna"): None}, lab="cad-2"),
        remember(store, {LearnerKey("cad", "anna", 1): None}),
        remember(store, {LearnerKey("cad", "anna", 2): None}),
    ]
    assert len({name for found in records for name in tokens(found).values()}) == 4
    assert find_learners(store, "cad").keys() == {ANNA, LearnerKey("cad", "anna", 1), LearnerKey("cad", "anna", 2)}


def test_concurrent_runs_agree_on_the_name_of_the_faster_one(store):
    nothing = find_learners(store, "cad")
    faster = remember(store, {ANNA: build_key("anna")}, existing=nothing)
    slower = remember(store, {ANNA: build_key("anna"), BEN: None}, existing=nothing)
    assert slower[ANNA] == faster[ANNA]
    assert tokens(find_learners(store, "cad")) == tokens(slower)


def test_the_lease_that_a_page_shows_is_stored_and_may_change_without_another_name(store):
    first = remember(store, {ANNA: None})[ANNA]
    second = remember(store, {ANNA: build_key("anna")})[ANNA]
    third = remember(store, {ANNA: None})[ANNA]
    moved = remember(store, {ANNA: build_key("anna-2", build_purpose(application_id="cad"))})[ANNA]
    assert [record.lease for record in (first, second, third)] == [None, build_key("anna"), build_key("anna")]
    assert moved.lease == build_key("anna-2", build_purpose(application_id="cad"))
    assert {record.page_token for record in (second, third, moved)} == {first.page_token}


@pytest.mark.parametrize(("left", "written"), [(RENEWED_BELOW, 0), (RENEWED_BELOW - timedelta(seconds=1), 1)])
def test_a_record_is_renewed_only_when_little_is_left_of_it(store, clock, left, written):
    first = remember(store, {ANNA: None})
    before, clock.when = writes(store), NOW + LIFETIME - left
    assert tokens(remember(store, {ANNA: None})) == tokens(first)
    assert writes(store) - before == written
    expires = find_learners(store, "cad")[ANNA].expires
    assert expires == (clock.when + LIFETIME if written else NOW + LIFETIME)


def test_a_name_lasts_from_a_lab_months_ahead_to_long_after_it(store, clock):
    end = NOW + timedelta(days=300)
    first = remember(store, {ANNA: None}, until=end)
    clock.when = end + LIFETIME
    assert tokens(find_learners(store, "cad")) == tokens(first)


def test_a_lab_may_end_on_the_last_day_of_all(store):
    end = datetime.max.replace(tzinfo=UTC)
    first = remember(store, {ANNA: None}, until=end)
    before = writes(store)
    assert tokens(remember(store, {ANNA: None}, until=end)) == tokens(first)
    assert writes(store) == before


def test_a_name_whose_record_has_expired_is_still_used_and_kept_from_then_on(store, clock):
    first = remember(store, {ANNA: None})
    clock.when = NOW + LIFETIME + RETENTION - timedelta(seconds=1)
    assert tokens(remember(store, {ANNA: None})) == tokens(first)
    assert find_learners(store, "cad")[ANNA].expires == clock.when + LIFETIME


def test_what_is_purged_is_gone_and_its_name_is_not_used_again(store):
    first = remember(store, {ANNA: None, BEN: None})
    store.records(LEARNERS).purge(find_learners(store, "cad").values())
    assert find_learners(store, "cad") == {}
    assert remember(store, {ANNA: None})[ANNA].page_token != first[ANNA].page_token


def test_a_store_that_fails_fails_the_run(store):
    class Full(MemoryRecords):
        def compare_and_set(self, record, *, expected):
            raise LeaseStoreError("The store is full.")

    store.records = lambda record_type: Full(record_type, store.now)
    with pytest.raises(LeaseStoreError, match="The store is full"):
        remember(store, {ANNA: None})


@pytest.mark.parametrize("token", ["../../etc/passwd", "0" * 31, "0" * 32 + "\n", ""])
def test_no_other_text_is_the_name_of_a_file(token):
    with pytest.raises(ValueError, match="page_token"):
        LearnerRecord(ANNA, token, None, NOW)


@pytest.mark.parametrize(
    "change",
    [
        "page_token = '../../etc/passwd'",
        "page_token = 7",
        "lease = 'stream-1'",
        "lease = 'lease1.WzEsMiwzXQ'",
        "expires = 'soon'",
        "generation = 'x'",
    ],
)
def test_a_record_of_somebody_else_is_rejected(tmp_path, change):
    path = tmp_path / "leases"
    with closing(SQLiteLeaseStore(str(path), now=lambda: NOW, create=True)) as store:
        remember(store, {ANNA: build_key("anna")}, until=NOW)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE learner SET {change}")
        database.commit()
    with (
        closing(SQLiteLeaseStore(str(path), now=lambda: NOW, create=False)) as store,
        pytest.raises(LeaseStoreError, match="is damaged"),
    ):
        find_learners(store, "cad")


def test_no_name_is_in_what_is_printed_of_a_record(store):
    record = remember(store, {ANNA: None})[ANNA]
    assert record.page_token not in repr(record)


@pytest.mark.parametrize("learner_id", ["a", "🎓" * 200])
def test_an_id_has_up_to_200_characters(learner_id):
    validate_learner_id(learner_id)


@pytest.mark.parametrize("learner_id", ["", "a" * 201, "a\ud800", "a\0", "\u200b", "\u0149" * 101])
def test_another_text_does_not_identify_a_learner(learner_id):
    with pytest.raises(InvalidOption, match=r"^The id of a learner is '.*', but it must have 1 to 200 Unicode"):
        validate_learner_id(learner_id)


@pytest.mark.parametrize("generation", [-1, 1001, True, "1", None, 1.0])
def test_another_value_is_not_a_generation(generation):
    with pytest.raises(InvalidOption, match=r"^The generation of learner 'anna' is .*, but it must be a whole number"):
        validate_generation("anna", generation)


# Generations: how often a learner was rotated because a link leaked.


def rotated(store, *learner_ids, lab="cad"):
    return rotate_learners(store, lab, find_learners(store, lab), learner_ids, store.now())


def test_every_rotation_gives_a_learner_the_next_generation_and_is_stored(store):
    remember(store, {ANNA: build_key("anna"), BEN: None})
    assert rotated(store) == {}
    assert rotated(store, "anna") == {"anna": 1}
    assert rotated(store, "anna", "chloe") == {"anna": 2, "chloe": 1}
    assert rotated(store) == {"anna": 2, "chloe": 1}
    assert rotated(store, lab="cad-2") == {}


def test_a_rotated_learner_gets_another_page_name(store):
    before = remember(store, {ANNA: None})
    rotated(store, "anna")
    assert get_latest_keys(find_learners(store, "cad")) == {"anna": LearnerKey("cad", "anna", 1)}
    after = remember(store, {LearnerKey("cad", "anna", 1): None})
    assert tokens(before)[ANNA] != tokens(after)[LearnerKey("cad", "anna", 1)]


def test_concurrent_runs_that_rotate_a_learner_rotate_once(store):
    existing = find_learners(store, "cad")
    assert rotate_learners(store, "cad", existing, ["anna"], NOW) == {"anna": 1}
    assert rotate_learners(store, "cad", existing, ["anna"], NOW) == {"anna": 1}
    assert rotated(store) == {"anna": 1}


SPELLINGS = ["Straße@Example.org", "STRASSE@EXAMPLE.ORG", " strasse@example.org\u200b"]


def test_a_learner_is_one_record_in_whichever_case_rosters_write_the_id(store):
    first, *others = [remember(store, {LearnerKey.build("cad", spelling): None}) for spelling in SPELLINGS]
    assert first.keys() == {LearnerKey("cad", "strasse@example.org")}
    assert others == [first, first]


def test_a_learner_who_is_rotated_in_another_case_is_rotated_once(store):
    assert rotated(store, *SPELLINGS) == {"strasse@example.org": 1}
    assert [rotated(store, spelling) for spelling in SPELLINGS[:2]] == [
        {"strasse@example.org": generation} for generation in (2, 3)
    ]


def test_a_generation_is_kept_as_long_as_runs_of_the_lab_ask_for_it(store, clock):
    rotated(store, "anna")
    for _month in range(12):
        clock.when += timedelta(days=100)
        assert rotated(store) == {"anna": 1}
    clock.when += LIFETIME + RETENTION + timedelta(days=1)
    assert rotated(store) == {}
