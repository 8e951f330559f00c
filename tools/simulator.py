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

from example_lab import (
    APPLICATION,
    COLLECTIONS,
    FLEET,
    LOCATIONS,
    SESSIONS,
    STACK,
    STREAM_GROUP,
    STUDIO,
    TOOLS,
    Simulator,
    run_simulator,
    wait_for_interrupt,
)


def main() -> int:
    """Run the simulator."""
    with suppress(KeyboardInterrupt), TemporaryDirectory(prefix="labstream-") as folder, run_simulator() as simulator:
        print(f"# In the region {simulator.environment()['AWS_REGION']}, the simulator has")
        print(f"# - the stack {STACK} with the fleet {FLEET},")
        print(f"# - the stream group {STREAM_GROUP} with the application {APPLICATION} at {' and '.join(LOCATIONS)},")
        print(f"# - the studio {STUDIO} with the sessions {' and '.join(SESSIONS)}.")
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
        # The labs need no inventory, as Ansible would warn in every run.
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
    }
    unset = ["AWS_PROFILE", *(name for name, value in variables.items() if not value)]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if value]
    return [f"unset {' '.join(unset)}", *exports, f'export PATH={shlex.quote(str(TOOLS))}:"$PATH"']


if __name__ == "__main__":
    sys.exit(main())
