# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What roles pass to their modules in the environment, and messages that name the variables of the role. Pure.

The users of a role have set its variables, not the options of its modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ._errors import InvalidOption

# What roles set for their tasks: the variables of the role by the options of modules that they are for, as JSON.
ROLE_VARIABLES = "LABSTREAM_ROLE_VARIABLES"
# And options and values, as JSON.
ROLE_OPTIONS = "LABSTREAM_ROLE_OPTIONS"

# Values are quoted. What is within a path or an address is no option.
_VALUE = r"""(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|(?<!\w)"(?:[^"\\]|\\.)*"(?!\w)"""
# A word without an underscore may be one of the sentence, unless the message begins with it ("lab is ...") or says what
# to do about it ("check stack_name and region").
_DO = "|".join(rf"(?<=\b{verb} )" for verb in ("check", "correct", "set", "whether"))
_LIST = r"[a-z_]+(?:(?:, and|, or|,| and| or) [a-z_]+)*"
_OPTION = rf"(?:(?:\A|{_DO}){_LIST}|(?<![\w./:-])[a-z]+(?:_[a-z]+)+)(?![\w/-]|\.\w)"
_TOKEN = re.compile(f"(?P<value>{_VALUE})|{_OPTION}")
_WORD = re.compile("[a-z_]+")


def read_role_setting(environment: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return what a role has set an environment variable to; nothing outside of roles.

    Raises:
        InvalidOption: It was not set by a role.
    """
    try:
        setting = json.loads(environment.get(name) or "{}")
    except ValueError:
        setting = None
    if not isinstance(setting, dict):
        raise InvalidOption(f"{name} in the environment is only for the roles of this collection: do not set it.")
    return setting


def name_variables(text: str, variables: Mapping[str, str]) -> str:
    """Return a message with the variables in place of the options that they are for.

    Args:
        text: The message.
        variables: The variables by option.
    """

    def replace(match: re.Match[str]) -> str:
        if match["value"]:
            return match[0]
        return _WORD.sub(lambda word: variables.get(word[0], word[0]), match[0])

    return _TOKEN.sub(replace, text)
