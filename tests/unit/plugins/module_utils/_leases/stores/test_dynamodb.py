# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is DynamoDB's own: items and calls, lost replies, and everything that can be wrong. See test_lease_store too."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import traceback
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Replace, Write
from botocore.exceptions import EndpointConnectionError

from tests.integration.running import server_that_answers
from tests.unit.plugins.module_utils.dynamodb_services import REGION, DynamoDB
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

SERVICES = ("moto", "dynalite")
SECRET = "correct-horse-battery-staple"
HASH = {"url_sha256": {"S": "0" * 64}}
URL = f"https://streaming.example.org/?secret={SECRET}"

# How messages begin and end.
READING, WRITING = "Failed to read the lease table '{table}': ", "Failed to write to the lease table '{table}': "
DESCRIBING = "Failed to describe the table '{table}': "
RELEASING = "Failed to release a lease in the lease table '{table}': "
PURGING = "Failed to purge a lease from the lease table '{table}': "
DENIED = (
    ": allow this action on the lease table in their IAM policy, or correct the names and the region if they are wrong."
)
LESS = ": switch the table to on-demand billing, or lower concurrency, then run again."
MISSING = (
    ": create it with the playbook labstream.aws.lease_table, or correct its name and region, and check that the "
    "credentials belong to the right account."
)


