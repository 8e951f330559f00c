# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handouts of a lab over each lease store, and what the module shows to nobody; its rules have unit tests."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import FLEET, MODULE, STACK, STREAM_MODULE, STUDIO, Ansible, Run, Task
from tests.pages import url_of
from tests.simulator.control import Simulator

HANDOUT = "labstream.aws.streaming_handout"
GAMELIFT_MODULE = "labstream.aws.gamelift_stream_url"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "cad"}
LEARNERS = ("anna", "ben", "carla")
BASE_URL = "https://labs.example.org/cad"


class Lab:
    """A lab, its leases in one store, and its handouts in one folder."""

    def __init__(self, ansible: Ansible, lease_store: str | None = None) -> None:
        self._ansible = ansible
        self.folder = ansible.home
        self.lease_store = lease_store or f"sqlite://{self.folder}/.ansible/leases.sqlite3"
        self.pages_dir, self.overview_html = self.folder / "pages", self.folder / "overview.html"
        self.links_csv, self.urls_csv = self.folder / "links.csv", self.folder / "urls.csv"
        self.seats: list[dict[str, Any]] = []

    def issue(self, *learners: str, **args: Any) -> dict[str, str]:
        """Issue URLs for the learners, and let ``seats`` be the entries without URLs; return the URLs by learner."""
        users = [{"user_id": learner, **roster_row(learner)} for learner in learners]
        task = self.call({**ARGS, "users": users, **args}, module=MODULE)
        assert not task.failed, task.msg
        self.seats = [{**entry, "streaming_url": None} for entry in task.result["streaming_urls"]]
        return dict(zip(learners, map(str, task.urls), strict=True))

    def write(self, *, check: bool = False, **args: Any) -> Task:
        """Write pages, overview and links of ``seats``; options with None are left out."""
        paths = {name: str(getattr(self, name)) for name in ("pages_dir", "overview_html", "links_csv")}
        args = {"lab": "cad", "seats": self.seats, "base_url": BASE_URL, **paths, **args}
        return self.call({name: value for name, value in args.items() if value is not None}, check=check)

    def call(self, args: dict[str, Any], *, module: str = HANDOUT, check: bool = False) -> Task:
        return self._ansible.call_module(
            {"lease_store": self.lease_store, **args}, module=module, check=check, diff=True, verbosity=3
        )

    def rows(self) -> list[dict[str, str]]:
        with self.urls_csv.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def addresses(self) -> dict[str, str]:
        """Return the addresses of the pages by learner."""
        with self.links_csv.open(newline="", encoding="utf-8") as file:
            return {row["id"]: row["page"] for row in csv.DictReader(file)}

    def urls(self) -> dict[str, str | None]:
        """Return the URLs that the buttons open by learner; None for a page without a button."""
        return {learner: url_of(self.page_at(address)) for learner, address in self.addresses().items()}

    def page_at(self, address: str) -> str:
        assert address.startswith(f"{BASE_URL}/")
        return (self.pages_dir / address.removeprefix(f"{BASE_URL}/")).read_text()

    def states(self) -> list[str]:
        return sorted(state_of(page.read_text()) for page in self.pages_dir.iterdir())


def roster_row(learner: str) -> dict[str, str]:
    return {"id": learner, "name": f"{learner.title()} Example", "email": f"{learner}@example.org"}


def state_of(page: str) -> str:
    return re.findall(r'<main id="page"[^>]* data-state="(\w+)"', page)[0]


def snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return all files with what changes when one is written."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".ansible" not in path.parts]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode) for path in paths}


@pytest.fixture
def handouts(simulator: Simulator, ansible: Ansible) -> Lab:
    """The handouts of a lab with its leases in a file."""
    return Lab(ansible)


