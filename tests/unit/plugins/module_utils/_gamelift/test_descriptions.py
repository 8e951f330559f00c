# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.descriptions import build_description
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import LeaseKey

# The API's pattern and maximum.
PATTERN = re.compile(r"[a-zA-Z0-9-_.!+@/][a-zA-Z0-9-_.!+@/ ]*", re.ASCII)
KEY = LeaseKey.build("scope", "anna@example.org", "purpose")


def test_a_description_is_the_same_in_every_version():
    """FROZEN: with another one, the stream URLs that were created before are not found."""
    assert build_description("CAD 2026-11-21", KEY) == "labstream/CAD2026-11-21/XZ2JNCPJ5G4FOIH2SDE5M4OJP6"


@pytest.mark.parametrize(
    ("lab", "part"),
    [
        (None, ""),
        ("", ""),
        ("x" * 225, "x" * 30),
        ("Käse & Brot/Übung 1", "KseBrotbung1"),
        ("教室", ""),
        ("a/b c", "abc"),
        ("A-z_0.9!+@", "A-z_0.9!+@"),
    ],
)
def test_a_description_has_30_safe_characters_of_the_lab_at_most(lab, part):
    description = build_description(lab, KEY)
    assert re.fullmatch(rf"labstream/{re.escape(part)}/[A-Z2-7]{{26}}", description)


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "anna\n", "José 😀", "{{ 7 * 7 }}", "../../x", "a,b", "9" * 5000, "ä" * 2048, "None"]
)
def test_the_service_takes_every_description_and_it_says_nothing_about_the_learner(text):
    description = build_description(text, LeaseKey("scope", text, ""))
    assert PATTERN.fullmatch(description)
    assert len(description) <= 80
    assert description.rpartition("/")[2] not in text


def test_another_lab_learner_purpose_or_generation_has_another_description():
    described = {
        build_description("lab", KEY),
        build_description("lab2", KEY),
        build_description(None, KEY),
        build_description("lab", LeaseKey.build("scope", "ben", "purpose")),
        build_description("lab", LeaseKey.build("scope", "anna@example.org", "purpose, generation 1")),
        build_description("lab", LeaseKey.build("scope", "anna@example.org")),
    }
    assert len(described) == 6


def test_parts_that_give_the_same_text_together_have_different_descriptions():
    hashes = [
        build_description(lab, LeaseKey("scope", holder, "")).rpartition("/")[2]
        for lab, holder in [("ab", "c"), ("a", "bc"), ("1:a", "bc")]
    ]
    assert len(set(hashes)) == 3