@pytest.fixture(params=SERVICES)
def service(request):
    """Either DynamoDB, for what does not need the simulator's faults and its log."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def table(simulator, moto):
    """A table in a simulator that knows nothing else."""
    return moto.create_table()


@pytest.fixture
def store(moto, table):
    """The store in that table, whose calls are tried once."""
    with closing(moto.store(table)) as store:
        yield store


@pytest.fixture
def patient(moto, table):
    """The store in that table, whose calls are tried three times."""
    with closing(moto.store(table, moto.new_client(attempts=3))) as store:
        yield store


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were to be made, in seconds; none is made."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


def operations(simulator):
    """The operations of all attempts of calls to tables, but for those that make one."""
    making = ("CreateTable", "DescribeTable")
    return [call["operation"] for call in simulator.calls(service="dynamodb") if call["operation"] not in making]


def recorded(client):
    """The calls that the client makes from now on: operations and parameters."""
    calls = []

    def record(model, params, **_context):
        calls.append((model.name, json.loads(params["body"])))

    client.meta.events.register("before-call.dynamodb", record)
    return calls


def before_attempts(client, operation, *actions):
    """Have something done before each attempt of an operation: the first action before the first, and so on."""
    left = list(actions)

    def act(**_context):
        if left:
            left.pop(0)()

    client.meta.events.register(f"before-send.dynamodb.{operation}", act)


def do_nothing():
    """What is done before an attempt that is left alone."""


# Items.


def test_an_item_holds_all_that_is_known_of_a_lease_and_when_it_may_go(moto, table, store):
    purpose = '{"application_id":"cad"}'
    lease = lease_of(build_key(purpose=purpose), purpose=purpose, lease_id="x", url=URL, validity=60)
    compare_and_set(store, lease)
    issued = int(NOW.timestamp())
    assert moto.items(table) == [
        {
            "scope": {"S": SCOPE},
            "kind": {"S": "lease"},
            "holder": {"S": f"anna {hashlib.sha256(purpose.encode()).hexdigest()}"},
            "purpose": {"S": purpose},
            "purpose_sha256": {"S": hashlib.sha256(purpose.encode()).hexdigest()},
            "lease_id": {"S": "x"},
            "url": {"S": URL},
            "url_sha256": {"S": hashlib.sha256(URL.encode()).hexdigest()},
            "issued": {"N": str(issued)},
            "expires": {"N": str(issued + 3600)},
            "delete_after": {"N": str(issued + 3600 + 30 * DAY)},
            "validity": {"N": "60"},
        }
    ]


@pytest.mark.parametrize(
    ("lease", "names"),
    [
        (lease_of(), {"url", "url_sha256"}),
        (lease_of(url=None, released_at=NOW), {"url_sha256", "released_at"}),
        (pending_lease_of(), {"validity", "client_token"}),
        (resource_lease_of(), {"validity", "client_token", "resource_id"}),
    ],
    ids=["a URL", "released", "pending", "a resource"],
)
def test_an_item_leaves_out_what_there_is_not(service, lease, names):
    table = service.create_table()
    with closing(service.store(table)) as store:
        compare_and_set(store, lease)
    [item] = service.items(table)
    assert item.keys() == {"kind", "scope", "holder", "lease_id", "issued", "expires", "delete_after"} | names


def test_an_item_of_a_released_lease_has_no_url_and_goes_when_it_would_have(service):
    table, clock = service.create_table(), StoreClock()
    with closing(service.store(table, now=clock)) as store:
        compare_and_set(store, lease_of(url=URL))
        clock.when = after(5)
        [before] = service.items(table)
        release(store)
    [item] = service.items(table)
    before.pop("url")
    assert item == {**before, "released_at": {"N": str(int(after(5).timestamp()))}}


def test_what_nobody_has_deleted_in_time_is_not_read_but_can_be_written_over(service):
    """DynamoDB deletes an item up to days after its time to live has ended."""
    # Given a lease that is past its retention.
    table, clock = service.create_table(), StoreClock()
    with closing(service.store(table, now=clock)) as store:
        compare_and_set(store, lease_of())
        assert service.items(table)

        # Then nobody reads it, and another takes its place.
        clock.when = after(3600 + 30 * DAY)
        assert store.read([build_key()]) == store.find(SCOPE) == store.find(None) == {}
        new = lease_of(expires=40 * DAY)
        assert compare_and_set(store, new) == new


@pytest.mark.parametrize("purge", [False, True])
def test_releasing_what_is_not_there_leaves_no_item_behind(service, purge):
    table = service.create_table()
    with closing(service.store(table)) as store:
        (store.purge if purge else store.release)([lease_of(build_key("nobody"))])
    assert service.items(table) == []


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="only keys"),
        pytest.param(
            {**HASH, "lease_id": {"S": "x"}, "issued": {"N": "1"}, "expires": {"N": "1"}, "released_at": {"L": []}},
            id="a list for text",
        ),
    ],
)
def test_an_item_that_is_not_a_lease_is_reported_and_left_alone(moto, table, store, attributes):
    # Given a table in which somebody has put something else.
    item = {"scope": {"S": SCOPE}, "holder": {"S": "anna"}, **attributes}
    moto.client.put_item(TableName=table, Item=item)

    # Then everybody who reads it gets this message.
    text = (
        f"The table '{table}' has an item that is not a lease, with the key '{SCOPE} anna': remove it, or name "
        "another table in lease_store."
    )
    for read in (
        lambda: store.read([build_key()]),
        lambda: store.find(SCOPE),
        lambda: store.find(None),
        lambda: replace_lease(store, resource_lease_of(), expected="old"),
    ):
        with pytest.raises(LeaseStoreError) as rejected:
            read()
        assert str(rejected.value) == text
    assert moto.items(table) == [item]


# Calls.


def test_a_lease_is_written_by_a_call_and_a_thousand_are_read_by_ten(simulator, store):
    # Given leases for some of a thousand seats.
    keys = [build_key(f"learner-{number}") for number in range(1000)]
    leases = [lease_of(key) for key in keys[::5]]
    assert store.write([Write(lease, None) for lease in leases]) == leases
    assert operations(simulator) == ["PutItem"] * 200

    # When those of all seats are read.
    assert store.read(keys) == {lease.key: lease for lease in leases}

    # Then this takes ten calls, which see every write that was made before.
    assert operations(simulator)[200:] == ["BatchGetItem"] * 10
    for call in simulator.calls("BatchGetItem"):
        [request] = call["parameters"]["RequestItems"].values()
        assert len(request["Keys"]) == 100
        assert request["ConsistentRead"] is True


@pytest.mark.parametrize(("keys", "calls"), [(0, 0), (1, 1), (100, 1), (101, 2)])
def test_a_call_reads_a_hundred_leases(simulator, store, keys, calls):
    assert store.read([build_key(f"learner-{number}") for number in range(keys)]) == {}
    assert operations(simulator) == ["BatchGetItem"] * calls


@pytest.mark.parametrize(("scope", "operation"), [(SCOPE, "Query"), (None, "Scan")])
def test_all_pages_of_a_long_list_are_read(service, scope, operation):
    # Given leases of more than the megabyte that one page has.
    client = service.new_client()
    leases = [lease_of(build_key(f"learner-{number}"), url=URL + "x" * 300_000) for number in range(4)]
    with closing(service.store(service.create_table(), client)) as store:
        store.write([Write(lease, None) for lease in leases])
        calls = recorded(client)

        # Then several calls, which see every write that was made before, read them all.
        assert store.find(scope) == {lease.key: lease for lease in leases}
    assert len(calls) > 1
    assert {name for name, _parameters in calls} == {operation}
    assert all(parameters["ConsistentRead"] for _name, parameters in calls)


@pytest.mark.parametrize(("service", "polls"), [("moto", 0), ("dynalite", 1)], indirect=["service"])
@pytest.mark.parametrize("change", [Write, Replace])
def test_who_is_late_learns_of_the_winner_by_the_same_call_or_else_by_a_consistent_read(service, polls, change):
    """dynalite is older than the parameter that asks for the item that is in the way."""
    client, winner = service.new_client(), lease_of()
    with closing(service.store(service.create_table(), client)) as store:
        compare_and_set(store, winner)
        calls = recorded(client)
        assert store.write([change(lease_of(), "old")]) == [winner]
    assert [name for name, _parameters in calls] == ["PutItem"] + ["GetItem"] * polls
    assert all(parameters["ConsistentRead"] for _name, parameters in calls[1:])


def test_a_lease_that_is_purged_while_it_is_read_does_not_hold_up_a_write(dynalite):
    # Given a lease that another run purges after it was in the way, and before it is read.
    table, client = dynalite.create_table(), dynalite.new_client()
    with closing(dynalite.store(table)) as other, closing(dynalite.store(table, client)) as store:
        compare_and_set(other, lease_of())
        before_attempts(client, "GetItem", lambda: other.purge(other.find(SCOPE).values()))

        # Then the write is made after all.
        mine = lease_of()
        assert compare_and_set(store, mine) == mine
        assert other.read([build_key()]) == {build_key(): mine}


def test_a_lease_that_keeps_coming_and_going_ends_the_write(dynalite):
    # Given another run that writes a lease whenever this one is about to, and purges it again.
    table, client = dynalite.create_table(), dynalite.new_client()
    with closing(dynalite.store(table)) as other, closing(dynalite.store(table, client)) as store:
        before_attempts(client, "PutItem", *[lambda: compare_and_set(other, lease_of())] * 10)
        before_attempts(client, "GetItem", *[lambda: other.purge(other.find(SCOPE).values())] * 10)
        calls = recorded(client)

        # Then it gives up after three tries.
        with pytest.raises(LeaseStoreError) as rejected:
            compare_and_set(store, lease_of())
    assert str(rejected.value) == (
        f"Other runs kept writing and purging the record of 'anna' in the table '{table}' while it was being written: "
        "let one run at a time use this lab, then run again."
    )
    assert [name for name, _parameters in calls] == ["PutItem", "GetItem"] * 3


# Replies that are lost: botocore makes the call again.


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("there", [None, lease_of(lease_id="old"), lease_of(expires=-1), lease_of(released_at=NOW)])
def test_a_write_whose_reply_is_lost_is_made_once(simulator, patient, pauses, there, drop):
    if there:
        compare_and_set(patient, there)
    simulator.add_fault(operation="PutItem", drop=drop, times=1)
    mine = lease_of()
    assert compare_and_set(patient, mine, expected="old") == mine
    assert patient.find(None) == {mine.key: mine}
    assert simulator.calls("PutItem")[-2]["faults"] == ["drop"]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_replacement_whose_reply_is_lost_is_made_once(simulator, patient, pauses, drop):
    intent, stream = pending_lease_of(), resource_lease_of()
    compare_and_set(patient, intent)
    simulator.add_fault(operation="PutItem", drop=drop, times=1)
    assert replace_lease(patient, stream, expected=intent.lease_id) == stream
    assert patient.find(None) == {stream.key: stream}


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lease_is_released_though_the_reply_is_lost(simulator, patient, pauses, drop, purge):
    lease = lease_of()
    compare_and_set(patient, lease)
    simulator.add_fault(operation="DeleteItem" if purge else "UpdateItem", drop=drop, times=1)
    assert (patient.purge if purge else patient.release)([lease]) == 1
    released = {} if purge else {lease.key: lease.released(NOW)}
    assert patient.read([lease.key]) == released


@pytest.mark.parametrize("there", [None, lease_of(lease_id="old")])
def test_a_write_that_is_repeated_does_not_revive_what_was_released_meanwhile(
    simulator, moto, table, store, pauses, there
):
    # Given a write whose reply is lost, and another run that has the lease released before it is repeated.
    if there:
        compare_and_set(store, there)
    simulator.add_fault(operation="PutItem", drop="after", times=1)
    mine, client = lease_of(url=URL), moto.new_client(attempts=3)
    before_attempts(client, "PutItem", do_nothing, lambda: release(store, mine.key))

    # When it is repeated.
    with closing(moto.store(table, client)) as writer:
        existing = compare_and_set(writer, mine, expected="old")

    # Then the lease stays released, and the writer gets it.
    assert existing == mine.released(NOW)
    assert store.read([mine.key]) == {mine.key: existing}


def test_a_write_that_is_repeated_does_not_undo_what_another_run_wrote_meanwhile(simulator, moto, table, store, pauses):
    simulator.add_fault(operation="PutItem", drop="after", times=1)
    mine, theirs, client = lease_of(), lease_of(), moto.new_client(attempts=3)
    before_attempts(client, "PutItem", do_nothing, lambda: compare_and_set(store, theirs, expected=mine.lease_id))
    with closing(moto.store(table, client)) as writer:
        assert compare_and_set(writer, mine, expected="old") == theirs
    assert store.read([mine.key]) == {mine.key: theirs}


# What is wrong with a table.


# The operation that makes each kind of change.
CHANGES = {"write": "PutItem", "release": "UpdateItem", "purge": "DeleteItem"}


@pytest.mark.parametrize(("change", "operation"), CHANGES.items())
def test_a_check_of_a_good_table_changes_nothing(service, change, operation):
    table, client = service.create_table(), service.new_client()
    with closing(service.store(table, client)) as store:
        compare_and_set(store, lease_of())
        before, calls = service.items(table), recorded(client)
        store.check(change)
    assert [name for name, _parameters in calls] == ["DescribeTable", operation]
    assert service.items(table) == before


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        pytest.param([("scope", "HASH", "S")], "scope (HASH, S)", id="no sort key"),
        pytest.param([("id", "HASH", "S")], "id (HASH, S)", id="another table"),
        pytest.param(
            [("Scope", "HASH", "S"), ("Holder", "RANGE", "S")], "Scope (HASH, S) and Holder (RANGE, S)", id="case"
        ),
        pytest.param(
            [("scope", "HASH", "N"), ("holder", "RANGE", "S")], "scope (HASH, N) and holder (RANGE, S)", id="N, S"
        ),
        pytest.param(
            [("scope", "HASH", "S"), ("holder", "RANGE", "B")], "scope (HASH, S) and holder (RANGE, B)", id="S, B"
        ),
        pytest.param(
            [("holder", "HASH", "S"), ("scope", "RANGE", "S")], "holder (HASH, S) and scope (RANGE, S)", id="swap"
        ),
    ],
)
def test_a_table_with_other_keys_is_rejected(service, keys, shown):
    table = service.create_table(tuple(keys))
    with closing(service.store(table)) as store, pytest.raises(LeaseStoreError) as rejected:
        store.check()
    assert str(rejected.value) == (
        f"The table '{table}' cannot hold leases because it has the key {shown}, and leases need scope (HASH, S) and "
        "holder (RANGE, S): name another table in lease_store, such as one created by the playbook "
        "labstream.aws.lease_table."
    )


@pytest.mark.parametrize(
    "use",
    [lambda store: store.read([build_key()]), lambda store: store.find(SCOPE)],
    ids=["read", "find"],
)
@pytest.mark.parametrize("may_describe", [True, False])
def test_reading_a_table_with_other_keys_is_reported_with_the_remedy(dynalite, use, may_describe):
    """By dynalite, which compares keys with the table's as DynamoDB does, and words it so."""
    # Given a table with other keys, and somebody who may describe it or not.
    table, client = dynalite.create_table((("id", "HASH", "S"),)), dynalite.new_client()

    def reject(**_context):
        raise EndpointConnectionError(endpoint_url="https://example.org")

    if not may_describe:
        client.meta.events.register("before-call.dynamodb.DescribeTable", reject)

    # When it is read, then the message says as much as is known.
    with closing(dynalite.store(table, client)) as store:
        text = rejected(use, store)
    if may_describe:
        assert text.startswith(f"The table '{table}' cannot hold leases because it has the key id (HASH, S), and ")
        assert text.endswith("such as one created by the playbook labstream.aws.lease_table.")
    else:
        assert text.startswith(f"{READING.format(table=table)}ValidationException: ")
        assert text.endswith(": check that the table was created by the playbook labstream.aws.lease_table.")


