# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Terraform examples, and what this collection does with what they make.

Terraform and the module streaming_lease_table make the same table: neither finds anything to change on the other's.
A lab is planned with all that it can have. In "long", one goes from an empty account to its end; test_pipelines.py also
destroys one, in the documented order.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.documentation import AUTHENTICATION, find_code
from tests.integration.running import CHECKOUT, Ansible, Run, Task
from tests.integration.terraform import SETTINGS, TERRAFORM, needs_terraform, provider_mirror
from tests.simulator.control import ACCOUNT, Simulator

EXAMPLES = CHECKOUT / "examples/terraform"
EXAMPLE = EXAMPLES / "lease_table/main.tf"
MODULE = "labstream.aws.streaming_lease_table"
NAME = "labstream-leases"
IMPORT = f"""
import {{
  to = aws_dynamodb_table.leases
  id = "{NAME}"
}}
"""


class Terraform:
    """Runs of Terraform on a copy of an example."""

    def __init__(self, example: Path, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        shutil.copytree(example, folder, dirs_exist_ok=True)
        self._environment = {
            "HOME": str(folder),
            "PATH": os.defpath,
            **SETTINGS,
            **simulator.environment(),
        }
        self.run("init", f"-plugin-dir={provider_mirror()}")

    def run(self, command: str, *arguments: str, fails: bool = False) -> str:
        """What it prints."""
        assert TERRAFORM
        no_input = [] if command in ("output", "show") else ["-input=false"]
        run = subprocess.run(
            [TERRAFORM, command, "-no-color", *no_input, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (run.returncode == 1) == fails, run.stdout + run.stderr
        return run.stdout + run.stderr


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory, simulator_process: Simulator) -> Terraform:
    """Terraform, initialised once for all tests."""
    return Terraform(EXAMPLE.parent, tmp_path_factory.mktemp("terraform"), simulator_process)


@needs_terraform
@pytest.mark.usefixtures("simulator")
def test_the_module_finds_nothing_to_change_on_terraforms_table(
    terraform: Terraform, call_module: Callable[..., Task]
) -> None:
    terraform.run("apply", "-auto-approve")

    task = call_module({"name": NAME}, module=MODULE, diff=True, environment={"AWS_URL": ""})

    assert (task.failed, task.changed, task.result["created"]) == (False, False, False), task.result
    assert task.result["diff"]["before"] == task.result["diff"]["after"]
    outputs = {name: output["value"] for name, output in json.loads(terraform.run("output", "-json")).items()}
    assert outputs["lease_store"] == task.result["lease_store"]
    for policy in ("issuing_policy", "reading_policy"):
        [statement] = json.loads(outputs[policy])["Statement"]
        assert (statement["Effect"], statement["Resource"]) == ("Allow", task.result["table_arn"])
        assert sorted(statement["Action"]) == sorted(actions_in(EXAMPLE.read_text(), policy.removesuffix("_policy")))


@needs_terraform
@pytest.mark.usefixtures("simulator")
def test_terraform_finds_nothing_to_change_on_the_modules_table(
    terraform: Terraform, call_module: Callable[..., Task]
) -> None:
    created = call_module({"name": NAME}, module=MODULE)
    assert created.changed, created.result

    (terraform.folder / "terraform.tfstate").unlink(missing_ok=True)
    (terraform.folder / "import.tf").write_text(IMPORT)
    plan = terraform.run("plan")

    assert "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in plan


def actions_in(configuration: str, document: str) -> list[str]:
    """The actions of a policy document of the example."""
    [block] = re.findall(
        rf'^data "aws_iam_policy_document" "{document}" {{$(.*?)^}}$', configuration, re.MULTILINE | re.DOTALL
    )
    return re.findall(r'"(dynamodb:\w+)"', block)


def test_terraforms_policies_are_those_of_the_guide() -> None:
    [issuing] = [json.loads(block) for block in find_code(AUTHENTICATION, "json") if "dynamodb:PutItem" in block]
    in_prose = re.findall(r"`(dynamodb:\w+)`", AUTHENTICATION.read_text(encoding="utf-8"))

    assert [actions_in(EXAMPLE.read_text(), "issuing")] == [each["Action"] for each in issuing["Statement"]]
    assert actions_in(EXAMPLE.read_text(), "reading") == in_prose


# The lab.

LAB = "cad-course"
LAB_ARN = f"arn:aws:iam::{ACCOUNT}:policy/{LAB}-us-east-1"
VALUES = {"name": LAB, "image_name": "lab-image", "subnet_ids": ["subnet-1", "subnet-2"], "sessions": 2}
LEARNERS = ["anna", "ben", "chloe"]
IMPORTS = {
    "aws_appstream_stack.lab": LAB,
    "aws_appstream_fleet.lab": LAB,
    "aws_appstream_fleet_stack_association.lab": f"{LAB}/{LAB}",
    "aws_iam_policy.lab_policy": LAB_ARN,
}
NO_CHANGES = "No changes. Your infrastructure matches the configuration."


class Lab:
    """A lab in a copy of the example, whose learners a teacher serves who has the lab's policy and no other."""

    def __init__(self, terraform: Terraform, simulator: Simulator, ansible: Ansible) -> None:
        self.terraform = terraform
        self._simulator = simulator
        self._ansible = ansible
        self._appstream = simulator.client("appstream")
        self.iam = simulator.client("iam")
        self.iam.create_user(UserName="teacher")
        key = self.iam.create_access_key(UserName="teacher")["AccessKey"]
        self._teacher = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        roster = "\n".join(["id", *LEARNERS])
        (ansible.home / "participants.csv").write_text(roster)
        shutil.copy(EXAMPLES / "lab/lab.yml", ansible.home)

    def play(self, playbook: str) -> Run:
        """Run a playbook as the README has it, but with an end that is far enough off at any time of day."""
        arguments = ["-e", "@lab.json", "-e", "@lab.yml", "-e", "appstream_lab_ends_at=2099-01-01T17:00"]
        return self._as_teacher(self._ansible.run_playbook, f"labstream.aws.{playbook}", arguments=arguments)

    def call(self, module: str, **args: Any) -> Task:
        return self._as_teacher(self._ansible.call_module, args, module=f"labstream.aws.{module}")

    def _as_teacher(self, run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._simulator.set(enforce_iam=True)
        try:
            return run(*arguments, environment=self._teacher, **options)
        finally:
            self._simulator.set(enforce_iam=False)

    @property
    def fleet(self) -> tuple[str, int]:
        """The state of the fleet, and how many sessions it is set to have."""
        [fleet] = self._appstream.describe_fleets(Names=[LAB])["Fleets"]
        return fleet["State"], fleet["ComputeCapacityStatus"]["Desired"]

    @property
    def resources(self) -> list[int]:
        """How many stacks, fleets, associations and policies there are."""
        stacks = self._appstream.describe_stacks()["Stacks"]
        associated = [self._appstream.list_associated_fleets(StackName=each["Name"])["Names"] for each in stacks]
        policies = self.iam.list_policies(Scope="Local")["Policies"]
        return [len(stacks), len(self._appstream.describe_fleets()["Fleets"]), sum(map(len, associated)), len(policies)]

    def holds(self, url: str) -> bool:
        """Whether a URL is in the state, a plan, or anything else that Terraform has written."""
        files = [path for path in self.terraform.folder.rglob("*") if path.is_file() and ".terraform" not in path.parts]
        texts = [path.read_bytes() for path in files]
        for path in filter(zipfile.is_zipfile, files):
            with zipfile.ZipFile(path) as plan:
                texts += [plan.read(name) for name in plan.namelist()]
        return any(url.encode() in text for text in texts)


@needs_terraform
@pytest.mark.long
def test_a_lab_from_an_empty_account_to_its_end(
    tmp_path: Path, simulator: Simulator, ansible: Ansible, lease_table: str
) -> None:
    terraform = Terraform(EXAMPLES / "lab", tmp_path / "terraform", simulator)
    (terraform.folder / "terraform.tfvars.json").write_text(json.dumps({**VALUES, "lease_store": lease_table}))
    lab = Lab(terraform, simulator, ansible)

    # What was applied is complete: nothing is left to do, nor after an import into an empty state.
    terraform.run("apply", "-auto-approve")
    assert (lab.resources, lab.fleet) == ([1, 1, 1, 1], ("RUNNING", 2))
    lab.iam.attach_user_policy(UserName="teacher", PolicyArn=LAB_ARN)
    assert NO_CHANGES in terraform.run("plan")
    imports = terraform.folder / "import.tf"
    imports.write_text("\n".join(f'import {{\n  to = {to}\n  id = "{id_}"\n}}' for to, id_ in IMPORTS.items()))
    assert "Plan: 4 to import, 0 to add, 0 to change, 0 to destroy." in terraform.run("plan", "-state=empty.tfstate")
    imports.unlink()

    # The policy is enough for a lab, whose scaling Terraform leaves alone, and whose URLs it never gets.
    values = terraform.run("output", "-json", "lab")
    (ansible.home / "lab.json").write_text(values)
    assert lab.call("appstream_fleet", name=LAB, state="stopped").changed
    started = lab.play("start_lab")
    assert (started.returncode, lab.fleet) == (0, ("RUNNING", 3)), started.printed
    urls = simulator.streaming_urls()
    assert (len(urls), simulator.open(urls[0])[0]) == (3, 200)
    planned = terraform.run("plan", "-out=plan")
    assert NO_CHANGES in planned

    # Destroyed too early: nothing is gone but the output, which the next apply brings back, so the lab can end.
    rejected = terraform.run("destroy", "-auto-approve", fails=True)
    assert "has sessions on the stack" in rejected
    assert "0 added, 0 changed, 0 destroyed" in terraform.run("apply", "-auto-approve")
    assert (lab.resources, lab.fleet) == ([1, 1, 1, 1], ("RUNNING", 3))
    assert not any(url in values + planned or lab.holds(url) for url in urls)
    ended = lab.play("end_lab")
    assert (ended.returncode, lab.fleet) == (0, ("STOPPED", 3)), ended.printed
    assert NO_CHANGES in terraform.run("plan")


# What every lab has, and what each of the two variables adds. That all of it can be destroyed, the pipelines' test
# shows for the pages.
ALWAYS = {
    "aws_appstream_fleet",
    "aws_appstream_fleet_stack_association",
    "aws_appstream_stack",
    "aws_iam_policy",
}
PAGES = {
    "aws_cloudfront_distribution",
    "aws_cloudfront_origin_access_control",
    "aws_s3_bucket",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
}
EVENTS = {
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_cloudwatch_metric_alarm",
    "aws_iam_policy",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_scheduler_schedule",
    "aws_scheduler_schedule_group",
    "aws_sqs_queue",
    "aws_sqs_queue_policy",
}


@needs_terraform
def test_a_lab_with_pages_and_events_is_planned_as_the_readme_describes_it(
    tmp_path: Path, simulator: Simulator
) -> None:
    terraform = Terraform(EXAMPLES / "lab", tmp_path, simulator)
    ends = {LAB: {"at": "2026-11-21T17:00", "timezone": "Europe/Berlin"}}
    values = {**VALUES, "publish_pages": True, "event_driven": {"lab_ends": ends}}
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps(values))

    terraform.run("plan", "-out=on")

    changes = json.loads(terraform.run("show", "-json", "on"))["resource_changes"]
    assert {action for change in changes for action in change["change"]["actions"]} <= {"create", "read"}
    added = {f"{change['type']}.{change['name']}": change["change"]["after"] for change in changes}
    managed = {change["type"] for change in changes if change["mode"] == "managed"}
    assert managed == ALWAYS | PAGES | EVENTS

    # Pages are private, and what CloudFront shows is never old.
    block = added["aws_s3_bucket_public_access_block.pages"]
    assert [block[each] for each in block if each.startswith(("block_", "ignore_", "restrict_"))] == [True] * 4
    [cache] = added["aws_cloudfront_distribution.pages"]["default_cache_behavior"]
    assert (cache["viewer_protocol_policy"], cache["min_ttl"]) == ("https-only", 0)

    # The schedule of a lab sends its message in time, and the alarm is that of the fleet.
    schedule = added["aws_scheduler_schedule.lab_ends"]
    assert (schedule["schedule_expression"], schedule["schedule_expression_timezone"]) == (
        "at(2026-11-21T17:00:00)",
        "Europe/Berlin",
    )
    assert json.loads(schedule["target"][0]["input"]) == dict(action="end_lab", lab=LAB, stack=LAB, fleet=LAB)
    alarm = added["aws_cloudwatch_metric_alarm.fleet"]
    assert (alarm["namespace"], alarm["metric_name"], alarm["dimensions"], alarm["treat_missing_data"]) == (
        "AWS/AppStream",
        "ActualCapacity",
        {"Fleet": LAB},
        "breaching",
    )
    assert all(added[f"aws_sqs_queue.{name}"]["sqs_managed_sse_enabled"] for name in ("lab_ends", "fleet_alarms"))


BAD_VALUES: dict[str, Any] = {
    "name": "CAD course",
    "image_name": "arn:aws:appstream:us-east-1:123456789012:image/lab-image",
    "instance_type": "medium",
    "fleet_type": "ELASTIC",
    "subnet_ids": [],
    "security_group_ids": ["default"],
    "sessions": 0,
    "lease_store": "sqlite:///leases.sqlite3",
    "event_driven": {"lab_ends": {"cad course": {"at": "17:00", "timezone": "Europe/Berlin"}}},
}


@needs_terraform
def test_values_of_the_lab_that_are_not_valid_are_rejected(tmp_path: Path, simulator: Simulator) -> None:
    terraform = Terraform(EXAMPLES / "lab", tmp_path, simulator)
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps(BAD_VALUES))

    printed = terraform.run("plan", fails=True)

    assert sorted(re.findall(r"var\.(\w+)(?:\.\w+)* is ", printed)) == sorted(BAD_VALUES)
