# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every lease store must do. A store joins by a function in STORES that opens it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._labs.capacity import (
    CAPACITIES,
    CapacityKey,
    CapacityRecord,
    CapacitySettings,
)
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import LEARNERS, LearnerKey, LearnerRecord
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS, LabRecord
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import RETENTION, LeaseKey, build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import NoLeaseStore, Replace, Write
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore

from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    StoreClock,
    after,
    build_key,
    compare_and_set,
    lease_of,
    pending_lease_of,
    release,
    replace_lease,
    resource_lease_of,
)

LAST_SECOND = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - NOW).total_seconds()


def in_file(request):
    """A store in a SQLite file."""
    path = request.getfixturevalue("tmp_path") / "leases.sqlite3"
    return partial(SQLiteLeaseStore, str(path), create=True)


def in_table(service, request):
    """A store in a DynamoDB table of that service."""
    service = request.getfixturevalue(service)
    return partial(service.store, service.create_table())


STORES = {
    "sqlite": in_file,
    "moto": partial(in_table, "moto"),
    "dynalite": partial(in_table, "dynalite"),
}


@pytest.fixture
def clock():
    """The clock of all stores of a test."""
    return StoreClock()


@pytest.fixture(params=STORES.values(), ids=STORES.keys())
def opened(request, clock):
    """Opens the store; every call opens the same leases again, as another run does."""
    open_store, stores = request.param(request), []

    def open_it():
        stores.append(open_store(now=clock))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    """An open store without leases."""
    return opened()


def write(store, *leases, expected=None):
    """Write the leases; the store must take them."""
    assert store.write([Write(lease, expected) for lease in leases]) == list(leases)


def find(store, scope=SCOPE):
    """All leases of a scope. Reading their keys must return the same."""
    found = store.find(scope)
    assert store.read(found.keys()) == found
    return found


def touch(store):
    """A write that concerns no lease that a test reads."""
    write(store, lease_of(build_key(scope="other"), expires=10**9))


def read_one(store):
    """The lease of the key that most tests use, or None. Finding all leases must return the same."""
    existing = store.read([build_key()])
    assert existing.keys() <= {build_key()}
    assert store.find(SCOPE).get(build_key()) == existing.get(build_key())
    return existing.get(build_key())


def release_or_purge(store, keys, *, purge):
    leases = list(store.read(keys).values())
    return store.purge(leases) if purge else store.release(leases)


def test_a_new_store_has_no_leases(store):
    assert find(store) == {}


@pytest.mark.parametrize(
    "lease",
    [
        pytest.param(lease_of(validity=60), id="all fields"),
        pytest.param(lease_of(), id="only what must be"),
        pytest.param(lease_of(validity=0), id="what is nothing but is not null"),
        pytest.param(
            lease_of(build_key("änna@例え.jp", '{"a":"ü"}', "s|'\";--%_"), purpose='{"a":"ü"}'),
            id="unicode",
        ),
        pytest.param(lease_of(build_key("a\nb\tc")), id="control characters"),
        pytest.param(lease_of(url="https://streaming.example.org/?x=" + "ü" * 100_000), id="a URL of 200 KB"),
        pytest.param(
            lease_of(build_key("s" * 900, "p" * 5000), purpose="p" * 5000), id="a long holder and a longer purpose"
        ),
        pytest.param(lease_of(url=None), id="no URL"),
        pytest.param(lease_of(released_at=after(-5), url=None), id="released"),
        pytest.param(pending_lease_of(validity=60), id="a pending lease"),
        pytest.param(
            pending_lease_of(client_token="x" * 64, released_at=NOW),
            id="a pending lease with the longest token, released",
        ),
        pytest.param(resource_lease_of(resource_id="stream-ü", client_token="a b"), id="a resource"),
        pytest.param(lease_of(expires=7_000 * 365 * DAY), id="far in the future"),
        pytest.param(lease_of(expires=LAST_SECOND), id="until the year 9999 ends"),
        pytest.param(resource_lease_of(expires=LAST_SECOND), id="a resource until then"),
        pytest.param(lease_of(issued=datetime(1969, 7, 20, tzinfo=UTC)), id="before the epoch"),
    ],
)
def test_a_lease_comes_back_as_it_was_written(opened, lease):
    write(opened(), lease)
    assert find(opened(), lease.key.scope) == {lease.key: lease}


