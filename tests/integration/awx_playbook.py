# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook``, but that each module's ``main`` runs in Ansible's own worker, not in a Python of its own.

Usage: awx_playbook.py ARGUMENTS OF ANSIBLE-PLAYBOOK

For playbooks whose modules are all of awx.awx, which take long to start: four times faster.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from typing import Any

from ansible.cli.playbook import main
from ansible.module_utils import basic
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import init_plugin_loader

PACKAGE = "ansible_collections.awx.awx.plugins.modules"


def run_here(action: ActionBase, *_arguments: Any, **_options: Any) -> dict[str, Any]:
    """The result of the task's module, as ``ActionBase._execute_module`` returns it."""
    module = importlib.import_module(f"{PACKAGE}.{action._task.action.removeprefix('awx.awx.')}")
    internal = {"_ansible_check_mode": action._task.check_mode, "_ansible_no_log": action._task.no_log}
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {**action._task.args, **internal}}).encode()
    # ansible-core 2.19 and newer want to be told how the arguments are encoded.
    basic._ANSIBLE_PROFILE = "legacy"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        module.main()
    return json.loads(printed.getvalue())


if __name__ == "__main__":
    init_plugin_loader()
    # Once, before Ansible forks its workers: what all these modules share.
    importlib.import_module(f"{PACKAGE}.organization")
    ActionBase._execute_module = run_here
    main(["ansible-playbook", *sys.argv[1:]])
