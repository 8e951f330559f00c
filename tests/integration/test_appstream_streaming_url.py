# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What appstream_streaming_url gives to a learner or a lab: what it issues, reuses, predicts and releases."""

from __future__ import annotations

import hashlib
import json
import stat
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._version import COLLECTION_VERSION

from tests.integration.running import FLEET, MODULE, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

ARGS = {"stack_name": STACK, "fleet_name": FLEET}
ANNA = {**ARGS, "user_id": "anna", "validity": 3600}
DAY = 24 * 60 * 60
STORE = ".ansible/labstream/leases.sqlite3"
PRE_CHECK = {"DescribeStacks": 1, "DescribeFleets": 1, "ListAssociatedFleets": 1}


def in_seconds(seconds: float) -> str:
    """That time from now, as users write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def seconds_left(when: str) -> float:
    return (datetime.fromisoformat(when) - datetime.now(UTC)).total_seconds()


def issued_by(simulator: Simulator) -> int:
    return len(simulator.calls("CreateStreamingURL"))


def calls_of(simulator: Simulator, calls_before: int) -> Counter[str]:
    return Counter(call["operation"] for call in simulator.calls()[calls_before:])


# Issuing


@pytest.mark.core
def test_with_the_defaults_of_our_action_group_one_learner_gets_a_url_that_opens_their_session(
    lab: Simulator, run_playbook: Callable[..., Run]
) -> None:
    defaults = {
        "endpoint_url": lab.endpoint_url,
        "region": "us-east-1",
        "aws_config": {"user_agent_extra": "of-the-user"},
    }
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/labstream.aws.labstream": defaults},
        "tasks": [{"name": "issue", MODULE: ANNA}],
    }
    before = len(lab.calls())

    run = run_playbook(
        [play], environment=dict.fromkeys(("AWS_URL", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"), "")
    )

    assert run.returncode == 0, run.printed
    assert run.changed == 1
    assert {call["region"] for call in lab.calls()[before:]} == {"us-east-1"}
    assert all("of-the-user" in call["user_agent"] for call in lab.calls()[before:])
    task = run.task("issue")
    [entry] = task.result["streaming_urls"]
    status, page = lab.open(entry["streaming_url"])
    assert (status, "anna" in page) == (200, True)
    assert 3590 < seconds_left(entry["expires"]) <= 3600
    assert entry["user_id"] == "anna"
    assert entry["issued"] is True
    assert task.result["stack_arn"].endswith(":stack/cad-course")
    assert task.result["fleet_arn"].endswith(":fleet/cad-fleet")
    assert task.result["region"] == "us-east-1"
    assert task.result["failures"] == []
    assert task.result["renew_before"] is None
    assert task.result["summary"] == {
        "requested": 1,
        "issued": 1,
        "reused": 0,
        "failed": 0,
        "released": 0,
        "earliest_expiry": entry["expires"],
    }
    # Of modules that amazon.aws has renamed in its group, older versions of it warn.
    warnings = [line for line in run.printed.splitlines() if "WARNING]" in line]
    assert [warning for warning in warnings if "[DEPRECATION WARNING]: amazon.aws." not in warning] == []


def test_a_lab_gets_its_urls_in_the_order_asked_and_a_second_run_changes_nothing(
    lab: Simulator, call_module: Callable[..., Task], home: Path, users: Callable[[int], list[dict[str, Any]]]
) -> None:
    learners = list(reversed(users(30)))
    args = {**ARGS, "users": learners, "validity": 3600, "lab": "monday"}

    first, second = call_module(args), call_module(args)

    assert [entry["user_id"] for entry in first.result["streaming_urls"]] == [user["user_id"] for user in learners]
    assert (first.changed, second.changed) == (True, False)
    assert len(set(first.urls)) == 30
    assert second.urls == first.urls
    assert second.result["summary"] == {**first.result["summary"], "issued": 0, "reused": 30}
    assert issued_by(lab) == 30
    store = home / STORE
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


def test_reuse_costs_the_three_calls_of_the_pre_check(lab: Simulator, call_module: Callable[..., Task]) -> None:
    call_module(ANNA)
    before = len(lab.calls())

    assert not call_module(ANNA).changed

    assert calls_of(lab, before) == PRE_CHECK


def test_what_a_learner_opens_is_part_of_the_request(lab: Simulator, call_module: Callable[..., Task]) -> None:
    users = [{"user_id": "anna"}, {"user_id": "ben", "application_id": "cad", "session_context": "unit-7"}]

    task = call_module({**ARGS, "users": users, "application_id": "Desktop", "validity": 600})

    page_of_anna, page_of_ben = (lab.open(url)[1] for url in task.urls)
    assert "Desktop" in page_of_anna
    assert "unit-7" not in page_of_anna
    assert "cad" in page_of_ben
    assert "unit-7" in page_of_ben
    assert {call["parameters"]["Validity"] for call in lab.calls("CreateStreamingURL")} == {600}


@pytest.mark.core
def test_an_application_that_the_fleet_does_not_have_fails_before_anything_is_issued(
    lab: Simulator, call_module: Callable[..., Task], users: Callable[[int], list[dict[str, Any]]]
) -> None:
    lab.put_image("lab-image", Applications=[{"Name": "cad", "DisplayName": "CAD 2026"}, "office"])
    args = {**ARGS, "users": users(500), "application_id": "CAD 2026", "validity": 3600}
    before = len(lab.calls())

    for check in (True, False):
        task = call_module(args, check=check)
        assert task.failed
        assert task.msg == (
            "application_id is 'CAD 2026', but fleet 'cad-fleet' has no application of that name: use the name, not "
            "the display name, of one that it has: 'cad', 'office'."
        )
    assert calls_of(lab, before) == Counter(dict.fromkeys((*PRE_CHECK, "DescribeImages"), 2))


def test_a_lease_is_not_reused_for_an_application_that_is_gone(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    cad = {**ANNA, "application_id": "cad"}
    first = call_module(cad)
    assert reused(first, call_module(cad))

    lab.put_image("lab-image", Applications=[{"Name": "cad", "Enabled": False}, "office"])
    disabled = call_module(cad)
    lab.put_image("lab-image", Applications=["office"])
    gone = call_module(cad)

    assert "application_id is 'cad', which is disabled in the image of fleet 'cad-fleet'" in disabled.msg
    assert "fleet 'cad-fleet' has no application of that name" in gone.msg
    assert disabled.urls == gone.urls == []


def test_an_application_that_cannot_be_looked_up_is_a_warning(lab: Simulator, call_module: Callable[..., Task]) -> None:
    lab.remove_image("lab-image")
    hidden = call_module({**ANNA, "application_id": "blender"})
    lab.put_image("lab-image", DynamicAppProvidersEnabled="ENABLED")
    dynamic = call_module({**ANNA, "application_id": "blender"})

    assert (hidden.failed, dynamic.failed) == (False, False)
    assert "since its image is not visible to these credentials" in hidden.warnings
    assert "since its image gets applications dynamically" in dynamic.warnings


def test_the_image_of_a_fleet_may_belong_to_another_account(
    simulator: Simulator, call_module: Callable[..., Task]
) -> None:
    arn = simulator.put_image("partner-image", Visibility="SHARED", Applications=["cad"])
    simulator.seed_lab(STACK, FLEET, ImageName="partner-image", ImageArn=arn)

    found, missing = call_module({**ANNA, "application_id": "cad"}), call_module({**ANNA, "application_id": "blender"})

    assert (found.failed, found.warnings) == (False, "")
    assert missing.failed
    assert "one that it has: 'cad'." in missing.msg


def test_the_desktop_needs_a_fleet_that_shows_it(simulator: Simulator, call_module: Callable[..., Task]) -> None:
    simulator.seed_lab(STACK, FLEET, StreamView="APP")
    task = call_module({**ANNA, "application_id": "Desktop"}, check=True)
    assert task.failed
    assert "(its stream view is APP)" in task.msg


def test_the_applications_of_an_elastic_fleet_are_those_that_it_is_associated_with(
    simulator: Simulator, call_module: Callable[..., Task]
) -> None:
    elastic = {"FleetType": "ELASTIC", "MaxConcurrentSessions": 5, "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]}}
    appstream = simulator.client("appstream")
    appstream.create_stack(Name=STACK)
    appstream.create_fleet(Name=FLEET, InstanceType="stream.standard.medium", **elastic)
    appstream.associate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.start_fleet(Name=FLEET)
    simulator.change_fleet(FLEET, Applications=["cad", "cam", "office"])
    users = [{"user_id": "anna", "application_id": "office"}, {"user_id": "ben", "application_id": "cam"}]
    before = len(simulator.calls())

    found = call_module({**ARGS, "users": users})
    calls = calls_of(simulator, before)
    missing = call_module({**ANNA, "application_id": "blender"})

    assert (found.failed, found.warnings) == (False, "")
    # Two pages each, whatever the number of users.
    assert (calls["DescribeApplicationFleetAssociations"], calls["DescribeApplications"]) == (2, 2)
    assert missing.failed
    assert "one that it has: 'cad', 'cam', 'office'." in missing.msg


def test_the_validity_is_sixty_seconds_if_nothing_is_said(lab: Simulator, call_module: Callable[..., Task]) -> None:
    task = call_module({**ARGS, "user_id": "anna"})

    assert 50 < seconds_left(task.result["streaming_urls"][0]["expires"]) <= 60
    assert not call_module({**ARGS, "user_id": "anna"}).changed


def test_a_stack_with_many_fleets_is_read_to_the_last_page(lab: Simulator, call_module: Callable[..., Task]) -> None:
    appstream = lab.client("appstream")
    fleets = [f"fleet-{number}" for number in range(5)]
    for fleet in fleets:
        appstream.create_fleet(
            Name=fleet,
            InstanceType="stream.standard.medium",
            ImageName="lab-image",
            ComputeCapacity={"DesiredInstances": 1},
        )
        appstream.associate_fleet(StackName=STACK, FleetName=fleet)
        appstream.start_fleet(Name=fleet)

    assert call_module({**ANNA, "fleet_name": fleets[-1]}).changed

    assert len(lab.calls("ListAssociatedFleets")) == 3


def test_calls_say_who_makes_them(lab: Simulator, call_module: Callable[..., Task]) -> None:
    before = len(lab.calls())
    call_module(ANNA)

    assert all(f"labstream.aws/{COLLECTION_VERSION}" in call["user_agent"] for call in lab.calls()[before:])


# Reuse: which lease is current


def reused(first: Task, second: Task) -> bool:
    """Whether the second run returned the first one's URLs; and its result agrees with that."""
    same = first.urls == second.urls
    assert second.changed is not same
    assert [entry["issued"] for entry in second.result["streaming_urls"]] == [not same] * len(second.urls)
    return same


