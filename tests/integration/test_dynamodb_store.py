# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules with their leases in a DynamoDB table: shared, rejected, throttled, cut off, elsewhere, shown to nobody.

``test_stress.py`` has concurrent runs, runs that are killed, and runs with faults.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import TABLE, LeaseTable
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    Ansible,
    Task,
)
from tests.simulator.control import Simulator

ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600}
ANNA = {**ARGS, "user_id": "anna"}
SEATS = {"studio_id": STUDIO, "session_ids": ["seat-01", "seat-02"], "wait": False}
REGION, ACCOUNT, OTHER_ACCOUNT = "us-east-1", "123456789012", "222222222222"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/lease-keeper"
HANDOUT = "labstream.aws.streaming_handout"
PRE_CHECK = {"DescribeStacks": 1, "DescribeFleets": 1, "ListAssociatedFleets": 1}
TWO_TRIES = {"retries": {"mode": "standard", "total_max_attempts": 2}}

# The ways to ask for a user, and whether in check mode.
OTHER_CASE: list[tuple[dict[str, Any], bool]] = [({}, False), ({}, True), ({"state": "absent"}, False)]

CallModule = Callable[..., Task]
Users = Callable[[int], list[dict[str, Any]]]
MakeUnusable = Callable[[LeaseTable, Simulator], None]


@pytest.fixture
def call(call_module: CallModule, lease_table: str) -> CallModule:
    """``call_module`` with the leases in the table."""

    def call(args: dict[str, Any], **options: Any) -> Task:
        return call_module({"lease_store": lease_table, **args}, **options)

    return call


@pytest.fixture
def elsewhere(tmp_path: Path, simulator: Simulator) -> Ansible:
    """Ansible in another fresh home, as the next job or pipeline has it."""
    home = tmp_path / "elsewhere" / "home"
    home.mkdir(parents=True)
    return Ansible(home, simulator.environment())


def urls_by_user(task: Task) -> dict[str, str | None]:
    return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}


def codes_by_user(task: Task) -> dict[str, str]:
    return {failure["user_id"]: failure["code"] for failure in task.result["failures"]}


def stream_ids(task: Task) -> list[str]:
    return [entry["stream_id"] for entry in task.result["streams"]]


def calls_since(simulator: Simulator, before: int) -> Counter[str]:
    return Counter(call["operation"] for call in simulator.calls()[before:])


def max_lost(concurrency: int) -> int:
    """So many URLs may be issued and not remembered: those of the calls that are made or wait for a thread."""
    return 2 * concurrency


# One memory for all


def test_a_user_id_in_another_case_issues_nothing_and_reusing_reads_no_scope(lab: Simulator, call: CallModule) -> None:
    before = len(lab.calls())
    call(ANNA)
    assert calls_since(lab, before)["Query"] == 1
    before = len(lab.calls())
    assert not call(ANNA).changed
    rejected = [call({**ANNA, "user_id": "Anna", **more}, check=check) for more, check in OTHER_CASE]

    assert calls_since(lab, before)["CreateStreamingURL"] == 0
    # Whoever releases also reads which labs use the leases.
    assert calls_since(lab, before)["Query"] == len(OTHER_CASE) + 1
    for task in rejected:
        assert task.failed
        assert "'Anna' is stored as 'anna'" in task.msg


@pytest.mark.core
def test_a_lab_is_served_from_the_table_in_another_home(
    lab: Simulator, call: CallModule, elsewhere: Ansible, table: LeaseTable, home: Path, users: Users
) -> None:
    lab_of_30 = {**ARGS, "users": users(30), "lab": "monday"}
    first = call(lab_of_30)
    before = len(lab.calls())

    second = elsewhere.call_module({**lab_of_30, "lease_store": table.url})

    assert (first.changed, second.changed) == (True, False)
    assert calls_since(lab, before) == {**PRE_CHECK, "Query": 1, "BatchGetItem": 1}
    assert table.urls() == urls_by_user(first) == urls_by_user(second)
    assert len(set(second.urls)) == 30
    assert second.result["summary"]["reused"] == 30
    assert not (home / ".ansible/labstream").exists()
    assert {lease["validity"] for lease in table.leases()} == {3600}


