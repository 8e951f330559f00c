# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What is wrong with a value that is not text where text is expected."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

TERRAFORM_OUTPUT = "is Terraform's description of an output, not its value: take it from `terraform output -json lab`"

_OUTPUT_KEYS = {"sensitive", "type", "value"}


def is_terraform_output(value: Any) -> bool:
    """Return whether the value describes an output, as ``terraform output -json`` does when no output is named."""
    return isinstance(value, Mapping) and set(value) >= _OUTPUT_KEYS


def describe_not_text(value: Any) -> str | None:
    """Return what is wrong with a value that must be text, None if it is neither a mapping nor a list.

    The value itself is not shown, since Terraform's outputs may be sensitive.
    """
    if is_terraform_output(value):
        return TERRAFORM_OUTPUT
    if isinstance(value, Mapping):
        return "is a mapping, but it must be text"
    return "is a list, but it must be text" if isinstance(value, (list, tuple)) else None


def describe_lost_text(value: Any) -> str | None:
    """Return what is wrong with a value that YAML made of text which nobody can restore, otherwise None.

    An integer can be text: YAML reads 007 as 7, but each time.
    """
    kinds = {bool: "boolean", float: "number", datetime.date: "date"}
    for kind, name in kinds.items():
        if isinstance(value, kind):
            return f"is the {name} {str(value).lower()}, so how it was written is lost: put it in quotes"
    return None
