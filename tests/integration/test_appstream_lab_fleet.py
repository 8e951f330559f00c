# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role appstream_lab and the fleet: ready and large enough before the lab, and stopped after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.running import FLEET, PUBLISH, STACK, Run, Task
from tests.simulator.control import Simulator

ROLE = "labstream.aws.appstream_lab"
CHANGING = ("StartFleet", "StopFleet", "UpdateFleet", "ExpireSession", "CreateStreamingURL")
RunPlaybook = Callable[..., Run]


def variables(*learners: str, **options: Any) -> dict[str, Any]:
    """The role's variables for a lab "monday" of these learners."""
    lab: dict[str, Any] = {"name": "monday", "stack_name": STACK, "fleet_name": FLEET}
    if learners:
        lab |= {"learners": [{"id": learner} for learner in learners]}
        if "ends_at" not in options:
            lab["validity"] = 3600
    return {f"appstream_lab_{option}": value for option, value in {**lab, **options}.items()}


def serve(run_playbook: RunPlaybook, *labs: Mapping[str, Any], **options: Any) -> tuple[list[dict[str, Any]], Run]:
    """Run the role once for each lab, all in one play, each also if one before it failed.

    Returns the facts that the role published for each lab, and the run.
    """
    tasks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": ROLE}, "vars": dict(lab)}],
            "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}],
        }
        for lab in labs
    ]
    run = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], **options)
    published = [task.result["ansible_facts"] for task in run.tasks if task.name == PUBLISH]
    assert len(published) == len(labs), run.printed
    return published, run


def results_of(run: Run, name: str) -> list[Task]:
    """What became of the role's task, each time that it was not skipped."""
    return [task for task in run.tasks if task.name == f"{ROLE} : {name}" and task.status != "skipped"]


def get_failures(run: Run) -> list[str]:
    """Return the messages of the role's steps that failed."""
    return [task.msg for task in run.tasks if task.name.startswith(f"{ROLE} : ") and task.failed]


def make_stack(simulator: Simulator) -> Any:
    """The stack, without a fleet; a client of AppStream."""
    appstream = simulator.client("appstream")
    appstream.create_stack(Name=STACK)
    return appstream


def make_fleet(appstream: Any, instances: int = 1, *, name: str = FLEET, **members: Any) -> None:
    """A stopped fleet of the stack."""
    defaults = {
        "InstanceType": "stream.standard.medium",
        "ImageName": "lab-image",
        "ComputeCapacity": {"DesiredInstances": instances},
    }
    appstream.create_fleet(Name=name, **{**defaults, **members})
    appstream.associate_fleet(StackName=STACK, FleetName=name)


def state_of_fleet(simulator: Simulator) -> str:
    return simulator.client("appstream").describe_fleets(Names=[FLEET])["Fleets"][0]["State"]


def calls_of_role(simulator: Simulator) -> list[str]:
    """What the role has called, and not the test."""
    calls = simulator.calls(service="appstream")
    return [made["operation"] for made in calls if "labstream.aws" in made["user_agent"]]


def changing_calls(simulator: Simulator) -> list[str]:
    return [operation for operation in calls_of_role(simulator) if operation in CHANGING]


def sessions_of(simulator: Simulator, stack: str = STACK) -> dict[str, str]:
    """The ids of the sessions that there are, by user."""
    pages = simulator.client("appstream").get_paginator("describe_sessions")
    listed = pages.paginate(StackName=stack, FleetName=FLEET).build_full_result()["Sessions"]
    return {session["UserId"]: session["Id"] for session in listed}


def give_urls(call_module: Callable[..., Task], lab: str, *users: str) -> None:
    """What the role does for the URLs of a lab, in a tenth of the time. Another lab has another purpose."""
    args = {"stack_name": STACK, "fleet_name": FLEET, "users": [{"user_id": user} for user in users]}
    given = call_module({**args, "lab": lab, "session_context": lab, "validity": 3600, "return_urls": False})
    assert given.result["summary"]["issued"] == len(users), given.result


def come_in(simulator: Simulator, *users: str, stack: str = STACK) -> None:
    """Open a streaming URL for each user, which is not the one that the role gave."""
    appstream = simulator.client("appstream")
    for user in users:
        url = appstream.create_streaming_url(StackName=stack, FleetName=FLEET, UserId=user)["StreamingURL"]
        assert simulator.open(url)[0] == 200


