# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import os
import stat
from contextlib import closing
from datetime import datetime
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._handouts.handout import build_key
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import defused
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import LeaseKey, build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore
from ansible_collections.labstream.aws.plugins.modules import streaming_handout
from ansible_collections.labstream.aws.plugins.modules.streaming_handout import EMPTY_RESULT

from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    after,
    as_ordinary_user,
    compare_and_set,
    lease_of,
    searchable_folder,
)
from tests.unit.plugins.module_utils.support import build_key as lease_key

URL = "https://streaming.example.org/?secret=correct-horse"
CURE = "Name a file in a folder that the user of this task may write to."


def seat(user_id="anna", /, **fields):
    """A seat as the role publishes it; there is more in it than a hand-out needs."""
    known = dict(
        learner=f"{user_id}@example.org",
        name=user_id.title(),
        email=f"{user_id}@example.org",
        seat=user_id,
        scope=SCOPE,
        provider="appstream",
        application_id=None,
        session_context=None,
        expires="2026-11-21T09:00:00Z",
        issued=False,
    )
    return {**known, **fields}


@pytest.fixture
def store(tmp_path):
    """A store that holds the URLs of anna and ben."""
    url = f"sqlite://{tmp_path}/store/leases.sqlite3"
    remember(url, *(lease_of(lease_key(name), url=f"{URL}-{name}") for name in ("anna", "ben")))
    return url


def opened(store):
    return closing(SQLiteLeaseStore(store.removeprefix("sqlite://"), now=lambda: NOW, create=True))


