# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters share about the values they are given. Knows neither AWS nor Ansible."""

from __future__ import annotations

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def quote(value: Any) -> str:
    """Return ``value`` as an error message shows it: quoted, and cut in the middle when it is long."""
    return _SHORT.repr(value)


def decrypted(value: Any) -> Any:
    """Return the text of an inline ``!vault`` value, which ansible-core before 2.19 hands to filters as an object.

    Any other value comes back as it is.
    """
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value
