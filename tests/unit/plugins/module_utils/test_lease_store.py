# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every lease store must do. A store joins by a function in STORES that opens it."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.labstream.aws.plugins.module_utils.exceptions import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils.lease import RETENTION
from ansible_collections.labstream.aws.plugins.module_utils.lease_store.base import (
    DEFAULT_LEASE_STORE,
    NoLeaseStore,
    open_lease_store,
)
from ansible_collections.labstream.aws.plugins.module_utils.lease_store.sqlite import SQLiteLeaseStore

from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    after,
    intent_of,
    key_of,
    lease_of,
    stream_lease_of,
)


def sqlite_store(folder):
    """A store in a SQLite file in that folder."""
    return open_lease_store(f"sqlite://{folder}/leases.sqlite3", create=True)


STORES = {"sqlite": sqlite_store}


@pytest.fixture(params=STORES.values(), ids=STORES.keys())
def opened(request, tmp_path):
    """Opens the store; every call opens the same leases anew, as another run does."""
    stores = []

    def open_it():
        stores.append(request.param(tmp_path))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    """An open store without leases."""
    return opened()


def write(store, *leases, expected=None, now=NOW):
    """Write the leases; the store must take them."""
    for lease in leases:
        assert store.compare_and_set(lease, expected=expected, now=now) == lease


def touch(store, now):
    """A write that concerns no lease that a test looks at."""
    write(store, lease_of(key_of(scope="other"), lease_id=f"touch-{now}", expires=10**9), expected=None, now=now)


def read_one(store):
    """The lease of the only key that a test uses, or None."""
    return store.read(SCOPE).get(key_of())


def test_a_new_store_has_no_leases(store):
    assert store.read(SCOPE) == {}


@pytest.mark.parametrize(
    "lease",
    [
        pytest.param(lease_of(validity=60, lab="cad"), id="all fields"),
        pytest.param(lease_of(), id="only what must be"),
        pytest.param(lease_of(validity=0, lab=""), id="what is nothing but is not null"),
        pytest.param(lease_of(key_of("änna@例え.jp", '{"a":"ü"}', "s|'\";--%_"), lab="Übung № 7 🎓"), id="unicode"),
        pytest.param(lease_of(key_of("a\nb\tc"), lab="two\nlines"), id="control characters"),
        pytest.param(lease_of(url="https://streaming.example.org/?x=" + "ü" * 100_000), id="a URL of 200 KB"),
        pytest.param(lease_of(url=None), id="no URL"),
        pytest.param(lease_of(forgotten=after(-5), url=None), id="forgotten"),
        pytest.param(intent_of(lab="cad"), id="an intent"),
        pytest.param(intent_of(client_token="x" * 64, forgotten=NOW), id="an intent with the longest token, forgotten"),
        pytest.param(stream_lease_of(stream_id="stream-ü", client_token="a b"), id="a stream"),
        pytest.param(lease_of(expires=7_000 * 365 * DAY), id="far in the future"),
        pytest.param(lease_of(issued=datetime(1969, 7, 20, tzinfo=UTC)), id="before the epoch"),
    ],
)
def test_a_lease_comes_back_as_it_was_written(opened, lease):
    write(opened(), lease)
    assert opened().read(lease.key.scope) == {lease.key: lease}


def test_moments_of_other_zones_come_back_in_utc(store):
    eastern = timezone(timedelta(hours=-5))
    write(store, dataclasses.replace(lease_of(lease_id="x"), issued=NOW.astimezone(eastern)))
    assert read_one(store) == lease_of(lease_id="x")
    assert read_one(store).issued.utcoffset() == timedelta(0)


def test_a_scope_is_read_alone(store):
    # Given leases of two scopes of which one's name begins with the other's.
    anna, ben = lease_of(key_of("anna")), lease_of(key_of("ben"))
    elsewhere = lease_of(key_of("anna", scope=SCOPE + "-2"))
    write(store, anna, ben, elsewhere)

    # Then each is read without the other.
    assert store.read(SCOPE) == {anna.key: anna, ben.key: ben}
    assert store.read(SCOPE + "-2") == {elsewhere.key: elsewhere}
    assert store.read("appstream") == {}
    assert store.read("") == {}
    assert store.read("%") == {}


