# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters do with Ansible's own kinds of values."""

from __future__ import annotations

from typing import Any

from ansible.utils.unsafe_proxy import wrap_var


def as_data(value: Any) -> Any:
    """Return ``value`` such that no text in it is ever taken for a template.

    ansible-core before 2.19 would evaluate it once it has passed through a fact; later ones do not, so this can go, and
    ``ansible.utils.unsafe_proxy`` with it, when 2.19 is the oldest that we support.
    """
    return wrap_var(value)


def decrypted(value: Any) -> Any:
    """Return the text of an inline ``!vault`` value, which ansible-core before 2.19 hands to filters as an object.

    Any other value comes back as it is.
    """
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value
