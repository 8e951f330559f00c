# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command, and write its times and memory to a file, as JSON.

A process of its own, since Linux counts the memory of the process that starts another to that one's peak: this one is
small. Standard library only, and little of that.

Usage: usage.py FILE COMMAND...
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

# In seconds. What is sampled is a maximum that only grows, so no more than the last of them is lost.
SAMPLE_EVERY = 0.1


def sample_peak(pid: int, peak: list[float]) -> None:
    """Keep the maximum of a process's memory so far, in MB, in ``peak``, until the process ends."""
    while True:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                kilobytes = [int(line.split()[1]) for line in file if line.startswith("VmHWM:")]
        except OSError:
            return
        if not kilobytes:  # It has ended, but nobody has waited for it yet.
            return
        peak[0] = kilobytes[0] / 1024
        time.sleep(SAMPLE_EVERY)


def main(path: str, command: list[str]) -> int:
    """Return the command's exit status."""
    begun, started = time.time(), time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    own_peak = [0.0]
    threading.Thread(target=sample_peak, args=(pid, own_peak), daemon=True).start()
    # With all of its children, as far as they were waited for.
    _pid, status, used = os.wait4(pid, 0)
    took = {
        "begun": begun,
        "wall": time.monotonic() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
        "own_peak": own_peak[0],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(took, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
