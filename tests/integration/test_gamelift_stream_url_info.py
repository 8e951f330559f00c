# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gamelift_stream_url_info: the learners of stream URLs, their status and the sessions they started."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import Task
from tests.simulator.control import Simulator

MODULE, INFO = "labstream.aws.gamelift_stream_url", "labstream.aws.gamelift_stream_url_info"
GROUP, LOCATION = "sg-class", "us-east-1"
ARN = f"arn:aws:gameliftstreams:us-east-1:123456789012:streamgroup/{GROUP}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

CallModule = Callable[..., Task]

pytestmark = pytest.mark.usefixtures("gamelift")


@pytest.fixture
def issue(simulator: Simulator, call_module: CallModule) -> CallModule:
    """``issue(["anna"], lab=...)`` creates stream URLs in a stream group."""
    simulator.seed_stream_group(GROUP, ["a-cad"], [LOCATION])

    def issue(learners: list[Any], **options: Any) -> Task:
        asked = {"stream_group": GROUP, "application": "a-cad", "locations": [LOCATION], "learners": learners}
        task = call_module({**asked, **options}, module=MODULE)
        assert not task.failed, task.msg
        return task

    return issue


@pytest.fixture
def info(call_module: CallModule) -> CallModule:
    def info(**options: Any) -> Task:
        return call_module({"stream_group": GROUP, **options}, module=INFO)

    return info


def ids(task: Task) -> list[Any]:
    return [each["id"] for each in task.result["stream_urls"]]


def test_stream_urls_are_found_by_learner_lab_status_and_id(
    simulator: Simulator, issue: CallModule, info: CallModule
) -> None:
    # Given stream URLs of a lab, one of another lab, and one that nobody's lease is for.
    first = issue(["Anna", "ben"], lab="monday", usage_limit=3)
    issue([{"id": "Ben", "generation": 1}], lab="friday", usage_limit=1)
    client = simulator.client("gameliftstreams")
    foreign = client.create_stream_url(
        Identifier=GROUP,
        ApplicationIdentifier="a-cad",
        Protocol="WebRTC",
        UrlExpiresAfterMinutes=5,
        Locations=[LOCATION],
    )["StreamUrlId"]
    anna, ben = (entry["stream_url_id"] for entry in first.result["stream_urls"])
    # And sessions: two of anna, of which one has ended, and one of ben.
    urls = {url["StreamUrlId"]: url for url in client.list_stream_urls(MaxResults=100)["Items"]}
    [bens_new] = urls.keys() - {anna, ben, foreign}
    for url_id in (anna, anna, bens_new):
        assert simulator.open(urls[url_id]["StreamUrl"])[0] == 200
    ended = simulator.stream_sessions(anna)[0]["StreamSessionId"]
    simulator.change_stream_session(ended, Status="TERMINATED", StatusReason="idleTimeout")

    every, with_urls = info(), info(stream_group=ARN, return_urls=True)
    by_learner = info(learners=["BEN"])
    by_lab = info(lab="monday", statuses=["ACTIVE"])
    by_status = info(statuses=["REVOKED", "LIMIT_REACHED"], return_sessions=False)
    by_id = info(stream_url_ids=[foreign, anna])
    nobody = info(learners=["dora"])

    tasks = (every, with_urls, by_learner, by_lab, by_status, by_id, nobody)
    assert [task.result.get("msg") for task in tasks] == [None] * 7
    assert every.result["summary"] == {
        "found": 4,
        "statuses": {"ACTIVE": 2, "LIMIT_REACHED": 1, "REVOKED": 1},
        "sessions": 3,
    }
    assert (every.changed, every.result["stream_group_arn"], every.result["region"]) == (False, ARN, "us-east-1")
    found = {each["stream_url_id"]: each for each in every.result["stream_urls"]}
    assert found[anna].items() >= {"id": "Anna", "labs": ["monday"], "active_labs": ["monday"]}.items()
    assert found[anna].items() >= {"status": "ACTIVE", "usage_limit": 3}.items()
    assert (found[anna]["remaining_uses"], found[anna]["sessions"], found[anna]["stream_url"]) == (1, 2, None)
    assert found[anna]["lease"] == first.result["stream_urls"][0]["lease"]
    assert all(TIME.fullmatch(found[anna][name]) for name in ("created_at", "expires"))
    over, running = found[anna]["stream_sessions"]
    assert (over["stream_session_id"], over["status"], over["status_reason"]) == (ended, "TERMINATED", "idleTimeout")
    assert TIME.fullmatch(over["started_at"])
    assert TIME.fullmatch(over["ended_at"])
    assert (running["status"], running["location"], running["ended_at"]) == ("CONNECTED", LOCATION, None)
    assert (found[foreign]["id"], found[foreign]["labs"], found[foreign]["lease"]) == (None, [], None)
    # The one that was replaced is still known to be ben's.
    assert [(each["stream_url_id"], each["status"]) for each in by_learner.result["stream_urls"]] == [
        (ben, "REVOKED"),
        (bens_new, "LIMIT_REACHED"),
    ]
    assert ids(by_lab) == ["Anna"]
    assert [each["stream_sessions"] for each in by_status.result["stream_urls"]] == [[], []]
    assert ids(by_id) == [None, "Anna"]
    assert nobody.result["stream_urls"] == []
    # And no URL is returned unless it is asked for, and only one that works.
    shown = {each["stream_url_id"]: each["stream_url"] for each in with_urls.result["stream_urls"]}
    assert shown == {url_id: urls[url_id]["StreamUrl"] if url_id in (anna, foreign) else None for url_id in urls}
    for task in (every, by_learner, by_lab, by_status, by_id):
        assert not [url for url in simulator.streaming_urls() if url in json.dumps(task.result)]


