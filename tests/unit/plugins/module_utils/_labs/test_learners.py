# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of pages: unguessable, the same in every run, agreed on by runs at once."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import (
    KEPT,
    RENEWED_BELOW,
    Place,
    find_pages,
    latest_places,
    purge_pages,
    remember_pages,
    rotate,
    scope_of,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import RETENTION, LeaseKey

from tests.unit.plugins.module_utils.support import NOW, MemoryStore, build_key

ANNA, BEN = Place("anna"), Place("ben")


@pytest.fixture
def store():
    return MemoryStore()


def remember(store, wanted, *, lab="cad", now=NOW, until=None, known=None):
    """What a run does."""
    known = find_pages(store, lab, now=now) if known is None else known
    return remember_pages(store, lab, known, wanted, now=now, until=until or now)


def tokens(pages):
    return {place: page.token for place, page in pages.items()}


def test_a_name_has_128_random_bits_and_no_part_of_the_learners(store):
    pages = remember(store, {Place(f"anna-{number}"): None for number in range(50)})
    names = set(tokens(pages).values())
    assert len(names) == 50
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_a_later_run_finds_the_same_names_and_writes_nothing(store):
    first = remember(store, {ANNA: build_key("anna"), BEN: None})
    writes = store.writes
    assert remember(store, {ANNA: build_key("anna"), BEN: None}) == first
    assert store.writes == writes


def test_each_class_and_each_generation_has_a_name_of_its_own(store):
    pages = [
        remember(store, {ANNA: None}),
        remember(store, {ANNA: None}, lab="cad-2"),
        remember(store, {Place("anna", 1): None}),
        remember(store, {Place("anna", 2): None}),
    ]
    assert len({name for found in pages for name in tokens(found).values()}) == 4
    assert find_pages(store, "cad").keys() == {ANNA, Place("anna", 1), Place("anna", 2)}


def test_runs_at_once_agree_on_the_name_of_the_faster_one(store):
    nothing = find_pages(store, "cad")
    faster = remember(store, {ANNA: build_key("anna")}, known=nothing)
    slower = remember(store, {ANNA: build_key("anna"), BEN: None}, known=nothing)
    assert slower[ANNA] == faster[ANNA]
    assert tokens(find_pages(store, "cad")) == tokens(slower)


def test_what_a_page_shows_is_remembered_and_may_change_without_another_name(store):
    first = remember(store, {ANNA: None})[ANNA]
    second = remember(store, {ANNA: build_key("anna")})[ANNA]
    third = remember(store, {ANNA: None})[ANNA]
    moved = remember(store, {ANNA: build_key("anna-2", "cad")})[ANNA]
    assert [page.shows for page in (first, second, third)] == [None, build_key("anna"), build_key("anna")]
    assert moved.shows == build_key("anna-2", "cad")
    assert {page.token for page in (second, third, moved)} == {first.token}


@pytest.mark.parametrize(("left", "writes"), [(RENEWED_BELOW, 0), (RENEWED_BELOW - timedelta(seconds=1), 1)])
def test_a_record_is_renewed_only_when_little_is_left_of_it(store, left, writes):
    first = remember(store, {ANNA: None})
    before, later = store.writes, NOW + KEPT - left
    assert tokens(remember(store, {ANNA: None}, now=later)) == tokens(first)
    assert store.writes - before == writes
    expires = find_pages(store, "cad", now=later)[ANNA].record.expires
    assert expires == (later + KEPT if writes else NOW + KEPT)


def test_a_name_lasts_from_a_class_months_ahead_to_long_after_it(store):
    to_utc = NOW + timedelta(days=300)
    first = remember(store, {ANNA: None}, until=to_utc)
    assert tokens(find_pages(store, "cad", now=to_utc + KEPT)) == tokens(first)


def test_a_name_whose_record_has_expired_is_still_used_and_kept_from_then_on(store):
    first = remember(store, {ANNA: None})
    later = NOW + KEPT + RETENTION - timedelta(seconds=1)
    assert tokens(remember(store, {ANNA: None}, now=later)) == tokens(first)
    assert find_pages(store, "cad", now=later)[ANNA].record.expires == later + KEPT


