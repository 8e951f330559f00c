# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of a class, task after task: who keeps which name, what a page shows, and what is left alone."""

from __future__ import annotations

import csv
import os
import re
import stat
import time
from contextlib import closing
from datetime import datetime
from html import unescape
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._handouts.files import TEMPORARY
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore
from ansible_collections.labstream.aws.plugins.modules import streaming_handout

from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    as_ordinary_user,
    build_key,
    compare_and_set,
    lease_of,
    searchable_folder,
)

LEARNERS = ("anna", "ben", "carla")
STARTS_AT = "2026-11-24T13:00:00+01:00"
PAGE = re.compile(r"[0-9a-f]{32}\.html")


class Class:
    """A class, its leases in a file, and its hand-outs in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "leases.sqlite3"
        self.pages, self.overview = folder / "pages", folder / "overview.html"
        self.links, self.csv = folder / "links.csv", folder / "class.csv"
        self.seats = []

    def issue(self, *learners):
        """Give the learners URLs, in the place of those that they have, and let ``seats`` be theirs; the URLs."""
        leases = [lease_of(build_key(learner)) for learner in learners]
        with self.opened_store() as store:
            existing = store.read([lease.key for lease in leases])
            for lease in leases:
                compare_and_set(store, lease, expected=existing[lease.key].lease_id if lease.key in existing else None)
        self.seats = [parse_seat(learner) for learner in learners]
        return dict(zip(learners, (lease.url for lease in leases), strict=True))

    def forget(self, learner):
        with self.opened_store() as store:
            store.release([build_key(learner)])

    def opened_store(self):
        return closing(SQLiteLeaseStore(str(self.store), now=lambda: NOW, create=True))

    def write(self, *, check=False, **args):
        """Write pages, overview and links of ``seats``; the result."""
        module = self.module(check, args)
        streaming_handout.run(module)
        return module.result

    def refused(self, *, check=False, **args):
        """Why it is not done, and the result."""
        module = self.module(check, args)
        with pytest.raises(LabstreamError) as error:
            streaming_handout.run(module)
        return str(error.value), module.result

    def module(self, check, args):
        """A module with these arguments, as far as the task needs it."""
        options = ("dest", "base_url", "title", "contact", "starts_at", "ends_at")
        flags = ("return_pages", "allow_missing", "purge")
        paths = {name: str(getattr(self, name)) for name in ("pages", "overview", "links")}
        known = dict(state="present", lab="cad", seats=self.seats, lease_store=f"sqlite://{self.store}", **paths)
        params = dict.fromkeys(options) | dict.fromkeys(flags, False) | known | args
        return SimpleNamespace(params=params, check_mode=check, result=dict(streaming_handout.EMPTY_RESULT))

    def addresses(self):
        """What is mailed, by learner."""
        with self.links.open(newline="", encoding="utf-8") as file:
            return {row["learner"]: row["page"] for row in csv.DictReader(file)}

    def page_of(self, learner):
        return (self.pages / self.addresses()[learner]).read_text()

    def texts(self):
        return [page.read_text() for page in sorted(self.pages.iterdir())]

    def states(self):
        return sorted(map(state_of, self.texts()))

    def in_overview(self):
        """Learner, seat and state of each line."""
        lines = re.findall(r"<tr data-state.*?</tr>", self.overview.read_text())
        return [
            (*re.findall(r"<td><bdi>(.*?)</bdi></td>", line), *re.findall(r'<td class="state">(.*?)</td>', line))
            for line in lines
        ]

    def snapshot(self):
        """All files but the store's, with what changes when one is touched."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("leases.")]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode) for path in paths}


def roster_entry(learner):
    return {"learner": learner, "name": f"{learner.title()} Example", "email": f"{learner}@example.org"}


def parse_seat(user, **fields):
    """A seat as the role publishes it when its URL is new."""
    return {**roster_entry(user), "seat": user, "scope": SCOPE, "issued": True, "expires": "soon", **fields}


def state_of(page):
    return re.findall(r'<main id="page"[^>]* data-state="(\w+)"', page)[0]