@pytest.mark.parametrize("store", ["sqlite", "dynamodb"])
def test_a_lab_keeps_its_pages_from_days_ahead_to_its_end_on_any_host(
    lab: Simulator, ansible: Ansible, tmp_path: Path, store: str
) -> None:
    handouts = Lab(ansible, LeaseTable.create(lab).url if store == "dynamodb" else None)

    # Given a roster days ahead of the lab; check mode names no page, and a run creates pages that wait.
    ahead = {
        "seats": [roster_row(learner) for learner in LEARNERS],
        "allow_missing": True,
        "starts_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds"),
    }
    predicted = handouts.write(check=True, return_pages=True, **ahead)
    assert not predicted.failed, predicted.msg
    assert [entry["page"] for entry in predicted.result["pages"]] == [None] * 3
    assert snapshot(handouts.folder) == {}
    created = handouts.write(**ahead)
    assert not created.failed, created.msg
    assert created.result["missing"] == list(LEARNERS)
    assert handouts.states() == ["waiting"] * 3
    addresses = handouts.addresses()

    # When URLs are issued, then the pages open them, and a second task writes no file.
    urls = handouts.issue(*LEARNERS)
    assert handouts.write().result["summary"] == {"requested": 3, "missing": 0, "written": 4}  # and the overview
    assert (handouts.addresses(), handouts.urls()) == (addresses, urls)
    before = snapshot(handouts.folder)
    again = handouts.write()
    assert (again.changed, again.result["summary"]["written"]) == (False, 0)
    assert snapshot(handouts.folder) == before

    # When a URL is renewed, and another host writes the pages from the roster alone, then the addresses are the same.
    home = tmp_path / "elsewhere" / "home"
    home.mkdir(parents=True)
    elsewhere = Lab(Ansible(home, lab.environment()), handouts.lease_store)
    urls |= handouts.issue("anna", force=True)
    elsewhere.write(**ahead)
    assert (elsewhere.addresses(), elsewhere.urls()) == (addresses, urls)

    # When a learner gets another user id, then the previous page says that there is another.
    urls["anna"] = handouts.issue("anna-2")["anna-2"]
    rotated = handouts.write(seats=[{**handouts.seats[0], **roster_row("anna"), "generation": 1}])
    assert rotated.result["summary"]["written"] == 4  # both pages, links and overview
    [address] = handouts.addresses().values()
    assert address != addresses["anna"]
    assert handouts.urls() == {"anna": urls["anna"]}
    assert state_of(handouts.page_at(addresses["anna"])) == "moved"

    # When the lab ends, then all pages say so; and when it is purged, then nobody has a page any more.
    end = {"state": "absent", "seats": None}
    assert handouts.write(**end).changed
    assert handouts.states() == ["ended"] * 4
    assert not handouts.links_csv.exists()
    assert [handouts.write(purge=True, overview_html=None, **end).changed for _time in range(2)] == [True, False]
    handouts.write(**ahead)
    assert not set(handouts.addresses().values()) & {address, *addresses.values()}


def test_the_csv_file_needs_no_call_and_is_private(lab: Simulator, handouts: Lab) -> None:
    urls = handouts.issue("ben", "anna")
    calls = len(lab.calls())
    csv_only = {"urls_csv": str(handouts.urls_csv), "pages_dir": None, "overview_html": None, "links_csv": None}

    task = handouts.write(**csv_only)

    assert task.result["summary"] == {"requested": 2, "missing": 0, "written": 1}
    assert [row["streaming_url"] for row in handouts.rows()] == list(urls.values())
    assert snapshot(handouts.folder).keys() == {handouts.urls_csv}
    assert handouts.urls_csv.stat().st_mode & 0o777 == 0o600
    assert len(lab.calls()) == calls


def test_results_and_the_overview_show_no_url_and_no_page_unless_requested(lab: Simulator, handouts: Lab) -> None:
    urls = handouts.issue(*LEARNERS)

    result = str(handouts.write().result)

    names = [path.name for path in handouts.pages_dir.iterdir()]
    overview = handouts.overview_html.read_text()
    for secret in [*urls.values(), *names, *(name.removesuffix(".html") for name in names)]:
        assert secret not in result
        assert secret not in overview
        assert unescape(secret) not in unescape(overview)
    expected = [{"id": learner, "page": address} for learner, address in handouts.addresses().items()]
    assert handouts.write(return_pages=True).result["pages"] == expected


def test_the_urls_of_streams_are_requested_and_written(studio: Simulator, handouts: Lab) -> None:
    sessions = ["seat-01", "seat-02"]
    streams = handouts.call({"studio_id": STUDIO, "session_ids": sessions}, module=STREAM_MODULE).result["streams"]
    handouts.seats = [{"id": f"of {stream['session_id']}", "lease": stream["lease"]} for stream in streams]
    creates = len(studio.calls("CreateStreamingSessionStream"))

    task = handouts.write(urls_csv=str(handouts.urls_csv))

    assert not task.failed, task.msg
    urls = [stream["url"] for stream in streams]
    assert list(handouts.urls().values()) == urls
    assert [(row["holder"], row["streaming_url"]) for row in handouts.rows()] == list(zip(sessions, urls, strict=True))
    assert not handouts.write(urls_csv=str(handouts.urls_csv)).changed
    assert len(studio.calls("CreateStreamingSessionStream")) == creates


