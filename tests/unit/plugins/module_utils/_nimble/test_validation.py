# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._nimble.validation import (
    validate_client_token,
    validate_expiration,
    validate_id,
)

NO_ID = "an id is text of 1 to 256 characters without spaces and slashes, and not '.' or '..'."


def get_message(check, *values):
    """The message with which the values are rejected."""
    with pytest.raises(InvalidOption) as rejected:
        check(*values)
    return str(rejected.value)


@pytest.mark.parametrize("seconds", [60, 61, 600, 3599, 3600])
def test_an_expiration_from_a_minute_to_an_hour_is_taken(seconds):
    validate_expiration(seconds)


@pytest.mark.parametrize("seconds", [-3600, -1, 0, 1, 59, 3601, 7200, 604_800])
def test_any_other_expiration_is_rejected(seconds):
    assert get_message(validate_expiration, seconds) == (
        f"expiration_in_seconds is {seconds}, but it must be from 60 to 3600 (one hour)."
    )


@pytest.mark.parametrize(
    "token", ["t", "x" * 64, "build-7", "two words", "~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./", "0123456789abcdef" * 4]
)
def test_a_token_of_1_to_64_plain_characters_is_taken(token):
    validate_client_token(token)


@pytest.mark.parametrize(
    ("token", "shown", "length"),
    [
        pytest.param("", "''", 0, id="empty"),
        pytest.param("x" * 65, f"'{'x' * 65}'", 65, id="65 characters"),
        pytest.param("x" * 1000, f"'{'x' * 37}...{'x' * 38}'", 1000, id="1000 characters, which are not all shown"),
        pytest.param("tökén", "'tökén'", 5, id="letters of no header"),
        pytest.param("two\nlines", "'two\\nlines'", 9, id="two lines, which would be two headers"),
        pytest.param("a\tb", "'a\\tb'", 3, id="a tab"),
        pytest.param("a\x7fb", "'a\\x7fb'", 3, id="a control character"),
        pytest.param(" build-7", "' build-7'", 8, id="a space before it, which a header would lose"),
        pytest.param("build-7 ", "'build-7 '", 8, id="a space after it"),
        pytest.param(" ", "' '", 1, id="a space alone"),
    ],
)
def test_any_other_token_is_rejected(token, shown, length):
    assert get_message(validate_client_token, token) == (
        f"client_token is {shown} (length {length}), but it must have 1 to 64 printable ASCII characters, and no space "
        "at its ends."
    )


@pytest.mark.parametrize(
    "value",
    ["a", "us-west-2-example", "session-0123456789", "aSc7YPqQ1kL-_", "sess:ion", "a.b", "...", "100%", "?", "änna"],
)
def test_an_id_that_is_one_part_of_a_path_is_taken(value):
    validate_id("session_id", value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        (" ", "' '"),
        ("a b", "'a b'"),
        ("session-1 ", "'session-1 '"),
        ("/", "'/'"),
        ("a/b", "'a/b'"),
        ("../other-studio", "'../other-studio'"),
        (".", "'.'"),
        ("..", "'..'"),
        ("a\nb", "'a\\nb'"),
        ("a\u00a0b", "'a\\xa0b'"),
        ("a\u200bb", "'a\\u200bb'"),
        ("a/" * 500, f"'{'a/' * 18}a...{'a/' * 19}'"),
        ("a\ud800", "'a\\ud800'"),
        ("a" * 257, f"'{'a' * 37}...{'a' * 38}'"),
    ],
)
@pytest.mark.parametrize("option", ["studio_id", "session_id"])
def test_an_id_that_would_lead_elsewhere_is_rejected(option, value, shown):
    assert get_message(validate_id, option, value) == (f"{option} is {shown}, but {NO_ID}")
