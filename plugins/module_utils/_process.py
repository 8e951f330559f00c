# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Whether the run of Ansible that started this process has been killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# From this version of ansible-core on, each worker leads a process group of its own, of which its modules are. So a
# SIGKILL for the process group of ansible-playbook reaches neither, and only the worker has lost its parent. Before,
# the group's leader is ansible-playbook, which may lose its parent and go on, as after nohup.
_WORKERS_LEAD_GROUPS = (2, 19)


def build_orphan_check(ansible_version: str) -> Callable[[], bool]:
    """Return a function that says whether this process, or the leader of its process group, has lost its parent since.

    Without /proc, only this process is considered.

    Args:
        ansible_version: The version of the ansible-core that started this process.
    """
    version = tuple(int(part) for part in ansible_version.split(".")[:2])
    group = os.getpgrp()
    parent, parent_of_leader = os.getppid(), _get_parent(group) if version >= _WORKERS_LEAD_GROUPS else None

    def is_orphaned() -> bool:
        if os.getppid() != parent:
            return True
        # A leader that has ended is none that was killed: async_wrapper leaves such groups.
        return parent_of_leader is not None and _get_parent(group) not in (None, parent_of_leader)

    return is_orphaned


def _get_parent(pid: int) -> int | None:
    """Return the parent of a process; None if it has ended, or the system does not say."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The name of the program, in parentheses, may contain anything.
        return int(status.rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None
