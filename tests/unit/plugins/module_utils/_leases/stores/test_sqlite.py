# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is SQLite's own: modes, traces, and everything that can be wrong with a file. See test_lease_store too."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import random
import resource
import signal
import sqlite3
import stat
import struct
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores import sqlite
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Replace, Write
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    SQLiteLeaseStore,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.url_issuer import UrlIssuer

from tests.unit.plugins.module_utils.support import (
    LONG_AGO,
    NOW,
    SCOPE,
    after,
    as_ordinary_user,
    build_key,
    build_policy,
    compare_and_set,
    in_child,
    lease_of,
    searchable_folder,
    start_child,
)

SECRET = "correct-horse-battery-staple"
URL = f"https://streaming.example.org/?secret={SECRET}"

DAMAGED = "is damaged: restore it from a backup, or move it away to start without leases."
FOREIGN = "is not a SQLite database: name another file in lease_store, or move this one away to start without leases."
LOCKED = "is locked by another process: wait until that ends, then run again."
NO_RIGHT = (
    "cannot be used because user id {uid} is not allowed to {needed}: allow it, or name another file in lease_store."
)
MOVED = "is read-only or was moved away while in use: make it writable for user id {uid}, then run again."


@pytest.fixture
def path():
    """Where the store's file is: alone in a folder that any user may search."""
    with searchable_folder() as folder:
        yield folder / "leases.sqlite3"


def opened(path, *, create=True, busy_timeout=5.0, now=NOW, **options):
    return closing(SQLiteLeaseStore(str(path), now=lambda: now, create=create, busy_timeout=busy_timeout, **options))


def filled(path, *leases):
    """A file that holds these leases, or one that has a URL and lasts."""
    with opened(path) as store:
        for lease in leases or [lease_of(url=URL)]:
            compare_and_set(store, lease)
    return path


def write(path, *, create=True, busy_timeout=5.0):
    """Open the store and write a lease."""
    with opened(path, create=create, busy_timeout=busy_timeout) as store:
        compare_and_set(store, lease_of(build_key("ben"), url=URL))


def read(path):
    """Open the store for reading only, and read."""
    with opened(path, create=False, read_only=True) as store:
        return store.find(SCOPE)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def rejected(path, text):
    """The block is rejected with exactly this message about the file, without a URL."""
    with pytest.raises(LeaseStoreError) as error:
        yield
    assert str(error.value) == f"The lease store {path} {text}"
    assert SECRET not in str(error.value)


# The file is private.


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_file_and_folders_are_private_whatever_the_umask(tmp_path, mask):
    path = tmp_path / "new" / "folder" / "leases.sqlite3"
    with umask(mask):
        filled(path)
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == mode_of(path.parent.parent) == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    filled(tmp_path / "leases.sqlite3")
    assert mode_of(tmp_path) == 0o755


def test_the_journal_is_private_too_and_does_not_stay(path):
    # Given a store that is opened under the widest umask.
    with umask(0o000), opened(path) as store:
        compare_and_set(store, lease_of())

        # When a transaction has changed something but has not ended.
        modes = {}

        [lease] = store.find(SCOPE).values()

        def leases():
            yield lease
            modes.update((file.name, mode_of(file)) for file in path.parent.iterdir())
            yield lease_of(build_key("ben"))

        store.purge(leases())

        # Then the journal beside the file is as private as the file, and is gone afterwards.
        assert modes == {"leases.sqlite3": 0o600, "leases.sqlite3-journal": 0o600}
    assert [file.name for file in path.parent.iterdir()] == ["leases.sqlite3"]


def test_no_file_stays_beside_it_after_reading(path):
    filled(path)
    read(path)
    with opened(path) as store:
        store.find(SCOPE)
        store.read([build_key()])
        assert [file.name for file in path.parent.iterdir()] == ["leases.sqlite3"]