def url_of(page):
    found = re.findall(r'<a id="open"[^>]* href="([^"]*)"', page)
    return unescape(found[0]) if found else None


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It is NOW."""

    class Wall(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW.astimezone(tz)

    monkeypatch.setattr(streaming_handout, "datetime", Wall)


@pytest.fixture
def a_class(tmp_path):
    return Class(tmp_path)


# Whose page it is.


def test_every_learner_gets_a_private_page_with_the_url(a_class):
    urls = a_class.issue(*LEARNERS)

    result = a_class.write()

    assert result["summary"] == {"requested": 3, "missing": 0, "written": 5}
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls
    for learner in LEARNERS:
        assert f"{learner.title()} Example" in a_class.page_of(learner)
    assert len({PAGE.fullmatch(path.name) and path.name for path in a_class.pages.iterdir()} - {None}) == 3
    assert stat.S_IMODE(a_class.pages.stat().st_mode) == 0o700
    assert {stat.S_IMODE(mode) for _inode, _time, mode in a_class.snapshot().values()} == {0o600}


def test_a_second_task_touches_none_of_500_pages(a_class):
    a_class.issue(*(f"learner-{number}" for number in range(500)))
    assert a_class.write()["summary"] == {"requested": 500, "missing": 0, "written": 502}
    before = a_class.snapshot()

    again = a_class.write()

    assert (again["changed"], again["summary"]["written"]) == (False, 0)
    assert a_class.snapshot() == before


def test_a_new_url_changes_the_page_and_not_its_address(a_class):
    a_class.issue(*LEARNERS)
    a_class.write()
    before, seats = a_class.addresses(), a_class.seats
    [new] = a_class.issue("anna").values()

    result = a_class.write(seats=seats)

    assert result["summary"]["written"] == 1
    assert a_class.addresses() == before
    assert url_of(a_class.page_of("anna")) == new


def test_pages_of_the_roster_alone_are_filled_later_and_stay_filled(a_class):
    roster = [roster_entry(learner) for learner in LEARNERS]
    ahead = a_class.write(seats=roster, allow_missing=True, starts_at=STARTS_AT)
    assert ahead["missing"] == list(LEARNERS)
    assert a_class.states() == ["waiting"] * 3
    before = a_class.addresses()

    urls = a_class.issue(*LEARNERS)
    a_class.write(starts_at=STARTS_AT)
    assert a_class.addresses() == before
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls

    # The playbook of the days ahead, run once more, takes nothing away.
    again = a_class.write(seats=roster, allow_missing=True, starts_at=STARTS_AT)
    assert again["missing"] == []
    assert {learner: url_of(a_class.page_of(learner)) for learner in LEARNERS} == urls


def test_a_partial_roster_shrinks_neither_the_overview_nor_the_pages(a_class):
    a_class.issue(*LEARNERS)
    a_class.write()
    pages = a_class.texts()

    a_class.write(seats=[parse_seat("ben")])

    assert a_class.in_overview() == [(learner, learner, "Works") for learner in ("ben", "anna", "carla")]
    assert a_class.texts() == pages


def test_classes_do_not_touch_each_other(a_class):
    a_class.issue("anna")
    a_class.write()
    monday = a_class.addresses()
    a_class.write(lab="tuesday")
    assert a_class.addresses()["anna"] != monday["anna"]

    a_class.write(state="absent", lab="tuesday")

    assert a_class.states() == ["ended", "open"]


# A learner of a new generation.


def test_the_page_before_says_that_there_is_another(a_class):
    a_class.issue("anna", "ben")
    a_class.write()
    before = a_class.addresses()
    [new_url] = a_class.issue("anna-2").values()
    rotated = parse_seat("anna", seat="anna-2", generation=1)

    assert a_class.write(seats=[rotated])["summary"]["written"] == 4  # both pages, links and overview
    assert not a_class.write(seats=[rotated])["changed"]

    assert a_class.addresses()["anna"] != before["anna"]
    assert url_of(a_class.page_of("anna")) == new_url
    assert state_of((a_class.pages / before["anna"]).read_text()) == "moved"
    assert state_of((a_class.pages / before["ben"]).read_text()) == "open"
    assert [line[:2] for line in a_class.in_overview()] == [("anna", "anna-2"), ("ben", "ben")]


def test_a_page_that_was_replaced_never_comes_to_life_again(a_class):
    """Given a new page, since the wrong person has opened the one before; when the roster alone is written again."""
    [url] = a_class.issue("anna").values()
    a_class.write()
    before = a_class.addresses()
    a_class.write(seats=[parse_seat("anna", generation=2)])
    current = a_class.addresses()
    assert current != before

    for seat in (roster_entry("anna"), parse_seat("anna", generation=0), parse_seat("anna", generation=1)):
        assert not a_class.write(seats=[seat], allow_missing=True)["changed"]

    assert a_class.addresses() == current
    assert url_of(a_class.page_of("anna")) == url
    assert a_class.states() == ["moved", "open"]


# Seats without a URL.


@pytest.mark.parametrize("check", [False, True])
def test_without_leave_a_seat_without_a_url_fails_the_task_and_names_no_page(a_class, check):
    a_class.issue("anna")

    message, _result = a_class.refused(seats=[*a_class.seats, parse_seat("dora", issued=False)], check=check)

    assert "1 of 2 seats (dora)" in message
    assert a_class.snapshot() == {}
    a_class.write()
    assert list(a_class.addresses()) == ["anna"]


def test_a_url_that_was_forgotten_leaves_the_page_without_a_button(a_class):
    a_class.issue("anna")
    a_class.write()
    a_class.forget("anna")

    a_class.write(allow_missing=True)

    assert state_of(a_class.page_of("anna")) == "waiting"
    assert a_class.in_overview() == [("anna", "anna", "Forgotten")]


# Check mode.


def test_check_mode_names_no_page_and_tells_what_a_run_would_do(a_class):
    a_class.issue(*LEARNERS)

    predicted = a_class.write(check=True, return_pages=True)

    assert [entry["page"] for entry in predicted["pages"]] == [None] * 3
    assert a_class.snapshot() == {}
    done = a_class.write(return_pages=True)
    assert {**predicted, "pages": []} == {**done, "pages": []}
    unchanged = {"changed": False, "summary": {**done["summary"], "written": 0}}
    assert a_class.write(check=True, return_pages=True) == {**done, **unchanged}


def test_check_mode_tells_the_pages_of_a_class_whose_urls_are_only_foreseen(a_class):
    a_class.issue("anna")
    a_class.write()
    foreseen = [parse_seat(learner, expires=None) for learner in ("anna", "ben")]

    result = a_class.write(seats=foreseen, check=True, return_pages=True)

    assert result["changed"]
    assert [entry["page"] for entry in result["pages"]] == [a_class.addresses()["anna"], None]


# The end of the class.


def test_the_end_of_a_class_is_told_by_all_its_pages(a_class):
    a_class.issue(*LEARNERS)
    a_class.write(dest=str(a_class.csv))
    before = {path.name for path in a_class.pages.iterdir()}
    end = {"state": "absent", "seats": None, "dest": str(a_class.csv)}

    predicted = a_class.write(check=True, **end)
    assert a_class.states() == ["open"] * 3
    done = a_class.write(**end)

    assert predicted["summary"] == done["summary"] == {"requested": 0, "missing": 0, "written": 6}
    assert predicted["changed"]
    assert {path.name for path in a_class.pages.iterdir()} == before
    assert a_class.states() == ["ended"] * 3
    assert "Example" not in str(a_class.texts())
    assert not a_class.csv.exists()
    assert not a_class.links.exists()
    assert "The class has ended." in a_class.overview.read_text()
    assert not a_class.write(**end)["changed"]


def test_a_class_that_has_ended_can_go_on_after_all(a_class):
    a_class.issue(*LEARNERS)
    a_class.write()
    before = a_class.addresses()
    a_class.write(state="absent", seats=None)

    a_class.write()

    assert a_class.addresses() == before
    assert a_class.states() == ["open"] * 3


def test_purge_forgets_whose_page_was_which(a_class):
    a_class.issue("anna")
    a_class.write()
    [before] = a_class.addresses().values()
    end = {"state": "absent", "purge": True, "seats": None, "overview": None}

    assert a_class.write(check=True, **end)["changed"]
    assert a_class.write(**end)["changed"]
    assert not a_class.write(**end)["changed"]

    a_class.write()
    assert a_class.addresses()["anna"] != before
    assert a_class.states() == ["ended", "open"]


# What goes wrong.


@pytest.mark.parametrize(
    "name", ["</title><script>alert(1)</script>", "../../x", "{{ 7 * 7 }}", "=1+1", "a\x00b\u202ec"]
)
def test_hostile_names_stay_text(a_class, name):
    a_class.issue("anna")
    hostile = parse_seat("anna", learner=name, name=name, email=name)

    a_class.write(seats=[hostile], title=name, contact=name)

    for page in [*a_class.texts(), a_class.overview.read_text()]:
        assert page.count("<script>") == 1
    assert [bool(PAGE.fullmatch(path.name)) for path in a_class.pages.iterdir()] == [True]
    assert list(a_class.addresses()) == [f"'{name}" if name.startswith("=") else name]
    assert not a_class.write(seats=[hostile], title=name, contact=name)["changed"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("name", ["a\0b", "a\ud800"])
def test_what_is_no_name_of_a_folder_is_told(a_class, name, check):
    a_class.issue("anna")
    message, _result = a_class.refused(pages=str(a_class.pages.with_name(name)), check=check)
    assert "cannot be written: that is no name of a file. Name a file in a folder" in message


def test_a_page_that_cannot_be_written_is_told_without_its_name_and_the_others_are_written(a_class):
    a_class.issue("anna", "ben")
    a_class.write()
    page = a_class.pages / a_class.addresses()["anna"]
    page.unlink()
    page.mkdir()

    message, result = a_class.refused(title="New")

    assert message == (
        f"A page in {a_class.pages} cannot be written: Is a directory. Name a file in a folder that the user of this "
        "task may write to."
    )
    assert page.stem not in message + str(result)
    assert result["changed"]
    assert "<h1><bdi>New</bdi></h1>" in a_class.page_of("ben")


def test_what_a_run_that_was_killed_has_left_is_removed_by_a_later_one(a_class):
    """A URL is in it. What is young may be another run's, at this moment."""
    a_class.issue("anna")
    a_class.write()
    left, young, other = (a_class.pages / name for name in (f"{TEMPORARY}a", f"{TEMPORARY}b", ".labstream"))
    for path in (left, young, other):
        path.write_text("https://streaming.example.org/")
    for path in (left, other):
        os.utime(path, (time.time() - 4000,) * 2)

    a_class.write(check=True)
    assert left.exists()
    assert not a_class.write()["changed"]

    assert [path.exists() for path in (left, young, other)] == [False, True, True]