def test_the_scopes_are_those_of_all_leases(opened):
    assert opened().scopes() == set()
    write(opened(), lease_of(key_of("anna")), lease_of(key_of("ben")), lease_of(key_of(scope="other"), expires=-60))
    assert opened().scopes() == {SCOPE, "other"}


@pytest.mark.parametrize(
    "other",
    [
        key_of(purpose='{"application_id":"cad"}'),
        key_of("ben"),
        key_of("Anna"),
        key_of("anna "),
        key_of(scope=SCOPE + "-2"),
    ],
)
def test_leases_of_different_keys_never_disturb_each_other(store, other):
    # Given a lease for each of two keys.
    mine, others = lease_of(), lease_of(other)
    write(store, mine, others)

    # When one is replaced and then forgotten.
    newer = lease_of()
    write(store, newer, expected=mine.lease_id)
    store.forget([newer.key], now=NOW, purge=True)

    # Then the other is as it was.
    assert store.read(other.scope)[other] == others
    assert key_of() not in store.read(SCOPE)


# What is in the way of a write, and what is not.

THERE = lease_of(lease_id="there")


@pytest.mark.parametrize(
    ("there", "expected", "written"),
    [
        pytest.param(None, None, True, id="nothing is there, as was read"),
        pytest.param(None, "gone", True, id="what was read is gone"),
        pytest.param(THERE, "there", True, id="what was read is still there"),
        pytest.param(THERE, None, False, id="nothing was read, but another run wrote"),
        pytest.param(THERE, "old", False, id="what was read was replaced"),
        pytest.param(lease_of(expires=1), None, False, id="it expires in a second"),
        pytest.param(lease_of(expires=0), None, True, id="it expires now"),
        pytest.param(lease_of(expires=-1), "old", True, id="it has expired"),
        pytest.param(lease_of(expires=3600, forgotten=NOW, url=None), None, True, id="it was forgotten"),
        pytest.param(lease_of(expires=3600, forgotten=NOW, url=None), "old", True, id="it was forgotten since"),
    ],
)
def test_a_lease_is_written_unless_another_run_wrote_one_that_lives(opened, there, expected, written):
    if there:
        write(opened(), there)
    mine = lease_of(lease_id="mine", lab="mine", validity=1)

    held = opened().compare_and_set(mine, expected=expected, now=NOW)

    assert held == (mine if written else there)
    assert opened().read(SCOPE) == {mine.key: held}


def test_a_lease_written_again_is_there_once(store):
    """A call that is repeated since its reply was lost must not fail."""
    lease = lease_of()
    write(store, lease)
    assert store.compare_and_set(lease, expected=None, now=NOW) == lease
    assert store.read(SCOPE) == {lease.key: lease}


def test_of_two_writers_the_second_learns_of_the_first(opened):
    # Given two runs that have read the same lease.
    first, second = opened(), opened()
    old = lease_of()
    write(first, old)
    assert first.read(SCOPE) == second.read(SCOPE)

    # When both write their own.
    mine, theirs = lease_of(), lease_of()
    write(first, mine, expected=old.lease_id)
    held = second.compare_and_set(theirs, expected=old.lease_id, now=NOW)

    # Then the second gets the first's, whole, and may write over it knowingly.
    assert held == mine
    write(second, theirs, expected=held.lease_id)
    assert read_one(first) == theirs


def test_what_is_written_in_a_batch_is_there_after_it(opened):
    store, leases = opened(), [lease_of(key_of(seat), lease_id=seat) for seat in ("anna", "ben")]
    with store.batch(NOW):
        write(store, *leases)
        # Within it, too, the second writer learns of the first.
        assert store.compare_and_set(lease_of(key_of("anna"), lease_id="late"), expected=None, now=NOW) == leases[0]
    assert opened().read(SCOPE) == {lease.key: lease for lease in leases}


