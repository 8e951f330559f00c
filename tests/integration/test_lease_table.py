# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module streaming_lease_table and its playbook: a table is made, adopted, brought up to date or rejected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import LeaseTable, parse_address

from tests.integration.running import Ansible, Run, Task, finish_module
from tests.simulator.control import Simulator

MODULE = "labstream.aws.streaming_lease_table"
PLAYBOOK = "labstream.aws.lease_table"
NAME, REGION = "labstream-leases", "us-east-1"
ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/{NAME}"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:{REGION}:123456789012:key/{KEY_ID}"
SETTINGS = {"billing_mode": "PAY_PER_REQUEST", "deletion_protection": True, "time_to_live": "delete_after"}
CHANGING = ("CreateTable", "UpdateTable", "UpdateTimeToLive", "TagResource")
# A call that fails is not repeated for long.
ONCE = {"retries": {"mode": "standard", "total_max_attempts": 1}}

CallModule = Callable[..., Task]


@pytest.fixture
def call(call_module: CallModule) -> CallModule:
    """``call(name=...)`` calls the module; ``check``, ``diff`` and ``environment`` are those of ``call_module``."""

    def call(*, check: bool = False, environment: dict[str, str] | None = None, **args: Any) -> Task:
        options = {"name": NAME, **args}
        return call_module(options, module=MODULE, check=check, diff=True, environment=environment)

    return call


def make_table(
    simulator: Simulator, *, keys: tuple[str, ...] = ("scope", "holder"), type_: str = "S", **more: Any
) -> Any:
    """A table that nobody has prepared for leases but for its keys; a client of DynamoDB."""
    dynamodb = simulator.client("dynamodb")
    kinds = dict(zip(keys, ("HASH", "RANGE"), strict=False))
    dynamodb.create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": type_} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds.items()],
        **{"BillingMode": "PAY_PER_REQUEST", **more},
    )
    return dynamodb


def changing_calls(simulator: Simulator) -> list[str]:
    return [made["operation"] for made in simulator.calls(service="dynamodb") if made["operation"] in CHANGING]


def reported(task: Task) -> dict[str, Any]:
    """The result without what was asked and what Ansible adds."""
    return {key: value for key, value in task.result.items() if key not in ("invocation", "failed", "msg")}


@pytest.mark.core
def test_a_table_is_predicted_created_and_then_left_alone(simulator: Simulator, call: CallModule) -> None:
    predicted = call(check=True)
    assert changing_calls(simulator) == []
    created = call()
    calls = changing_calls(simulator)
    again, checked = call(), call(check=True)

    assert not created.failed, created.msg
    lease_store = created.result["lease_store"]
    assert reported(created) == {
        "changed": True,
        "name": NAME,
        "lease_store": lease_store,
        "table_arn": ARN,
        "region": REGION,
        "created": True,
        "diff": {"before": {}, "after": SETTINGS},
    }
    assert reported(predicted) == {**reported(created), "table_arn": None}
    unchanged = {**reported(created), "changed": False, "created": False}
    settings = {**SETTINGS, "kms_key_id": None}
    assert reported(again) == reported(checked) == {**unchanged, "diff": {"before": settings, "after": settings}}
    assert changing_calls(simulator) == calls == ["CreateTable", "UpdateTimeToLive"]
    dynamodb = simulator.client("dynamodb")
    table = dynamodb.describe_table(TableName=NAME)["Table"]
    assert table["KeySchema"] == [
        {"AttributeName": "scope", "KeyType": "HASH"},
        {"AttributeName": "holder", "KeyType": "RANGE"},
    ]
    assert {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]} == {
        "scope": "S",
        "holder": "S",
    }
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "SSEDescription" not in table, "the key that AWS owns is the default"
    expiry = dynamodb.describe_time_to_live(TableName=NAME)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "delete_after"}


def test_the_lease_store_of_the_result_leads_to_the_table(simulator: Simulator, call: CallModule) -> None:
    with_endpoint = call(check=True, region="eu-central-1").result["lease_store"]
    by_botocore = call(check=True, region="eu-central-1", environment={"AWS_URL": ""}).result["lease_store"]

    assert parse_address(with_endpoint) == LeaseTable(NAME, "eu-central-1", simulator.endpoint_url)
    assert by_botocore == f"dynamodb://{NAME}?region=eu-central-1"


