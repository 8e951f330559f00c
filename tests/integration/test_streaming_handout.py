# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What streaming_handout writes for the instructor, and what it shows to nobody else."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import FLEET, MODULE, STACK, Ansible, Run, Task, finish_module
from tests.simulator.control import Simulator

HANDOUT = "labstream.aws.streaming_handout"
ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600}


class Class:
    """A class that has its URLs, and its hand-out."""

    def __init__(self, call_module: Callable[..., Task], home: Path) -> None:
        self._call_module = call_module
        self.dest = home / "class.csv"
        users = [{"user_id": "anna"}, {"user_id": "ben", "session_context": "unit-7"}, {"user_id": "carla"}]
        self.issued = call_module({**ARGS, "users": users})
        self.seats: list[dict[str, Any]] = [
            {
                "learner": entry["user_id"].title(),
                "name": f"{entry['user_id'].title()} Example",
                "email": f"{entry['user_id']}@example.org",
                "seat": entry["user_id"],
                "scope": self.issued.result["scope"],
                "application_id": entry["application_id"],
                "session_context": entry["session_context"],
                "expires": entry["expires"],
                "issued": entry["issued"],
            }
            for entry in self.issued.result["streaming_urls"]
        ]

    def write(self, *, check: bool = False, **args: Any) -> Task:
        args = {"dest": str(self.dest), "seats": self.seats, **args}
        return self._call_module(args, module=HANDOUT, check=check, verbosity=3)

    def rows(self) -> list[dict[str, str]]:
        with self.dest.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def a_class(lab: Simulator, call_module: Callable[..., Task], home: Path) -> Class:
    return Class(call_module, home)


def test_the_file_has_a_row_for_each_seat_in_their_order(a_class: Class, lab: Simulator) -> None:
    calls = len(lab.calls())

    task = a_class.write()

    assert task.changed
    assert task.result["dest"] == str(a_class.dest)
    assert task.result["summary"] == {"requested": 3, "missing": 0, "written": 1}
    assert a_class.rows() == [
        {
            "learner": seat["learner"],
            "name": seat["name"],
            "email": seat["email"],
            "seat": seat["seat"],
            "expires": seat["expires"],
            "streaming_url": url,
        }
        for seat, url in zip(a_class.seats, a_class.issued.urls, strict=True)
    ]
    assert len(lab.calls()) == calls


def test_the_file_is_private_and_nothing_else_is_left(a_class: Class, home: Path) -> None:
    before = set(home.iterdir())

    a_class.write()

    assert stat.S_IMODE(a_class.dest.stat().st_mode) == 0o600
    assert set(home.iterdir()) - before == {a_class.dest}