ACCESSIBLE = "can be accessed by other users because {reason}, or name another file in lease_store."


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o610])
@pytest.mark.parametrize("use", [read, write])
def test_a_file_that_others_can_use_is_rejected(path, mode, use):
    filled(path).chmod(mode)
    with rejected(path, ACCESSIBLE.format(reason=f"{path} has mode 0{mode:o}: run chmod 0600 {path}")):
        use(path)
    assert mode_of(path) == mode


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2770])
@pytest.mark.parametrize("use", [read, write])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_that_others_may_write_to_is_rejected_and_gets_no_file(path, mode, use, is_there):
    """They would plant a journal, keep it open and read the URLs that are written to it."""
    if is_there:
        filled(path)
    path.parent.chmod(mode)
    reason = f"{path.parent} has mode {mode:04o}: run chmod go-w {path.parent}"
    with rejected(path, ACCESSIBLE.format(reason=reason)):
        use(path)
    assert path.exists() is is_there


def test_a_folder_that_others_make_accessible_while_it_is_created_is_rejected(path, monkeypatch):
    new = path.parent / "new" / "leases.sqlite3"
    make = os.makedirs
    monkeypatch.setattr(os, "makedirs", lambda folder, **options: (make(folder, **options), os.chmod(folder, 0o777)))
    with rejected(new, ACCESSIBLE.format(reason=f"{new.parent} has mode 0777: run chmod go-w {new.parent}")):
        write(new)
    assert new.stat().st_size == 0


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("use", [read, write])
def test_a_file_beside_it_that_others_can_use_is_rejected(path, suffix, use):
    planted = filled(path).with_name(path.name + suffix)
    planted.touch(mode=0o644)
    with rejected(path, ACCESSIBLE.format(reason=f"{planted} has mode 0644: run chmod 0600 {planted}")):
        use(path)


# No trace of a URL stays.


def overwrite(store, leases):
    for lease in leases:
        compare_and_set(store, lease_of(lease.key, url="https://new"), expected=lease.lease_id)


@pytest.mark.parametrize("length", [0, 100, 3000, 20_000])
@pytest.mark.parametrize(
    ("wipe", "now"),
    [
        pytest.param(overwrite, NOW, id="replaced"),
        pytest.param(lambda store, leases: store.release(leases), NOW, id="released"),
        pytest.param(lambda store, leases: store.purge(leases), NOW, id="purged"),
        pytest.param(lambda store, _leases: store.release([]), after(3600), id="expired"),
        pytest.param(lambda store, _leases: store.release([]), after(10**8), id="dropped"),
    ],
)
def test_the_bytes_of_a_wiped_url_are_no_longer_in_the_file(path, wipe, now, length):
    # Given many leases with URLs, so that pages of the file are split and overflow.
    leases = [lease_of(build_key(f"learner-{number}"), url=URL + "x" * length) for number in range(25)]
    filled(path, *leases)
    assert SECRET.encode() in path.read_bytes()

    # When they are wiped.
    with opened(path, now=now) as store:
        wipe(store, leases)

    # Then their bytes are gone, from the file and from what lies beside it.
    assert SECRET.encode() not in path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["leases.sqlite3"]


# Whose file it is.


def test_the_file_says_whose_it_is_and_how_it_is_made(path):
    filled(path)
    with closing(sqlite3.connect(path)) as database:
        pragmas = {
            name: database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode", "integrity_check")
        }
    assert pragmas == {
        "application_id": 0x4C535452,
        "user_version": SCHEMA_VERSION,
        "journal_mode": "delete",
        "integrity_check": "ok",
    }


def set_version(path, version):
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")


def foreign(path, statement):
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
    path.chmod(0o600)


def spoil(path, where, what):
    """Overwrite bytes of a file; ``where`` counts from its end if it is negative."""
    content = bytearray(path.read_bytes())
    where %= len(content)
    content[where : where + len(what)] = what
    path.write_bytes(content)


