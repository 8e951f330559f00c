# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seats as they are given, and CSV; what becomes of them is in test_streaming_handout.py."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._handouts.handout import (
    Seat,
    escape_formula,
    parse_seat,
    to_csv,
)

from tests.unit.plugins.module_utils.support import build_key

ANNA = build_key("anna")
LEASE = ANNA.to_text()


@pytest.mark.parametrize(
    ("given", "seat"),
    [
        ({"lease": LEASE}, Seat("anna", None, None, "anna", ANNA, 0)),
        ({"lease": LEASE, "id": None}, Seat("anna", None, None, "anna", ANNA, 0)),
        ({"lease": LEASE, "id": ""}, Seat("anna", None, None, "anna", ANNA, 0)),
        (
            {"lease": LEASE, "id": "S1", "name": "Anna", "email": "a@example.org", "generation": 2, "other": 1},
            Seat("S1", "Anna", "a@example.org", "anna", ANNA, 2),
        ),
        ({"lease": LEASE, "id": 7, "generation": None}, Seat("7", None, None, "anna", ANNA, 0)),
        ({"lease": LEASE, "user_id": "ben"}, Seat("anna", None, None, "anna", ANNA, 0)),
        ({"lease": None, "user_id": "anna"}, Seat("anna", None, None, "anna", None, 0)),
        ({"session_id": "session-1"}, Seat("session-1", None, None, "session-1", None, 0)),
        ({"id": "S1"}, Seat("S1", None, None, "", None, 0)),
    ],
)
def test_a_seat_is_read(given, seat):
    assert parse_seat(given, may_lack_lease=True) == seat
    if seat.lease:
        assert parse_seat(given, may_lack_lease=False) == seat


@pytest.mark.parametrize("given", [{}, {"lease": None}, {"id": "anna"}, {"user_id": "anna", "lease": None}])
def test_a_seat_without_a_lease_is_rejected(given):
    with pytest.raises(InvalidOption) as error:
        parse_seat(given, may_lack_lease=False)
    assert str(error.value) == (
        "A seat has no lease: pass on the seats as a role of this collection publishes them, such as "
        "appstream_lab_seats."
    )


@pytest.mark.parametrize("may_lack_lease", [False, True])
@pytest.mark.parametrize(
    "lease", ["", 7, ["x"], {}, False, "https://streaming.example.org/?secret=x", LEASE[:-1], f"{LEASE}x", "a\ud800"]
)
def test_an_invalid_lease_is_rejected_without_quoting_it(lease, may_lack_lease):
    with pytest.raises(InvalidOption, match=r"^A lease is not valid: ") as error:
        parse_seat({"lease": lease, "id": "anna"}, may_lack_lease=may_lack_lease)
    assert "streaming.example.org" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "x"}, "The id of a learner is ''"),
        ({"id": "a\ud800"}, "1 to 200 Unicode characters"),
        ({"id": "x" * 201}, "1 to 200 Unicode characters"),
        ({"id": "a", "generation": "x"}, "generation of learner 'a' is 'x'"),
        ({"id": "a", "generation": -1}, "generation of learner 'a' is -1"),
        ({"id": "a", "generation": True}, "generation of learner 'a' is True"),
    ],
)
def test_an_invalid_learner_is_rejected(given, message):
    with pytest.raises(InvalidOption) as error:
        parse_seat(given, may_lack_lease=True)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ('=HYPERLINK("https://example.org")', '\'=HYPERLINK("https://example.org")'),
        ("+49 30 123", "'+49 30 123"),
        ("-anna", "'-anna"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'\t'=1+1"),
        ("\r=1+1", "'\r'=1+1"),
        ("\n=1+1", "'\n'=1+1"),
        ("anna\n-1", "anna\n'-1"),
        ("anna;=1+1", "anna;'=1+1"),
        ("anna\t@SUM(A1)", "anna\t'@SUM(A1)"),
        ("anna; ben\r\ncleo;", "anna; ben\r\ncleo;"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("\ufe661", "'\ufe661"),
        ("\u22121", "'\u22121"),
        ("anna;\uff1d1+1", "anna;'\uff1d1+1"),
        (" =1+1", "' =1+1"),
        ("\u3000\uff1d1+1", "'\u3000\uff1d1+1"),
        ("\u200b\ufeff\u00a0=1+1", "'\u200b\ufeff\u00a0=1+1"),
        ("\0\x1f=1+1", "'\0\x1f=1+1"),
        ("anna; \u200d-1", "anna;' \u200d-1"),
        ("anna;\r\n =1", "anna;\r\n' =1"),
        (" anna =1", " anna =1"),
        ("anna\uff1dben", "anna\uff1dben"),
        ("anna", "anna"),
        ("anna=ben", "anna=ben"),
        ("anna@example.org", "anna@example.org"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("", ""),
        (None, ""),
        (7, "7"),
        (-7, "'-7"),
        (0, "0"),
        (False, "False"),
    ],
)
def test_no_cell_is_a_formula(value, cell):
    assert escape_formula(value) == cell


def test_a_csv_file_quotes_what_would_break_it():
    assert to_csv(("a", "b"), [dict(a='x"y', b="1,2")]) == 'a,b\r\n"x""y","1,2"\r\n'
