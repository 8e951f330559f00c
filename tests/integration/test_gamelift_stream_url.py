# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream URLs of GameLift Streams: created, reused, replaced, revoked, and found again if the lease store is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.integration.running import (
    STREAM_GROUP,
    STREAM_URL_MODULE,
    Ansible,
    Run,
    Task,
    finish_module,
    has_gamelift,
    wait_while_running,
)
from tests.simulator.control import ACCOUNT, Simulator

ARGS = {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"]}
LAB = {**ARGS, "lab": "monday"}
ANNA = {**LAB, "learner": "anna"}
ARN = f"arn:aws:gameliftstreams:us-east-1:{ACCOUNT}:streamgroup/{STREAM_GROUP}"
STORE = ".ansible/labstream/leases.sqlite3"
CREATE = "CreateStreamUrl"
ACTIVE, REVOKED = "ACTIVE", "REVOKED"

CallModule = Callable[..., Task]


@pytest.fixture
def group(simulator: Simulator) -> Simulator:
    """The simulator, with a stream group that has capacity for all."""
    location = {"LocationName": "us-east-1", "AlwaysOnCapacity": 10_000}
    simulator.seed_stream_group(STREAM_GROUP, ["a-lab", "a-other"], [location])
    return simulator


@pytest.fixture
def call(gamelift: None, call_module: CallModule) -> CallModule:
    """``call_module`` for ``gamelift_stream_url``."""
    return partial(call_module, module=STREAM_URL_MODULE)


def learners(number: int) -> list[str]:
    return [f"learner-{position:03}" for position in range(number)]


def ids(task: Task) -> list[str]:
    assert not task.failed, task.msg
    return [entry["stream_url_id"] for entry in task.result["stream_urls"]]


def urls(task: Task) -> list[str]:
    return [entry["stream_url"] for entry in task.result["stream_urls"]]


def statuses(simulator: Simulator) -> dict[str, str]:
    return {each["StreamUrlId"]: each["Status"] for each in simulator.stream_urls()}


def active(simulator: Simulator) -> list[str]:
    return sorted(each for each, status in statuses(simulator).items() if status == ACTIVE)


def calls_of(simulator: Simulator, calls_before: int = 0) -> Counter[str]:
    return Counter(call["operation"] for call in simulator.calls()[calls_before:])


def remove_store(home: Path) -> None:
    (home / STORE).unlink()


# Creating and reusing


@pytest.mark.core
def test_a_learner_gets_a_stream_url_that_opens_sessions_unless_botocore_is_too_old(
    group: Simulator, run_playbook: Callable[..., Run]
) -> None:
    learner = {"id": "Anna", "name": "Anna Example", "email": "anna@example.org"}
    tasks = [{"name": "create", STREAM_URL_MODULE: {**LAB, "learners": [learner]}}]
    play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}

    task = run_playbook([play]).task("create")

    if not has_gamelift():
        assert task.msg == (
            "botocore on this host is too old for Amazon GameLift Streams, which needs 1.43.59 or newer: "
            "upgrade boto3 and botocore for the Python that the task runs with."
        )
        assert group.calls() == []
        return
    assert not task.failed, task.msg
    [entry] = task.result["stream_urls"]
    [created] = group.stream_urls()
    assert entry == {
        **learner,
        "stream_url_id": created["StreamUrlId"],
        "stream_url": entry["stream_url"],
        "status": "ACTIVE",
        "status_reason": None,
        "expires": entry["expires"],
        "remaining_uses": 5,
        "sessions": 0,
        "issued": True,
        "lease": entry["lease"],
    }
    left = datetime.fromisoformat(entry["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert group.open(entry["stream_url"])[0] == 200
    shown = {name: task.result[name] for name in ("summary", "stream_group_arn", "region", "scope", "changed")}
    assert shown == {
        "changed": True,
        "summary": {
            "requested": 1,
            "issued": 1,
            "reused": 0,
            "failed": 0,
            "released": 0,
            "earliest_expiry": entry["expires"],
        },
        "stream_group_arn": ARN,
        "region": "us-east-1",
        "scope": f"gameliftstreams|{group.endpoint_url.removeprefix('http://')}|{ARN}",
    }
    for name in ("failures", "recovered", "revoked", "duplicates", "leases", "removed", "other_labs"):
        assert task.result[name] == []
    fact = {name: value for name, value in entry.items() if name not in ("id", "name", "email", "stream_url")}
    assert task.result["ansible_facts"] == {"gamelift_stream_urls": {"Anna": fact}}
    [call] = group.calls(CREATE)
    assert re.fullmatch(r"labstream/monday/[A-Z2-7]{26}", call["parameters"]["Description"])
    assert "nna" not in json.dumps(call["parameters"])
    assert (call["parameters"]["UsageLimit"], call["parameters"]["SessionLengthSeconds"]) == (5, 3600)


def test_a_lab_gets_its_stream_urls_in_the_order_asked_and_what_follows_changes_only_what_it_must(
    group: Simulator, call: CallModule, home: Path
) -> None:
    """A whole life: predicted, created, reused, forced twice, released, created again."""
    args = {**LAB, "learners": list(reversed(learners(3)))}

    predicted = call(args, check=True, diff=True)
    assert (predicted.changed, ids(predicted), group.stream_urls()) == (True, [None] * 3, [])
    assert not (home / STORE).exists()
    first = call(args, diff=True)
    assert predicted.result["diff"]["before"] == first.result["diff"]["before"] == {}
    assert list(first.result["diff"]["after"]) == list(predicted.result["diff"]["after"]) == args["learners"]
    assert [entry["id"] for entry in first.result["stream_urls"]] == args["learners"]
    assert (first.changed, sorted(ids(first))) == (True, active(group))

    before = len(group.calls())
    for check in (False, True):
        second = call(args, check=check)
        assert (second.changed, ids(second), urls(second)) == (False, ids(first), urls(first))
    assert calls_of(group, before) == {"GetStreamGroup": 2, "GetStreamUrl": 6}

    forced, twice = (call({**args, "force": True}) for _time in range(2))
    assert (sorted(forced.result["revoked"]), sorted(twice.result["revoked"])) == (
        sorted(ids(first)),
        sorted(ids(forced)),
    )
    assert len({*ids(first), *ids(forced), *ids(twice)}) == 9
    assert active(group) == sorted(ids(twice))
    for url in urls(twice):
        assert group.open(url)[0] == 200

    absent = {**args, "state": "absent"}
    predicted = call(absent, check=True, diff=True)
    assert (predicted.changed, predicted.result["revoked"], active(group)) == (
        True,
        sorted(ids(twice)),
        sorted(ids(twice)),
    )
    released = call(absent, diff=True)
    assert released.result["revoked"] == sorted(ids(twice))
    assert released.result["diff"] == predicted.result["diff"]
    assert released.result["leases"] == predicted.result["leases"]
    assert (released.result["summary"]["released"], released.warnings) == (3, "")
    assert active(group) == []
    assert {session["Status"] for session in group.stream_sessions()} == {"CONNECTED"}
    for check in (False, True):
        assert not call(absent, check=check).changed
    again = call(args)
    assert active(group) == sorted(ids(again))
    assert {open_[0] for open_ in map(group.open, [*urls(first), *urls(forced), *urls(twice)])} == {403}


def test_terminate_sessions_ends_them_also_where_the_stream_url_is_over(group: Simulator, call: CallModule) -> None:
    args = {**LAB, "learners": learners(3)}
    first = call(args)
    for url in urls(first):
        group.open(url)
    group.change_stream_url(ids(first)[0], ExpiresIn=-1)
    for _use in range(4):
        group.open(urls(first)[1])  # then all of its uses are gone

    ended = call({**LAB, "state": "absent", "terminate_sessions": True})

    assert ended.result["revoked"] == sorted(ids(first))
    assert {session["Status"] for session in group.stream_sessions()} == {"TERMINATED"}
    assert call({**LAB, "state": "absent", "terminate_sessions": True}).changed is False


def test_a_re_run_of_500_makes_ten_calls_at_most(group: Simulator, call: CallModule) -> None:
    args = {**LAB, "learners": learners(500), "concurrency": 64, "usage_limit": 2}
    first = call(args)
    before = len(group.calls())

    second = call(args)

    assert (second.changed, ids(second)) == (False, ids(first))
    calls = calls_of(group, before)
    assert calls == {"GetStreamGroup": 1, "ListStreamUrls": 5}
    assert calls.total() <= 10


# Replacing


def test_what_was_revoked_or_used_up_is_replaced_and_said(group: Simulator, call: CallModule) -> None:
    args = {**LAB, "learners": learners(4)}
    first = call(args)
    by_hand, used_up, nearly, good = ids(first)
    group.client("gameliftstreams").revoke_stream_url(Identifier=STREAM_GROUP, StreamUrlIdentifier=by_hand)
    group.change_stream_url(used_up, RemainingUses=0)
    for _use in range(4):
        group.open(urls(first)[2])

    predicted = call(args, check=True)
    second = call(args)

    assert second.warnings == predicted.warnings.replace("would be replaced", "were replaced")
    assert "3 stream URLs were replaced: " in second.warnings
    for said in (
        f"Stream URL '{by_hand}' of learner 'learner-000' is REVOKED (userRevoked: somebody revoked it)",
        f"Stream URL '{used_up}' of learner 'learner-001' is LIMIT_REACHED (all of its uses are gone)",
        f"Stream URL '{nearly}' of learner 'learner-002' is ACTIVE with 1 of 5 uses left, and min_remaining_uses is 2",
    ):
        assert said in second.warnings
    assert [entry["issued"] for entry in second.result["stream_urls"]] == [True, True, True, False]
    assert (second.result["revoked"], ids(second)[3]) == ([nearly], good)
    assert active(group) == sorted(ids(second))
    # Without ending the session of the last use.
    assert [session["Status"] for session in group.stream_sessions(nearly)] == ["CONNECTED"] * 4


def test_another_purpose_is_another_lease_and_another_usage_limit_replaces(group: Simulator, call: CallModule) -> None:
    first = call(ANNA)
    other = call({**ANNA, "application": "a-other"})
    assert (call(ANNA).changed, active(group)) == (False, sorted([*ids(first), *ids(other)]))

    more = call({**ANNA, "usage_limit": 9})

    assert f"{ids(first)[0]}' of learner 'anna' is ACTIVE with usage_limit 5 instead of 9" in more.warnings
    assert active(group) == sorted([*ids(more), *ids(other)])
    released = call({**ANNA, "state": "absent"})
    assert (released.result["revoked"], active(group)) == (ids(more), ids(other))
    assert call({"stream_group": ARN, "learner": "ANNA", "state": "absent", "purge": True}).changed
    assert active(group) == []


def test_another_generation_revokes_the_earlier_ones(group: Simulator, call: CallModule) -> None:
    first, later = ({**LAB, "learners": ["ben", {"id": "anna", "generation": number}]} for number in (0, 2))
    created = call(first)
    group.open(urls(created)[1])

    rotated = call({**later, "terminate_sessions": True})

    assert (rotated.result["revoked"], ids(rotated)[0]) == (ids(created)[1:], ids(created)[0])
    assert active(group) == sorted(ids(rotated))
    assert {session["Status"] for session in group.stream_sessions()} == {"TERMINATED"}
    again = call(later)
    assert (again.changed, again.result["revoked"], ids(again)) == (False, [], ids(rotated))


def test_who_is_not_listed_any_more_loses_the_stream_url(group: Simulator, call: CallModule) -> None:
    first = call({**LAB, "learners": learners(3)})
    args = {**LAB, "learners": learners(2), "withdraw_removed": True}

    predicted, withdrawn = call(args, check=True), call(args)

    for task in (predicted, withdrawn):
        [removed] = task.result["removed"]
        assert (removed["learner"], removed["released"], task.changed) == ("learner-002", True, True)
    assert withdrawn.result["revoked"] == ids(first)[2:]
    assert active(group) == sorted(ids(first)[:2])
    assert call(args).changed is False


def test_with_force_sessions_go_on_except_those_of_learners_who_are_withdrawn(
    group: Simulator, call: CallModule
) -> None:
    first = call({**LAB, "learners": learners(3)})
    for url in urls(first)[1:]:
        group.open(url)

    args = {**LAB, "learners": learners(2), "force": True, "withdraw_removed": True, "terminate_sessions": True}
    forced = call(args)

    assert forced.result["revoked"] == sorted(ids(first))
    assert [group.stream_sessions(each)[0]["Status"] for each in ids(first)[1:]] == ["CONNECTED", "TERMINATED"]


# Lost replies, killed runs, runs at once


def test_a_lost_reply_gives_the_same_stream_url(group: Simulator, call: CallModule) -> None:
    group.add_fault(operation=CREATE, drop="after", times=1)
    task = call(ANNA)
    assert ids(task) == active(group)
    assert len(group.calls(CREATE)) == 2


@pytest.mark.parametrize("then", ["present", "force", "absent"])
@pytest.mark.usefixtures("gamelift")
def test_a_run_that_was_killed_before_its_replies_came_leaves_nothing_behind(
    group: Simulator, ansible: Ansible, home: Path, then: str
) -> None:
    args = {**LAB, "learners": learners(5)}
    group.add_fault(operation=CREATE, drop="after")
    process = ansible.start_module(args, module=STREAM_URL_MODULE)
    assert wait_while_running(process, lambda: len(group.stream_urls()) == 5, 0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    group.clear_faults()
    lost = active(group)
    more = {"present": {}, "force": {"force": True}, "absent": {"state": "absent"}}[then]

    task = ansible.call_module({**args, **more}, module=STREAM_URL_MODULE)

    assert not task.failed, task.msg
    if then == "present":
        assert sorted(ids(task)) == lost == active(group)
    else:
        assert task.result["revoked"] == lost
        assert active(group) == sorted(ids(task))


@pytest.mark.usefixtures("gamelift")
def test_runs_at_once_create_one_stream_url_a_learner_and_all_return_it(group: Simulator, ansible: Ansible) -> None:
    args = {**LAB, "learners": learners(40)}

    processes = [ansible.start_module(args, module=STREAM_URL_MODULE) for _number in range(4)]
    tasks = [finish_module(process) for process in processes]

    assert [task.msg for task in tasks if task.failed] == []
    assert len(group.stream_urls()) == 40
    assert [ids(task) for task in tasks] == [ids(tasks[0])] * 4
    assert sorted(ids(tasks[0])) == active(group)
    assert sum(task.result["summary"]["issued"] for task in tasks) == 40


def test_forced_runs_at_once_leave_one_stream_url_a_learner_which_the_next_run_returns(
    group: Simulator, ansible: Ansible, call: CallModule
) -> None:
    args = {**LAB, "learners": learners(20), "concurrency": 4}
    first = call(args)
    group.add_fault(operation=CREATE, latency_seconds=0.05)
    processes = [ansible.start_module({**args, "force": True}, module=STREAM_URL_MODULE) for _number in range(3)]
    tasks = [finish_module(process) for process in processes]
    again = call(args)

    assert sorted(ids(again)) == active(group)
    assert len(active(group)) == 20
    assert not set(ids(first)) & set(ids(again))
    failures = [failure for task in tasks for failure in task.result["failures"]]
    assert {failure["code"] for failure in failures} <= {"LeaseConflict"}


# Recovery


def test_a_store_that_is_lost_in_the_middle_of_a_lab_is_rebuilt(group: Simulator, call: CallModule, home: Path) -> None:
    args = {**LAB, "learners": learners(3), "valid_until": "2099-01-01T00:00:00Z"}
    first = call(args)
    group.open(urls(first)[0])
    remove_store(home)

    recovering = {**args, "recover": True}
    predicted = call(recovering, check=True)
    assert not (home / STORE).exists()
    recovered = call(recovering)

    for task in (predicted, recovered):
        assert (task.changed, ids(task), task.result["recovered"]) == (True, ids(first), ids(first))
        assert (task.result["summary"]["issued"], task.result["duplicates"], task.result["revoked"]) == (0, [], [])
        assert urls(task) == urls(first)
    assert active(group) == sorted(ids(first))
    for again in (args, recovering):
        task = call(again)
        assert (task.changed, ids(task), task.result["recovered"]) == (False, ids(first), [])
    # And the lab can be ended.
    assert call({**LAB, "state": "absent"}).result["revoked"] == sorted(ids(first))


def test_duplicates_stay_unless_they_are_to_be_revoked(group: Simulator, call: CallModule, home: Path) -> None:
    first = call({**ANNA, "usage_limit": 3})
    remove_store(home)
    second = call(ANNA)
    remove_store(home)
    third = call(ANNA)
    remove_store(home)
    group.open(urls(third)[0])
    assert len(active(group)) == 3

    recovered = call({**ANNA, "recover": True})
    assert (ids(recovered), recovered.result["duplicates"]) == (ids(third), sorted([*ids(first), *ids(second)]))
    assert len(active(group)) == 3
    args = {**ANNA, "recover": True, "revoke_duplicates": True}
    predicted, revoked, again = call(args, check=True), call(args), call(args)

    assert predicted.result["revoked"] == revoked.result["revoked"] == sorted([*ids(first), *ids(second)])
    assert (predicted.changed, revoked.changed, again.changed) == (True, True, False)
    assert active(group) == ids(third)


def test_check_mode_foresees_duplicates_if_none_of_them_can_be_adopted(
    group: Simulator, call: CallModule, home: Path
) -> None:
    lost = ids(call({**ANNA, "usage_limit": 3}))
    remove_store(home)
    args = {**ANNA, "recover": True, "revoke_duplicates": True}

    predicted, revoked = call(args, check=True), call(args)

    for task in (predicted, revoked):
        assert (task.result["recovered"], task.result["duplicates"], task.result["revoked"]) == ([], lost, lost)
    assert active(group) == ids(revoked)


def test_without_a_lease_store_recover_returns_the_same_stream_urls_without_a_change(
    group: Simulator, call: CallModule
) -> None:
    args = {**ANNA, "lease_store": "none"}
    recovering = {**args, "recover": True}

    first, predicted, again, ended = (
        call(recovering),
        call(recovering, check=True),
        call(recovering),
        call({**args, "state": "absent"}),
    )

    assert (first.changed, predicted.changed, again.changed, ended.changed) == (True, False, False, True)
    assert ids(first) == ids(predicted) == ids(again) == ended.result["revoked"]
    assert "leases are not stored, so a run without recover issues new URLs." in again.warnings
    assert "Nothing is stored about lab 'monday' here, so no lease was released." in ended.warnings
    assert active(group) == []


def test_a_stream_url_of_a_later_generation_is_named_when_a_store_was_lost(
    group: Simulator, call: CallModule, home: Path
) -> None:
    rotated = {**ANNA, "learners": [{"id": ANNA["learner"], "generation": 2}]}
    del rotated["learner"]
    older = call(rotated)
    remove_store(home)
    newer = call(rotated)
    remove_store(home)

    recovering = {**ANNA, "recover": True, "revoke_duplicates": True}
    predicted, recovered, again = call(recovering, check=True), call(recovering), call(recovering)

    for task in (predicted, recovered):
        assert "there is an ACTIVE stream URL for 'anna' of generation 2: give this generation to" in task.warnings
        assert task.result["duplicates"] == task.result["revoked"] == sorted(ids(older) + ids(newer))
    assert active(group) == ids(recovered) == ids(again)
    assert (again.changed, again.result["duplicates"]) == (False, [])


def test_a_task_that_fails_to_revoke_returns_no_url(group: Simulator, call: CallModule, home: Path) -> None:
    older, old = [], []
    for duplicate in (older, old):
        duplicate.extend(ids(call(ANNA)))
        remove_store(home)
    newest, ben = call(ANNA), call({**LAB, "learners": ["ben"]})
    remove_store(home)
    error = {"code": "ValidationException", "message": "No."}
    group.add_fault(operation="RevokeStreamUrl", parameters={"StreamUrlIdentifier": old[0]}, error=error)

    failed = call({**ANNA, "recover": True, "revoke_duplicates": True})
    assert (failed.failed, failed.result["stream_urls"][0]["stream_url_id"], urls(failed)) == (
        True,
        *ids(newest),
        [None],
    )
    assert f"anna: Failed to revoke the stream URL '{old[0]}'" in failed.msg
    assert (failed.changed, failed.result["revoked"]) == (True, older)
    assert [failure["id"] for failure in failed.result["failures"]] == ["anna"]
    group.clear_faults()
    call({**LAB, "learners": ["anna", "ben"], "recover": True})
    group.add_fault(operation="RevokeStreamUrl", error=error)
    withdrawn = call({**ANNA, "withdraw_removed": True})
    assert (withdrawn.failed, urls(withdrawn)) == (True, [None])
    assert withdrawn.msg.startswith("The stream URLs of 1 learner could not be revoked")
    assert [entry["released"] for entry in withdrawn.result["removed"]] == [False]
    group.clear_faults()
    assert call({**ANNA, "withdraw_removed": True}).result["revoked"] == ids(ben)


def test_a_lab_whose_store_is_lost_is_ended_for_those_who_are_listed_whichever_generation(
    group: Simulator, call: CallModule, home: Path
) -> None:
    """What happens if such an end is interrupted, or if another lab uses a stream URL, is in the unit tests."""
    [other, lost, later] = ids(call({**LAB, "learners": ["ben", "anna", {"id": "carl", "generation": 1}]}))
    remove_store(home)
    [created] = ids(call({**LAB, "learners": ["carl"]}))

    unlisted = call({**LAB, "state": "absent"})
    args = {**LAB, "learners": ["anna", "carl"], "state": "absent"}
    predicted, listed, again = call(args, check=True), call(args), call(args)

    assert (unlisted.result["revoked"], unlisted.result["unknown"]) == ([created], sorted([other, lost, later]))
    assert "3 stream URLs that work or have sessions seem to belong to lab 'monday', but nothing is stored about " in (
        unlisted.warnings
    )
    for task in (predicted, listed):
        assert (task.changed, task.result["revoked"]) == (True, sorted([lost, later]))
        assert task.result["unknown"] == again.result["unknown"] == [other]
        assert "1 stream URL that works or has sessions seems to belong to lab 'monday'" in task.warnings
        assert f"nothing is stored about it ({other}): list its learner too, or correct application" in task.warnings
    assert (again.changed, again.result["revoked"], active(group)) == (False, [], [other])


def test_a_link_that_leaked_before_the_store_was_lost_is_revoked(
    group: Simulator, call: CallModule, home: Path
) -> None:
    leaked = ids(call(ANNA))
    remove_store(home)

    rotated = call({**LAB, "learners": [{"id": "anna", "generation": 1}], "recover": True})

    assert (rotated.result["revoked"], active(group)) == (leaked, ids(rotated))


# What is wrong with the stream group, and what is not allowed


def test_a_stream_group_that_cannot_stream_is_one_message_and_no_call_more(group: Simulator, call: CallModule) -> None:
    args = {**LAB, "learners": learners(3)}
    for change, message in (
        (
            {"Status": "EXPIRED"},
            "Stream group 'sg-lab' is EXPIRED: a stream group lasts 365 days",
        ),
        (
            {"Status": "ACTIVE", "Locations": [{"LocationName": "us-east-1", "Status": "ERROR"}]},
            "Stream group 'sg-lab' has location 'us-east-1', which is ERROR: ",
        ),
    ):
        group.change_stream_group(STREAM_GROUP, **change)
        for check in (False, True):
            before = len(group.calls())
            task = call(args, check=check)
            assert task.failed
            assert task.msg.startswith(message)
            assert calls_of(group, before) == {"GetStreamGroup": 1}
    group.change_stream_group(STREAM_GROUP, Locations=[{"LocationName": "us-east-1", "Status": "ACTIVE"}])
    assert "Application 'a-none' is not associated" in call({**args, "application": "a-none"}).msg
    assert "has no location 'eu-west-1'" in call({**args, "locations": ["eu-west-1"]}).msg
    assert (
        "valid_until is 2020-01-01T00:00:00Z, which has passed"
        in call({**args, "valid_until": "2020-01-01T00:00:00Z"}).msg
    )
    group.change_stream_group(STREAM_GROUP, Status="ACTIVE_WITH_ERRORS")
    capacity = {"AlwaysOnCapacity": 2, "MaximumCapacity": 2}
    group.change_stream_group(STREAM_GROUP, Locations=[{"LocationName": "us-east-1", **capacity}])
    served = call({**args, "usage_limit": 4})
    assert "Stream group 'sg-lab' is ACTIVE_WITH_ERRORS, with a location in ERROR: remove what is" in served.warnings
    assert (
        "can have 2 sessions at once at us-east-1, but the 3 learners need 3, and can start up to 12" in served.warnings
    )
    assert served.result["capacity"] == dict(sessions=2, needed=3, max_needed=12)
    assert len(active(group)) == 3


def test_a_stream_group_that_was_deleted_is_one_message_and_its_lab_can_be_ended(
    group: Simulator, call: CallModule
) -> None:
    call({**LAB, "learners": learners(3)})
    group.delete_stream_group(STREAM_GROUP)

    failed = call({**LAB, "learners": learners(3)})
    assert failed.msg == (
        "Stream group 'sg-lab' does not exist in region us-east-1: check stream_group and region, and that the "
        "credentials belong to the right account."
    )
    assert failed.result["failures"] == []
    before = len(group.calls())
    ended = call({**LAB, "state": "absent"})
    assert (ended.failed, ended.result["summary"]["released"], ended.warnings) == (False, 3, "")
    assert calls_of(group, before) == {"GetStreamGroup": 1}
    assert call({**LAB, "state": "absent", "stream_group": "sg-none"}).changed is False


def test_without_the_permission_to_list_a_warning_names_it_and_recover_fails(
    group: Simulator, call: CallModule
) -> None:
    args = {**LAB, "learners": learners(25)}
    first = call(args)
    group.add_fault(operation="ListStreamUrls", error={"code": "AccessDeniedException", "message": "No."})
    before = len(group.calls())

    second = call(args)

    denied = "the credentials are not authorized to perform gameliftstreams:ListStreamUrls (No)"
    assert (second.changed, ids(second)) == (False, ids(first))
    assert denied in second.warnings
    assert calls_of(group, before) == {"GetStreamGroup": 1, "ListStreamUrls": 1, "GetStreamUrl": 25}
    assert denied in call({**args, "recover": True}).msg
    ended = call({**LAB, "state": "absent"})
    assert denied in ended.warnings
    assert (ended.result["revoked"], active(group)) == (sorted(ids(first)), [])


ERRORS = {
    "AccessDeniedException": "the credentials are not authorized to perform gameliftstreams:CreateStreamUrl (No): "
    "allow this action on this stream group and its stream URLs in their IAM policy, or correct the names and the "
    "region if they are wrong.",
    "ConflictException": "ConflictException (No): something else is changing it, so wait a few minutes, then run "
    "again.",
    "InternalServerException": "InternalServerException (No): the service failed, so run again later.",
    "ResourceNotFoundException": "ResourceNotFoundException (No): correct stream_group, application and the region, "
    "or check that the credentials belong to the right account.",
    "ServiceQuotaExceededException": "ServiceQuotaExceededException (No): revoke stream URLs that are no longer "
    "needed, or request a quota increase (Service Quotas), then run again.",
    "ThrottlingException": "ThrottlingException (No): lower concurrency, then run again.",
    "ValidationException": "ValidationException (No): correct what it names.",
}


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_of_the_service_is_reported_for_each_learner(group: Simulator, call: CallModule, code: str) -> None:
    args = {**LAB, "learners": learners(2), "aws_config": {"retries": {"total_max_attempts": 1}}}
    group.add_fault(operation=CREATE, error={"code": code, "message": "No."})

    failed = call(args)

    message = f"Failed to create a stream URL: {ERRORS[code]}"
    assert failed.result["failures"] == [
        {"id": name, "name": None, "email": None, "code": code, "message": message} for name in learners(2)
    ]
    assert failed.msg == (
        f"2 of 2 got no streaming URL: learner-000, learner-001: {message.rstrip('.')}. Fix the problem, then run "
        "again."
    )
    assert [entry["status"] for entry in failed.result["stream_urls"]] == [None, None]
    group.clear_faults()
    again = call(args)
    assert active(group) == sorted(ids(again))


def test_what_cannot_be_revoked_stays_stored(group: Simulator, call: CallModule) -> None:
    first = call({**LAB, "learners": learners(2)})
    kept, gone = ids(first)
    error = {"code": "AccessDeniedException", "message": "No."}
    group.add_fault(operation="RevokeStreamUrl", parameters={"StreamUrlIdentifier": kept}, error=error)

    failed = call({**LAB, "state": "absent"})

    assert failed.failed
    assert failed.msg.startswith("The stream URLs of 1 learner could not be revoked, so the leases were kept: ")
    assert "gameliftstreams:RevokeStreamUrl" in failed.msg
    assert [failure["id"] for failure in failed.result["failures"]] == ["learner-000"]
    assert (failed.result["revoked"], failed.result["summary"]["released"]) == ([gone], 1)
    group.clear_faults()
    assert call({**LAB, "state": "absent"}).result["revoked"] == [kept]
    assert active(group) == []


def test_what_was_revoked_is_known_if_others_cannot_be_looked_up_after_that(
    group: Simulator, call: CallModule, home: Path
) -> None:
    lost = call({**LAB, "learners": ["carl"], "usage_limit": 1, "min_remaining_uses": 1})
    group.open(urls(lost)[0])
    remove_store(home)
    known = call({**LAB, "learners": ["anna"]})
    group.add_fault(
        operation="GetStreamUrl",
        parameters={"StreamUrlIdentifier": ids(lost)[0]},
        error={"code": "ValidationException", "message": "No."},
    )

    failed = call({**LAB, "state": "absent", "terminate_sessions": True})

    assert failed.msg.startswith(f"Failed to get the stream URL '{ids(lost)[0]}'")
    assert (failed.changed, failed.result["revoked"]) == (True, ids(known))


@pytest.mark.parametrize("operation", ["RevokeStreamUrl", "ListStreamUrls"])
def test_what_was_created_is_returned_without_urls_if_others_cannot_be_revoked(
    group: Simulator, call: CallModule, operation: str
) -> None:
    call({**LAB, "learners": ["anna", "ben"]})
    group.add_fault(operation=operation, error={"code": "ValidationException", "message": "No."})

    failed = call({**LAB, "learners": ["anna", "carl"], "withdraw_removed": True})

    assert failed.msg.startswith("The stream URLs of 1 learner could not be revoked, so the leases were kept: ben: ")
    shown = [(entry["issued"], entry["stream_url"]) for entry in failed.result["stream_urls"]]
    assert (failed.failed, failed.changed, shown) == (True, True, [(False, None), (True, None)])
    assert not any(url in json.dumps(failed.result) for url in group.streaming_urls())


def test_what_was_created_and_revoked_is_known_if_stream_urls_cannot_be_listed_after_that(
    group: Simulator, call: CallModule
) -> None:
    first = call(ANNA)
    group.add_fault(operation="ListStreamUrls", skip=1, error={"code": "ValidationException", "message": "No."})

    failed = call({**LAB, "learners": ["anna", {"id": "ben", "generation": 1}], "usage_limit": 3, "recover": True})

    assert (failed.failed, failed.changed, failed.result["summary"]["issued"]) == (True, True, 2)
    assert failed.msg.startswith("Failed to list the stream URLs of the stream group")
    assert failed.result["revoked"] == ids(first)
    assert failed.result["stream_urls"] == []


def test_what_was_created_in_a_lab_is_named_if_its_store_was_lost_and_no_lab_is_given(
    group: Simulator, call: CallModule, home: Path
) -> None:
    lost = ids(call({**LAB, "learners": ["anna", "ben"]}))
    remove_store(home)

    one, two = (call({**ARGS, "learners": names, "state": "absent"}) for names in (["anna"], ["anna", "ben", "carl"]))

    assert (one.changed, one.result["unknown"], one.result["revoked"]) == (False, lost[:1], [])
    assert (
        "1 stream URL of the listed learners that works or has sessions was created in a lab about which nothing is "
        "stored for them ('monday'): set lab to its name to revoke it."
    ) in one.warnings
    assert (two.result["unknown"], active(group)) == (sorted(lost), sorted(lost))
    assert "2 stream URLs of the listed learners that work or have sessions were created in a lab" in two.warnings
    assert call({**LAB, "learners": ["anna", "ben"], "state": "absent"}).result["revoked"] == sorted(lost)


def test_a_list_of_learners_that_is_rejected_revokes_nothing(group: Simulator, call: CallModule) -> None:
    call({**LAB, "learners": learners(5)})

    failed = call({**LAB, "learners": [{"id": "learner-000", "generation": 1}], "withdraw_removed": True})

    assert failed.msg.startswith("4 of 5 learners would be withdrawn")
    assert len(active(group)) == 5


# Other labs


@pytest.mark.parametrize("first", [{"lab": "tuesday"}, {}])
def test_a_lost_reply_of_another_lab_gives_the_same_stream_url(
    group: Simulator, call: CallModule, first: dict[str, str]
) -> None:
    group.add_fault(operation=CREATE, reply="truncated")
    assert call({**ARGS, **first, "learner": "anna"}).failed
    group.clear_faults()
    lost = active(group)

    assert ids(call(ANNA)) == lost == active(group)
    assert call({**LAB, "state": "absent"}).result["revoked"] == ([] if first else lost)


@pytest.mark.usefixtures("gamelift")
def test_labs_that_start_at_once_share_the_stream_urls_of_their_learners(group: Simulator, ansible: Ansible) -> None:
    group.add_fault(operation=CREATE, latency_seconds=0.1)
    args = {**ARGS, "learners": learners(12)}
    processes = [ansible.start_module({**args, "lab": lab}, module=STREAM_URL_MODULE) for lab in ("monday", "tuesday")]

    tasks = [finish_module(process) for process in processes]

    assert [sorted(ids(task)) for task in tasks] == [active(group)] * 2
    assert len(group.stream_urls()) == 12


def test_the_warning_of_unknown_stream_urls_is_not_about_those_of_other_labs(
    group: Simulator, call: CallModule
) -> None:
    alike = f"{'simulation-' * 3}1", f"{'simulation-' * 3}2"
    call({**ARGS, "lab": alike[0], "learners": ["anna", "ben"]})
    call({**ARGS, "lab": alike[1], "learners": ["anna", "carl"]})

    ended = call({"stream_group": STREAM_GROUP, "lab": alike[0], "state": "absent"})

    assert (len(ended.result["revoked"]), ended.warnings) == (1, "")


def test_a_lab_that_ends_keeps_what_another_needs_and_says_which_are_ahead(group: Simulator, call: CallModule) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    tuesday = {
        "lab": "tuesday",
        "valid_until": (later + timedelta(hours=1)).isoformat(),
        "starts_at": later.isoformat(),
    }
    shared = call({**ARGS, **tuesday, "learners": learners(2)})
    joined = call({**LAB, "learners": learners(3)})
    assert ids(joined)[:2] != ids(shared)  # another validity

    ended = call({**LAB, "state": "absent"})

    assert ended.result["revoked"] == ids(joined)[2:]
    [ahead] = ended.result["other_labs"]
    assert (ahead["lab"], ahead["starts_at"]) == ("tuesday", later.isoformat().replace("+00:00", "Z"))
    assert [entry["labs"] for entry in ended.result["leases"]] == [["tuesday"], ["tuesday"], []]


# Secrets


@pytest.mark.usefixtures("gamelift")
def test_no_url_is_in_a_store_a_message_a_diff_or_a_fact(
    group: Simulator, run_tasks: Callable[..., Run], home: Path
) -> None:
    module = {STREAM_URL_MODULE: {**LAB, "learners": learners(2), "return_urls": False}}
    force = {STREAM_URL_MODULE: {**module[STREAM_URL_MODULE], "force": True}}
    absent = {STREAM_URL_MODULE: {**LAB, "state": "absent", "terminate_sessions": True}}
    group.add_fault(
        operation="RevokeStreamUrl",
        parameters={"RevocationMode": "REVOKE_AND_TERMINATE_SESSIONS"},
        error={"code": "ValidationException", "message": "No."},
    )
    tasks = [{"name": f"task {number}", **each} for number, each in enumerate([module, module, force, absent])]
    run = run_tasks(tasks, diff=True, verbosity=3)

    secrets = [url.partition("token=")[2] for url in group.streaming_urls()]
    assert len(secrets) == 4
    with closing(sqlite3.connect(home / STORE)) as database:
        stored = "\n".join(database.iterdump())
    assert ids(run.task("task 2"))[0] in stored
    assert "could not be revoked" in run.task("task 3").msg
    for secret in secrets:
        assert secret not in run.printed
        assert secret not in stored
        assert secret not in json.dumps([task.result for task in run.tasks])
    assert all(secret not in path.read_text() for path in home.rglob("*.json") for secret in secrets)