def spoil_record(path, statement):
    """What SQLite takes, but we never write."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


NEWER = f"was written by a newer labstream.aws (schema {SCHEMA_VERSION + 1}): update the collection."
ANOTHER = "is a SQLite database of another program: name another file."


def make_text(path):
    path.write_text("learner,name\n" * 100)
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(make_text, FOREIGN, id="a text file"),
        pytest.param(lambda path: (filled(path), spoil(path, 0, b"XXXXXX")), FOREIGN, id="a broken header"),
        pytest.param(lambda path: foreign(path, "CREATE TABLE lease (url)"), ANOTHER, id="a table of another"),
        pytest.param(lambda path: foreign(path, "PRAGMA application_id = 7"), ANOTHER, id="an id of another"),
        pytest.param(lambda path: foreign(path, "PRAGMA user_version = 1"), ANOTHER, id="a version of another"),
        pytest.param(lambda path: set_version(filled(path), SCHEMA_VERSION + 1), NEWER, id="a newer schema"),
        pytest.param(os.mkdir, "is not a regular file: name a file in lease_store.", id="a folder"),
        pytest.param(os.mkfifo, "is not a regular file: name a file in lease_store.", id="a pipe"),
        pytest.param(
            lambda path: path.symlink_to("nowhere"),
            "is not a regular file: name a file in lease_store.",
            id="a dead link",
        ),
        pytest.param(
            lambda path: path.symlink_to(path.name),
            "is not a regular file: name a file in lease_store.",
            id="a link to itself",
        ),
    ],
)
def test_what_is_no_lease_store_is_rejected_in_either_mode_and_left_alone(path, make, text):
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for use in (read, write):
        with rejected(path, text):
            use(path)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: spoil(path, 4096, os.urandom(4096)), id="a page of noise"),
        pytest.param(lambda path: spoil(path, 4096, bytes(4096)), id="a page of nothing"),
        pytest.param(lambda path: spoil(path, 100, bytes(100)), id="the list of tables"),
        pytest.param(lambda path: os.truncate(path, 5000), id="cut off"),
        pytest.param(lambda path: spoil(path, path.read_bytes().rindex(b"https"), b"\xff\xfe"), id="no UTF-8 in a URL"),
        pytest.param(lambda path: spoil_record(path, "UPDATE lease SET issued = 'x'"), id="text for a timestamp"),
        pytest.param(
            lambda path: spoil_record(path, "UPDATE lease SET expires = 1 << 60"), id="a timestamp of no year"
        ),
        pytest.param(
            lambda path: spoil_record(path, "UPDATE lease SET issued = -(1 << 40)"), id="a timestamp before all"
        ),
    ],
)
def test_a_damaged_file_is_rejected_and_left_as_it_was(path, damage):
    """Not one of these may end in a traceback, nor in a message that quotes the URL that cannot be read."""
    # Given a store of several pages, one of which is damaged.
    filled(path, *(lease_of(build_key(f"learner-{number:02}"), url=URL + "x" * 400) for number in range(30)))
    damage(path)
    before = path.read_bytes()

    # When all leases or those of a lab are read, by who only reads or by who will write; then it says so.
    keys = [build_key(f"learner-{number:02}") for number in range(30)]
    for create in (False, True):
        with rejected(path, DAMAGED), opened(path, create=create) as store:
            store.find(SCOPE)
        with rejected(path, DAMAGED), opened(path, create=create) as store:
            store.read(keys)
    assert path.read_bytes() == before


def test_whatever_bytes_are_damaged_there_is_a_message_or_an_answer(path):
    # Given a store and the same with some bytes overwritten, a hundred times.
    filled(path, *(lease_of(build_key(f"learner-{number:02}"), url=URL) for number in range(40)))
    whole, chance, rejections = path.read_bytes(), random.Random(7), 0
    for _number in range(100):
        path.write_bytes(whole)
        spoil(path, chance.randrange(len(whole) - 200), chance.randbytes(chance.choice([1, 4, 200])))

        # When it is used, then nothing else than a message comes out.
        said = None
        try:
            with opened(path) as store:
                store.find(SCOPE)
                compare_and_set(store, lease_of(build_key("learner-07")))
        except LeaseStoreError as e:
            said = str(e)
        if said:
            rejections += 1
            assert said.startswith(f"The lease store {path} ")
            assert "secret=" not in said
    assert rejections > 10


def test_a_table_that_is_missing_is_reported(path):
    spoil_record(filled(path), "DROP TABLE lease")
    with rejected(path, "cannot be used: no such table: lease."):
        read(path)


def test_an_empty_file_is_a_new_store(path):
    """As it is between its creation and its first use, when another run reads it."""
    path.touch(mode=0o600)
    assert read(path) == {}
    assert path.stat().st_size == 0
    write(path)
    assert list(read(path)) == [build_key("ben")]


@pytest.fixture
def another_run(path):
    """Lets another process create the store and write to it.

    The process begins early, since SQLite forbids to fork while it is open.
    """
    reading, writing = os.pipe()

    def wait_and_write():
        os.read(reading, 1)
        write(path)

    ended = start_child(wait_and_write)
    yield SimpleNamespace(go=lambda: os.write(writing, b"."), ended=ended)
    os.close(reading)
    os.close(writing)


def test_two_runs_may_create_the_store_at_once(path, monkeypatch, another_run):
    # Given a run that finds no schema, and another run that is faster to create one.
    create_schema = sqlite._create_schema

    def slower(database):
        another_run.go()
        another_run.ended()
        create_schema(database)

    monkeypatch.setattr(sqlite, "_create_schema", slower)

    # When it goes on, then it uses the other's.
    with opened(path) as store:
        assert list(store.find(SCOPE)) == [build_key("ben")]


def test_a_store_that_is_just_being_created_is_not_taken_for_one_of_another_program(path, monkeypatch, another_run):
    # Given a run that has read a part of an empty file's header, when another one begins to create the store.
    path.touch(mode=0o600)
    pragma = sqlite._get_pragma

    def slower(database, name):
        value = pragma(database, name)
        monkeypatch.setattr(sqlite, "_get_pragma", pragma)
        another_run.go()
        time.sleep(0.2)
        return value

    monkeypatch.setattr(sqlite, "_get_pragma", slower)

    # When it reads on, then it sees the file as it was, and later as it has become.
    with opened(path, create=False) as store:
        another_run.ended()
        assert list(store.find(SCOPE)) == [build_key("ben")]


def test_a_link_to_a_file_is_followed(path):
    target = path.parent / "elsewhere" / "leases.sqlite3"
    filled(target)
    path.symlink_to(target)
    write(path)
    assert path.is_symlink()
    assert set(read(target)) == {build_key(), build_key("ben")}


# Reading only.


def test_reading_creates_nothing(path):
    new = path.parent / "new" / "folder" / "leases.sqlite3"
    assert read(path) == read(new) == {}
    with opened(new, create=False) as store:
        assert store.read([build_key()]) == {}
    assert os.listdir(path.parent) == []


def test_a_read_only_disk_can_be_read_and_a_write_to_it_is_an_error(path, on_new_disk):
    def read_it(read_only):
        filled(path)
        read_only()
        found = read(path)
        try:
            write(path)
        except LeaseStoreError as e:
            return list(found), str(e)
        return None

    needed = NO_RIGHT.format(uid=os.geteuid(), needed=f"write to {path.parent}")
    assert on_new_disk(read_it) == ([build_key()], f"The lease store {path} {needed}")


def test_a_read_only_disk_with_an_unfinished_transaction_is_rejected(path, on_new_disk):
    """What is in the file then was never committed."""

    def read_it(read_only):
        filled(path, *(lease_of(build_key(f"learner-{number}"), url=URL + "x" * 2000) for number in range(4)))
        with pytest.raises(EOFError):
            in_child(lambda: purge_and_die(path))
        assert path.with_name("leases.sqlite3-journal").exists()
        read_only()
        try:
            return read(path)
        except LeaseStoreError as e:
            return str(e)

    assert on_new_disk(read_it) == f"The lease store {path} {MOVED.format(uid=os.geteuid())}"


def test_reading_changes_nothing(path):
    filled(path)
    before = path.stat()
    assert list(read(path)) == [build_key()]
    after_it = path.stat()
    assert (after_it.st_mtime_ns, after_it.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_who_only_reads_what_is_not_there_cannot_write(path):
    with rejected(path, "does not exist, and is only being read."):
        write(path, create=False)
    assert os.listdir(path.parent) == []


def test_who_reads_may_release(path):
    """state=absent creates no store, but releases in one that exists."""
    filled(path)
    with opened(path, create=False) as store:
        store.purge(store.find(SCOPE).values())
    assert read(path) == {}


# A user who may not. Root may everything, so an ordinary user stands in for it.


def open_to_release(path):
    """As state=absent does, which creates no store."""
    with opened(path, create=False):
        pass


def ordinary_uid():
    return as_ordinary_user(os.geteuid)


def give(path):
    """Make the file or folder the ordinary user's."""
    os.chown(path, ordinary_uid(), -1)


