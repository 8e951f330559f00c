# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``streaming_lease_info``: who has a URL, for what and until when, and whose URL this is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import FLEET, STACK, STUDIO, Task
from tests.simulator.control import Simulator

INFO = "labstream.aws.streaming_lease_info"
LAB_OPTIONS = {
    "stack_name": STACK,
    "fleet_name": FLEET,
    "users": [
        {"user_id": "ben", "session_context": "unit-7"},
        {"user_id": "anna"},
        {"user_id": "anna", "application_id": "Desktop"},
    ],
    "validity": 3600,
    "lab": "cad-1",
}


@pytest.fixture(params=["sqlite", "dynamodb"])
def store(request: pytest.FixtureRequest, lab: Simulator, tmp_path: Path) -> dict[str, str]:
    """The option lease_store, for each kind of store."""
    if request.param == "sqlite":
        return {"lease_store": f"sqlite://{tmp_path}/store/leases.sqlite3"}
    return {"lease_store": request.getfixturevalue("lease_table")}


@pytest.fixture
def issue(call_module: Callable[..., Task], store: dict[str, str]) -> Callable[..., Task]:
    """``issue(**options)`` gives a lab its URLs."""
    return lambda **options: call_module({**LAB_OPTIONS, **store, **options})


@pytest.fixture
def get_info(call_module: Callable[..., Task], store: dict[str, str]) -> Callable[..., Task]:
    """``get_info(**options)`` returns the leases."""
    return lambda **options: call_module({**store, **options}, module=INFO)


def whose(task: Task) -> list[tuple[str, str | None, str | None]]:
    """Seat, application and session context of each lease that is returned."""
    return [(lease["holder"], lease["application_id"], lease["session_context"]) for lease in task.result["leases"]]


def test_a_lease_says_who_has_what_until_when_and_no_url(
    issue: Callable[..., Task], get_info: Callable[..., Task], lab: Simulator
) -> None:
    # Given a lab that has its URLs.
    issued = issue()
    calls = lab.calls(service="appstream")

    # When its leases are read.
    info = get_info(lab="cad-1")

    # Then they are returned in order, none with its URL, and nothing was issued or changed.
    assert not info.failed
    assert not info.changed
    assert whose(info) == [("anna", None, None), ("anna", "Desktop", None), ("ben", None, "unit-7")]
    leases = {entry["streaming_url"]: entry["lease"] for entry in issued.result["streaming_urls"]}
    by_purpose = {
        (entry["user_id"], entry["application_id"]): (entry["streaming_url"], entry["expires"])
        for entry in issued.result["streaming_urls"]
    }
    for lease in info.result["leases"]:
        url, expires = by_purpose[lease["holder"], lease["application_id"]]
        assert 3500 < lease.pop("remaining") <= 3600
        assert lease.pop("issued") < expires
        assert lease.pop("lease") == leases[url]
        del lease["application_id"], lease["session_context"], lease["holder"]
        assert lease == dict(
            provider="appstream",
            scope=issued.result["scope"],
            labs=["cad-1"],
            expires=expires,
            released_at=None,
            url_sha256=hashlib.sha256(url.encode()).hexdigest(),
            stream_id=None,
            streaming_url=None,
        )
    assert info.result["summary"] == dict(
        leases=3, working=3, released=0, earliest_expiry=issued.result["summary"]["earliest_expiry"]
    )
    assert not any(url in str(info.result) for url in lab.streaming_urls())
    assert lab.calls(service="appstream") == calls


def test_leases_are_selected_by_scope_holder_lab_and_remaining_time(
    issue: Callable[..., Task], get_info: Callable[..., Task]
) -> None:
    # Given leases of two labs, for an hour and for a minute.
    scope = issue().result["scope"]
    issue(users=[{"user_id": "cleo"}], validity=60, lab="cad-2")

    def holders(**options: Any) -> list[str]:
        return [lease["holder"] for lease in get_info(**options).result["leases"]]

    assert holders() == ["anna", "anna", "ben", "cleo"]
    assert holders(scope=scope, holders=["ben", "cleo", "nobody"]) == ["ben", "cleo"]
    assert holders(scope=scope + "-2") == []
    assert holders(holders=[]) == []
    assert holders(lab="cad-2") == ["cleo"]
    assert holders(min_remaining=61) == ["anna", "anna", "ben"]
    assert holders(max_remaining=60) == ["cleo"]
    assert holders(min_remaining=0, max_remaining=3600, lab="cad-1", holders=["anna"]) == ["anna", "anna"]


