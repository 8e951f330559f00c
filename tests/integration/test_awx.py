# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/awx: its jobs as AWX runs them, by ansible-runner, each in a fresh home; its setup.yml against AWX's API."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.awx_api import AwxApi, survey_errors
from tests.integration.lease_stores import LeaseTable
from tests.integration.running import CHECKOUT, COLLECTIONS, FLEET, STACK, VENV, Ansible, clean_environment
from tests.simulator.control import Simulator

EXAMPLE = CHECKOUT / "examples/awx"
SURVEYS = yaml.safe_load((EXAMPLE / "surveys.yml").read_text(encoding="utf-8"))
QUESTIONS = {"class.yml": "awx_class_questions", "end_class.yml": "awx_end_class_questions"}
# As a browser sends what was pasted into a text area.
ROSTER = "Name,Email\r\nAnna Example,anna@example.org\r\nBen {{ 1 // 0 }},ben@example.org\r\n"
NEEDS_AWX = pytest.mark.skipif(
    not (COLLECTIONS / "ansible_collections/awx/awx").is_dir(),
    reason="awx.awx is not in the release of the package ansible that goes with this Python",
)


def environment_in(home: Path, **variables: str) -> dict[str, str]:
    """An environment for a child process, without the callback that reports tasks to the other tests."""
    environment = clean_environment(home, **variables)
    return {name: text for name, text in environment.items() if "CALLBACK" not in name}


@dataclass(frozen=True)
class Job:
    """What AWX learns of a job: its status, its output, its artifacts, and how many tasks changed something."""

    status: str
    stdout: str
    artifacts: dict[str, Any]
    changed: int

    @property
    def summary(self) -> dict[str, Any]:
        return self.artifacts["class_summary"]


class Controller:
    """Launches jobs, each with a private data directory and a home of its own, of which nothing is left to the next."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.jobs = 0

    def launch(self, playbook: str, answers: Mapping[str, str]) -> Job:
        """Run a playbook of the example with these answers to its survey, as AWX does."""
        questions = SURVEYS[QUESTIONS[playbook]] + SURVEYS["awx_target_questions"]
        assert {question["variable"] for question in questions} == set(answers)
        self.jobs += 1
        job = self.folder / f"job-{self.jobs}"
        home = job / "home"
        home.mkdir(parents=True)
        shutil.copytree(EXAMPLE, job / "project")
        (job / "inventory").mkdir()
        host = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
        (job / "inventory/hosts").write_text(f"localhost {host}\n")
        (job / "env").mkdir()
        # JSON is YAML. AWX marks all text that is not the job template's own.
        marked = [f"!unsafe {json.dumps(name)}: !unsafe {json.dumps(answer)}\n" for name, answer in answers.items()]
        (job / "env/extravars").write_text("".join([f"awx_job_id: {self.jobs}\n", *marked]))
        (job / "env/envvars").write_text(json.dumps({**self.environment, "JOB_ID": str(self.jobs)}))
        runner = [sys.executable, Path(sys.executable).with_name("ansible-runner")]
        finished = subprocess.run(
            [*runner, "run", job, "-p", playbook, "--ident", "run"],
            env=environment_in(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        artifacts = job / "artifacts/run"
        events = [json.loads(path.read_text()) for path in (artifacts / "job_events").glob("*.json")]
        (end,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        status = (artifacts / "status").read_text()
        assert (finished.returncode == 0) == (status == "successful"), finished.stdout + finished.stderr
        return Job(status, finished.stdout, end.get("artifact_data", {}), sum(end["changed"].values()))


@pytest.fixture
def controller(tmp_path: Path, lab: Simulator) -> Controller:
    """A controller whose jobs reach the simulator."""
    return Controller(tmp_path / "controller", {name: text for name, text in lab.environment().items() if text})


@pytest.fixture
def end_answers(table: LeaseTable, lab: Simulator) -> dict[str, str]:
    """The answers that end a class, of which all is removed."""
    return {
        "class_name": "2026-11-23",
        "class_stack": STACK,
        "class_fleet": FLEET,
        "class_region": "us-east-1",
        "class_lease_store": f"{table.url}?endpoint_url={lab.endpoint_url}",
        "class_purge": "yes",
    }


@pytest.fixture
def answers(end_answers: dict[str, str]) -> dict[str, str]:
    """The answers for that class, of two learners whose roster was pasted. Its end is far off, whenever this runs."""
    given = {name: answer for name, answer in end_answers.items() if name != "class_purge"}
    end = "23:00" if datetime.now(UTC).hour < 12 else "11:00"
    return {**given, "class_roster": ROSTER, "class_ends_at": end, "class_timezone": "UTC"}


def files_with(secrets: list[str], folder: Path) -> list[Path]:
    """The files under the folder that hold one of the secrets."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def test_jobs_share_their_leases_by_the_table_and_leave_no_url_behind(
    lab: Simulator,
    table: LeaseTable,
    controller: Controller,
    ansible: Ansible,
    answers: dict[str, str],
    end_answers: dict[str, str],
) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="rosters")
    s3.put_object(Bucket="rosters", Key="courses/cad.csv", Body=ROSTER.encode())

    first = controller.launch("class.yml", answers)
    second = controller.launch("class.yml", {**answers, "class_roster": "s3://rosters/courses/cad.csv\r\n"})
    urls = table.urls()
    # As the README tells the teacher to.
    (ansible.home / "participants.csv").write_text(ROSTER)
    files = {"class_roster": "participants.csv", "class_handout": str(ansible.home / "handout.csv")}
    handed_out = ansible.run_playbook(
        CHECKOUT / "examples/class.yml",
        extra_vars={**answers, **files},
        environment={"LABSTREAM_LEASE_STORE": answers["class_lease_store"]},
    )
    end = controller.launch("end_class.yml", end_answers)

    assert (first.status, first.changed) == ("successful", 1), first.stdout
    assert {name: first.summary[name] for name in ("outcome", "lab", "requested", "issued", "reused")} == {
        "outcome": "ok",
        "lab": "2026-11-23",
        "requested": 2,
        "issued": 2,
        "reused": 0,
    }
    assert (second.status, second.changed) == ("successful", 0), second.stdout
    assert (second.summary["issued"], second.summary["reused"]) == (0, 2)
    assert second.summary["message"] in second.stdout
    assert sorted(lab.streaming_urls()) == sorted(urls.values())
    assert handed_out.returncode == 0, handed_out.printed
    handout = (ansible.home / "handout.csv").read_text()
    assert [url in handout for url in urls.values()] == [True, True]
    assert (end.status, end.summary["forgotten"], table.items()) == ("successful", 2, []), end.stdout

    secrets = [secret for url in urls.values() for secret in (url, url.partition("parameters=")[2])]
    assert all(secrets)
    assert files_with(secrets, controller.folder) == []
    # The search looks at the events, and finds what is there.
    event = controller.folder / "job-1/artifacts/run/job_events/planted.json"
    event.write_text(json.dumps({"stdout": secrets[-1]}))
    assert files_with(secrets, controller.folder) == [event]


