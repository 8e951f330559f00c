# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limits of what may be asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.validation import (
    MAX_VALIDITY,
    validate_name,
    validate_user_id,
    validate_validity,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, quote


@pytest.mark.parametrize(
    "user_id", ["an", "a" * 32, "anna@example.org", "Anna_Example", "a+b=c,d.e@f-g", "..", "--", "007", "@@"]
)
def test_a_user_id_of_the_right_length_and_characters_is_taken(user_id):
    validate_user_id(user_id)


@pytest.mark.parametrize(
    "user_id",
    [
        "",
        "a",
        "a" * 33,
        "a" * 129,
        "anna example",
        " anna",
        "anna ",
        "anna\n",
        "anna\t",
        "änna",
        "anna\u0301",
        "ａnna",
        "anna٣",
        "anna/example",
        "anna'example",
        "anna;example",
        "anna:example",
        "anna*",
        "{{ anna }}",
        "anna\0",
    ],
)
def test_a_user_id_that_would_fail_in_the_browser_is_rejected(user_id):
    with pytest.raises(InvalidOption) as rejected:
        validate_user_id(user_id)
    assert str(rejected.value) == (
        f"user_id is {quote(user_id)} (length {len(user_id)}), but it must have 2 to 32 characters out of "
        "A-Z a-z 0-9 _ + = , . @ -: make one with the filter labstream.aws.appstream_user_id."
    )


def test_a_huge_value_is_not_shown_in_full():
    with pytest.raises(InvalidOption, match=r"^user_id is 'a{20,40}\.\.\.a{20,40}' \(length 5000\), but"):
        validate_user_id("a" * 5000)


@pytest.mark.parametrize("validity", [1, 2, 60, 604_799, 604_800])
def test_a_validity_of_up_to_seven_days_is_taken(validity):
    validate_validity(validity)


@pytest.mark.parametrize("validity", [-604_800, -1, 0, 604_801, 10**12])
def test_a_validity_that_the_service_does_not_grant_is_rejected(validity):
    with pytest.raises(InvalidOption) as rejected:
        validate_validity(validity)
    assert str(rejected.value) == f"validity is {validity}, but it must be from 1 to 604800 seconds (7 days)."


def test_the_longest_validity_is_seven_days():
    assert timedelta(days=7) == timedelta(seconds=MAX_VALIDITY)


@pytest.mark.parametrize("name", ["c", "0", "cad-course", "CAD_course.2026", "c" * 101])
def test_a_name_that_a_stack_can_have_is_taken(name):
    validate_name("stack_name", name)


@pytest.mark.parametrize(
    "name", ["", "-cad", ".cad", "_cad", "cad course", "cad\n", "cäd", "cad/course", "cad:1", "c" * 102, "c" * 1000]
)
def test_a_name_that_no_stack_can_have_is_rejected(name):
    with pytest.raises(InvalidOption) as rejected:
        validate_name("fleet_name", name)
    assert str(rejected.value) == (
        f"fleet_name is {quote(name)}, but a name has 1 to 101 letters, digits, underscores, dots and hyphens and "
        "begins with a letter or digit."
    )
