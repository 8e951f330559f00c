# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The lease store in one SQLite file: embedded, atomic, private to one user of one host.

The file has mode 0600 and is in a folder of mode 0700; where other users can access it, it is rejected. It keeps
SQLite's rollback journal: the write-ahead log does not work on network homes and leaves files behind. Needs nothing
newer than SQLite 3.24.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Generic
from urllib.parse import quote

from ..._errors import LeaseStoreError
from ..._time import utc_now
from ..lease import RETENTION, Lease, LeaseKey
from .address import SQLiteFile, expand_path
from .base import Change, Replace, Write
from .private_path import find_exposure
from .records import LEASES, KeyT, RecordT, RecordType, Values, to_dict, to_seconds

# "LSTR" in SQLite's header distinguishes our files from other people's databases.
APPLICATION_ID = 0x4C535452
SCHEMA_VERSION = 1
BUSY_TIMEOUT = 30.0

# A table for each type of record. Statements, since sqlite3's executescript would commit. Leases have long URLs, each
# of which would fill a page of its own in a table without rowids.
_SCHEMA = f"""
CREATE TABLE lease (
    scope TEXT NOT NULL,
    holder TEXT NOT NULL,
    purpose_sha256 TEXT NOT NULL,
    lease_id TEXT NOT NULL,
    purpose TEXT,
    issued INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    validity INTEGER,
    released_at INTEGER,
    url TEXT,
    url_sha256 TEXT,
    client_token TEXT,
    resource_id TEXT,
    PRIMARY KEY (scope, holder, purpose_sha256)
);
CREATE INDEX lease_with_url ON lease (expires) WHERE url IS NOT NULL;
CREATE INDEX lease_by_expiry ON lease (expires);
CREATE TABLE learner (
    lab TEXT NOT NULL,
    learner_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    page_token TEXT NOT NULL,
    lease TEXT,
    expires INTEGER NOT NULL,
    PRIMARY KEY (lab, learner_id, generation)
) WITHOUT ROWID;
CREATE INDEX learner_by_expiry ON learner (expires);
CREATE TABLE lab_record (
    scope TEXT NOT NULL,
    lab TEXT NOT NULL,
    lease_sha256 TEXT NOT NULL,
    record_id TEXT NOT NULL,
    lease TEXT NOT NULL,
    learner_id TEXT NOT NULL,
    starts_at INTEGER,
    ended_at INTEGER,
    expires INTEGER NOT NULL,
    PRIMARY KEY (scope, lab, lease_sha256)
) WITHOUT ROWID;
CREATE INDEX lab_record_by_expiry ON lab_record (expires);
CREATE TABLE capacity (
    scope TEXT NOT NULL,
    location TEXT NOT NULL,
    pool TEXT NOT NULL,
    record_id TEXT NOT NULL,
    labs TEXT NOT NULL,
    before_always_on INTEGER NOT NULL,
    before_maximum INTEGER NOT NULL,
    previous_always_on INTEGER NOT NULL,
    previous_maximum INTEGER NOT NULL,
    after_always_on INTEGER NOT NULL,
    after_maximum INTEGER NOT NULL,
    raised_by TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (scope, location, pool)
) WITHOUT ROWID;
CREATE INDEX capacity_by_expiry ON capacity (expires);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
""".split(";")

# What every transaction that writes does at its end.
_WIPE_EXPIRED = "UPDATE lease SET url = NULL WHERE url IS NOT NULL AND expires <= :now"
_TABLES = ("lease", "learner", "lab_record", "capacity")
_DROP_OLD = [f"DELETE FROM {table} WHERE expires <= :kept_since" for table in _TABLES]

_DAMAGED = "is damaged: restore it from a backup, or move it away to start without leases"

# SQLite's messages (its codes reach Python only since 3.11), and ours.
_MESSAGES = (
    ("database is locked", "is locked by another process: wait until that ends, then run again"),
    ("database or disk is full", "cannot be written because the disk is full: free up space, then run again"),
    ("disk I/O error", "cannot be read or written (disk I/O error): check the disk and its quota, then run again"),
    ("readonly database", "is read-only or was moved away while in use: make it writable for {user}, then run again"),
    ("unable to open database file", "cannot be opened by {user}: allow that user to write to its folder"),
    (
        "not a database",
        "is not a SQLite database: name another file in lease_store, or move this one away to start without leases",
    ),
    ("malformed", _DAMAGED),
    ("Could not decode", _DAMAGED),  # Python's message, which goes on to quote the value.
)


