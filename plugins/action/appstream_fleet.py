# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for a fleet with a line of progress for each poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleet_states import (
    ARGUMENT_SPEC,
    CAPACITY_OPTIONS,
    Transition,
    build_fleet_diff,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):
    """Runs the module once, and polls if there is something to wait for."""

    argument_spec = ARGUMENT_SPEC
    mutually_exclusive = (CAPACITY_OPTIONS,)
    info_module = "labstream.aws.appstream_fleet_info"
    resource = "fleet"

    def build_transition(self, options: Mapping[str, Any]) -> Transition:
        """Return the transition that the options ask for."""
        return Transition.from_options(options, provisioned=True)

    def build_info_args(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the module that polls."""
        return {"names": [options["name"]]}

    def build_diff(self, described: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a run may change of the fleet."""
        return build_fleet_diff(described)
