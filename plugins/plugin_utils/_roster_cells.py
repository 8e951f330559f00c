# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What a cell of a roster says: marks around it are removed, and what is not a value is rejected."""

from __future__ import annotations

import re

from ansible_collections.labstream.aws.plugins.module_utils._labs.person import INVISIBLE

_EMAIL = re.compile(r"""[^\s@<>()\[\],;:\\"]+@(?![.-])[^\s@<>()\[\],;:\\"'#]+(?<![.-])""")
# "Anna Example <anna@example.org>", as mail programs write addresses.
_MAILBOX = re.compile(r"(?P<name>[^<>]*)<\s*(?:mailto:)?(?P<address>[^\s<>]+)\s*>", re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"')
_MARKS = "'\"\u2018\u2019\u201c\u201d,; "

# What spreadsheets and programs leave in place of a value: a number that was rounded, an error, the name of nothing.
_NUMBER = re.compile(r"\d(?:[.,]\d+)?e[+-]\d+|\d+[.,]0+", re.IGNORECASE)
_ERROR = re.compile(r"#(?:\S*[!?]|n/[ad]|nv|#*)", re.IGNORECASE)
_NOTHING = {"null", "(null)", "nan", "none", "<na>", "n/a"}
LOST_VALUE_REMEDY = ": the column was read as numbers by a spreadsheet: format it as text and export again."

_SUFFIXES = {"jr", "sr", "ii", "iii", "iv", "phd", "md"}


def is_email(text: str) -> bool:
    """Return whether the text is one e-mail address. Whether it exists cannot be known."""
    return _EMAIL.fullmatch(text) is not None


def strip_marks(cell: str) -> tuple[str, str]:
    """Return an identifier without what programs put around it, and the name of a mailbox, or an empty text.

    These are invisible characters, quotation marks, the apostrophe and the formula by which spreadsheets keep text as
    it is, and the brackets and delimiters of mail programs. Nothing is removed if nothing would remain.
    """
    text = INVISIBLE.sub("", cell).strip()
    if formula := _FORMULA.fullmatch(text):
        text = formula[1]
    text = text.strip(_MARKS)
    name = ""
    if mailbox := _MAILBOX.fullmatch(text):
        name, text = given_name_first(mailbox["name"].strip(_MARKS)), mailbox["address"].strip(_MARKS)
    return text.removeprefix("mailto:") or cell, name


def given_name_first(name: str) -> str:
    """Return "Lin, Ada" as "Ada Lin". A name with another number of commas, or with a title after it, stays."""
    surname, _comma, given = (part.strip() for part in name.partition(","))
    if not (surname and given) or "," in given or given.rstrip(".").casefold() in _SUFFIXES:
        return name
    return f"{given} {surname}"


def find_lost_value(text: str, is_identifier: bool) -> str | None:
    """Return what a cell is whose value a spreadsheet or another program lost; None if it did not.

    LOST_VALUE_REMEDY ends the message. A person may be called Null, so only identifiers cannot.
    """
    if _ERROR.fullmatch(text) or (is_identifier and text.casefold() in _NOTHING):
        return " is no value"
    return " is a number" if is_identifier and _NUMBER.fullmatch(text) else None