@pytest.mark.parametrize(
    ("first", "second", "is_reused"),
    [
        pytest.param({"validity": 3600}, {"validity": 3600}, True, id="same validity"),
        pytest.param({"validity": 3600}, {"validity": 3601}, False, id="other validity"),
        pytest.param({"validity": 3600}, {"validity": 3600, "min_remaining": 3000}, True, id="enough remains"),
        pytest.param({"validity": 3600}, {"validity": 3600, "force": True}, False, id="force"),
        pytest.param(
            {"validity": 3600}, {"validity": 3600, "application_id": "Desktop"}, False, id="other application"
        ),
        pytest.param({"validity": 3600}, {"validity": 3600, "session_context": "unit-7"}, False, id="other context"),
        pytest.param({"valid_until": 3000}, {"valid_until": 3000}, True, id="same time"),
        pytest.param({"valid_until": 3000}, {"valid_until": 2000}, True, id="earlier time"),
        pytest.param({"valid_until": 3000}, {"valid_until": 3010}, False, id="later time"),
        pytest.param({"validity": 3600}, {"valid_until": 3000}, True, id="a validity that reaches it"),
        pytest.param({"valid_until": 3000}, {"valid_until": 2000, "min_remaining": 2900}, True, id="both reached"),
    ],
)
def test_a_lease_is_reused_if_it_does_what_is_asked(
    lab: Simulator, call_module: Callable[..., Task], first: dict, second: dict, is_reused: bool
) -> None:
    now = datetime.now(UTC)
    for args in (first, second):
        if "valid_until" in args:
            args["valid_until"] = (now + timedelta(seconds=args["valid_until"])).isoformat()
    learner = {**ARGS, "user_id": "anna"}

    assert reused(call_module({**learner, **first}), call_module({**learner, **second})) is is_reused