def locked_folder(path):
    filled(path)
    give(path)
    path.parent.chmod(0o555)


def locked_new_folder(path):
    path.parent.chmod(0o555)


def unsearchable_folder(path):
    give(path.parent)
    path.parent.chmod(0o200)


def locked_file(path):
    filled(path)
    give(path)
    give(path.parent)
    path.chmod(0o400)


def unreadable_file(path):
    filled(path)
    give(path)
    give(path.parent)
    path.chmod(0o200)


def link_into_locked_folder(path):
    folder = path.parent / "locked"
    folder.mkdir()
    target = filled(folder / "leases.sqlite3")
    give(target)
    give(path.parent)
    folder.chmod(0o555)
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "to_read", "to_write"),
    [
        pytest.param(locked_folder, None, "write to {folder}", id="a file in a folder that is read-only"),
        pytest.param(locked_new_folder, None, "write to {folder}", id="a new file in a folder that is read-only"),
        pytest.param(
            unsearchable_folder, "search {folder}", "write to {folder}", id="a folder that cannot be searched"
        ),
        pytest.param(locked_file, None, "read and write {path}", id="a file that is read-only"),
        pytest.param(unreadable_file, "read {path}", "read and write {path}", id="a file that cannot be read"),
        pytest.param(
            link_into_locked_folder, None, "write to {folder}/locked", id="a link into a folder that is read-only"
        ),
    ],
)
def test_a_file_or_folder_without_rights_is_rejected_for_those_who_need_them_and_left_alone(
    path, make, to_read, to_write
):
    make(path)
    before = path.read_bytes() if path.exists() else None
    try:
        for use, needed in ((read, to_read), (write, to_write), (open_to_release, to_write)):
            if needed is None:
                assert as_ordinary_user(lambda use=use: len(use(path))) == (0 if before is None else 1)
                continue
            right = needed.format(folder=path.parent, path=path)
            with rejected(path, NO_RIGHT.format(uid=ordinary_uid(), needed=right)):
                as_ordinary_user(lambda use=use: use(path))
    finally:
        path.parent.chmod(0o755)
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize("use", [read, write])
def test_a_file_of_another_user_is_rejected(path, use):
    if os.geteuid() != 0:
        pytest.skip("only root can make a file that belongs to another user")
    filled(path)
    reason = f"{path} belongs to user id 0: run chown {ordinary_uid()} {path}"
    with rejected(path, ACCESSIBLE.format(reason=reason)):
        as_ordinary_user(lambda: use(path))
    # Not even root accepts one.
    give(path)
    with rejected(path, ACCESSIBLE.format(reason=f"{path} belongs to user id {ordinary_uid()}: run chown 0 {path}")):
        use(path)


