# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform and the module streaming_lease_table make the same table: neither finds anything to change on the other's.

This needs Terraform and, so that nothing is downloaded, its AWS provider in a folder of the form that Terraform calls a
filesystem mirror. LABSTREAM_TEST_TERRAFORM_MIRROR names it, unless it is where Terraform looks by itself or below /opt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.running import CHECKOUT, Task
from tests.simulator.control import Simulator

EXAMPLE = CHECKOUT / "examples/terraform/lease_table/main.tf"
MODULE = "labstream.aws.streaming_lease_table"
NAME = "labstream-leases"
TERRAFORM = shutil.which("terraform")
IMPORT = f"""
import {{
  to = aws_dynamodb_table.leases
  id = "{NAME}"
}}
"""


def provider_mirror() -> Path | None:
    """The folder that holds Terraform's AWS provider, if there is one on this machine."""
    named = os.environ.get("LABSTREAM_TEST_TERRAFORM_MIRROR")
    places = ["~/.terraform.d/plugins", "~/.local/share/terraform/plugins"]
    places += ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"]
    folders = [Path(place).expanduser() for place in ([named] if named else places)]
    folders += [] if named else sorted(Path("/opt").glob("*"))
    return next((folder for folder in folders if any(folder.glob("*/hashicorp/aws"))), None)


needs_terraform = pytest.mark.skipif(
    not (TERRAFORM and provider_mirror()), reason="Terraform or a mirror with its AWS provider is not on this machine"
)


class Terraform:
    """Runs of Terraform on a copy of the example."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        shutil.copy(EXAMPLE, folder)
        self._environment = {
            "HOME": str(folder),
            "PATH": os.defpath,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            **simulator.environment(),
        }
        self.run("init", f"-plugin-dir={provider_mirror()}")

    def run(self, command: str, *arguments: str) -> str:
        """What it prints."""
        assert TERRAFORM
        run = subprocess.run(
            [TERRAFORM, command, "-no-color", *(() if command == "output" else ("-input=false",)), *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory, simulator_process: Simulator) -> Terraform:
    """Terraform, initialised once for all tests."""
    return Terraform(tmp_path_factory.mktemp("terraform"), simulator_process)


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


def test_terraforms_policies_are_those_of_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json$(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    [issuing] = [json.loads(block) for block in blocks if "dynamodb:PutItem" in block]
    in_prose = re.findall(r"`(dynamodb:\w+)`", readme)

    assert [actions_in(EXAMPLE.read_text(), "issuing")] == [each["Action"] for each in issuing["Statement"]]
    assert actions_in(EXAMPLE.read_text(), "reading") == in_prose
