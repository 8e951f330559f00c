# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator of AWS for playbooks of your own: prints what their shell has to export, and runs until Ctrl+C.

Run it with ``make simulator``. Leases are stored in a temporary folder, which is removed at the end.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory

from example_lab import COLLECTIONS, FLEET, STACK, STREAM_GROUP, TOOLS, Simulator, run_simulator, wait_for_interrupt


def main() -> int:
    """Run the simulator."""
    with suppress(KeyboardInterrupt), TemporaryDirectory(prefix="labstream-") as folder, run_simulator() as simulator:
        print(f"# The simulator has the stack {STACK}, the fleet {FLEET} and the stream group {STREAM_GROUP}.")
        print("# Paste these lines into another shell:")
        print("\n".join(build_exports(simulator, folder)))
        print("# The simulator runs until Ctrl+C, and then forgets everything.", flush=True)
        wait_for_interrupt()
    return 0


def build_exports(simulator: Simulator, folder: str) -> list[str]:
    """Return the lines that point Ansible and the AWS command at the simulator, and at no real account."""
    variables = {
        **simulator.environment(),
        "LABSTREAM_LEASE_STORE": f"sqlite://{folder}/leases.sqlite3",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    }
    unset = ["AWS_PROFILE", *(name for name, value in variables.items() if not value)]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if value]
    return [f"unset {' '.join(unset)}", *exports, f'export PATH={shlex.quote(str(TOOLS))}:"$PATH"']


if __name__ == "__main__":
    sys.exit(main())