def test_timestamps_of_other_zones_come_back_in_utc(store):
    eastern = timezone(timedelta(hours=-5))
    write(store, dataclasses.replace(lease_of(lease_id="x"), issued=NOW.astimezone(eastern)))
    assert read_one(store) == lease_of(lease_id="x")
    assert read_one(store).issued.utcoffset() == timedelta(0)


def test_a_scope_is_read_alone(store):
    # Given leases of two scopes of which one's name begins with the other's.
    anna, ben = lease_of(build_key("anna")), lease_of(build_key("ben"))
    elsewhere = lease_of(build_key("anna", scope=SCOPE + "-2"))
    write(store, anna, ben, elsewhere)

    # Then each is read without the other.
    assert find(store) == {anna.key: anna, ben.key: ben}
    assert find(store, SCOPE + "-2") == {elsewhere.key: elsewhere}
    assert find(store, "appstream") == {}
    assert find(store, "%") == {}


def test_all_scopes_are_read_at_once(opened):
    assert find(opened(), None) == {}
    leases = [lease_of(build_key(seat)) for seat in ("anna", "ben")]
    leases += [
        lease_of(build_key("anna", "purpose", "other")),
        lease_of(build_key(scope="third"), expires=-60, url=None),
    ]
    write(opened(), *leases)
    assert find(opened(), None) == {lease.key: lease for lease in leases}


def test_only_the_leases_that_are_asked_for_are_read(store):
    leases = [
        lease_of(key)
        for key in (build_key("anna"), build_key("anna", "x"), build_key("ben"), build_key("anna", "", "other"))
    ]
    write(store, *leases)
    asked = [leases[0].key, leases[3].key, build_key("nobody"), build_key(scope="nowhere")]
    assert store.read(asked) == {lease.key: lease for lease in (leases[0], leases[3])}
    assert store.read([]) == {}


@pytest.mark.parametrize(
    "other",
    [
        build_key(purpose='{"application_id":"cad"}'),
        build_key("ben"),
        build_key("Anna"),
        build_key("anna "),
        build_key(scope=SCOPE + "-2"),
    ],
)
def test_leases_of_different_keys_never_disturb_each_other(store, other):
    # Given a lease for each of two keys.
    mine, others = lease_of(), lease_of(other)
    write(store, mine, others)

    # When one is replaced and then released.
    newer = lease_of()
    write(store, newer, expected=mine.lease_id)
    store.purge([newer])

    # Then the other is as it was.
    assert find(store, other.scope)[other] == others
    assert build_key() not in find(store)


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
        pytest.param(lease_of(expires=3600, released_at=NOW, url=None), None, True, id="it was released"),
        pytest.param(lease_of(expires=3600, released_at=NOW, url=None), "old", True, id="it was released since"),
    ],
)
def test_a_lease_is_written_unless_another_run_wrote_one_that_lives(opened, there, expected, written):
    if there:
        write(opened(), there)
    mine = lease_of(lease_id="mine", validity=1)

    existing = compare_and_set(opened(), mine, expected=expected)

    assert existing == (mine if written else there)
    assert find(opened()) == {mine.key: existing}


def test_a_lease_written_again_is_there_once(store):
    """A call that is repeated since its reply was lost must not fail."""
    lease = lease_of()
    write(store, lease)
    assert compare_and_set(store, lease) == lease
    assert find(store) == {lease.key: lease}


def test_of_two_writers_the_second_learns_of_the_first(opened):
    # Given two runs that have read the same lease.
    first, second = opened(), opened()
    old = lease_of()
    write(first, old)
    assert find(first) == find(second)

    # When both write their own.
    mine, theirs = lease_of(), lease_of()
    write(first, mine, expected=old.lease_id)
    existing = compare_and_set(second, theirs, expected=old.lease_id)

    # Then the second gets the first's, whole, and may write over it knowingly.
    assert existing == mine
    write(second, theirs, expected=existing.lease_id)
    assert read_one(first) == theirs


@pytest.mark.parametrize("seats", [0, 1, 30])
def test_what_is_written_at_once_is_there_after_it(opened, seats):
    leases = [lease_of(build_key(f"learner-{number}")) for number in range(seats)]
    assert opened().write([Write(lease, None) for lease in leases]) == leases
    assert find(opened()) == {lease.key: lease for lease in leases}