def test_a_batch_that_breaks_raises_what_broke_it(store):
    with pytest.raises(ZeroDivisionError), store.batch(NOW):
        raise ZeroDivisionError
    # And the store goes on working.
    write(store, lease_of())


def test_a_new_lease_keeps_nothing_of_the_one_before(store):
    write(store, lease_of(lab="cad", validity=60, forgotten=NOW, url=None))
    plain = lease_of()
    write(store, plain)
    assert read_one(store) == plain


def test_a_lease_of_a_url_keeps_nothing_of_a_stream(store):
    write(store, stream_lease_of(lease_id="x"))
    plain = lease_of()
    write(store, plain, expected="x")
    assert read_one(store) == plain


# Replacing: the write of those who know what must be there.


@pytest.mark.parametrize(
    ("there", "written"),
    [
        pytest.param(intent_of(lease_id="there"), True, id="what was written is still there"),
        pytest.param(None, False, id="it was purged"),
        pytest.param(intent_of(lease_id="another"), False, id="it was replaced"),
        pytest.param(intent_of(lease_id="another", expires=-1), False, id="it was replaced, and that has expired"),
        pytest.param(stream_lease_of(lease_id="another"), False, id="another run was faster"),
        pytest.param(intent_of(lease_id="there", forgotten=NOW), False, id="it was forgotten"),
        pytest.param(intent_of(lease_id="another", forgotten=NOW), False, id="it was replaced and forgotten"),
        pytest.param(intent_of(lease_id="there", expires=0), True, id="it has expired, but is there"),
        pytest.param(intent_of(lease_id="there", expires=-DAY), True, id="it has long expired, but is there"),
    ],
)
def test_a_lease_is_replaced_only_if_it_is_there_and_was_not_forgotten(opened, there, written):
    if there:
        write(opened(), there)
    stream = stream_lease_of(lease_id="mine", lab="mine")

    held = opened().replace(stream, expected="there", now=NOW)

    assert held == (stream if written else there)
    assert opened().read(SCOPE) == ({stream.key: held} if held else {})


@pytest.mark.parametrize("other", [key_of("ben"), key_of(purpose="x"), key_of(scope=SCOPE + "-2")])
def test_replacing_leaves_the_leases_of_other_keys_alone(store, other):
    intent, others = intent_of(lease_id="the same"), intent_of(other, lease_id="the same")
    write(store, intent, others)
    stream = stream_lease_of()
    assert store.replace(stream, expected="the same", now=NOW) == stream
    assert (read_one(store), store.read(other.scope)[other]) == (stream, others)


def test_a_lease_replaced_again_is_told(store):
    """A call that is repeated since its reply was lost sees its own work."""
    write(store, intent_of(lease_id="there"))
    stream = stream_lease_of()
    for _time in range(2):
        assert store.replace(stream, expected="there", now=NOW) == stream


def test_of_two_who_replace_the_second_learns_of_the_first(opened):
    first, second, intent = opened(), opened(), intent_of()
    write(first, intent)
    winner, late = stream_lease_of(stream_id="stream-1"), stream_lease_of(stream_id="stream-2")
    assert first.replace(winner, expected=intent.lease_id, now=NOW) == winner
    assert second.replace(late, expected=intent.lease_id, now=NOW) == winner
    assert read_one(opened()) == winner


@pytest.mark.parametrize("purge", [False, True])
def test_what_was_forgotten_meanwhile_is_not_revived(opened, purge):
    first, second, intent = opened(), opened(), intent_of()
    write(first, intent)
    second.forget([intent.key], now=after(5), purge=purge)
    forgotten = None if purge else dataclasses.replace(intent, forgotten=after(5))
    assert first.replace(stream_lease_of(), expected=intent.lease_id, now=after(6)) == forgotten
    assert read_one(opened()) == forgotten


def test_what_is_replaced_in_a_batch_is_there_after_it(opened):
    store, intents = opened(), [intent_of(key_of(seat), lease_id=seat) for seat in ("anna", "ben")]
    write(store, *intents)
    streams = [stream_lease_of(intent.key) for intent in intents]
    with store.batch(NOW):
        for intent, stream in zip(intents, streams, strict=True):
            assert store.replace(stream, expected=intent.lease_id, now=NOW) == stream
    assert opened().read(SCOPE) == {stream.key: stream for stream in streams}


