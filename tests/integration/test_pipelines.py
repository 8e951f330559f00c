# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of the example pipelines, in order, each in a checkout and a home of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import CHECKOUT, COLLECTIONS, clean_environment
from tests.integration.terraform import SETTINGS, TERRAFORM, needs_terraform, provider_mirror
from tests.simulator.control import Simulator

EXAMPLE = CHECKOUT / "examples/pipelines"
# Of the example's terraform/main.tf.
REGION, NAME, STATES = "eu-central-1", "cad-course", "example-terraform-state"

needs_s3_sync = pytest.mark.skipif(
    not (COLLECTIONS / "ansible_collections/community/aws").is_dir(),
    reason="the collection community.aws, which uploads, is not installed",
)


class Pipeline:
    """A repository that is like the example."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.simulator, self.jobs = simulator, 0
        self.appstream = simulator.client("appstream", REGION)
        self.s3 = simulator.client("s3", REGION)
        self.definition = yaml.safe_load((EXAMPLE / "gitlab-ci.yml").read_text())
        self.folder, self.repository = folder, folder / "repository"
        shutil.copytree(EXAMPLE, self.repository)
        shutil.copytree(CHECKOUT / "examples/terraform/lab", self.repository / "terraform/lab")

    def change(self, old: str, new: str) -> None:
        """Change Terraform's configuration in the repository."""
        configuration = self.repository / "terraform/main.tf"
        text = configuration.read_text()
        assert old in text
        configuration.write_text(text.replace(old, new))

    def run(self, job: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
        """Run the commands of a job in a new checkout; return it too."""
        self.jobs += 1
        checkout = self.folder / f"job-{self.jobs}"
        shutil.copytree(self.repository, checkout)
        return checkout, self.run_commands(checkout, self.definition[job]["script"])

    def run_commands(self, checkout: Path, commands: list[str]) -> subprocess.CompletedProcess[str]:
        """Run commands as a job does."""
        assert TERRAFORM
        home = Path(tempfile.mkdtemp(dir=self.folder))
        environment = clean_environment(home, **self.simulator.environment(REGION), **SETTINGS, GITLAB_CI="true")
        environment |= {
            "PATH": f"{Path(TERRAFORM).parent}:{environment['PATH']}",
            "TF_CLI_ARGS_init": f"-plugin-dir={provider_mirror()} -backend-config=use_path_style=true",
            "LABSTREAM_TEST_RESULTS": str(home / "results.jsonl"),
        }
        return subprocess.run(
            ["bash", "-c", "\n".join(["set -e", *commands])],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )

    @property
    def fleet(self) -> tuple[str, str]:
        """The state of the fleet, and its instance type."""
        [fleet] = self.appstream.describe_fleets(Names=[NAME])["Fleets"]
        return fleet["State"], fleet["InstanceType"]

    @property
    def buckets(self) -> list[str]:
        """The buckets, but that of the states."""
        return [each["Name"] for each in self.s3.list_buckets()["Buckets"] if each["Name"] != STATES]

    @property
    def pages(self) -> dict[str, str]:
        """What is published, by key."""
        [bucket] = self.buckets
        keys = [each["Key"] for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {key: self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}


@pytest.fixture
def pipeline(simulator: Simulator, tmp_path: Path) -> Pipeline:
    LeaseTable.create(simulator, REGION)
    pipeline = Pipeline(tmp_path, simulator)
    pipeline.s3.create_bucket(Bucket=STATES, CreateBucketConfiguration={"LocationConstraint": REGION})
    return pipeline


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
@needs_terraform
@pytest.mark.long
def test_a_lab_goes_through_all_jobs(pipeline: Pipeline, simulator: Simulator) -> None:
    outputs: list[str] = []

    def run(job: str, returncode: int = 0) -> Path:
        checkout, done = pipeline.run(job)
        assert done.returncode == returncode, done.stdout + done.stderr
        outputs.append(done.stdout + done.stderr)
        return checkout

    # When all is created, then the fleet that Terraform leaves running is stopped.
    run("apply")
    stopped = pipeline.fleet
    assert stopped == ("STOPPED", "stream.standard.medium")

    # When the lab starts, then the pages are published before the job ends, where CloudFront shows them.
    summary = json.loads((run("start") / "summary.json").read_text())
    assert (summary["issued"], pipeline.fleet[0]) == (2, "RUNNING")
    pages = pipeline.pages
    assert len(pages) == 2
    [distribution] = simulator.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    assert distribution["Origins"]["Items"][0]["DomainName"].startswith(f"{pipeline.buckets[0]}.s3.")
    assert distribution["DomainName"] in (pipeline.folder / "job-2/lab.json").read_text()

    # When a plan changes the fleet while somebody is on it, then it is not applied.
    [url, _other] = simulator.streaming_urls()
    assert simulator.open(url)[0] == 200
    pipeline.change("stream.standard.medium", "stream.standard.large")
    run("apply", returncode=2)
    assert f"The plan changes the fleet {NAME} while there are sessions on it." in outputs[-1]
    assert pipeline.fleet == ("RUNNING", "stream.standard.medium")

    # Nor is the fleet stopped after an apply which leaves it alone.
    job = pipeline.folder / "job-2"
    store = json.loads((job / "lab.json").read_text())["appstream_lab_lease_store"]
    stop = [f"export LABSTREAM_LEASE_STORE='{store}'", "ansible-playbook stop_fleet.yml -e @lab.json"]
    assert pipeline.run_commands(job, stop).returncode == 0
    assert pipeline.fleet == ("RUNNING", "stream.standard.medium")

    # When the lab ends, then the same addresses say so.
    run("end")
    assert pipeline.pages.keys() == pages.keys()
    assert not [key for key, text in pipeline.pages.items() if text == pages[key]]
    assert pipeline.fleet == stopped

    # When all is destroyed, then nothing is left but the leases and the state. The distribution is gone before, since
    # the provider waits for a minute after it has disabled one.
    client = simulator.client("cloudfront")
    client.delete_distribution(Id=distribution["Id"], IfMatch=client.get_distribution(Id=distribution["Id"])["ETag"])
    run("destroy")
    assert (pipeline.appstream.describe_stacks()["Stacks"], pipeline.buckets) == ([], [])
    assert simulator.client("iam").list_policies(Scope="Local")["Policies"] == []
    assert simulator.client("dynamodb", REGION).list_tables()["TableNames"] == ["labstream-leases"]

    # And no job has printed or kept a URL, nor has Terraform.
    kept: list[Any] = [path.read_text() for path in pipeline.folder.glob("job-*/summary.json")]
    kept += [path.read_text() for path in pipeline.folder.glob("job-*/lab.json")]
    kept.append(pipeline.s3.get_object(Bucket=STATES, Key="lab.tfstate")["Body"].read().decode())
    assert not [url for url in simulator.streaming_urls() if url in "".join(outputs + kept)]