@pytest.mark.parametrize(
    ("elapsed", "is_reused"), [(3600 - 360 - 20, True), (3600 - 360 + 20, False), (3600, False), (40 * DAY, False)]
)
def test_a_tenth_of_the_validity_must_remain(
    lab: Simulator, call_module: Callable[..., Task], elapsed: int, is_reused: bool
) -> None:
    first = call_module(ANNA)
    lab.set(clock_offset_seconds=elapsed)

    assert reused(first, call_module(ANNA)) is is_reused


def test_with_valid_until_a_url_lasts_until_then_and_one_lease_is_enough(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    lab_ends = {**ARGS, "user_id": "anna", "valid_until": in_seconds(3000)}
    first = call_module(lab_ends)
    lab.set(clock_offset_seconds=2990)

    assert reused(first, call_module(lab_ends))
    assert seconds_left(first.result["streaming_urls"][0]["expires"]) <= 3006
    assert datetime.fromisoformat(first.result["streaming_urls"][0]["expires"]) >= datetime.fromisoformat(
        lab_ends["valid_until"]
    )


@pytest.mark.parametrize("behind", [-2, 2])
def test_a_server_with_another_clock_than_the_one_that_is_read_issues_no_lease_that_is_never_reusable(
    lab: Simulator, call_module: Callable[..., Task], behind: int
) -> None:
    lab.set(issuing_clock_offset_seconds=-behind)
    lab_ends = {**ARGS, "user_id": "anna", "valid_until": in_seconds(3000)}

    first, second = call_module(lab_ends), call_module(lab_ends)

    assert reused(first, second)
    assert first.result["renew_before"] is None
    assert not first.warnings


def test_what_must_remain_does_not_outlast_the_end_of_the_lab(lab: Simulator, call_module: Callable[..., Task]) -> None:
    lab_ends = {**ARGS, "user_id": "anna", "valid_until": in_seconds(600), "min_remaining": 3600}
    first = call_module(lab_ends)
    lab.set(clock_offset_seconds=60)

    assert reused(first, call_module(lab_ends))


def test_more_than_seven_days_off_the_longest_url_is_issued_and_renewed_on_its_last_day(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    course = {**ARGS, "user_id": "anna", "valid_until": in_seconds(10 * DAY)}

    first = call_module(course)
    assert [call["parameters"]["Validity"] for call in lab.calls("CreateStreamingURL")] == [7 * DAY]
    assert first.result["renew_before"] == first.result["streaming_urls"][0]["expires"]
    assert "run again" in first.warnings
    assert first.result["renew_before"] in first.warnings

    lab.set(clock_offset_seconds=2 * DAY)  # 5 days left of the URL, the end is 8 days off
    assert reused(first, call_module(course))

    lab.set(clock_offset_seconds=6 * DAY + 60)  # the last day, the end is 4 days off
    last = call_module(course)
    assert not reused(first, last)
    assert last.result["renew_before"] is None
    assert datetime.fromisoformat(last.result["streaming_urls"][0]["expires"]) >= datetime.fromisoformat(
        course["valid_until"]
    )


def test_two_purposes_of_one_learner_do_not_disturb_each_other(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    desktop = {**ANNA, "application_id": "Desktop"}
    first, first_desktop = call_module(ANNA), call_module(desktop)

    assert reused(first, call_module(ANNA))
    assert reused(first_desktop, call_module(desktop))

    both = call_module(
        {**ARGS, "users": [{"user_id": "anna"}, {"user_id": "anna", "application_id": "Desktop"}], "validity": 3600}
    )
    assert both.urls == first.urls + first_desktop.urls
    assert len(both.result["ansible_facts"]["appstream_streaming_urls"]["anna"]) == 2


def test_a_stack_that_was_deleted_and_made_again_gets_new_urls(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    first = call_module(ANNA)
    appstream = lab.client("appstream")
    appstream.disassociate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.delete_stack(Name=STACK)
    lab.set(clock_offset_seconds=2)  # leases are kept in whole seconds
    appstream.create_stack(Name=STACK)
    appstream.associate_fleet(StackName=STACK, FleetName=FLEET)
    assert lab.open(first.urls[0])[0] == 404

    second = call_module(ANNA)

    assert not reused(first, second)
    assert lab.open(second.urls[0])[0] == 200
    assert reused(second, call_module(ANNA))


@pytest.mark.parametrize("offset", [-3600, 3600])
def test_a_wrong_clock_here_neither_reuses_a_dead_url_nor_issues_without_need(
    simulator: Simulator, call_module: Callable[..., Task], offset: int
) -> None:
    simulator.set(clock_offset_seconds=offset)
    simulator.seed_lab(STACK, FLEET)

    first = call_module({**ANNA, "validity": 600})
    assert reused(first, call_module({**ANNA, "validity": 600}))
    assert simulator.open(first.urls[0])[0] == 200

    simulator.set(clock_offset_seconds=offset + 601)
    assert simulator.open(first.urls[0])[0] == 403
    last = call_module({**ANNA, "validity": 600})
    assert not reused(first, last)
    assert simulator.open(last.urls[0])[0] == 200


def test_regions_and_accounts_share_no_lease(lab: Simulator, call_module: Callable[..., Task]) -> None:
    lab.seed_lab(STACK, FLEET, region="eu-west-1")
    credentials = lab.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/instructor", RoleSessionName="test"
    )["Credentials"]
    other_account = {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"],
    }
    appstream = lab.client(
        "appstream",
        aws_access_key_id=other_account["access_key"],
        aws_secret_access_key=other_account["secret_key"],
        aws_session_token=other_account["session_token"],
    )
    appstream.create_stack(Name=STACK)
    appstream.create_fleet(Name=FLEET, InstanceType="x", ImageName="lab-image", ComputeCapacity={"DesiredInstances": 1})
    appstream.associate_fleet(StackName=STACK, FleetName=FLEET)
    appstream.start_fleet(Name=FLEET)

    here, region, account = (call_module({**ANNA, **more}) for more in ({}, {"region": "eu-west-1"}, other_account))

    assert len({here.urls[0], region.urls[0], account.urls[0]}) == 3
    assert len({task.result["scope"] for task in (here, region, account)}) == 3
    assert ":222222222222:" in account.result["scope"]
    assert reused(here, call_module(ANNA))
    assert reused(region, call_module({**ANNA, "region": "eu-west-1"}))


# Rows


IDENTITY = {"id": "row-4711", "name": "Anna Example", "email": "anna@example.org"}


def test_the_identity_of_a_row_is_returned_and_goes_nowhere_else(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    # Given a user with an identity, and one for whom the service issues nothing.
    lab.add_fault(
        operation="CreateStreamingURL",
        parameters={"UserId": "ben"},
        error={"code": "ResourceNotAvailableException", "message": "No capacity."},
    )
    anna = {"user_id": "anna", **IDENTITY}
    args = {**ARGS, "validity": 3600}

    # When URLs are issued, then the identity is in the result.
    task = call_module({**args, "users": [anna]}, diff=True)
    [entry] = task.result["streaming_urls"]
    assert {name: entry[name] for name in IDENTITY} == IDENTITY
    failed = call_module({**args, "users": [{**anna, "user_id": "ben"}]}, diff=True)
    [failure] = failed.result["failures"]
    assert {name: failure[name] for name in IDENTITY} == IDENTITY

    # And neither in facts, texts, diffs and calls nor in the store.
    elsewhere = [task.result["ansible_facts"], task.result["diff"], failed.result["ansible_facts"], failed.msg]
    elsewhere += [call["parameters"] for call in lab.calls()]
    for value in IDENTITY.values():
        assert value not in json.dumps(elsewhere)
        assert value.encode() not in (home / STORE).read_bytes()

    # And it plays no part in reuse: with another one, the same lease is returned.
    again = call_module({**args, "users": [{**anna, "id": "4712"}]})
    assert reused(task, again)
    assert again.result["streaming_urls"][0]["id"] == "4712"
    assert again.result["streaming_urls"][0]["lease"] == entry["lease"]


# Check mode and diff mode


@pytest.mark.core
def test_check_mode_predicts_and_leaves_nothing_behind(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    predicted = call_module(ANNA, check=True)

    assert (predicted.failed, predicted.changed) == (False, True)
    assert predicted.result["streaming_urls"] == [
        {
            "id": None,
            "name": None,
            "email": None,
            "user_id": "anna",
            "application_id": None,
            "session_context": None,
            "streaming_url": None,
            "expires": None,
            "issued": True,
            "lease": call_module(ANNA, check=True).result["streaming_urls"][0]["lease"],
        }
    ]
    assert issued_by(lab) == 0
    assert not (home / ".ansible/labstream").exists()


def test_check_mode_has_the_structure_of_the_run_it_predicts(lab: Simulator, call_module: Callable[..., Task]) -> None:
    users = [{"user_id": "anna"}, {"user_id": "ben"}]
    call_module(ANNA)

    predicted = call_module({**ARGS, "users": users, "validity": 3600}, check=True)
    done = call_module({**ARGS, "users": users, "validity": 3600})

    assert predicted.result.keys() == done.result.keys()
    assert [entry.keys() for entry in predicted.result["streaming_urls"]] == [
        entry.keys() for entry in done.result["streaming_urls"]
    ]
    assert predicted.urls == [done.urls[0], None]
    assert {**predicted.result["summary"], "earliest_expiry": None} == {
        **done.result["summary"],
        "earliest_expiry": None,
    }
    for name in ("changed", "stack_arn", "fleet_arn", "scope", "region", "renew_before", "failures"):
        assert predicted.result[name] == done.result[name], name
    assert issued_by(lab) == 2
    assert not call_module({**ARGS, "users": users, "validity": 3600}, check=True).changed


def test_diff_mode_shows_learners_and_expiries(lab: Simulator, call_module: Callable[..., Task]) -> None:
    call_module(ANNA)
    users = [{"user_id": "anna"}, {"user_id": "ben", "session_context": "unit-7"}]

    predicted = call_module({**ARGS, "users": users, "validity": 3600}, check=True, diff=True)
    done = call_module({**ARGS, "users": users, "validity": 3600}, diff=True)

    anna, ben = done.result["streaming_urls"]
    of_ben = 'ben {"session_context":"unit-7"}'
    assert predicted.result["diff"] == {
        "before": {"anna": anna["expires"]},
        "after": {"anna": anna["expires"], of_ben: "to be issued"},
    }
    assert done.result["diff"] == {
        "before": {"anna": anna["expires"]},
        "after": {"anna": anna["expires"], of_ben: ben["expires"]},
    }


# Secrets


@pytest.mark.core
def test_with_return_urls_false_nothing_that_ansible_sees_holds_a_url(
    lab: Simulator, run_tasks: Callable[..., Run], ansible: Ansible, users: Callable[[int], list[dict[str, Any]]]
) -> None:
    lab_of_five = {**ARGS, "users": users(5), "validity": 3600, "return_urls": False}
    tasks = [
        {"name": "issue", MODULE: lab_of_five, "register": "issued"},
        {"name": "reuse", MODULE: lab_of_five, "register": "issued"},
        {"name": "show", "ansible.builtin.debug": {"var": "issued"}},
        {"name": "show facts", "ansible.builtin.debug": {"var": "ansible_facts"}},
    ]
    cache = ansible.home / "facts"

    run = run_tasks(
        tasks,
        diff=True,
        verbosity=4,
        environment={"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)},
    )

    assert [task.failed for task in run.tasks] == [False] * 4, run.printed
    secrets = lab.streaming_urls()
    assert len(secrets) == 5
    cached = "".join(path.read_text() for path in cache.iterdir())
    assert "learner-005" in cached
    seen = run.printed + cached + json.dumps([task.result for task in run.tasks])
    for url in secrets:
        assert url not in seen
        assert url.partition("parameters=")[2] not in seen


def test_facts_hold_no_url_even_where_the_result_does(lab: Simulator, call_module: Callable[..., Task]) -> None:
    task = call_module(ANNA)

    [entry] = task.result["streaming_urls"]
    facts, hidden = task.result["ansible_facts"], ("id", "name", "email", "streaming_url")
    assert facts == {
        "appstream_streaming_urls": {"anna": [{name: entry[name] for name in entry if name not in hidden}]}
    }


# The lease store


def test_the_store_on_the_target_is_named_by_its_environment(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    elsewhere = home / "elsewhere/class.sqlite3"

    call_module(ANNA, environment={"LABSTREAM_LEASE_STORE": f"sqlite://{elsewhere}"})

    assert elsewhere.exists()
    assert not (home / STORE).exists()
    assert not call_module({**ANNA, "lease_store": f"sqlite://{elsewhere}"}).changed


def test_without_a_store_every_run_issues_and_says_so(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    first, second = (call_module({**ANNA, "lease_store": "none"}) for _number in range(2))

    assert not reused(first, second)
    assert "leases are not stored" in first.warnings
    assert not (home / ".ansible/labstream").exists()
    assert call_module({**ANNA, "lease_store": "none"}, check=True).changed


def test_the_store_names_a_url_by_its_hash_after_it_expired(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    [url] = call_module(ANNA).urls
    lab.set(clock_offset_seconds=3601)
    call_module({**ANNA, "user_id": "ben"})

    store = (home / STORE).read_bytes()
    assert url.encode() not in store
    assert hashlib.sha256(url.encode()).hexdigest().encode() in store


# Releasing


@pytest.mark.core
def test_absent_releases_and_warns_and_the_next_run_issues_again(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    gone = {**ANNA, "state": "absent"}

    tasks = present, absent, absent_again, present_again = [call_module(args) for args in (ANNA, gone, gone, ANNA)]

    assert [task.changed for task in tasks] == [True, True, False, True]
    assert absent.result["streaming_urls"] == []
    assert absent.result["summary"]["released"] == 1
    assert "1 released streaming URL" in absent.warnings
    assert present.result["streaming_urls"][0]["expires"] in absent.warnings
    assert absent_again.warnings == ""
    assert present.urls != present_again.urls


@pytest.mark.core
def test_a_task_with_async_issues_only_what_it_does_not_return(
    lab: Simulator, run_tasks: Callable[..., Run], home: Path
) -> None:
    background = {"async": 60, "poll": 1, "vars": {"ansible_async_dir": str(home / "async")}}
    run = run_tasks(
        [
            {"name": "urls", MODULE: ANNA, **background},
            {"name": "no urls", MODULE: {**ANNA, "return_urls": False}, **background},
        ]
    )

    assert "return_urls is true and ANSIBLE_ASYNC_DIR is" in run.task("urls").msg, run.printed
    assert run.task("no urls").changed
    assert len(lab.calls("CreateStreamingURL")) == 1


def test_absent_by_lab_releases_that_lab_only(
    lab: Simulator, call_module: Callable[..., Task], users: Callable[[int], list[dict[str, Any]]]
) -> None:
    monday = call_module({**ARGS, "users": users(3), "validity": 3600, "lab": "monday"})
    tuesday = call_module({**ANNA, "lab": "tuesday"})
    absent = {**ARGS, "lab": "monday", "state": "absent"}

    predicted = call_module(absent, check=True, diff=True)
    done = call_module(absent, diff=True)

    # Not in the result of ansible-core 2.21 and newer.
    for result in (predicted.result, done.result):
        result.pop("invocation", None)
    assert predicted.result == done.result
    assert done.result["summary"]["released"] == 3
    assert done.result["diff"]["before"] == {
        entry["user_id"]: entry["expires"] for entry in monday.result["streaming_urls"]
    }
    assert done.result["diff"]["after"] == {}
    assert "3 released streaming URLs" in done.warnings
    assert reused(tuesday, call_module({**ANNA, "lab": "tuesday"}))
    assert not call_module(absent).changed

    # And a seat that tuesday has taken over since is tuesday's.
    taken_over = {**ARGS, "users": users(1), "validity": 3600, "lab": "tuesday"}
    taken = call_module(taken_over)
    assert call_module({**absent, "purge": True}).result["summary"]["released"] == 2
    assert reused(taken, call_module(taken_over))


@pytest.mark.parametrize("purge", [False, True])
def test_releasing_wipes_the_url_and_purging_the_record_too(
    lab: Simulator, call_module: Callable[..., Task], home: Path, purge: bool
) -> None:
    [url] = call_module(ANNA).urls

    assert call_module({**ANNA, "state": "absent", "purge": purge}).changed

    store = (home / STORE).read_bytes()
    assert url.encode() not in store
    assert (b"anna" in store) is not purge
    assert call_module({**ANNA, "state": "absent", "purge": True}).changed is not purge


@pytest.mark.parametrize("gone", [("stack",), ("fleet",), ("stack", "fleet")])
def test_absent_works_where_stack_or_fleet_is_gone(
    lab: Simulator, call_module: Callable[..., Task], gone: tuple[str, ...]
) -> None:
    call_module(ANNA)
    appstream = lab.client("appstream")
    appstream.stop_fleet(Name=FLEET)
    appstream.disassociate_fleet(StackName=STACK, FleetName=FLEET)
    if "stack" in gone:
        appstream.delete_stack(Name=STACK)
    if "fleet" in gone:
        appstream.delete_fleet(Name=FLEET)

    before = len(lab.calls())
    nothing_stored = call_module({**ANNA, "user_id": "ben", "state": "absent"})
    stored = call_module({**ANNA, "state": "absent"})

    assert not nothing_stored.failed, nothing_stored.msg
    assert not nothing_stored.changed
    assert stored.changed
    assert not call_module({**ANNA, "state": "absent"}).changed
    assert {call["service"] for call in lab.calls()[before:]} == {"appstream"}


def test_absent_changes_nothing_where_neither_stack_nor_fleet_nor_lease_exists(
    simulator: Simulator, call_module: Callable[..., Task]
) -> None:
    task = call_module({**ANNA, "state": "absent"})

    assert (task.failed, task.changed) == (False, False)
    assert [task.result[name] for name in ("stack_arn", "fleet_arn", "scope")] == [None, None, None]
    assert task.result["region"] == "us-east-1"


def test_absent_asks_for_no_running_fleet(lab: Simulator, call_module: Callable[..., Task]) -> None:
    call_module(ANNA)
    lab.client("appstream").stop_fleet(Name=FLEET)

    assert call_module({**ANNA, "state": "absent"}).changed


# Where the settings come from


def test_the_users_aws_config_wins_over_our_retries(lab: Simulator, call_module: Callable[..., Task]) -> None:
    lab.add_fault(operation="CreateStreamingURL", error={"code": "ThrottlingException", "message": "Rate exceeded"})

    task = call_module({**ANNA, "aws_config": {"retries": {"total_max_attempts": 2, "mode": "standard"}}})

    assert task.failed
    assert "ThrottlingException" in task.msg
    assert issued_by(lab) == 2
