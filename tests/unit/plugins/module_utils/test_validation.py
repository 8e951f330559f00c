# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._validation import (
    validate_distinct,
    validate_each,
    validate_range,
)


def validate(name, value):
    """Reject what has a slash."""
    if "/" in value:
        raise InvalidOption(f"{name} is {value!r}.")


@pytest.mark.parametrize("values", [["a"], ["a", "A", "b"], [f"session-{number}" for number in range(500)]])
def test_values_that_differ_are_accepted(values):
    validate_each("session_ids", values, validate)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "session_ids is empty: name at least one.", id="empty"),
        pytest.param(
            ["a", "b", "c", "b"], "Entries 2 and 4 of session_ids are both 'b': remove one.", id="a duplicate"
        ),
        pytest.param(["a"] * 3, "Entries 1 and 2 of session_ids are both 'a': remove one.", id="two duplicates"),
        pytest.param(["a", "b/c"], "Entry 2 of session_ids is 'b/c'.", id="an invalid value"),
    ],
)
def test_an_error_names_the_entries(values, message):
    with pytest.raises(InvalidOption) as error:
        validate_each("session_ids", values, validate)
    assert str(error.value) == message


def test_what_must_differ_may_have_several_parts_which_the_caller_describes():
    entries = [("anna", "notebook"), ("anna", ""), ("anna", "notebook")]
    with pytest.raises(InvalidOption) as error:
        validate_distinct("users", entries, lambda entry: f"{entry[0]!r} for one application", "merge them")
    assert str(error.value) == "Entries 1 and 3 of users are both 'anna' for one application: merge them."


@pytest.mark.parametrize("value", [1, 5, 10])
def test_a_number_within_its_range_is_accepted(value):
    validate_range("usage_limit", value, 1, 10)


@pytest.mark.parametrize("value", [-1, 0, 11])
def test_a_number_beyond_its_range_is_rejected(value):
    with pytest.raises(InvalidOption) as rejected:
        validate_range("usage_limit", value, 1, 10)
    assert str(rejected.value) == f"usage_limit is {value}, but it must be from 1 to 10."
