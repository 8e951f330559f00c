# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role lab_handout: from seats to pages, days ahead of the class and after it, on disk and in a bucket."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import COLLECTIONS, FLEET, MODULE, STACK, Run
from tests.simulator.control import Simulator

pytestmark = pytest.mark.long
ROLE = "labstream.aws.lab_handout"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "monday", "return_urls": False}
BUCKET, PREFIX = "lab-pages", "monday"
HAS_S3_SYNC = (COLLECTIONS / "ansible_collections/community/aws").is_dir()
RunTasks = Callable[..., Run]


def variables(folder: Path, **options: Any) -> dict[str, Any]:
    """The role's variables for the class "monday"; options with None are left out."""
    known = {
        "name": "monday",
        "pages": str(folder / "pages"),
        "links": str(folder / "links.csv"),
        "overview": str(folder / "overview.html"),
        "seats": [{"learner": "anna", "name": "Anna"}],
        **options,
    }
    return {f"lab_handout_{name}": value for name, value in known.items() if value is not None}


def hand_out(name: str, folder: Path, **options: Any) -> dict[str, Any]:
    """A task that runs the role."""
    return {
        "name": name,
        "ansible.builtin.include_role": {"name": ROLE},
        "vars": variables(folder, **options),
    }


def results(run: Run, name: str) -> list[Any]:
    """What became of the role's task of that name, in every run of the role."""
    return [task for task in run.tasks if task.name == f"{ROLE} : {name}"]


def states(folder: Path) -> list[str]:
    return [
        re.findall(r'<main[^>]* data-state="(\w+)"', page.read_text())[0]
        for page in sorted((folder / "pages").iterdir())
    ]


def test_a_class_gets_its_pages_ahead_then_its_urls_and_in_the_end_is_told_so(
    lab: Simulator, run_tasks: RunTasks, home: Path
) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None, microsecond=0)
    class_ = {
        "title": "Computer-aided design",
        "contact": "Carla Example",
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=4)).isoformat(),
        "timezone": "Europe/Berlin",
    }
    seat = "{{ [{'learner': 'anna', 'name': 'Anna', 'seat': 'anna', 'scope': issued.scope}] }}"
    tasks = [
        hand_out("ahead", home, allow_missing=True, **class_),
        {"name": "issue", MODULE: {**ARGS, "user_id": "anna"}, "register": "issued"},
        hand_out("filled", home, seats=seat, csv=str(home / "class.csv"), **class_),
        hand_out("again", home, seats=seat, csv=str(home / "class.csv"), **class_),
        hand_out("ended", home, seats=None, csv=str(home / "class.csv"), state="absent"),
    ]

    run = run_tasks(tasks, diff=True, verbosity=3)

    written = results(run, "Write the pages and files that are not up to date")
    assert [(task.status, task.changed) for task in written] == [
        ("ok", True),
        ("ok", True),
        ("ok", False),
        ("ok", True),
    ], run.printed
    summaries = [task.result["ansible_facts"]["lab_handout_summary"] for task in results(run, "Say how many there are")]
    assert [(each["missing"], each["written"]) for each in summaries] == [(1, 3), (0, 3), (0, 0), (0, 4)]
    assert states(home) == ["ended"]
    assert not (home / "class.csv").exists()
    [page] = (home / "pages").iterdir()
    for secret in [*lab.streaming_urls(), page.stem]:
        assert secret not in run.printed + str(run.tasks)


def test_what_the_description_of_arguments_cannot_refuse_is_refused(
    simulator: Simulator, run_tasks: RunTasks, home: Path
) -> None:
    cases = {
        "Give lab_handout_seats": {"seats": None},
        "Give at least one of lab_handout_csv": {"pages": None, "overview": None, "links": None},
        "is a time of day": {"starts_at": "13:00"},
        "lab_handout_s3_bucket is for pages": {"pages": None, "links": None, "s3_bucket": "b"},
    }
    run = run_tasks([hand_out(says, home, **options) for says, options in cases.items()])
    refused = results(run, "Refuse what the description of arguments cannot")
    assert len(refused) == len(cases), run.printed
    for says, task in zip(cases, refused, strict=True):
        assert says in task.msg


@pytest.mark.skipif(not HAS_S3_SYNC, reason="the collection community.aws, which uploads, is not installed")
def test_pages_are_uploaded_privately_and_only_when_they_differ(
    simulator: Simulator, run_tasks: RunTasks, home: Path
) -> None:
    s3 = simulator.client("s3", "us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    bucket = {"allow_missing": True, "s3_bucket": BUCKET, "s3_prefix": PREFIX}
    seats = [{"learner": learner} for learner in ("anna", "ben")]
    tasks = [
        hand_out("first", home, seats=seats, **bucket),
        hand_out("again", home, seats=seats, **bucket),
        hand_out("one more", home, seats=[*seats, {"learner": "carla"}], **bucket),
        hand_out("elsewhere", home, seats=seats, allow_missing=True, s3_bucket="nowhere"),
    ]

    run = run_tasks(tasks, verbosity=3)

    uploads = results(run, "Upload the pages that the bucket has not, or has otherwise")
    assert [task.result.get("changed") for task in uploads[:3]] == [True, False, True], run.printed
    pages = {page.name: page.read_text() for page in (home / "pages").iterdir()}
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {each["Key"] for each in objects} == {f"{PREFIX}/{name}" for name in pages}
    for name, text in pages.items():
        told = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")
        assert told["Body"].read().decode() == text
        assert (told["CacheControl"], told["ContentType"]) == ("no-store", "text/html; charset=utf-8")
        assert name.removesuffix(".html") not in run.printed + str(run.tasks)
    [failed] = results(run, "Fail if the pages are not all published")[-1:]
    assert failed.failed
    assert "cannot be published to the bucket nowhere" in failed.msg
