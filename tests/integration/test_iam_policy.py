# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM policies in the guide "Authentication" are enough, and nothing of them can be left out."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_model import SERVICE_DESCRIPTION

from tests.documentation import AUTHENTICATION, find_code
from tests.integration.lease_stores import TABLE, LeaseTable
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    Task,
)
from tests.simulator.control import Simulator

REGION, ACCOUNT = "eu-central-1", "123456789012"
ANNA = {"stack_name": STACK, "fleet_name": FLEET, "user_id": "anna", "region": REGION, "validity": 3600}
SEAT = {"studio_id": STUDIO, "session_id": "seat-01", "region": REGION}
LEARNER = {
    "stream_group": STREAM_GROUP,
    "application": "a-lab",
    "locations": [REGION],
    "learner": "anna",
    "region": REGION,
}
ELASTIC_MEMBERS = {
    "InstanceType": "stream.standard.medium",
    "FleetType": "ELASTIC",
    "MaxConcurrentSessions": 2,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
}
NAMES = {
    "stack": STACK,
    "fleet": FLEET,
    "studio": STUDIO,
    "streamgroup": STREAM_GROUP,
    "application": "a-lab",
    "table": TABLE,
}

Policy = dict[str, Any]


def policy_of_the_guide(action: str) -> Policy:
    """The policy with this action, for the resources of these tests, as its reader would adapt it."""
    policies = [block for block in find_code(AUTHENTICATION, "json") if f'"{action}"' in block]
    assert len(policies) == 1, f"the guide has {len(policies)} policies with {action}"
    return json.loads(
        re.sub(
            r"arn:aws:(\w+):[^:]+:[^:]+:(stack|fleet|studio|streaming-session|streamgroup|application|table)/([^\"]+)",
            lambda arn: f"arn:aws:{arn[1]}:{REGION}:{ACCOUNT}:{arn[2]}/{NAMES.get(arn[2], arn[3])}",
            policies[0],
        )
    )


def actions_of(policy: Policy) -> list[str]:
    return [action for statement in policy["Statement"] for action in statement["Action"]]