def test_each_change_has_its_own_outcome_in_order(opened):
    # Given leases of some seats.
    there = {
        seat: lease_of(build_key(seat), lease_id=seat) for seat in ("mine", "expired", "theirs", "intent", "taken")
    }
    there["expired"] = dataclasses.replace(there["expired"], expires=after(-1)).without_url()
    write(opened(), *there.values())

    # When some changes can be made, and others cannot, since another run was faster.
    def lease(seat):
        return lease_of(build_key(seat), lease_id="new")

    changes = [
        Write(lease("theirs"), "old"),
        Write(lease("mine"), "mine"),
        Replace(lease("taken"), "old"),
        Write(lease("new"), None),
        Replace(lease("gone"), "gone"),
        Replace(lease("intent"), "intent"),
        Write(lease("expired"), None),
    ]
    outcomes = opened().write(changes)

    # Then each returns what is there now.
    [_theirs, mine, _taken, new, _gone, intent, expired] = [change.record for change in changes]
    assert outcomes == [there["theirs"], mine, there["taken"], new, None, intent, expired]
    assert find(opened()) == {lease.key: lease for lease in outcomes if lease}


def test_a_new_lease_keeps_nothing_of_the_one_before(store):
    write(store, lease_of(validity=60, released_at=NOW, url=None))
    plain = lease_of()
    write(store, plain)
    assert read_one(store) == plain


def test_a_lease_of_a_url_keeps_nothing_of_a_resource(store):
    write(store, resource_lease_of(lease_id="x"))
    plain = lease_of()
    write(store, plain, expected="x")
    assert read_one(store) == plain


# Replacing: the write of those who know what must be there.


@pytest.mark.parametrize(
    ("there", "written"),
    [
        pytest.param(pending_lease_of(lease_id="there"), True, id="what was written is still there"),
        pytest.param(None, False, id="it was purged"),
        pytest.param(pending_lease_of(lease_id="another"), False, id="it was replaced"),
        pytest.param(
            pending_lease_of(lease_id="another", expires=-1), False, id="it was replaced, and that has expired"
        ),
        pytest.param(resource_lease_of(lease_id="another"), False, id="another run was faster"),
        pytest.param(pending_lease_of(lease_id="there", released_at=NOW), False, id="it was released"),
        pytest.param(pending_lease_of(lease_id="another", released_at=NOW), False, id="it was replaced and released"),
        pytest.param(pending_lease_of(lease_id="there", expires=0), True, id="it has expired, but is there"),
        pytest.param(pending_lease_of(lease_id="there", expires=-DAY), True, id="it has long expired, but is there"),
    ],
)
def test_a_lease_is_replaced_only_if_it_is_there_and_was_not_released(opened, there, written):
    if there:
        write(opened(), there)
    stream = resource_lease_of(lease_id="mine", validity=1)

    existing = replace_lease(opened(), stream, expected="there")

    assert existing == (stream if written else there)
    assert find(opened()) == ({stream.key: existing} if existing else {})


@pytest.mark.parametrize("other", [build_key("ben"), build_key(purpose="x"), build_key(scope=SCOPE + "-2")])
def test_replacing_leaves_the_leases_of_other_keys_alone(store, other):
    pending, others = pending_lease_of(lease_id="the same"), pending_lease_of(other, lease_id="the same")
    write(store, pending, others)
    stream = resource_lease_of()
    assert replace_lease(store, stream, expected="the same") == stream
    assert (read_one(store), find(store, other.scope)[other]) == (stream, others)


def test_a_lease_replaced_again_is_returned(store):
    """A call that is repeated since its reply was lost sees its own work."""
    write(store, pending_lease_of(lease_id="there"))
    stream = resource_lease_of()
    for _time in range(2):
        assert replace_lease(store, stream, expected="there") == stream


def test_of_two_who_replace_the_second_learns_of_the_first(opened):
    first, second, pending = opened(), opened(), pending_lease_of()
    write(first, pending)
    winner, late = resource_lease_of(resource_id="stream-1"), resource_lease_of(resource_id="stream-2")
    assert replace_lease(first, winner, expected=pending.lease_id) == winner
    assert replace_lease(second, late, expected=pending.lease_id) == winner
    assert read_one(opened()) == winner