# Every call that a store makes: how its message begins, and what makes it.
USES = {
    "DescribeTable": (DESCRIBING, lambda store: store.check()),
    "PutItem": (WRITING, lambda store: compare_and_set(store, lease_of(url=URL))),
    "GetItem": (READING, lambda store: replace_lease(store, lease_of(url=URL), expected="gone")),
    "BatchGetItem": (READING, lambda store: store.read([build_key()])),
    "Query": (READING, lambda store: store.find(SCOPE)),
    "Scan": (READING, lambda store: store.find(None)),
    "UpdateItem": (RELEASING, lambda store: store.release([lease_of()])),
    "DeleteItem": (PURGING, lambda store: store.purge([lease_of()])),
}
every_use = pytest.mark.parametrize(
    ("operation", "begin", "use"), [(name, *use) for name, use in USES.items()], ids=USES
)


def rejected(use, store):
    """The message that the use of a store ends with. Nothing that may be printed of the error holds the URL."""
    with pytest.raises(LeaseStoreError) as caught:
        use(store)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@every_use
def test_a_table_that_is_missing_is_reported(moto, operation, begin, use):
    if operation == "GetItem":
        begin = WRITING  # The call before it.
    with closing(moto.store("nowhere")) as store:
        text = rejected(use, store)
    assert text.startswith(f"{begin.format(table='nowhere')}ResourceNotFoundException (Requested resource not found")
    assert text.endswith(f"){MISSING}")