class _SQLiteFile:
    """An open file, and transactions in it. It is used by one thread.

    Args:
        path: The file; a leading ``/~`` stands for the user's home.
        now: Returns the time that a service has said, None as long as none has.
        create: Create the file and its folder if absent; otherwise an absent file is an empty store.
        read_only: Only read, for which no right to write is needed.
        busy_timeout: The seconds to wait for another process that holds the file.
    """

    def __init__(
        self, path: str, now: Callable[[], datetime | None], *, create: bool, read_only: bool, busy_timeout: float
    ) -> None:
        self.now = now
        self._path = expand_path(path)
        self._files = SQLiteFile(path).files
        self._database: sqlite3.Connection | None = None
        with self._messages():
            self._check_access(read_only)
            if create:
                self._create_file()
                self._check_access(read_only)
            if os.path.exists(self._path):
                try:
                    self._check_locks()
                    self._database = self._connect(busy_timeout)
                    self._check_owner(self._database)
                    if create and not _get_pragma(self._database, "user_version"):
                        _create_schema(self._database)
                except BaseException:
                    self.close()
                    raise

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Begin a transaction that reads; None for a store that nobody has written to yet."""
        with self._messages():
            if self._database is None or not _get_pragma(self._database, "user_version"):
                yield None
                return
            self._database.execute("BEGIN")
            with _commit_or_roll_back(self._database):
                yield self._database

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, Values]]:
        """Begin a transaction that writes; it also wipes URLs that have expired and drops what is past its retention.

        With the database, the times are returned, as the parameters that statements take. As long as no service has
        said the time, ``now`` and ``kept_since`` are NULL, and what is compared with NULL has not passed.
        """
        with self._messages():
            if self._database is None:
                raise LeaseStoreError(self._message("does not exist, and is only being read"))
            now = self.now()
            times = {
                "now": now and to_seconds(now),
                "kept_since": now and to_seconds(now - RETENTION),
                "current": to_seconds(now or utc_now()),
            }
            self._database.execute("BEGIN IMMEDIATE")
            with _commit_or_roll_back(self._database):
                yield self._database, times
                for statement in (_WIPE_EXPIRED, *_DROP_OLD):
                    self._database.execute(statement, times)

    def _check_access(self, read_only: bool) -> None:
        """Reject what other users can access, and what a later write would fail with: check and normal mode agree."""
        if not os.path.isabs(self._path):
            raise LeaseStoreError(self._message("has no home directory to be in: name an absolute path in lease_store"))
        existing = _nearest(self._path)
        is_there = existing == self._path
        # SQLite keeps its journal beside the file, where a link leads.
        folder = os.path.dirname(self._files[0]) if is_there else existing
        if not os.path.isdir(folder):
            raise LeaseStoreError(
                self._message(f"cannot be created because {folder} is not a directory: name another path")
            )
        if is_there and not os.path.isfile(self._path):
            raise LeaseStoreError(self._message("is not a regular file: name a file in lease_store"))
        exposure = find_exposure(self._files)
        if exposure:
            raise LeaseStoreError(
                self._message(f"can be accessed by other users because {exposure}, or name another file in lease_store")
            )
        needed = [(folder, os.W_OK | os.X_OK, "write to"), (existing, os.R_OK | os.W_OK, "read and write")]
        if read_only:
            needed = [(folder, os.X_OK, "search"), (existing, os.R_OK, "read")]
        for other, right, what in needed if is_there else needed[:1]:
            self._check_right(other, right, what)

    def _check_right(self, path: str, right: int, what: str) -> None:
        if not os.access(path, right):
            raise LeaseStoreError(
                self._message(
                    f"cannot be used because {{user}} is not allowed to {what} {path}: allow it, or name another file "
                    "in lease_store"
                )
            )

    def _check_locks(self) -> None:
        """Reject a file system without locks at once. SQLite would wait as if another process held the file."""
        with open(self._files[0], "rb") as opened:
            try:
                fcntl.lockf(opened, fcntl.LOCK_SH | fcntl.LOCK_NB, 1)  # The first byte, which SQLite never locks.
            except (BlockingIOError, PermissionError):
                pass  # Another program has it locked.
            except OSError as e:
                raise LeaseStoreError(
                    self._message(
                        f"is on a file system without locks ({e.strerror}), such as NFS without its lock service: name "
                        "a file on another one in lease_store, or use dynamodb://TABLE"
                    )
                ) from e

    def _create_file(self) -> None:
        # The mode that makedirs takes is for the last folder only.
        umask = os.umask(0o077)
        try:
            os.makedirs(os.path.dirname(self._files[0]), exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self._files[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o600))
        finally:
            os.umask(umask)

    def _connect(self, busy_timeout: float) -> sqlite3.Connection:
        # Transactions are begun by hand, so that each is one that writes from its start.
        database = sqlite3.connect(
            f"file:{quote(os.fsencode(self._files[0]))}?mode=rw", uri=True, timeout=busy_timeout, isolation_level=None
        )
        database.row_factory = sqlite3.Row
        return database

    def _check_owner(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA secure_delete = ON").fetchall()
        # In one transaction, since another run may be creating the schema right now.
        database.execute("BEGIN")
        with _commit_or_roll_back(database):
            owner, version = _get_pragma(database, "application_id"), _get_pragma(database, "user_version")
            [(tables,)] = database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        if owner != APPLICATION_ID and (owner or version or tables):
            raise LeaseStoreError(self._message("is a SQLite database of another program: name another file"))
        if version > SCHEMA_VERSION:
            raise LeaseStoreError(
                self._message(f"was written by a newer labstream.aws (schema {version}): update the collection")
            )

    @contextmanager
    def _messages(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            message = next((message for words, message in _MESSAGES if words in str(e)), f"cannot be used: {e}")
            raise LeaseStoreError(self._message(message)) from e
        except UnicodeDecodeError:
            # SQLite's message quotes damaged bytes, which the exception has, and which may be of a URL.
            raise LeaseStoreError(self._message(_DAMAGED)) from None
        except UnicodeEncodeError as e:
            raise LeaseStoreError(self._message("cannot hold text with an unpaired surrogate: correct the text")) from e
        except OSError as e:
            raise LeaseStoreError(
                self._message(f"cannot be created ({e.strerror}): name another path in lease_store")
            ) from e

    def _message(self, what: str) -> str:
        return f"The lease store {self._path} {what.replace('{user}', f'user id {os.geteuid()}')}."


class _SQLiteRecords(Generic[KeyT, RecordT]):
    """The records of one type in a file."""

    def __init__(self, file: _SQLiteFile, record_type: RecordType[KeyT, RecordT]) -> None:
        self._file, self._type, self._table = file, record_type, record_type.name
        self._of_key = " AND ".join(f"{name} = :{name}" for name in record_type.key._fields)

    def read(self, keys: Collection[KeyT]) -> dict[KeyT, RecordT]:
        """Return the records of these keys, in one transaction, since each takes a lock on the file."""
        with self._file.reading() as database:
            return to_dict([record for key in keys for record in self._read(database, key)], self._file.now())

    def find(self, scope: str | None, *, include_old: bool = False) -> dict[KeyT, RecordT]:
        """Return all records whose keys begin with ``scope``, or all records if that is None."""
        condition = f":scope IS NULL OR {self._type.key._fields[0]} = :scope"
        with self._file.reading() as database:
            records = self._select(database, condition, {"scope": scope})
            return to_dict(records, None if include_old else self._file.now())

    def write(self, changes: Sequence[Write[RecordT] | Replace[RecordT]]) -> list[RecordT | LeaseStoreError | None]:
        """Make all changes in one transaction, since a disk takes long for each; so all fail if one does."""
        try:
            with self._file.writing() as (database, times):
                return [self._make(database, change, times) for change in changes]
        except LeaseStoreError as e:
            return [e] * len(changes)

    def purge(self, records: Collection[RecordT]) -> int:
        """Remove these records, unless another run has replaced them meanwhile."""
        return self._execute(
            f"DELETE FROM {self._table} WHERE {self._of_key} AND {self._type.id_name} = :id",
            ({**record.key._asdict(), "id": self._type.get_id(record)} for record in records),
        )

    def _execute(self, statement: str, parameters: Iterable[Values]) -> int:
        """Execute the statement for each of these parameters; return how many records it changed."""
        with self._file.writing() as (database, times):
            return max(0, database.executemany(statement, ({**each, **times} for each in parameters)).rowcount)

    def _make(
        self, database: sqlite3.Connection, change: Write[RecordT] | Replace[RecordT], times: Values
    ) -> RecordT | None:
        """Make the change; return the record that its key then has."""
        values = {**change.record.key._asdict(), **self._type.encode(change.record)}
        names, parameters = ", ".join(values), ", ".join(f":{name}" for name in values)
        can_be_released, expected = "released_at" in values, f"{self._table}.{self._type.id_name} = :expected"
        if isinstance(change, Write):
            statement = (
                f"INSERT INTO {self._table} ({names}) VALUES ({parameters}) "
                f"ON CONFLICT ({', '.join(self._type.key._fields)}) DO UPDATE SET ({names}) = ({parameters}) "
                f"WHERE {expected} OR {self._table}.expires <= :now"
            )
            statement += f" OR {self._table}.released_at IS NOT NULL" if can_be_released else ""
        else:
            statement = f"UPDATE {self._table} SET ({names}) = ({parameters}) WHERE {self._of_key} AND {expected}"
            statement += " AND released_at IS NULL" if can_be_released else ""
        written = database.execute(statement, {**values, **times, "expected": change.expected}).rowcount
        return change.record if written else next(iter(self._read(database, change.record.key)), None)

    def _read(self, database: sqlite3.Connection | None, key: KeyT) -> list[RecordT]:
        return self._select(database, self._of_key, key._asdict())

    def _select(self, database: sqlite3.Connection | None, condition: str, values: Values) -> list[RecordT]:
        """Return the records for which the condition holds; none in a store that nobody has written to yet."""
        if database is None:
            return []
        rows = database.execute(f"SELECT * FROM {self._table} WHERE {condition}", values).fetchall()
        try:
            return [self._type.from_values(dict(row)) for row in rows]
        except (LookupError, OSError, OverflowError, TypeError, ValueError) as e:
            raise sqlite3.DatabaseError("malformed record") from e


class SQLiteLeaseStore(_SQLiteRecords[LeaseKey, Lease]):
    """A lease store in a SQLite file, used by one thread.

    Args:
        path: The file; a leading ``/~`` stands for the user's home.
        now: Returns the time that a service has said, None as long as none has.
        create: Create the file and its folder if absent; otherwise an absent file is an empty store.
        read_only: Only read, for which no right to write is needed.
        busy_timeout: The seconds to wait for another process that holds the file.

    Raises:
        LeaseStoreError: As every method does.
    """

    def __init__(
        self,
        path: str,
        *,
        now: Callable[[], datetime | None],
        create: bool,
        read_only: bool = False,
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> None:
        file = _SQLiteFile(path, now, create=create, read_only=read_only, busy_timeout=busy_timeout)
        super().__init__(file, LEASES)
        self.now = now

    def release(self, leases: Collection[Lease]) -> int:
        """Wipe the URLs of these leases and mark them released, unless another run has replaced them meanwhile."""
        return self._execute(
            f"UPDATE lease SET url = NULL, released_at = :current WHERE {self._of_key} AND lease_id = :lease_id",
            ({**lease.key._asdict(), "lease_id": lease.lease_id} for lease in leases),
        )

    def records(self, record_type: RecordType[KeyT, RecordT]) -> _SQLiteRecords[KeyT, RecordT]:
        """Return the records of another type in this file."""
        return _SQLiteRecords(self._file, record_type)

    def check(self, change: Change = "write") -> None:
        """Do nothing: the file was checked when it was opened."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _nearest(path: str) -> str:
    """Return the path, or the nearest directory above it that exists."""
    while True:
        try:
            os.lstat(path)
            return path
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            path = os.path.dirname(path)


def _create_schema(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    with _commit_or_roll_back(database):
        # Checked only now, since another run may have been faster.
        if not _get_pragma(database, "user_version"):
            for statement in _SCHEMA:
                database.execute(statement)


def _get_pragma(database: sqlite3.Connection, name: str) -> int:
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
