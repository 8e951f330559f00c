# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What makes a function a filter of Ansible."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError, to_message
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import get_cause
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data, decrypted

# What Python raises over input that is not as documented, such as the result of another module.
_INPUT_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, UnicodeError)


def as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as a filter.

    It takes inline ``!vault`` values, its result is data and never a template, and it raises AnsibleFilterError with a
    one-line message, whatever its input is.
    """

    @functools.wraps(function)
    def filter_(*args: Any, **options: Any) -> Any:
        try:
            result = function(*map(decrypted, args), **{name: decrypted(value) for name, value in options.items()})
            return as_data(result)
        except _INPUT_ERRORS as error:
            text = (
                f"The filter labstream.aws.{function.__name__} cannot be applied to this input, see its documentation: "
                f"{type(error).__name__}: {error}"
            )
            raise AnsibleFilterError(to_message(text)) from get_cause(error)
        except (LabstreamError, ValueError) as error:
            raise AnsibleFilterError(to_message(str(error))) from get_cause(error)

    return filter_
