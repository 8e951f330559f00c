# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Learners from a roster: the text of a CSV file, or a list. Knows neither AWS nor Ansible.

Column names are those of Moodle's exports (grade/export/txt, the participants page, and the file for uploading users)
and of Canvas's gradebook export (lib/gradebook_exporter.rb in its source), and our own plain ones.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import (
    appstream_user_id,
    is_valid,
    normalise,
    validate_style,
)

# Field of a learner: the column names that stand for it, case-folded, the first that is used wins.
# Canvas's ID comes before its SIS ids since every export has it, for every learner, whoever exports.
COLUMN_NAMES = {
    "id": ("learner", "id", "id number", "idnumber", "username", "sis user id", "sis login id"),
    "email": ("email", "email address", "e-mail", "e-mail address"),
    "name": ("name", "full name", "student"),
    "first_name": ("first name", "firstname"),
    "last_name": ("last name", "lastname", "surname"),
    "user_id": ("user_id",),
    "session_context": ("session_context",),
    "application_id": ("application_id",),
}

_DELIMITERS = (",", ";", "\t")
_NOT_UTF_8 = re.compile("[\0\ud800-\udfff\ufffd]")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
# Names and additional fields are for people, so white space in them, new lines too, becomes one space. These are not.
_VERBATIM = {"id", "email", "user_id", "session_context", "application_id"}
_HEADERS_SHOWN = 12

# The fields of a learner in a list, and those that identify a learner: the first that is given.
_LISTED_FIELDS = ("id", "name", "email", "user_id", "session_context", "application_id")
_IDENTITIES = ("id", "email", "user_id")


class Row(NamedTuple):
    """A row with something in it: the line of the file where it starts (the first is 1), and its cells, stripped."""

    line: int
    cells: list[str]


class Column(NamedTuple):
    """Where a field is found: the position of its column, and the column's name as the file has it."""

    position: int
    header: str

    def cell(self, row: Row) -> str:
        return row.cells[self.position] if self.position < len(row.cells) else ""


def roster(
    source: Any, columns: dict[str, str] | None = None, style: str = "readable", key: str | None = None
) -> list[dict[str, str | None]]:
    """Return the learners of a roster in its order, as the option ``users`` of the issuing modules takes them.

    Each is a dict of ``id``, ``name``, ``email``, ``user_id``, ``session_context`` and ``application_id``, all text,
    None where the roster has nothing (never for ``id`` and ``user_id``), and of each additional field in ``columns``.

    Args:
        source: CSV text, or a list of dicts with these fields.
        columns: The column of each field that the header of a CSV does not name in a known way.
        style: See ``appstream_user_id``.
        key: See ``appstream_user_id``.

    Raises:
        ValueError: The roster is not valid. Names the line and column, or the entry and field.
    """
    validate_style(style, key)
    columns = _validate_columns(columns)
    if isinstance(source, (list, tuple)):
        return _validate_distinct("Learners", _parse_list(source, columns, style, key))
    text = _validate_text(source)
    wanted = _get_wanted(columns)
    header, rows = _parse_table(text, wanted)
    found = _find_columns(header, rows, wanted, columns)
    return _validate_distinct("Roster lines", ((row.line, _build_learner(row, found, style, key)) for row in rows))


def _validate_distinct(
    places: str, learners: Iterable[tuple[int, dict[str, str | None]]]
) -> list[dict[str, str | None]]:
    """Return the learners; raise ValueError if two are the same learner or have the same user id."""
    seen: dict[str, tuple[int, str]] = {}
    distinct = []
    for place, learner in learners:
        who = learner["id"] or ""
        for what, value in (("id", normalise(who)), ("user id", learner["user_id"])):
            first, other = seen.setdefault(f"{what} {value}", (place, who))
            if first != place:
                raise ValueError(
                    f"{places} {first} ({quote(other)}) and {place} ({quote(who)}) "
                    f"have the same {what} {quote(value)}: remove one or make them differ."
                )
        distinct.append(learner)
    return distinct


