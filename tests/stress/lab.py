# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator, and fresh homes for Ansible with an empty lease store."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import Ansible
from tests.simulator.control import Simulator
from tests.stress.services import Service

STORES = ("sqlite", "dynamodb")


@dataclass(frozen=True)
class Lab:
    """A simulator, and a folder for homes."""

    simulator: Simulator
    folder: Path

    def fresh(
        self, service: Service, kind: str, holders: Sequence[str], *, clock_offset: float = 0
    ) -> tuple[Ansible, Store]:
        """Return Ansible in a fresh home and an empty store of that kind; the simulator knows only these holders.

        The clock of the service is ahead of this machine's by ``clock_offset`` seconds.
        """
        self.simulator.reset()
        self.simulator.set(clock_offset_seconds=clock_offset)
        service.seed(self.simulator, holders)
        home = Path(tempfile.mkdtemp(dir=self.folder)) / "home"
        home.mkdir()
        store = LeaseTable.create(self.simulator) if kind == "dynamodb" else LeaseFile(home / "leases.sqlite3")
        return Ansible(home, self.simulator.environment()), store