def test_labs_that_have_ended_do_not_need_a_lease_any_more(
    issue: CallModule, info: CallModule, call_module: CallModule
) -> None:
    for lab in ("friday", "monday"):
        issue(["anna"], lab=lab)
    call_module({"stream_group": GROUP, "lab": "monday", "state": "absent"}, module=MODULE)

    [anna] = info(lab="monday").result["stream_urls"]

    assert (anna["labs"], anna["active_labs"]) == (["friday", "monday"], ["friday"])


def test_only_stream_urls_that_were_used_are_looked_up(
    simulator: Simulator, issue: CallModule, info: CallModule
) -> None:
    url = issue(["anna", "ben", "chris"]).result["stream_urls"][0]["stream_url"]
    simulator.open(url)
    calls_before = len(simulator.calls("GetStreamUrl"))

    assert {each["id"]: each["sessions"] for each in info().result["stream_urls"]} == {"anna": 1, "ben": 0, "chris": 0}

    assert len(simulator.calls("GetStreamUrl")) == calls_before + 1
    assert [call["parameters"]["MaxResults"] for call in simulator.calls("ListStreamUrls")] == [100]


def test_the_stream_urls_of_a_deleted_stream_group_are_described(
    simulator: Simulator, issue: CallModule, info: CallModule
) -> None:
    issue(["anna"])
    simulator.delete_stream_group(GROUP)
    [entry] = info().result["stream_urls"]
    assert (entry["id"], entry["status"], entry["status_reason"]) == ("anna", "REVOKED", "streamGroupDeleted")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream_group": "sg-none"}, "Stream group 'sg-none' does not exist in region us-east-1: check stream_group"),
        ({"stream_group": "a b"}, "stream_group is 'a b', but it must be an id"),
        (
            {"stream_url_ids": ["su-1", "su-2"]},
            "2 of 2 stream URLs do not exist in stream group 'sg-class' ('su-1', 'su-2')",
        ),
        ({"stream_url_ids": []}, "stream_url_ids is empty: name at least one"),
        ({"learners": []}, "learners is empty: name at least one"),
        ({"learners": [" "]}, "The id of a learner is ' ', but it must have 1 to 200 Unicode characters"),
        ({"learners": ["anna"], "lease_store": "none"}, "lease_store is none, which stores no URL"),
        ({"concurrency": 0}, "concurrency is 0, but it must be from 1 to 64"),
    ],
)
def test_what_cannot_be_found_is_said_with_the_same_keys(
    simulator: Simulator, info: CallModule, options: dict[str, Any], message: str
) -> None:
    simulator.seed_stream_group(GROUP)
    task = info(**options)
    assert task.msg.startswith(message)
    keys = {"changed", "stream_urls", "missing", "unknown", "summary", "stream_group_arn", "region", "scope"}
    assert keys <= task.result.keys()
    assert task.result["missing"] == (options["stream_url_ids"] if "su-1" in message else [])


def test_a_failed_task_returns_no_url(simulator: Simulator, issue: CallModule, info: CallModule) -> None:
    known = issue(["anna"]).result["stream_urls"][0]["stream_url_id"]
    task = info(stream_url_ids=[known, "su-none"], return_urls=True)
    assert (task.failed, task.result["missing"], ids(task)) == (True, ["su-none"], ["anna"])
    assert not [url for url in simulator.streaming_urls() if url in json.dumps(task.result)]


def test_without_a_lease_store_nobody_is_named(issue: CallModule, info: CallModule) -> None:
    issue(["anna"])
    assert ids(info(lease_store="none")) == [None]


def test_stream_urls_that_seem_to_be_of_a_lab_whose_lease_store_was_lost_are_named(
    issue: CallModule, info: CallModule, home: Path
) -> None:
    lost = issue(["anna"], lab="monday").result["stream_urls"][0]["stream_url_id"]
    assert info(lab="monday").result["unknown"] == []
    (home / ".ansible/labstream/leases.sqlite3").unlink()

    found, other = info(lab="monday"), info(lab="tuesday")

    assert (found.result["stream_urls"], found.result["unknown"], other.result["unknown"]) == ([], [lost], [])
