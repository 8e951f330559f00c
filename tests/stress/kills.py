# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed by SIGKILL at random times, and then repeated."""

from __future__ import annotations

import random
import signal
import time
from typing import Any

from tests.integration.lease_stores import Store
from tests.integration.running import Ansible, wait_while_running
from tests.simulator.control import Simulator
from tests.stress.services import Service, get_holders, get_stored

HOLDERS, RETURNING = 40, 10
NEW = HOLDERS - RETURNING
CONCURRENCY = 4
LATENCY = 0.01
STARTING = 0.4
MAX_LOST = 2 * CONCURRENCY
MAX_HOLDERS = NEW * 150


class Kills:
    """Kill run after run, each with holders of its own and some of the previous run's, over one store.

    Args:
        service: The service that the runs ask.
        simulator: Has what ``MAX_HOLDERS`` holders need.
        ansible: Runs the module.
        store: An empty lease store.
        seed: The times follow from it, as far as they do not depend on the machine.
    """

    def __init__(self, service: Service, simulator: Simulator, ansible: Ansible, store: Store, seed: int) -> None:
        self._service = service
        self._simulator = simulator
        self._ansible = ansible
        self._store = store
        self._seed = seed
        self._random = random.Random(seed)
        self._runs = 0
        for operation in (service.issues, "PutItem"):
            simulator.add_fault(operation=operation, latency_seconds=LATENCY)
        # So that some holders of the first run have their leases.
        self._complete(self._next_holders())

    def kill(self, count: int) -> int:
        """Kill so many runs at times spread over all that a run does; return how many had stored some of their leases.

        Raises:
            AssertionError: The store lost or changed a lease, is damaged or holds a URL that does not open; the
                repeated run did not complete with all that was stored; or more than MAX_LOST URLs were lost, or any
                where the service finds them again. It names the seed.
        """
        interrupted = 0
        for index in range(count):
            stored = None
            while stored is None:  # until a run was killed before its end
                urls = int((index + self._random.random()) / count * (NEW + 1))
                try:
                    stored = self._kill_after(urls)
                except AssertionError as e:
                    raise AssertionError(f"seed {self._seed}, {self._service.name}, {self._store.url}: {e}") from e
            interrupted += 0 < stored < NEW
        return interrupted

    def _kill_after(self, urls: int) -> int | None:
        """Kill a run shortly after so many URLs were issued, and repeat it.

        Returns:
            How many new leases it had stored; None if it had ended.
        """
        holders, before = self._next_holders(), get_stored(self._store)
        issued_before = self._count_issued()
        process = self._ansible.start_module(self._arguments(holders), module=self._service.module)
        try:
            wait_while_running(process, lambda: self._count_issued() >= issued_before + urls, LATENCY / 2)
            time.sleep(self._random.uniform(0, 2 * LATENCY if urls else STARTING))
        finally:
            process.send_signal(signal.SIGKILL)
        output = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), output

        stored = get_stored(self._store)
        gone = [holder for holder in before if stored.get(holder) != before[holder]]
        assert not gone, f"the store lost or changed the leases of {gone}"
        returned = self._complete(holders)
        again = [holder for holder in holders if holder in stored and returned[holder] != stored[holder]]
        assert not again, f"the repeated run did not reuse the leases of {again}"
        assert get_stored(self._store) == {**stored, **returned}, "the store holds something else than was returned"
        lost = self._count_issued() - issued_before - NEW
        allowed = 0 if self._service.finds_again else MAX_LOST
        assert 0 <= lost <= allowed, f"{lost} URLs were issued that no run returned, {allowed} are allowed"
        return None if process.returncode == 0 else len(stored.keys() & set(holders)) - RETURNING

    def _complete(self, holders: list[str]) -> dict[str, str | None]:
        """Run to the end, and return the grants, whose URLs all open."""
        task = self._ansible.call_module(self._arguments(holders), module=self._service.module)
        assert not task.failed, task.msg
        urls = self._service.urls(task)
        assert list(urls) == holders, "not every holder has a URL"
        dead = [holder for holder, url in urls.items() if not self._service.opens(self._simulator, url, holder)]
        assert not dead, f"the URLs of {dead} do not open"
        return self._service.grants(task)

    def _next_holders(self) -> list[str]:
        self._runs += 1
        return get_holders((self._runs - 1) * NEW, HOLDERS)

    def _arguments(self, holders: list[str]) -> dict[str, Any]:
        return {**self._service.arguments(holders, self._store), "concurrency": CONCURRENCY}

    def _count_issued(self) -> int:
        return len(self._service.issued(self._simulator))