def test_the_labs_that_use_the_leases_are_listed_until_they_end(
    issue: Callable[..., Task], get_info: Callable[..., Task], lab: Simulator
) -> None:
    # Given two labs with leases of their own, of which one has not started, and one of the past.
    scope = issue().result["scope"]
    users, starts_at = [{"user_id": "cleo"}], "2099-01-01T09:00:00+01:00"
    issue(users=users, lab="cad-2", starts_at=starts_at)
    issue(users=[{"user_id": "dora"}], lab="cad-0")
    issue(users=None, lab="cad-0", state="absent")

    # When they are asked for, then each is listed once, with its times.
    under_way, ahead = get_info().result["labs"]
    assert (under_way.pop("ends_at") is not None, under_way) == (
        True,
        dict(lab="cad-1", scope=scope, starts_at=None, starts_in=0),
    )
    assert (ahead["lab"], ahead["starts_at"]) == ("cad-2", "2099-01-01T08:00:00Z")
    assert ahead["starts_in"] > 10**9
    # And only if a lease is selected that it uses.
    assert [each["lab"] for each in get_info(holders=["cleo"]).result["labs"]] == ["cad-2"]
    assert get_info(holders=["dora"]).result["labs"] == []


def test_a_url_is_returned_only_if_asked_for_and_only_while_it_is_stored(
    issue: Callable[..., Task], get_info: Callable[..., Task]
) -> None:
    urls = issue(users=[{"user_id": "anna"}, {"user_id": "ben"}]).urls
    assert [lease["streaming_url"] for lease in get_info(return_urls=True).result["leases"]] == urls

    issue(users=[{"user_id": "anna"}], state="absent")
    info = get_info(return_urls=True).result
    assert [lease["streaming_url"] for lease in info["leases"]] == [None, urls[1]]
    assert [bool(lease["released_at"]) for lease in info["leases"]] == [True, False]
    # It was released, but the service cannot revoke it.
    assert [lease["remaining"] > 0 for lease in info["leases"]] == [True, True]
    assert info["summary"]["working"] == 2
    assert info["summary"]["released"] == 1


@pytest.mark.parametrize("release", [False, True])
def test_a_url_leads_to_its_learner_also_when_it_was_released(
    issue: Callable[..., Task], get_info: Callable[..., Task], release: bool
) -> None:
    url = issue().urls[0]
    sha256 = hashlib.sha256(url.encode()).hexdigest()
    if release:
        issue(state="absent")

    for asked in ({"streaming_url": url}, {"streaming_url": f" {url}\n"}, {"url_sha256": sha256.upper()}):
        found = get_info(**asked)
        assert whose(found) == [("ben", None, "unit-7")]
        assert url not in str(found.result)
    assert whose(get_info(streaming_url=url + "x")) == []


def test_an_expired_lease_is_returned_without_its_url(
    issue: Callable[..., Task], get_info: Callable[..., Task], lab: Simulator
) -> None:
    # Given a URL that was issued for a minute two minutes ago.
    lab.set(clock_offset_seconds=-120)
    url = issue(users=[{"user_id": "anna"}], validity=60).urls[0]
    lab.set(clock_offset_seconds=0)

    info = get_info(return_urls=True).result
    assert [(lease["holder"], lease["remaining"], lease["streaming_url"]) for lease in info["leases"]] == [
        ("anna", 0, None)
    ]
    assert info["summary"] == dict(leases=1, working=0, released=0, earliest_expiry=None)
    assert get_info(min_remaining=1).result["leases"] == []
    assert whose(get_info(streaming_url=url)) == [("anna", None, None)]


