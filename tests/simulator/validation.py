# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a request against botocore's model of the operation, as a service does and botocore's client does not.

botocore's client checks required members, types and minimums. A service also checks maximums, patterns, enumerations
and members it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import Shape


class Malformed(Exception):
    """The request does not have the shape of the operation's input (AWS: SerializationException)."""


class Invalid(Exception):
    """A value breaks a constraint of the operation's model (AWS: ValidationException)."""


PYTHON_TYPES: dict[str, Any] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
}
# How many bits a number may have, its sign among them.
BITS = {"integer": 32, "long": 64}
# Parts of patterns, about as Python has them.
PATTERNS = {r"[\p{L}\p{M}\p{S}\p{N}\p{P}]": r"\S", r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}


def validate(parameters: Any, shape: Shape, lax: frozenset[str] = frozenset()) -> None:
    """Raise Malformed or Invalid unless ``parameters`` is a good input; members in ``lax`` need the minimum only."""
    violations = list(_violations(parameters, shape, "", lax))
    if violations:
        plural = "s" if len(violations) > 1 else ""
        raise Invalid(f"{len(violations)} validation error{plural} detected: {'; '.join(violations)}")


def matches(value: str, shape: Shape) -> bool:
    """Whether a string keeps all the model's constraints."""
    return not list(_violations(value, shape, "value", frozenset()))


def _violations(value: Any, shape: Shape, where: str, lax: frozenset[str]) -> Iterator[str]:
    expected = PYTHON_TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise Malformed(f"{where or 'The body'} must be a {shape.type_name}, not {type(value).__name__}.")
    bits = BITS.get(shape.type_name)
    if bits and not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise Malformed(f"{where} must be a {shape.type_name}, which has {bits} bits.")
    if shape.type_name == "structure":
        for name in sorted(value.keys() - shape.members.keys()):
            raise Malformed(f"{_join(where, name)} is not a member of {shape.name}.")
        for name in shape.required_members:
            if name not in value:
                yield f"Value null at '{_join(where, name)}' failed to satisfy constraint: Member must not be null"
    yield from _constraints(value, shape, where, strict=where not in lax)
    for part, part_shape, name in _parts(value, shape):
        yield from _violations(part, part_shape, _join(where, name), lax)


def _parts(value: Any, shape: Shape) -> Iterator[tuple[Any, Shape, str]]:
    """What a value is made of: each part with its shape and its name."""
    if shape.type_name == "structure":
        yield from ((member, shape.members[name], name) for name, member in value.items())
    elif shape.type_name == "list":
        yield from ((member, shape.member, f"{number}.member") for number, member in enumerate(value, start=1))
    elif shape.type_name == "map":
        for key, member in value.items():
            yield key, shape.key, "key"
            yield member, shape.value, key


def _constraints(value: Any, shape: Shape, where: str, strict: bool) -> Iterator[str]:
    if isinstance(value, bool) or shape.type_name in ("structure", "timestamp"):
        return
    rules = shape.metadata
    size, what = (len(value), "length") if isinstance(value, str | list | dict) else (value, "value")
    broken = []
    if "min" in rules and size < rules["min"]:
        broken.append(f"{what} greater than or equal to {rules['min']}")
    if strict and "max" in rules and size > rules["max"]:
        broken.append(f"{what} less than or equal to {rules['max']}")
    for rule in broken:
        yield f"Value at '{where}' failed to satisfy constraint: Member must have {rule}"
    if strict and "enum" in rules and value not in rules["enum"]:
        yield f"Value at '{where}' failed to satisfy constraint: Member must satisfy enum value set: {rules['enum']}"
    if strict and "pattern" in rules and not _compiled(rules["pattern"]).fullmatch(value):
        yield f"Value at '{where}' failed to satisfy constraint: Member must satisfy the pattern: {rules['pattern']}"


def _compiled(pattern: str) -> re.Pattern[str]:
    """The models' patterns are Java's: ``\\w`` means ASCII, and Unicode classes have names that Python lacks."""
    if "\\p{" not in pattern:
        return re.compile(pattern, re.ASCII)
    for java, python in PATTERNS.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
