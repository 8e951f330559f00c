# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: task_results
type: notification
short_description: Write task results to a file, for tests
description:
  - Appends one line of JSON for each task result, and one for the play recap, to a file.
options:
  path:
    description: The file.
    type: path
    required: true
    env:
      - name: LABSTREAM_TEST_RESULTS
"""

import json  # noqa: E402

from ansible.plugins.callback import CallbackBase  # noqa: E402


class CallbackModule(CallbackBase):
    """What C(ansible-playbook) prints stays as users see it; tests read the results here.

    The events of ansible-runner have the results too, but cost 0.4 of 2.6 seconds and a folder of files in each run.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_results"

    def v2_runner_on_ok(self, result):
        self._write_task("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write_task("failed", result)

    def v2_runner_on_skipped(self, result):
        self._write_task("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._write_task("unreachable", result)

    def v2_playbook_on_stats(self, stats):
        self._write({"recap": {host: stats.summarize(host) for host in stats.processed}})

    def _write_task(self, status, result):
        task, known = result._task, result._result
        # A loop over one value is how a task evaluates it once.
        if task.action == "ansible.builtin.set_fact" and len(known.get("results", ())) == 1:
            [known] = known["results"]
        self._write({"task": task.get_name(), "action": task.action, "status": status, "result": known})

    def _write(self, line):
        with open(self.get_option("path"), "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")
