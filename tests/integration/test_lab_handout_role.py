# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role lab_handout: from seats to pages, days ahead of the lab and after it, on disk and in a bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import CHECKOUT, COLLECTIONS, FLEET, MODULE, RESULT, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

ROLE, HANDOUT = "labstream.aws.lab_handout", "labstream.aws.streaming_handout"
WRITE = "Check the paths, and write the pages and files that have changed"
UPLOAD = "Upload the pages that differ from those in the bucket"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "monday"}
BUCKET, PREFIX = "lab-pages", "monday"
HAS_S3_SYNC = (COLLECTIONS / "ansible_collections/community/aws").is_dir()

START = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None, microsecond=0)
DETAILS = {
    "title": "Computer-aided design",
    "contact": "Carla Example",
    "starts_at": START.isoformat(),
    "ends_at": (START + timedelta(hours=4)).isoformat(),
    "timezone": "Europe/Berlin",
}
REJECTED: dict[str, dict[str, Any]] = {
    "lab_handout_starts_at": {"starts_at": "13:00"},
    "lab_handout_links_csv": {"link": "links.csv"},
}


@dataclass(frozen=True)
class Runs:
    """The role, run after run, all in one playbook, because a playbook takes time to start."""

    run: Run
    simulator: Simulator
    on_disk: Path
    in_bucket: Path
    has_names: bool

    def results(self, name: str) -> list[Task]:
        """Return the results of the role's task of that name, each time that it was not skipped."""
        return [task for task in self.run.tasks if task.name == f"{ROLE} : {name}" and task.status != "skipped"]