def test_the_urls_of_gamelift_streams_are_requested_and_no_request_takes_a_use(
    simulator: Simulator, handouts: Lab
) -> None:
    # Given stream URLs in a region other than that of the environment, more than are requested one by one.
    region, learners = "eu-central-1", [f"learner-{number:02}" for number in range(21)]
    simulator.seed_stream_group("sg-lab", region=region)
    args = {"stream_group": "sg-lab", "application": "a-lab", "locations": ["us-east-1"], "region": region}
    issued = handouts.call({**args, "learners": learners, "lab": "cad"}, module=GAMELIFT_MODULE)
    assert not issued.failed, issued.msg
    urls = {entry["id"]: entry["stream_url"] for entry in issued.result["stream_urls"]}
    handouts.seats = [{**entry, "stream_url": None} for entry in issued.result["stream_urls"]]

    def count_calls() -> tuple[int, int]:
        return len(simulator.calls("ListStreamUrls")), len(simulator.calls("GetStreamUrl"))

    # When the handouts are written, then they have the URLs, and a second task changes nothing.
    before = count_calls()
    task = handouts.write()
    assert not task.failed, task.msg
    assert handouts.urls() == urls
    assert "5 times in all" in handouts.page_at(handouts.addresses()[learners[0]])
    assert count_calls() == (before[0] + 1, before[1])
    again = handouts.write(seats=handouts.seats[:3], overview_html=None, links_csv=None)
    assert not again.changed, again.msg
    assert count_calls() == (before[0] + 1, before[1] + 3)

    # And when openings are used, then only that of a URL that has none left changes anything.
    stream_urls = simulator.stream_urls("sg-lab")
    assert {stream_url["RemainingUses"] for stream_url in stream_urls} == {5}
    simulator.open(urls[learners[1]])
    assert not handouts.write().changed
    of_first = handouts.seats[0]["stream_url_id"]
    simulator.change_stream_url(of_first, RemainingUses=0)
    used_up = handouts.write()
    gone = "1 of 21 seats have no URL: learner-00: the service has no URL that still works: issue a new one."
    assert used_up.msg == gone
    assert not any(url in str(result) for url in urls.values() for result in (task.result, used_up.result))


BY_ARGUMENT_SPEC: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing to write": (
        {"pages_dir": None, "overview_html": None, "links_csv": None},
        ("one of the following is required",),
    ),
    "pages without a lab": ({"lab": None}, ("lab",)),
    "links without pages": ({"pages_dir": None}, ("links_csv", "pages_dir")),
    "no seats": ({"seats": None}, ("state is present", "seats")),
}
BY_MODULE: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "two files with one path": (
        {"links_csv": "x", "urls_csv": "./x"},
        ("links_csv and urls_csv are both ", "give each its own path"),
    ),
    "a seat that is a URL": ({"seats": [{"lease": "https://streaming.example.org/"}]}, ("A lease is not valid",)),
    "an unknown kind of store": ({"lease_store": "redis://here"}, ("'redis://here'", "sqlite:///PATH")),
}


@pytest.mark.parametrize("case", [*BY_ARGUMENT_SPEC, *BY_MODULE])
def test_invalid_options_are_rejected_in_one_line_in_both_modes(handouts: Lab, case: str) -> None:
    args, parts = (BY_ARGUMENT_SPEC | BY_MODULE)[case]
    handouts.overview_html.write_text("unchanged")

    done, predicted = (handouts.write(check=check, allow_missing=True, **args) for check in (False, True))

    assert done.failed
    for part in parts:
        assert part in done.msg
    assert "\n" not in done.msg
    assert "Traceback" not in str(done.result)
    if case in BY_MODULE:
        assert done.result.keys() >= {"changed", "urls_csv", "missing", "summary"}
    assert predicted.result == done.result
    assert [path.name for path in snapshot(handouts.folder)] == ["overview.html"]


def test_a_damaged_store_changes_no_file(lab: Simulator, handouts: Lab) -> None:
    handouts.issue("anna")
    handouts.write()
    before = snapshot(handouts.folder)
    Path(handouts.lease_store.removeprefix("sqlite://")).write_text("My notes.\n" * 1000)

    task = handouts.write()

    assert task.failed
    assert "SQLite" in task.msg
    assert "Traceback" not in str(task.result)
    assert snapshot(handouts.folder) == before


@pytest.mark.core
def test_a_playbook_that_writes_handouts_shows_no_url(
    lab: Simulator, run_tasks: Callable[..., Run], home: Path, users: Callable[[int], list[dict[str, Any]]]
) -> None:
    urls_csv = home / "urls.csv"
    handout = {
        HANDOUT: {"urls_csv": str(urls_csv), "seats": "{{ issued.streaming_urls }}"},
        "register": "written",
    }
    tasks = [
        {"name": "issue", MODULE: {**ARGS, "users": users(3)}, "register": "issued", "no_log": True},
        {"name": "write", **handout},
        {"name": "write again", **handout},
        {"name": "show", "ansible.builtin.debug": {"var": "written"}},
        {"name": "write nothing", HANDOUT: {"urls_csv": str(urls_csv), "seats": [{"id": "anna", "lease": "x"}]}},
    ]

    run = run_tasks(tasks, diff=True, verbosity=4)

    assert [run.task(name).changed for name in ("write", "write again")] == [True, False], run.printed
    assert run.task("write nothing").failed
    written = urls_csv.read_text()
    secrets = lab.streaming_urls()
    assert len(secrets) == 3
    for url in secrets:
        assert url in written
        assert url.partition("parameters=")[2] not in run.printed + str(run.tasks)
    assert "Traceback" not in run.printed
    assert "full traceback" not in run.printed
