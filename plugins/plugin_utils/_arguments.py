# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The arguments of a role: what is wrong with them, also beyond what argument_specs.yml can express, and their values.
Knows nothing of AWS.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.module_utils._text import (
    TERRAFORM_OUTPUT,
    describe_lost_text,
    describe_not_text,
    is_terraform_output,
)
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.module_utils._types import with_strict_types
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import is_json
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_formats import COLUMN_NAMES
from ansible_collections.labstream.aws.plugins.plugin_utils._times import describe_next_day, to_local, to_utc

# The facts that roles publish under their prefix.
_FACTS = ("seats", "summary")
# Options that are not in the result: the learners are there on their own, and the others can hold secrets.
_LEFT_OUT = ("learners", "roster", "environment", "launch_args")
# The options of modules that roles call by another name.
_MODULE_OPTIONS = {
    "name": "lab",
    "ends_at": "valid_until",
    "sessions": "session_ids",
    "fleet_wait_timeout": "wait_timeout",
    "capacity_wait_timeout": "wait_timeout",
}
# Which the playbooks of the collection set.
_OF_PLAYBOOKS = ("state", "manage_fleet", "manage_capacity")
# In a short word, two other characters make another word.
_MAX_SHORT_WORD = 5
# In seconds.
_NIMBLE_POLL_INTERVAL = 10


def validate_arguments(
    values: Mapping[str, Any],
    role: str,
    names: Iterable[str],
    spec: Mapping[str, Any],
    now: datetime.datetime | None = None,
) -> dict[str, Any]:
    """Return what is wrong with a role's arguments.

    Args:
        values: The values of the role's options that are set, by variable.
        role: The role's name, which with an underscore is the prefix of its options.
        names: All variables with this prefix.
        spec: The contents of the role's argument_specs.yml.
        now: The current time, for tests.

    Returns:
        ``error``, the first error or None; ``warnings``, such as variables that the role does not know; and
        ``options``, the values by option without the prefix, of the types that argument_specs.yml names, None for what
        is not given, with ``starts_at`` and ``valid_until`` in UTC. If there is an error, these are the defaults,
        except for text. The learners and what can be secret are not among them.
    """
    options = spec["argument_specs"]["main"]["options"]
    aliases = (alias for option in options.values() for alias in option.get("aliases", ()))
    prefix = f"{role}_"
    known = {*options, *aliases, *(f"{prefix}{fact}" for fact in _FACTS)}
    errors, warnings = [], []
    for name in sorted(set(names) - known):
        similar = find_similar(name, options, prefix)
        if similar:
            errors.append(f"{name} is not an option of the role {role}: did you mean {similar}?")
        else:
            warnings.append(f"{name} is not an option of the role {role}, so it has no effect.")
    errors += _find_not_text(values, options)
    # Null is not given, unless there are choices: a state must not become the default.
    given = {
        name: value
        for name, value in values.items()
        if value is not None or "choices" in options[name] or not _is_text(options[name])
    }
    validated = ArgumentSpecValidator(with_strict_types(options)).validate(given)
    if validated.error_messages and not errors:
        errors.append("\n".join(["Validation of arguments failed:", *validated.error_messages]))
        if set(values) <= {f"{prefix}{option}" for option in _OF_PLAYBOOKS}:
            errors[0] += (
                f"\nNo variable of the role {role} is set: name the file that has them, such as -e @lab.yml, and check "
                "lab_provider."
            )
    arguments = _Arguments({option.removeprefix(prefix): value for option, value in values.items()}, prefix, now)
    errors += _CHECKS[role](arguments) if not errors else ()
    typed = (
        {name: option.get("default") for name, option in options.items()} if errors else validated.validated_parameters
    )
    texts = {
        name: str(values[name])
        for name, option in options.items()
        if _is_text(option) and not describe_not_text(values.get(name)) and values.get(name) is not None
    }
    parsed = {
        name.removeprefix(prefix): texts.get(name, typed.get(name))
        for name, option in options.items()
        if not option.get("no_log") and name.removeprefix(prefix) not in _LEFT_OUT
    }
    if arguments.has("ends_at") and not errors:
        parsed["ends_at"] = str(arguments["ends_at"])
    return {
        "error": errors[0] if errors else None,
        "warnings": warnings + arguments.warnings,
        "options": {**parsed, **arguments.utc, **_DERIVED[role](parsed, arguments)},
    }


