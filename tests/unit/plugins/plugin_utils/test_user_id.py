# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id, is_valid

KEY = "correct horse battery staple"

# FROZEN. The user id is the key of a learner's home folder and monthly fee: a vector must never change and never go.
# Recompute the hash of one with: printf TEXT | sha256sum | cut -c-64 | xxd -r -p | base32 | tr A-Z a-z | cut -c-12
VECTORS = [
    # Valid already, or once normalised.
    ("anna@example.org", "anna@example.org"),
    ("Anna@Example.ORG", "anna@example.org"),
    ("  anna@example.org\n", "anna@example.org"),
    ("anna@example.org\u200b", "anna@example.org"),
    ("an", "an"),
    ("4711", "4711"),
    ("_+=,.@-", "_+=,.@-"),
    ("a" * 32, "a" * 32),
    ("STRASSE", "strasse"),
    ("Stra\u00dfe", "strasse"),
    # Too long or too short.
    ("a" * 33, "aaaaaaaaaaaaaaaaaaa-qutylsafy57h"),
    ("anna.example@students.university.example", "anna.example@studen-tg254biu76tw"),
    ("anna.example@student.university.example", "anna.example@studen-siejs7h43dwl"),
    ("x", "x-fvyrmqvxe2ye"),
    # Characters that an id cannot hold.
    ("anna example", "anna.example-foizsqe5cz6b"),
    ("Anna  Example", "anna.example-foizsqe5cz6b"),
    ("O'Brien, Pat", "obrien,.pat-gjux3ied7uxi"),
    ("(anna)", "anna-bqwzb3z3o7bi"),
    # Letters that have a likeness in ASCII.
    ("Zo\u00eb Example", "zoe.example-s4vhp5vozl4d"),
    ("Zoe\u0308 Example", "zoe.example-s4vhp5vozl4d"),
    ("M\u00dcLLER", "muller-fw6sdadscf3r"),
    ("\u0130pek", "ipek-qnqx2bd4g5oe"),
    ("S\u00f8ren \u00c6r\u00f8", "soren.aero-5eis4cpf6xq2"),
    ("\u0141ukasz", "lukasz-s5bifviwswb7"),
    ("\uff21\uff4e\uff4e\uff41", "anna-ccac7n3ybrwf"),
    ("\u210b", "h-mkyxqpgkcpe4"),
    # Letters that case folding takes apart and NFC puts together.
    ("\u01f0", "j-t3amjb7enhua"),
    # Nothing to be read in ASCII: Chinese, Arabic, an emoji, Greek, punctuation.
    ("\u5c71\u7530\u592a\u90ce", "user-nmhbzdggc27i"),
    ("\u0645\u0631\u064a\u0645", "user-wklzva5lpfcz"),
    ("\U0001f600", "user-6bcdunbml32u"),
    ("\u03ac\u0399", "user-bom5v7w54xqp"),
    ("...!", "user-cadjyea3zsk4"),
    ("-", "user-hfz6aixjgiqp"),
]

# FROZEN too. Recompute with: printf TEXT | openssl dgst -sha256 -hmac KEY -binary | base32 | tr A-Z a-z | cut -c-20
OPAQUE_VECTORS = [
    ("anna@example.org", "ce7nmd3mh5f2hxjhzo32"),
    ("Anna@Example.org", "ce7nmd3mh5f2hxjhzo32"),
    ("\u5c71\u7530\u592a\u90ce", "oobiewcomg62esbsogtu"),
]


@pytest.mark.parametrize(("text", "user_id"), VECTORS)
def test_a_user_id_never_changes(text, user_id):
    assert appstream_user_id(text) == user_id


@pytest.mark.parametrize(("text", "user_id"), OPAQUE_VECTORS)
def test_an_opaque_user_id_never_changes(text, user_id):
    assert appstream_user_id(text, "opaque", KEY) == user_id


def test_another_key_gives_another_opaque_user_id():
    assert appstream_user_id("anna@example.org", "opaque", KEY + "!") != OPAQUE_VECTORS[0][1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@x", "anna@x"),
        ("Jos\u00e9", "Jose\u0301"),
        ("anna example", "anna\u00a0example"),
        ("\ufeffanna", "anna"),
        ("\u03b1\u0345\u0301", "\u1fb4"),
    ],
)
def test_two_spellings_of_a_person_are_one(one, other):
    assert normalise(one) == normalise(other)
    assert appstream_user_id(one) == appstream_user_id(other)


