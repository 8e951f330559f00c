# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease store in one SQLite file: embedded, atomic, private to one user of one host.

The file has mode 0600 and lies in a folder of mode 0700. It keeps SQLite's rollback journal: the write-ahead log does
not work on network homes and leaves files behind. Needs nothing newer than SQLite 3.24.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from ..._errors import LeaseStoreError
from ..lease import RETENTION, Lease, LeaseKey
from .base import Replace, Write

# "LSTR" in SQLite's header tells our files from other people's databases.
APPLICATION_ID = 0x4C535452
SCHEMA_VERSION = 2
BUSY_TIMEOUT = 30.0

_COLUMNS_OF_1 = "scope, seat, purpose, lease_id, url, url_sha256, issued, expires, validity, lab, forgotten"
_COLUMNS = f"{_COLUMNS_OF_1}, client_token, stream_id"

# Statements, since sqlite3's executescript would commit.
_CREATE = f"""
CREATE TABLE lease (
    scope TEXT NOT NULL,
    seat TEXT NOT NULL,
    purpose TEXT NOT NULL,
    lease_id TEXT NOT NULL,
    url TEXT,
    url_sha256 TEXT,
    issued INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    validity INTEGER,
    lab TEXT,
    forgotten INTEGER,
    client_token TEXT,
    stream_id TEXT,
    PRIMARY KEY (scope, seat, purpose)
) WITHOUT ROWID;
CREATE INDEX lease_with_url ON lease (expires) WHERE url IS NOT NULL;
CREATE INDEX lease_by_expiry ON lease (expires);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
""".split(";")

# Schema 1 knew no streams. Its indexes go with its table.
_UPGRADE_1 = [
    "ALTER TABLE lease RENAME TO lease_of_1",
    "DROP INDEX lease_with_url",
    "DROP INDEX lease_by_expiry",
    *_CREATE,
    f"INSERT INTO lease ({_COLUMNS_OF_1}) SELECT {_COLUMNS_OF_1} FROM lease_of_1",
    "DROP TABLE lease_of_1",
]

# How a file of each version, 0 for an empty one, becomes one of the present.
_STEPS_FROM = {0: _CREATE, 1: _UPGRADE_1}

_VALUES = ":" + _COLUMNS.replace(", ", ", :")
_SET = f"SET ({_COLUMNS}) = ({_VALUES})"
_OF_KEY = "WHERE scope = :scope AND seat = :seat AND purpose = :purpose"

_WRITE = f"""
INSERT INTO lease ({_COLUMNS}) VALUES ({_VALUES})
ON CONFLICT (scope, seat, purpose) DO UPDATE {_SET}
WHERE lease.lease_id = :expected OR lease.forgotten IS NOT NULL OR lease.expires <= :now
"""
_REPLACE = f"UPDATE lease {_SET} {_OF_KEY} AND lease_id = :expected AND forgotten IS NULL"
_OF_LAB = "AND (:lab IS NULL OR lab = :lab)"
_FORGET = f"UPDATE lease SET url = NULL, forgotten = :now {_OF_KEY} {_OF_LAB}"
_PURGE = f"DELETE FROM lease {_OF_KEY} {_OF_LAB}"
_READ = f"SELECT {_COLUMNS} FROM lease {_OF_KEY}"
_FIND = f"SELECT {_COLUMNS} FROM lease WHERE :scope IS NULL OR scope = :scope"

_DAMAGED = "is damaged: restore it from a copy, or move it away to start with no lease"

# SQLite's own words (its codes reach Python only since 3.11), and the sentence that the user gets.
_SENTENCES = (
    ("database is locked", "is locked by another process: let that one end, then run again"),
    ("database or disk is full", "cannot be written, since its disk is full: make room, then run again"),
    ("disk I/O error", "cannot be read or written (disk I/O error): look at its disk and its quota, then run again"),
    ("readonly database", "is read-only or was moved away while in use: make it writable for {user}, then run again"),
    ("unable to open database file", "cannot be opened by {user}: give that user the right to write to its folder"),
    (
        "not a database",
        "is no SQLite file: name another file in lease_store, or move this one away to start with no lease",
    ),
    ("malformed", _DAMAGED),
    ("Could not decode", _DAMAGED),  # Python's own words, which go on to quote the value.
)


