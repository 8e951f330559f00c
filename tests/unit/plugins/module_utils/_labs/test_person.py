# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When two spellings are one person. What user ids are made of it is in plugin_utils/test_user_id.py."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise, to_person


@pytest.mark.parametrize(
    "spelling",
    ["Anna@Example.ORG", " anna@example.org\n", "\u200banna@example.org", "anna@\u00adexample.org\ufeff"],
)
def test_spellings_of_an_address_are_one_person(spelling):
    assert normalise(spelling) == "anna@example.org"


@pytest.mark.parametrize(("text", "person"), [(" Anna\n", "anna"), ("", None), ("a\0b", None), (7, None)])
def test_a_stored_id_is_a_person_or_nobody(text, person):
    assert to_person(text) == person


def test_every_character_normalises_to_something_that_stays():
    for code in range(sys.maxunicode + 1):
        # Of what is unassigned or private, some stand for all.
        if unicodedata.category(chr(code)) in ("Cn", "Co") and code % 97:
            continue
        text = f"a{chr(code)}z"
        try:
            once = normalise(text)
        except ValueError:
            assert unicodedata.category(chr(code)) in ("Cc", "Cs", "Cn")
            continue
        assert normalise(once) == once, f"U+{code:04X}"
