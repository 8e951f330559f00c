# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that streaming_handout writes: whose they are, how long they stay, and who gets to know of them."""

from __future__ import annotations

import csv
import os
import re
import stat
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.labstream.aws.plugins.module_utils.handout_files import TEMPORARY

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_MODULE,
    STUDIO,
    Ansible,
    ModuleServer,
    Task,
    finish_module,
)
from tests.simulator.control import Simulator

pytestmark = pytest.mark.long
HANDOUT = "labstream.aws.streaming_handout"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600, "lab": "cad"}
LEARNERS = ("anna", "ben", "carla")
PAGE = re.compile(r"[0-9a-f]{32}\.html")
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

    def page_of(self, learner: str) -> str:
        return (self.pages / self.addresses()[learner].rpartition("/")[2]).read_text()

    def texts(self) -> list[str]:
        return [page.read_text() for page in sorted(self.pages.iterdir())]


def roster_entry(learner: str) -> dict[str, str]:
    return {"learner": learner, "name": f"{learner.title()} Example", "email": f"{learner}@example.org"}


def state_of(page: str) -> str:
    return re.findall(r'<main id="page"[^>]* data-state="(\w+)"', page)[0]


def url_of(page: str) -> str | None:
    found = re.findall(r'<a id="open"[^>]* href="([^"]*)"', page)
    return unescape(found[0]) if found else None


def names_in_overview(a_class: Class) -> list[tuple[str, ...]]:
    """Learner, seat and state of each line."""
    lines = re.findall(r"<tr data-state.*?</tr>", a_class.overview.read_text())
    return [
        (*re.findall(r"<td><bdi>(.*?)</bdi></td>", line), *re.findall(r'<td class="state">(.*?)</td>', line))
        for line in lines
    ]


def snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """All files with what changes when one is touched."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".ansible" not in path.parts]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode) for path in paths}


@pytest.fixture(params=["sqlite", "dynamodb"])
def a_class(request: pytest.FixtureRequest, lab: Simulator, ansible: Ansible) -> Class:
    """A class over each lease store."""
    if request.param == "dynamodb":
        return Class(ansible, LeaseTable.create(lab).url)
    return Class(ansible, f"sqlite://{ansible.home}/.ansible/leases.sqlite3")


@pytest.fixture
def one_class(lab: Simulator, ansible: Ansible) -> Class:
    """A class with its leases in a file, for what no store has to do with."""
    return Class(ansible, f"sqlite://{ansible.home}/.ansible/leases.sqlite3")


def test_every_learner_gets_a_private_page_with_the_url_and_a_second_run_touches_nothing(a_class: Class) -> None:
    urls = a_class.issue(*LEARNERS)

    first = a_class.write(dest=str(a_class.csv))

    assert not first.failed, first.msg
    assert first.result["summary"] == {"requested": 3, "missing": 0, "written": 6}
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls
    for learner in LEARNERS:
        assert a_class.addresses()[learner].startswith(f"{BASE_URL}/")
        assert f"{learner.title()} Example" in a_class.page_of(learner)
    assert len({PAGE.fullmatch(path.name) and path.name for path in a_class.pages.iterdir()} - {None}) == 3
    assert stat.S_IMODE(a_class.pages.stat().st_mode) == 0o700
    before = snapshot(a_class.folder)
    assert {stat.S_IMODE(mode) for _inode, _time, mode in before.values()} == {0o600}

    second = a_class.write(dest=str(a_class.csv))

    assert not second.changed
    assert second.result["summary"]["written"] == 0
    assert snapshot(a_class.folder) == before


def test_neither_a_url_nor_a_pages_name_is_told_to_anybody_but_on_request(one_class: Class, lab: Simulator) -> None:
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


def test_a_new_url_changes_the_page_and_not_its_address(a_class: Class) -> None:
    a_class.issue(*LEARNERS)
    a_class.write()
    before = a_class.addresses()
    new = a_class.issue("anna", force=True)["anna"]
    everybody = [{**a_class.seats[0], "seat": learner, **roster_entry(learner)} for learner in LEARNERS]

    task = a_class.write(seats=everybody)

    # Her page, and the overview unless it was all within a second.
    assert task.result["summary"]["written"] in (1, 2)
    assert a_class.addresses() == before
    assert url_of(a_class.page_of("anna")) == new


def test_another_host_gives_the_same_addresses(
    a_class: Class, tmp_path: Path, lab: Simulator, module_server: ModuleServer
) -> None:
    a_class.issue(*LEARNERS)
    a_class.write()
    home = tmp_path / "elsewhere" / "home"
    home.mkdir(parents=True)
    elsewhere = Class(Ansible(home, lab.environment(), module_server), a_class.lease_store)
    elsewhere.seats = a_class.seats

    assert elsewhere.write().changed

    assert elsewhere.addresses() == a_class.addresses()
    assert elsewhere.texts() == a_class.texts()


def test_a_page_can_be_made_of_the_roster_alone_and_is_filled_later(a_class: Class) -> None:
    roster = [roster_entry(learner) for learner in LEARNERS]
    starts_at = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds")

    ahead = a_class.write(seats=roster, allow_missing=True, starts_at=starts_at)

    assert not ahead.failed, ahead.msg
    assert ahead.result["missing"] == list(LEARNERS)
    assert [state_of(page) for page in a_class.texts()] == ["waiting"] * 3
    before = a_class.addresses()
    urls = a_class.issue(*LEARNERS)
    a_class.write(starts_at=starts_at)
    assert a_class.addresses() == before
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls

    # The playbook of the days ahead, run once more, takes nothing away.
    again = a_class.write(seats=roster, allow_missing=True, starts_at=starts_at)
    assert again.result["missing"] == []
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls


def test_without_leave_a_seat_without_a_url_fails_the_task_and_names_no_page(one_class: Class) -> None:
    one_class.issue("anna")
    seats = [*one_class.seats, {**one_class.seats[0], "learner": "dora", "seat": "dora", "issued": False}]

    for check in (False, True):
        task = one_class.write(seats=seats, check=check)

        assert task.failed
        assert "1 of 2 seats (dora)" in task.msg
        assert snapshot(one_class.folder) == {}
    one_class.write()
    assert list(one_class.addresses()) == ["anna"]


def test_a_url_that_was_forgotten_leaves_the_page_without_a_button(one_class: Class) -> None:
    one_class.issue("anna")
    one_class.write()
    one_class.call({**ARGS, "user_id": "anna", "state": "absent"}, module=MODULE)

    one_class.write(allow_missing=True)

    assert state_of(one_class.page_of("anna")) == "waiting"
    assert names_in_overview(one_class) == [("anna", "anna", "Forgotten")]


def test_a_learner_of_a_new_generation_gets_another_page_and_the_one_before_says_so(a_class: Class) -> None:
    a_class.issue("anna", "ben")
    a_class.write()
    before = a_class.addresses()
    [new_url] = a_class.issue("anna-2").values()
    rotated = {**a_class.seats[0], **roster_entry("anna"), "generation": 1}

    for expected in (4, 0):  # both pages, links and overview
        task = a_class.write(seats=[rotated])
        assert task.result["summary"]["written"] == expected

    assert a_class.addresses()["anna"] != before["anna"]
    assert url_of(a_class.page_of("anna")) == new_url
    assert state_of((a_class.pages / before["anna"].rpartition("/")[2]).read_text()) == "moved"
    assert state_of((a_class.pages / before["ben"].rpartition("/")[2]).read_text()) == "open"
    assert [line[:2] for line in names_in_overview(a_class)] == [("anna", "anna-2"), ("ben", "ben")]


def test_a_page_that_was_replaced_never_comes_to_life_again(a_class: Class) -> None:
    """Given a new page, since the wrong person has opened the one before; when the roster alone is written again."""
    [url] = a_class.issue("anna").values()
    rotated = {**a_class.seats[0], "generation": 2}
    a_class.write()
    before = a_class.addresses()
    a_class.write(seats=[rotated])
    current = a_class.addresses()
    assert current != before

    for seat in (roster_entry("anna"), {**rotated, "generation": 0}, {**rotated, "generation": 1}):
        assert not a_class.write(seats=[seat]).changed

    assert a_class.addresses() == current
    assert url_of(a_class.page_of("anna")) == url
    assert sorted(map(state_of, a_class.texts())) == ["moved", "open"]


def test_a_partial_roster_shrinks_neither_the_overview_nor_the_pages(a_class: Class) -> None:
    a_class.issue(*LEARNERS)
    a_class.write()
    pages = a_class.texts()
    one = [seat for seat in a_class.seats if seat["learner"] == "ben"]

    a_class.write(seats=one)

    works = [(learner, learner, "Works") for learner in ("ben", "anna", "carla")]
    assert names_in_overview(a_class) == works
    assert a_class.texts() == pages


def test_check_mode_names_no_page_and_tells_what_a_run_would_do(a_class: Class) -> None:
    a_class.issue(*LEARNERS)

    predicted = a_class.write(check=True, return_pages=True)

    assert [entry["page"] for entry in predicted.result["pages"]] == [None] * 3
    assert snapshot(a_class.folder) == {}
    done = a_class.write(return_pages=True)
    assert {**predicted.result, "pages": []} == {**done.result, "pages": []}
    unchanged = {"changed": False, "summary": {**done.result["summary"], "written": 0}}
    assert a_class.write(check=True, return_pages=True).result == {**done.result, **unchanged}


def test_check_mode_tells_the_pages_of_a_class_whose_urls_are_only_foreseen(one_class: Class) -> None:
    one_class.issue("anna")
    one_class.write()
    foreseen = [
        {**one_class.seats[0], "expires": None},
        {**one_class.seats[0], **roster_entry("ben"), "expires": None},
    ]

    task = one_class.write(seats=foreseen, check=True, return_pages=True)

    assert task.changed
    assert [entry["page"] for entry in task.result["pages"]] == [one_class.addresses()["anna"], None]


def test_the_end_of_a_class_is_told_by_all_its_pages(a_class: Class) -> None:
    a_class.issue(*LEARNERS)
    a_class.write(dest=str(a_class.csv))
    before = {path.name for path in a_class.pages.iterdir()}
    end = {"state": "absent", "seats": None, "dest": str(a_class.csv)}

    predicted = a_class.write(check=True, **end)
    assert [state_of(page) for page in a_class.texts()] == ["open"] * 3
    done = a_class.write(**end)

    assert predicted.result["summary"] == done.result["summary"] == {"requested": 0, "missing": 0, "written": 6}
    assert predicted.changed
    assert {path.name for path in a_class.pages.iterdir()} == before
    assert [state_of(page) for page in a_class.texts()] == ["ended"] * 3
    assert "Example" not in str(a_class.texts())
    assert not a_class.csv.exists()
    assert not a_class.links.exists()
    assert "The class has ended." in a_class.overview.read_text()
    assert not a_class.write(**end).changed

    # It can go on after all.
    a_class.write()
    assert {path.name for path in a_class.pages.iterdir()} == before
    assert [state_of(page) for page in a_class.texts()] == ["open"] * 3


def test_purge_forgets_whose_page_was_which(a_class: Class) -> None:
    a_class.issue("anna")
    a_class.write()
    [before] = a_class.addresses().values()
    end = {"state": "absent", "purge": True, "seats": None, "overview": None}

    assert a_class.write(check=True, **end).changed
    assert a_class.write(**end).changed
    assert not a_class.write(**end).changed

    a_class.write()
    assert a_class.addresses()["anna"] != before
    assert sorted(map(state_of, a_class.texts())) == ["ended", "open"]


def test_classes_do_not_touch_each_other(one_class: Class) -> None:
    one_class.issue("anna")
    one_class.write()
    [monday] = one_class.addresses().values()
    one_class.write(lab="tuesday")
    assert one_class.addresses()["anna"] != monday

    one_class.write(state="absent", lab="tuesday")

    assert sorted(map(state_of, one_class.texts())) == ["ended", "open"]


@pytest.mark.parametrize(
    "name", ["</title><script>alert(1)</script>", "../../x", "{{ 7 * 7 }}", "=1+1", "a\x00b\u202ec"]
)
def test_hostile_names_stay_text(one_class: Class, name: str) -> None:
    one_class.issue("anna")
    hostile = {**one_class.seats[0], "learner": name, "name": name, "email": name}

    task = one_class.write(seats=[hostile], title=name, contact=name)

    assert not task.failed, task.msg
    for page in [*one_class.texts(), one_class.overview.read_text()]:
        assert page.count("<script>") == 1
    assert [bool(PAGE.fullmatch(path.name)) for path in one_class.pages.iterdir()] == [True]
    assert list(one_class.addresses()) == [f"'{name}" if name.startswith("=") else name]
    assert not one_class.write(seats=[hostile], title=name, contact=name).changed


def test_a_page_that_cannot_be_written_is_told_without_its_name_and_the_others_are_written(one_class: Class) -> None:
    one_class.issue("anna", "ben")
    one_class.write()
    name = one_class.addresses()["anna"].rpartition("/")[2]
    (one_class.pages / name).unlink()
    (one_class.pages / name).mkdir()

    task = one_class.write(title="New")

    assert task.failed
    assert task.msg == (
        f"A page in {one_class.pages} cannot be written: Is a directory. Name a file in a folder that the user of this "
        "task may write to."
    )
    assert name.removesuffix(".html") not in str(task.result)
    assert task.changed
    assert "<h1><bdi>New</bdi></h1>" in one_class.page_of("ben")


def test_500_learners_are_written_in_one_task_and_a_second_run_writes_no_file(one_class: Class) -> None:
    learners = [f"learner-{number}" for number in range(500)]
    one_class.issue(*learners)

    task = one_class.write()

    assert task.result["summary"] == {"requested": 500, "missing": 0, "written": 502}
    before = snapshot(one_class.folder)
    assert not one_class.write().changed
    assert snapshot(one_class.folder) == before


def test_what_a_run_that_was_killed_has_left_is_removed_by_a_later_one(one_class: Class) -> None:
    """A URL is in it. What is young may be another run's, at this moment."""
    one_class.issue("anna")
    one_class.write()
    left, young, other = (one_class.pages / name for name in (f"{TEMPORARY}a", f"{TEMPORARY}b", ".labstream"))
    for path in (left, young, other):
        path.write_text("https://streaming.example.org/")
    for path in (left, other):
        os.utime(path, (time.time() - 4000,) * 2)

    one_class.write(check=True)
    assert left.exists()
    assert not one_class.write().changed

    assert [path.exists() for path in (left, young, other)] == [False, True, True]