def remember(store, *leases, expected=None):
    with opened(store) as leases_of_store:
        for lease in leases:
            assert compare_and_set(leases_of_store, lease, expected=expected) == lease


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The clock of this host, which the test moves."""
    clock = SimpleNamespace(now=NOW)

    class Wall(datetime):
        @classmethod
        def now(cls, tz=None):
            return clock.now.astimezone(tz)

    monkeypatch.setattr(streaming_handout, "datetime", Wall)
    return clock


@pytest.fixture
def dest(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "class.csv"


def hand_out(dest, store, *seats, check_mode=False):
    """The result of a task that succeeds."""
    module = module_of(dest, store, *seats, check_mode=check_mode)
    streaming_handout.run(module)
    return module.result


def refused(dest, store, *seats, check_mode=False):
    """Why the task fails, and its result."""
    module = module_of(dest, store, *seats, check_mode=check_mode)
    with pytest.raises(LabstreamError) as error:
        streaming_handout.run(module)
    return str(error.value), module.result


def module_of(dest, store, *seats, check_mode=False):
    """A module with these arguments, as far as the task needs it."""
    options = ("pages", "overview", "links", "base_url", "lab", "title", "contact", "starts_at", "ends_at")
    flags = ("return_pages", "allow_missing", "purge")
    params = dict.fromkeys(options) | dict.fromkeys(flags, False)
    params.update(state="present", dest=str(dest), seats=list(seats), lease_store=store)
    return SimpleNamespace(params=params, check_mode=check_mode, result=dict(EMPTY_RESULT))


def numbers(**known):
    """The summary of a task."""
    return dict(requested=0, missing=0, written=0) | known


def rows(dest):
    with open(dest, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_hand_out_has_a_row_for_each_seat_in_the_order_given(dest, store):
    result = hand_out(dest, store, seat("ben"), seat("anna"))

    assert result == dict(changed=True, dest=str(dest), missing=[], summary=numbers(requested=2, written=1))
    assert rows(dest) == [
        dict(
            learner=f"{name}@example.org",
            name=name.title(),
            email=f"{name}@example.org",
            seat=name,
            expires="2026-11-21T09:00:00Z",
            streaming_url=f"{URL}-{name}",
        )
        for name in ("ben", "anna")
    ]


def test_the_url_is_that_of_the_seats_purpose_and_scope(dest, store):
    # Given leases of one seat for other purposes and of another scope.
    elsewhere = SCOPE + "-2"
    remember(
        store,
        lease_of(lease_key("anna", build_purpose("cad")), url=f"{URL}-cad"),
        lease_of(lease_key("anna", build_purpose("cad", "x")), url=f"{URL}-cad-x"),
        lease_of(lease_key("anna", scope=elsewhere), url=f"{URL}-elsewhere"),
    )

    # When each is handed out, then each row has its own.
    hand_out(
        dest,
        store,
        seat(application_id="cad", session_context="x"),
        seat(scope=elsewhere),
        seat(application_id="cad"),
        seat(),
    )
    assert [row["streaming_url"].removeprefix(URL) for row in rows(dest)] == ["-cad-x", "-elsewhere", "-cad", "-anna"]


def test_the_expiry_is_that_of_the_url_and_not_that_of_the_seat(dest, store):
    """Another run may have renewed it since the seat was published."""
    hand_out(dest, store, seat(expires="2001-01-01T00:00:00Z"))
    assert rows(dest)[0]["expires"] == "2026-11-21T09:00:00Z"


def test_what_a_seat_does_not_tell_is_an_empty_cell(dest, store):
    hand_out(dest, store, dict(seat="anna", scope=SCOPE, name=None))
    told = rows(dest)[0]
    assert (told["learner"], told["name"], told["email"], told["streaming_url"]) == ("", "", "", f"{URL}-anna")


@pytest.mark.parametrize("name", ["Änna Größe-Ümlaut", "例え", 'Anna "A", Example; esq.', "Anna\nExample", "O'Neill"])
def test_a_name_comes_back_as_it_was(dest, store, name):
    hand_out(dest, store, seat(name=name))
    assert rows(dest)[0]["name"] == name


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ('=HYPERLINK("https://example.org")', '\'=HYPERLINK("https://example.org")'),
        ("+49 30 123", "'+49 30 123"),
        ("-anna", "'-anna"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r'=1+1"),
        ("\n=1+1", "'\n'=1+1"),
        ("anna\n-1", "anna\n'-1"),
        ("anna;=1+1", "anna;'=1+1"),
        ("anna; ben\r\ncleo;", "anna; ben\r\ncleo;"),
        ("anna", "anna"),
        ("anna=ben", "anna=ben"),
        ("anna@example.org", "anna@example.org"),
        ("", ""),
        (None, ""),
        (7, "7"),
        (-7, "'-7"),
        (0, "0"),
        (False, "False"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(value, cell):
    assert defused(value) == cell


def test_every_cell_that_people_fill_in_is_defused(dest, store):
    remember(store, lease_of(lease_key("@anna"), url=f"{URL}-at"))
    hand_out(dest, store, seat("@anna", learner="=1", name="+2", email="-3"))
    row = rows(dest)[0]
    assert [row[column] for column in ("learner", "name", "email", "seat")] == ["'=1", "'+2", "'-3", "'@anna"]
    assert row["streaming_url"] == f"{URL}-at"


# The file.


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_file_is_private_whatever_the_umask(dest, store, mask):
    before = os.umask(mask)
    try:
        hand_out(dest, store, seat())
    finally:
        os.umask(before)
    assert mode_of(dest) == 0o600
    assert os.listdir(dest.parent) == ["class.csv"]


def test_a_second_run_changes_nothing(dest, store):
    hand_out(dest, store, seat(), seat("ben"))
    before = dest.stat()

    result = hand_out(dest, store, seat(), seat("ben"))

    assert not result["changed"]
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o400])
def test_another_mode_is_repaired(dest, store, mode):
    hand_out(dest, store, seat())
    dest.chmod(mode)
    predicted = hand_out(dest, store, seat(), check_mode=True)
    assert mode_of(dest) == mode
    assert predicted == hand_out(dest, store, seat())
    assert predicted["changed"]
    assert mode_of(dest) == 0o600


def test_a_new_url_is_written_into_the_file(dest, store):
    hand_out(dest, store, seat())
    with opened(store) as leases:
        existing = leases.read([lease_key("anna")])[lease_key("anna")]
    remember(store, lease_of(lease_key("anna"), url=f"{URL}-new"), expected=existing.lease_id)

    assert hand_out(dest, store, seat())["changed"]
    assert rows(dest)[0]["streaming_url"] == f"{URL}-new"


def test_the_file_is_replaced_in_one_step(dest, store):
    """Whoever has opened it reads the old class to its end, and never half of the new one."""
    hand_out(dest, store, seat())
    with open(dest, newline="", encoding="utf-8") as reader:
        header = reader.readline()
        hand_out(dest, store, seat("ben"))
        rest = reader.read()
    assert header.startswith("learner,")
    assert "Anna" in rest
    assert "Ben" not in rest
    assert [row["seat"] for row in rows(dest)] == ["ben"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_as_it_was_and_nothing_beside_it(dest, store, monkeypatch, broken):
    hand_out(dest, store, seat())
    before = dest.read_bytes()

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    message, result = refused(dest, store, seat("ben"))

    assert message == f"The hand-out {dest} cannot be written: No space left on device. {CURE}"
    assert result == dict(changed=False, dest=str(dest), missing=[], summary=numbers(requested=1))
    assert dest.read_bytes() == before
    assert os.listdir(dest.parent) == ["class.csv"]


# Check mode.


def test_check_mode_writes_nothing_and_tells_the_same(dest, store):
    predicted = hand_out(dest, store, seat(), check_mode=True)
    assert os.listdir(dest.parent) == []
    assert predicted == hand_out(dest, store, seat())

    predicted = hand_out(dest, store, seat(), check_mode=True)
    assert predicted == hand_out(dest, store, seat())
    assert not predicted["changed"]


def test_check_mode_takes_a_url_that_would_have_been_issued_as_a_change(dest, store):
    # Given a seat that the task before would have issued a URL for.
    foreseen = seat("cleo", issued=True, expires=None)
    result = hand_out(dest, store, seat(), foreseen, check_mode=True)
    assert result == dict(changed=True, dest=str(dest), missing=[], summary=numbers(requested=2))
    assert os.listdir(dest.parent) == []


# What cannot be handed out.


def no_url(store, seats):
    return (
        f"The lease store {store} has no working URL for {seats}: issue them first, with this lease_store; if it is a "
        "file, on this host and as this user."
    )


@pytest.mark.parametrize("check_mode", [False, True])
def test_seats_without_a_url_are_named_and_the_file_is_left_alone(dest, store, check_mode):
    hand_out(dest, store, seat())
    before = dest.read_bytes()
    remember(store, lease_of(lease_key("dan"), url=None))

    message, result = refused(dest, store, seat("cleo"), seat(), seat("dan"), check_mode=check_mode)

    assert message == no_url(store, "2 of 3 seats (cleo, dan)")
    assert result == dict(
        changed=False, dest=str(dest), missing=["cleo", "dan"], summary=numbers(requested=3, missing=2)
    )
    assert dest.read_bytes() == before


def test_of_many_seats_without_a_url_five_are_named(dest, store):
    seats = [seat(f"learner-{number}") for number in range(7)]
    message, result = refused(dest, store, *seats)
    assert message == no_url(store, "7 of 7 seats (learner-0, learner-1, learner-2, learner-3, learner-4, ...)")
    assert result["missing"] == [each["seat"] for each in seats]


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("passed", [3600, 3601, 10**8])
def test_a_url_that_has_expired_is_not_handed_out(dest, store, clock, passed, check_mode):
    # Given a store that nobody has written to since anna's URL expired, and a URL that lasts.
    remember(store, lease_of(lease_key("cleo"), url=f"{URL}-cleo", expires=10**9))
    clock.now = after(3599)
    assert hand_out(dest, store, seat(), seat("cleo"))["changed"]
    before = dest.read_bytes()

    # When her time has come.
    clock.now = after(passed)
    message, result = refused(dest, store, seat(), seat("cleo"), check_mode=check_mode)

    # Then she is missing, and the file is left as it was.
    assert message == no_url(store, "1 of 2 seats (anna)")
    assert (result["missing"], result["changed"]) == (["anna"], False)
    assert dest.read_bytes() == before


def test_a_url_that_was_forgotten_is_not_handed_out(dest, store):
    with opened(store) as leases:
        leases.release([lease_key("ben")])
    assert refused(dest, store, seat(), seat("ben"))[1]["missing"] == ["ben"]


def test_without_a_store_nobody_has_a_url(dest, tmp_path):
    nowhere = f"sqlite://{tmp_path}/nothing/here.sqlite3"
    assert refused(dest, nowhere, seat())[0] == no_url(nowhere, "1 of 1 seats (anna)")
    with pytest.raises(InvalidOption, match=r"^lease_store is none, which stores no URL: name the store"):
        hand_out(dest, "none", seat())
    assert os.listdir(dest.parent) == []
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("missing", ["scope", "seat"])
@pytest.mark.parametrize(
    ("value", "lack"),
    [
        (None, "has no {}"),
        ("", "has no {}"),
        (7, "has the {} 7, which is none"),
        (["x"], "has the {} ['x'], which is none"),
        ("a\ud800", "has the {} 'a\\ud800', which is none"),
        ("a" * 3000, f"has the {{}} '{'a' * 37}...{'a' * 38}', which is none"),
    ],
)
def test_a_seat_that_does_not_say_where_its_url_is_found_is_refused(missing, value, lack):
    with pytest.raises(InvalidOption) as error:
        build_key(seat(**{missing: value}))
    assert str(error.value) == (
        f"A seat {lack.format(missing)}: pass on the seats as a role of this collection publishes them, such as "
        "appstream_lab_seats."
    )


def test_the_key_of_a_seat_is_that_of_its_lease():
    assert build_key(seat(application_id="cad", session_context="x")) == LeaseKey.build(
        SCOPE, "anna", build_purpose("cad", "x")
    )
    assert build_key(dict(seat="anna", scope=SCOPE)) == lease_key("anna")


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_folder_that_is_missing_is_told(tmp_path, store, check_mode):
    dest = tmp_path / "nowhere" / "class.csv"
    message, result = refused(dest, store, seat(), check_mode=check_mode)
    assert message == f"The hand-out {dest} cannot be written: its folder is missing or read-only. {CURE}"
    assert result["dest"] == str(dest)
    assert not dest.parent.exists()


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_folder_that_is_read_only_is_told(check_mode):
    with searchable_folder() as folder:
        folder.chmod(0o555)
        with pytest.raises(LabstreamError, match="its folder is missing or read-only"):
            as_ordinary_user(lambda: hand_out(folder / "class.csv", "sqlite:///x", seat(), check_mode=check_mode))


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("name", ["a\0b.csv", "a\ud800.csv"])
def test_what_is_no_name_of_a_file_is_told(dest, store, name, check_mode):
    path = dest.with_name(name)
    message, _result = refused(path, store, seat(), check_mode=check_mode)
    assert message == f"The hand-out {path} cannot be written: that is no name of a file. {CURE}"
    assert os.listdir(dest.parent) == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_folder_in_the_place_of_the_file_is_told(dest, store, check_mode):
    dest.mkdir()
    message, result = refused(dest, store, seat(), check_mode=check_mode)
    assert message == f"The hand-out {dest} cannot be written: Is a directory. {CURE}"
    assert not result["changed"]
