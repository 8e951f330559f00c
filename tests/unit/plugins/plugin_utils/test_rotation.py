# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Learners whose link came into the wrong hands get another user id."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._rotation import Generations, rotated_learners
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import is_valid, rotated_user_id

LEARNERS = roster([{"id": "Anna"}, {"id": "ben", "user_id": "b-1", "session_context": "unit-7"}])


def test_a_learner_who_was_never_rotated_keeps_the_user_id():
    assert rotated_learners(LEARNERS, {}) == rotated_learners(LEARNERS, {"chloe": 3}) == LEARNERS


def test_each_generation_has_a_user_id_of_its_own_and_nothing_else_is_changed():
    anna, ben = rotated_learners(LEARNERS, {"ben": 2})

    assert anna == LEARNERS[0]
    assert ben == {**LEARNERS[1], "user_id": rotated_user_id("b-1", 2)}


def test_the_earlier_user_ids_of_some_learners_are_rows_too():
    generations = {"Anna": 1, "ben": 2}

    assert rotated_learners(LEARNERS, generations, former_of=[]) == []
    assert rotated_learners(LEARNERS, {}, former_of=["ben"]) == []
    assert rotated_learners(LEARNERS, generations, former_of=["ben"]) == [
        LEARNERS[1],
        {**LEARNERS[1], "user_id": rotated_user_id("b-1", 1)},
    ]


@pytest.mark.parametrize("spelling", ["ANNA", "anna", " Anna "])
def test_a_learner_is_found_however_rosters_spell_them(spelling):
    generations = {"ANNA": 0, spelling: 1}

    assert rotated_learners(LEARNERS, generations)[0]["user_id"] == rotated_user_id("anna", 1)
    assert (Generations(generations)["Anna"], Generations(generations)["ben"]) == (1, 0)
    assert rotated_learners(LEARNERS, generations, former_of=[spelling]) == [LEARNERS[0]]


@pytest.mark.parametrize(
    ("user_id", "generation", "expected"),
    [
        ("anna", 0, "anna"),
        ("anna", 1, "anna-aham6q5jh6hi"),
        ("a@example.org", 2, "a@example.org-xtmtdj3erht3"),
        ("aaaaaaaaaaaaaaaaaa.@bbbbbbbbbbbb", 1, "aaaaaaaaaaaaaaaaaa-obqqz6qgvz5p"),
    ],
)
def test_the_user_ids_are_valid_and_frozen(user_id, generation, expected):
    assert rotated_user_id(user_id, generation) == expected
    assert is_valid(expected)
