# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The class that our AWS modules are instances of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.common import set_collection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ._errors import InvalidOption, LabstreamError, quote
from ._version import COLLECTION_NAME, COLLECTION_VERSION


class LabstreamAWSModule(AnsibleAWSModule):
    """An AnsibleAWSModule whose results have the same structure whether it succeeds or fails.

    ``result`` is what is known so far; it begins with a value that says "nothing" for every key that is documented.

    Args:
        empty_result: That beginning.
        kwargs: What AnsibleAWSModule takes.
    """

    def __init__(self, *, empty_result: dict[str, Any], **kwargs: Any) -> None:
        self.result = dict(empty_result)
        set_collection_info(collection_name=COLLECTION_NAME, collection_version=COLLECTION_VERSION)
        # What ansible-core's own checks of options stumble over. There is no fail_json yet.
        stumbled = None
        try:
            super().__init__(**kwargs)
        except UnicodeEncodeError as e:
            stumbled = f"An option is {quote(e.object)}, which has half a character of Unicode: correct it."
        except (OverflowError, ValueError) as e:
            stumbled = f"An option is a number that cannot be read ({e}): correct it."
        if stumbled is not None:
            sys.stdout.write(json.dumps({**self.result, "failed": True, "msg": stumbled}) + "\n")
            raise SystemExit(1)

    def warn(self, warning: str) -> None:
        """Warn the user. amazon.aws 10 would pass it to ``exit_json`` once more, which ansible-core deprecates."""
        self._module.warn(warning)

    def run(self, task: Callable[[Any], None]) -> NoReturn:
        """Do the task, and end it with ``result``, or with the sentence of the LabstreamError that it raised."""
        sentence = None
        try:
            self._check_numbers()
            task(self)
        except LabstreamError as e:
            sentence = str(e)
        # Not in the handler: ansible-core before 2.19 would show its traceback at -vvv.
        if sentence is not None:
            self.fail_json(msg=sentence)
        self.exit_json()

    def _check_numbers(self) -> None:
        """Refuse what ansible-core takes for a number, and what a service does not: true and false.

        Raises:
            InvalidOption: naming the value.
        """
        for option, spec in self._module.argument_spec.items():
            value = self.params[option]
            if spec.get("type") == "int" and isinstance(value, bool):
                raise InvalidOption(f"{option} is {str(value).lower()}, but it must be a whole number.")

    def exit_json(self, **kwargs: Any) -> NoReturn:
        """End the task well."""
        super().exit_json(**{**self.result, **kwargs})

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """End the task with one sentence. A traceback, which amazon.aws adds to some failures, is left out.

        Raises:
            LabstreamError: for ``run``, where amazon.aws calls this in a handler of its own.
        """
        if sys.exc_info()[1] is not None:
            raise LabstreamError(msg)
        kwargs.pop("exception", None)
        super().fail_json(msg=msg, **{**self.result, **kwargs})