def test_replacing_is_a_write_that_wipes_urls_that_have_expired(store):
    write(store, lease_of())
    store.replace(stream_lease_of(key_of("ben")), expected="gone", now=after(3600))
    assert read_one(store).url is None


# Forgetting.


def test_forgetting_wipes_the_url_and_keeps_the_rest(opened):
    lease = lease_of(validity=60, lab="cad")
    write(opened(), lease)

    opened().forget([lease.key], now=after(5), purge=False)

    assert read_one(opened()) == dataclasses.replace(lease, url=None, forgotten=after(5))


@pytest.mark.parametrize("lease", [intent_of(), stream_lease_of()])
def test_forgetting_marks_intents_and_streams_too(opened, lease):
    write(opened(), lease)
    opened().forget([lease.key], now=after(5), purge=False)
    assert read_one(opened()) == dataclasses.replace(lease, forgotten=after(5))
    # And then a new one may take the place.
    write(opened(), intent_of())


def test_purging_removes_the_record(opened):
    lease, other = lease_of(), lease_of(key_of("ben"))
    write(opened(), lease, other)

    opened().forget([lease.key], now=NOW, purge=True)

    assert opened().read(SCOPE) == {other.key: other}


@pytest.mark.parametrize("purge", [False, True])
def test_forgetting_what_is_not_there_is_harmless(store, purge):
    lease = lease_of()
    write(store, lease)
    store.forget([key_of("nobody"), key_of(scope="nowhere")], now=NOW, purge=purge)
    store.forget([], now=NOW, purge=purge)
    assert store.read(SCOPE) == {lease.key: lease}
    assert store.read("nowhere") == {}


@pytest.mark.parametrize("purge", [False, True])
def test_a_class_is_forgotten_at_once(store, purge):
    leases = [lease_of(key_of(f"learner-{number}")) for number in range(100)]
    write(store, *leases)
    store.forget((lease.key for lease in leases), now=NOW, purge=purge)
    held = store.read(SCOPE)
    assert len(held) == (0 if purge else 100)
    assert all(lease.url is None for lease in held.values())


def test_a_forgotten_record_can_be_purged(store):
    write(store, lease_of())
    store.forget([key_of()], now=NOW, purge=False)
    store.forget([key_of()], now=NOW, purge=True)
    assert store.read(SCOPE) == {}


# What time does to a lease.


@pytest.mark.parametrize(("later", "kept"), [(3599, True), (3600, False), (3601, False)])
def test_a_url_that_has_expired_is_wiped_at_the_next_write(opened, later, kept):
    # Given a lease for an hour, of any scope.
    lease = lease_of()
    write(opened(), lease)

    # When something else is written later.
    touch(opened(), after(later))

    # Then the URL is gone if it expired, and the rest is kept.
    held = read_one(opened())
    assert held.url == (lease.url if kept else None)
    assert dataclasses.replace(held, url=lease.url) == lease


def test_forgetting_is_such_a_write(store):
    write(store, lease_of())
    store.forget([key_of("nobody")], now=after(3600), purge=False)
    assert read_one(store).url is None
    assert read_one(store).forgotten is None


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize(("later", "kept"), [(-1, True), (0, False), (1, False)])
def test_the_rest_is_dropped_30_days_after_the_url_expired(store, later, kept, forgotten):
    write(store, lease_of())
    if forgotten:
        store.forget([key_of()], now=NOW, purge=False)
    assert timedelta(days=30) == RETENTION

    touch(store, after(3600 + 30 * DAY + later))

    assert (read_one(store) is not None) is kept


def test_a_lease_that_is_dead_when_it_is_written_is_returned_all_the_same(store):
    """The caller has a URL from the service and shall get it, though the clocks disagree."""
    for expires in (0, -31 * DAY):
        lease = lease_of(expires=expires)
        assert store.compare_and_set(lease, expected=None, now=NOW) == lease


# Opening by URL.