class SQLiteLeaseStore:
    """A lease store in a SQLite file, used by one thread.

    Args:
        path: The file; a leading ``/~`` stands for the user's home.
        create: Create the file and its folder if absent; else an absent file is an empty store.
        busy_timeout: How many seconds to wait for another process that holds the file.

    Raises:
        LeaseStoreError: as every method does.
    """

    def __init__(self, path: str, *, create: bool, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._path = os.path.expanduser(re.sub(r"^/+(?=~)|^/+(?=/)", "", path))
        self._database: sqlite3.Connection | None = None
        with self._sentences():
            self._check_access()
            if create:
                self._create_file()
            if os.path.exists(self._path):
                try:
                    self._database = self._connect(busy_timeout)
                    self._check_owner(self._database)
                    version = _pragma(self._database, "user_version")
                    if version != SCHEMA_VERSION and (create or version):
                        _bring_up_to_date(self._database)
                except BaseException:
                    self.close()
                    raise

    def read(self, keys: Collection[LeaseKey], *, now: datetime) -> dict[LeaseKey, Lease]:
        """The leases of these keys, in one transaction, since each takes a lock on the file."""
        with self._sentences(), self._reading() as database:
            rows = (row for key in keys for row in database.execute(_READ, key._asdict())) if database else ()
            return _leases_of_rows(rows, now)

    def find(self, scope: str | None, *, now: datetime) -> dict[LeaseKey, Lease]:
        """All leases of a scope, or of all scopes if that is None."""
        with self._sentences(), self._reading() as database:
            rows = database.execute(_FIND, {"scope": scope}) if database else ()
            return _leases_of_rows(rows, now)

    def write(self, changes: Sequence[Write | Replace], *, now: datetime) -> list[Lease | LeaseStoreError | None]:
        """Make all changes in one transaction, since a disk takes long for each; so all fail if one does."""
        try:
            with self._transaction(now) as database:
                return [_changed(database, change, now) for change in changes]
        except LeaseStoreError as e:
            return [e] * len(changes)

    def forget(self, keys: Collection[LeaseKey], *, now: datetime, purge: bool, lab: str | None = None) -> None:
        """Wipe the URLs of these leases and mark them forgotten; with ``purge`` remove the records too."""
        values = ({**key._asdict(), "lab": lab, "now": _seconds(now)} for key in keys)
        with self._transaction(now) as database:
            database.executemany(_PURGE if purge else _FORGET, values)

    def check(self) -> None:
        """Nothing to do: it was looked at when it was opened."""

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A transaction that reads; None for a store that nobody has written to yet."""
        if self._database is None or not _pragma(self._database, "user_version"):
            yield None
            return
        self._database.execute("BEGIN")
        with _commit_or_roll_back(self._database):
            yield self._database

    def _check_access(self) -> None:
        """Refuse what a later write would stumble over, so that check mode and normal mode agree."""
        if not os.path.isabs(self._path):
            raise LeaseStoreError(self._sentence("has no home folder to lie in: name an absolute path in lease_store"))
        existing = _nearest(self._path)
        is_there = existing == self._path
        # SQLite keeps its journal beside the file, where a link leads.
        folder = os.path.dirname(os.path.realpath(existing)) if is_there else existing
        if not os.path.isdir(folder):
            raise LeaseStoreError(self._sentence(f"cannot be created, since {folder} is no folder: name another path"))
        self._check_right(folder, os.W_OK | os.X_OK, "write to")
        if is_there:
            if not os.path.isfile(existing):
                raise LeaseStoreError(self._sentence("is no regular file: name a file in lease_store"))
            mode = os.stat(existing).st_mode & 0o777
            if mode & 0o077:
                raise LeaseStoreError(
                    self._sentence(f"has mode {mode:04o}, so that others can use it: run chmod 0600 on it")
                )
            self._check_right(existing, os.R_OK | os.W_OK, "read and write")

    def _check_right(self, needed: str, right: int, what: str) -> None:
        if not os.access(needed, right):
            raise LeaseStoreError(
                self._sentence(
                    f"cannot be used, since {{user}} may not {what} {needed}: give that user the right, or name "
                    "another file in lease_store"
                )
            )

    def _create_file(self) -> None:
        # The mode that makedirs takes is for the last folder only.
        umask = os.umask(0o077)
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o600))
        finally:
            os.umask(umask)

    def _connect(self, busy_timeout: float) -> sqlite3.Connection:
        # Transactions are begun by hand, so that each is one that writes from its start.
        return sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?mode=rw", uri=True, timeout=busy_timeout, isolation_level=None
        )

    def _check_owner(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA secure_delete = ON").fetchall()
        # In one transaction, since another run may be creating the schema right now.
        database.execute("BEGIN")
        with _commit_or_roll_back(database):
            owner, version = _pragma(database, "application_id"), _pragma(database, "user_version")
            [(tables,)] = database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        if owner != APPLICATION_ID and (owner or version or tables):
            raise LeaseStoreError(self._sentence("is a SQLite database of another program: name another file"))
        if version > SCHEMA_VERSION:
            raise LeaseStoreError(
                self._sentence(f"was written by a newer labstream.aws (schema {version}): update the collection")
            )

    @contextmanager
    def _transaction(self, now: datetime) -> Iterator[sqlite3.Connection]:
        """A transaction that writes; it also wipes the URLs that have expired and drops what is past its retention."""
        with self._sentences():
            if self._database is None:
                raise LeaseStoreError(self._sentence("does not exist, and is only being read"))
            self._database.execute("BEGIN IMMEDIATE")
            with _commit_or_roll_back(self._database):
                yield self._database
                self._database.execute(
                    "UPDATE lease SET url = NULL WHERE url IS NOT NULL AND expires <= ?", (_seconds(now),)
                )
                self._database.execute("DELETE FROM lease WHERE expires <= ?", (_seconds(now - RETENTION),))

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            told = next((sentence for words, sentence in _SENTENCES if words in str(e)), f"cannot be used: {e}")
            raise LeaseStoreError(self._sentence(told)) from e
        except UnicodeEncodeError as e:
            raise LeaseStoreError(self._sentence("holds no text with half characters of Unicode: correct it")) from e
        except OSError as e:
            raise LeaseStoreError(
                self._sentence(f"cannot be created ({e.strerror}): name another path in lease_store")
            ) from e

    def _sentence(self, what: str) -> str:
        return f"The lease store {self._path} {what.replace('{user}', f'user id {os.geteuid()}')}."


def _changed(database: sqlite3.Connection, change: Write | Replace, now: datetime) -> Lease | None:
    """Make the change; return the lease that its key then has."""
    statement = _WRITE if isinstance(change, Write) else _REPLACE
    values = {**_row_of_lease(change.lease), "expected": change.expected, "now": _seconds(now)}
    database.execute(statement, values)
    rows = database.execute(_READ, values).fetchall()
    return _lease_of_row(rows[0]) if rows else None


def _leases_of_rows(rows: Iterable[tuple[Any, ...]], now: datetime) -> dict[LeaseKey, Lease]:
    """The leases of the rows as a reader sees them."""
    seen = (_lease_of_row(row).visible_at(now) for row in rows)
    return {lease.key: lease for lease in seen if lease}


def _nearest(path: str) -> str:
    """The path, or the nearest folder above it that exists."""
    while True:
        try:
            os.lstat(path)
            return path
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            path = os.path.dirname(path)


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    with _commit_or_roll_back(database):
        # Asked only now, since another run may have been faster, and may even be of a newer collection.
        for statement in _STEPS_FROM.get(_pragma(database, "user_version"), []):
            database.execute(statement)


def _pragma(database: sqlite3.Connection, name: str) -> int:
    [(value,)] = database.execute(f"PRAGMA {name}").fetchall()
    return value


@contextmanager
def _commit_or_roll_back(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # SQLite itself has already rolled back after some errors, such as a full disk.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _seconds(when: datetime) -> int:
    return int(when.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _row_of_lease(lease: Lease) -> dict[str, str | int | None]:
    return {
        **lease.key._asdict(),
        "lease_id": lease.lease_id,
        "url": lease.url,
        "url_sha256": lease.url_sha256,
        "issued": _seconds(lease.issued),
        "expires": _seconds(lease.expires),
        "validity": lease.validity,
        "lab": lease.lab,
        "forgotten": None if lease.forgotten is None else _seconds(lease.forgotten),
        "client_token": lease.client_token,
        "stream_id": lease.stream_id,
    }


def _lease_of_row(row: tuple[Any, ...]) -> Lease:
    try:
        scope, seat, purpose, lease_id, url, sha256, issued, expires, validity, lab, forgotten, token, stream_id = row
        return Lease(
            key=LeaseKey(scope, seat, purpose),
            lease_id=lease_id,
            url=url,
            url_sha256=sha256,
            issued=_moment(issued),
            expires=_moment(expires),
            validity=validity,
            lab=lab,
            forgotten=None if forgotten is None else _moment(forgotten),
            client_token=token,
            stream_id=stream_id,
        )
    except (TypeError, ValueError, OverflowError, OSError) as e:
        raise sqlite3.DatabaseError("malformed record") from e