@pytest.mark.parametrize("use", [read, write])
def test_a_path_through_a_file_is_rejected(path, use):
    path.write_text("")
    below = path / "new" / "leases.sqlite3"
    with rejected(below, f"cannot be created because {path} is not a directory: name another path."):
        use(below)


@pytest.mark.parametrize("create", [False, True])
def test_a_name_that_is_too_long_is_rejected(path, create):
    long = path.parent / ("x" * 300)
    with rejected(long, "cannot be created (File name too long): name another path in lease_store."):
        opened(long, create=create)
    assert os.listdir(path.parent) == []


def test_an_unpaired_surrogate_is_reported(path):
    text = "cannot hold text with an unpaired surrogate: correct the text."
    with opened(path) as store:
        with rejected(path, text):
            store.find("\ud800")
        with rejected(path, text):
            store.read([build_key("\ud800")])


# A disk that is full, a file that is held, a file that goes away: all in the middle of a run.


def with_room(room, function):
    """What the function gives in a process whose files cannot grow beyond ``room`` bytes."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        return function()

    return in_child(limited)


CANNOT_GROW = "cannot be written because the disk is full: free up space, then run again."
IO_ERROR = "cannot be read or written (disk I/O error): check the disk and its quota, then run again."


def test_a_disk_that_fills_up_ends_the_run_and_keeps_what_is_stored(path):
    # Given a store whose file cannot grow beyond some pages.
    filled(path)
    before = path.stat().st_size

    def run():
        service_calls = []

        def issue(key):
            service_calls.append(key)
            return lease_of(key, url=URL + "x" * 5000, validity=3600)

        with opened(path) as store:
            issuer = UrlIssuer(
                store=store,
                issue=issue,
                now=lambda: NOW,
                policy=build_policy(validity=3600),
                not_before=LONG_AGO,
                concurrency=2,
            )
            keys = [build_key(f"learner-{number:02}") for number in range(50)]
            return [(outcome.key, outcome.failure) for outcome in issuer.run(keys, {}, False)], service_calls

    # When a lab is to be remembered in it.
    outcomes, service_calls = with_room(before + 10 * 4096, run)

    # Then some are stored; the others failed, for that reason, and few URLs were issued in vain.
    stored = {key for key, failure in outcomes if not failure}
    failures = [failure for _key, failure in outcomes if failure]
    assert 0 < len(stored) < 50
    assert set(read(path)) == stored | {build_key()}
    assert len(service_calls) <= len(stored) + 5
    assert all(failure.code == "LeaseStoreError" for failure in failures)
    assert all(failure.message.endswith((f"{path} {CANNOT_GROW}", f"{path} {IO_ERROR}")) for failure in failures)

    # And the file is sound.
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("room", [0, 100, 4096])
def test_a_write_without_room_leaves_the_file_as_it_was(path, room):
    before = filled(path).read_bytes()
    with pytest.raises(LeaseStoreError) as error:
        with_room(room, lambda: write(path))
    assert str(error.value) in (f"The lease store {path} {CANNOT_GROW}", f"The lease store {path} {IO_ERROR}")
    with_room(10**9, lambda: read(path))
    assert path.read_bytes() == before
    assert list(read(path)) == [build_key()]


def test_a_new_file_without_room_is_rejected_and_works_once_there_is_room(path):
    with pytest.raises(LeaseStoreError) as error:
        with_room(0, lambda: write(path))
    assert str(error.value) in (f"The lease store {path} {CANNOT_GROW}", f"The lease store {path} {IO_ERROR}")
    write(path)
    assert list(read(path)) == [build_key("ben")]


@pytest.fixture
def on_new_disk(path):
    """Runs a function in a process that sees a disk of 256 KB in the store's folder; needs the right to mount.

    The function is given one that makes the disk read-only.
    """
    ctypes = pytest.importorskip("ctypes")
    libc = ctypes.CDLL(None, use_errno=True)
    folder = str(path.parent).encode()

    def read_only():
        remount, read_only = 32, 1
        assert libc.mount(b"tmpfs", folder, b"tmpfs", remount | read_only, b"size=256k,mode=700") == 0

    def run(function):
        def mounted():
            new_namespace, private = 0x00020000, 0x4000 | (1 << 18)
            if libc.unshare(new_namespace) or libc.mount(b"none", b"/", None, private, None):
                return "not allowed"
            if libc.mount(b"tmpfs", folder, b"tmpfs", 0, b"size=256k,mode=700"):
                return "not allowed"
            return function(read_only)

        result = in_child(mounted)
        if result == "not allowed":
            pytest.skip("this user may not mount")
        return result

    return run


def test_a_disk_that_is_really_full_is_reported(path, on_new_disk):
    def fill(_read_only):
        filled(path)
        with open(path.parent / "film", "wb", buffering=0) as film:
            try:
                while True:
                    film.write(bytes(4096))
            except OSError:
                pass
        before = path.read_bytes()
        try:
            write(path)
        except LeaseStoreError as e:
            return str(e), path.read_bytes() == before, list(read(path))
        return None

    said, unchanged, keys = on_new_disk(fill)
    assert said == f"The lease store {path} {CANNOT_GROW}"
    assert unchanged
    assert keys == [build_key()]


@pytest.mark.parametrize("existing", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_file_that_another_holds_is_reported_after_the_wait(path, existing):
    before = filled(path).read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(existing)
        with rejected(path, LOCKED):
            write(path, busy_timeout=0.05)
        other.execute("ROLLBACK")
    assert path.read_bytes() == before
    write(path)


def test_a_file_that_another_changes_can_be_read_meanwhile(path):
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE lease SET validity = 7")
        assert read(path)[build_key()].validity is None


def test_a_file_that_another_holds_for_a_moment_is_waited_for(path):
    filled(path)
    reading, writing = os.pipe()

    def hold_briefly():
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            os.write(writing, b".")
            signal.sigtimedwait([], 0.2)
            other.execute("COMMIT")

    ended = start_child(hold_briefly)
    os.read(reading, 1)
    write(path)
    ended()
    assert set(read(path)) == {build_key(), build_key("ben")}


def disable_locks():
    """Have every lock of this process fail as not supported, as on NFS without its lock service (seccomp)."""
    ctypes = pytest.importorskip("ctypes")
    libc, machine = ctypes.CDLL(None, use_errno=True), os.uname().machine
    if machine not in FCNTL:
        pytest.skip(f"the number of the system call is not known for {machine}")
    # Unless it is fcntl(_, F_SETLK, _), which fails, allow it.
    load, jump_if_equal, give_back = 0x20, 0x15, 0x06
    rules = [
        (load, 0, 0, 0),
        (jump_if_equal, 0, 3, FCNTL[machine]),
        (load, 0, 0, 24),
        (jump_if_equal, 0, 1, fcntl.F_SETLK),
        (give_back, 0, 0, 0x50000 | errno.ENOLCK),
        (give_back, 0, 0, 0x7FFF0000),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    header = ctypes.create_string_buffer(struct.pack("HP", len(rules), ctypes.addressof(program)))
    no_new_privileges, set_seccomp, filtered = 38, 22, 2
    assert libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
    assert libc.prctl(set_seccomp, filtered, header, 0, 0) == 0


# The numbers of the system call.
FCNTL = {"x86_64": 72, "aarch64": 25}


@pytest.mark.parametrize("use", [read, write])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_system_without_locks_is_rejected_at_once(path, use, is_there):
    """SQLite takes it for a file that another process has locked, and waits."""
    if is_there:
        filled(path)

    def run():
        disable_locks()
        return use(path)

    begin = time.monotonic()
    if use is read and not is_there:
        assert in_child(run) == {}
        return
    with rejected(
        path,
        "is on a file system without locks (No locks available), such as NFS without its lock service: name a file on "
        "another one in lease_store, or use dynamodb://TABLE.",
    ):
        in_child(run)
    assert time.monotonic() - begin < 5


def purge_and_die(path):
    """Be killed in a transaction, with so little memory that pages of it are written before."""
    leases = read(path)
    with opened(path) as store:
        store._file._database.execute("PRAGMA cache_size = 1")

        def and_die():
            yield from leases.values()
            os.kill(os.getpid(), signal.SIGKILL)

        store.purge(and_die())


def test_a_run_that_is_killed_in_a_transaction_leaves_what_was_before(path):
    # Given a store of many pages, and a run with so little memory that it writes pages before it commits.
    leases = {build_key(f"learner-{number:02}"): lease_of(url=URL + "x" * 2000) for number in range(40)}
    filled(path, *(dataclasses.replace(lease, key=key) for key, lease in leases.items()))
    before = path.read_bytes()

    # When it is killed, the file is half written and the journal lies beside it.
    with pytest.raises(EOFError):
        in_child(lambda: purge_and_die(path))
    assert path.read_bytes() != before
    assert path.with_name("leases.sqlite3-journal").exists()

    # Then whoever comes next, if only to read, finds what was before.
    assert set(read(path)) == set(leases)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def deleted(path):
    path.unlink()


def moved(path):
    path.rename(path.with_name("moved"))


def replaced(path):
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o600)


@pytest.mark.parametrize("gone", [deleted, moved, replaced])
def test_a_file_that_goes_away_in_mid_run_is_reported(path, gone):
    """Else a run would go on to write leases where nobody finds them."""
    filled(path)
    with opened(path) as store:
        gone(path)
        there = path.read_bytes() if path.exists() else None
        with rejected(path, MOVED.format(uid=os.geteuid())):
            compare_and_set(store, lease_of(build_key("ben")))
        assert (path.read_bytes() if path.exists() else None) == there


def test_a_folder_that_goes_away_in_mid_run_is_reported(path):
    folder = path.parent / "lab"
    inside = filled(folder / "leases.sqlite3")
    with opened(inside) as store:
        inside.unlink()
        folder.rmdir()
        with pytest.raises(LeaseStoreError, match=f"^The lease store {inside} .*\\.$"):
            compare_and_set(store, lease_of(build_key("ben")))


def test_a_failed_write_is_undone_and_the_next_one_works(path):
    filled(path)
    with opened(path) as store:
        [lease] = store.find(SCOPE).values()

        def and_fail():
            yield lease
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.purge(and_fail())
        assert list(store.find(SCOPE)) == [build_key()]
        store.purge([lease])
        assert store.find(SCOPE) == {}


def test_closing_twice_is_harmless(path):
    store = SQLiteLeaseStore(str(path), now=lambda: NOW, create=True)
    store.close()
    store.close()


def test_the_application_id_is_the_letters_lstr():
    assert APPLICATION_ID.to_bytes(4, "big") == b"LSTR"


class Watched(list):
    """Something else happens before each of its elements is given."""

    def __init__(self, elements, happens):
        super().__init__(elements)
        self.happens = happens

    def __iter__(self):
        for element in super().__iter__():
            self.happens()
            yield element


SEATS = ("anna", "ben", "cleo")


def test_changes_that_are_written_together_are_one_transaction(path):
    """So a disk is waited for once."""
    # Given a run that writes, and another that reads before each of its changes.
    store, other = (
        SQLiteLeaseStore(str(path), now=lambda: NOW, create=True),
        SQLiteLeaseStore(str(path), now=lambda: NOW, create=False),
    )
    leases, seen = [lease_of(build_key(seat)) for seat in SEATS], []
    with closing(store), closing(other):
        changes = Watched([Write(lease, None) for lease in leases], lambda: seen.append(len(other.find(SCOPE))))

        # When three leases are written together.
        assert store.write(changes) == leases

        # Then nobody sees one of them before all are there.
        assert seen == [0, 0, 0]
        assert other.find(SCOPE) == {lease.key: lease for lease in leases}


def test_what_fails_one_of_the_changes_fails_all_that_are_written_together_and_is_reported_for_each(path):
    # Given a file that rejects what is written for ben.
    anna = lease_of(build_key("anna"))
    filled(path, anna)
    spoil_record(
        path,
        "CREATE TRIGGER refuses_ben BEFORE INSERT ON lease WHEN new.holder = 'ben' "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    with opened(path) as store:
        # When he is in the middle of those who are written together.
        changes = [
            Replace(lease_of(build_key("anna"), url=URL), anna.lease_id),
            Write(lease_of(build_key("ben"), url=URL), None),
            Write(lease_of(build_key("cleo"), url=URL), None),
        ]
        reported = store.write(changes)

        # Then each gets the same error, and all is as it was before.
        assert [(type(error), str(error)) for error in reported] == [
            (LeaseStoreError, f"The lease store {path} {CANNOT_GROW}")
        ] * 3
        assert store.find(SCOPE) == {anna.key: anna}

        # And without him, it works.
        assert store.write([changes[0], changes[2]]) == [changes[0].record, changes[2].record]
    assert set(read(path)) == {build_key("anna"), build_key("cleo")}


def test_leases_that_are_read_together_are_of_one_point_in_time(path):
    """Though each is looked up by itself."""
    # Given leases, and another run that would change all before each of them is looked up.
    keys = [build_key(seat) for seat in SEATS]
    filled(path, *map(lease_of, keys))
    attempts, rejections = iter([1, 2, 3]), []
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:

        def change_all():
            try:
                other.execute("UPDATE lease SET validity = ?", (next(attempts),))
            except sqlite3.OperationalError as e:
                rejections.append(str(e))

        # When they are read together.
        leases = store.read(Watched(keys, change_all))

    # Then the other comes before or after, but not in between.
    assert [lease.validity for lease in leases.values()] == [1, 1, 1]
    assert rejections == ["database is locked"] * 2
