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
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.integration.awx_api import AwxApi, survey_errors
from tests.integration.lease_stores import LeaseTable
from tests.integration.processes import run_to_end
from tests.integration.running import CHECKOUT, COLLECTIONS, FLEET, STACK, VENV, Run, clean_environment
from tests.pages import url_of
from tests.simulator.control import Simulator

EXAMPLE = CHECKOUT / "examples/awx"
SURVEYS = yaml.safe_load((EXAMPLE / "surveys.yml").read_text(encoding="utf-8"))
VARIABLES = yaml.safe_load((EXAMPLE / "vars.yml").read_text(encoding="utf-8"))
REGION = VARIABLES["awx_region"]
QUESTIONS = {"start_lab.yml": "awx_start_lab_questions", "end_lab.yml": "awx_end_lab_questions"}
# As a browser sends what was pasted into a text area.
ROSTER = "Name,Email\r\nAnna Example,anna@example.org\r\nBen {{ 1 // 0 }},ben@example.org\r\n"
# What setup.yml gives to the job templates.
PAGES = {"lab_pages_bucket": "lab-pages", "lab_pages_prefix": "pages", "lab_pages_region": REGION}
NEEDS_AWX = pytest.mark.skipif(
    not (COLLECTIONS / "ansible_collections/awx/awx").is_dir(),
    reason="awx.awx is not there: run tools/environments.py collections-test",
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
        return self.artifacts["lab_summary"]


class Controller:
    """Launches jobs, each with a private data directory and a home of its own, of which nothing is left to the next."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.jobs = 0

    def launch(
        self, playbook: str, answers: Mapping[str, str], own: Mapping[str, str] | None = None, *, job_type: str = "run"
    ) -> Job:
        """Run a playbook of the example, with answers to its survey and variables of its job template, as AWX does."""
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
        templates = [f"{json.dumps(name)}: {json.dumps(value)}\n" for name, value in (own or {}).items()]
        (job / "env/extravars").write_text("".join([f"awx_job_id: {self.jobs}\n", *templates, *marked]))
        # Not below the job: ansible-core 2.21 has a socket there, whose path has a maximum length.
        thrown_away = Path(tempfile.mkdtemp(prefix="job-"))
        environment = {**self.environment, "JOB_ID": str(self.jobs), "TMPDIR": str(thrown_away)}
        (job / "env/envvars").write_text(json.dumps(environment))
        runner = [sys.executable, Path(sys.executable).with_name("ansible-runner")]
        command = [*runner, "run", job, "-p", playbook, "--ident", "run"]
        command += ["--cmdline=--check"] if job_type == "check" else []
        finished = run_to_end(command, env=environment_in(home), timeout=120)
        assert all(each.stat().st_mode & 0o77 == 0 for each in thrown_away.iterdir())
        shutil.rmtree(thrown_away)
        artifacts = job / "artifacts/run"
        events = [json.loads(path.read_text()) for path in (artifacts / "job_events").glob("*.json")]
        (end,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        status = (artifacts / "status").read_text()
        assert (finished.returncode == 0) == (status == "successful"), finished.stdout + finished.stderr
        return Job(status, finished.stdout, end.get("artifact_data", {}), sum(end["changed"].values()))


@pytest.fixture
def lab(simulator: Simulator) -> Simulator:
    """The simulator, with the stack and the running fleet of the example in its region."""
    simulator.seed_lab(STACK, FLEET, region=REGION)
    return simulator


@pytest.fixture
def table(simulator: Simulator) -> LeaseTable:
    """The table that the example proposes."""
    return LeaseTable.create(simulator, REGION)


@pytest.fixture
def controller(tmp_path: Path, lab: Simulator) -> Controller:
    """A controller whose jobs reach the simulator. They have no region but for their answers."""
    environment = {name: text for name, text in lab.environment().items() if text and "REGION" not in name}
    return Controller(tmp_path / "controller", environment)


@pytest.fixture
def end_answers(table: LeaseTable) -> dict[str, str]:
    """The answers that end a lab, and leave the fleet alone."""
    (store,) = VARIABLES["awx_lease_stores"]
    return {
        "lab_name": "cad-course",
        "lab_stack": STACK,
        "lab_fleet": FLEET,
        "lab_region": REGION,
        "lab_lease_store": store.replace("{{ awx_region }}", REGION),
        "lab_manage_fleet": "no",
        "lab_end_sessions": "no",
        "lab_purge": "no",
    }


@pytest.fixture
def answers(end_answers: dict[str, str]) -> dict[str, str]:
    """The answers for that lab, of two learners whose roster was pasted. Its end is far off, whenever this runs."""
    given = {name: answer for name, answer in end_answers.items() if name not in ("lab_end_sessions", "lab_purge")}
    zone = VARIABLES["awx_timezone"]
    end = "23:00" if datetime.now(ZoneInfo(zone)).hour < 12 else "11:00"
    own = {
        "lab_roster": ROSTER,
        "lab_starts_at": "",
        "lab_ends_at": end,
        "lab_timezone": zone,
        "lab_rotate": "",
    }
    return {**given, **own}


def files_with(secrets: list[str], folder: Path) -> list[Path]:
    """The files under the folder that hold one of the secrets."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def handout_command() -> str:
    """The shell commands of the README that hand out URLs and the addresses of pages."""
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    .*\n)+", readme, re.MULTILINE)
    (command,) = [block for block in blocks if "lab_handout_urls_csv" in block]
    (more,) = [block for block in blocks if "lab_handout_links_csv" in block]
    return command.rstrip() + more


