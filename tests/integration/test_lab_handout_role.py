# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role lab_handout: from seats to pages, days ahead of the class and after it, on disk and in a bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import COLLECTIONS, FLEET, MODULE, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

ROLE, HANDOUT = "labstream.aws.lab_handout", "labstream.aws.streaming_handout"
WRITES = "Write the pages and files that are not up to date"
UPLOADS = "Upload the pages that the bucket has not, or has otherwise"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "monday"}
BUCKET, PREFIX = "lab-pages", "monday"
HAS_S3_SYNC = (COLLECTIONS / "ansible_collections/community/aws").is_dir()

START = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None, microsecond=0)
CLASS = {
    "title": "Computer-aided design",
    "contact": "Carla Example",
    "starts_at": START.isoformat(),
    "ends_at": (START + timedelta(hours=4)).isoformat(),
    "timezone": "Europe/Berlin",
}
REFUSED: dict[str, dict[str, Any]] = {
    "Give lab_handout_seats": {"seats": None},
    "Give at least one of lab_handout_csv": {"pages": None, "overview": None, "links": None},
    "is a time of day": {"starts_at": "13:00"},
    "lab_handout_s3_bucket is for pages": {"pages": None, "links": None, "s3_bucket": "b"},
}


@dataclass(frozen=True)
class HandedOut:
    """What came of the role, run after run, all in one playbook, since a playbook takes its time to start."""

    run: Run
    simulator: Simulator
    class_on_disk: Path
    class_in_bucket: Path
    names_are_known: bool

    def results(self, name: str) -> list[Task]:
        """What became of the role's task of that name, each time that it was not skipped."""
        return [task for task in self.run.tasks if task.name == f"{ROLE} : {name}" and task.status != "skipped"]


