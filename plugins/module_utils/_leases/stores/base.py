# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease store: what issuing asks of the memory of leases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from ..._errors import LeaseStoreError
from ..lease import Lease, LeaseKey


class Write(NamedTuple):
    """Write the lease if its key has none, or one that expired or was forgotten, or the one with id ``expected``."""

    lease: Lease
    expected: str | None


class Replace(NamedTuple):
    """Write the lease only over the one with id ``expected``, if its key still has that and it was not forgotten."""

    lease: Lease
    expected: str


class LeaseStore(Protocol):
    """The memory of leases. What fails is a LeaseStoreError, whose text is one sentence for the user.

    ``now`` is the service's time. ``read`` and ``find`` tell no URL that has expired then (``Lease.seen_at``).
    """

    def read(self, keys: Collection[LeaseKey], *, now: datetime) -> dict[LeaseKey, Lease]:
        """The leases of these keys, also the forgotten and, as long as they are kept, the expired ones."""

    def find(self, scope: str | None, *, now: datetime) -> dict[LeaseKey, Lease]:
        """All leases of a scope, or of all scopes if that is None."""

    def write(self, changes: Sequence[Write | Replace], *, now: datetime) -> list[Lease | LeaseStoreError | None]:
        """Make changes, each of another key, each wholly or not at all; what fails is returned and not raised.

        Returns:
            For each change, in order, the lease that its key then has: the given one, or the one that was in the way,
            or None if there is none; or why the change failed.
        """

    def forget(self, keys: Collection[LeaseKey], *, now: datetime, purge: bool, lab: str | None = None) -> None:
        """Wipe the URLs of these leases and mark them forgotten; with ``purge`` remove the records too.

        With ``lab``, a lease is left alone that another run has meanwhile issued for another lab.
        """

    def check(self) -> None:
        """Refuse what a later write would stumble over. Called before anything is issued, and in check mode too."""

    def close(self) -> None:
        """Let go of the store."""


class NoLeaseStore:
    """Remembers nothing, for those whose rules let no secret rest: every run then issues new URLs."""

    def read(self, keys: Collection[LeaseKey], *, now: datetime) -> dict[LeaseKey, Lease]:
        """No lease."""
        return {}

    def find(self, scope: str | None, *, now: datetime) -> dict[LeaseKey, Lease]:
        """No lease."""
        return {}

    def write(self, changes: Sequence[Write | Replace], *, now: datetime) -> list[Lease | LeaseStoreError | None]:
        """The given leases, as if nobody else issued any and what is expected had been kept."""
        return [change.lease for change in changes]

    def forget(self, keys: Collection[LeaseKey], *, now: datetime, purge: bool, lab: str | None = None) -> None:
        """Nothing to do."""

    def check(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
