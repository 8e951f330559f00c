# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Messages of modules in roles: users have set the role's variables, not the options of its modules. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

# What roles set for their tasks: the variables of the role by the options of modules that they are for, as JSON.
ROLE_VARIABLES = "LABSTREAM_ROLE_VARIABLES"

# Values are quoted. What is within a path or an address is no option.
_QUOTED = r"""(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|(?<!\w)"(?:[^"\\]|\\.)*"(?!\w)"""
_WORD = r"(?<![\w./:-])[a-z_]+(?![\w/-]|\.\w)"
_TOKEN = re.compile(f"{_QUOTED}|{_WORD}")
# A word without an underscore may be one of the sentence, or a name. An option is what begins a message, or what it
# asks to correct.
_BEFORE = re.compile(r"(?:^|\b(?:check|correct|set|whether) |_[a-z_]+ and )$")
_MAX_BEFORE = 40
_AFTER = re.compile(r"(?: is | has | and |[,.:]|$)")


def read_role_variables(environments: Iterable[Mapping[str, str] | None]) -> dict[str, str]:
    """Return the variables by option that the last of these environments has; none outside of roles."""
    found = [each[ROLE_VARIABLES] for each in environments if each and each.get(ROLE_VARIABLES)]
    return dict(json.loads(found[-1])) if found else {}


def name_variables(text: str, variables: Mapping[str, str]) -> str:
    """Return a message with the variables in place of the options that they are for.

    Args:
        text: The message.
        variables: The variables by option.
    """

    def replace(match: re.Match[str]) -> str:
        word, start, end = match[0], match.start(), match.end()
        if word not in variables:
            return word
        is_named = _BEFORE.search(text, max(0, start - _MAX_BEFORE), start) and _AFTER.match(text, end)
        return variables[word] if "_" in word or is_named else word

    return _TOKEN.sub(replace, text)