def hand_out(lab: Simulator, home: Path, roster: str, answers: Mapping[str, str]) -> None:
    """Run these commands, but for the time of day, where the README says to."""
    examples = shutil.copytree(CHECKOUT / "examples", home / "streaming-labs")
    (examples / "awx/participants.csv").write_text(roster)
    command = handout_command().replace("17:00", answers["lab_ends_at"])
    environment = environment_in(home, **lab.environment())
    finished = run_to_end(["bash", "-euc", command], cwd=examples / "awx", env=environment, timeout=120)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def secrets_of(urls: list[str]) -> list[str]:
    """Where no URL may be shown."""
    secrets = [secret for url in urls for secret in (url, url.partition("parameters=")[2])]
    assert secrets
    assert all(secrets)
    return secrets


def test_jobs_share_their_leases_in_the_table_and_leave_no_url_behind(
    lab: Simulator,
    table: LeaseTable,
    controller: Controller,
    answers: dict[str, str],
    end_answers: dict[str, str],
) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="rosters")
    s3.put_object(Bucket="rosters", Key="courses/cad.csv", Body=ROSTER.encode())

    start = controller.launch("start_lab.yml", {**answers, "lab_roster": "s3://rosters/courses/cad.csv\r\n"})
    urls = table.urls()
    end = controller.launch("end_lab.yml", end_answers)

    assert (start.status, start.changed) == ("successful", 1), start.stdout
    assert {name: start.summary[name] for name in ("outcome", "lab", "requested", "issued", "reused")} == {
        "outcome": "ok",
        "lab": "cad-course",
        "requested": 2,
        "issued": 2,
        "reused": 0,
    }
    assert start.summary["message"] in start.stdout
    issued = lab.streaming_urls()
    assert (len(urls), set(urls.values())) == (2, set(issued))
    assert (end.status, end.summary["released"], table.urls()) == ("successful", 2, {}), end.stdout

    secrets = secrets_of(issued)
    assert files_with(secrets, controller.folder) == []
    # The search reads the events, and finds what is there.
    event = controller.folder / "job-1/artifacts/run/job_events/planted.json"
    event.write_text(json.dumps({"stdout": secrets[-1]}))
    assert files_with(secrets, controller.folder) == [event]


def test_a_job_that_fails_before_the_lab_starts_has_the_reason_in_its_artifact(
    lab: Simulator, controller: Controller, answers: dict[str, str]
) -> None:
    lab.client("s3").create_bucket(Bucket="rosters")

    typed = {"lab_name": " 010", "lab_roster": "s3://rosters/no-such.csv"}
    job = controller.launch("start_lab.yml", {**answers, **typed})

    assert job.status == "failed"
    assert {**job.summary, "message": ""} == {"lab": "010", "outcome": "failed", "message": "", "handout": None}
    assert "lab_roster: the object no-such.csv in the bucket rosters cannot be read: " in job.summary["message"]
    assert job.stdout.rpartition("fatal: ")[2].count(job.summary["message"]) == 1
    assert lab.calls("CreateStreamingURL") == []


