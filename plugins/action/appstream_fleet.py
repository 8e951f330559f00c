# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for a fleet with a line of progress for each poll."""

from __future__ import annotations

from functools import partial

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
    name_option = "name"
    info_module = "labstream.aws.appstream_fleet_info"
    resource = "fleet"
    build_transition = staticmethod(partial(Transition.from_options, provisioned=True))
    build_diff = staticmethod(build_fleet_diff)
