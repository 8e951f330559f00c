# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What makes a function a filter of Ansible."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data, decrypted


def as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as a filter.

    It takes inline ``!vault`` values, its result is data and never a template, and its errors are AnsibleFilterErrors.
    """

    @filter_errors
    @functools.wraps(function)
    def filter_(*args: Any, **options: Any) -> Any:
        return as_data(function(*map(decrypted, args), **{name: decrypted(value) for name, value in options.items()}))

    return filter_
