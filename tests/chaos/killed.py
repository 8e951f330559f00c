# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed by SIGKILL at random moments, and then repeated."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.classes import arguments, learners, urls_by_learner
from tests.integration.lease_stores import Store
from tests.integration.running import Ansible
from tests.simulator.control import Simulator

# Each class has so many learners, of whom some were in the class before and have their URLs.
LEARNERS, RETURNING = 40, 10
NEW = LEARNERS - RETURNING
CONCURRENCY = 4
# Of each call that issues or writes, in seconds.
LATENCY = 0.01
# So long a process takes at least until its first call.
STARTING = 0.4
# So many URLs a run may have issued, but not yet remembered: those of the calls that are made or wait for a thread.
MOST_LOST = 2 * CONCURRENCY


@dataclass(frozen=True)
class Kill:
    """One killed run: when, in seconds after it was started, and what was then true of its class.

    ``held`` new learners had their lease; ``lost`` URLs had been issued, but were not remembered.
    """

    moment: float
    held: int
    lost: int


class Killing:
    """Kills run after run, each of another class, over one store.

    Args:
        simulator: Has the stack and the fleet, and room for all learners.
        ansible: Runs the module.
        store: Holds nothing.
        seed: The moments follow from it, as far as they are not a matter of the machine.
    """

    def __init__(self, simulator: Simulator, ansible: Ansible, store: Store, seed: int) -> None:
        self._simulator = simulator
        self._ansible = ansible
        self._store = store
        self._random = random.Random(seed)
        self._classes = 0
        for operation in ("CreateStreamingURL", "PutItem"):
            simulator.add_fault(operation=operation, latency_seconds=LATENCY)
        # Those who return in the first class have been there before.
        self._run_to_the_end(self._next_class())

    def kills(self, count: int) -> Iterator[Kill]:
        """Kill so many runs at moments that are spread over all that a run does, and repeat each.

        AssertionError if the store lost or changed a lease, is damaged, or holds a URL that does not open; if the
        repeated run does not complete the class with all that was stored; or if more than MOST_LOST URLs were lost.
        """
        for number in range(count):
            kill = None
            while kill is None:
                kill = self._killed_after(int((number + self._random.random()) / count * (NEW + 1)))
            yield kill

    def _killed_after(self, urls: int) -> Kill | None:
        """Kill a run a moment after so many URLs were issued, and repeat it; None if it had ended by itself."""
        user_ids, before = self._next_class(), self._store.urls()
        issued_before = self._issued()
        started = time.monotonic()
        process = self._ansible.start_module(self._arguments(user_ids))
        while process.poll() is None and self._issued() < issued_before + urls:
            time.sleep(LATENCY / 4)
        time.sleep(self._random.uniform(0, 2 * LATENCY if urls else STARTING))
        process.send_signal(signal.SIGKILL)
        moment = time.monotonic() - started
        output = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), output

        held = self._store.urls()
        gone = [seat for seat in before if held.get(seat) != before[seat]]
        assert not gone, f"the store lost or changed the leases of {gone}"
        handed_out = self._run_to_the_end(user_ids)
        again = [seat for seat in user_ids if seat in held and handed_out[seat] != held[seat]]
        assert not again, f"the repeated run did not reuse the leases of {again}"
        assert self._store.urls() == {**held, **handed_out}, "the store holds something else than was handed out"
        lost = self._issued() - issued_before - NEW
        assert 0 <= lost <= MOST_LOST, f"{lost} URLs were issued that nobody got"
        if process.returncode == 0:
            return None
        return Kill(moment, len(held.keys() & set(user_ids)) - RETURNING, lost)

    def _run_to_the_end(self, user_ids: list[str]) -> dict[str, str]:
        """Have a run complete the class: the URLs, all of which open."""
        task = self._ansible.call_module(self._arguments(user_ids))
        assert not task.failed, task.msg
        handed_out = urls_by_learner(task)
        assert list(handed_out) == user_ids, "the class is not complete"
        dead = [seat for seat, url in handed_out.items() if not self._opens(url, seat)]
        assert not dead, f"the URLs of {dead} do not open"
        return handed_out

    def _next_class(self) -> list[str]:
        self._classes += 1
        return learners(self._classes * NEW, LEARNERS)

    def _arguments(self, user_ids: list[str]) -> dict[str, Any]:
        return arguments(user_ids, self._store, concurrency=CONCURRENCY)

    def _issued(self) -> int:
        return len(self._simulator.streaming_urls())

    def _opens(self, url: str, seat: str) -> bool:
        status, page = self._simulator.open(url)
        return status == 200 and seat in page
