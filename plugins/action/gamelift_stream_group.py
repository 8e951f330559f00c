# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for a stream group with a line of progress for each poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_states import (
    ARGUMENT_SPEC,
    GroupTransition,
    build_group_diff,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):
    """Runs the module once, and polls if there is something to wait for."""

    argument_spec = ARGUMENT_SPEC
    info_module = "labstream.aws.gamelift_stream_group_info"
    resource = "stream_group"

    def build_transition(self, options: Mapping[str, Any]) -> GroupTransition:
        """Return the transition that the options ask for."""
        return GroupTransition.from_options(options, allocated=True)

    def build_info_args(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the module that polls."""
        return {"stream_groups": [options["stream_group"]]}

    def build_diff(self, described: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a run may change of the stream group."""
        return build_group_diff(described)
