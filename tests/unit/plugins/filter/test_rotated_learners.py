# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Learners whose link came into wrong hands get another user id."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.filter.rotated_learners import FilterModule
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import is_valid, rotated_user_id

LEARNERS = roster([{"learner": "Anna"}, {"learner": "ben", "user_id": "b-1", "session_context": "unit-7"}])


def rotated(generations):
    return FilterModule().filters()["rotated_learners"](LEARNERS, generations)


def test_who_was_never_rotated_keeps_the_user_id():
    assert rotated({}) == rotated({"chloe": 3})
    assert [(one["user_id"], one["generation"], one["former_users"]) for one in rotated({})] == [
        ("anna", 0, []),
        ("b-1", 0, []),
    ]


def test_each_generation_has_a_user_id_of_its_own_and_tells_those_of_before():
    _anna, ben = rotated({"ben": 2})

    opens = {"application_id": None, "session_context": "unit-7"}
    assert ben["former_users"] == [{"user_id": "b-1", **opens}, {"user_id": rotated_user_id("b-1", 1), **opens}]
    assert ben["user_id"] == rotated_user_id("b-1", 2)
    assert (ben["learner"], ben["session_context"], ben["generation"]) == ("ben", "unit-7", 2)


@pytest.mark.parametrize("spelling", ["ANNA", "anna", " Anna "])
def test_a_learner_is_found_however_rosters_spell_them(spelling):
    assert rotated({"ANNA": 0, spelling: 1})[0]["generation"] == 1


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
