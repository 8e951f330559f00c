# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The type of options that are text. With its own, ansible-core makes text of mappings and lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_path, check_type_str

from ._text import describe_not_text


class _Text(str):
    """The type "str" or "path" of an argument spec, which is also the function that checks its values."""

    __name__ = "text"  # in messages of ansible-core

    def __call__(self, value: Any) -> Any:
        if problem := describe_not_text(value):
            raise TypeError(f"it {problem}")
        return (check_type_path if self == "path" else check_type_str)(value)


def with_text_types(argument_spec: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the argument spec with this type in place of those of ansible-core, also in suboptions."""
    strict = {}
    for name, spec in argument_spec.items():
        option = strict[name] = dict(spec)
        if option.get("type", "str") in ("str", "path"):
            option["type"] = _Text(option.get("type", "str"))
        if option.get("elements") == "str":
            option["elements"] = _Text("str")
        if "options" in option:
            option["options"] = with_text_types(option["options"])
    return strict
