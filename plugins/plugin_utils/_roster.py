# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Learners from a roster: the text of a CSV file, e-mail addresses, or a list. Knows neither AWS nor Ansible."""

from __future__ import annotations

import csv
import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.labstream.aws.plugins.module_utils._errors import MAX_MESSAGE_LENGTH, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.module_utils._text import (
    TERRAFORM_OUTPUT,
    describe_not_text,
    is_terraform_output,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_cells import (
    LOST_VALUE_REMEDY,
    find_lost_value,
    given_name_first,
    is_email,
    strip_marks,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_formats import COLUMN_NAMES
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_table import (
    Row,
    Table,
    fold,
    parse_table,
    split_lines,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id, is_valid, validate_style

# The fields that every learner has.
_FIELDS = ("id", "name", "email", "user_id", "session_context", "application_id")
# The fields of a learner in a list, and those that identify a learner: the first that is given.
_LISTED_FIELDS = (*_FIELDS, "language")
# Of learners whose provider has no user ids.
_PERSON_FIELDS = ("id", "name", "email", "language")
_LISTED_FIELDS_BY_ROLE = {"nimble_lab": _PERSON_FIELDS, "gamelift_lab": _PERSON_FIELDS}
_IDENTIFIERS = ("id", "email", "user_id")
# A user id stays as the roster has it: it is the key of a home folder.
_STRIPPED = ("id", "email")
_NAMES = ("name", "first_name", "last_name")
# Names and additional fields are for people, so white space in them, new lines too, becomes one space. These are not.
_VERBATIM = {*_IDENTIFIERS, "session_context", "application_id"}

_JSON = re.compile(r"""\s*(?:\[\s*[{\]]|\{\s*")""")
_NOT_UTF_8 = re.compile("[\0\ud800-\udfff\ufffd]")
_MAX_SHOWN = 10

Learner = dict[str, str | None]


class Problem(ValueError):
    """What is wrong at one place of a roster, and the end of the sentence, which is said only once for many places."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(f"{text}{remedy or '.'}")
        self.text, self.remedy = text, remedy


class Place(NamedTuple):
    """Where a learner stands in the roster: number and name of the place, and what the fields are called there."""

    number: int
    name: str
    fields: Mapping[str, str] = {}

    def describe(self, field: str) -> str:
        return ", ".join(filter(None, (self.name, self.fields.get(field, field))))

    def error(self, field: str, problem: str, remedy: str = "") -> Problem:
        return Problem(f"{self.describe(field)}: {problem}", remedy)


class Entry(NamedTuple):
    """A learner as the roster has it: the values by field, and the field that identifies the learner."""

    place: Place
    values: dict[str, str]
    identity: str


def roster(
    source: Any,
    columns: dict[str, str] | None = None,
    style: str = "readable",
    key: str | None = None,
    role: str | None = None,
    warn: Callable[[str], None] = lambda warning: None,
) -> list[Learner]:
    """Return the learners of a roster in its order, as the option ``users`` of the issuing modules takes them.

    Each is a dict of ``id``, ``name``, ``email``, ``user_id``, ``session_context`` and ``application_id``, all text,
    None where the roster has nothing (never for ``id`` and ``user_id``), and of each additional field in ``columns``.
    A learner whose language the roster has also has ``language``, which that option does not take.

    Args:
        source: CSV text, e-mail addresses, one a line, or a list of dicts with these fields, also as JSON text.
        columns: The column of each field that the header of a CSV does not name in a known way.
        style: See ``appstream_user_id``.
        key: See ``appstream_user_id``.
        role: The role whose variables the other arguments are. Messages name those.
        warn: Is called if marks were removed, or people left out.

    Raises:
        ValueError: The roster is not valid. Names the lines and columns, or the entries and fields.
    """
    prefix = f"{role}_user_id_" if role else ""
    columns_option = f"{role}_roster_columns" if role else "columns"
    validate_style(style, key, f"{prefix}style", f"{prefix}key" if role else "a key")
    columns = _validate_columns(columns, columns_option)
    if is_json(source):
        source = parse_json(source)
    if isinstance(source, (list, tuple)):
        if columns:
            raise ValueError(
                f"{columns_option} is for the text of a CSV file: leave it out when the learners are a list."
            )
        fields = _LISTED_FIELDS_BY_ROLE.get(role or "", _LISTED_FIELDS)
        readers = [partial(_read_listed, number, listed, fields) for number, listed in enumerate(source, start=1)]
        places = "Learners"
    else:
        text = _validate_text(source)
        places, readers = "Roster lines", [partial(_read_address, row) for row in _find_addresses(text)]
        if not readers:
            table = parse_table(text, columns, columns_option)
            if table.left_out:
                warn(list_first(table.left_out))
            readers = [partial(_read_row, row, table) for row in table.rows]
    learners, changes = _build_learners(readers, places, style, key, columns_option)
    if changes:
        warn(list_first(changes))
    return learners


def is_json(source: Any) -> bool:
    """Return whether the source is text that begins like a list or mapping in JSON, as no CSV does."""
    return isinstance(source, str) and _JSON.match(source) is not None


def parse_json(text: str) -> list[Any]:
    """Return the list of a JSON text; raise ValueError if it is none."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The roster begins like JSON, but cannot be read as such: {error}.") from error
    if isinstance(parsed, list):
        return parsed
    if any(map(is_terraform_output, (parsed, *parsed.values()))):
        raise ValueError(f"The roster {TERRAFORM_OUTPUT}.")
    raise ValueError("The roster is a mapping in JSON, but it must be a list of learners.")


def list_first(messages: Iterable[str]) -> str:
    """Return the first messages, ten or what fits in one message, and how many more there are."""
    all_ = list(messages)
    for shown in range(min(_MAX_SHOWN, len(all_)), 0, -1):
        more = len(all_) - shown
        text = " ".join([*all_[:shown], *([f"And {more} more."] if more else [])])
        if len(text) <= MAX_MESSAGE_LENGTH:
            break
    return text


def _build_learners(
    readers: Iterable[Callable[[], Entry]], places: str, style: str, key: str | None, columns_option: str
) -> tuple[list[Learner], list[str]]:
    """Return the learners, and messages on the marks that were removed; raise ValueError with all that is wrong.

    Args:
        readers: Return the entries, or raise Problem.
        places: What the roster has learners in, for messages.
        style: See ``appstream_user_id``.
        key: See ``appstream_user_id``.
        columns_option: What users call ``columns``.
    """
    built: list[tuple[Entry, Learner]] = []
    problems: list[Problem] = []
    changes = []
    for read in readers:
        try:
            entry, changed = _strip_identifiers(read())
            built.append((entry, _complete(entry, style, key)))
        except Problem as problem:
            problems.append(problem)
        else:
            changes += changed
    problems += _find_duplicates(built, places, columns_option)
    if problems:
        raise ValueError(list_first(_say_remedies_once(problems)))
    return [learner for _entry, learner in built], changes


def _say_remedies_once(problems: Iterable[Problem]) -> Iterator[str]:
    said = set()
    for problem in problems:
        yield f"{problem.text}." if problem.remedy in said else str(problem)
        said.add(problem.remedy)


def _find_duplicates(built: Iterable[tuple[Entry, Learner]], places: str, columns_option: str) -> Iterator[Problem]:
    """Yield a problem for each group of learners with the same id or user id, whatever the case."""
    groups: dict[tuple[str, str], list[tuple[Entry, str, str]]] = {}
    for entry, learner in built:
        who, user_id = str(learner["id"]), str(learner["user_id"])
        same_id = groups.setdefault(("id", normalise(who)), [])
        same_user_id = groups.setdefault(("user id", user_id.casefold()), [])
        # Whose id is the same has mostly the same user id too.
        if not same_id:
            same_user_id.append((entry, who, user_id))
        same_id.append((entry, who, normalise(who)))
    for (what, _folded), group in groups.items():
        if len(group) > 1:
            yield _build_duplicate(what, group, places, columns_option)


def _build_duplicate(what: str, group: Sequence[tuple[Entry, str, str]], places: str, columns_option: str) -> Problem:
    """Return the problem of learners, as entry, id and value, whose values are the same but for case."""
    shown = [f"{entry.place.number} ({quote(who)})" for entry, who, _value in group]
    text = f"{places} {_join(shown)} have the"
    values = list(dict.fromkeys(value for _entry, _who, value in group))
    if len(values) > 1:
        return Problem(
            f"{text} {what}s {_join(list(map(quote, values)))}, which differ only in case, but are "
            f"{'two' if len(values) == 2 else len(values)} users of AppStream 2.0",
            ": correct one.",
        )
    entry = group[0][0]
    column = entry.place.fields.get(entry.identity)
    remedy = f": remove {'one' if len(group) == 2 else 'all but one'} or make them differ"
    if what == "id" and len(group) > 2 and column:
        remedy += f", or if {column} does not identify learners, name the one that does as id in {columns_option}"
    return Problem(f"{text} same {what} {quote(values[0])}", f"{remedy}.")


def _join(texts: Sequence[str]) -> str:
    """Return the first texts, and the last one or how many more there are."""
    if len(texts) > _MAX_SHOWN:
        return list_names(texts, _MAX_SHOWN)
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _validate_text(text: Any) -> str:
    """Return the text without its byte order mark; raise ValueError if it is not decoded text."""
    if is_terraform_output(text):
        raise ValueError(f"The roster {TERRAFORM_OUTPUT}.")
    if not isinstance(text, str):
        raise ValueError(f"A roster is the text of a CSV file, not {quote(text)} ({type(text).__name__}).")
    if bad := _NOT_UTF_8.search(text):
        line = len(split_lines(text[: bad.start()]))
        raise ValueError(f"Roster line {line} has bytes that are not UTF-8: save the file as 'CSV UTF-8'.")
    return text.removeprefix("\ufeff")


def _validate_columns(columns: Any, option: str) -> dict[str, str]:
    """Return ``columns`` if it maps names of fields to names of columns; raise ValueError if it does not."""
    columns = {} if columns is None else columns
    if not isinstance(columns, dict):
        raise ValueError(f"{option} is {quote(columns)}, but it must be a dictionary of field and column name.")
    for field, header in columns.items():
        if not all(isinstance(part, str) and part.strip() for part in (field, header)):
            raise ValueError(f"{option} maps {quote(field)} to {quote(header)}, but both must be names.")
    return columns


def _find_addresses(text: str) -> list[Row]:
    """Return the lines of a text that begins with an e-mail address, and so has no header. Of others, none."""
    rows = [Row(number, [line.strip()]) for number, line in enumerate(split_lines(text), start=1) if line.strip()]
    return rows if rows and is_email(strip_marks(rows[0].cells[0])[0]) else []


def _read_address(row: Row) -> Entry:
    return Entry(Place(row.line, f"Roster line {row.line}", {"email": ""}), {"email": row.cells[0]}, "email")


def _read_listed(number: int, listed: Any, fields: Sequence[str]) -> Entry:
    """Return the entry of a learner in a list, of which the first is 1; raise Problem if it is not valid."""
    place = Place(number, f"Learner {number}")
    if is_terraform_output(listed):
        raise Problem(f"{place.name} {TERRAFORM_OUTPUT}")
    if not isinstance(listed, dict):
        raise Problem(f"{place.name} is {quote(listed)}", ", not a dictionary such as {'email': '...'}.")
    unknown = next((field for field in listed if field not in fields), None)
    if unknown is not None:
        similar = difflib.get_close_matches(str(unknown), fields, n=1)
        remedy = f"did you mean {similar[0]}?" if similar else f"use {', '.join(fields)}."
        raise Problem(f"{place.name} has {quote(unknown)}", f", which is not a field of a learner: {remedy}")
    values = {}
    for field in fields:
        value = listed.get(field)
        if problem := describe_not_text(value):
            what, comma, remedy = problem.partition(", ")
            raise place.error(field, f"it {what}", f"{comma}{remedy}.")
        if value is not None and not isinstance(value, str):
            raise place.error(
                field, f"{quote(value)} is not text", ": put it in quotes, since YAML changes numbers such as 007."
            )
        if value and len(value) > csv.field_size_limit():  # as of a cell
            raise place.error(field, f"it has more than {csv.field_size_limit()} characters", ": correct it.")
        values[field] = (value or "").strip()
    identity = next((field for field in _IDENTIFIERS if values[field]), None)
    if identity is None:
        raise Problem(f"{place.name} has neither id nor email nor user_id", ": give one of them.")
    return Entry(place, values, identity)


def _read_row(row: Row, table: Table) -> Entry:
    """Return the entry of a row of a CSV; raise Problem if it is not valid."""
    columns = table.columns
    place = Place(
        row.line,
        f"Roster line {row.line}",
        {field: f"column {quote(column.header)}" for field, column in columns.items()},
    )
    if any(row.cells[table.width :]):
        raise Problem(
            f"{place.name} has {len(row.cells)} cells but the header has {table.width}",
            f": put a cell that holds {quote(table.delimiter)} in double quotes.",
        )
    values = {field: column.cell(row) for field, column in columns.items()}
    if "id" in values:
        values["id"] = values["id"].removeprefix(table.format.id_mark)
    identity = "id" if "id" in columns else "email"
    if not values[identity]:
        raise place.error(
            identity, "the cell must identify the learner but is empty", ": fill it, or use another column."
        )
    if "name" in values:
        values["name"] = _read_name(values, table)
    return Entry(place, values, identity)


def _read_name(values: Mapping[str, str], table: Table) -> str:
    """Return the name of a row, given name first."""
    name = values["name"]
    if table.surname_first:
        return given_name_first(name)
    if table.half is None:
        return name
    other = values[table.half]
    if f" {fold(other)} " in f" {fold(name)} ":  # It is all of the name.
        return name
    return " ".join([other, name] if table.half == "first_name" else [name, other])


def _strip_identifiers(entry: Entry) -> tuple[Entry, list[str]]:
    """Return the entry without marks around its identifiers, and a message for each that had some."""
    values, changes, mailbox_name = dict(entry.values), [], ""
    for field in filter(values.get, _STRIPPED):
        values[field], name = strip_marks(entry.values[field])
        mailbox_name = mailbox_name or name
        # A mailbox of a list of addresses is as it should be.
        if values[field] != entry.values[field] and not name:
            changes.append(
                f"{entry.place.describe(field)}: {quote(entry.values[field])} is read as {quote(values[field])}."
            )
    if mailbox_name and not any(values.get(field) for field in _NAMES):
        values["name"] = mailbox_name
    return entry._replace(values=values), changes


def _complete(entry: Entry, style: str, key: str | None) -> Learner:
    """Return the learner of an entry; raise Problem if a value is not valid."""
    place, identity = entry.place, entry.identity
    values = {}
    for field, cell in entry.values.items():
        values[field] = cell if field in _VERBATIM else " ".join(cell.split())
        if any(unicodedata.category(character) == "Cc" for character in values[field]):
            raise place.error(field, f"{quote(cell)} holds a control character or a new line")
        problem = find_lost_value(values[field], field in _IDENTIFIERS)
        if problem and field in (*_IDENTIFIERS, *_NAMES):
            raise place.error(field, f"{quote(cell)}{problem}", LOST_VALUE_REMEDY)
    if values.get("email") and not is_email(values["email"]):
        raise place.error("email", f"{quote(values['email'])} is not an e-mail address")
    try:
        derived = appstream_user_id(values[identity], style, key)
    except ValueError as error:
        raise place.error(identity, str(error).rstrip(".")) from error
    user_id = values.get("user_id") or derived
    if not is_valid(user_id):
        raise place.error(
            "user_id", f"{quote(user_id)} is not 2 to 32 ASCII letters, digits and characters of '_+=,.@-'"
        )
    name = values.get("name") or f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    given = {field: value or None for field, value in values.items()}
    additional = {field: value for field, value in given.items() if field not in COLUMN_NAMES}
    if given.get("language"):
        additional["language"] = given["language"]
    given.update(id=values[identity], name=name or None, user_id=user_id)
    return {**additional, **{field: given.get(field) for field in _FIELDS}}