def test_options_reach_a_new_table(simulator: Simulator, call: CallModule) -> None:
    options = {"kms_key_id": KEY_ARN, "deletion_protection": False, "tags": {"team": "training", "cost-center": 4711}}

    predicted, created, again = call(check=True, **options), call(**options), call(**options)

    dynamodb = simulator.client("dynamodb")
    table = dynamodb.describe_table(TableName=NAME)["Table"]
    assert table["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY_ARN}
    assert table["DeletionProtectionEnabled"] is False
    tags = dynamodb.list_tags_of_resource(ResourceArn=ARN)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "training", "cost-center": "4711"}
    assert created.result["diff"] == predicted.result["diff"]
    assert (created.changed, again.changed, call(**{**options, "kms_key_id": KEY_ID}).changed) == (True, False, False)
    assert changing_calls(simulator) == ["CreateTable", "UpdateTimeToLive"]


def test_an_existing_table_is_adopted_and_what_differs_is_changed(simulator: Simulator, call: CallModule) -> None:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    owner = {"Key": "owner", "Value": "it"}
    make_table(simulator, BillingMode="PROVISIONED", ProvisionedThroughput=throughput, Tags=[owner])
    options = {"tags": {"team": "training"}}

    predicted = call(check=True, **options)
    assert changing_calls(simulator) == ["CreateTable"], "which made the table that is adopted"
    adopted, again = call(**options), call(**options)

    assert (adopted.changed, adopted.result["created"], again.changed) == (True, False, False)
    before = {"billing_mode": "PROVISIONED", "deletion_protection": False, "time_to_live": None, "kms_key_id": None}
    assert adopted.result["diff"] == {
        "before": {**before, "tags": {"owner": "it"}},
        "after": {**SETTINGS, "kms_key_id": None, "tags": {"owner": "it", "team": "training"}},
    }
    assert reported(predicted) == reported(adopted)
    assert changing_calls(simulator)[1:] == ["UpdateTable", "UpdateTable", "UpdateTimeToLive", "TagResource"]


def test_a_setting_that_no_option_names_is_left_alone(simulator: Simulator, call: CallModule) -> None:
    owner = {"Key": "owner", "Value": "it"}
    encryption = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY_ARN}
    make_table(simulator, SSESpecification=encryption, Tags=[owner], DeletionProtectionEnabled=True)

    adopted = call()

    assert adopted.changed
    assert changing_calls(simulator) == ["CreateTable", "UpdateTimeToLive"]
    assert simulator.calls("ListTagsOfResource") == [], "an action that the credentials may lack"


def test_another_key_is_asked_for(simulator: Simulator, call: CallModule) -> None:
    call()

    # Seen by its call alone: the simulator's tables keep the key that they were created with.
    changed = call(kms_key_id=KEY_ID)

    assert changed.changed
    assert changed.result["diff"]["after"]["kms_key_id"] == KEY_ID
    [update] = simulator.calls("UpdateTable")
    assert update["parameters"] == {
        "TableName": NAME,
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY_ID},
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "ab"}, "name is 'ab', but a table's name has 3 to 255 of the characters"),
        ({"name": "a" * 256}, "name is 'aaaa"),
        ({"name": "leases/2026"}, "name is 'leases/2026', but"),
        ({"name": "leases\n"}, "name is 'leases\\n', but"),
        ({"name": ARN}, "name is 'arn:aws:dynamodb:"),
        ({"kms_key_id": "alias/leases"}, "kms_key_id is 'alias/leases', but it must be the id or the ARN of a KMS key"),
        ({"kms_key_id": KEY_ARN.replace("key/", "alias/")}, "kms_key_id is 'arn:aws:kms:"),
        ({"kms_key_id": ""}, "kms_key_id is '', but"),
    ],
)
def test_what_cannot_be_right_is_rejected_before_any_call(
    simulator: Simulator, call: CallModule, args: dict[str, Any], message: str
) -> None:
    task = call(**args)

    assert task.failed
    assert task.msg.startswith(message)
    nothing = {"lease_store": None, "table_arn": None, "region": None, "created": False, "changed": False}
    assert reported(task) == {**nothing, "name": args.get("name", NAME)}
    assert simulator.calls() == []


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("table", "reported_key"),
    [
        ({"keys": ("id",)}, "id (HASH, S)"),
        ({"keys": ("scope",)}, "scope (HASH, S)"),
        ({"keys": ("holder", "scope")}, "holder (HASH, S) and scope (RANGE, S)"),
        ({"type_": "B"}, "scope (HASH, B) and holder (RANGE, B)"),
    ],
)
def test_a_table_with_other_keys_is_rejected(
    simulator: Simulator, call: CallModule, table: dict[str, Any], reported_key: str, check: bool
) -> None:
    make_table(simulator, **table)

    task = call(check=check)

    assert task.failed
    assert task.msg == (
        f"Table {NAME!r} cannot hold leases, since it has the key {reported_key}, and leases need scope (HASH, S) "
        f"and holder "
        "(RANGE, S): name another table."
    )
    assert changing_calls(simulator) == ["CreateTable"]