@pytest.mark.long
@pytest.mark.skipif(
    not (COLLECTIONS / "ansible_collections/community/aws").is_dir(),
    reason="the collection community.aws, which uploads pages, is not installed",
)
def test_a_lab_from_a_stopped_fleet_to_its_end_with_pages_in_a_bucket(
    lab: Simulator,
    table: LeaseTable,
    controller: Controller,
    home: Path,
    answers: dict[str, str],
    end_answers: dict[str, str],
) -> None:
    s3, appstream = lab.client("s3", REGION), lab.client("appstream", REGION)
    appstream.stop_fleet(Name=FLEET)

    def pages() -> dict[str, str]:
        """The pages in the bucket, by their addresses."""
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket="lab-pages")["Contents"]]
        bodies = [s3.get_object(Bucket="lab-pages", Key=key)["Body"].read().decode() for key in keys]
        return {f"https://labs.example.org/{key}": body for key, body in zip(keys, bodies, strict=True)}

    # When the bucket is missing, then the learners have their URLs, and the artifact says what they do not have.
    answers = {**answers, "lab_manage_fleet": "yes"}
    without_bucket = controller.launch("start_lab.yml", answers, PAGES)
    assert (without_bucket.status, without_bucket.summary["outcome"]) == ("failed", "partial"), without_bucket.stdout
    assert (without_bucket.summary["issued"], without_bucket.summary["handout"]) == (2, None)
    for said in ("Streaming URLs issued: 2", "could not be uploaded to the bucket lab-pages"):
        assert said in without_bucket.summary["message"]
    assert without_bucket.summary["fleet"]["state"] == "RUNNING"

    # When it is there, then a check says what would be, and each learner has a page.
    s3.create_bucket(Bucket="lab-pages", CreateBucketConfiguration={"LocationConstraint": REGION})
    later = {**answers, "lab_roster": f"{ROSTER}Cleo,cleo@example.org\r\n"}
    check = controller.launch("start_lab.yml", later, PAGES, job_type="check")
    assert (check.status, check.summary["check"], check.summary["would_issue"]) == ("successful", True, 1), check.stdout
    assert (check.summary["handout"]["requested"], len(lab.streaming_urls())) == (3, 2)
    start = controller.launch("start_lab.yml", answers, PAGES)
    assert start.status == "successful", start.stdout
    assert (start.summary["issued"], start.summary["reused"], start.summary["handout"]["requested"]) == (0, 2, 2)
    urls = lab.streaming_urls()
    assert sorted(map(url_of, pages().values())) == sorted(urls)

    # When the teacher runs the commands of the README, then these are the addresses to mail.
    hand_out(lab, home, ROSTER, answers)
    assert set(re.findall(r"https://labs\S+", (home / "links.csv").read_text())) == set(pages())
    handout = (home / "handout.csv").read_text()
    assert [url in handout for url in urls] == [True, True]

    # When the lab ends, then there is no session, the pages say so, and nothing is stored.
    lab.open(urls[0])
    end_answers = {**end_answers, "lab_manage_fleet": "yes", "lab_end_sessions": "yes", "lab_purge": "yes"}
    end = controller.launch("end_lab.yml", end_answers, PAGES)
    assert (end.status, end.summary["outcome"]) == ("successful", "ok"), end.stdout
    assert (end.summary["expired"], end.summary["released"], end.summary["fleet"]["state"]) == (1, 2, "STOPPED")
    assert appstream.describe_fleets(Names=[FLEET])["Fleets"][0]["State"] == "STOPPED"
    assert [('data-state="ended"' in page, url_of(page)) for page in pages().values()] == [(True, None)] * 2
    assert table.items() == []

    # And all day, no job showed a URL or the name of a page.
    assert files_with([*secrets_of(urls), *(Path(page).stem for page in pages())], controller.folder) == []


@pytest.mark.long
@pytest.mark.parametrize("playbook", ["start_lab", "end_lab"])
def test_a_lab_with_invalid_variables_publishes_that_and_nothing_of_the_previous_lab(
    run_playbook: Callable[..., Run], playbook: str
) -> None:
    before = {
        "name": "Another lab",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.set_fact": {
                    "appstream_lab_seats": [{"id": "eve"}],
                    "appstream_lab_summary": {"issued": 1},
                }
            }
        ],
    }
    lab = {"ansible.builtin.import_playbook": f"labstream.aws.{playbook}", "vars": {"appstream_lab_name": "monday"}}

    run = run_playbook([before, lab])

    (published,) = [task.result["ansible_stats"]["data"] for task in run.tasks if "ansible_stats" in task.result]
    summary = published["lab_summary"]
    assert run.returncode == 2, run.printed
    assert (summary["lab"], summary["outcome"], summary["issued"], summary["handout"]) == ("monday", "failed", 0, None)
    assert "missing required arguments" in summary["message"]


@pytest.fixture
def awx() -> Iterator[AwxApi]:
    with AwxApi() as api:
        yield api