def test_all_that_is_stored_of_a_learner_is_found_and_purged(
    issue: Callable[..., Task], get_info: Callable[..., Task]
) -> None:
    # Given a learner with URLs for two purposes, of which one was released.
    issue()
    issue(users=[{"user_id": "anna", "application_id": "Desktop"}], state="absent")

    # When the learner wants the records removed, then nobody needs to know for what they had URLs.
    purged = issue(users=[{"user_id": "anna"}], state="absent", purge=True)
    assert purged.result["summary"]["released"] == 2
    assert whose(get_info()) == [("ben", None, "unit-7")]
    assert not issue(users=[{"user_id": "anna"}], state="absent", purge=True).changed

    # And whoever names a purpose means that one.
    assert not issue(users=[{"user_id": "ben", "session_context": "unit-8"}], state="absent", purge=True).changed
    assert issue(users=[{"user_id": "ben", "session_context": "unit-7"}], state="absent", purge=True).changed
    assert whose(get_info()) == []


def test_a_stream_is_returned_by_its_id(
    call_stream_module: Callable[..., Task], get_info: Callable[..., Task], store: dict[str, str], lab: Simulator
) -> None:
    lab.seed_studio(STUDIO, ["seat-01"])
    issued = call_stream_module({"studio_id": STUDIO, "session_id": "seat-01", **store})
    [lease] = get_info(return_urls=True).result["leases"]
    assert (lease["provider"], lease["holder"], lease["stream_id"], lease["streaming_url"], lease["url_sha256"]) == (
        "nimble",
        "seat-01",
        issued.result["streams"][0]["stream_id"],
        None,
        None,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lease_store": "none"},
            "lease_store is none, which stores no URL: name the store that the URLs were issued with.",
        ),
        ({"min_remaining": -1}, "min_remaining is -1, but it must be 0 or more seconds."),
        ({"max_remaining": -5}, "max_remaining is -5, but it must be 0 or more seconds."),
        (
            {"min_remaining": 9, "max_remaining": 8},
            "min_remaining is 9 and max_remaining is 8: no lease has both.",
        ),
        (
            {"url_sha256": "https://streaming.example.org/?secret=1"},
            "url_sha256 is not a SHA-256 hash: give its 64 hexadecimal digits, or the URL itself as streaming_url.",
        ),
        # As a variable that nobody has set; it must not name just anybody.
        (
            {"url_sha256": ""},
            "url_sha256 is not a SHA-256 hash: give its 64 hexadecimal digits, or the URL itself as streaming_url.",
        ),
        ({"streaming_url": ""}, "streaming_url is empty: give the URL, or leave it out."),
        (
            {"scope": ""},
            "scope is '', which is not a scope: give the scope that a module has returned, or leave it out.",
        ),
    ],
)
def test_bad_input_is_rejected(
    call_module: Callable[..., Task], home: Path, options: dict[str, Any], message: str
) -> None:
    rejected = call_module(options, module=INFO)
    assert rejected.failed
    assert rejected.msg == message
    assert "secret=1" not in json.dumps(rejected.result)
    assert rejected.result["leases"] == []
    assert rejected.result["summary"] == dict(leases=0, working=0, released=0, earliest_expiry=None)


def test_a_table_that_does_not_exist_is_reported(call_module: Callable[..., Task], lab: Simulator) -> None:
    get_info = partial(call_module, module=INFO)
    rejected = get_info({"lease_store": f"dynamodb://missing?endpoint_url={lab.endpoint_url}"})
    assert rejected.failed
    assert rejected.msg.startswith("Failed to read the lease table 'missing': ResourceNotFoundException (")
    assert "create it with the playbook labstream.aws.lease_table" in rejected.msg


def test_a_file_that_is_not_there_has_no_leases_and_is_not_created(
    call_module: Callable[..., Task], tmp_path: Path
) -> None:
    info = call_module({"lease_store": f"sqlite://{tmp_path}/no/leases.sqlite3"}, module=INFO)
    assert info.result["leases"] == []
    assert not (tmp_path / "no").exists()