def test_a_name_that_was_forgotten_is_not_used_again(store):
    first = remember(store, {ANNA: None})
    store.release([first[ANNA].record.key])
    assert find_pages(store, "cad") == {}
    assert remember(store, {ANNA: None})[ANNA].token != first[ANNA].token


def test_what_is_purged_is_gone(store):
    remember(store, {ANNA: None, BEN: None})
    purge_pages(store, find_pages(store, "cad"))
    assert store.leases == {}


def test_a_store_that_fails_fails_the_run():
    class Full(MemoryStore):
        def compare_and_set(self, lease, *, expected):
            raise LeaseStoreError("The store is full.")

    with pytest.raises(LeaseStoreError, match="The store is full"):
        remember(Full(), {ANNA: None})


@pytest.mark.parametrize(
    "fields",
    [
        {"client_token": "../../etc/passwd"},
        {"client_token": "0" * 31},
        {"client_token": "0" * 32 + "\n"},
        {"client_token": None},
        {"stream_id": "stream-1"},
        {"stream_id": "[1, 2, 3]"},
        {"stream_id": '["a", "b"]'},
        {"key": LeaseKey(scope_of("cad"), "anna", '{"application_id":"cad"}')},
        {"key": LeaseKey(scope_of("cad"), "anna", "no JSON")},
    ],
)
def test_a_record_of_somebody_else_names_no_file(store, fields):
    [record] = [page.record for page in remember(store, {ANNA: None}).values()]
    store.leases = {record.key: dataclasses.replace(record, **fields)}
    with pytest.raises(
        LeaseStoreError, match=r"^The lease store has a record of the page of 'anna' that is none of this"
    ):
        find_pages(store, "cad")


def test_no_name_is_in_what_is_printed_of_a_page(store):
    page = remember(store, {ANNA: None})[ANNA]
    assert page.token not in repr(page)


# Generations: how often a learner's link came into wrong hands.


def rotated(store, *learners, lab="cad"):
    return rotate(store, lab, find_pages(store, lab, now=now), learners, now=now)


def test_every_rotation_gives_a_learner_the_next_generation_and_is_remembered(store):
    remember(store, {ANNA: build_key("anna"), BEN: None})
    assert rotated(store) == {}
    assert rotated(store, "anna") == {"anna": 1}
    assert rotated(store, "anna", "chloe") == {"anna": 2, "chloe": 1}
    assert rotated(store) == {"anna": 2, "chloe": 1}
    assert rotated(store, lab="cad-2") == {}


def test_a_rotated_learner_gets_another_page_name(store):
    before = remember(store, {ANNA: None})
    rotated(store, "anna")
    assert latest_places(find_pages(store, "cad")) == {"anna": Place("anna", 1)}
    after = remember(store, {Place("anna", 1): None})
    assert tokens(before)[ANNA] != tokens(after)[Place("anna", 1)]


def test_two_runs_that_rotate_a_learner_at_once_rotate_once(store):
    known = find_pages(store, "cad")
    assert rotate(store, "cad", known, ["anna"]) == {"anna": 1}
    assert rotate(store, "cad", known, ["anna"]) == {"anna": 1}
    assert rotated(store) == {"anna": 1}


def test_a_learner_written_in_capitals_has_the_generations_of_the_same_one_in_small_letters(store):
    rotated(store, "Anna@Example.org")
    assert rotated(store, "anna@example.org") == {"Anna@Example.org": 1, "anna@example.org": 2}


def test_a_generation_is_kept_as_long_as_runs_of_the_class_ask_for_it(store):
    rotated(store, "anna")
    now = NOW
    for _month in range(12):
        now += timedelta(days=100)
        assert rotated(store, now=now) == {"anna": 1}
    assert rotated(store, now=now + KEPT + RETENTION + timedelta(days=1)) == {}