@pytest.mark.parametrize("check", [True, False])
def test_a_table_whose_items_expire_otherwise_is_rejected(simulator: Simulator, call: CallModule, check: bool) -> None:
    dynamodb = make_table(simulator)
    other = {"Enabled": True, "AttributeName": "ends"}
    dynamodb.update_time_to_live(TableName=NAME, TimeToLiveSpecification=other)

    task = call(check=check)

    assert task.failed
    assert task.msg.startswith(
        f"The items of table {NAME!r} expire by the attribute 'ends', and leases by 'delete_after': name another table"
    )
    assert task.result["table_arn"] == ARN
    assert changing_calls(simulator) == ["CreateTable", "UpdateTimeToLive"]


def test_of_two_runs_at_once_one_creates_and_neither_fails(simulator: Simulator, ansible: Ansible) -> None:
    # Both have seen that there is no table before either creates it.
    simulator.add_fault(operation="CreateTable", latency_seconds=3)

    runs = [ansible.start_module({"name": NAME}, module=MODULE) for _run in range(2)]
    tasks = [finish_module(run) for run in runs]

    assert len(simulator.calls("CreateTable")) == 2, "the runs did not meet"
    assert [task.failed for task in tasks] == [False, False], tasks
    assert sorted(task.result["created"] for task in tasks) == [False, True]
    assert {task.result["table_arn"] for task in tasks} == {ARN}


def test_a_time_to_live_that_is_set_already_is_no_failure(simulator: Simulator, call: CallModule) -> None:
    # The first reply is lost. To the call that repeats it, DynamoDB then says this, as it does beside another run.
    already = {"code": "ValidationException", "message": "TimeToLive is already enabled"}
    simulator.add_fault(operation="UpdateTimeToLive", drop="after", times=1)
    simulator.add_fault(operation="UpdateTimeToLive", error=already)

    task = call()

    assert (task.failed, task.changed) == (False, True), task.result
    assert [made["error_code"] for made in simulator.calls("UpdateTimeToLive")] == [None, "ValidationException"]


def test_another_rejection_to_set_the_time_to_live_is_a_failure(simulator: Simulator, call: CallModule) -> None:
    too_often = {"code": "ValidationException", "message": "Time to live has been modified multiple times"}
    simulator.add_fault(operation="UpdateTimeToLive", error=too_often)

    task = call()

    assert task.failed
    assert task.msg.startswith(f"Failed to set the time to live of the table {NAME!r}: ValidationException")


@pytest.mark.parametrize("operation", ["DescribeTable", "CreateTable", "DescribeTimeToLive", "UpdateTimeToLive"])
def test_a_call_that_fails_is_one_message_that_names_the_table(
    simulator: Simulator, call: CallModule, operation: str
) -> None:
    error = {"code": "LimitExceededException", "message": "Too much at once."}
    simulator.add_fault(service="dynamodb", operation=operation, error=error)

    task = call(aws_config=ONCE)

    assert task.failed
    assert re.fullmatch(rf"Failed to .* table '{NAME}': LimitExceededException.*Too much at once.*\.", task.msg)
    created = operation in ("DescribeTimeToLive", "UpdateTimeToLive")
    assert (task.changed, task.result["created"], task.result["lease_store"]) == (created, created, None)
    simulator.clear_faults()
    assert (call().failed, call().changed) == (False, False), "the next run goes on from there"


def test_what_is_no_response_of_dynamodb_is_one_message(simulator: Simulator, call: CallModule) -> None:
    task = call(endpoint_url=f"{simulator.endpoint_url}/_simulator/calls?", aws_config=ONCE)

    assert task.failed
    assert task.msg.startswith(f"Failed to describe the table {NAME!r}: ")
    assert "Traceback" not in json.dumps(task.result)


# The playbook


@pytest.mark.core
def test_the_playbook_says_what_to_set_and_changes_nothing_the_second_time(
    simulator: Simulator, run_playbook: Callable[..., Run]
) -> None:
    variables = {"lease_table_region": "eu-central-1", "lease_table_deletion_protection": False}

    first = run_playbook(PLAYBOOK, extra_vars=variables)
    second = run_playbook(PLAYBOOK, extra_vars=variables, check=True)

    assert (first.returncode, first.changed) == (0, 1), first.printed
    assert (second.returncode, second.changed) == (0, 0), second.printed
    lease_store = first.task("Ensure the table exists and is up to date").result["lease_store"]
    for run in (first, second):
        assert (
            run.task("Show the value for lease_store, and for the environment variable LABSTREAM_LEASE_STORE").msg
            == lease_store
        )
        assert "WARNING" not in run.printed
    table = simulator.client("dynamodb", "eu-central-1").describe_table(TableName=NAME)["Table"]
    assert table["DeletionProtectionEnabled"] is False
