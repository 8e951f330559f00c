# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of leases share: leases, a store in memory, and functions that run in a process of their own."""

from __future__ import annotations

import dataclasses
import os
import pickle
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    Lease,
    LeaseKey,
    ReusePolicy,
    url_sha256,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import LeaseStore, Replace, Write

NOW = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)
DAY = 24 * 60 * 60
WEEK = 7 * DAY
SCOPE = "appstream|appstream2.eu-central-1.amazonaws.com|stack|fleet"
NOBODY = 65534


def after(seconds: float) -> datetime:
    """The moment so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def build_key(seat: str = "anna", purpose: str = "", scope: str = SCOPE) -> LeaseKey:
    """The key of a lease."""
    return LeaseKey(scope, seat, purpose)


def lease_of(key: LeaseKey | None = None, *, expires: float = 3600, **fields: Any) -> Lease:
    """A lease that was issued now, is good for so many seconds and has a URL and an id of its own."""
    lease_id = fields.pop("lease_id", os.urandom(8).hex())
    url = fields.pop("url", f"https://streaming.example.org/?secret={lease_id}")
    known = dict(url_sha256=url_sha256(url or ""), issued=NOW, validity=None, lab=None, forgotten=None)
    return Lease(key=key or build_key(), lease_id=lease_id, url=url, expires=after(expires), **{**known, **fields})


def build_policy(**asked: Any) -> ReusePolicy:
    """What a caller of AppStream asks for."""
    return ReusePolicy(WEEK, **asked)


def intent_of(key: LeaseKey | None = None, *, expires: float = 3600, **fields: Any) -> Lease:
    """An intent that was stored now, for a stream of an hour."""
    known = dict(url=None, url_sha256=None, validity=3600, client_token=os.urandom(8).hex())
    return lease_of(key, expires=expires, **{**known, **fields})


def stream_lease_of(key: LeaseKey | None = None, *, stream_id: str = "stream-1", **fields: Any) -> Lease:
    """The lease of a stream of an hour."""
    return intent_of(key, stream_id=stream_id, **fields)


def compare_and_set(store: LeaseStore, lease: Lease, *, expected: str | None = None, now: datetime = NOW) -> Lease:
    """What the store holds after a Write; raises what it fails with."""
    existing = _changed(store, Write(lease, expected), now)
    assert existing is not None
    return existing


def replace_lease(store: LeaseStore, lease: Lease, *, expected: str, now: datetime = NOW) -> Lease | None:
    """What the store holds after a Replace; raises what it fails with."""
    return _changed(store, Replace(lease, expected), now)


def _changed(store: LeaseStore, change: Write | Replace, now: datetime) -> Lease | None:
    [existing] = store.write([change], now=now)
    if isinstance(existing, LeaseStoreError):
        raise existing
    return existing


class MemoryStore:
    """A lease store in memory, which counts what it is asked to write and how often it is checked."""

    def __init__(self) -> None:
        self.leases: dict[LeaseKey, Lease] = {}
        self.writes = 0
        self.checks = 0

    def read(self, keys: Collection[LeaseKey], *, now: datetime) -> dict[LeaseKey, Lease]:
        return {key: lease for key, lease in self.find(None, now=now).items() if key in keys}

    def find(self, scope: str | None, *, now: datetime) -> dict[LeaseKey, Lease]:
        seen = (lease.visible_at(now) for key, lease in self.leases.items() if scope in (None, key.scope))
        return {lease.key: lease for lease in seen if lease}

    def write(self, changes: Sequence[Write | Replace], *, now: datetime) -> list[Lease | LeaseStoreError | None]:
        """All or nothing. A test may override what is done for each change: the two methods that follow."""
        before = dict(self.leases)
        try:
            return [
                self.compare_and_set(change.lease, expected=change.expected, now=now)
                if isinstance(change, Write)
                else self.replace(change.lease, expected=change.expected, now=now)
                for change in changes
            ]
        except LeaseStoreError as e:
            self.leases = before
            return [e] * len(changes)

    def compare_and_set(self, lease: Lease, *, expected: str | None, now: datetime) -> Lease:
        self.writes += 1
        existing = self.leases.get(lease.key)
        if existing is None or existing.lease_id == expected or existing.forgotten or existing.expires <= now:
            self.leases[lease.key] = lease
        return self.leases[lease.key]

    def replace(self, lease: Lease, *, expected: str, now: datetime) -> Lease | None:
        self.writes += 1
        existing = self.leases.get(lease.key)
        if existing and existing.lease_id == expected and not existing.forgotten:
            self.leases[lease.key] = lease
        return self.leases.get(lease.key)

    def forget(self, keys: Collection[LeaseKey], *, now: datetime, purge: bool, lab: str | None = None) -> None:
        self.writes += 1
        existing = {key: self.leases[key] for key in keys if key in self.leases}
        for key, lease in existing.items():
            if lab in (None, lease.lab):
                del self.leases[key]
                if not purge:
                    self.leases[key] = dataclasses.replace(lease, url=None, forgotten=now)

    def check(self) -> None:
        self.checks += 1

    def close(self) -> None:
        pass


class ClosedStore(MemoryStore):
    """A store that may be read, and not written."""

    def check(self) -> None:
        super().check()
        raise LeaseStoreError("The lease store x is read-only.")


@contextmanager
def searchable_folder() -> Iterator[Path]:
    """A new folder that any user gets to; pytest's tmp_path lies in one that only its own user may search."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def in_child(function: Callable[[], Any], *, uid: int | None = None) -> Any:
    """What the function returns or raises when it runs in a process of its own, as another user if one is given.

    So a test may give up rights, set limits or die, and root is refused what others are.
    """
    return start_child(function, uid=uid)()


def as_ordinary_user(function: Callable[[], Any]) -> Any:
    """What the function returns or raises when a user runs it for whom modes count."""
    return in_child(function, uid=NOBODY if os.geteuid() == 0 else None)


def start_child(function: Callable[[], Any], *, uid: int | None = None) -> Callable[[], Any]:
    """Start the function in a process of its own; the function that is returned waits for what it gives."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            told = (True, function())
        except BaseException as e:
            told = (False, e)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(told))
        os._exit(0)
    os.close(writing)

    def result() -> Any:
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        os.waitpid(pid, 0)
        returned, value = pickle.loads(told)
        if not returned:
            raise value
        return value

    return result
