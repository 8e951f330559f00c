# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a filter refuses what it cannot be applied to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError, to_message

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# What Python raises over input that is not as documented, such as the result of another module.
_PARSER_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, UnicodeError)


def filter_errors(filter_: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Have a filter raise AnsibleFilterError, whose text is one sentence, whatever its input is.

    The text of a ValueError is that sentence, and so is that of one of our own exceptions.
    """

    @functools.wraps(filter_)
    def refusing(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return filter_(*args, **kwargs)
        except _PARSER_ERRORS as error:
            sentence = (
                f"The filter labstream.aws.{filter_.__name__} cannot be applied to what it was given "
                f"({type(error).__name__}: {error}): give it what its documentation names."
            )
        except (LabstreamError, ValueError) as error:
            sentence = str(error)
        raise AnsibleFilterError(to_message(sentence))

    return refusing
