# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The CSV text of a roster as a table: its rows, and the column of each field."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.labstream.aws.plugins.module_utils._errors import list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import INVISIBLE
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_formats import (
    COLUMN_NAMES,
    COMMON_COLUMN_NAMES,
    FORMATS,
    PLAIN_NAMES,
    Format,
)

_DELIMITERS = (",", ";", "\t")
# How Excel names the delimiter, in a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[^\S\r\n]*(?=[\r\n])', re.IGNORECASE)
# What Google's Admin console adds to the names of columns.
_REMARK = re.compile(r"\s*\[(?:required|read only|upload only|must [^\]]*)\]")
_HEADERS_SHOWN = 12


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


class Table(NamedTuple):
    """The rows of learners, the column of each field that has values, and what is known of the file.

    Attributes:
        width: The number of columns that the header names.
        half: The half of the name that has a column of its own, if the column ``name`` has the other one.
        surname_first: Whether the column ``name`` has the surname first, and a comma after it.
        left_out: The rows of people who are not learners, as messages.
    """

    rows: list[Row]
    columns: dict[str, Column]
    format: Format
    delimiter: str
    width: int
    half: str | None
    surname_first: bool
    left_out: list[str]


def parse_table(text: str, mapped: Mapping[str, str], option: str) -> Table:
    """Return the table of a CSV text.

    Args:
        text: The text.
        mapped: The names of columns by field, where the header does not name them in a known way.
        option: What users call ``mapped``.

    Raises:
        ValueError: It is not CSV, or a column is missing or ambiguous. Names the line.
    """
    wanted: dict[str, tuple[str, ...]] = {**COLUMN_NAMES, **{field: (fold(name),) for field, name in mapped.items()}}
    if "name" not in mapped and {"first_name", "last_name"} & set(mapped):
        wanted["name"] = ()
    known = {name for names in wanted.values() for name in names}
    named = _SEPARATOR_LINE.match(text)
    text = text[named.end() :] if named else text
    delimiter = named[1] if named else max(_DELIMITERS, key=lambda each: _count_known(text, each, known))
    all_rows = list(_parse_rows(text, delimiter))
    if not all_rows:
        raise ValueError("The roster is empty: its first line must name the columns.")
    header, *rows = all_rows
    names = [fold(cell) for cell in header.cells]
    format_ = next((each for each in FORMATS if each.signature <= set(names)), Format(frozenset()))
    rows, left_out = _leave_out([row for row in rows if _is_person(row, names, format_)], header, names, format_)
    columns = _find_columns(header, rows, wanted, mapped, option)
    name = fold(columns["name"].header) if "name" in columns else ""
    halves = [field for field in ("first_name", "last_name") if field in columns]
    is_half = "name" not in mapped and name in PLAIN_NAMES and len(halves) == 1
    return Table(
        rows=rows,
        columns=columns,
        format=format_,
        delimiter=delimiter,
        width=len(names),
        half=halves[0] if is_half else None,
        surname_first=name != "" and name == format_.surname_first,
        left_out=left_out,
    )


def fold(text: str) -> str:
    """Return the name of a column in the form in which names are compared.

    Case, white space, invisible characters, the kind of apostrophe and remarks such as "[Required]" do not count.
    """
    visible = INVISIBLE.sub("", unicodedata.normalize("NFC", text)).replace("\u2019", "'").casefold()
    return " ".join(_REMARK.sub("", visible).split())


def split_lines(text: str) -> list[str]:
    """Return the lines as a CSV reader counts them, which are fewer than those of ``str.splitlines``."""
    return re.split(r"\r\n|\r|\n", text)


def _count_known(text: str, delimiter: str, known: set[str]) -> tuple[int, int]:
    """Return how many cells of the header are known with this delimiter, and how many there are."""
    try:
        cells = next(_parse_rows(text, delimiter)).cells
    except (StopIteration, ValueError):
        return 0, 0
    return sum(fold(cell) in known for cell in cells), len(cells)


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


def _is_person(row: Row, names: list[str], format_: Format) -> bool:
    """Return whether the row of an export is a person, and not points, a date or somebody to test with."""

    def cells(*fields: str) -> list[str]:
        wanted = {name for field in fields for name in COLUMN_NAMES[field]}
        return [fold(cell) for cell, name in zip(row.cells, names, strict=False) if cell and name in wanted]

    who = " ".join(cells("name", "first_name", "last_name"))
    return who not in format_.test_people and (who not in format_.not_people or bool(cells("id", "email")))


def _leave_out(rows: list[Row], header: Row, names: list[str], format_: Format) -> tuple[list[Row], list[str]]:
    """Return the rows of learners, and a message for each row of somebody else."""
    columns = [
        (Column(names.index(name), header.cells[names.index(name)]), values)
        for name, values in format_.not_learners.items()
        if name in names
    ]
    kept, left_out = [], []
    for row in rows:
        reason = next((column for column, values in columns if fold(column.cell(row)) in values), None)
        if reason is None:
            kept.append(row)
        else:
            left_out.append(
                f"Roster line {row.line} is left out: {quote(reason.cell(row))} in the column {quote(reason.header)} "
                "is not a learner."
            )
    return kept, left_out


def _find_columns(
    header: Row, rows: list[Row], wanted: Mapping[str, tuple[str, ...]], mapped: Mapping[str, str], option: str
) -> dict[str, Column]:
    """Return the column of each field that the roster has; raise ValueError if one is missing or ambiguous."""
    names = [fold(cell) for cell in header.cells]
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
    headers = list_names(header.cells, _HEADERS_SHOWN, quote)
    for field in mapped:
        if field not in found:
            raise ValueError(
                f"{option} maps {quote(field)} to {quote(mapped[field])}, but roster line {header.line} has no such "
                f"column: it has {headers}."
            )
    if "id" not in found and "email" not in found:
        accepted = ", ".join(map(quote, COMMON_COLUMN_NAMES))
        raise ValueError(
            f"Roster line {header.line} names no column with values that identify the learners: it has {headers}. Use "
            f"one of {accepted} (in any case), or name yours with {option}={{'id': '...'}}."
        )
    return found
