# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at once, each a process, that give one class its URLs out of one lease store."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.chaos.classes import arguments, learners, urls_by_learner
from tests.integration.lease_stores import Store
from tests.integration.running import Ansible, finish_module
from tests.simulator.control import Simulator

RUNS = 8


@dataclass(frozen=True)
class AtOnce:
    """How it went: seconds for all runs, URLs that the service issued, and those that were handed out as new."""

    seconds: float
    issued: int
    remembered: int


def run_at_once(simulator: Simulator, ansible: Ansible, store: Store, count: int) -> AtOnce:
    """Have the runs serve ``count`` learners who have no lease yet.

    AssertionError unless every run ends well, all hand each learner the same URL, and the store holds just these.
    """
    before = len(simulator.streaming_urls())
    args = arguments(learners(0, count), store)
    begun = time.monotonic()
    processes = [ansible.start_module(args) for _number in range(RUNS)]
    tasks = [finish_module(process) for process in processes]
    seconds = time.monotonic() - begun

    failed = [task.msg for task in tasks if task.failed]
    assert not failed, failed
    held = store.urls()
    assert len(held) == count, f"the store holds {len(held)} leases of {count} learners"
    differing = [number for number, task in enumerate(tasks) if urls_by_learner(task) != held]
    assert not differing, f"runs {differing} handed out other URLs than the store holds"
    remembered = sum(task.result["summary"]["issued"] for task in tasks)
    assert remembered == count, f"{remembered} leases of {count} learners were called new"
    return AtOnce(seconds, len(simulator.streaming_urls()) - before, remembered)