def test_a_job_without_a_shared_store_issues_nothing_and_names_the_cure(
    lab: Simulator, controller: Controller, answers: dict[str, str]
) -> None:
    job = controller.launch("class.yml", {**answers, "class_lease_store": ""})

    assert (job.status, job.summary["outcome"]) == ("failed", "failed")
    assert "set lease_store to dynamodb://TABLE" in job.summary["message"]
    assert job.summary["message"] in job.stdout
    assert lab.calls("CreateStreamingURL") == []


@pytest.fixture
def awx() -> Iterator[AwxApi]:
    with AwxApi() as api:
        yield api


def set_up(awx: AwxApi, home: Path, **environment: str) -> dict[str, int]:
    """Run setup.yml: how many tasks were ok, changed, failed and so on."""
    finished = subprocess.run(
        [VENV / "bin/python", Path(__file__).with_name("awx_playbook.py"), EXAMPLE / "setup.yml"],
        env=environment_in(home, CONTROLLER_HOST=awx.url, CONTROLLER_OAUTH_TOKEN=awx.token, **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    recap = dict(re.findall(r"(\w+)=(\d+)", finished.stdout.partition("PLAY RECAP")[2]))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return {name: int(number) for name, number in recap.items()}


@NEEDS_AWX
def test_setup_makes_all_that_the_jobs_need_and_again_changes_nothing(awx: AwxApi, home: Path) -> None:
    first = set_up(awx, home, AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="only-awx-knows")
    (schedule,) = awx.objects("schedules")
    assert f":{datetime.now():%Y%m%d}T073000 " in schedule["rrule"]
    # Made some weeks ago.
    schedule["rrule"] = re.sub(r"\d{8}(?=T)", "20251103", schedule["rrule"])
    awx.writes.clear()
    # From a shell without the keys.
    second = set_up(awx, home)

    assert (first["changed"], second["changed"], awx.writes) == (8, 0, [])
    templates = {template["name"]: template for template in awx.objects("job_templates")}
    assert {name: template["playbook"] for name, template in templates.items()} == {
        "Give a class its streaming URLs": "class.yml",
        "End a class": "end_class.yml",
    }
    for name in templates:
        assert awx.associated("job_templates", name, "credentials") == ["Streaming labs"]
    (credential,) = awx.objects("credentials")
    assert credential["inputs"] == {"username": "AKIAEXAMPLE", "password": "only-awx-knows"}
    (host,) = awx.objects("hosts")
    assert json.loads(host["variables"]) == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    assert awx.objects("inventories")[0]["id"] == host["inventory"]
    survey = templates["Give a class its streaming URLs"]["survey_spec"]
    assert survey_errors(survey, schedule["extra_data"]) == []
    assert survey_errors(survey, {**schedule["extra_data"], "class_name": "", "class_colour": "blue"}) == [
        "class_colour is not asked",
        "class_name is outside its limits",
    ]
