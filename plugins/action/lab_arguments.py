# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates the arguments of a role of this collection, and reads its roster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.module_utils._errors import to_message
from ansible_collections.labstream.aws.plugins.plugin_utils._arguments import (
    ROLES,
    find_roster,
    map_module_options,
    validate_arguments,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import describe_template_error
from ansible_collections.labstream.aws.plugins.plugin_utils._paths import COLLECTION
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_source import read_source
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data, decrypted

# What the handouts of a lab take from its role, unless it is given to theirs.
OF_THE_LAB = ("name", "seats", "starts_at", "ends_at", "timezone", "region", "endpoint_url", "lease_store")


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Runs on the controller only, and changes nothing."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {"role": {"required": True, "choices": ROLES}, "lab_role": {}, "fail": {"type": "bool", "default": True}}
        )
        role, variables = arguments["role"], task_vars or {}
        path = COLLECTION / "roles" / role / "meta/argument_specs.yml"
        spec = yaml_load(path.read_text(encoding="utf-8"))
        names = [name for name in variables if name.startswith(f"{role}_")]
        values: dict[str, Any] = {}
        sources = dict(self._find_sources(role, spec, variables))
        unreadable = None
        try:
            values.update(self._get_values(role, sources, variables))
        except AnsibleError as error:
            unreadable = str(error)
        validated = validate_arguments(values, role, names, spec)
        failure, roster_failure = unreadable or validated["error"], ""
        learners: list[Any] = []
        if not failure:
            try:
                learners = self._read_roster(role, values, validated["options"], variables)
            except (AnsibleError, ValueError) as error:
                roster_failure = to_message(str(error))
        # At the end of a lab, the roster is only needed for the names in the overview.
        if roster_failure and validated["options"]["state"] == "present":
            failure = roster_failure
        # Without the options, since ansible-core prints all of a failed result.
        if failure and arguments["fail"]:
            return {"failed": True, "msg": failure}
        result: dict[str, Any] = as_data(
            {
                "changed": False,
                "error": failure or None,
                "options": validated["options"],
                "variables": map_module_options(sources),
                "notices": validated["warnings"],
                "learners": learners,
                "roster_failure": roster_failure,
            }
        )
        return result

    def _find_sources(
        self, role: str, spec: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        """Yield the variables that the role's options are given by, by option without its prefix."""
        lab_role = self._task.args.get("lab_role")
        for name in spec["argument_specs"]["main"]["options"]:
            option = name.removeprefix(f"{role}_")
            is_of_the_lab = lab_role and option in OF_THE_LAB and name not in variables
            yield option, f"{lab_role}_{option}" if is_of_the_lab else name

    def _get_values(
        self, role: str, sources: Mapping[str, str], variables: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """Yield the values of the role's options that are set, by variable."""
        lab_role = self._task.args.get("lab_role")
        for option, source in sources.items():
            name = f"{role}_{option}"
            if source in variables:
                yield name, self._get_value(source, variables)
            elif lab_role and option == "limits":
                summary = self._get_value(f"{lab_role}_summary", variables) or {}
                yield name, (summary.get("fleet") or summary).get("limits")

    def _get_value(self, name: str, variables: Mapping[str, Any]) -> Any:
        """Return the value of a variable, None if it is not set.

        Raises:
            AnsibleError: It cannot be evaluated. Names the variable.
        """
        try:
            return decrypted(self._templar.template(variables.get(name)))
        # ansible-core before 2.19 raises whatever a filter or an operator of the template does.
        except Exception as error:
            # Not from the error, which can quote a secret.
            text = to_message(f"{name} cannot be evaluated: {describe_template_error(error)}")
        raise AnsibleError(text)

    def _read_roster(
        self, role: str, values: Mapping[str, Any], options: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> list[Any]:
        """Return the learners, none if no roster is given.

        Raises:
            ValueError: The roster cannot be read.
        """
        source = find_roster(role, values)
        if source is None:
            return []
        if isinstance(source, str):
            source = read_source(source, self._loader, str(variables.get("playbook_dir", ".")))
        style, key = options.get("user_id_style") or "readable", values.get(f"{role}_user_id_key") or None
        return roster(source, options["roster_columns"], style, key, role, warn=Display().warning)