def test_a_table_that_is_missing_is_reported_by_dynalite_too(dynalite):
    with closing(dynalite.store("nowhere")) as store:
        assert rejected(lambda store: store.check(), store).endswith(f"){MISSING}")


@pytest.fixture
def teacher(simulator, moto, table):
    """``teacher(actions)`` is the store for a user who may do these actions, and no others, on the table."""
    iam, arn = simulator.client("iam"), moto.client.describe_table(TableName=table)["Table"]["TableArn"]
    iam.create_user(UserName="teacher")
    key = iam.create_access_key(UserName="teacher")["AccessKey"]
    client = moto.new_client(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    stores = []

    def allowed(actions):
        simulator.set(enforce_iam=False)
        statement = {"Effect": "Allow", "Action": [f"dynamodb:{action}" for action in actions], "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="teacher", PolicyName="lab", PolicyDocument=policy)
        simulator.set(enforce_iam=True)
        stores.append(moto.store(table, client))
        return stores[-1]

    yield allowed
    for store in stores:
        store.close()


@every_use
def test_an_action_that_is_not_allowed_is_named(teacher, table, operation, begin, use):
    use(teacher(USES))
    text = rejected(use, teacher(USES.keys() - {operation}))
    action = f"dynamodb:{operation}"
    assert text.startswith(f"{begin.format(table=table)}the credentials are not authorized to perform {action} (")
    assert text.endswith(f"){DENIED}")


@pytest.mark.parametrize(("change", "operation"), CHANGES.items())
def test_a_check_finds_that_a_change_is_not_allowed(teacher, table, change, operation):
    text = rejected(lambda store: store.check(change), teacher(USES.keys() - {operation}))
    assert text.startswith(
        f"{USES[operation][0].format(table=table)}the credentials are not authorized to perform dynamodb:{operation} ("
    )
    teacher({"DescribeTable", operation}).check(change)


@pytest.mark.parametrize(("purge", "operation"), [(False, "UpdateItem"), (True, "DeleteItem")])
def test_of_many_leases_those_that_could_be_released_are_counted(simulator, store, purge, operation):
    leases = [lease_of(build_key(f"learner-{number}")) for number in range(60)]
    store.write([Write(lease, None) for lease in leases])
    simulator.add_fault(operation=operation, error={"code": "ThrottlingException"}, times=2)
    with pytest.raises(LeaseStoreError) as failed:
        (store.purge if purge else store.release)(leases)
    left = sum(lease.released_at is None for lease in store.find(SCOPE).values())
    assert 0 < left < 60
    assert failed.value.changed == 60 - left


THROTTLES = ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"]


@pytest.mark.parametrize(
    ("operation", "code"), [*((name, THROTTLES[0]) for name in USES), *(("PutItem", code) for code in THROTTLES[1:])]
)
def test_what_is_throttled_for_a_while_is_tried_again(simulator, patient, pauses, operation, code):
    simulator.add_fault(service="dynamodb", operation=operation, error={"code": code}, times=2)
    USES[operation][1](patient)
    assert [call["error_code"] for call in simulator.calls(operation)].count(code) == 2


@every_use
def test_what_is_throttled_for_good_is_reported(simulator, table, store, operation, begin, use):
    code, message = THROTTLES[0], "The level of provisioned throughput was exceeded."
    simulator.add_fault(service="dynamodb", operation=operation, error={"code": code, "message": message})
    assert rejected(use, store) == f"{begin.format(table=table)}{code} ({message.rstrip('.')}){LESS}"


def test_of_many_changes_only_those_that_are_rejected_fail(simulator, table, store):
    # Given a table that takes some writes and throttles the others.
    simulator.add_fault(service="dynamodb", operation="PutItem", error={"code": "ThrottlingException"}, times=3)
    leases = [lease_of(build_key(f"learner-{number}"), url=URL) for number in range(10)]

    # When all are written at once.
    outcomes = store.write([Write(lease, None) for lease in leases])

    # Then each says how it went, and that is so.
    failed = [outcome for outcome in outcomes if isinstance(outcome, LeaseStoreError)]
    assert len(failed) == 3
    text = f"{WRITING.format(table=table)}ThrottlingException (Fault set by the test){LESS}"
    assert {str(error) for error in failed} == {text}
    written = [lease for lease, outcome in zip(leases, outcomes, strict=True) if outcome == lease]
    assert len(written) == 7
    assert store.find(SCOPE) == {lease.key: lease for lease in written}


@every_use
def test_a_service_that_fails_is_reported(simulator, table, store, operation, begin, use):
    simulator.add_fault(
        service="dynamodb", operation=operation, error={"code": "InternalServerError", "message": "Oh.", "status": 500}
    )
    text = f"{begin.format(table=table)}InternalServerError (Oh): the service failed, so run again later."
    assert rejected(use, store) == text


@every_use
def test_a_connection_that_breaks_off_is_reported(simulator, moto, table, store, operation, begin, use):
    simulator.add_fault(service="dynamodb", operation=operation, drop="after")
    text = rejected(use, store)
    assert text.startswith(f"{begin.format(table=table)}Connection was closed before")
    assert text.endswith(": check the network, and whether region and endpoint_url are correct.")


def test_nobody_at_the_endpoint_is_reported():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        nobody = DynamoDB(f"http://127.0.0.1:{server.server_port}")
    with closing(nobody.store("leases")) as store:
        for operation, (begin, use) in USES.items():
            first = (WRITING if operation == "GetItem" else begin).format(table="leases")
            assert rejected(use, store) == (
                f'{first}Could not connect to the endpoint URL: "{nobody.endpoint_url}/": check the network, and '
                "whether region and endpoint_url are correct."
            )


def test_a_lease_that_is_too_large_for_an_item_is_reported_without_its_url(service):
    table = service.create_table()
    with closing(service.store(table)) as store:
        small = lease_of(build_key("ben"))
        [error, existing] = store.write([Write(lease_of(url=URL + "x" * 500_000), None), Write(small, None)])
    assert existing == small
    assert SECRET not in "".join(traceback.format_exception(error)) + repr(error)
    assert str(error) == (
        f"{WRITING.format(table=table)}ValidationException: Item size has exceeded the maximum allowed size."
    )


def test_the_lease_that_is_in_the_way_is_in_no_error(moto, table, store):
    """A reply that rejects a write holds the item; what cannot be read of it is reported without its URL."""
    compare_and_set(store, lease_of(url=URL))
    key = {"scope": {"S": SCOPE}, "holder": {"S": "anna"}}
    moto.client.update_item(TableName=table, Key=key, UpdateExpression="REMOVE issued")
    text = rejected(lambda store: compare_and_set(store, lease_of()), store)
    assert text.startswith(f"The table '{table}' has an item that is not a lease, with the key '{SCOPE} anna'")


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (b'{"welcome": "to another service"}', lambda store: store.read([build_key()])),
        (b'{"Responses": {"leases": [null]}}', lambda store: store.read([build_key()])),
        (b'{"welcome": "to another service"}', lambda store: store.find(SCOPE)),
        (b'{"Items": null}', lambda store: store.find(None)),
    ],
)
def test_a_reply_that_is_none_of_dynamodbs_is_reported(moto, table, reply, read):
    with server_that_answers(lambda path: reply) as address:
        store = DynamoDB(address).store(table)
        with closing(store), pytest.raises(LeaseStoreError) as shown:
            read(store)
    assert str(shown.value) == READING.format(table=table) + (
        "the response could not be parsed: check that endpoint_url points to a server that implements this API."
    )


