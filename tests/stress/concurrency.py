# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs at once, each a process, that issue the same URLs from one lease store."""

from __future__ import annotations

from tests.integration.running import finish_module
from tests.stress.lab import Lab
from tests.stress.services import Service, get_holders, get_stored


def run_at_once(lab: Lab, service: Service, kind: str, *, holders: int, runs: int) -> int:
    """Start the runs for holders without leases; return how many URLs or streams the service issued.

    Raises:
        AssertionError: A run failed, two runs returned different URLs for one holder, the store holds anything else,
            or more was issued than needed where the service finds it again.
    """
    names = get_holders(0, holders)
    ansible, store = lab.fresh(service, kind, names)
    args = service.arguments(names, store)
    processes = [ansible.start_module(args, module=service.module) for _run in range(runs)]
    try:
        tasks = [finish_module(process) for process in processes]
    finally:
        for process in processes:
            process.kill()  # does nothing if the process has ended

    failed = [task.msg for task in tasks if task.failed]
    assert not failed, failed
    stored = get_stored(store)
    assert len(stored) == holders, f"the store holds {len(stored)} leases for {holders} holders"
    differing = [number for number, task in enumerate(tasks) if service.grants(task) != stored]
    assert not differing, f"runs {differing} returned something else than the store holds"
    urls = [service.urls(task) for task in tasks]
    assert all(one == urls[0] for one in urls), "runs returned different URLs"
    reported = sum(task.result["summary"]["issued"] for task in tasks)
    assert reported == holders, f"{reported} leases were reported as issued for {holders} holders"
    issued = len(service.issued(lab.simulator))
    assert issued == holders or not service.finds_again, f"{issued} were created for {holders} holders"
    return issued
