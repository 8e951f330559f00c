# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every room works in: a simulator, and Ansible in a fresh home with a lease store that holds nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.classes import Service
from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import Ansible, ModuleServer
from tests.simulator.control import Simulator

STORES = ("sqlite", "dynamodb")


@dataclass(frozen=True)
class Lab:
    """A simulator, a process that runs modules, and a folder for homes."""

    simulator: Simulator
    server: ModuleServer
    folder: Path

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Lab]:
        """A lab of its own, which is stopped and removed at the end."""
        server = ModuleServer()
        try:
            with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
                yield cls(simulator, server, Path(folder))
        finally:
            server.stop()

    def fresh(
        self, service: Service, kind: str, seats: Sequence[str], *, clock_offset: float = 0
    ) -> tuple[Ansible, Store]:
        """Ansible in a fresh home, and a store of that kind; the simulator knows these seats and nothing else.

        The services' clock is so many seconds ahead of this machine's.
        """
        self.simulator.reset()
        self.simulator.set(clock_offset_seconds=clock_offset)
        service.seed(self.simulator, seats)
        home = Path(tempfile.mkdtemp(dir=self.folder)) / "home"
        home.mkdir()
        store = LeaseTable.create(self.simulator) if kind == "dynamodb" else LeaseFile(home / "leases.sqlite3")
        return Ansible(home, self.simulator.environment(), self.server), store
