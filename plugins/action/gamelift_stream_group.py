# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for a stream group with a line of progress for each poll."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_states import (
    ARGUMENT_SPEC,
    GroupTransition,
    build_group_diff,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):
    """Runs the module once, and polls if there is something to wait for."""

    # Without the variable that the module takes the lease store from: it is one of the host of the module.
    argument_spec: ClassVar[Mapping[str, Any]] = {**ARGUMENT_SPEC, "lease_store": {"type": "str"}}
    name_option = "stream_group"
    info_module = "labstream.aws.gamelift_stream_group_info"
    resource = "stream_group"
    build_transition = staticmethod(partial(GroupTransition.from_options, allocated=True))
    build_diff = staticmethod(build_group_diff)

    def _parse_options(self) -> dict[str, Any] | None:
        """Return the options; None for what a lab restores, which the module finds in the lease store of its host."""
        return None if self._task.args.get("state") == "restored" else super()._parse_options()
