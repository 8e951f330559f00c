# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of leases share: leases, a store in memory, and functions that run in a process of their own."""

from __future__ import annotations

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
    ResourceGrant,
    UrlGrant,
    to_sha256,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import (
    Change,
    LeaseStore,
    Replace,
    Write,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.records import LEASES, RecordType, to_dict

NOW = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)
DAY = 24 * 60 * 60
WEEK = 7 * DAY
SCOPE = "appstream|appstream2.eu-central-1.amazonaws.com|stack|fleet"
NOBODY = 65534


def after(seconds: float) -> datetime:
    """The time so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


class StoreClock:
    """The clock of a store: it stands at NOW until a test sets it, as None if no service has said the time."""

    def __init__(self, when: datetime | None = NOW) -> None:
        self.when = when

    def __call__(self) -> datetime | None:
        return self.when


def build_key(holder: str = "anna", purpose: str = "", scope: str = SCOPE) -> LeaseKey:
    """The key of a lease."""
    return LeaseKey.build(scope, holder, purpose)


def lease_of(key: LeaseKey | None = None, *, expires: float = 3600, **fields: Any) -> Lease:
    """A lease that was issued now, is valid for so many seconds and has a URL and an id of its own.

    Its ``url`` may be given instead of its grant, as None if it was wiped.
    """
    lease_id = fields.pop("lease_id", os.urandom(8).hex())
    url = fields.pop("url", f"https://streaming.example.org/?secret={lease_id}")
    known = dict(grant=UrlGrant(url, to_sha256(url or "")), issued=NOW)
    return Lease(key=key or build_key(), lease_id=lease_id, expires=after(expires), **{**known, **fields})


def build_policy(**asked: Any) -> ReusePolicy:
    """What a caller of AppStream asks for."""
    return ReusePolicy(WEEK, **asked)


def resource_lease_of(
    key: LeaseKey | None = None, *, resource_id: str | None = "stream-1", client_token: str | None = None, **fields: Any
) -> Lease:
    """The lease of a resource of an hour."""
    grant = ResourceGrant(client_token or os.urandom(8).hex(), resource_id)
    return lease_of(key, **{"grant": grant, "validity": 3600, **fields})


def pending_lease_of(key: LeaseKey | None = None, **fields: Any) -> Lease:
    """A pending lease that was stored now, for a resource of an hour."""
    return resource_lease_of(key, resource_id=None, **fields)


def compare_and_set(store: LeaseStore, lease: Lease, *, expected: str | None = None) -> Lease:
    """What the store has after a Write; raises what it fails with."""
    existing = _changed(store, Write(lease, expected))
    assert existing is not None
    return existing


def replace_lease(store: LeaseStore, lease: Lease, *, expected: str) -> Lease | None:
    """What the store has after a Replace; raises what it fails with."""
    return _changed(store, Replace(lease, expected))


def release(store: LeaseStore, *keys: LeaseKey) -> None:
    """Release what the store has of these keys."""
    store.release(list(store.read(keys or [build_key()]).values()))


def _changed(store: LeaseStore, change: Write[Lease] | Replace[Lease]) -> Lease | None:
    [existing] = store.write([change])
    if isinstance(existing, LeaseStoreError):
        raise existing
    return existing


class MemoryRecords:
    """The records of one type in memory. A test may override what is done for each change."""

    def __init__(self, record_type: RecordType[Any, Any], now: Callable[[], datetime]) -> None:
        self.type, self.now = record_type, now
        self.by_key: dict[Any, Any] = {}
        self.writes = 0

    def read(self, keys: Collection[Any]) -> dict[Any, Any]:
        return {key: record for key, record in self.find(None).items() if key in keys}

    def find(self, scope: str | None, *, include_old: bool = False) -> dict[Any, Any]:
        records = [record for key, record in self.by_key.items() if scope in (None, key[0])]
        return to_dict(records, None if include_old else self.now())

    def write(self, changes: Sequence[Write[Any] | Replace[Any]]) -> list[Any]:
        """All or nothing."""
        before = dict(self.by_key)
        try:
            return [
                self.compare_and_set(change.record, expected=change.expected)
                if isinstance(change, Write)
                else self.replace(change.record, expected=change.expected)
                for change in changes
            ]
        except LeaseStoreError as e:
            self.by_key = before
            return [e] * len(changes)

    def compare_and_set(self, record: Any, *, expected: str | None) -> Any:
        self.writes += 1
        existing = self.by_key.get(record.key)
        if existing is None or self._id(existing) == expected or self._is_free(existing):
            self.by_key[record.key] = record
        return self.by_key[record.key]

    def replace(self, record: Any, *, expected: str) -> Any:
        self.writes += 1
        existing = self.by_key.get(record.key)
        if existing and self._id(existing) == expected and not getattr(existing, "released_at", None):
            self.by_key[record.key] = record
        return self.by_key.get(record.key)

    def purge(self, records: Collection[Any]) -> int:
        self.writes += 1
        there = [record for record in records if self._has(record)]
        for record in there:
            del self.by_key[record.key]
        return len(there)

    def _has(self, record: Any) -> bool:
        return record.key in self.by_key and self._id(self.by_key[record.key]) == self._id(record)

    def _id(self, record: Any) -> str:
        return getattr(record, self.type.id_name)

    def _is_free(self, record: Any) -> bool:
        return bool(getattr(record, "released_at", None)) or record.expires <= self.now()


class MemoryStore(MemoryRecords):
    """A lease store in memory, which counts what it is asked to write and how often it is checked."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        super().__init__(LEASES, now)
        self.checks = 0
        self.others: dict[str, MemoryRecords] = {}

    @property
    def leases(self) -> dict[LeaseKey, Lease]:
        return self.by_key

    @leases.setter
    def leases(self, leases: dict[LeaseKey, Lease]) -> None:
        self.by_key = leases

    def release(self, leases: Collection[Lease]) -> int:
        self.writes += 1
        there = [lease for lease in leases if self._has(lease)]
        self.by_key |= {lease.key: self.by_key[lease.key].released(self.now()) for lease in there}
        return len(there)

    def records(self, record_type: RecordType[Any, Any]) -> MemoryRecords:
        return self.others.setdefault(record_type.name, MemoryRecords(record_type, self.now))

    def check(self, change: Change = "write") -> None:
        self.checks += 1

    def close(self) -> None:
        pass


class ClosedStore(MemoryStore):
    """A store that may be read, and not written."""

    def check(self, change: Change = "write") -> None:
        super().check(change)
        raise LeaseStoreError("The lease store x is read-only.")


@contextmanager
def searchable_folder() -> Iterator[Path]:
    """A new folder that any user gets to; pytest's tmp_path lies in one that only its own user may search."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def in_child(function: Callable[[], Any], *, uid: int | None = None) -> Any:
    """What the function returns or raises when it runs in a process of its own, as another user if one is given.

    So a test may give up rights, set limits or die, and root is denied what others are.
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
            outcome = (True, function())
        except BaseException as e:
            outcome = (False, e)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
        os._exit(0)
    os.close(writing)

    def result() -> Any:
        with os.fdopen(reading, "rb") as pipe:
            outcome = pipe.read()
        os.waitpid(pid, 0)
        returned, value = pickle.loads(outcome)
        if not returned:
            raise value
        return value

    return result
