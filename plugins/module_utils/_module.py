# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The class of our AWS modules."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NoReturn

from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible_collections.amazon.aws.plugins.module_utils.common import set_collection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule, aws_argument_spec

from ._errors import InvalidOption, describe_frames, quote
from ._failures import Failure, find_bug
from ._process import build_orphan_check
from ._role_variables import ROLE_OPTIONS, ROLE_VARIABLES, name_variables, read_role_setting
from ._types import with_strict_types
from ._version import COLLECTION_NAME, COLLECTION_VERSION

MIN_PYTHON = (3, 10)
# What roles set for a task in check mode that only asks: what is stored, or whether what follows can work.
ROLE_QUERY = "LABSTREAM_ROLE_QUERY"


class LabstreamAWSModule(AnsibleAWSModule):
    """An AnsibleAWSModule whose results have the same structure whether it succeeds or fails.

    Args:
        empty_result: A value for every documented key of the result, as long as nothing else is known.
        supports_check_mode: As that of AnsibleAWSModule, but true by default.
        kwargs: The other arguments of AnsibleAWSModule.

    Attributes:
        result: The result so far. Only the ``run`` of a module file writes to it.
        is_orphaned: Says whether the run of Ansible that started the module has been killed.
        reports_bugs: Whether a bug becomes a message. Unit tests unset it, so that they see the exception.
    """

    reports_bugs: ClassVar[bool] = True

    def __init__(self, *, empty_result: dict[str, Any], supports_check_mode: bool = True, **kwargs: Any) -> None:
        self.result = dict(empty_result)
        self._role_variables: dict[str, str] = {}
        self.is_orphaned = build_orphan_check(ansible_version)
        set_collection_info(collection_name=COLLECTION_NAME, collection_version=COLLECTION_VERSION)
        if sys.version_info < MIN_PYTHON:
            self._fail_early(
                f"The Python on this host is {platform.python_version()} ({sys.executable}), but {COLLECTION_NAME} "
                f"needs {'.'.join(map(str, MIN_PYTHON))} or newer: set ansible_python_interpreter to one with boto3."
            )
        try:
            self._role_variables = read_role_setting(os.environ, ROLE_VARIABLES)
            spec = {**aws_argument_spec(), **kwargs.pop("argument_spec")}
            super().__init__(argument_spec=with_strict_types(spec), supports_check_mode=supports_check_mode, **kwargs)
            self._apply_role_options()
            return
        except InvalidOption as e:
            message = str(e)
        # ansible-core's own validation raises these.
        except UnicodeEncodeError as e:
            message = f"An option is {quote(e.object)}, which has an unpaired surrogate: correct it."
        except (OverflowError, ValueError) as e:
            message = f"An option is a number that cannot be read ({e}): correct it."
        self._fail_early(message)

    @property
    def is_in_role(self) -> bool:
        """Whether a role of this collection runs the module, whose users set variables of the role, not options."""
        return bool(self._role_variables)

    @property
    def is_query(self) -> bool:
        """Whether a role only asks, before it changes anything. Then there are no warnings."""
        # Outside check mode, a task that changes nothing would seem to have done so.
        return self._module.check_mode and bool(os.environ.get(ROLE_QUERY))

    def _apply_role_options(self) -> None:
        """Set the options that variables of a role are for.

        As arguments of the role's tasks, those that are not given would hide the play's module_defaults.
        """
        options = read_role_setting(os.environ, ROLE_OPTIONS)
        self.params.update({option: value for option, value in options.items() if value and option in self.params})

    def _fail_early(self, msg: str) -> NoReturn:
        """End the task with a message, before there is a module that could."""
        sys.stdout.write(json.dumps({**self.result, "failed": True, "msg": self._name_variables(msg)}) + "\n")
        raise SystemExit(1)

    def warn(self, warning: str) -> None:
        """Warn the user. amazon.aws 10 would also pass it to ``exit_json``, which ansible-core deprecates."""
        if not self.is_query:
            self._module.warn(self._name_variables(warning))

    def warn_all(self, *warnings: str | None) -> None:
        """Warn the user of those that are not None."""
        for warning in filter(None, warnings):
            self.warn(warning)

    def hide(self, values: Iterable[Any]) -> None:
        """Mask the texts among these values in the result, and in the arguments in it, as if of no_log options."""
        self._module.no_log_values.update(value for value in values if value and isinstance(value, str))

    def get_fallback_variables(self, option: str) -> Sequence[str]:
        """Return the environment variables that an option takes its value from if it is not given."""
        return self._module.argument_spec[option]["fallback"][1]

    def run(self, task: Callable[[Any], None]) -> NoReturn:
        """Run the task, then end with ``result``, and with the message of what it raised if it failed."""
        failure: Failure | None = None
        try:
            task(self)
        except Exception as e:
            failure = Failure.from_error(e)
        # Outside the handlers: ansible-core before 2.19 would show the traceback, which quotes the exception, at -vvv.
        if failure:
            self.fail_json(msg=failure.message, bug=find_bug([failure]))
        self.exit_json()

    def exit_json(self, **kwargs: Any) -> NoReturn:
        """End the task successfully."""
        super().exit_json(**self._complete(kwargs))

    def fail_json(self, msg: str, *, bug: Exception | None = None, **kwargs: Any) -> NoReturn:
        """End the task with a message. If the reason is a bug, add what its report needs."""
        if bug and not self.reports_bugs:
            raise bug
        report = {"frames": describe_frames(bug)} if bug else {}
        super().fail_json(msg=self._name_variables(msg), **self._complete({**report, **kwargs}))

    def _complete(self, more: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the task with more values."""
        result = {**self.result, **more}
        for failure in result.get("failures", ()):
            failure["message"] = self._name_variables(failure["message"])
        return result

    def _name_variables(self, text: str) -> str:
        """Return a message that in a role names its variables."""
        return name_variables(text, self._role_variables)