def test_none_remembers_nothing():
    with closing(open_lease_store("none", create=True)) as store:
        assert isinstance(store, NoLeaseStore)
        lease, other, stream = lease_of(), lease_of(), stream_lease_of()
        write(store, lease)
        write(store, other, expected="whatever")
        assert store.replace(stream, expected="gone", now=NOW) == stream
        with store.batch(NOW):
            write(store, lease)
        assert store.read(SCOPE) == {}
        assert store.scopes() == set()
        store.forget([lease.key], now=NOW, purge=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "None",
        "none://",
        "no",
        "leases.sqlite3",
        "/var/lib/leases.sqlite3",
        "~/leases.sqlite3",
        "sqlite",
        "sqlite:",
        "sqlite:/var/lib/leases.sqlite3",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite://leases.sqlite3",
        "sqlite://~/leases.sqlite3",
        "SQLITE:///var/lib/leases.sqlite3",
        "sqlite3:///var/lib/leases.sqlite3",
        "file:///var/lib/leases.sqlite3",
        "postgresql://localhost/leases",
        "https://example.org/leases",
        " sqlite:///var/lib/leases.sqlite3",
    ],
)
@pytest.mark.parametrize("create", [False, True])
def test_what_names_no_store_is_refused(url, create):
    with pytest.raises(LeaseStoreError) as refused:
        open_lease_store(url, create=create)
    assert str(refused.value) == (
        f"lease_store is {url!r}, which names no lease store: use sqlite:///PATH, such as "
        "sqlite:///~/.ansible/labstream/leases.sqlite3, or none."
    )


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:///{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:////{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:///~/leases.sqlite3", "home/leases.sqlite3"),
        ("sqlite:////~/leases.sqlite3", "home/leases.sqlite3"),
        ("sqlite:///~/new/folder/leases.sqlite3", "home/new/folder/leases.sqlite3"),
        (DEFAULT_LEASE_STORE, "home/.ansible/labstream/leases.sqlite3"),
        ("sqlite://{tmp}/a b/c d.db", "a b/c d.db"),
        ("sqlite://{tmp}/100%/x%41y", "100%/x%41y"),
        ("sqlite://{tmp}/what?mode=memory", "what?mode=memory"),
        ("sqlite://{tmp}/a#b/x#y.db", "a#b/x#y.db"),
        ("sqlite://{tmp}/Übung/größe.db", "Übung/größe.db"),
        ("sqlite://{tmp}/a://b", "a:/b"),
        ("sqlite://{tmp}/~/x", "~/x"),
        ("sqlite://{tmp}/'\";.db", "'\";.db"),
        ("sqlite://{tmp}/bytes-\udcff.db", "bytes-\udcff.db"),
    ],
)
def test_a_url_of_sqlite_names_a_file(tmp_path, monkeypatch, url, path):
    # Given a home folder.
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    url = url.replace("{tmp}", str(tmp_path))

    # When a lease is written to the store of that URL.
    with closing(open_lease_store(url, create=True)) as store:
        assert isinstance(store, SQLiteLeaseStore)
        write(store, lease_of(lease_id="x"))

    # Then that file and no other holds it, and the same URL reads it.
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files == [tmp_path / path]
    with closing(open_lease_store(url, create=False)) as store:
        assert read_one(store) == lease_of(lease_id="x")


@pytest.mark.parametrize("create", [False, True])
def test_a_home_of_nobody_is_refused(create):
    with pytest.raises(LeaseStoreError) as refused:
        open_lease_store("sqlite:///~nosuchuser/leases.sqlite3", create=create)
    assert str(refused.value) == (
        "The lease store ~nosuchuser/leases.sqlite3 has no home folder to lie in: name an absolute path in lease_store."
    )


@pytest.mark.parametrize("create", [False, True])
def test_a_path_that_no_file_can_have_is_refused(tmp_path, create):
    url = f"sqlite://{tmp_path}/leases\0.sqlite3"
    with pytest.raises(LeaseStoreError) as refused:
        open_lease_store(url, create=create)
    assert str(refused.value).startswith(f"lease_store is {url!r}, which names no lease store: use ")
