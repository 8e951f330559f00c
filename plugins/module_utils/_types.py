# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Types of options that are stricter than those of ansible-core, which makes text of a mapping, and 1 of true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_int, check_type_path, check_type_str

from ._text import describe_not_text

# A type is the function that checks values, as ansible-core accepts it, and also the name of the type that it replaces:
# ansible-test compares that with the documentation. ``__name__`` is in messages of ansible-core.


class _Text(str):
    """The type "str" or "path"."""

    __name__ = "text"

    def __call__(self, value: Any) -> Any:
        if problem := "is null, but it must be text" if value is None else describe_not_text(value):
            raise TypeError(f"it {problem}")
        return (check_type_path if self == "path" else check_type_str)(value)


class _Number(str):
    """The type "int"."""

    __name__ = "number"

    def __call__(self, value: Any) -> Any:
        if isinstance(value, bool):
            raise TypeError(f"it is {str(value).lower()}, but it must be a whole number")
        return check_type_int(value)


_STRICT = {"str": _Text("str"), "path": _Text("path"), "int": _Number("int")}


def with_strict_types(argument_spec: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the argument spec with these types in place of those of ansible-core, also in suboptions."""
    strict = {}
    for name, spec in argument_spec.items():
        option = strict[name] = {"type": "str", **spec}
        # Choices are checked anyway, and ansible-core 2.16 raises a TypeError over a list that is not converted.
        for key in {"type", "elements"} & option.keys() - ({"type"} if "choices" in option else set()):
            option[key] = _STRICT.get(option[key], option[key])
        if "options" in option:
            option["options"] = with_strict_types(option["options"])
    return strict
