# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints nothing but JSON, as ansible.posix.json does: the states of the fleets that tasks have returned, by host."""

from __future__ import annotations

DOCUMENTATION = """
name: json_stdout
type: stdout
short_description: Print the states of fleets as JSON
description: Prints one JSON document at the end.
"""

import json  # noqa: E402

from ansible.plugins.callback import CallbackBase  # noqa: E402


class CallbackModule(CallbackBase):
    """A callback whose output is parsed by a program."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_stdout"

    def __init__(self):
        super().__init__()
        self._states = {}

    def v2_runner_on_ok(self, result):
        self._states.setdefault(result._host.get_name(), []).append(result._result["fleet"]["state"])

    def v2_playbook_on_stats(self, stats):
        print(json.dumps(self._states))
