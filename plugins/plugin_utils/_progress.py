# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Action plugins that wait for a resource with a line of progress for each poll.

The module runs once, and is the only step that changes anything. It does not wait; the polls are runs of the module
that gathers information. So nothing is started or scaled a second time.
"""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.dict_transformations import snake_dict_to_camel_dict
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._role_variables import (
    ROLE_VARIABLES,
    name_variables,
    read_role_setting,
)
from ansible_collections.labstream.aws.plugins.module_utils._types import with_strict_types
from ansible_collections.labstream.aws.plugins.module_utils._waiting import Step, Transition, find_warning, poll_delays

display = Display()


class WaitingAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Runs the module of the task once, and polls if there is something to wait for.

    Attributes:
        argument_spec: The options of the module.
        mutually_exclusive: Those of them that exclude each other.
        name_option: The option that names the resource; with an s, that of the module that polls.
        info_module: The module that polls.
        resource: The key of the results that has the resource; with an s, that of the module that polls.
        build_transition: Returns the transition that the options ask for. Raises InvalidOption.
        build_diff: Returns what a run may change of the resource, given as the service describes it.
    """

    _supports_check_mode = True
    _supports_async = True

    argument_spec: ClassVar[Mapping[str, Any]]
    mutually_exclusive: ClassVar[Sequence[Sequence[str]]] = ()
    name_option: ClassVar[str]
    info_module: ClassVar[str]
    resource: ClassVar[str]
    build_transition: Callable[[Mapping[str, Any]], Transition]
    build_diff: Callable[[Mapping[str, Any]], dict[str, Any]]

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._role_variables: dict[str, str] = {}
        options = None if self._task.async_val or self._task.check_mode else self._parse_options()
        if options is None or not options["wait"]:
            # The module rejects invalid options, and waits by itself where this plugin cannot show progress.
            wrap_async = self._task.async_val and not self._connection.has_native_async
            return self._execute_module(task_vars=task_vars, wrap_async=wrap_async)
        return Wait(self, options, task_vars or {}).run()

    def _parse_options(self) -> dict[str, Any] | None:
        """Return the options of the task with their defaults, None if they are not valid."""
        spec = with_strict_types(self.argument_spec)
        validator = ArgumentSpecValidator(spec, mutually_exclusive=self.mutually_exclusive)
        validated = validator.validate({name: self._task.args[name] for name in self._task.args if name in spec})
        options: dict[str, Any] = validated.validated_parameters
        if validated.error_messages:
            return None
        try:
            self.build_transition(options)
            # ansible-core has merged and templated the environments of the task.
            self._role_variables = read_role_setting(ChainMap(*(self._task.environment or ())), ROLE_VARIABLES)
        except LabstreamError:
            return None
        return options

    def execute(self, module: str | None, args: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a module, by default the task's own, with the connection options of the task.

        They are passed on explicitly, since module_defaults do not reach ``_execute_module``.
        """
        connection = {name: value for name, value in self._task.args.items() if name not in self.argument_spec}
        return self._execute_module(module_name=module, module_args={**connection, **args}, task_vars=task_vars)

    def name_variables(self, text: str) -> str:
        """Return a message that in a role names its variables, as those of its modules do."""
        return name_variables(text, self._role_variables)

    def show(self, line: str, task_vars: Mapping[str, Any]) -> None:
        """Show a line of progress on stderr, so that callbacks which print JSON stay parseable."""
        if not self._task.no_log:
            display.display(f"[{task_vars.get('inventory_hostname')}] {line}", stderr=True)


class Wait:
    """One run of the module, and the polls before and after it.

    Args:
        action: Executes the modules and shows the progress.
        options: The options of the task.
        task_vars: The variables of the task.
    """

    def __init__(self, action: WaitingAction, options: dict[str, Any], task_vars: dict[str, Any]) -> None:
        self._action, self._options, self._task_vars = action, options, task_vars
        self._transition = action.build_transition(options)
        self._began = time.monotonic()
        # The resource at the first and at the last poll, as results show it.
        self._first: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        # The result of the module, once it has run.
        self._result: dict[str, Any] | None = None
        self._warnings: list[Any] = []

    def run(self) -> dict[str, Any]:
        """Return the result of the task."""
        outcome: dict[str, Any] = {}
        try:
            self._wait()
            shortage = self._transition.describe_shortage(self._described, int(self._elapsed))
            outcome["insufficient_capacity"] = shortage
            how = self._options["on_insufficient_capacity"]
            self._warnings.append(find_warning(self._transition, shortage, self._last["problem"], how))
        except LabstreamError as e:
            outcome.update(failed=True, msg=self._action.name_variables(str(e)))
        return self._build_result(outcome)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def _has_changed(self) -> bool:
        return bool(self._result and self._result.get("changed"))

    @property
    def _described(self) -> dict[str, Any]:
        """The resource at the last poll, as the service describes it."""
        return to_description(self._last)

    def _wait(self) -> None:
        """Poll until the resource is in its state, and run the module as soon as nothing is in its way.

        Raises:
            LabstreamError: the resource will not reach the wanted state or has not in time, or a module failed.
        """
        transition, timeout = self._transition, self._options["wait_timeout"]
        for delay in poll_delays():
            self._poll()
            step = transition.next_step(self._described, time.monotonic())
            self._show()
            if self._result is None and (step is not Step.WAIT or transition.find_obstacle(self._described) is None):
                self._run_module()
                step = transition.next_step(self._described, time.monotonic())
                # No other poll would show it.
                if step is Step.DONE and self._has_changed:
                    self._show()
            if step is Step.DONE:
                return
            left = timeout - self._elapsed
            if left <= 0:
                transition.check_timeout(self._described, timeout)
                return
            time.sleep(min(delay, left))

    def _show(self) -> None:
        self._action.show(self._transition.describe_progress(self._described, self._elapsed), self._task_vars)

    def _poll(self) -> None:
        name = self._action.name_option
        result = self._action.execute(self._action.info_module, {f"{name}s": [self._options[name]]}, self._task_vars)
        if not result.get("failed"):
            self._warnings += result.get("warnings", [])
            self._last = result[f"{self._action.resource}s"][0]
            self._first = self._first or self._last
        elif self._result is None:
            self._run_module()  # It reports the reason in its own words.
        else:
            raise LabstreamError(result["msg"])

    def _run_module(self) -> None:
        args = {name: value for name, value in self._options.items() if value is not None}
        # What is missing is judged after waiting.
        args.update(wait=False, on_insufficient_capacity="ignore")
        self._result = self._action.execute(None, args, self._task_vars)
        self._last = self._result.get(self._action.resource, self._last)
        self._first = self._first or self._last
        self._transition.record_all(time.monotonic())
        if self._result.get("failed"):
            raise LabstreamError(self._result["msg"])

    def _build_result(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of the module and of the polls together."""
        result = {"changed": False, "insufficient_capacity": None, **(self._result or {}), **outcome}
        if self._last:
            result[self._action.resource] = self._last
        if "diff" in result:
            before, after = (self._action.build_diff(to_description(facts)) for facts in (self._first, self._last))
            result["diff"] = {"before": before, "after": after}
        if "invocation" in result:
            how = self._options["on_insufficient_capacity"]
            result["invocation"]["module_args"].update(wait=True, on_insufficient_capacity=how)
        warnings = list(filter(None, dict.fromkeys([*result.get("warnings", []), *self._warnings])))
        return {**result, "warnings": warnings} if warnings else result


def to_description(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource as the service describes it, given as results show it."""
    return snake_dict_to_camel_dict(facts, capitalize_first=True)
