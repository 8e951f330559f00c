# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A streaming URL is in the lease store and the handout, and nowhere else; the URL of a stream is nowhere."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseTable
from tests.integration.processes import get_tree, kill_tree
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    TIMEOUT_SECONDS,
    Ansible,
)
from tests.simulator.control import Simulator

KEY = "only-the-class-knows-this-key"
SESSIONS = ["seat-01", "seat-02", {"sessionId": "refused", "state": "STOPPED"}]
DOWN = {"code": "InternalFailure", "message": "No", "status": 500}
# What takes the place of the machine's log in every Python that a run starts.
SYSLOG = """
import os, syslog

def keep(*arguments):
    with open(os.environ["LABSTREAM_TEST_SYSLOG"], "a") as log:
        print(arguments[-1], file=log)

syslog.syslog = keep
"""
STORE = ".ansible/labstream/leases.sqlite3"


def files_with(secrets: Iterable[str], folder: Path) -> set[Path]:
    """Return the files under the folder that hold one of the secrets."""
    needles = [secret.encode() for secret in secrets]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path for path in files if any(needle in path.read_bytes() for needle in needles)}


def secrets_of(urls: list[str]) -> list[str]:
    """Return the URLs, and the secret part of each."""
    return [*urls, *(re.split("parameters=|token=", url)[1] for url in urls)]