@pytest.mark.parametrize("purge", [False, True])
def test_what_was_released_meanwhile_is_not_revived(opened, clock, purge):
    first, second, pending = opened(), opened(), pending_lease_of()
    write(first, pending)
    clock.when = after(5)
    release_or_purge(second, [pending.key], purge=purge)
    released = None if purge else pending.released(after(5))
    clock.when = after(6)
    assert replace_lease(first, resource_lease_of(), expected=pending.lease_id) == released
    assert read_one(opened()) == released


# Releasing.


def test_releasing_wipes_the_url_and_keeps_the_rest(opened, clock):
    lease = lease_of(validity=60)
    write(opened(), lease)

    clock.when = after(5)
    release(opened(), lease.key)

    assert read_one(opened()) == lease.released(after(5))


@pytest.mark.parametrize("lease", [pending_lease_of(), resource_lease_of()])
def test_releasing_marks_pending_leases_and_resources_too(opened, clock, lease):
    write(opened(), lease)
    clock.when = after(5)
    release(opened(), lease.key)
    assert read_one(opened()) == lease.released(after(5))
    # And then a new one may take the place.
    write(opened(), pending_lease_of())


def test_purging_removes_the_record(opened):
    lease, other = lease_of(), lease_of(build_key("ben"))
    write(opened(), lease, other)

    opened().purge([lease])

    assert find(opened()) == {other.key: other}


@pytest.mark.parametrize("purge", [False, True])
def test_releasing_what_is_not_there_is_harmless(store, purge):
    lease, gone = lease_of(), lease_of(build_key("nobody"))
    write(store, lease)
    assert (store.purge if purge else store.release)([gone, lease_of(build_key(scope="nowhere"))]) == 0
    assert release_or_purge(store, [], purge=purge) == 0
    assert find(store) == {lease.key: lease}
    assert find(store, "nowhere") == {}


@pytest.mark.parametrize("purge", [False, True])
def test_a_lab_is_released_at_once(store, purge):
    leases = [lease_of(build_key(f"learner-{number}")) for number in range(30)]
    write(store, *leases)
    assert release_or_purge(store, [lease.key for lease in leases], purge=purge) == 30
    existing = find(store)
    assert len(existing) == (0 if purge else 30)
    assert all(lease.url is None for lease in existing.values())


@pytest.mark.parametrize("purge", [False, True])
def test_what_another_run_has_replaced_meanwhile_is_not_released(store, clock, purge):
    # Given a lease, and one that another run replaces after it was read.
    mine, read, taken = lease_of(), lease_of(build_key("ben")), lease_of(build_key("ben"))
    write(store, mine, taken)

    clock.when = after(5)
    assert (store.purge if purge else store.release)([mine, read]) == 1

    left = {} if purge else {mine.key: mine.released(after(5))}
    assert store.find(SCOPE) == {**left, taken.key: taken}


def test_a_lease_that_was_released_since_it_was_read_is_purged(store):
    lease = lease_of()
    write(store, lease)
    release(store)
    assert store.purge([lease]) == 1
    assert find(store) == {}


def test_a_record_of_another_type_that_was_replaced_meanwhile_is_not_purged(store):
    learners, read, taken = store.records(LEARNERS), learner_of(record_id="read"), learner_of(record_id="taken")
    learners.write([Write(taken, None)])
    assert learners.purge([read]) == 0
    assert learners.find("cad") == {ANNA: taken}


def test_a_released_record_can_be_purged(store):
    write(store, lease_of())
    release(store)
    store.purge([read_one(store)])
    assert find(store) == {}


# What time does to a lease.


@pytest.mark.parametrize(("later", "kept"), [(3599, True), (3600, False), (3601, False)])
@pytest.mark.parametrize("written_to", [False, True])
def test_a_url_that_has_expired_is_not_read_any_more(opened, clock, later, kept, written_to):
    # Given a lease for an hour.
    lease = lease_of()
    write(opened(), lease)

    # When it is read later, whether or not something else has been written meanwhile.
    clock.when = after(later)
    if written_to:
        touch(opened())
    existing = read_one(opened())

    # Then the URL is gone if it expired, and the rest is kept.
    assert existing.url == (lease.url if kept else None)
    assert dataclasses.replace(existing, grant=lease.grant) == lease
    assert existing.url_sha256 == lease.url_sha256