@pytest.mark.parametrize("check", [False, True])
def test_a_store_that_may_not_be_written_fails_before_a_page_is_made(check):
    with searchable_folder() as folder:
        folder.chmod(0o777)
        a_class = Class(folder)

        def hand_out():
            a_class.issue("anna")
            a_class.store.chmod(0o400)
            a_class.write(check=check)

        with pytest.raises(LabstreamError, match="read and write"):
            as_ordinary_user(hand_out)

        assert a_class.store.exists()
        assert a_class.snapshot() == {}


BAD_ARGUMENTS = {
    "a class without a name": ({"lab": ""}, ("lab is ''", "give the lab a name")),
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
    "a learner without a name": ({"seats": [{"name": "x"}]}, ("The id of a learner is ''",)),
    "a learner with half a character": (
        {"seats": [{"learner": "a\ud800"}]},
        ("The id of a learner is", "Unicode characters"),
    ),
    "a learner with a long name": ({"seats": [{"learner": "x" * 201}]}, ("1 to 200 Unicode characters",)),
    "an overview among the pages": (
        {"overview": "pages/index.html"},
        ("overview is ", "in the folder of the pages", "name another folder"),
    ),
    "links among the pages": ({"links": "pages/../pages/links.csv"}, ("links is ", "in the folder of the pages")),
    "two files in one place": ({"links": "x", "dest": "./x"}, ("links and dest are both ", "name a place for each")),
}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("args", "says"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_get_a_sentence_in_both_modes(a_class, monkeypatch, args, says, check):
    monkeypatch.chdir(a_class.folder)
    a_class.overview.write_text("as it was")

    message, result = a_class.refused(check=check, allow_missing=True, **args)

    for words in says:
        assert words in message
    assert not result["changed"]
    assert [path.name for path in a_class.snapshot()] == ["overview.html"]
    assert not a_class.store.exists()