def run_role(task: str, folder: Path, /, **options: Any) -> dict[str, Any]:
    """Return a task that runs the role, after which the next one runs; options with None are left out."""
    known = {
        "name": "monday",
        "pages_dir": str(folder / "pages"),
        "links_csv": str(folder / "links.csv"),
        "overview_html": str(folder / "overview.html"),
        "seats": [{"id": "anna", "name": "Anna"}],
        **options,
    }
    role = {
        "name": task,
        "ansible.builtin.include_role": {"name": ROLE},
        "vars": {f"lab_handout_{option}": value for option, value in known.items() if value is not None},
    }
    return {"block": [role], "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}]}


@pytest.fixture(scope="module")
def runs(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    simulator_process.reset()
    simulator_process.seed_lab(STACK, FLEET)
    simulator_process.client("s3", "us-east-1").create_bucket(Bucket=BUCKET)
    home, disk, bucket = (tmp_path_factory.mktemp(name) for name in ("home", "disk", "bucket"))
    ansible = Ansible(home, simulator_process.environment())
    issued = ansible.call_module({**ARGS, "user_id": "anna"}, module=MODULE)
    seats = [{"id": "anna", "name": "Anna", "lease": issued.result["streaming_urls"][0]["lease"]}]
    urls_csv = {"urls_csv": str(disk / "urls.csv")}
    tasks = [
        run_role("ahead", disk, allow_missing=True, **DETAILS),
        run_role("filled", disk, seats=seats, **urls_csv, **DETAILS),
        run_role("again", disk, seats=seats, purge="false", **urls_csv, **DETAILS),
        run_role("ended", disk, seats=None, **urls_csv, state="absent"),
        *(run_role(name, disk, **options) for name, options in REJECTED.items()),
    ]
    if HAS_S3_SYNC:
        learners = [{"id": learner} for learner in ("bea", "ben", "carla")]
        known = {"name": "tuesday", "allow_missing": True, "s3_prefix": PREFIX}
        tasks += [
            run_role("in a bucket", bucket, seats=learners[:2], s3_bucket=BUCKET, **known),
            run_role("one more", bucket, seats=learners, s3_bucket=BUCKET, **known),
            run_role("elsewhere", disk, seats=None, state="absent", purge=True, s3_bucket="nowhere"),
        ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = ansible.run_playbook([play], diff=True, verbosity=3)
    purge = {"lab": "monday", "state": "absent", "purge": True, "pages_dir": str(disk / "pages")}
    purged = ansible.call_module(purge, module=HANDOUT, check=True)
    return Runs(run, simulator_process, disk, bucket, has_names=purged.changed)


def test_a_lab_gets_its_pages_then_its_urls_and_says_when_it_has_ended(runs: Runs) -> None:
    written = runs.results(WRITE)[:4]
    assert [(task.status, task.changed) for task in written] == [
        ("ok", True),
        ("ok", True),
        ("ok", False),
        ("ok", True),
    ], runs.run.printed
    published = runs.results("Publish the results")[:4]
    summaries = [task.result["ansible_facts"]["lab_handout_summary"] for task in published]
    assert [(each["missing"], each["written"], each["warnings"]) for each in summaries] == [
        (1, 3, []),
        (0, 3, []),
        (0, 0, []),
        (0, 4, []),
    ]
    [page] = (runs.on_disk / "pages").iterdir()
    assert re.findall(r'<main[^>]* data-state="(\w+)"', page.read_text()) == ["ended"]
    assert not (runs.on_disk / "urls.csv").exists()


def test_ansible_warns_about_nothing_in_the_role(runs: Runs) -> None:
    assert "duplicate mapping key" not in runs.run.printed
    # community.aws.s3_sync, which uploads the pages, imports what ansible-core will remove.
    deprecations = re.findall(r"\[DEPRECATION WARNING\]: (.*)", runs.run.printed)
    assert [text for text in deprecations if "ansible.module_utils._text" not in text] == []


def test_neither_a_url_nor_the_name_of_a_page_is_printed(runs: Runs) -> None:
    pages = [*runs.on_disk.rglob("pages/*"), *runs.in_bucket.rglob("pages/*")]
    assert len(pages) == (4 if HAS_S3_SYNC else 1)
    for secret in [*runs.simulator.streaming_urls(), *(page.stem for page in pages)]:
        assert secret not in runs.run.printed + str(runs.run.tasks)


def test_arguments_that_argument_specs_cannot_check_are_rejected(runs: Runs) -> None:
    rejected = [task for task in runs.results("Validate arguments") if task.failed]
    assert len(rejected) == len(REJECTED), runs.run.printed
    for name, task in zip(REJECTED, rejected, strict=True):
        assert name in task.msg


@pytest.mark.skipif(not HAS_S3_SYNC, reason="the collection community.aws, which uploads, is not installed")
def test_pages_are_uploaded_privately_and_only_if_they_differ(runs: Runs) -> None:
    uploads = runs.results(UPLOAD)
    assert [task.result.get("changed") for task in uploads[:2]] == [True, True], runs.run.printed
    puts = [call["parameters"] for call in runs.simulator.calls("PutObject", service="s3")]
    keys = [put["Key"] for put in puts if put["Bucket"] == BUCKET]
    pages = {page.name: page.read_text() for page in (runs.in_bucket / "pages").iterdir()}
    s3 = runs.simulator.client("s3", "us-east-1")
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    # Each was uploaded once, so the second run did not upload those of the first again.
    assert sorted(keys) == sorted(each["Key"] for each in objects) == sorted(f"{PREFIX}/{name}" for name in pages)
    for name, text in pages.items():
        stored = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")
        assert stored["Body"].read().decode() == text
        assert (stored["CacheControl"], stored["ContentType"]) == ("no-store", "text/html; charset=utf-8")


@pytest.mark.skipif(not HAS_S3_SYNC, reason="the collection community.aws, which uploads, is not installed")
def test_after_an_upload_that_failed_the_names_of_the_pages_are_still_stored(runs: Runs) -> None:
    [failed] = runs.results("Fail if the upload is incomplete")
    assert failed.failed
    assert "could not be uploaded to the bucket nowhere: " in failed.msg
    assert "Check that the bucket exists" in failed.msg
    assert runs.has_names


def test_start_lab_writes_to_the_working_directory_and_checks_paths_before_it_starts_a_fleet(
    lab: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    options = {
        "appstream_lab_name": "monday",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_learners": [{"id": "anna", "name": "Anna Example", "language": "de"}],
        "appstream_lab_break_minutes": 5,
        "appstream_lab_validity": 3600,
        "appstream_lab_timezone": "Asia/Tokyo",
        "appstream_lab_manage_fleet": False,
        "appstream_lab_summary_path": "summary.json",
        "lab_handout_pages_dir": "pages",
        "lab_handout_links_csv": "links.csv",
        "lab_handout_overview_html": "overview.html",
    }
    wrapper = [{"import_playbook": "labstream.aws.start_lab", "vars": options}]
    files, calls = set((CHECKOUT / "playbooks").rglob("*")), len(lab.calls())

    nowhere = run_playbook(wrapper, extra_vars={"lab_handout_urls_csv": "nowhere/urls.csv"})
    calls_of_the_check = lab.calls()[calls:]
    started = run_playbook(wrapper, extra_vars={"lab_handout_urls_csv": "urls.csv"})
    no_urls = run_playbook(wrapper, arguments=["--tags", "handout"])
    no_zone = run_playbook(
        wrapper,
        extra_vars={
            "appstream_lab_validity": None,
            "appstream_lab_ends_at": "17:00",
            "appstream_lab_timezone": "",
        },
    )

    no_name = run_playbook(wrapper, extra_vars={"appstream_lab_name": None})

    [error] = [task.msg for task in nowhere.tasks if task.failed and "streaming_handout" in task.action]
    assert error.startswith(
        f"The handout {home}/nowhere/urls.csv cannot be written: its folder is missing or read-only"
    )
    assert calls_of_the_check == []
    # An option that both roles need is named as the user gave it.
    assert "appstream_lab_ends_at: The time '17:00' has no offset" in no_zone.printed
    assert "lab_handout_ends_at" not in no_zone.printed
    assert no_name.task(RESULT).msg.startswith(
        "Validation of arguments failed:\nmissing required arguments: appstream_lab_name"
    )
    # What the tags leave out is said.
    assert no_urls.returncode == 2
    assert len([task for task in no_urls.tasks if task.failed and "--tags urls,handout" in task.msg]) == 1
    assert started.returncode == 0, started.printed
    # The last message has that of the role too.
    message = started.task(RESULT).msg
    assert message.startswith("Learners: 1. Streaming URLs issued: 1, reused: 0. They are valid until ")
    assert " (Asia/Tokyo). " in message
    assert message.endswith(
        f" Pages: 1, in {home}/pages. Their addresses: {home}/links.csv. Overview: {home}/overview.html. "
        f"URLs: {home}/urls.csv."
    )
    assert (home / "urls.csv").is_file()
    assert {"pages", "links.csv", "overview.html", "summary.json"} <= {path.name for path in home.iterdir()}
    assert {path for path in (CHECKOUT / "playbooks").rglob("*") if "__pycache__" not in path.parts} <= files
    # The language and the limits of the fleet come from the role.
    [page] = (home / "pages").iterdir()
    assert '<html lang="de">' in page.read_text()
    assert "innerhalb von 15 Minuten" in page.read_text()


@pytest.mark.usefixtures("lab")
def test_end_lab_names_those_in_the_roster_and_ends_the_lab_without_it_too(
    call_module: Callable[..., Task], run_playbook: Callable[..., Run], home: Path
) -> None:
    (home / "roster.csv").write_text("id;name;language\nanna;Anna Example;fr\n")
    options = {
        "appstream_lab_name": "monday",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_validity": 3600,
        "appstream_lab_manage_fleet": False,
    }

    # Given a lab whose learner has a URL and a page.
    [entry] = call_module({**ARGS, "user_id": "anna"}).result["streaming_urls"]
    seats = [{"id": "anna", "lease": entry["lease"]}]
    written = call_module({"lab": "monday", "seats": seats, "pages_dir": str(home / "pages")}, module=HANDOUT)
    assert written.changed, written.result

    # When it ends with its roster, and again without one.
    def end(folder: str, roster: str) -> dict[str, Any]:
        own = {
            "appstream_lab_roster": roster,
            "appstream_lab_summary_path": f"{folder}/summary.json",
            "lab_handout_pages_dir": f"{folder}/pages",
            "lab_handout_overview_html": f"{folder}/overview.html",
        }
        (home / folder).mkdir()
        return {"import_playbook": "labstream.aws.end_lab", "vars": {**options, **own}}

    run = run_playbook([end("with", "roster.csv"), end("without", "nowhere.csv")])
    assert run.returncode == 0, run.printed

    def read(folder: str) -> tuple[list[str], bool, str]:
        """Return the warnings, whether the overview has the name, and the language of the page."""
        [page] = (home / folder / "pages").iterdir()
        return (
            json.loads((home / folder / "summary.json").read_text())["warnings"],
            "Anna Example" in (home / folder / "overview.html").read_text(),
            re.findall('<html lang="(.*?)">', page.read_text())[0],
        )

    # Then the overview names those in the roster.
    assert read("with") == ([], True, "fr")
    assert read("without") == (
        [
            "The overview has no names, since the roster cannot be read: There is no roster "
            f"{home}/nowhere.csv on the controller: correct the path."
        ],
        False,
        "en",
    )