# A service that is busy, and leaves some of a batch unprocessed.


@pytest.fixture
def busy(moto):
    """A DynamoDB that does only so much of each batch as ``busy.does`` says; the last number counts for ever.

    ``busy.asked`` says how much it was asked, ``busy.reads`` how it was to read. The work is done by moto.
    """
    shown = SimpleNamespace(does=[0], asked=[], reads=[])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            many = shown.does.pop(0) if len(shown.does) > 1 else shown.does[0]
            [(table, request)] = body["RequestItems"].items()
            keys, consistent = request["Keys"], request.get("ConsistentRead")
            shown.asked.append(len(keys))
            shown.reads.append(consistent)
            found = moto.client.batch_get_item(RequestItems={table: {"Keys": keys[:many]}})["Responses"] if many else {}
            left = {"Keys": keys[many:], "ConsistentRead": consistent}
            reply = {"Responses": found, "UnprocessedKeys": {table: left} if left["Keys"] else {}}
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown.service = DynamoDB(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield shown
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def busy_store(busy, table):
    """The store in the table, by way of the service that is busy; with calls that are tried four times."""
    with closing(busy.service.store(table, busy.service.new_client(attempts=4))) as store:
        yield store


@pytest.mark.parametrize(
    ("does", "asked", "waited"),
    [
        ([5], [5], []),
        ([2], [5, 3, 1], [0.25, 0.5]),
        ([4, 1], [5, 1], [0.25]),
        ([0, 0, 0, 5], [5, 5, 5, 5], [0.25, 0.5, 1.0]),
    ],
)
def test_what_is_left_unprocessed_is_asked_for_again(store, busy, busy_store, pauses, does, asked, waited):
    # Given leases, and a service that does not do all at once.
    leases = [lease_of(build_key(f"learner-{number}")) for number in range(5)]
    store.write([Write(lease, None) for lease in leases])
    keys, busy.does = [lease.key for lease in leases], list(does)

    # When they are read.
    assert busy_store.read(keys) == {lease.key: lease for lease in leases}

    # Then it is asked again for what it has left, after ever longer pauses, and for consistent reads every time.
    assert busy.asked == asked
    assert [pause for pause in pauses if pause] == waited
    assert all(busy.reads)


@pytest.mark.parametrize("does", [[0], [1, 1, 1, 1]])
def test_a_service_that_stays_busy_is_reported(table, busy, busy_store, pauses, does):
    keys, busy.does = [build_key(f"learner-{number}") for number in range(5)], list(does)
    with pytest.raises(LeaseStoreError) as shown:
        busy_store.read(keys)
    assert str(shown.value) == (
        f"DynamoDB is too busy with the lease table '{table}': use on-demand billing for the table, or run again later."
    )
    assert len(busy.asked) == 4


# A table by its ARN.


def test_a_table_may_be_named_by_its_arn(simulator, moto, table):
    arn = f"arn:aws:dynamodb:{REGION}:123456789012:table/{table}"
    lease = lease_of()
    with closing(moto.store(arn)) as by_arn, closing(moto.store(table)) as by_name:
        by_arn.check()
        compare_and_set(by_arn, lease)
        assert by_arn.find(SCOPE) == by_name.find(SCOPE) == {lease.key: lease}
        assert by_arn.find(None) == {lease.key: lease}
        assert by_arn.read([lease.key]) == {lease.key: lease}
        by_arn.purge([lease])
        assert by_name.find(None) == {}
