# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Checks of options that modules of all kinds share. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ._errors import InvalidOption, quote

MAX_CONCURRENCY = 64

_Entry = TypeVar("_Entry", bound=Hashable)


def validate_range(option: str, value: int, minimum: int, maximum: int, unit: str = "") -> None:
    """Reject a number that is too small or too large.

    Args:
        option: The option that has the number.
        value: The number.
        minimum: The least that is accepted.
        maximum: The most that is accepted.
        unit: What the message says after the maximum, such as ``seconds (one day)``.

    Raises:
        InvalidOption: names the value.
    """
    if not minimum <= value <= maximum:
        raise InvalidOption(f"{option} is {value}, but it must be from {minimum} to {maximum} {unit}".rstrip() + ".")


def validate_concurrency(concurrency: int) -> None:
    """Reject a number of concurrent calls that is too small or too large.

    Raises:
        InvalidOption: names the value.
    """
    validate_range("concurrency", concurrency, 1, MAX_CONCURRENCY)


def validate_given(params: Mapping[str, Any], options: Sequence[str]) -> None:
    """Reject null for all of these options, which ansible-core takes for values.

    Raises:
        InvalidOption: names them.
    """
    if all(params[option] is None for option in options):
        named = " and ".join([", ".join(options[:-1]), options[-1]]) if len(options) > 1 else options[0]
        raise InvalidOption(f"Give {'one of ' if len(options) > 1 else ''}{named}: null is not a value.")


def validate_each(option: str, values: Sequence[str], validate: Callable[[str, str], None]) -> None:
    """Validate each entry of a list, and reject lists that are empty or have an entry twice.

    Args:
        option: The option that the list is of.
        values: The list.
        validate: Is called with what messages call an entry, and the entry.

    Raises:
        InvalidOption: names the value.
    """
    if not values:
        raise InvalidOption(f"{option} is empty: name at least one.")
    for number, value in enumerate(values, start=1):
        validate(f"Entry {number} of {option}", value)
    validate_distinct(option, values)


def validate_distinct(
    option: str,
    entries: Iterable[_Entry],
    describe: Callable[[_Entry], str] = quote,
    remedy: str = "remove one",
) -> None:
    """Reject a list that has an entry twice.

    Args:
        option: The option that the list is of.
        entries: What must differ of each entry.
        describe: Returns how the message describes it.
        remedy: What to do.

    Raises:
        InvalidOption: names the first two that are equal, and their numbers.
    """
    numbers: dict[_Entry, int] = {}
    for number, entry in enumerate(entries, start=1):
        if numbers.setdefault(entry, number) != number:
            raise InvalidOption(
                f"Entries {numbers[entry]} and {number} of {option} are both {describe(entry)}: {remedy}."
            )