def test_calls_to_the_table_say_who_makes_them(lab: Simulator, call: CallModule) -> None:
    before = len(lab.calls())
    call(ANNA)

    calls = lab.calls()[before:]
    assert {call["service"] for call in calls} == {"appstream", "dynamodb"}
    assert all("labstream.aws/" in call["user_agent"] for call in calls)


def test_check_mode_predicts_and_leaves_the_table_as_it_is(
    lab: Simulator, call: CallModule, table: LeaseTable, users: Users
) -> None:
    call({**ARGS, "users": users(3)})
    items, issued = table.items(), lab.streaming_urls()

    predicted = call({**ARGS, "users": users(5)}, check=True)
    renewed = call({**ARGS, "users": users(3), "force": True}, check=True)
    removed, purged = (
        call({**ARGS, "users": users(3), "state": "absent", "purge": purge}, check=True) for purge in (False, True)
    )

    assert (table.items(), lab.streaming_urls()) == (items, issued)
    tasks = (predicted, renewed, removed, purged)
    assert [task.changed for task in tasks] == [True] * 4
    assert predicted.urls == [*table.urls().values(), None, None]
    assert [task.result["summary"]["issued"] for task in tasks] == [2, 3, 0, 0]
    assert [task.result["summary"]["released"] for task in tasks] == [0, 0, 3, 3]
    done = call({**ARGS, "users": users(5)})
    unknown = {"earliest_expiry": None}
    assert done.result["summary"] | unknown == predicted.result["summary"] | unknown


# Releasing


@pytest.mark.parametrize("released", [0, 1])
def test_a_release_that_breaks_off_says_how_much_of_it_was_done(
    lab: Simulator, call: CallModule, table: LeaseTable, users: Users, released: int
) -> None:
    # Given three leases, and a table that denies releasing once so many were released, which the check does not see.
    call({**ARGS, "users": users(3)})
    error = {"code": "AccessDeniedException", "message": "User: teacher is not authorized."}
    lab.add_fault(operation="UpdateItem", error=error, skip=1 + released, times=3 - released)

    failed = call({**ARGS, "users": users(3), "state": "absent", "concurrency": 1})

    assert failed.failed
    assert failed.msg.endswith(f" {released} of 3 leases were released.")
    assert (failed.changed, failed.result["summary"]["released"]) == (released > 0, released)
    assert len(table.urls()) == 3 - released


def test_an_end_that_may_not_purge_changes_no_page_in_either_mode(
    lab: Simulator, call: CallModule, home: Path, users: Users
) -> None:
    # Given pages of a lab, and a table that denies removing their names.
    seats = call({**ARGS, "users": users(3)}).result["streaming_urls"]
    handout = {"lab": "cad", "pages_dir": str(home / "pages")}
    assert not call({**handout, "seats": seats}, module=HANDOUT).failed
    pages = {page: page.read_bytes() for page in (home / "pages").iterdir()}
    error = {"code": "AccessDeniedException", "message": "User: teacher is not authorized."}
    lab.add_fault(operation="DeleteItem", error=error, times=2)
    end = {**handout, "state": "absent", "purge": True}

    for check in (True, False):
        denied = call(end, module=HANDOUT, check=check)

        assert (denied.failed, denied.changed) == (True, False)
        assert "the credentials are not authorized to perform dynamodb:DeleteItem (" in denied.msg
        assert {page: page.read_bytes() for page in (home / "pages").iterdir()} == pages

    assert call(end, module=HANDOUT).changed


# The other modules