def test_whoever_releases_others_leaves_it_unreleased(store, clock):
    lease = lease_of()
    write(store, lease)
    clock.when = after(3600)
    release(store, build_key("nobody"))
    assert read_one(store) == lease.without_url()


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("written_to", [False, True])
@pytest.mark.parametrize(("later", "kept"), [(-1, True), (0, False), (1, False)])
def test_the_rest_is_dropped_30_days_after_the_url_expired(store, clock, later, kept, released, written_to):
    write(store, lease_of())
    if released:
        release(store)
    assert timedelta(days=30) == RETENTION
    clock.when = after(3600 + 30 * DAY + later)

    if written_to:
        touch(store)

    assert (read_one(store) is not None) is kept
    assert (build_key() in store.find(None)) is kept


def test_what_is_past_its_retention_can_be_found_as_it_is_stored(store, clock):
    lease = lease_of()
    write(store, lease)
    clock.when = after(3600 + 30 * DAY)
    assert store.find(SCOPE) == {}
    assert store.find(SCOPE, include_old=True) == {lease.key: lease}


def test_without_a_confirmed_time_all_is_read_as_it_is_stored_and_stays(store, clock):
    # Given records that have expired or are past their retention, by any clock.
    leases = [lease_of(), lease_of(build_key("ben"), expires=-1), lease_of(build_key("cleo"), expires=-1000 * DAY)]
    record, learners = learner_of(expires=-1000 * DAY), store.records(LEARNERS)
    clock.when = None

    # When they are written, and others are written and released after them.
    write(store, *leases)
    assert learners.write([Write(record, None)]) == [record]
    touch(store)
    release(store, build_key(scope="other"))
    store.purge([lease_of(build_key("nobody"))])

    # Then they are there with their URLs.
    assert find(store) == {lease.key: lease for lease in leases}
    assert learners.find("cad") == {ANNA: record}

    # And once a service has said the time, they are not.
    clock.when = NOW
    touch(store)
    assert find(store) == {leases[0].key: leases[0], leases[1].key: leases[1].without_url()}
    assert learners.find("cad") == {}


@pytest.mark.parametrize(
    ("there", "expected", "written"),
    [
        (None, None, True),
        (lease_of(lease_id="there", expires=-1000 * DAY), None, False),
        (lease_of(lease_id="there", expires=-1000 * DAY), "old", False),
        (lease_of(lease_id="there", expires=-1000 * DAY), "there", True),
        (lease_of(released_at=NOW, url=None), None, True),
    ],
)
def test_without_a_confirmed_time_a_write_compares_ids_only(opened, clock, there, expected, written):
    clock.when = None
    if there:
        write(opened(), there)
    mine = lease_of()
    assert compare_and_set(opened(), mine, expected=expected) == (mine if written else there)


def test_without_a_confirmed_time_a_release_has_that_of_this_machine(store, clock):
    write(store, lease_of())
    clock.when, before = None, datetime.now(UTC).replace(microsecond=0)
    release(store)
    assert before <= read_one(store).released_at <= datetime.now(UTC)
    assert read_one(store).url is None


def test_a_lease_that_is_dead_when_it_is_written_is_returned_all_the_same(store):
    """The caller has a URL from the service and shall get it, though the clocks disagree."""
    for expires in (0, -31 * DAY):
        lease = lease_of(expires=expires)
        assert compare_and_set(store, lease) == lease


# Records of another type, by the example of a lab's learners.

ANNA = LearnerKey("cad", "anna")
TOKEN = "0123456789abcdef" * 2


def learner_of(key=ANNA, *, expires=3600, lease=None, **fields):
    """A record with an id of its own."""
    return LearnerRecord(key, TOKEN, lease, after(expires), **fields)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(learner_of(), id="no lease"),
        pytest.param(learner_of(lease=build_key("anna", build_purpose(application_id="cad"))), id="a lease"),
        pytest.param(learner_of(LearnerKey("cad", "anna", 1000)), id="a generation"),
        pytest.param(learner_of(LearnerKey("Übung № 7 | 🎓", "🎓" * 200)), id="unicode"),
        pytest.param(learner_of(LearnerKey("cad", "anna 0", 0)), id="a name like a sort key"),
        pytest.param(learner_of(lease=LeaseKey("s" * 2048, "h" * 900, "0" * 64)), id="the longest key"),
    ],
)
def test_a_record_of_another_type_comes_back_as_it_was_written(opened, record):
    assert opened().records(LEARNERS).write([Write(record, None)]) == [record]
    assert opened().records(LEARNERS).find(record.key.lab) == {record.key: record}
    assert opened().records(LEARNERS).read([record.key, LearnerKey("cad", "nobody")]) == {record.key: record}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(LabRecord("cad", build_key(), "anna", after(60)), id="only what must be"),
        pytest.param(LabRecord("a b", build_key(), "4711", after(60), NOW, after(5)), id="all fields"),
        pytest.param(LabRecord("🎓" * 225, LeaseKey("s" * 2000, "🎓" * 225), "🎓", after(60)), id="the longest key"),
    ],
)
def test_a_record_of_a_lab_comes_back_as_it_was_written_and_can_be_ended(opened, record):
    scope = record.lease.scope
    assert opened().records(LAB_RECORDS).write([Write(record, None)]) == [record]
    assert opened().records(LAB_RECORDS).find(scope) == opened().records(LAB_RECORDS).find(None) == {record.key: record}
    ended = dataclasses.replace(record, ended_at=after(7), record_id="ended")
    assert opened().records(LAB_RECORDS).write([Replace(ended, record.record_id)]) == [ended]
    assert opened().records(LAB_RECORDS).find(scope) == {record.key: ended}
    assert find(opened(), scope) == {}


