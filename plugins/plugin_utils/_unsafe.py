# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Values of Ansible's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:  # ansible-core 2.23 and newer
    wrap_var = None


def as_data(value: Any) -> Any:
    """Return the value marked so that no text in it is ever evaluated as a template.

    ansible-core before 2.19 would evaluate it once it has passed through a fact. Newer versions evaluate nothing that a
    plugin returns, and 2.23 removes ``ansible.utils.unsafe_proxy``. The mark can go when 2.19 is the oldest version
    that is supported.
    """
    plain = _to_plain(value)
    return wrap_var(plain) if wrap_var else plain


def _to_plain(value: Any) -> Any:
    """Return the value without containers of ansible-core's own types, which cannot be copied."""
    if isinstance(value, Mapping):
        return {key: _to_plain(each) for key, each in value.items()}
    return [_to_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def decrypted(value: Any) -> Any:
    """Return the value with the text of inline ``!vault`` values, which ansible-core before 2.19 passes as objects."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, dict):
        return {key: decrypted(each) for key, each in value.items()}
    return [decrypted(each) for each in value] if isinstance(value, list) else value