def test_streams_are_remembered_in_the_table_without_their_urls(
    studio: Simulator, call: CallModule, elsewhere: Ansible, table: LeaseTable
) -> None:
    first = call({**SEATS, "wait": True}, module=STREAM_MODULE)
    second = elsewhere.call_module({**SEATS, "wait": True, "lease_store": table.url}, module=STREAM_MODULE)

    assert (first.changed, second.changed) == (True, False)
    assert stream_ids(second) == stream_ids(first)
    assert len(studio.streams()) == 2
    assert [item["resource_id"]["S"] for item in table.items()] == stream_ids(first)
    assert not any(url in json.dumps(table.items()) for url in studio.streaming_urls())


def test_a_run_that_could_not_remember_its_streams_leaves_them_to_the_next(
    studio: Simulator, call: CallModule, table: LeaseTable
) -> None:
    # The check of the store and the two intents are written, and nothing after them.
    studio.add_fault(service="dynamodb", operation="PutItem", throttle={"rate": 0.001, "burst": 3})
    failed = call({**SEATS, "aws_config": TWO_TRIES}, module=STREAM_MODULE)
    assert [failure["code"] for failure in failed.result["failures"]] == ["LeaseStoreError"] * 2
    studio.clear_faults()

    again = call(SEATS, module=STREAM_MODULE)

    assert not again.failed, again.msg
    assert len(studio.streams()) == 2
    assert [item["resource_id"]["S"] for item in table.items()] == stream_ids(again)


def test_stream_urls_are_remembered_in_the_table_until_the_last_of_two_labs_ends(
    simulator: Simulator, call: CallModule, elsewhere: Ansible, table: LeaseTable
) -> None:
    simulator.seed_stream_group(STREAM_GROUP)
    args = {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"], "learners": ["a", "b"]}
    call_elsewhere = partial(elsewhere.call_module, module=STREAM_URL_MODULE)

    first = call({**args, "lab": "monday"}, module=STREAM_URL_MODULE)
    second = call_elsewhere({**args, "lab": "tuesday", "lease_store": table.url})
    ids = sorted(each["stream_url_id"] for each in first.result["stream_urls"])
    of_leases = [item["resource_id"]["S"] for item in table.items() if "resource_id" in item]

    assert sorted(each["stream_url_id"] for each in second.result["stream_urls"]) == sorted(of_leases) == ids
    assert (first.result["summary"]["issued"], second.result["summary"]["issued"]) == (2, 0)
    assert not any(url in json.dumps(table.items()) for url in simulator.streaming_urls())
    ends = [
        call({"stream_group": STREAM_GROUP, "lab": lab, "state": "absent"}, module=STREAM_URL_MODULE)
        for lab in ("monday", "tuesday")
    ]
    assert [end.result["revoked"] for end in ends] == [[], ids]
    again = call(args, module=STREAM_URL_MODULE)
    assert (again.result["summary"]["issued"], again.result["revoked"]) == (2, [])


def test_a_table_that_fails_while_urls_are_revoked_does_not_lose_which_were(
    simulator: Simulator, call: CallModule, table: LeaseTable
) -> None:
    simulator.seed_stream_group(STREAM_GROUP)
    args = {"stream_group": STREAM_GROUP, "lab": "monday"}
    learners = {"application": "a-lab", "locations": ["us-east-1"], "learners": ["a", "b"]}
    started = call({**args, **learners}, module=STREAM_URL_MODULE)
    # The store is checked, and nothing is deleted after that.
    simulator.add_fault(service="dynamodb", operation="DeleteItem", throttle={"rate": 0.001, "burst": 1})

    failed = call({**args, "state": "absent", "purge": True, "aws_config": TWO_TRIES}, module=STREAM_URL_MODULE)

    ids = sorted(each["stream_url_id"] for each in started.result["stream_urls"])
    assert (failed.failed, failed.changed, failed.result["revoked"]) == (True, True, ids), failed.msg


# A table that cannot be used


def no_table(table: LeaseTable, simulator: Simulator) -> None:
    table.client.delete_table(TableName=TABLE)


def denied(table: LeaseTable, simulator: Simulator) -> None:
    error = {"code": "AccessDeniedException", "message": "User: teacher is not authorized."}
    simulator.add_fault(operation="PutItem", error=error)


def has_keys(*names: str) -> MakeUnusable:
    def make(table: LeaseTable, simulator: Simulator) -> None:
        no_table(table, simulator)
        table.client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )

    return make