def test_a_record_of_raised_capacity_comes_back_as_it_was_written_and_can_be_removed(opened):
    key, labs = CapacityKey(SCOPE, "us-east-1"), frozenset({"cad", "🎓, 2"})
    before, raised = CapacitySettings(0, 5), CapacitySettings(30, 30)
    record = CapacityRecord(key, labs, before, before, raised, "cad", NOW, after(DAY))

    assert opened().records(CAPACITIES).write([Write(record, None)]) == [record]
    assert opened().records(CAPACITIES).read([key]) == opened().records(CAPACITIES).find(SCOPE) == {key: record}
    assert find(opened()) == {}
    assert opened().records(CAPACITIES).purge([record]) == 1
    assert opened().records(CAPACITIES).find(None) == {}


def test_records_of_two_types_never_disturb_each_other(store):
    # Given a lease and a record that are named alike.
    learners = store.records(LEARNERS)
    lease, record = lease_of(LeaseKey("cad", "anna")), learner_of()
    write(store, lease)
    assert learners.write([Write(record, None)]) == [record]

    # Then each is found among those of its type alone.
    assert find(store, "cad") == find(store, None) == {lease.key: lease}
    assert learners.find("cad") == learners.find(None) == {record.key: record}

    # And what is done to one is not done to the other.
    release(store, lease.key)
    assert learners.find("cad") == {record.key: record}
    store.purge([lease])
    assert (find(store, None), learners.find("cad")) == ({}, {record.key: record})
    learners.purge([record])
    assert learners.find("cad") == {}


THERE_TOO = learner_of(record_id="there")


@pytest.mark.parametrize(
    ("there", "expected", "written"),
    [
        (None, None, True),
        (THERE_TOO, "there", True),
        (THERE_TOO, None, False),
        (THERE_TOO, "old", False),
        (learner_of(expires=0), None, True),
    ],
)
def test_a_record_of_another_type_is_written_on_the_same_condition(opened, there, expected, written):
    if there:
        opened().records(LEARNERS).write([Write(there, None)])
    mine = learner_of(record_id="mine", lease=build_key())
    assert opened().records(LEARNERS).write([Write(mine, expected)]) == [mine if written else there]
    assert opened().records(LEARNERS).find("cad") == {ANNA: mine if written else there}


@pytest.mark.parametrize("written_to", [False, True])
@pytest.mark.parametrize(("later", "kept"), [(-1, True), (0, False)])
def test_a_record_of_another_type_is_dropped_30_days_after_it_expired(store, clock, later, kept, written_to):
    store.records(LEARNERS).write([Write(learner_of(), None)])
    clock.when = after(3600 + 30 * DAY + later)
    if written_to:
        touch(store)
    assert (ANNA in store.records(LEARNERS).find("cad")) is kept


# No store.


def test_none_stores_nothing():
    store = NoLeaseStore()
    lease, resource = lease_of(), resource_lease_of()
    write(store, lease)
    write(store, lease_of(), expected="whatever")
    assert replace_lease(store, resource, expected="gone") == resource
    assert store.read([lease.key]) == store.find(SCOPE) == store.find(None) == {}
    assert store.records(LEARNERS).write([Write(learner_of(record_id="x"), None)]) == [learner_of(record_id="x")]
    release(store, lease.key)
    store.purge([lease])
    store.close()
