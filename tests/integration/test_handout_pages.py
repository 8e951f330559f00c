# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of a class over each lease store, and what the module tells of them; its rules are unit tests."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import FLEET, MODULE, STACK, STREAM_MODULE, STUDIO, Ansible, Task
from tests.simulator.control import Simulator

HANDOUT = "labstream.aws.streaming_handout"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "cad"}
LEARNERS = ("anna", "ben", "carla")
BASE_URL = "https://labs.example.org/cad"


class Class:
    """A class, its leases in one store, and its hand-outs in one folder."""

    def __init__(self, ansible: Ansible, lease_store: str) -> None:
        self._ansible = ansible
        self.lease_store = lease_store
        self.folder = ansible.home
        self.pages, self.overview = self.folder / "pages", self.folder / "overview.html"
        self.links, self.csv = self.folder / "links.csv", self.folder / "class.csv"
        self.seats: list[dict[str, Any]] = []

    def issue(self, *learners: str, **args: Any) -> dict[str, str]:
        """Give the learners URLs, and let ``seats`` be theirs; the URLs by learner."""
        users = [{"user_id": learner} for learner in learners]
        task = self.call({**ARGS, "users": users, **args}, module=MODULE)
        assert not task.failed, task.msg
        self.seats = [
            {**roster_entry(learner), "seat": learner, "scope": task.result["scope"], "issued": True, "expires": "soon"}
            for learner in learners
        ]
        return dict(zip(learners, map(str, task.urls), strict=True))

    def write(self, *, check: bool = False, **args: Any) -> Task:
        """Write pages, overview and links of ``seats``; options with None are left out."""
        paths = {"pages": str(self.pages), "overview": str(self.overview), "links": str(self.links)}
        args = {"lab": "cad", "seats": self.seats, "base_url": BASE_URL, **paths, **args}
        return self.call({name: value for name, value in args.items() if value is not None}, check=check)

    def call(self, args: dict[str, Any], *, module: str = HANDOUT, check: bool = False) -> Task:
        return self._ansible.call_module(
            {"lease_store": self.lease_store, **args}, module=module, check=check, diff=True, verbosity=3
        )

    def addresses(self) -> dict[str, str]:
        """What is mailed, by learner."""
        with self.links.open(newline="", encoding="utf-8") as file:
            return {row["learner"]: row["page"] for row in csv.DictReader(file)}

    def urls(self) -> dict[str, str | None]:
        """What the buttons open, by learner; None where there is none."""
        return {learner: url_of(self.page_at(address)) for learner, address in self.addresses().items()}

    def page_at(self, address: str) -> str:
        assert address.startswith(f"{BASE_URL}/")
        return (self.pages / address.removeprefix(f"{BASE_URL}/")).read_text()

    def states(self) -> list[str]:
        return sorted(state_of(page.read_text()) for page in self.pages.iterdir())


def roster_entry(learner: str) -> dict[str, str]:
    return {"learner": learner, "name": f"{learner.title()} Example", "email": f"{learner}@example.org"}


def state_of(page: str) -> str:
    return re.findall(r'<main id="page"[^>]* data-state="(\w+)"', page)[0]


def url_of(page: str) -> str | None:
    found = re.findall(r'<a id="open"[^>]* href="([^"]*)"', page)
    return unescape(found[0]) if found else None


def snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """All files with what changes when one is touched."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".ansible" not in path.parts]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode) for path in paths}


@pytest.fixture(params=["sqlite", "dynamodb"])
def a_class(request: pytest.FixtureRequest, lab: Simulator, ansible: Ansible) -> Class:
    """A class over each lease store."""
    if request.param == "dynamodb":
        return Class(ansible, LeaseTable.create(lab).url)
    return one_class_of(ansible)


@pytest.fixture
def one_class(simulator: Simulator, ansible: Ansible) -> Class:
    """A class with its leases in a file, for what no store has to do with."""
    return one_class_of(ansible)


def one_class_of(ansible: Ansible) -> Class:
    return Class(ansible, f"sqlite://{ansible.home}/.ansible/leases.sqlite3")


def test_a_class_has_its_pages_from_days_ahead_to_its_end_on_whatever_host(
    a_class: Class, tmp_path: Path, lab: Simulator
) -> None:
    # Given a roster, days ahead of the class; when pages are predicted, then none is named, and when they are made,
    # then they wait.
    ahead = {
        "seats": [roster_entry(learner) for learner in LEARNERS],
        "allow_missing": True,
        "starts_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds"),
    }
    predicted = a_class.write(check=True, return_pages=True, **ahead)
    assert [entry["page"] for entry in predicted.result["pages"]] == [None] * 3
    assert snapshot(a_class.folder) == {}
    made = a_class.write(**ahead)
    assert not made.failed, made.msg
    assert made.result["missing"] == list(LEARNERS)
    assert a_class.states() == ["waiting"] * 3
    addresses = a_class.addresses()

    # When URLs are issued, then the pages have them, and a second task touches nothing.
    urls = a_class.issue(*LEARNERS)
    assert a_class.write().result["summary"] == {"requested": 3, "missing": 0, "written": 4}  # overview
    assert (a_class.addresses(), a_class.urls()) == (addresses, urls)
    before = snapshot(a_class.folder)
    again = a_class.write()
    assert (again.changed, again.result["summary"]["written"]) == (False, 0)
    assert snapshot(a_class.folder) == before

    # When a URL is renewed, and another host writes the pages of the roster alone, then they have the same addresses.
    home = tmp_path / "elsewhere" / "home"
    home.mkdir(parents=True)
    elsewhere = Class(Ansible(home, lab.environment()), a_class.lease_store)
    urls |= a_class.issue("anna", force=True)
    elsewhere.write(**ahead)
    assert (elsewhere.addresses(), elsewhere.urls()) == (addresses, urls)

    # When a learner gets another user id, then the page of before says that there is another.
    urls["anna"] = a_class.issue("anna-2")["anna-2"]
    rotated = a_class.write(seats=[{**a_class.seats[0], **roster_entry("anna"), "generation": 1}])
    assert rotated.result["summary"]["written"] == 4  # both pages, links and overview
    [address] = a_class.addresses().values()
    assert address != addresses["anna"]
    assert a_class.urls() == {"anna": urls["anna"]}
    assert state_of(a_class.page_at(addresses["anna"])) == "moved"

    # When the class ends, then all pages say so; and when it is purged, then nobody has a page any more.
    end = {"state": "absent", "seats": None}
    assert a_class.write(**end).changed
    assert a_class.states() == ["ended"] * 4
    assert not a_class.links.exists()
    assert [a_class.write(purge=True, overview=None, **end).changed for _time in range(2)] == [True, False]
    a_class.write(**ahead)
    assert not set(a_class.addresses().values()) & {address, *addresses.values()}


def test_neither_a_url_nor_a_pages_name_is_told_to_anybody_but_on_request(lab: Simulator, one_class: Class) -> None:
    urls = one_class.issue(*LEARNERS)

    told = str(one_class.write().result)

    names = [path.name for path in one_class.pages.iterdir()]
    overview = one_class.overview.read_text()
    for secret in [*urls.values(), *names, *(name.removesuffix(".html") for name in names)]:
        assert secret not in told
        assert secret not in overview
        assert unescape(secret) not in unescape(overview)
    expected = [{"learner": learner, "page": address} for learner, address in one_class.addresses().items()]
    assert one_class.write(return_pages=True).result["pages"] == expected


def test_the_urls_of_streams_are_asked_for_and_written(studio: Simulator, one_class: Class) -> None:
    sessions = ["seat-01", "seat-02"]
    streams = one_class.call({"studio_id": STUDIO, "session_ids": sessions}, module=STREAM_MODULE).result
    told = {"provider": "nimble", "scope": streams["scope"], "studio_id": STUDIO, "issued": True, "expires": "soon"}
    one_class.seats = [{**told, "seat": session, "learner": f"of {session}"} for session in sessions]
    creates = len(studio.calls("CreateStreamingSessionStream"))

    task = one_class.write(dest=str(one_class.csv))

    assert not task.failed, task.msg
    urls = [stream["url"] for stream in streams["streams"]]
    assert list(one_class.urls().values()) == urls
    with one_class.csv.open(newline="", encoding="utf-8") as file:
        assert [row["streaming_url"] for row in csv.DictReader(file)] == urls
    assert not one_class.write(dest=str(one_class.csv)).changed
    assert len(studio.calls("CreateStreamingSessionStream")) == creates
    without = [{name: value for name, value in seat.items() if name != "studio_id"} for seat in one_class.seats]
    assert "has no studio_id" in one_class.write(seats=without).msg


# What the description of the arguments refuses, and one of the others for the sake of the result.
BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing to write": ({"pages": None, "overview": None, "links": None}, ("one of the following is required",)),
    "pages of no class": ({"lab": None}, ("lab",)),
    "links without pages": ({"pages": None}, ("links", "pages")),
    "no seats": ({"seats": None}, ("state is present", "seats")),
    "two files in one place": ({"links": "x", "dest": "./x"}, ("links and dest are both ", "name a place for each")),
}


@pytest.mark.parametrize(("args", "says"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_get_a_sentence_in_both_modes(
    one_class: Class, args: dict[str, Any], says: tuple[str, ...]
) -> None:
    one_class.overview.write_text("as it was")

    done, predicted = (one_class.write(check=check, allow_missing=True, **args) for check in (False, True))

    assert done.failed
    for words in says:
        assert words in done.msg
    assert "Traceback" not in str(done.result)
    assert predicted.result == done.result
    assert [path.name for path in snapshot(one_class.folder)] == ["overview.html"]