# What the administrator may add to vars.yml.
CHOSEN = {
    "awx_groups": [{"name": "", "team": "Teachers"}],
    "awx_instance_groups": ["default"],
    "awx_notification_configuration": {
        "url": "https://hooks.example.org/labs",
        "http_method": "POST",
        "headers": {},
        "disable_ssl_verification": False,
        "username": "",
        "password": "",
    },
}


def run_setup(awx: AwxApi, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run setup.yml."""
    environment = environment_in(home, CONTROLLER_HOST=awx.url, CONTROLLER_OAUTH_TOKEN=awx.token, **environment)
    command = [VENV / "bin/ansible-playbook", EXAMPLE / "setup.yml", "-e", json.dumps(CHOSEN)]
    return run_to_end(command, env=environment, timeout=120)


def set_up(awx: AwxApi, home: Path, **environment: str) -> dict[str, int]:
    """Run setup.yml to its end: how many tasks were ok, changed, failed and so on."""
    finished = run_setup(awx, home, **environment)
    recap = dict(re.findall(r"(\w+)=(\d+)", finished.stdout.partition("PLAY RECAP")[2]))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return {name: int(number) for name, number in recap.items()}


@NEEDS_AWX
@pytest.mark.long
def test_setup_creates_all_that_the_jobs_need_and_again_changes_nothing(awx: AwxApi, home: Path) -> None:
    # The token of the repository was wrong.
    awx.sync_status = "failed"
    assert run_setup(awx, home).returncode == 2
    assert (awx.objects("projects")[0]["status"], awx.objects("job_templates")) == ("failed", [])
    awx.sync_status = "successful"

    first = set_up(awx, home, AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="only-awx-knows")
    (schedule,) = awx.objects("schedules")
    assert f":{datetime.now():%Y%m%d}T073000 " in schedule["rrule"]
    # Made some weeks ago.
    schedule["rrule"] = re.sub(r"\d{8}(?=T)", "20251103", schedule["rrule"])
    awx.writes.clear()
    # From a shell without the keys. What is left of others does not matter.
    second = set_up(awx, home, AWS_SESSION_TOKEN="of-other-keys")

    (project,) = awx.objects("projects")
    assert (first["changed"], second["changed"], awx.writes) == (10, 0, [f"POST {project['url']}update/"])
    templates = {template["name"]: template for template in awx.objects("job_templates")}
    assert {name: template["playbook"] for name, template in templates.items()} == {
        "Start a lab": "start_lab.yml",
        "End a lab": "end_lab.yml",
    }
    for name in templates:
        assert awx.associated("job_templates", name, "credentials") == ["Streaming labs"]
        assert awx.associated("job_templates", name, "instance_groups") == ["default"]
        assert awx.associated("job_templates", name, "notification_templates_success") == ["Streaming labs"]
        assert awx.associated("job_templates", name, "notification_templates_error") == ["Streaming labs"]
        assert awx.associated("roles", f"Execute on {name}", "teams") == ["Teachers"]
        assert set(json.loads(templates[name]["extra_vars"])) == set(PAGES)
    (credential,) = awx.objects("credentials")
    assert credential["inputs"] == {"username": "AKIAEXAMPLE", "password": "only-awx-knows"}
    (host,) = awx.objects("hosts")
    assert json.loads(host["variables"]) == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    assert awx.objects("inventories")[0]["id"] == host["inventory"]
    survey = templates["Start a lab"]["survey_spec"]
    assert survey_errors(survey, schedule["extra_data"]) == []
    assert survey_errors(survey, {**schedule["extra_data"], "lab_name": "", "lab_pages_bucket": "mine"}) == [
        "lab_pages_bucket is not asked",
        "lab_name is outside its limits",
    ]


@NEEDS_AWX
def test_a_project_that_cannot_be_synced_fails_with_where_awx_shows_the_reason(awx: AwxApi, home: Path) -> None:
    awx.sync_status = "canceled"

    finished = run_setup(awx, home)

    update = awx.objects("project_updates")[-1]
    assert (finished.returncode, awx.objects("job_templates")) == (2, [])
    assert f"is canceled: read why at {awx.url}/#/jobs/project/{update['id']}/output" in finished.stdout


@NEEDS_AWX
def test_keys_that_expire_are_rejected_before_anything_is_created(awx: AwxApi, home: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}

    finished = run_setup(awx, home, **keys)

    assert (finished.returncode, awx.writes) == (2, [])
    assert "AWS_SESSION_TOKEN is set, so the AWS keys in the environment expire" in finished.stdout + finished.stderr
