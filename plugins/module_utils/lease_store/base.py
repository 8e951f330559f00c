# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease store: what issuing asks of the memory of leases, and which store a URL names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from ..exceptions import LeaseStoreError
from ..lease import Lease, LeaseKey
from .sqlite import SQLiteLeaseStore

DEFAULT_LEASE_STORE = "sqlite:///~/.ansible/labstream/leases.sqlite3"


class LeaseStore(Protocol):
    """The memory of leases. Every method raises LeaseStoreError, whose text is one sentence for the user."""

    def read(self, scope: str) -> dict[LeaseKey, Lease]:
        """All leases of a scope, also the expired and the forgotten ones that are still kept."""

    def scopes(self) -> set[str]:
        """The scopes of all leases."""

    def compare_and_set(self, lease: Lease, *, expected: str | None, now: datetime) -> Lease:
        """Write the lease if its key has none, or one that expired or was forgotten, or the one with id ``expected``.

        Returns:
            The lease that the store holds afterwards: the given one, or the one that was in the way.
        """

    def replace(self, lease: Lease, *, expected: str, now: datetime) -> Lease | None:
        """Write the lease only over the one with id ``expected``, if its key still has that and it was not forgotten.

        Returns:
            The lease that the store holds afterwards, if any.
        """

    def batch(self, now: datetime) -> AbstractContextManager[None]:
        """A context at whose end a store that can do so writes all that was to be written in it, or nothing.

        The end raises LeaseStoreError if that fails.
        """

    def forget(self, keys: Iterable[LeaseKey], *, now: datetime, purge: bool) -> None:
        """Wipe the URLs of these leases and mark them forgotten; with ``purge`` remove the records too."""

    def close(self) -> None:
        """Let go of the store."""


class NoLeaseStore:
    """Remembers nothing, for those whose rules let no secret rest: every run then issues new URLs."""

    def read(self, scope: str) -> dict[LeaseKey, Lease]:
        """No lease."""
        return {}

    def scopes(self) -> set[str]:
        """No scope."""
        return set()

    def compare_and_set(self, lease: Lease, *, expected: str | None, now: datetime) -> Lease:
        """The given lease, as if nobody else issued any."""
        return lease

    def replace(self, lease: Lease, *, expected: str, now: datetime) -> Lease | None:
        """The given lease, as if the expected one had been kept."""
        return lease

    def batch(self, now: datetime) -> AbstractContextManager[None]:
        """Nothing to keep."""
        return nullcontext()

    def forget(self, keys: Iterable[LeaseKey], *, now: datetime, purge: bool) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def open_lease_store(url: str, *, create: bool) -> LeaseStore:
    """The store that the URL names, ready for use.

    Args:
        url: ``sqlite:///PATH`` (``~`` is the home of the user who runs the task) or ``none``.
        create: Create a store that does not exist yet. In check mode and for readers false: it is then read as empty.

    Raises:
        LeaseStoreError: the URL names no store, or the store cannot be used.
    """
    if url == "none":
        return NoLeaseStore()
    scheme, _separator, path = url.partition("://")
    if scheme == "sqlite" and path.startswith("/") and path.strip("/") and "\0" not in path:
        return SQLiteLeaseStore(path, create=create)
    raise LeaseStoreError(
        f"lease_store is {url!r}, which names no lease store: use sqlite:///PATH, such as {DEFAULT_LEASE_STORE}, "
        "or none."
    )