MISSING = (no_table, ("ResourceNotFoundException", "labstream.aws.lease_table"))
DENIED = (denied, ("the credentials are not authorized to perform dynamodb:PutItem", "User: teacher is not authorized"))
UNUSABLE = {
    "no table": (MODULE, ANNA, *MISSING),
    "denied for streams": (STREAM_MODULE, SEATS, *DENIED),
    "another table": (MODULE, ANNA, has_keys("id"), ("id (HASH, S)", "scope (HASH, S) and holder (RANGE, S)")),
}


@pytest.mark.parametrize(("module", "args", "make_unusable", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_table_that_cannot_be_used_is_rejected_before_anything_is_issued(
    lab: Simulator,
    studio: Simulator,
    call: CallModule,
    table: LeaseTable,
    module: str,
    args: dict[str, Any],
    make_unusable: MakeUnusable,
    says: tuple[str, ...],
) -> None:
    make_unusable(table, lab)

    done, predicted = (
        call({**args, "aws_config": TWO_TRIES}, module=module, check=check, verbosity=3) for check in (False, True)
    )

    assert done.failed
    for words in (TABLE, *says):
        assert words in done.msg
    assert "\n" not in done.msg
    assert "Traceback" not in str(done.result)
    assert predicted.msg == done.msg
    assert (done.changed, done.result["failures"]) == (False, [])
    assert lab.calls("CreateStreamingURL") == lab.calls("CreateStreamingSessionStream") == []


@pytest.mark.parametrize(
    ("module", "args"),
    [
        ("labstream.aws.streaming_rotation", {"lab": "monday", "rotate": ["anna"]}),
        (
            "labstream.aws.streaming_handout",
            {"lab": "monday", "pages_dir": "pages", "seats": [{"id": "anna"}], "allow_missing": True},
        ),
    ],
    ids=["rotation", "pages"],
)
def test_what_else_writes_records_is_rejected_too_and_in_check_mode(
    lab: Simulator, call: CallModule, table: LeaseTable, home: Path, module: str, args: dict[str, Any]
) -> None:
    denied(table, lab)

    tasks = [call(args, module=module, check=check, verbosity=3) for check in (False, True)]

    for task in tasks:
        assert task.failed
        for words in (TABLE, *DENIED[1]):
            assert words in task.msg
    assert tasks[0].msg == tasks[1].msg
    assert table.leases() == []
    assert not (home / "pages").exists()


# Throttled and cut off in mid-run


def test_of_a_table_that_is_throttled_for_good_those_who_could_not_be_remembered_are_named(
    lab: Simulator, call: CallModule, table: LeaseTable, users: Users
) -> None:
    lab_of_20 = {**ARGS, "users": users(20), "concurrency": 2, "aws_config": TWO_TRIES}
    # The check of the store and six leases are written, and nothing after them.
    lab.add_fault(service="dynamodb", operation="PutItem", throttle={"rate": 0.001, "burst": 7})

    failed = call(lab_of_20, verbosity=3)

    remembered = table.urls()
    assert len(remembered) == 6
    assert failed.failed
    assert "14 of 20 got no streaming URL" in failed.msg
    assert TABLE in failed.msg
    assert "\n" not in failed.msg
    assert codes_by_user(failed) == {
        user["user_id"]: "LeaseStoreError" for user in users(20) if user["user_id"] not in remembered
    }
    assert failed.changed
    assert failed.urls == [None] * 20
    assert not any(url in json.dumps(failed.result) for url in lab.streaming_urls())
    issued = len(lab.streaming_urls())
    assert 6 < issued <= 6 + max_lost(concurrency=2)

    lab.clear_faults()
    again = call(lab_of_20)

    assert not again.failed, again.msg
    assert remembered.items() <= urls_by_user(again).items()
    assert table.urls() == urls_by_user(again)
    assert again.result["summary"]["reused"] == 6
    assert len(lab.streaming_urls()) == issued + 14


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_off_for_good_costs_nobody_two_urls(
    lab: Simulator, call: CallModule, table: LeaseTable, users: Users, when: str
) -> None:
    lab_of_6 = {**ARGS, "users": users(6), "aws_config": TWO_TRIES}
    [first] = call({**ARGS, "user_id": "learner-001"}).urls
    # Every write, but not the check of the store.
    lab.add_fault(operation="PutItem", parameters={"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}, drop=when)

    failed = call(lab_of_6)

    assert failed.failed
    assert set(codes_by_user(failed).values()) == {"LeaseStoreError"}
    lab.clear_faults()
    again = call(lab_of_6)
    assert not again.failed, again.msg
    assert urls_by_user(again)["learner-001"] == first
    assert table.urls() == urls_by_user(again)
    # Work that was done, though its reply was lost, is found and reused.
    assert again.result["summary"]["reused"] == (6 if when == "after" else 1)


# Where the table is


def test_the_endpoint_of_the_module_is_not_asked_for_the_table(lab: Simulator, call_module: CallModule) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "", "AWS_URL": ""}
    with Simulator.start() as other:
        table = LeaseTable.create(other)
        before = len(lab.calls())
        args = {
            **ANNA,
            "endpoint_url": lab.endpoint_url,
            "lease_store": f"{table.url}?endpoint_url={other.endpoint_url}",
        }
        by_environment = {**args, "lease_store": table.url}

        first = call_module(args, environment=nowhere)
        second = call_module(by_environment, environment={**nowhere, "AWS_ENDPOINT_URL_DYNAMODB": other.endpoint_url})

        assert [task.result.get("msg") for task in (first, second)] == [None] * 2
        assert (first.changed, second.changed) == (True, False)
        assert table.urls() == urls_by_user(first)
        assert {call["service"] for call in lab.calls()[before:]} == {"appstream"}
        assert {call["service"] for call in other.calls()} == {"dynamodb"}


class Accounts:
    """Keys of two accounts, and an AWS config file whose profile "keeper" takes on a role in the other one."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        here = simulator.environment()
        role = simulator.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
        # As modules and as boto3 name them.
        self.here = {"access_key": here["AWS_ACCESS_KEY_ID"], "secret_key": here["AWS_SECRET_ACCESS_KEY"]}
        self.other = {
            "access_key": role["AccessKeyId"],
            "secret_key": role["SecretAccessKey"],
            "session_token": role["SessionToken"],
        }
        self.other_in_boto3 = {
            "aws_access_key_id": role["AccessKeyId"],
            "aws_secret_access_key": role["SecretAccessKey"],
            "aws_session_token": role["SessionToken"],
        }
        config = folder / "aws-config"
        config.write_text(
            f"[profile teacher]\naws_access_key_id = {here['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {here['AWS_SECRET_ACCESS_KEY']}\n"
            f"[profile keeper]\nrole_arn = {ROLE}\nsource_profile = teacher\n"
        )
        self.environment = {"AWS_CONFIG_FILE": str(config)}
        self.only_profiles = {**self.environment, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.fixture
def accounts(simulator: Simulator, home: Path) -> Accounts:
    return Accounts(simulator, home)


def test_a_table_in_another_account_is_reached_by_its_arn_and_a_profile(
    lab: Simulator, call_module: CallModule, accounts: Accounts
) -> None:
    table = LeaseTable.create(lab, "eu-west-1", **accounts.other_in_boto3)
    store = f"dynamodb://arn:aws:dynamodb:eu-west-1:{OTHER_ACCOUNT}:table/{TABLE}?profile=keeper"
    before = len(lab.calls())

    tasks = [
        call_module({**ANNA, "lease_store": store}, environment=accounts.environment),
        # Keys and a profile of the task's own are for AppStream alone.
        call_module({**ANNA, "lease_store": store, "profile": "teacher"}, environment=accounts.only_profiles),
        call_module({**ANNA, "lease_store": store, **accounts.here}, environment=accounts.only_profiles),
    ]

    assert [task.result.get("msg") for task in tasks] == [None] * 3
    assert [task.changed for task in tasks] == [True, False, False]
    assert table.urls() == urls_by_user(tasks[0])
    made = {
        (call["service"], call["account"], call["region"]) for call in lab.calls()[before:] if call["service"] != "sts"
    }
    assert made == {("appstream", ACCOUNT, REGION), ("dynamodb", OTHER_ACCOUNT, "eu-west-1")}


def test_regions_and_accounts_share_a_table_and_no_lease(
    lab: Simulator, call_module: CallModule, accounts: Accounts, table: LeaseTable
) -> None:
    lab.seed_lab(STACK, FLEET, region="eu-west-1")
    appstream = lab.client("appstream", **accounts.other_in_boto3)
    appstream.create_stack(Name=STACK)
    appstream.create_fleet(Name=FLEET, InstanceType="x", ImageName="lab-image", ComputeCapacity={"DesiredInstances": 1})
    appstream.associate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.start_fleet(Name=FLEET)
    args = {**ANNA, "lease_store": f"{table.url}?region={REGION}&profile=teacher"}
    targets = ({}, {"region": "eu-west-1"}, accounts.other)

    first, second = (
        [call_module({**args, **target}, environment=accounts.environment) for target in targets] for _run in range(2)
    )

    assert [task.result.get("msg") for task in first] == [None] * 3
    assert len({task.result["scope"] for task in first}) == len({task.urls[0] for task in first}) == 3
    assert [(task.urls, task.changed) for task in second] == [(task.urls, False) for task in first]
    # By their scopes, the leases are where they belong.
    assert {lease["scope"]: [lease["url"]] for lease in table.leases()} == {
        task.result["scope"]: task.urls for task in first
    }
    removed = call_module({**args, "state": "absent", "purge": True}, environment=accounts.environment)
    assert removed.result["summary"]["released"] == 1
    assert len(table.items()) == 2


# Secrets


def test_no_url_is_in_what_a_run_returns_or_leaves(
    lab: Simulator, ansible: Ansible, call: CallModule, users: Users
) -> None:
    lab_of_4 = {**ARGS, "users": users(4), "return_urls": False, "aws_config": TWO_TRIES}
    # The second run can check the store and write one lease, but no more.
    lab.add_fault(service="dynamodb", operation="PutItem", throttle={"rate": 0.001, "burst": (1 + 4) + (1 + 1)})

    issued = call(lab_of_4, diff=True, verbosity=3)
    failed = call({**lab_of_4, "force": True, "return_urls": True}, diff=True, verbosity=3)

    assert [(task.failed, task.changed) for task in (issued, failed)] == [(False, True), (True, True)]
    assert len(codes_by_user(failed)) == 3
    secrets = [part for url in lab.streaming_urls() for part in (url, url.partition("parameters=")[2])]
    assert len(secrets) > 2 * 4
    returned = json.dumps([issued.result, failed.result])
    assert "learner-004" in returned
    assert [secret for secret in secrets if secret in returned] == []
    left = [path for path in ansible.home.parent.rglob("*") if path.is_file()]
    assert left
    assert [path for path in left if any(secret.encode() in path.read_bytes() for secret in secrets)] == []