def test_a_store_that_may_not_be_written_fails_before_a_page_is_made(one_class: Class, ansible: Ansible) -> None:
    one_class.issue("anna")
    Path(one_class.lease_store.removeprefix("sqlite://")).chmod(0o400)
    args = {"lab": "cad", "seats": one_class.seats, "pages": str(one_class.pages), "lease_store": one_class.lease_store}

    for check in (False, True):
        task = finish_module(ansible.start_module(args, module=HANDOUT, check=check, may_not_override_modes=True))
        assert task.failed
        assert "read and write" in task.msg
    assert snapshot(one_class.pages) == {}


def test_the_urls_of_streams_are_asked_for_and_written(studio: Simulator, ansible: Ansible) -> None:
    a_class = Class(ansible, f"sqlite://{ansible.home}/.ansible/leases.sqlite3")
    sessions = ["seat-01", "seat-02"]
    streams = a_class.call({"studio_id": STUDIO, "session_ids": sessions}, module=STREAM_MODULE).result
    told = {"provider": "nimble", "scope": streams["scope"], "studio_id": STUDIO, "issued": True, "expires": "soon"}
    a_class.seats = [{**told, "seat": session, "learner": f"of {session}"} for session in sessions]
    creates = len(studio.calls("CreateStreamingSessionStream"))

    task = a_class.write(dest=str(a_class.csv))

    assert not task.failed, task.msg
    assert [url_of(a_class.page_of(f"of {session}")) for session in sessions] == [
        stream["url"] for stream in streams["streams"]
    ]
    with a_class.csv.open(newline="", encoding="utf-8") as file:
        assert [row["streaming_url"] for row in csv.DictReader(file)] == [each["url"] for each in streams["streams"]]
    assert not a_class.write(dest=str(a_class.csv)).changed
    assert len(studio.calls("CreateStreamingSessionStream")) == creates
    without = [{name: value for name, value in seat.items() if name != "studio_id"} for seat in a_class.seats]
    assert "has no studio_id" in a_class.write(seats=without).msg


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing to write": ({"pages": None, "overview": None, "links": None}, ("one of the following is required",)),
    "pages of no class": ({"lab": None}, ("lab",)),
    "a class without a name": ({"lab": ""}, ("lab is ''", "give the class a name")),
    "links without pages": ({"pages": None}, ("links", "pages")),
    "no seats": ({"seats": None}, ("state is present", "seats")),
    "a start that is none": ({"starts_at": "tomorrow"}, ("starts_at is 'tomorrow'", "2026-11-21T17:00:00+01:00")),
    "an end without an offset": ({"ends_at": "2026-11-21T17:00:00"}, ("ends_at", "no offset from UTC")),
    "an end before the start": (
        {"starts_at": "2026-11-21T17:00:00Z", "ends_at": "2026-11-21T13:00:00Z"},
        ("ends_at is 2026-11-21T13:00:00Z, which is not after starts_at",),
    ),
    "an address that is a script": (
        {"base_url": "javascript:alert(1)"},
        ("base_url is 'javascript:alert(1)'", "https"),
    ),
    "a folder that is a file": ({"pages": "overview.html", "overview": None}, ("its folder is missing or read-only",)),
    "a folder in no folder": ({"pages": "nowhere/pages"}, ("its folder is missing or read-only",)),
    "purge of what is present": ({"purge": True}, ("purge is only for state=absent",)),
    "no store": ({"lease_store": "none"}, ("lease_store is none",)),
    "a generation that is none": (
        {"seats": [{"learner": "a", "generation": "x"}]},
        ("generation of learner 'a' is 'x'",),
    ),
    "a learner with two seats": ({"seats": [{"learner": "a"}, {"learner": "a"}]}, ("Several seats", "'a'")),
    "a learner without a name": ({"seats": [{"name": "x"}]}, ("A seat has the learner ''",)),
    "a learner with half a character": ({"seats": [{"learner": "a\ud800"}]}, ("A seat has the learner", "of Unicode")),
    "an overview among the pages": (
        {"overview": "pages/index.html"},
        ("overview is ", "in the folder of the pages", "name another folder"),
    ),
    "links among the pages": ({"links": "pages/../pages/links.csv"}, ("links is ", "in the folder of the pages")),
    "two files in one place": ({"links": "x", "dest": "./x"}, ("links and dest are both ", "name a place for each")),
    "a learner with a long name": ({"seats": [{"learner": "x" * 201}]}, ("1 to 200 characters",)),
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
