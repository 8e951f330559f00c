# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of the example pipelines, in order, each in a checkout and a home of its own.

Terraform is a program that notes how it was called, and returns what the real one would: that has tests of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.lease_stores import TABLE, LeaseTable
from tests.integration.running import CHECKOUT, COLLECTIONS, FLEET, STACK, clean_environment
from tests.simulator.control import Simulator

EXAMPLE = CHECKOUT / "examples/pipelines"
BUCKET = "example-lab-pages"
TERRAFORM = """#!/bin/sh
echo "$2" >>"$TERRAFORM_FOLDER/calls"
case "$2" in
show) cat "$TERRAFORM_FOLDER/plan.json" ;;
output) cat "$TERRAFORM_FOLDER/lab.json" ;;
esac
"""
OUTPUT = {
    "appstream_lab_stack_name": STACK,
    "appstream_lab_fleet_name": FLEET,
    "appstream_lab_region": "us-east-1",
    "appstream_lab_lease_store": f"dynamodb://{TABLE}",
}

needs_s3_sync = pytest.mark.skipif(
    not (COLLECTIONS / "ansible_collections/community/aws").is_dir(),
    reason="the collection community.aws, which uploads, is not installed",
)


class Pipeline:
    """A project that is like the example."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder, self.simulator, self.jobs = folder, simulator, 0
        self.terraform = folder / "terraform"
        self.terraform.mkdir()
        (self.terraform / "terraform").write_text(TERRAFORM)
        (self.terraform / "terraform").chmod(0o755)
        (self.terraform / "lab.json").write_text(json.dumps(OUTPUT))
        self.plan("no-op")
        self.definition = yaml.safe_load((EXAMPLE / "gitlab-ci.yml").read_text())

    def plan(self, action: str) -> None:
        """Let Terraform plan this for the fleet."""
        change = {"actions": [action], "before": {"name": FLEET}}
        changes = [{"type": "aws_appstream_fleet", "change": change}, {"type": "aws_iam_policy", "change": {}}]
        (self.terraform / "plan.json").write_text(json.dumps({"resource_changes": changes}))

    def run(self, job: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
        """Run the commands of a job; return its checkout."""
        self.jobs += 1
        checkout, home = self.folder / f"job-{self.jobs}", self.folder / f"home-{self.jobs}"
        shutil.copytree(EXAMPLE, checkout)
        (checkout / "terraform").mkdir()
        home.mkdir()
        (self.terraform / "calls").write_text("")
        environment = clean_environment(home, **self.simulator.environment(), GITLAB_CI="true")
        environment |= {"TERRAFORM_FOLDER": str(self.terraform), "PATH": f"{self.terraform}:{environment['PATH']}"}
        environment["LABSTREAM_TEST_RESULTS"] = str(home / "results.jsonl")
        script = "\n".join(["set -e", *self.definition[job]["script"]])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=checkout,
            env=environment,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )
        return checkout, done

    def calls(self) -> list[str]:
        """Return how the last job called Terraform."""
        return (self.terraform / "calls").read_text().split()

    def pages(self) -> dict[str, str]:
        """Return what is published, by address."""
        s3 = self.simulator.client("s3", "us-east-1")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys}


@pytest.fixture
def pipeline(lab: Simulator, tmp_path: Path) -> Pipeline:
    LeaseTable.create(lab)
    lab.client("s3", "us-east-1").create_bucket(Bucket=BUCKET)
    lab.set(fleet_starting_seconds=0, instance_provisioning_seconds=0)
    return Pipeline(tmp_path, lab)


def get_state(simulator: Simulator) -> str:
    [fleet] = simulator.client("appstream").describe_fleets(Names=[FLEET])["Fleets"]
    return fleet["State"]


def test_both_pipelines_run_the_same_commands_and_keep_nothing_but_the_summary() -> None:
    gitlab = yaml.safe_load((EXAMPLE / "gitlab-ci.yml").read_text())
    github = yaml.safe_load((EXAMPLE / "github-actions.yml").read_text())
    [job] = github["jobs"].values()
    names = github["on"]["workflow_dispatch"]["inputs"]["job"]["options"]

    assert [gitlab[name]["script"] for name in names] == [[f"./pipeline.sh {name}"] for name in names]
    steps = {step.get("uses", "").partition("@")[0] or step["name"]: step for step in job["steps"]}
    assert steps["Run the job"]["run"] == './pipeline.sh "$JOB"'
    assert steps["Install Ansible and the collections"]["run"].split("\n")[:2] == gitlab["default"]["before_script"][:2]
    assert steps["hashicorp/setup-terraform"]["with"]["terraform_wrapper"] is False
    assert gitlab[".summary"]["artifacts"]["paths"] == ["summary.json"]
    assert steps["actions/upload-artifact"]["with"]["path"] == "summary.json"
    assert github["permissions"] == {"contents": "read", "id-token": "write"}
    # The schedules are those that choose a job.
    crons = [each["cron"] for each in github["on"]["schedule"]]
    assert re.findall(r"schedule == '(.*?)' && '(\w+)'", job["env"]["JOB"]) == list(
        zip(crons, ("start", "end"), strict=True)
    )


@needs_s3_sync
def test_a_lab_goes_through_all_jobs(pipeline: Pipeline, lab: Simulator) -> None:
    # Given somebody on the fleet, a plan that changes it is not applied; one that does not is.
    appstream = lab.client("appstream")
    url = appstream.create_streaming_url(StackName=STACK, FleetName=FLEET, UserId="zoe")["StreamingURL"]
    assert lab.open(url)[0] == 200
    pipeline.plan("update")
    _checkout, guarded = pipeline.run("apply")
    assert (guarded.returncode, pipeline.calls()) == (2, ["init", "plan", "show"]), guarded.stdout
    assert f"The plan changes the fleet {FLEET} while there are sessions on it." in guarded.stdout
    pipeline.plan("no-op")
    _checkout, applied = pipeline.run("apply")
    assert (applied.returncode, get_state(lab)) == (0, "RUNNING"), applied.stdout + applied.stderr

    # When nobody is, it is applied, and the fleet that Terraform leaves running is stopped.
    [session] = appstream.describe_sessions(StackName=STACK, FleetName=FLEET)["Sessions"]
    appstream.expire_session(SessionId=session["Id"])
    pipeline.plan("update")
    _checkout, applied = pipeline.run("apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert pipeline.calls() == ["init", "plan", "show", "apply", "output"]
    assert get_state(lab) in ("STOPPING", "STOPPED")

    # When the lab starts, then the pages are published before the job ends.
    checkout, started = pipeline.run("start")
    assert started.returncode == 0, started.stdout + started.stderr
    assert json.loads((checkout / "summary.json").read_text())["issued"] == 2
    pages = pipeline.pages()
    assert len(pages) == 2
    assert get_state(lab) == "RUNNING"

    # And when it ends, and all is destroyed, then the same addresses say so.
    _checkout, ended = pipeline.run("end")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert pipeline.pages().keys() == pages.keys()
    assert not [key for key, text in pipeline.pages().items() if text == pages[key]]
    assert get_state(lab) in ("STOPPING", "STOPPED")
    _checkout, destroyed = pipeline.run("destroy")
    assert (destroyed.returncode, pipeline.calls()) == (0, ["init", "output", "destroy"]), destroyed.stdout

    # And no job has printed or kept a URL.
    printed = "".join(job.stdout + job.stderr for job in (guarded, applied, started, ended, destroyed))
    kept: list[Any] = [path.read_text() for path in pipeline.folder.glob("job-*/summary.json")]
    assert not [url for url in lab.streaming_urls() if url in printed + "".join(kept)]
