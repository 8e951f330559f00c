# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of the learners' pages: every language has all, and users can replace any."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._handouts.texts import (
    ENGLISH,
    TEXTS,
    Languages,
    fill,
    find_placeholders,
)

CHECKOUT = Path(__file__).resolve().parents[5]


def test_four_languages_are_there():
    assert list(TEXTS) == ["en", "de", "es", "fr"]


@pytest.mark.parametrize("tag", TEXTS)
def test_a_language_has_all_texts_with_the_same_placeholders(tag):
    assert list(TEXTS[tag]) == list(ENGLISH.texts)
    for key, text in TEXTS[tag].items():
        assert find_placeholders(text) == find_placeholders(ENGLISH.texts[key]), key
        assert text.strip() == text != ""


@pytest.mark.parametrize("tag", sorted(TEXTS.keys() - {"en"}))
def test_a_translation_is_not_english(tag):
    same = [key for key, text in TEXTS[tag].items() if text == ENGLISH.texts[key]]
    assert same == (["minute", "minutes"] if tag == "fr" else [])


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        *(
            ("de", "de"),
            ("DE ", "de"),
            ("de_AT", "de-at"),
            ("de-CH", "de-ch"),
            ("zh-hant-tw", None),
            ("en_us", "en-us"),
        ),
        *(("nl", None), ("", None), ("German", None), ("de_kids_2", None), ("de-", None), ('de" onload="x', None)),
    ],
)
def test_a_language_is_found_by_its_tag(tag, found):
    language = Languages().find(tag)
    assert (language and language.tag) == found
    if language:
        assert language.texts == TEXTS[found[:2]]


def test_own_texts_replace_single_ones_and_a_missing_text_is_in_english():
    own = {"de": {"open": "Los"}, "de_at": {"instructor": "den Tutor"}, "nl": {"open": "Mijn lab openen"}}
    languages = Languages(own)
    assert languages.find("de").texts == {**TEXTS["de"], "open": "Los"}
    assert languages.find("de-AT").texts == {**TEXTS["de"], "open": "Los", "instructor": "den Tutor"}
    assert languages.find("nl-be").texts == {**TEXTS["en"], "open": "Mijn lab openen"}
    assert Languages().find("de").texts == TEXTS["de"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"deutsch!": {}}, "texts has 'deutsch!', but its keys must be languages such as de."),
        ({"de": "Los"}, "texts has 'Los' for 'de', but it must be texts by key, such as {'open': '...'}."),
        ({"open": "Los"}, "texts has 'open', but its keys must be languages such as de."),
        ({"de": {"oben": "Los"}}, "texts has the key 'oben' for 'de', but the keys are for_learner, lab_time, "),
        (
            {"de": {"left": "noch"}},
            "texts has 'noch' as left for 'de', but it must be text with {duration}, such as '{duration} left'.",
        ),
        (
            {"de": {"open": "{name} los"}},
            "texts has '{name} los' as open for 'de', but it must be text without names in braces, such as "
            "'Open my lab'.",
        ),
        ({"de": {"open": " "}}, "texts has ' ' as open for 'de', but it must be text without names in braces"),
        ({"de": {"open": 7}}, "texts has 7 as open for 'de', but it must be text without names in braces"),
    ],
)
def test_own_texts_that_do_not_fit_are_rejected(own, message):
    with pytest.raises(InvalidOption) as error:
        Languages(own)
    assert str(error.value).startswith(message)


def test_the_guide_lists_every_text():
    guide = " ".join((CHECKOUT / "docs/docsite/rst/guide_handouts.rst").read_text(encoding="utf-8").split())
    listed = [f"``{key}`` - {text}".replace("\u2026", "...") for key, text in ENGLISH.texts.items()]
    assert [each for each in listed if each not in guide] == []


def test_a_value_with_braces_is_not_filled_again():
    assert fill("For {name}, {contact}", {"name": "{contact}", "contact": "{0}"}) == "For {contact}, {0}"
