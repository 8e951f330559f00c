# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules' files, each in a forked child of this process, which has imported already what they need.

A table of a hundred cases then takes seconds. Reads a job as a line of JSON, and answers with the child's exit status.
Runs in the Python of the tested environment.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from functools import partial

from ansible.module_utils import basic
from forked import make_clients_quick, status_of

MODULES = "ansible_collections.labstream.aws.plugins.modules"
# Here and not in every process that is forked off.
for module in (
    "appstream_fleet",
    "appstream_fleet_info",
    "appstream_session",
    "appstream_session_info",
    "appstream_streaming_url",
    "nimble_session",
    "nimble_session_info",
    "nimble_session_stream",
    "streaming_handout",
    "streaming_lease_info",
    "streaming_lease_table",
    "streaming_rotation",
):
    importlib.import_module(f"{MODULES}.{module}")


def run(job: dict) -> None:
    """What a module's process does."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    for stream, path in ((sys.stdout, job["stdout"]), (sys.stderr, job["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream.fileno())
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": job["args"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and newer
    sys.argv = [job["file"]]
    sys.modules[f"{MODULES}.{job['module']}"].main()
    sys.exit(70)  # A module always ends by SystemExit.


def main() -> None:
    make_clients_quick("appstream", "dynamodb")
    # Else the first collection in each child copies the memory of all that is imported here: half of its time.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(status_of(partial(run, json.loads(line))))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)


if __name__ == "__main__":
    main()
