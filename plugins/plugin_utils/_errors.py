# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Errors of filters and lookups, and what ansible-core makes of them."""

from __future__ import annotations

import re

from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.labstream.aws.plugins.module_utils._errors import to_message

# What ansible-core puts before the message of a filter or lookup: 2.19 and newer, and 2.18 and older, where it is once
# more there for each variable in between. A conditional of the latter is followed by where it stands.
_CORE_PREFIX = re.compile(
    r"(?:Task failed: )?(?:Finalization of task args for '[^']*' failed: )?"
    r"(?:Error while resolving value for '[^']*': )?The (?:filter|lookup|test) plugin '[\w.]+' failed: "
    r"|(?:The conditional check '.*?' failed\. The error was: )?"
    r"An unhandled exception occurred while .*Error was a <class '[\w.]+'>, original message: ",
    re.DOTALL,
)
_CORE_SUFFIX = "\n\nThe error appears to be in "
# The template, in messages of 2.18 and older.
_CORE_TEMPLATE = re.compile(r"(?:\. String|(?<=loop detected) in template string): .*", re.DOTALL)


def get_cause(error: Exception) -> Exception | None:
    """Return the error if it can be the cause of another: ansible-core adds the text of a cause, whatever it is."""
    return error if to_message(str(error)) == str(error) else None


def strip_core_prefix(message: str) -> str:
    """Return the message of a failed task without what ansible-core puts around the error of a plugin."""
    prefix = _CORE_PREFIX.match(message)
    return message[prefix.end() :].partition(_CORE_SUFFIX)[0] if prefix else message


def describe_template_error(error: Exception) -> str:
    """Return why a variable cannot be evaluated, without its text, which can be a secret."""
    text = _CORE_TEMPLATE.sub("", strip_core_prefix(str(error)))
    # 2.18 and older put each variable on the way to the undefined one before it, and say it twice.
    return text.rpartition(": ")[2].partition(". ")[0] if isinstance(error, AnsibleUndefinedVariable) else text
