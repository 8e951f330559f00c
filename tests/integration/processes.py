# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes with all that they have started.

A signal for the process group of ansible-playbook is not enough: from ansible-core 2.19 on, its workers lead groups of
their own, and go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def run_to_end(command: Sequence[str | Path], *, timeout: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output as text; ``options`` are those of Popen.

    Raises:
        TimeoutExpired: It took too long. It was killed, with all that it had started.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True, **options
    ) as process:
        stdout, stderr = wait_for(process, timeout)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def wait_for(process: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    """Wait for the process, and return its output. If anything is raised, it is killed first, with its descendants."""
    try:
        return process.communicate(timeout=timeout)
    except BaseException:
        kill_tree(process.pid)
        raise


def kill_tree(pid: int) -> None:
    """Kill the process and its descendants."""
    stopped: set[int] = set()
    # Stopped first, so that none starts another, or loses its parent, before it is found.
    while found := set(get_tree(pid)) - stopped:
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        stopped |= found
    for each in stopped:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def get_tree(pid: int) -> list[int]:
    """Return the process and its descendants; none if it has ended."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in get_tree(child))]


def is_running(pid: int) -> bool:
    """Return whether the process has not ended. One whose parent has yet to take note of its end has."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