@pytest.mark.parametrize(("one", "other"), [("jose", "jos\u00e9"), ("an na", "anna"), ("an.na!", "an.na")])
def test_two_people_who_read_alike_are_two(one, other):
    assert appstream_user_id(one) != appstream_user_id(other)


def test_any_text_gives_a_valid_user_id_that_stays():
    source = random.Random(20261121)
    planes = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x3FF), (0x1F00, 0x1FFF), (0x20, 0x2FFFF)]
    made = 0
    for _unused in range(20_000):
        first, last = source.choice(planes)
        text = "".join(chr(source.randint(first, last)) for _unused in range(source.randint(1, 40)))
        try:
            user_id = appstream_user_id(text)
        except ValueError:
            continue
        made += 1
        assert is_valid(user_id), ascii(text)
        assert appstream_user_id(user_id) == user_id, ascii(text)
        assert is_valid(appstream_user_id(text, "opaque", KEY)), ascii(text)
    assert made > 10_000


@pytest.mark.parametrize(
    ("user_id", "valid"),
    [
        ("an", True),
        ("Anna+1=a_b,c.d@e-f", True),
        ("a" * 32, True),
        ("", False),
        ("a", False),
        ("a" * 33, False),
        ("an na", False),
        ("anna\n", False),
        ("m\u00fcller", False),
        ("\uff11\uff12", False),
    ],
)
def test_a_user_id_is_valid_as_the_service_has_it(user_id, valid):
    assert is_valid(user_id) is valid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A user id cannot be derived from '': there is nothing in it."),
        (" \t\n", "A user id cannot be derived from ' \\t\\n': there is nothing in it."),
        ("\u200b", "A user id cannot be derived from '\\u200b': there is nothing in it."),
        (None, "A user id is derived from text, not from None (NoneType)."),
        (4711, "A user id is derived from text, not from 4711 (int)."),
        (["anna"], "A user id is derived from text, not from ['anna'] (list)."),
        (b"anna", "A user id is derived from text, not from b'anna' (bytes)."),
    ],
)
def test_what_is_not_text_is_rejected(text, message):
    with pytest.raises(ValueError) as rejected:
        appstream_user_id(text)
    assert str(rejected.value) == message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("an\x00na", "U+0000"),
        ("an\nna", "U+000A"),
        ("an\x85na", "U+0085"),
        ("an\udce4na", "U+DCE4"),
        ("\uffff", "U+FFFF"),
    ],
)
def test_a_character_that_no_name_has_is_named(text, code):
    with pytest.raises(ValueError, match=f"holds {code.replace('+', '[+]')}, which is a control character"):
        appstream_user_id(text)


def test_a_huge_text_is_not_shown_in_full():
    with pytest.raises(ValueError) as rejected:
        appstream_user_id("a" * 100_000 + "\x00")
    assert len(str(rejected.value)) < 300


@pytest.mark.parametrize(
    ("style", "key", "message"),
    [
        ("Opaque", KEY, "style is 'Opaque', but it must be 'readable' or 'opaque'."),
        (None, None, "style is None, but it must be 'readable' or 'opaque'."),
        ("readable", KEY, "A key is only for style='opaque': leave it out or set the style."),
        ("readable", "", "A key is only for style='opaque': leave it out or set the style."),
        ("opaque", None, "style='opaque' needs a key: a secret text of at least 16 characters."),
        ("opaque", "", "style='opaque' needs a key: a secret text of at least 16 characters."),
        ("opaque", "s3cr3t-15-chars", "style='opaque' needs a key: a secret text of at least 16 characters."),
        ("opaque", 1234567890123456, "style='opaque' needs a key: a secret text of at least 16 characters."),
        (
            "opaque",
            KEY + "\n",
            "The key of style='opaque' has white space around it or characters that cannot be printed.",
        ),
        (
            "opaque",
            KEY + "\udce4",
            "The key of style='opaque' has white space around it or characters that cannot be printed.",
        ),
    ],
)
def test_style_and_key_must_suit_each_other_and_the_key_is_not_shown(style, key, message):
    with pytest.raises(ValueError) as rejected:
        appstream_user_id("anna@example.org", style, key)
    assert str(rejected.value) == message