def playbook(home: Path) -> list[dict]:
    """Streams and a lab with its handout, both with one rejected user; another lab; all variables that are left."""
    debug = "ansible.builtin.debug"
    streams = {"studio_id": STUDIO, "session_ids": ["seat-01", "seat-02"]}
    one_rejected = {**streams, "session_ids": ["seat-01", "refused"]}
    role = {"ansible.builtin.include_role": {"name": "labstream.aws.appstream_lab"}}
    lab = {"appstream_lab_stack_name": STACK, "appstream_lab_fleet_name": FLEET, "appstream_lab_validity": 3600}
    lab |= {"appstream_lab_summary_path": str(home / "summary.json")}
    opaque = {"appstream_lab_user_id_style": "opaque", "appstream_lab_user_id_key": KEY}
    roster = "id,user_id\nanna,\nben,\nrefused,refused\n"
    monday = {**lab, **opaque, "appstream_lab_name": "monday", "appstream_lab_roster": roster}
    tuesday = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "tuesday", "user_id": "chloe"}
    # On the oldest core, botocore is too old for it.
    stream_url = {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"], "learner": "anna"}
    stream_urls = [{STREAM_URL_MODULE: stream_url, "no_log": True}, {STREAM_URL_MODULE: {**stream_url, "force": True}}]
    stream_urls[1][STREAM_URL_MODULE]["return_urls"] = False
    tasks = [
        {STREAM_MODULE: {**streams, "return_urls": False}},
        {STREAM_MODULE: {**streams, "force": True}, "no_log": True},
        {"block": [{STREAM_MODULE: one_rejected}], "rescue": [{debug: {"var": "ansible_failed_result"}}]},
        {"block": [{**role, "vars": monday}], "rescue": [{debug: {"msg": "refused"}}]},
        {
            "labstream.aws.streaming_handout": {
                "urls_csv": str(home / "handout.csv"),
                "seats": "{{ appstream_lab_seats }}",
            }
        },
        {MODULE: {**tuesday, "return_urls": False}},
        {**role, "vars": {**monday, "appstream_lab_state": "absent"}},
        {"block": stream_urls, "rescue": [{debug: {"var": "ansible_failed_result"}}]},
        {debug: {"var": "hostvars[inventory_hostname]"}},
    ]
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def processes_until_the_end_of(process: subprocess.Popen) -> set[bytes]:
    """Return arguments and environments of the process and its descendants, except the very short-lived."""
    seen = set()
    end = time.monotonic() + TIMEOUT_SECONDS
    while process.poll() is None:
        if time.monotonic() > end:
            kill_tree(process.pid)
        seen |= {line for pid in get_tree(process.pid) for line in read_process(pid)}
        time.sleep(0.05)
    return seen


def read_process(pid: int) -> list[bytes]:
    """Return the arguments and environment of a process."""
    try:
        return [Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")]
    except OSError:
        return []


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, with a short name: ansible-core 2.21 creates a socket in it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Recorded:
    """A run by ansible-runner at ``-vvvv``: its exit status, its output, and where it left files.

    All of it lies under ``folder``, and what its processes showed: arguments, environments, and the machine's log.
    """

    status: int
    printed: str
    folder: Path
    kept: Path

    @property
    def artifacts(self) -> Path:
        return self.folder / "runner" / "artifacts" / "run"


@pytest.fixture
def record(ansible: Ansible, home: Path, tmp_path: Path, temporary: Path) -> Callable[[list[dict]], Recorded]:
    """Run plays with everything kept that Ansible can keep."""

    def run(plays: list[dict]) -> Recorded:
        project = tmp_path / "runner" / "project"
        project.mkdir(parents=True)
        (project / "lab.yml").write_text(json.dumps(plays))
        kept = tmp_path / "kept"
        kept.mkdir()
        (tmp_path / "python").mkdir()
        (tmp_path / "python" / "sitecustomize.py").write_text(SYSLOG)
        environment = {
            **ansible.environment,
            "PYTHONPATH": str(tmp_path / "python"),
            "LABSTREAM_TEST_SYSLOG": str(tmp_path / "syslog"),
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TEMP": str(kept),
            "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"),
            "LABSTREAM_TEST_RESULTS": str(tmp_path / "results.jsonl"),
            "TMPDIR": str(temporary),
        }
        command = [Path(sys.executable).with_name("ansible-runner"), "run", tmp_path / "runner", "-p", "lab.yml"]
        with open(tmp_path / "printed", "w+") as output:
            process = subprocess.Popen(
                [*command, "--ident", "run", "--cmdline", "--diff -vvvv"],
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            started = processes_until_the_end_of(process)
            output.seek(0)
            printed = output.read()
        (tmp_path / "processes").write_bytes(b"\n".join(started))
        # What is searched is there.
        recorded = Recorded(process.returncode, printed, tmp_path, kept)
        assert len(list((recorded.artifacts / "job_events").iterdir())) > 5, printed
        assert (tmp_path / "syslog").read_text().count("Invoked with") > 5
        assert sum(b"AnsiballZ_" in each for each in started) > 5
        return recorded

    return run


@pytest.mark.core
def test_no_url_is_in_what_a_run_prints_keeps_caches_or_records(
    lab: Simulator, record: Callable[[list[dict]], Recorded], home: Path, tmp_path: Path, temporary: Path
) -> None:
    lab.add_fault(
        operation="CreateStreamingURL",
        parameters={"UserId": "refused"},
        error={"code": "OperationNotPermittedException"},
    )
    lab.seed_studio(STUDIO, SESSIONS)
    lab.seed_stream_group(STREAM_GROUP)

    run = record(playbook(home))

    assert run.status == 0, run.printed
    assert len(list((run.artifacts / "job_events").iterdir())) > 20
    # ansible-runner has Ansible cache facts with the plugin jsonfile.
    [facts] = (run.artifacts / "fact_cache").iterdir()
    assert "appstream_streaming_urls" in facts.read_text()
    assert "nimble_session_streams" in facts.read_text()
    assert list(run.kept.rglob("AnsiballZ_appstream_streaming_url.py"))
    assert list(run.kept.rglob("AnsiballZ_nimble_session_stream.py"))
    assert '"appstream_lab_seats"' in run.printed
    assert "OperationNotPermittedException" in run.printed
    assert "'refused' is STOPPED" in run.printed
    assert json.loads((home / "summary.json").read_text())["released"] == 2
    urls, of_group = lab.streaming_urls(), len(lab.calls("CreateStreamUrl"))
    assert (len(urls) - of_group, len(lab.streams())) == (7, 4)
    of_streams, secrets = secrets_of(urls[:4] + urls[7:]), secrets_of(urls)

    assert files_with([stream["streamId"] for stream in lab.streams()[2:]], home) == {home / STORE}
    assert files_with(of_streams, tmp_path) == set()
    # The handout of monday, and the store with tuesday's. They show that the search finds what is there.
    assert files_with(secrets, tmp_path) == {home / "handout.csv", home / STORE}
    assert files_with(secrets, temporary) == set()

    assert stat.S_IMODE((home / "handout.csv").stat().st_mode) == 0o600
    assert files_with([KEY], tmp_path) == {tmp_path / "runner" / "project" / "lab.yml"}
    planted = run.artifacts / "job_events" / "planted.json"
    planted.write_text(json.dumps({"stdout": secrets[-1]}))
    assert planted in files_with(secrets, tmp_path)


# At each step of a run, what fails there; some of it only after URLs were issued.
STEPS: dict[str, dict[str, Any]] = {
    "the studio": {"operation": "GetStudio", "error": DOWN},
    "a stream": {"operation": "CreateStreamingSessionStream", "error": DOWN, "skip": 1},
    "a stream whose reply is lost": {"operation": "CreateStreamingSessionStream", "drop": "after"},
    "a look at a stream": {"operation": "GetStreamingSessionStream", "reply": "truncated"},
    "the stack": {"operation": "DescribeStacks", "error": DOWN},
    "a URL": {"operation": "CreateStreamingURL", "error": DOWN, "skip": 1},
    "a URL whose reply is lost": {"operation": "CreateStreamingURL", "drop": "after", "skip": 1},
    "a URL whose reply breaks off": {"operation": "CreateStreamingURL", "reply": "truncated", "skip": 1},
    "a URL whose reply is no JSON": {"operation": "CreateStreamingURL", "reply": "malformed", "skip": 1},
    "a stream URL": {"operation": "CreateStreamUrl", "error": DOWN, "skip": 1},
    "a stream URL whose reply breaks off": {"operation": "CreateStreamUrl", "reply": "truncated"},
    "the end of a stream URL": {"operation": "RevokeStreamUrl", "error": DOWN},
    "the lease of a URL": {"operation": "PutItem", "error": DOWN, "skip": 12},
    "the leases": {"operation": "BatchGetItem", "reply": "malformed", "skip": 3},
}


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_whatever_step_fails_no_url_is_in_what_a_run_leaves(
    lab: Simulator, record: Callable[[list[dict]], Recorded], home: Path, tmp_path: Path, temporary: Path, step: str
) -> None:
    lab.seed_studio(STUDIO, SESSIONS)
    lab.seed_stream_group(STREAM_GROUP)
    store = LeaseTable.create(lab).url
    [play] = playbook(home)
    once = {"group/labstream.aws.labstream": {"aws_config": {"retries": {"total_max_attempts": 1}}}}
    lab.add_fault(**STEPS[step])

    record([{**play, "ignore_errors": True, "module_defaults": once, "environment": {"LABSTREAM_LEASE_STORE": store}}])

    assert lab.faults()[0]["acted"], "nothing failed"
    secrets = secrets_of(lab.streaming_urls())
    assert files_with(secrets, tmp_path) <= {home / "handout.csv"}
    assert files_with(secrets, temporary) == set()