def assert_no_url(simulator: Simulator, text: str) -> None:
    assert simulator.streaming_urls(), "a search for nothing proves nothing"
    assert not [url for url in simulator.streaming_urls() if url in text or url.partition("=")[2] in text]


# Before the lab


def test_a_stopped_fleet_is_started_and_scaled_as_check_mode_predicts_and_the_learners_get_their_urls(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    # Given a stopped fleet that is too small.
    make_fleet(make_stack(simulator))
    simulator.set(fleet_starting_seconds=1, instance_provisioning_seconds=0)
    ends_at = (datetime.now(UTC) + timedelta(hours=4)).isoformat(timespec="seconds")
    monday = variables("anna", "ben", ends_at=ends_at, manage_fleet=True, spare_sessions=1, session_context="u7")

    # When that is predicted,
    [predicted], prediction = serve(run_playbook, monday, check=True)

    # then nothing is done, and the seats are those that would be.
    assert changing_calls(simulator) == []
    assert (prediction.returncode, prediction.changed) == (0, 1), prediction.printed
    assert "sessions available" not in prediction.stderr
    assert [(seat["id"], seat["issued"], seat["expires"]) for seat in predicted["appstream_lab_seats"]] == [
        (learner, True, None) for learner in ("anna", "ben")
    ]
    assert predicted["appstream_lab_summary"]["message"] == (
        "Learners: 2. Streaming URLs to be issued: 2, reused: 0. "
        "Fleet 'cad-fleet' would be RUNNING with sessions in use: 0, available: 0, desired: 3."
    )

    # When it is done, then every poll prints a line, and the learners have their URLs.
    [published], run = serve(run_playbook, monday)
    assert (run.returncode, run.changed) == (0, 2), run.printed
    polls = [line for line in run.stderr.splitlines() if line.startswith("[localhost] cad-fleet: ")]
    assert ": STOPPED, 0 sessions available, 3 needed" in polls[0], run.printed
    assert ": RUNNING, 3 sessions available, 3 needed" in polls[-1], run.printed
    assert changing_calls(simulator) == ["UpdateFleet", "StartFleet"] + ["CreateStreamingURL"] * 2
    summary = published["appstream_lab_summary"]
    assert (summary["outcome"], summary["issued"], summary["expired"], summary["warnings"]) == ("ok", 2, 0, [])
    assert summary["fleet"] == {
        "name": FLEET,
        "state": "RUNNING",
        "fleet_type": "ALWAYS_ON",
        "capacity": {"desired": 3, "running": 3, "in_use": 0, "available": 3, "max_available": 3},
        "limits": {
            "idle_disconnect_timeout_in_seconds": 0,
            "disconnect_timeout_in_seconds": 900,
            "max_user_duration_in_seconds": 57600,
        },
        "needed": 2,
        "other_sessions": None,
    }
    for seat, predicted_seat in zip(published["appstream_lab_seats"], predicted["appstream_lab_seats"], strict=True):
        assert {**seat, "expires": None, "lease": None} == predicted_seat
    assert_no_url(simulator, run.printed + json.dumps(published))


def test_what_is_wrong_with_the_urls_is_said_before_the_fleet_is_started(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    appstream = make_stack(simulator)
    make_fleet(appstream, StreamView="APP")
    make_fleet(appstream, name="another-fleet")
    appstream.disassociate_fleet(StackName=STACK, FleetName="another-fleet")
    wrong: dict[str, dict[str, Any]] = {
        "appstream_lab_validity is 604801": {"validity": 604801},
        "appstream_lab_application_id is 'Desktop', but fleet 'cad-fleet' shows": {"application_id": "Desktop"},
        "Fleet 'another-fleet' is not associated with stack 'cad-course'": {"fleet_name": "another-fleet"},
    }

    published, run = serve(
        run_playbook, *(variables("anna", manage_fleet=True, **options) for options in wrong.values())
    )

    summaries = [facts["appstream_lab_summary"] for facts in published]
    for beginning, summary in zip(wrong, summaries, strict=True):
        assert summary["message"].startswith(beginning), run.printed
        assert (summary["outcome"], summary["issued"]) == ("failed", 0)
    assert changing_calls(simulator) == []


def test_too_few_sessions_and_limits_that_are_too_short_are_named_with_the_numbers(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    # Given three sessions, of which a learner of the lab and somebody else use two.
    limits = {"MaxUserDurationInSeconds": 7200, "DisconnectTimeoutInSeconds": 600}
    appstream = make_stack(simulator)
    make_fleet(appstream, 3, IdleDisconnectTimeoutInSeconds=300, **limits)
    appstream.start_fleet(Name=FLEET)
    come_in(simulator, "anna", "zoe")
    simulator.set(instance_provisioning_seconds=1000)
    learners = ("anna", "ben", "chloe")
    now = datetime.now(UTC)
    # A lab of an hour that starts in days is not too long.
    starts_at, ends_at = ((now + timedelta(hours=hours)).isoformat(timespec="seconds") for hours in (30, 31))
    five_hours = (now + timedelta(hours=5, minutes=1)).isoformat(timespec="seconds")

    published, run = serve(
        run_playbook,
        variables(*learners, on_insufficient_capacity="warn", break_minutes=15, spare_sessions=1, ends_at=five_hours),
        variables(*learners, manage_fleet=True, fleet_wait_timeout=1, starts_at=starts_at, ends_at=ends_at),
    )

    [lacking] = get_failures(run)
    assert re.match(r"Fleet 'cad-fleet' has 1 session available after \d+ seconds?, but 2 are needed: ", lacking)
    warned, late = (facts["appstream_lab_summary"] for facts in published)
    assert (warned["outcome"], late["outcome"]) == ("ok", "failed")
    billed = "Fleet 'cad-fleet' was started or scaled, and is billed while it runs."
    assert (late["message"], late["warnings"], late["fleet"]["state"]) == (f"{lacking} {billed}", [], "RUNNING")
    assert published[1]["appstream_lab_seats"] == []
    # The machine takes its time to get there.
    minutes = next(minutes for minutes in range(295, 302) if f" {minutes} minutes" in warned["warnings"][0])
    assert warned["warnings"] == [
        "A session on fleet 'cad-fleet' ends after 120 minutes (MaxUserDurationInSeconds), but the lab lasts "
        f"{minutes} minutes: raise the limit while the fleet is STOPPED (UpdateFleet), or ask learners to save in "
        "time.",
        "Fleet 'cad-fleet' disconnects learners after 5 minutes without input (IdleDisconnectTimeoutInSeconds), but a "
        "break takes 15 minutes: raise the timeout (UpdateFleet), or set it to 0, which means never.",
        "Fleet 'cad-fleet' ends a session 10 minutes after the learner was disconnected (DisconnectTimeoutInSeconds), "
        "but a break takes 15 minutes: raise the timeout (UpdateFleet).",
        "Fleet 'cad-fleet' is set to have 1 session available (1 now), but 2 learners have no session yet, and 1 "
        "should be spare: raise its capacity, or set appstream_lab_manage_fleet.",
    ]
    assert [(each["fleet"]["needed"], each["issued"]) for each in (warned, late)] == [(2, 3), (2, 0)]


def test_the_tag_capacity_alone_changes_nothing_and_says_what_is_missing(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    """What each of the other tags runs is in the unit tests."""
    make_fleet(make_stack(simulator))
    lab = variables("anna", "ben", manage_fleet=True, rotate=["anna"])

    run = run_playbook(ROLE, extra_vars=lab, arguments=["--tags", "capacity"])

    assert (changing_calls(simulator), run.changed, state_of_fleet(simulator)) == ([], 0, "STOPPED")
    assert run.returncode == 2
    assert "is set to have 1 session available (0 now), but 2 learners have no session yet" in run.printed


@pytest.mark.core
def test_with_a_tag_that_is_skipped_the_rest_of_the_role_runs(simulator: Simulator, run_playbook: RunPlaybook) -> None:
    """Which steps that are is in the unit tests."""
    make_fleet(make_stack(simulator))
    lab = variables("anna", "ben", manage_fleet=True)

    run = run_playbook(ROLE, extra_vars=lab, arguments=["--skip-tags", "urls"])

    assert run.returncode == 0, run.printed
    assert (state_of_fleet(simulator), simulator.calls("CreateStreamingURL")) == ("RUNNING", [])
    summary = run.task(PUBLISH).result["ansible_facts"]["appstream_lab_summary"]
    assert (summary["outcome"], summary["issued"], summary["fleet"]["needed"]) == ("ok", 0, 2)


# After the lab


def test_a_lab_that_ends_takes_its_own_sessions_and_the_last_one_stops_the_fleet(
    lab: Simulator, run_playbook: RunPlaybook, call_module: Callable[..., Task]
) -> None:
    # Given two labs on one fleet, in which ben is in both, and others, one of another stack.
    appstream = lab.client("appstream")
    appstream.create_stack(Name="guests")
    appstream.associate_fleet(StackName="guests", FleetName=FLEET)
    give_urls(call_module, "monday", "anna", "adam", "ben")
    give_urls(call_module, "tuesday", "ben", "chloe")
    come_in(lab, "anna", "adam", "ben", "chloe", "zoe")
    come_in(lab, "guest", stack="guests")

    # When the first ends, while the service fails to end one of its sessions,
    lab.add_fault(operation="ExpireSession", error={"code": "OperationNotPermittedException", "message": "no"}, times=1)
    # and the next run has a misspelled name before it ends the sessions that are left,
    end = variables(state="absent", manage_fleet=True)
    published, run = serve(run_playbook, end, {**end, "appstream_lab_name": "mondya"}, end)

    # then it ends no others, the fleet stays for these, and for the unknown lab nothing is done but said what there is.
    failed, unknown, ended = (facts["appstream_lab_summary"] for facts in published)
    assert (failed["outcome"], failed["expired"], failed["released"]) == ("partial", 1, 3), run.printed
    assert [each["code"] for each in failed["failures"]] == ["OperationNotPermittedException"]
    assert get_failures(run)[0].startswith("1 of 2 sessions could not be expired: ")
    assert sessions_of(lab).keys() == {"ben", "chloe", "zoe"}
    assert (ended["outcome"], ended["expired"], ended["released"]) == ("ok", 1, 0)
    assert ended["warnings"] == ["Users who are in another lab on this stack and fleet keep their sessions: ben."]
    assert ended["message"].startswith(
        "There is no lease left to release, except those that other labs need. Sessions expired: 1. Fleet "
        "'cad-fleet' stays RUNNING, because other sessions are on it: 4 and lab 'tuesday' lasts until 20"
    )
    assert (ended["fleet"]["other_sessions"], state_of_fleet(lab)) == (4, "RUNNING")
    assert (unknown["outcome"], unknown["expired"], unknown["released"]) == ("unchanged", 0, 0)
    assert unknown["message"] == "Nothing was released."
    assert unknown["warnings"] == [
        "Nothing is stored about lab 'mondya' on this stack and fleet, so nothing was released. Labs known there: "
        "monday, tuesday."
    ]

    # When the others are gone and the second ends,
    for session in (sessions_of(lab)["zoe"], sessions_of(lab, "guests")["guest"]):
        appstream.expire_session(SessionId=session)
    before = len(changing_calls(lab))
    end = variables(name="tuesday", state="absent", manage_fleet=True, purge=True)
    [predicted], prediction = serve(run_playbook, end, check=True)
    assert changing_calls(lab)[before:] == []
    gone = variables(state="absent", manage_fleet=True, stack_name="gone", fleet_name="gone")
    published, run = serve(run_playbook, end, gone)

    # then the fleet is stopped. Where nothing is stored, nothing is done, and a missing fleet is no failure.
    ended, without = (facts["appstream_lab_summary"] for facts in published)
    assert state_of_fleet(lab) == "STOPPED"
    work = r"Streaming URLs that were handed out work until they expire, the last at .{16} \(UTC\)\."
    assert re.fullmatch(
        rf"Leases released: 2\. {work} Sessions expired: 2\. Fleet 'cad-fleet' is STOPPED\.", ended["message"]
    ), run.printed
    assert re.fullmatch(
        rf"Leases to be released: 2\. {work} Sessions to be expired: 2\. Fleet 'cad-fleet' would be STOPPED\.",
        predicted["appstream_lab_summary"]["message"],
    )
    assert "the service cannot revoke" not in run.printed, "that is said once"
    assert (prediction.changed, run.changed) == (4, 4)
    leases = call_module({}, module="labstream.aws.streaming_lease_info").result["leases"]
    assert {lab for lease in leases for lab in lease["labs"]} == {"monday"}, "tuesday was purged"
    assert (without["outcome"], without["expired"], without["released"]) == ("unchanged", 0, 0)
    assert without["fleet"] is None
    assert_no_url(lab, run.printed + prediction.printed + json.dumps(published))


def test_a_lab_that_ends_leaves_its_learners_of_another_lab_their_url_and_the_fleet(
    lab: Simulator, run_playbook: RunPlaybook, call_module: Callable[..., Task]
) -> None:
    # Given a lab with a learner of another one, both with the same URL, and nobody in a session.
    now = datetime.now(UTC)
    starts_at, soon, later = (
        (now + timedelta(minutes=minutes)).isoformat(timespec="seconds") for minutes in (-5, 60, 90)
    )

    def issue(lab: str, *users: str, **times: str) -> dict[str, Any]:
        args = {"stack_name": STACK, "fleet_name": FLEET, "users": [{"user_id": user} for user in users]}
        return call_module({**args, "lab": lab, "return_urls": False, **times}).result

    issue("morning", "anna", "ben", valid_until=soon)
    joined = issue("noon", "anna", starts_at=starts_at, valid_until=soon)

    # When the first ends; and when the second is prolonged before it ends too.
    end = variables(state="absent", manage_fleet=True)
    [first], run = serve(run_playbook, {**end, "appstream_lab_name": "morning"})
    prolonged = issue("noon", "anna", starts_at=starts_at, valid_until=later)
    [second], last_run = serve(run_playbook, {**end, "appstream_lab_name": "noon"})
    ended, last = (facts["appstream_lab_summary"] for facts in (first, second))

    # Then the URL that both have and the fleet are left to the second.
    assert (run.returncode, last_run.returncode) == (0, 0), run.printed + last_run.printed
    assert (joined["summary"]["issued"], joined["summary"]["reused"], ended["released"]) == (0, 1, 1)
    assert "Fleet 'cad-fleet' stays RUNNING, because lab 'noon' lasts until " in ended["message"]
    assert (prolonged["summary"]["issued"], prolonged.get("warnings", [])) == (1, [])
    assert (last["released"], state_of_fleet(lab)) == (1, "STOPPED")


@pytest.mark.core
def test_a_name_that_yaml_made_a_number_is_the_same_lab_at_its_start_and_end(
    lab: Simulator, run_playbook: RunPlaybook
) -> None:
    come_in(lab, "anna")

    ended = variables(name=4713, state="absent", end_sessions=True)
    [_started, facts], run = serve(run_playbook, variables("anna", name=4713), ended)

    assert run.returncode == 0, run.printed
    summary = facts["appstream_lab_summary"]
    assert (summary["lab"], summary["released"], summary["expired"]) == ("4713", 1, 1)


def test_learners_who_left_the_roster_are_named_and_withdrawn_if_that_is_asked_for_and_they_are_few(
    lab: Simulator, run_playbook: RunPlaybook
) -> None:
    # Given a lab of three, of whom two leave, and two are in a session.
    withdrawing = variables("anna", validity=3600, withdraw_removed=True)
    come_in(lab, "anna", "ben")

    # When the lab is run with them, and without them: as it is, with a limit that is too low, and with none, while the
    # service rejects to end a session.
    lab.add_fault(operation="ExpireSession", error={"code": "OperationNotPermittedException", "message": "no"}, times=1)
    published, run = serve(
        run_playbook,
        {**withdrawing, **variables("anna", "ben", "chloe", validity=3600)},
        variables("anna", validity=3600),
        {**withdrawing, "appstream_lab_withdraw_limit": 0, "appstream_lab_force": True},
        withdrawing,
        withdrawing,
    )
    first, named, rejected, withdrawn, again = (facts["appstream_lab_summary"] for facts in published)
    assert (first["issued"], first["warnings"]) == (3, []), "there was no lab before"

    # Then they are named, and withdrawn once, and the next run ends the session that is left.
    assert named["warnings"][0].startswith("Learners who are no longer in the roster still have URLs: ben until ")
    assert get_failures(run)[0] == (
        "2 of 3 learners would be withdrawn, more than appstream_lab_withdraw_limit (0) allows: ben, chloe. "
        "Check the list of learners, or raise appstream_lab_withdraw_limit."
    )
    assert rejected["warnings"] == []
    assert (rejected["outcome"], rejected["issued"], len(lab.calls("CreateStreamingURL"))) == ("failed", 0, 3 + 2)
    assert withdrawn["warnings"][0].startswith(
        "Learners who are no longer in the roster were withdrawn, but their URLs "
    )
    assert (withdrawn["outcome"], withdrawn["expired"], again["expired"]) == ("partial", 0, 1)
    assert (again["warnings"], sessions_of(lab).keys()) == ([], {"anna"})
    assert_no_url(lab, run.printed + json.dumps(published))
