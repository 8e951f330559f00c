# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The lease store: what issuing and handing out ask of the memory of leases and of the learners of a lab."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, Protocol

from ..lease import Lease, LeaseKey
from .records import KeyT, RecordT, RecordType

# How a store is changed, by the method that does it.
Change = Literal["write", "release", "purge"]


@dataclass(frozen=True)
class Write(Generic[RecordT]):
    """Write the record if its key has none, or one that expired or was released, or the one with id ``expected``."""

    record: RecordT
    expected: str | None


@dataclass(frozen=True)
class Replace(Generic[RecordT]):
    """Write the record only over the one with id ``expected``, if its key still has that and it was not released."""

    record: RecordT
    expected: str


class RecordStore(Protocol[KeyT, RecordT]):
    """The records of one type. What fails raises LeaseStoreError.

    The time is what a service has said, by the clock that the store is made with. ``read`` and ``find`` return nothing
    that has passed its retention, and no URL that has expired (``visible_at``). As long as no service has said the
    time, nothing passes: all is read as it is stored, nothing counts as expired, and nothing is wiped or dropped.
    """

    def read(self, keys: Collection[KeyT]) -> dict[KeyT, RecordT]:
        """Return the records of these keys, also the released and, as long as they are kept, the expired ones."""

    def find(self, scope: str | None, *, include_old: bool = False) -> dict[KeyT, RecordT]:
        """Return all records whose keys begin with ``scope``, or all records if that is None.

        With ``include_old``, records that are past their retention are returned too, all as they are stored.
        """

    def write(self, changes: Sequence[Write[RecordT] | Replace[RecordT]]) -> Sequence[RecordT | Exception | None]:
        """Make changes, each of another key, each wholly or not at all; what fails is returned and not raised.

        Returns:
            For each change, in order, the record that its key then has: the given one, or the one that was in the way,
            or None if there is none; or why the change failed.
        """

    def purge(self, records: Collection[RecordT]) -> int:
        """Remove these records, unless another run has replaced them meanwhile.

        Returns how many, as the error does if some could not be removed.
        """


class LeaseStore(RecordStore[LeaseKey, Lease], Protocol):
    """The leases, and by ``records`` what else is stored with them."""

    def now(self) -> datetime | None:
        """Return the time that a service has said, None as long as none has."""

    def release(self, leases: Collection[Lease]) -> int:
        """Wipe the URLs of these leases and mark them released, unless another run has replaced them meanwhile.

        Returns how many, as the error does if some failed.
        """

    def records(self, record_type: RecordType[KeyT, RecordT]) -> RecordStore[KeyT, RecordT]:
        """Return the records of another type in this store."""

    def check(self, change: Change = "write") -> None:
        """Reject what a later change of this kind would fail with. Called before the first one, in check mode too."""

    def close(self) -> None:
        """Close the store."""


def find_now(store: LeaseStore, local: datetime) -> datetime:
    """Return the time that a service has said, else the local one, but none before the last lease was issued.

    Raises:
        LeaseStoreError: The store failed.
    """
    return store.now() or max([local, *(lease.issued for lease in store.find(None).values())])


class NoLeaseStore:
    """Stores nothing, for those whose rules let no secret rest: every run then issues new URLs."""

    def read(self, keys: Collection[Any]) -> dict[Any, Any]:
        """Return no record."""
        return {}

    def find(self, scope: str | None, *, include_old: bool = False) -> dict[Any, Any]:
        """Return no record."""
        return {}

    def write(self, changes: Sequence[Write[Any] | Replace[Any]]) -> list[Any]:
        """Return the given records, as if nobody else issued any and what is expected had been kept."""
        return [change.record for change in changes]

    def now(self) -> None:
        """Return no time."""

    def release(self, leases: Collection[Lease]) -> int:
        """Release nothing."""
        return 0

    def purge(self, records: Collection[Any]) -> int:
        """Remove nothing."""
        return 0

    def records(self, record_type: RecordType[Any, Any]) -> NoLeaseStore:
        """Return this store, which has no record of any type."""
        return self

    def check(self, change: Change = "write") -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
