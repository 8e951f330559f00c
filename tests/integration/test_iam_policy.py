# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM policy in the README is enough, and nothing of it can be left out."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.running import CHECKOUT, FLEET, STACK, Task
from tests.simulator.control import Simulator

REGION, ACCOUNT = "eu-central-1", "123456789012"
ANNA = {"stack_name": STACK, "fleet_name": FLEET, "user_id": "anna", "region": REGION, "validity": 3600}


def policy_of_the_readme() -> dict[str, Any]:
    """The policy, for the resources of these tests, as its reader would adapt it."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^### IAM policy$.*?^```json$(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section 'IAM policy' with a policy"
    names = {"stack": STACK, "fleet": FLEET}
    return json.loads(
        re.sub(
            r"arn:aws:appstream:[^:]+:[^:]+:(stack|fleet)/[^\"*]+",
            lambda arn: f"arn:aws:appstream:{REGION}:{ACCOUNT}:{arn[1]}/{names[arn[1]]}",
            section[1],
        )
    )


POLICY = policy_of_the_readme()
ACTIONS = [action for statement in POLICY["Statement"] for action in statement["Action"]]


def without(action: str) -> dict[str, Any]:
    policy = copy.deepcopy(POLICY)
    for statement in policy["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    return policy


@pytest.fixture
def call_as(simulator: Simulator, call_module: Callable[..., Task]) -> Callable[..., Task]:
    """``call_as(policy, args)`` calls the module as a user who has that policy and no other."""
    simulator.seed_lab(STACK, FLEET, region=REGION)
    iam = simulator.client("iam")
    iam.create_user(UserName="teacher")
    key = iam.create_access_key(UserName="teacher")["AccessKey"]
    teacher = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def call(policy: dict[str, Any], args: dict[str, Any]) -> Task:
        iam.put_user_policy(UserName="teacher", PolicyName="lab", PolicyDocument=json.dumps(policy))
        simulator.set(enforce_iam=True)
        try:
            return call_module(args, environment=teacher)
        finally:
            simulator.set(enforce_iam=False)

    return call


def test_the_policy_is_enough_to_give_and_to_forget(call_as: Callable[..., Task]) -> None:
    given = call_as(POLICY, ANNA)
    forgotten = call_as(POLICY, {**ANNA, "state": "absent"})

    assert (given.failed, given.result["summary"]["issued"]) == (False, 1), given.result.get("msg")
    assert (forgotten.failed, forgotten.result["summary"]["forgotten"]) == (False, 1), forgotten.result.get("msg")


def test_the_policy_is_enough_when_stack_and_fleet_are_gone(simulator: Simulator, call_as: Callable[..., Task]) -> None:
    call_as(POLICY, ANNA)
    appstream = simulator.client("appstream", REGION)
    appstream.stop_fleet(Name=FLEET)
    appstream.disassociate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.delete_fleet(Name=FLEET)
    appstream.delete_stack(Name=STACK)

    forgotten = call_as(POLICY, {**ANNA, "state": "absent"})

    assert (forgotten.failed, forgotten.result["summary"]["forgotten"]) == (False, 1), forgotten.result.get("msg")


@pytest.mark.core
@pytest.mark.parametrize("action", ACTIONS)
def test_the_error_names_the_action_that_the_policy_lacks(
    simulator: Simulator, call_as: Callable[..., Task], action: str
) -> None:
    task = call_as(without(action), ANNA)

    assert task.failed
    assert [each for each in ACTIONS if each in task.msg] == [action], task.msg
    assert simulator.streaming_urls() == []
