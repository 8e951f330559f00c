# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cell of a roster says."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_cells import (
    find_lost_value,
    given_name_first,
    is_email,
    strip_marks,
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("'0012345", "0012345"),
        ('="0012345"', "0012345"),
        ("0012345;", "0012345"),
        ("<anna@example.org>", "anna@example.org"),
        ("< anna@example.org >", "anna@example.org"),
        ("anna@example.org;", "anna@example.org"),
        ("anna@example.org,", "anna@example.org"),
        ("<anna@example.org>;", "anna@example.org"),
        ("'anna@example.org'", "anna@example.org"),
        ("\u201canna@example.org\u201d", "anna@example.org"),
        ("mailto:anna@example.org", "anna@example.org"),
        ("<mailto:anna@example.org>", "anna@example.org"),
        ("\u200banna@example.org", "anna@example.org"),
        ("\u00a0anna@example.org\ufeff", "anna@example.org"),
        # Nothing to remove.
        ("o'brien@example.org", "o'brien@example.org"),
        ("anna+lab@example.org", "anna+lab@example.org"),
        ("anna_example.org#EXT#@example.org", "anna_example.org#EXT#@example.org"),
        ("=1+1", "=1+1"),
        # Nothing would be left.
        ("'", "'"),
        (";", ";"),
        ("\u200b", "\u200b"),
        ("<>", "<>"),
    ],
)
def test_marks_around_an_identifier_are_removed(cell, value):
    assert strip_marks(cell) == (value, "")


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("Anna Example <anna@example.org>", "Anna Example"),
        ("Anna Example<anna@example.org>;", "Anna Example"),
        ('"Anna Example" <anna@example.org>', "Anna Example"),
        ('"Example, Anna" <anna@example.org>', "Anna Example"),
        ("Example, Anna <mailto:anna@example.org>", "Anna Example"),
        ("'Anna Example' <'anna@example.org'>", "Anna Example"),
    ],
)
def test_a_mailbox_has_an_address_and_a_name(cell, name):
    assert strip_marks(cell) == ("anna@example.org", name)


@pytest.mark.parametrize(
    "text",
    [
        "anna@example.org",
        "anna@x",
        "o'brien+lab@example.co.uk",
        "m\u00fcller@b\u00fccher.example",
        "a_b.c#EXT#@t.example",
    ],
)
def test_this_is_an_address(text):
    assert is_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "anna",
        "@example.org",
        "anna@",
        "anna@@example.org",
        "anna@example@org",
        "anna@example.org.",
        "anna@-example.org",
        "anna@.example.org",
        "anna@example,org",
        "anna@example.org;",
        "<anna@example.org>",
        "anna@example.org; ben@example.org",
        "anna@example .org",
        "anna (at) example.org",
        "mailto:anna@example.org",
        "anna\uff20example.org",
    ],
)
def test_this_is_no_address(text):
    assert not is_email(text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Lin, Ada", "Ada Lin"),
        ("de la Cruz Mar\u00edn,Ana", "Ana de la Cruz Mar\u00edn"),
        ("Ada Lin", "Ada Lin"),
        ("Lin,", "Lin,"),
        (", Ada", ", Ada"),
        ("King, Martin, Jr.", "King, Martin, Jr."),
        ("Ada Lin, PhD", "Ada Lin, PhD"),
        ("Ada Lin, Jr.", "Ada Lin, Jr."),
        ("", ""),
    ],
)
def test_the_given_name_is_first(name, shown):
    assert given_name_first(name) == shown


@pytest.mark.parametrize("text", ["1.00234E+11", "1,00234E+11", "1e-05", "1.00234e+011", "4711.0", "4711,00"])
def test_a_number_of_a_spreadsheet_is_no_identifier(text):
    assert find_lost_value(text, is_identifier=True) == " is a number"
    assert find_lost_value(text, is_identifier=False) is None


@pytest.mark.parametrize("text", ["NULL", "nan", "NaN", "None", "<NA>", "N/A", "(null)"])
def test_the_name_of_nothing_is_no_identifier_but_may_be_a_name(text):
    assert find_lost_value(text, is_identifier=True) == " is no value"
    assert find_lost_value(text, is_identifier=False) is None


@pytest.mark.parametrize(
    "text",
    ["#REF!", "#N/A", "#n/a", "#NAME?", "#DIV/0!", "#NULL!", "#BEZUG!", "#NV", "#\u00a1VALOR!", "#N/D", "####", "#"],
)
def test_an_error_of_a_spreadsheet_is_nothing(text):
    assert find_lost_value(text, is_identifier=True) == " is no value"
    assert find_lost_value(text, is_identifier=False) == " is no value"


@pytest.mark.parametrize(
    "text", ["4711", "0012345", "1e5", "12e34", "4711.5", "1.0.0", "#12", "Nanette", "nullo", "e+11", ""]
)
def test_other_identifiers_are_accepted(text):
    assert find_lost_value(text, is_identifier=True) is None