def map_module_options(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a role by the options of its modules, for their messages.

    Args:
        variables: The variables by option of the role.
    """
    own = {option: variable for option, variable in variables.items() if option != "name"}
    return {**{_MODULE_OPTIONS[each]: variables[each] for each in _MODULE_OPTIONS if each in variables}, **own}


def find_roster(role: str, values: Mapping[str, Any]) -> Any:
    """Return the learners of a role's arguments: a list, the path or text of a roster, or None if none are given."""
    learners, path, sessions = (values.get(f"{role}_{option}") for option in ("learners", "roster", "sessions"))
    if learners not in (None, ""):
        return learners
    if path not in (None, ""):
        return str(path)
    # Only the role nimble_lab has sessions.
    return None if sessions is None else [{"id": learner} for learner in sessions]


def _is_text(option: Mapping[str, Any]) -> bool:
    return option.get("type") in ("str", "path")


def _find_not_text(values: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the errors of what is not text where text is expected, since argument_specs.yml takes it as text."""
    for name, option in options.items():
        value = values.get(name)
        if is_terraform_output(value):
            yield f"{name} {TERRAFORM_OUTPUT}."
        elif name.endswith("_roster") and isinstance(value, (list, tuple)):
            yield f"{name} is not text: give a list as {name.removesuffix('roster')}learners."
        elif option.get("no_log") and isinstance(value, (int, float, datetime.date)):
            yield f"{name} is not text: put it in quotes."
        elif _is_text(option) and (problem := describe_not_text(value) or describe_lost_text(value)):
            yield f"{name} {problem}."
        elif option.get("elements") == "str" and isinstance(value, (list, tuple)):
            yield from (f"{name} has an entry that {problem}." for problem in map(describe_lost_text, value) if problem)
        elif option.get("type") == "dict" and isinstance(value, Mapping):
            entries = ((key, describe_lost_text(entry)) for key, entry in value.items())
            yield from (f"{name}: {quote(key)} {problem}." for key, problem in entries if problem)


def find_similar(name: str, options: Iterable[str], prefix: str) -> str | None:
    """Return the option that a variable is a near miss of.

    That is its beginning, or after the prefix at most two edits away, in a word of up to five letters one. To swap two
    letters is one edit.
    """
    rest = name.removeprefix(prefix)
    max_distance = 1 if len(rest) <= _MAX_SHORT_WORD else 2
    distances = {option: get_distance(rest, option.removeprefix(prefix)) for option in options}
    near = [option for option, distance in distances.items() if distance <= max_distance or option.startswith(name)]
    return min(near, key=lambda option: (not option.startswith(name), distances[option])) if near else None


def get_distance(left: str, right: str) -> int:
    """Return how many characters must be inserted, deleted, replaced or swapped to make one text the other.

    This is the optimal string alignment distance.
    """
    rows = [list(range(len(right) + 1))]
    for i, character in enumerate(left, start=1):
        row = [i]
        for j, other in enumerate(right, start=1):
            edits = [rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (character != other)]
            if i > 1 and j > 1 and (left[i - 2], character) == (other, right[j - 2]):
                edits.append(rows[-2][j - 2] + 1)
            row.append(min(edits))
        rows.append(row)
    return rows[-1][-1]


class _Arguments:
    """The arguments of a role, by option without its prefix. An empty value counts as not given."""

    def __init__(self, values: Mapping[str, Any], prefix: str, now: datetime.datetime | None) -> None:
        self.values = values
        self.prefix = prefix
        self.now = now
        self.warnings: list[str] = []
        # The times in UTC as ISO 8601, as modules take them.
        self.utc: dict[str, str | None] = {"starts_at": None, "valid_until": None}

    def __getitem__(self, option: str) -> Any:
        return self.values.get(option)

    def has(self, option: str) -> bool:
        return self[option] not in (None, "", [], {})

    def texts(self, option: str) -> list[str]:
        """Return the distinct texts of a list, which may be a single text, or empty as it was left in a survey."""
        given = self[option] or ()
        if not isinstance(given, (list, tuple)):
            given = () if isinstance(given, Mapping) else [given]
        return list(dict.fromkeys(map(str, given)))

    def sources(self, *more: str) -> Iterator[str]:
        """Yield the errors in where the learners come from; each option in ``more`` is also enough alone."""
        given = [self["learners"] not in (None, ""), self.has("roster")]
        if all(given) or not (any(given) or any(self[option] is not None for option in more)):
            alone = "".join(f", or {self.prefix}{option} alone" for option in more)
            yield f"Give one of {self.prefix}learners and {self.prefix}roster{alone}."
        if self.has("learners"):
            yield from self._listed_learners()
        for field in self["roster_columns"] or ():
            if field not in COLUMN_NAMES:
                yield f"{self.prefix}roster_columns has {quote(field)}, but the fields are {', '.join(COLUMN_NAMES)}."

    def _listed_learners(self) -> Iterator[str]:
        """Yield an error if the learners are not a list. Its entries are checked when the roster is read."""
        learners = self["learners"]
        if not isinstance(learners, (list, tuple)) and not is_json(learners):
            yield (
                f"{self.prefix}learners is not a list of learners, also not as text in JSON: give CSV, or the path of "
                f"a file, as {self.prefix}roster."
            )

    def minimum(self, option: str, minimum: int) -> Iterator[str]:
        """Yield an error if the number is too small. What is not a number fails the role's argument_specs.yml."""
        if self.has(option) and int(self[option]) < minimum:
            yield f"{self.prefix}{option} is {self[option]}, but it must be {minimum} or more."

    def time(self, option: str, allow_past: bool) -> Iterator[str]:
        if self.has(option):
            try:
                when = to_utc(self[option], self["timezone"] or None, self.now, allow_past=allow_past)
                self.utc["valid_until" if option == "ends_at" else option] = to_iso8601(when)
                warning = describe_next_day(self[option], self["timezone"] or None, self.now)
                self.warnings += [f"{self.prefix}{option}: {warning}"] if warning else []
            except ValueError as error:
                yield f"{self.prefix}{option}: {error}"

    def duration(self, option: str) -> Iterator[str]:
        """Yield the errors in when the lab starts and ends; it is said by its end or by an option for its duration."""
        if self.has("ends_at") == self.has(option):
            yield f"Give one of {self.prefix}ends_at and {self.prefix}{option}."
        yield from self.time("starts_at", allow_past=True)
        yield from self.time("ends_at", allow_past=False)
        yield from self.timezone()

    def timezone(self) -> Iterator[str]:
        """Yield an error if the role could not show times in the time zone, which may be all that it is given for."""
        try:
            to_local(datetime.datetime.now(datetime.timezone.utc), self["timezone"] or None)
        except ValueError as error:
            yield f"{self.prefix}timezone: {error}"


def _check_appstream_lab(arguments: _Arguments) -> Iterator[str]:
    if arguments["state"] == "absent":
        return
    yield from arguments.sources()
    yield from arguments.duration("validity")
    yield from arguments.minimum("fleet_wait_timeout", 1)
    yield from arguments.minimum("spare_sessions", 0)
    yield from arguments.minimum("break_minutes", 0)


def _check_gamelift_lab(arguments: _Arguments) -> Iterator[str]:
    if arguments["state"] == "absent":
        return
    if not arguments.has("application"):
        yield "Give gamelift_lab_application, the id of the application that the URLs open."
    if not arguments.has("locations"):
        yield "Give gamelift_lab_locations, such as ['us-east-1']."
    yield from arguments.sources()
    yield from arguments.duration("expires_after_minutes")
    yield from arguments.minimum("capacity_wait_timeout", 1)
    yield from arguments.minimum("spare_sessions", 0)


def _check_nimble_lab(arguments: _Arguments) -> Iterator[str]:
    if arguments["state"] != "absent":
        yield from arguments.sources("sessions")


def _check_lab_handout(arguments: _Arguments) -> Iterator[str]:
    is_present = arguments["state"] != "absent"
    if is_present and arguments["seats"] is None:
        yield "Give lab_handout_seats, such as appstream_lab_seats."
    if not any(map(arguments.has, ("urls_csv", "pages_dir", "overview_html"))):
        yield "Give at least one of lab_handout_urls_csv, lab_handout_pages_dir and lab_handout_overview_html."
    yield from arguments.time("starts_at", allow_past=True)
    if is_present:
        yield from arguments.time("ends_at", allow_past=False)
    if arguments.has("s3_bucket") and not arguments.has("pages_dir"):
        yield "lab_handout_s3_bucket is for pages: give lab_handout_pages_dir."


_CHECKS: dict[str, Callable[[_Arguments], Iterator[str]]] = {
    "appstream_lab": _check_appstream_lab,
    "gamelift_lab": _check_gamelift_lab,
    "nimble_lab": _check_nimble_lab,
    "lab_handout": _check_lab_handout,
}
ROLES = list(_CHECKS)


def _derive_appstream_lab(options: Mapping[str, Any], arguments: _Arguments) -> dict[str, Any]:
    manages = options["manage_fleet"]
    how = options["on_insufficient_capacity"] or ("fail" if manages else "ignore")
    return {
        "rotate": arguments.texts("rotate"),
        "on_insufficient_capacity": how,
        "needs_fleet": manages or how != "ignore" or (options["break_minutes"] or 0) > 0,
        "end_sessions": manages if options["end_sessions"] is None else options["end_sessions"],
    }


def _derive_gamelift_lab(options: Mapping[str, Any], arguments: _Arguments) -> dict[str, Any]:
    # Text with commas, as in a survey, is a list too.
    locations = [text.strip() for text in options["locations"] or () if text.strip()]
    return {"rotate": arguments.texts("rotate"), "locations": locations}


def _derive_nimble_lab(options: Mapping[str, Any], arguments: _Arguments) -> dict[str, Any]:
    """Return how often to poll sessions that start, and after how many seconds."""
    timeout = options["start_timeout"]
    return {
        "start_polls": -(-timeout // _NIMBLE_POLL_INTERVAL),
        "start_poll_interval": min(timeout, _NIMBLE_POLL_INTERVAL),
    }


# What the options mean, in place of what is given.
_DERIVED: dict[str, Callable[[Mapping[str, Any], _Arguments], dict[str, Any]]] = {
    "appstream_lab": _derive_appstream_lab,
    "gamelift_lab": _derive_gamelift_lab,
    "nimble_lab": _derive_nimble_lab,
    "lab_handout": lambda options, arguments: {},
}