def _parse_list(
    entries: Sequence[Any], columns: dict[str, str], style: str, key: str | None
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield number and learner of each entry of a list, of which the first is 1."""
    if columns:
        raise ValueError("columns is for the text of a CSV file: leave it out when the learners are a list.")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise ValueError(f"Learner {number} is {quote(entry)}, not a dictionary such as {{'email': '...'}}.")

        def fail(field: str, problem: str, number: int = number) -> ValueError:
            return ValueError(f"Learner {number}, {field}: {problem}")

        values = {}
        for field in _LISTED_FIELDS:
            value = entry.get(field)
            if value is not None and not isinstance(value, str):
                raise fail(
                    field, f"{quote(value)} is not text: put it in quotes, since YAML changes numbers such as 007."
                )
            if value and len(value) > csv.field_size_limit():  # as of a cell
                raise fail(field, f"it has more than {csv.field_size_limit()} characters: correct it.")
            values[field] = (value or "").strip()
        identity = next((field for field in _IDENTITIES if values[field]), None)
        if identity is None:
            raise ValueError(f"Learner {number} has neither id nor email nor user_id: give one of them.")
        yield number, _complete(values, identity, style, key, fail)


def _validate_text(text: Any) -> str:
    """Return the text without its byte order mark; raise ValueError if it is not decoded text."""
    if not isinstance(text, str):
        raise ValueError(f"A roster is the text of a CSV file, not {quote(text)} ({type(text).__name__}).")
    if bad := _NOT_UTF_8.search(text):
        line = len(re.findall(r"\r\n|\r|\n", text[: bad.start()])) + 1
        raise ValueError(f"Roster line {line} has bytes that are not UTF-8: save the file as 'CSV UTF-8'.")
    return text.removeprefix("\ufeff")


def _validate_columns(columns: Any) -> dict[str, str]:
    """Return ``columns`` if it maps names of fields to names of columns; raise ValueError if it does not."""
    columns = {} if columns is None else columns
    if not isinstance(columns, dict):
        raise ValueError(f"columns is {quote(columns)}, but it must be a dictionary of field and column name.")
    for field, header in columns.items():
        if not all(isinstance(part, str) and part.strip() for part in (field, header)):
            raise ValueError(f"columns maps {quote(field)} to {quote(header)}, but both must be names.")
    return columns


def _get_wanted(columns: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the column names to look for, by field: those of ``columns`` for its fields, else the known ones."""
    wanted = {**COLUMN_NAMES, **{field: (_fold(header),) for field, header in columns.items()}}
    if "name" not in columns and {"first_name", "last_name"} & set(columns):
        wanted["name"] = ()
    return wanted


def _parse_table(text: str, wanted: dict[str, tuple[str, ...]]) -> tuple[Row, list[Row]]:
    """Return header and rows of learners, read with the delimiter by which most of the header's names are known."""
    known = {name for names in wanted.values() for name in names}

    def recognised(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(_parse_rows(text, delimiter)).cells
        except (StopIteration, ValueError):
            return 0, 0
        return sum(_fold(cell) in known for cell in cells), len(cells)

    delimiter = max(_DELIMITERS, key=recognised)
    rows = list(_parse_rows(text, delimiter))
    if not rows:
        raise ValueError("The roster is empty: its first line must name the columns.")
    header, *rows = rows
    if "sis login id" in map(_fold, header.cells):
        rows = _without_canvas_extras(header, rows)
    for row in rows:
        if any(row.cells[len(header.cells) :]):
            raise ValueError(
                f"Roster line {row.line} has {len(row.cells)} cells but the header has {len(header.cells)}: "
                f"put a cell that holds {quote(delimiter)} in double quotes."
            )
    return header, rows


def _parse_rows(text: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows of a CSV text that are not blank; raise ValueError naming the line where a bad row starts."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield Row(line, stripped)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(_describe_csv_error(str(error), line)) from None


def _describe_csv_error(error: str, line: int) -> str:
    if "unexpected end of data" in error:
        return f"Roster line {line} opens a double quote that is never closed."
    if "field limit" in error or "field larger" in error:
        return (
            f"Roster line {line} has a cell of more than {csv.field_size_limit()} characters: "
            "check for a double quote that is not closed."
        )
    return f"Roster line {line} is not CSV ({error}): double the double quotes inside a quoted cell."


def _without_canvas_extras(header: Row, rows: list[Row]) -> list[Row]:
    """Return the rows of a Canvas gradebook that are people: not 'Manual Posting', 'Points Possible', test student."""
    names = {"student", "lastname", "firstname"}
    identity = [index for index, cell in enumerate(header.cells) if _fold(cell) in names | {"id", "sis login id"}]

    def is_person(row: Row) -> bool:
        cells = [row.cells[index] for index in identity if index < len(row.cells)]
        who = [cell for cell in cells if cell]
        return (
            bool(who) and who != ["Points Possible"] and "Student, Test" not in who and who[:2] != ["Student", "Test"]
        )

    return [row for row in rows if is_person(row)]


def _find_columns(
    header: Row, rows: list[Row], wanted: dict[str, tuple[str, ...]], mapped: dict[str, str]
) -> dict[str, Column]:
    """Return the column of each field that the roster has; raise ValueError if one is missing or ambiguous."""
    names = [_fold(cell) for cell in header.cells]
    found = {}
    for field, choices in wanted.items():
        for choice in filter(names.__contains__, choices):
            column = Column(names.index(choice), header.cells[names.index(choice)])
            if names.count(choice) > 1:
                raise ValueError(
                    f"Roster line {header.line} has {names.count(choice)} columns {quote(column.header)}: rename one."
                )
            # Moodle exports the ID number whether anybody has one or not: a column without a value is not there.
            if field in mapped or not rows or any(column.cell(row) for row in rows):
                found[field] = column
                break
    for field in mapped:
        if field not in found:
            raise ValueError(
                f"Roster line {header.line} has no column {quote(mapped[field])} for {field}. It has "
                f"{_list_headers(header)}."
            )
    if "id" not in found and "email" not in found:
        accepted = ", ".join(map(quote, COLUMN_NAMES["id"] + COLUMN_NAMES["email"]))
        raise ValueError(
            f"Roster line {header.line} names no column with values that identify the learners: it has "
            f"{_list_headers(header)}. Use one of {accepted} (in any case), or name yours with "
            "columns={'id': '...'}."
        )
    return found


def _list_headers(header: Row) -> str:
    more = len(header.cells) - _HEADERS_SHOWN
    return ", ".join(map(quote, header.cells[:_HEADERS_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _build_learner(row: Row, columns: dict[str, Column], style: str, key: str | None) -> dict[str, str | None]:
    """Return the learner of one row; raise ValueError naming line and column."""

    def fail(field: str, problem: str) -> ValueError:
        return ValueError(f"Roster line {row.line}, column {quote(columns[field].header)}: {problem}")

    values = {field: column.cell(row) for field, column in columns.items()}
    identity = "id" if "id" in columns else "email"
    if not values[identity]:
        raise fail(identity, "the cell must identify the learner but is empty: fill it, or use another column.")
    return _complete(values, identity, style, key, fail)


def _complete(
    cells: dict[str, str], identity: str, style: str, key: str | None, fail: Callable[[str, str], ValueError]
) -> dict[str, str | None]:
    """Return a learner from the cells by field, identified by the field ``identity``.

    Raises:
        ValueError: A cell is not valid; built by ``fail`` from the field and the problem.
    """
    values = {}
    for field, cell in cells.items():
        values[field] = cell if field in _VERBATIM else " ".join(cell.split())
        if any(unicodedata.category(character) == "Cc" for character in values[field]):
            raise fail(field, f"{quote(cell)} holds a control character or a new line.")
    if values.get("email") and not _EMAIL.fullmatch(values["email"]):
        raise fail("email", f"{quote(values['email'])} is not an e-mail address.")
    try:
        derived = appstream_user_id(values[identity], style, key)
    except ValueError as error:
        raise fail(identity, str(error)) from error
    user_id = values.get("user_id") or derived
    if not is_valid(user_id):
        raise fail("user_id", f"{quote(user_id)} is not 2 to 32 ASCII letters, digits and characters of '_+=,.@-'.")
    name = values.get("name") or f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    additional = {field: value or None for field, value in values.items() if field not in COLUMN_NAMES}
    return {
        **additional,
        "id": values[identity],
        "name": name or None,
        "email": values.get("email") or None,
        "user_id": user_id,
        "session_context": values.get("session_context") or None,
        "application_id": values.get("application_id") or None,
    }


def _fold(header: str) -> str:
    """Return a column name in the form in which names are compared: case and white space do not count."""
    return " ".join(unicodedata.normalize("NFC", header).casefold().split())