def hand_out(task: str, folder: Path, /, **options: Any) -> dict[str, Any]:
    """A task of that name that runs the role, after which the next one runs; options with None are left out."""
    known = {
        "name": "monday",
        "pages": str(folder / "pages"),
        "links": str(folder / "links.csv"),
        "overview": str(folder / "overview.html"),
        "seats": [{"learner": "anna", "name": "Anna"}],
        **options,
    }
    role = {
        "name": task,
        "ansible.builtin.include_role": {"name": ROLE},
        "vars": {f"lab_handout_{option}": value for option, value in known.items() if value is not None},
    }
    return {"block": [role], "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}]}


@pytest.fixture(scope="module")
def handed_out(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> HandedOut:
    simulator_process.reset()
    simulator_process.seed_lab(STACK, FLEET)
    simulator_process.client("s3", "us-east-1").create_bucket(Bucket=BUCKET)
    home, disk, bucket = (tmp_path_factory.mktemp(name) for name in ("home", "disk", "bucket"))
    ansible = Ansible(home, simulator_process.environment())
    issued = ansible.call_module({**ARGS, "user_id": "anna"}, module=MODULE)
    seats = [{"learner": "anna", "name": "Anna", "seat": "anna", "scope": issued.result["scope"]}]
    csv = {"csv": str(disk / "class.csv")}
    tasks = [
        hand_out("ahead", disk, allow_missing=True, **CLASS),
        hand_out("filled", disk, seats=seats, **csv, **CLASS),
        hand_out("again", disk, seats=seats, **csv, **CLASS),
        hand_out("ended", disk, seats=None, **csv, state="absent"),
        *(hand_out(says, disk, **options) for says, options in REFUSED.items()),
    ]
    if HAS_S3_SYNC:
        learners = [{"learner": learner} for learner in ("bea", "ben", "carla")]
        known = {"name": "tuesday", "allow_missing": True, "s3_prefix": PREFIX}
        tasks += [
            hand_out("in a bucket", bucket, seats=learners[:2], s3_bucket=BUCKET, **known),
            hand_out("one more", bucket, seats=learners, s3_bucket=BUCKET, **known),
            hand_out("elsewhere", disk, seats=None, state="absent", purge=True, s3_bucket="nowhere"),
        ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = ansible.run_playbook([play], diff=True, verbosity=3)
    purge = {"lab": "monday", "state": "absent", "purge": True, "pages": str(disk / "pages")}
    purged = ansible.call_module(purge, module=HANDOUT, check=True)
    return HandedOut(run, simulator_process, disk, bucket, names_are_known=purged.changed)


def test_a_class_gets_its_pages_ahead_then_its_urls_and_in_the_end_is_told_so(handed_out: HandedOut) -> None:
    written = handed_out.results(WRITES)[:4]
    assert [(task.status, task.changed) for task in written] == [
        ("ok", True),
        ("ok", True),
        ("ok", False),
        ("ok", True),
    ], handed_out.run.printed
    told = handed_out.results("Say how many there are")[:4]
    summaries = [task.result["ansible_facts"]["lab_handout_summary"] for task in told]
    assert [(each["missing"], each["written"]) for each in summaries] == [(1, 3), (0, 3), (0, 0), (0, 4)]
    [page] = (handed_out.class_on_disk / "pages").iterdir()
    assert re.findall(r'<main[^>]* data-state="(\w+)"', page.read_text()) == ["ended"]
    assert not (handed_out.class_on_disk / "class.csv").exists()


def test_ansible_has_nothing_to_say_of_how_the_role_is_written(handed_out: HandedOut) -> None:
    assert "duplicate mapping key" not in handed_out.run.printed
    assert "[DEPRECATION WARNING]" not in handed_out.run.printed


def test_neither_a_url_nor_a_pages_name_is_printed(handed_out: HandedOut) -> None:
    pages = [*handed_out.class_on_disk.rglob("pages/*"), *handed_out.class_in_bucket.rglob("pages/*")]
    assert len(pages) == (4 if HAS_S3_SYNC else 1)
    for secret in [*handed_out.simulator.streaming_urls(), *(page.stem for page in pages)]:
        assert secret not in handed_out.run.printed + str(handed_out.run.tasks)


def test_what_the_description_of_arguments_cannot_refuse_is_refused(handed_out: HandedOut) -> None:
    refused = handed_out.results("Refuse what the description of arguments cannot")
    assert len(refused) == len(REFUSED), handed_out.run.printed
    for says, task in zip(REFUSED, refused, strict=True):
        assert says in task.msg


@pytest.mark.skipif(not HAS_S3_SYNC, reason="the collection community.aws, which uploads, is not installed")
def test_pages_are_uploaded_privately_and_only_when_they_differ(handed_out: HandedOut) -> None:
    uploads = handed_out.results(UPLOADS)
    assert [task.result.get("changed") for task in uploads[:2]] == [True, True], handed_out.run.printed
    puts = [call["parameters"] for call in handed_out.simulator.calls("PutObject", service="s3")]
    keys = [put["Key"] for put in puts if put["Bucket"] == BUCKET]
    pages = {page.name: page.read_text() for page in (handed_out.class_in_bucket / "pages").iterdir()}
    s3 = handed_out.simulator.client("s3", "us-east-1")
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    # Each was put there once, so those of the first run were not when one more was.
    assert sorted(keys) == sorted(each["Key"] for each in objects) == sorted(f"{PREFIX}/{name}" for name in pages)
    for name, text in pages.items():
        told = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")
        assert told["Body"].read().decode() == text
        assert (told["CacheControl"], told["ContentType"]) == ("no-store", "text/html; charset=utf-8")


@pytest.mark.skipif(not HAS_S3_SYNC, reason="the collection community.aws, which uploads, is not installed")
def test_an_upload_that_fails_is_a_failure_after_which_the_pages_are_still_known(handed_out: HandedOut) -> None:
    [failed] = handed_out.results("Fail if the pages are not all published")
    assert failed.failed
    assert "cannot be published to the bucket nowhere: " in failed.msg
    assert "Look whether the bucket exists" in failed.msg
    assert handed_out.names_are_known