def without(policy: Policy, action: str) -> Policy:
    policy = copy.deepcopy(policy)
    for statement in policy["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


@pytest.fixture
def call_as(simulator: Simulator, call_module: Callable[..., Task]) -> Callable[..., Task]:
    """``call_as(policy, args)`` calls a module as a user who has that policy and no other."""
    simulator.seed_lab(STACK, FLEET, region=REGION)
    simulator.seed_studio(STUDIO, ["seat-01"], region=REGION)
    simulator.seed_stream_group(STREAM_GROUP, ["a-lab"], [REGION], region=REGION)
    iam = simulator.client("iam")
    iam.create_user(UserName="teacher")
    key = iam.create_access_key(UserName="teacher")["AccessKey"]
    teacher = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def call(policy: Policy, args: dict[str, Any], **options: Any) -> Task:
        iam.put_user_policy(UserName="teacher", PolicyName="lab", PolicyDocument=json.dumps(policy))
        simulator.set(enforce_iam=True)
        try:
            return call_module(args, environment=teacher, **options)
        finally:
            simulator.set(enforce_iam=False)

    return call


APPSTREAM, NIMBLE = policy_of_the_guide("appstream:CreateStreamingURL"), policy_of_the_guide("nimble:GetStudio")
GAMELIFT = policy_of_the_guide("gameliftstreams:CreateStreamUrl")
LEASES = policy_of_the_guide("dynamodb:PutItem")
BOTH = {**APPSTREAM, "Statement": APPSTREAM["Statement"] + LEASES["Statement"]}


@pytest.mark.parametrize(
    ("policy", "module", "args"),
    [(APPSTREAM, MODULE, ANNA), (NIMBLE, STREAM_MODULE, SEAT), (GAMELIFT, STREAM_URL_MODULE, LEARNER)],
    ids=["appstream", "nimble", "gamelift"],
)
def test_the_policy_is_enough_to_predict_to_give_to_reuse_and_to_release(
    call_as: Callable[..., Task], policy: Policy, module: str, args: dict[str, Any]
) -> None:
    predicted = call_as(policy, args, module=module, check=True)
    given = call_as(policy, args, module=module)
    reused = call_as(policy, args, module=module)
    released = call_as(policy, {**args, "state": "absent"}, module=module)

    tasks = (predicted, given, reused, released)
    assert [task.result.get("msg") for task in tasks] == [None] * 4
    assert [task.result["summary"]["issued"] for task in tasks] == [1, 1, 0, 0]
    assert released.result["summary"]["released"] == 1


def test_the_policy_is_enough_when_stack_and_fleet_are_gone(simulator: Simulator, call_as: Callable[..., Task]) -> None:
    call_as(APPSTREAM, ANNA)
    appstream = simulator.client("appstream", REGION)
    appstream.stop_fleet(Name=FLEET)
    appstream.disassociate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.delete_fleet(Name=FLEET)
    appstream.delete_stack(Name=STACK)

    released = call_as(APPSTREAM, {**ANNA, "state": "absent"})

    assert (released.failed, released.result["summary"]["released"]) == (False, 1), released.result.get("msg")


# What only looks up applications.
LOOKUPS = (
    "appstream:DescribeImages",
    "appstream:DescribeApplicationFleetAssociations",
    "appstream:DescribeApplications",
)
ISSUING = [action for action in actions_of(APPSTREAM) if action not in LOOKUPS]


@pytest.mark.core
@pytest.mark.parametrize("action", ISSUING)
def test_the_error_names_the_action_that_the_policy_lacks(
    simulator: Simulator, call_as: Callable[..., Task], action: str
) -> None:
    task = call_as(without(APPSTREAM, action), ANNA)

    assert task.failed
    assert [each for each in actions_of(APPSTREAM) if each in task.msg] == [action], task.msg
    assert simulator.streaming_urls() == []


@pytest.mark.parametrize("action", LOOKUPS)
def test_without_an_action_that_looks_up_applications_a_warning_names_it(
    simulator: Simulator, call_as: Callable[..., Task], action: str
) -> None:
    appstream = simulator.client("appstream", REGION)
    appstream.create_fleet(Name="elastic", **ELASTIC_MEMBERS)
    appstream.associate_fleet(StackName=STACK, FleetName="elastic")
    appstream.start_fleet(Name="elastic")
    simulator.change_fleet("elastic", region=REGION, Applications=["cad"])
    policy = json.loads(json.dumps(APPSTREAM).replace(f"fleet/{FLEET}", "fleet/*"))
    args = {**ANNA, "application_id": "cad", "fleet_name": FLEET if action == LOOKUPS[0] else "elastic"}

    allowed = call_as(policy, args)
    denied = call_as(without(policy, action), args)

    assert (allowed.failed, allowed.warnings) == (False, ""), allowed.result.get("msg")
    assert not denied.failed, denied.msg
    assert f"the credentials are not authorized to perform {action} (" in denied.warnings


# What needs each action: a module with its arguments, and whether in check mode.
IN_STUDIO = {"studio_id": STUDIO, "region": REGION}
NEEDS = {
    "nimble:GetStudio": (STREAM_MODULE, SEAT, False),
    "nimble:CreateStreamingSessionStream": (STREAM_MODULE, SEAT, False),
    "nimble:GetStreamingSessionStream": (STREAM_MODULE, SEAT, False),
    "nimble:GetStreamingSession": (STREAM_MODULE, SEAT, True),
    "nimble:StartStreamingSession": ("labstream.aws.nimble_session", {**IN_STUDIO, "session_ids": ["stopped"]}, False),
    "nimble:ListStreamingSessions": ("labstream.aws.nimble_session_info", IN_STUDIO, False),
}


def test_the_policy_for_nimble_has_what_the_modules_call_and_no_more() -> None:
    [description] = [each for each in SERVICE_DESCRIPTION.values() if "operations" in each]

    assert set(actions_of(NIMBLE)) == {f"nimble:{operation}" for operation in description["operations"]} == NEEDS.keys()


@pytest.mark.parametrize("action", NEEDS)
def test_the_error_names_the_action_of_nimble_that_the_policy_lacks(
    simulator: Simulator, call_as: Callable[..., Task], action: str
) -> None:
    simulator.seed_studio(STUDIO, ["stopped"], region=REGION, state="STOPPED")
    module, args, check = NEEDS[action]

    allowed = call_as(NIMBLE, args, module=module, check=True)
    denied = call_as(without(NIMBLE, action), args, module=module, check=check)

    assert not allowed.failed, allowed.msg
    assert denied.failed
    assert f"the credentials are not authorized to perform {action} (" in denied.msg
    assert simulator.streaming_urls() == []


# The lease table.

INFO = "labstream.aws.streaming_lease_info"
ABSENT = {"state": "absent"}
# Who has no lease yet.
BEN = {**ANNA, "user_id": "ben"}
# What needs each action on the table: a module with its arguments. GetItem is for the moment after a lease was purged.
NEEDS_OF_TABLE = {
    "dynamodb:DescribeTable": (MODULE, BEN),
    "dynamodb:PutItem": (MODULE, BEN),
    "dynamodb:BatchGetItem": (MODULE, ANNA),
    "dynamodb:UpdateItem": (MODULE, {**ANNA, **ABSENT}),
    "dynamodb:DeleteItem": (MODULE, {**ANNA, **ABSENT, "purge": True}),
    "dynamodb:Query": (INFO, {"region": REGION, "scope": "appstream|any"}),
    "dynamodb:Scan": (INFO, {"region": REGION}),
}


def test_three_actions_are_enough_to_read(simulator: Simulator, call_as: Callable[..., Task], home: Path) -> None:
    # Given a lease, and somebody who may do no more than the guide says of those who only read.
    store = {"lease_store": LeaseTable.create(simulator, region=REGION).url}
    issued = call_as(BOTH, {**ANNA, **store}).result
    scope = issued["scope"]
    named = re.search(r"To only read leases, [^.]*enough", AUTHENTICATION.read_text(encoding="utf-8"), re.DOTALL)
    assert named
    reading = copy.deepcopy(LEASES)
    reading["Statement"][0]["Action"] = re.findall(r"`(dynamodb:\w+)`", named[0])
    assert set(actions_of(reading)) < set(actions_of(LEASES))

    # When they read leases and write handouts.
    options = {"region": REGION, **store}
    handout = {"urls_csv": str(home / "urls.csv"), "seats": issued["streaming_urls"]}
    tasks = [
        call_as(reading, options, module=INFO),
        call_as(reading, {**options, "scope": scope}, module=INFO),
        call_as(reading, {**options, **handout}, module="labstream.aws.streaming_handout"),
    ]

    # Then they can, and can do nothing else.
    assert [task.result.get("msg") for task in tasks] == [None] * 3
    assert [task.result["summary"].get("leases") for task in tasks] == [1, 1, None]
    assert "streaming_url" in (home / "urls.csv").read_text()
    both = {**APPSTREAM, "Statement": APPSTREAM["Statement"] + reading["Statement"]}
    assert call_as(both, {**ANNA, **store, "state": "absent"}).failed


def test_the_policy_for_leases_has_what_the_modules_call_and_no_more() -> None:
    assert set(actions_of(LEASES)) == {*NEEDS_OF_TABLE, "dynamodb:GetItem"}


@pytest.mark.parametrize("action", NEEDS_OF_TABLE)
def test_the_error_names_the_action_on_the_table_that_the_policy_lacks(
    simulator: Simulator, call_as: Callable[..., Task], action: str
) -> None:
    # Given a table with a lease that was issued with all that the two policies allow.
    store = {"lease_store": LeaseTable.create(simulator, region=REGION).url}
    issued = call_as(BOTH, {**ANNA, **store})
    assert not issued.failed, issued.msg

    # When one action is taken away, in either mode.
    module, args = NEEDS_OF_TABLE[action]
    for check in (True, False):
        denied = call_as(without(BOTH, action), {**args, **store}, module=module, check=check)

        # Then the message names it and the table, and nothing was changed; with the action it works.
        assert (denied.failed, denied.changed) == (True, False)
        assert f"the credentials are not authorized to perform {action} (" in denied.msg
        assert f"{TABLE!r}: the credentials" in denied.msg
    assert len(simulator.streaming_urls()) == 1
    allowed = call_as(BOTH, {**args, **store}, module=module)
    assert not allowed.failed, allowed.msg


TABLE_MODULE = "labstream.aws.streaming_lease_table"
CREATING = policy_of_the_guide("dynamodb:CreateTable")


@pytest.fixture
def make_table_as(call_as: Callable[..., Task]) -> Callable[..., Task]:
    """``make_table_as(policy, **options)`` has the table made by a user who has that policy and no other."""

    def make(policy: Policy, *, check: bool = False, **options: Any) -> Task:
        return call_as(policy, {"name": TABLE, "region": REGION, **options}, module=TABLE_MODULE, check=check)

    return make


def test_the_policy_is_enough_to_create_change_and_describe_the_table(make_table_as: Callable[..., Task]) -> None:
    as_admin = partial(make_table_as, CREATING)

    tasks = [
        as_admin(check=True),
        as_admin(),
        as_admin(deletion_protection=False),
        as_admin(tags={"team": "training"}),
    ]

    assert [task.result.get("msg") for task in tasks] == [None] * 4
    assert [task.changed for task in tasks] == [True] * 4


@pytest.mark.parametrize("action", actions_of(CREATING))
def test_the_error_names_the_action_to_make_the_table_that_the_policy_lacks(
    make_table_as: Callable[..., Task], action: str
) -> None:
    as_admin = partial(make_table_as, without(CREATING, action))

    # The last two are for what only an existing table needs.
    tasks = (as_admin(**options) for options in ({}, {"deletion_protection": False}, {"tags": {"team": "lab"}}))
    task = next(task for task in tasks if task.failed)

    assert f"the credentials are not authorized to perform {action} (" in task.msg


# Fleets and sessions.

FLEET_MODULE = "labstream.aws.appstream_fleet"
SESSION_INFO = "labstream.aws.appstream_session_info"
TARGET = {"stack_name": STACK, "fleet_name": FLEET, "region": REGION}
DAY = policy_of_the_guide("appstream:StartFleet")
# What needs each action: a module with its arguments.
NEEDS_OF_DAY = {
    "appstream:DescribeFleets": ("labstream.aws.appstream_fleet_info", {"region": REGION}),
    "appstream:DescribeStacks": (SESSION_INFO, TARGET),
    "appstream:DescribeSessions": (SESSION_INFO, TARGET),
    "appstream:ListAssociatedStacks": (SESSION_INFO, {"fleet_name": FLEET, "region": REGION}),
    "appstream:ExpireSession": ("labstream.aws.appstream_session", {**TARGET, "user_id": "anna", "state": "expired"}),
    "appstream:UpdateFleet": (FLEET_MODULE, {"name": FLEET, "desired_instances": 7, "region": REGION}),
    "appstream:StopFleet": (FLEET_MODULE, {"name": FLEET, "state": "stopped", "region": REGION}),
    "appstream:StartFleet": (FLEET_MODULE, {"name": "stopped", "region": REGION}),
}


def test_the_policy_for_fleets_and_sessions_has_what_the_modules_call_and_no_more() -> None:
    assert set(actions_of(DAY)) == NEEDS_OF_DAY.keys()


@pytest.mark.parametrize("action", NEEDS_OF_DAY)
def test_the_error_names_the_action_on_fleets_and_sessions_that_the_policy_lacks(
    simulator: Simulator, call_as: Callable[..., Task], call_module: Callable[..., Task], action: str
) -> None:
    # Given a session of anna, and a fleet that is stopped.
    policy = json.loads(json.dumps(DAY).replace(f"fleet/{FLEET}", "fleet/*"))
    simulator.open(call_module(ANNA).urls[0])
    simulator.client("appstream", REGION).create_fleet(
        Name="stopped",
        InstanceType="stream.standard.medium",
        ImageName="lab-image",
        ComputeCapacity={"DesiredInstances": 1},
    )
    module, args = NEEDS_OF_DAY[action]

    denied = call_as(without(policy, action), args, module=module)
    allowed = call_as(policy, args, module=module)

    assert denied.failed
    assert f"the credentials are not authorized to perform {action} (" in denied.msg
    assert not allowed.failed, allowed.msg


# Stream groups and stream URLs.

URL_INFO = "labstream.aws.gamelift_stream_url_info"
GROUP_MODULE, GROUP_INFO = "labstream.aws.gamelift_stream_group", "labstream.aws.gamelift_stream_group_info"
IN_GROUP = {"stream_group": STREAM_GROUP, "region": REGION}
SCALED = {**IN_GROUP, "locations": [{"location_name": REGION, "always_on_capacity": 31}]}
SCALING = policy_of_the_guide("gameliftstreams:UpdateStreamGroup")
# What needs each action: a policy, and a module with its arguments, when anna has a stream URL.
NEEDS_OF_GAMELIFT = {
    "gameliftstreams:ListStreamUrls": (GAMELIFT, URL_INFO, IN_GROUP),
    "gameliftstreams:CreateStreamUrl": (GAMELIFT, STREAM_URL_MODULE, {**LEARNER, "learner": "ben"}),
    "gameliftstreams:GetStreamUrl": (GAMELIFT, STREAM_URL_MODULE, LEARNER),
    "gameliftstreams:RevokeStreamUrl": (GAMELIFT, STREAM_URL_MODULE, {**LEARNER, "state": "absent"}),
    "gameliftstreams:ListStreamGroups": (SCALING, GROUP_INFO, {"region": REGION}),
    "gameliftstreams:GetStreamGroup": (SCALING, GROUP_MODULE, IN_GROUP),
    "gameliftstreams:UpdateStreamGroup": (SCALING, GROUP_MODULE, SCALED),
}


def test_the_policies_for_gamelift_have_what_the_modules_call_and_no_more() -> None:
    assert {*actions_of(GAMELIFT), *actions_of(SCALING)} == NEEDS_OF_GAMELIFT.keys()


@pytest.mark.parametrize("action", NEEDS_OF_GAMELIFT)
def test_the_error_names_the_action_of_gamelift_that_the_policy_lacks(
    call_as: Callable[..., Task], action: str
) -> None:
    issued = call_as(GAMELIFT, LEARNER, module=STREAM_URL_MODULE)
    assert not issued.failed, issued.msg
    policy, module, args = NEEDS_OF_GAMELIFT[action]

    denied = call_as(without(policy, action), args, module=module)
    allowed = call_as(policy, args, module=module)

    assert denied.failed
    assert f"the credentials are not authorized to perform {action} (" in denied.msg
    assert not allowed.failed, allowed.msg