def test_a_second_run_leaves_the_file_alone(a_class: Class) -> None:
    a_class.write()
    before = a_class.dest.stat()

    assert not a_class.write().changed

    assert (a_class.dest.stat().st_ino, a_class.dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_new_url_changes_the_file(a_class: Class, call_module: Callable[..., Task]) -> None:
    a_class.write()
    [url] = call_module({**ARGS, "user_id": "anna", "force": True}).urls

    assert a_class.write().changed

    assert a_class.rows()[0]["streaming_url"] == url


def test_a_mode_that_shows_the_file_to_others_is_mended(a_class: Class) -> None:
    a_class.write()
    a_class.dest.chmod(0o644)

    assert a_class.write(check=True).changed
    assert a_class.write().changed

    assert stat.S_IMODE(a_class.dest.stat().st_mode) == 0o600


def test_a_link_is_replaced_not_followed(a_class: Class, home: Path) -> None:
    other = home / "other.txt"
    other.write_text("mine\n")
    a_class.dest.symlink_to(other)

    assert a_class.write().changed

    assert other.read_text() == "mine\n"
    assert not a_class.dest.is_symlink()
    assert not a_class.write().changed


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Jürgen O'Neil", "Jürgen O'Neil"),
        ('Anna "Ann", née X', 'Anna "Ann", née X'),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("two\nlines", "two\nlines"),
        ('=HYPERLINK("http://example.org")', '\'=HYPERLINK("http://example.org")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r'=1"),
        ("Anna;=1", "Anna;'=1"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("", ""),
        (None, ""),
        (7, "7"),
    ],
)
def test_names_arrive_as_they_are_and_no_formula_runs(a_class: Class, name: object, cell: str) -> None:
    a_class.seats[0]["name"] = name

    a_class.write()

    assert a_class.rows()[0]["name"] == cell
    assert len(a_class.rows()) == 3


def test_check_mode_tells_and_writes_nothing(a_class: Class) -> None:
    assert a_class.write(check=True).changed
    assert not a_class.dest.exists()

    done = a_class.write()

    unchanged = {"changed": False, "summary": {**done.result["summary"], "written": 0}}
    assert a_class.write(check=True).result == {**done.result, **unchanged}


def test_check_mode_foresees_a_url_that_would_be_issued(a_class: Class) -> None:
    a_class.write()
    seats = [*a_class.seats, {**a_class.seats[0], "seat": "dora", "issued": True, "expires": None}]

    predicted = a_class.write(check=True, seats=seats)

    assert not predicted.failed, predicted.msg
    assert predicted.changed
    assert a_class.write(seats=seats).failed


def test_seats_without_a_url_are_named_and_the_file_is_left(a_class: Class) -> None:
    a_class.write()
    before = a_class.dest.read_bytes()
    more = [{**a_class.seats[0], "seat": f"nobody-{number}", "issued": False} for number in range(7)]

    for check in (False, True):
        task = a_class.write(seats=a_class.seats + more, check=check)

        assert task.failed
        assert "7 of 10 seats" in task.msg
        assert "nobody-0" in task.msg
        assert "anna" not in task.msg
        assert task.result["missing"] == [seat["seat"] for seat in more]
        assert task.result["summary"] == {"requested": 10, "missing": 7, "written": 0}
        assert task.result["changed"] is False
    assert a_class.dest.read_bytes() == before


@pytest.mark.parametrize("gone", ["expired", "forgotten"])
def test_a_url_that_is_no_more_is_not_handed_out(
    a_class: Class, lab: Simulator, call_module: Callable[..., Task], gone: str
) -> None:
    if gone == "expired":
        lab.set(clock_offset_seconds=3700)
        call_module({**ARGS, "user_id": "dora"})  # a write wipes what has expired
    else:
        call_module({**ARGS, "user_id": "anna", "state": "absent"})

    task = a_class.write()

    assert task.failed
    assert "anna" in task.result["missing"]
    assert not a_class.dest.exists()


BAD_ARGUMENTS = {
    "no such folder": ({"dest": "/nonexistent/class.csv"}, ("/nonexistent/class.csv", "folder")),
    "a folder": ({"dest": "."}, ("cannot be written", "Name a file")),
    "a seat without a scope": ({"seats": [{"seat": "anna"}]}, ("has no scope", "appstream_lab_seats")),
    "a seat without a seat": ({"seats": [{"scope": "x"}]}, ("has no seat", "appstream_lab_seats")),
    "an unknown kind of store": ({"lease_store": "redis://here"}, ("'redis://here'", "sqlite:///PATH")),
    "no store": ({"lease_store": "none"}, ("lease_store is none", "name the store")),
    "a store that does not exist": (
        {"lease_store": "sqlite:///nonexistent/leases.sqlite3"},
        ("sqlite:///nonexistent/leases.sqlite3", "has no working URL"),
    ),
}


@pytest.mark.parametrize(("args", "says"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_get_a_sentence(a_class: Class, args: dict[str, Any], says: tuple[str, ...]) -> None:
    a_class.write()
    before = a_class.dest.read_bytes()

    done, predicted = (a_class.write(check=check, **args) for check in (False, True))

    assert done.failed
    for words in says:
        assert words in done.msg
    assert "\n" not in done.msg
    assert "Traceback" not in str(done.result)
    assert done.result.keys() >= {"changed", "dest", "missing", "summary"}
    assert predicted.result == done.result
    assert a_class.dest.read_bytes() == before


def test_a_broken_store_leaves_the_file(a_class: Class, home: Path) -> None:
    a_class.write()
    before = a_class.dest.read_bytes()
    (home / ".ansible/labstream/leases.sqlite3").write_text("My notes.\n" * 1000)

    task = a_class.write()

    assert task.failed
    assert "no SQLite file" in task.msg
    assert "Traceback" not in str(task.result)
    assert a_class.dest.read_bytes() == before


def test_a_folder_that_may_not_be_written_is_refused_in_both_modes(
    a_class: Class, ansible: Ansible, home: Path
) -> None:
    folder = home / "read-only"
    folder.mkdir(mode=0o500)
    args = {"dest": str(folder / "class.csv"), "seats": a_class.seats}

    for check in (False, True):
        task = finish_module(ansible.start_module(args, module=HANDOUT, check=check, may_not_override_modes=True))

        assert task.failed
        assert str(folder) in task.msg
        assert "Name a file in a folder" in task.msg


@pytest.mark.core
def test_a_playbook_that_hands_out_shows_no_url(
    lab: Simulator, run_tasks: Callable[..., Run], home: Path, users: Callable[[int], list[dict[str, Any]]]
) -> None:
    dest = home / "class.csv"
    seats = "{{ class_seats | default([]) + [{'seat': item.user_id, 'learner': item.user_id, 'scope': issued.scope}] }}"
    handout = {HANDOUT: {"dest": str(dest), "seats": "{{ class_seats }}"}, "register": "handed_out"}
    tasks = [
        {"name": "issue", MODULE: {**ARGS, "users": users(3), "return_urls": False}, "register": "issued"},
        {
            "name": "make seats",
            "ansible.builtin.set_fact": {"class_seats": seats},
            "loop": "{{ issued.streaming_urls }}",
        },
        {"name": "hand out", **handout},
        {"name": "hand out again", **handout},
        {"name": "show", "ansible.builtin.debug": {"var": "handed_out"}},
        {"name": "hand out nothing", HANDOUT: {"dest": str(dest), "seats": [{"seat": "anna", "scope": "x"}]}},
    ]

    run = run_tasks(tasks, diff=True, verbosity=4)

    assert [run.task(name).changed for name in ("hand out", "hand out again")] == [True, False], run.printed
    assert run.task("hand out nothing").failed
    handed_out = dest.read_text()
    secrets = lab.streaming_urls()
    assert len(secrets) == 3
    for url in secrets:
        assert url in handed_out
        assert url.partition("parameters=")[2] not in run.printed + str(run.tasks)
    assert "Traceback" not in run.printed
    assert "full traceback" not in run.printed
