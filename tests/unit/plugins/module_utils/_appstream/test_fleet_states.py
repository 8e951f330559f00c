# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a fleet from state to state, and the messages about its errors."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.capacity import Scaling
from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleet_states import (
    CAPACITY_OPTIONS,
    OLD_ERRORS_TIMEOUT,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    Transition,
    describe_problem,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady
from ansible_collections.labstream.aws.plugins.module_utils._waiting import STATE_DELAY, Step
from botocore.loaders import Loader

NO_ADDRESSES = {"ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES", "ErrorMessage": "No address\nis free."}
NO_IMAGE = {"ErrorCode": "IMAGE_NOT_FOUND"}
TWELVE = Scaling("desired_instances", 12)


def fleet(state, *errors, desired=10):
    status = {"Desired": desired}
    return {"Name": "cad-fleet", "State": state, "FleetErrors": list(errors), "ComputeCapacityStatus": status}


def walk(transition, *states, since=0):
    """The steps that come of seeing the fleet in these states, one a second. All that the run does succeeds."""
    steps = []
    for now, state in enumerate(states, since):
        step = transition.next_step(state if isinstance(state, dict) else fleet(state), now)
        if step not in (Step.WAIT, Step.DONE):
            transition.record(step, now)
        steps.append(step)
    return steps


WAIT, DONE, START, STOP, SCALE = Step.WAIT, Step.DONE, Step.START, Step.STOP, Step.SCALE
WAYS = [
    pytest.param(RUNNING, None, [STOPPED, STARTING, RUNNING], [START, WAIT, DONE], id="started"),
    pytest.param(RUNNING, None, [STOPPED, RUNNING], [START, DONE], id="started at once"),
    pytest.param(RUNNING, None, [STOPPED, STOPPED, STARTING], [START, WAIT, WAIT], id="reported late that it starts"),
    pytest.param(RUNNING, None, [RUNNING], [DONE], id="running already"),
    pytest.param(RUNNING, None, [STARTING, STARTING, RUNNING], [WAIT, WAIT, DONE], id="somebody else started it"),
    pytest.param(RUNNING, None, [STOPPING, STOPPED, STARTING], [WAIT, START, WAIT], id="stopped first"),
    pytest.param(RUNNING, None, ["UPDATING", RUNNING], [WAIT, DONE], id="a state of another time"),
    pytest.param(RUNNING, TWELVE, [STOPPED, STOPPED, STARTING], [SCALE, START, WAIT], id="scaled, then started"),
    pytest.param(RUNNING, TWELVE, [RUNNING, RUNNING], [SCALE, DONE], id="scaled while it runs"),
    pytest.param(RUNNING, TWELVE, [STARTING, RUNNING, RUNNING], [WAIT, SCALE, DONE], id="scaled once it runs"),
    pytest.param(RUNNING, Scaling("desired_instances", 10), [RUNNING], [DONE], id="as large as wanted"),
    pytest.param(STOPPED, None, [RUNNING, STOPPING, STOPPED], [STOP, WAIT, DONE], id="stopped"),
    pytest.param(STOPPED, None, [STARTING, STARTING, STOPPING], [STOP, WAIT, WAIT], id="stopped while it starts"),
    pytest.param(STOPPED, None, [STOPPED], [DONE], id="stopped already"),
    pytest.param(STOPPED, None, [STOPPING, STOPPED], [WAIT, DONE], id="somebody else stopped it"),
]


@pytest.mark.parametrize(("goal", "scaling", "states", "steps"), WAYS)
def test_each_step_follows_from_what_is_seen(goal, scaling, states, steps):
    transition = Transition(goal, scaling)
    assert not transition.changed
    assert walk(transition, *states) == steps
    assert transition.changed == bool({START, STOP, SCALE} & set(steps))


@pytest.mark.parametrize(
    "states",
    [
        pytest.param([STOPPED, STARTING, STOPPED], id="seen starting"),
        pytest.param([STOPPED, STOPPED], id="never seen starting"),
        pytest.param([STARTING, STOPPED], id="started by somebody else"),
        pytest.param([STOPPED, STARTING, STOPPING], id="caught while it falls"),
    ],
)
def test_a_start_that_falls_back_is_reported_at_the_next_poll(states):
    transition = Transition(RUNNING)
    walk(transition, *states[:-1])
    with pytest.raises(NotReady) as raised:
        transition.next_step(fleet(states[-1]), STATE_DELAY)
    assert str(raised.value) == (
        f"Fleet 'cad-fleet' was starting and fell back to {states[-1]} without an error: check whether the "
        f"quota of its "
        "instance type is used up or 0, and whether somebody stopped it, then start it again."
    )


def test_a_fleet_may_still_be_stopped_shortly_after_it_was_started():
    transition = Transition(RUNNING)
    walk(transition, STOPPED)
    assert transition.next_step(fleet(STOPPED), STATE_DELAY - 0.1) is WAIT


def test_a_start_that_falls_back_with_errors_reports_them():
    transition = Transition(RUNNING)
    walk(transition, STOPPED, STARTING)
    with pytest.raises(NotReady) as raised:
        transition.next_step(fleet(STOPPED, NO_IMAGE), 2)
    assert str(raised.value) == (
        "Fleet 'cad-fleet' was starting and fell back to STOPPED with errors: IMAGE_NOT_FOUND: give the fleet an image "
        "that exists (UpdateFleet), then start it again."
    )


@pytest.mark.parametrize("states", [[STOPPED], []], ids=["this run started it", "somebody else did"])
def test_errors_of_a_starting_fleet_are_reported_at_the_first_poll(states):
    transition = Transition(RUNNING)
    walk(transition, *states)
    with pytest.raises(NotReady) as raised:
        transition.next_step(fleet(STARTING, NO_ADDRESSES), 1)
    assert str(raised.value) == (
        "Fleet 'cad-fleet' is STARTING with errors: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES (No address is free): give "
        "the fleet subnets with more free addresses (UpdateFleet), or request less, then stop the fleet and start it "
        "again."
    )


def test_errors_that_a_fleet_had_before_it_was_started_may_take_a_while_to_go():
    transition = Transition(RUNNING)
    walk(transition, fleet(STOPPED, NO_IMAGE), fleet(STARTING, NO_IMAGE))
    assert transition.next_step(fleet(STARTING, NO_IMAGE), OLD_ERRORS_TIMEOUT - 1) is WAIT
    with pytest.raises(NotReady, match="IMAGE_NOT_FOUND"):
        transition.next_step(fleet(STARTING, NO_IMAGE), OLD_ERRORS_TIMEOUT)


def test_the_same_holds_if_somebody_else_was_faster_with_the_start():
    transition = Transition(RUNNING)
    assert transition.next_step(fleet(STOPPED, NO_IMAGE), 0) is START
    assert transition.next_step(fleet(STARTING, NO_IMAGE), OLD_ERRORS_TIMEOUT - 1) is WAIT
    with pytest.raises(NotReady, match="IMAGE_NOT_FOUND"):
        transition.next_step(fleet(STARTING, NO_IMAGE), OLD_ERRORS_TIMEOUT)


def test_a_new_error_beside_an_old_one_is_reported_alone():
    transition = Transition(RUNNING)
    walk(transition, fleet(STOPPED, NO_IMAGE))
    with pytest.raises(NotReady, match=r"with errors: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES \(No address is free\): "):
        transition.next_step(fleet(STARTING, NO_IMAGE, NO_ADDRESSES), 1)


def test_errors_do_not_keep_a_fleet_from_being_stopped_nor_from_being_called_running():
    steps = walk(Transition(STOPPED), fleet(STARTING, NO_IMAGE), fleet(STOPPING, NO_IMAGE), fleet(STOPPED, NO_IMAGE))
    assert steps == [STOP, WAIT, DONE]
    assert walk(Transition(RUNNING), fleet(RUNNING, NO_IMAGE)) == [DONE]


def test_a_fleet_that_somebody_starts_while_it_is_stopped_is_reported():
    transition = Transition(STOPPED)
    walk(transition, RUNNING, STOPPING)
    with pytest.raises(NotReady) as raised:
        transition.next_step(fleet(STARTING), 2)
    assert str(raised.value) == (
        "Fleet 'cad-fleet' was being stopped and is STARTING now: check who starts it, then run again."
    )


def test_an_option_for_another_kind_of_fleet_is_rejected_in_every_state():
    for state in (STARTING, RUNNING, STOPPING, STOPPED):
        with pytest.raises(InvalidOption, match="max_concurrent_sessions is 5, but it is for an Elastic fleet"):
            Transition(RUNNING, Scaling("max_concurrent_sessions", 5)).next_step(fleet(state), 0)


@pytest.mark.parametrize(
    ("transition", "state", "obstacle"),
    [
        (Transition(RUNNING), STOPPING, "is STOPPING, and only a fleet that is STOPPED can be started"),
        (Transition(RUNNING), "UPDATING", "is UPDATING, and only a fleet that is STOPPED can be started"),
        (
            Transition(RUNNING, TWELVE),
            STARTING,
            "is STARTING, and only a fleet that is RUNNING or STOPPED can be scaled",
        ),
        (Transition(RUNNING, Scaling("desired_instances", 10)), STARTING, None),
        (Transition(RUNNING), STARTING, None),
        (Transition(STOPPED), STOPPING, None),
    ],
)
def test_without_waiting_an_obstacle_is_reported(transition, state, obstacle):
    transition.next_step(fleet(state), 0)
    raised = transition.find_obstacle(fleet(state))
    if obstacle is None:
        assert raised is None
    else:
        assert obstacle in raised
        assert raised.endswith("or set wait.")


def test_nothing_is_in_the_way_of_a_fleet_that_this_run_has_started():
    transition = Transition(RUNNING, TWELVE)
    walk(transition, STOPPED, STOPPED)
    for state in (STOPPED, STARTING):
        assert transition.find_obstacle(fleet(state)) is None


@pytest.mark.parametrize(
    ("goal", "state", "next_state"),
    [(RUNNING, STARTING, RUNNING), (RUNNING, STOPPING, STOPPED), (STOPPED, STOPPING, STOPPED)],
)
def test_after_a_timeout_the_next_state_is_named(goal, state, next_state):
    with pytest.raises(NotReady) as raised:
        Transition(goal).check_timeout(fleet(state), 1800)
    assert str(raised.value) == (
        f"Fleet 'cad-fleet' is still {state} after 1800 seconds: wait until it is {next_state} and run again, or "
        "increase wait_timeout."
    )


# So many more sessions must be available.


def sized(state, desired, in_use=0, available=0, *errors):
    status = {"Desired": desired, "Running": in_use + available, "InUse": in_use, "Available": available}
    return {**fleet(state, *errors), "ComputeCapacityStatus": status}


@pytest.mark.parametrize(
    ("needed", "fleets", "steps", "wanted"),
    [
        pytest.param(
            5,
            [
                sized(STOPPED, 2),
                sized(STOPPED, 5),
                sized(STARTING, 5),
                sized(RUNNING, 5, 0, 2),
                sized(RUNNING, 5, 0, 5),
            ],
            [SCALE, START, WAIT, WAIT, DONE],
            5,
            id="scaled, started and waited for",
        ),
        pytest.param(5, [sized(RUNNING, 9, 3, 6)], [DONE], None, id="enough"),
        pytest.param(5, [sized(RUNNING, 9, 6, 3), sized(RUNNING, 11, 6, 5)], [SCALE, DONE], 11, id="others use it"),
        pytest.param(0, [sized(STOPPED, 2), sized(RUNNING, 2)], [START, DONE], None, id="none is needed"),
        pytest.param(
            5,
            [sized(STARTING, 2), sized(RUNNING, 2, 1, 1), sized(RUNNING, 6, 1, 5)],
            [WAIT, SCALE, DONE],
            6,
            id="planned once it can be scaled",
        ),
        pytest.param(
            5,
            [sized(RUNNING, 5, 0, 3), sized(RUNNING, 5, 2, 1), sized(RUNNING, 5, 2, 3)],
            [WAIT, WAIT, DONE],
            None,
            id="a learner who starts a session meanwhile is not missing",
        ),
        pytest.param(
            5,
            [sized(STOPPED, 2), sized(STOPPED, 9), sized(RUNNING, 9, 0, 5)],
            [SCALE, START, DONE],
            5,
            id="another run scaled it up",
        ),
        pytest.param(
            5,
            [sized(RUNNING, 5, 0, 3, NO_IMAGE), sized(RUNNING, 5, 0, 3, NO_IMAGE)],
            [WAIT, WAIT],
            None,
            id="old errors",
        ),
        pytest.param(
            5, [sized(RUNNING, 5, 0, 3), sized(RUNNING, 5, 0, 3, NO_IMAGE)], [WAIT, DONE], None, id="new errors"
        ),
    ],
)
def test_the_sessions_that_are_needed_are_planned_once_and_waited_for(needed, fleets, steps, wanted):
    transition = Transition(RUNNING, available_sessions=needed)
    assert walk(transition, *fleets) == steps
    assert (transition.scaling and transition.scaling.wanted) == wanted


def test_a_fleet_that_another_run_scaled_up_meanwhile_is_not_scaled_down():
    transition = Transition(RUNNING, available_sessions=5)
    assert transition.next_step(sized(STOPPED, 2), 0) is SCALE
    assert transition.next_step(sized(STOPPED, 9), 1) is START


def test_without_waiting_the_sessions_that_can_come_count():
    transition = Transition(RUNNING, available_sessions=5, provisioned=False)
    assert transition.next_step(sized(RUNNING, 5, 0, 2), 0) is DONE
    assert transition.describe_shortage(sized(RUNNING, 5, 0, 2), None) is None


@pytest.mark.parametrize("state", [STOPPED, STOPPING])
def test_a_fleet_that_stops_while_sessions_are_waited_for_is_not_started(state):
    transition = Transition(RUNNING, available_sessions=5)
    walk(transition, sized(RUNNING, 5, 0, 2))
    with pytest.raises(NotReady, match=f"fell back to {state}"):
        transition.next_step(sized(state, 5), 1)


def test_what_another_process_has_done_is_not_done_again():
    transition = Transition(RUNNING, available_sessions=5)
    assert transition.next_step(sized(STOPPED, 2), 0) is SCALE
    transition.record_all(0)
    assert transition.next_step(sized(STOPPED, 2), 1) is WAIT
    with pytest.raises(NotReady, match="fell back to STOPPED"):
        transition.next_step(sized(STOPPED, 2), STATE_DELAY)


@pytest.mark.parametrize(
    ("described", "needed", "message"),
    [
        (
            sized(RUNNING, 30, 0, 12),
            30,
            "Fleet 'cad-fleet' has 12 sessions available after 1800 seconds, but 30 are needed: run again to keep "
            "waiting, and check whether a scaling policy or a quota limits the fleet.",
        ),
        (
            sized(RUNNING, 2, 1, 1, NO_IMAGE),
            2,
            "Fleet 'cad-fleet' has 1 session available after 1800 seconds, but 2 are needed: Fleet 'cad-fleet' is "
            "RUNNING with errors: IMAGE_NOT_FOUND: give the fleet an image that exists (UpdateFleet).",
        ),
        (sized(RUNNING, 1), 1, "Fleet 'cad-fleet' has 0 sessions available after 1800 seconds, but 1 is needed: run"),
        (sized(RUNNING, 3, 0, 3), 3, None),
    ],
)
def test_sessions_that_are_missing_are_counted(described, needed, message):
    transition = Transition(RUNNING, available_sessions=needed)
    transition.next_step(described, 0)
    shortage = transition.describe_shortage(described, 1800)
    assert (shortage is None) if message is None else shortage.startswith(message)


@pytest.mark.parametrize(
    ("needed", "seconds", "line"),
    [
        (30, 0.9, "cad-fleet: RUNNING, 12 sessions available, 30 needed, 0s"),
        (30, 135.2, "cad-fleet: RUNNING, 12 sessions available, 30 needed, 2m15s"),
        (None, 3600, "cad-fleet: RUNNING, 12 sessions available, 60m00s"),
    ],
)
def test_the_progress_of_a_fleet_is_one_line(needed, seconds, line):
    transition = Transition(RUNNING, available_sessions=needed)
    transition.next_step(sized(RUNNING, 30, 0, 12), 0)
    assert transition.describe_progress(sized(RUNNING, 30, 0, 12), seconds) == line


OPTIONS = {"name": "cad-fleet", "state": "started", "wait_timeout": 60, **dict.fromkeys(CAPACITY_OPTIONS)}


def test_a_transition_follows_from_the_options():
    assert Transition.from_options(OPTIONS, provisioned=True) == Transition(RUNNING)
    assert Transition.from_options({**OPTIONS, "state": "stopped"}, provisioned=False) == Transition(
        STOPPED, provisioned=False
    )
    assert Transition.from_options({**OPTIONS, "available_sessions": 0}, provisioned=True).available_sessions == 0
    assert Transition.from_options({**OPTIONS, "desired_instances": 12}, provisioned=True).scaling == TWELVE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "cad fleet"}, "name is 'cad fleet', but a name has 1 to 101"),
        ({"wait_timeout": 86401}, "wait_timeout is 86401, but it must be from 1 to 86400 seconds"),
        ({"available_sessions": -1}, "available_sessions is -1, but it must be from 0 to 2147483647"),
        ({"available_sessions": 1, "state": "stopped"}, "available_sessions is only for state=started"),
        ({"desired_sessions": 1, "state": "stopped"}, "desired_sessions is only for state=started"),
    ],
)
def test_options_that_lead_nowhere_are_rejected(options, message):
    with pytest.raises(InvalidOption, match=message):
        Transition.from_options({**OPTIONS, **options}, provisioned=True)


# What is wrong with a fleet.


def test_a_fleet_without_errors_has_no_problem():
    assert describe_problem(fleet(STOPPED)) is None
    assert describe_problem({**fleet(RUNNING), "FleetErrors": None}) is None


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (STARTING, ", then stop the fleet and start it again."),
        (RUNNING, "that exists (UpdateFleet)."),
        (STOPPING, ", then start it again."),
        (STOPPED, ", then start it again."),
    ],
)
def test_what_helps_depends_on_the_state(state, then):
    assert describe_problem(fleet(state, NO_IMAGE)).startswith(
        f"Fleet 'cad-fleet' is {state} with errors: IMAGE_NOT_FOUND: "
    )
    assert describe_problem(fleet(state, NO_IMAGE)).endswith(then)


def test_a_long_error_is_cut_but_not_what_helps():
    raised = describe_problem(fleet(STOPPED, {**NO_IMAGE, "ErrorMessage": "spam " * 2_000_000}))
    assert len(raised) <= 1500
    assert raised.startswith("Fleet 'cad-fleet' is STOPPED with errors: IMAGE_NOT_FOUND (spam spam")
    assert raised.endswith("an image that exists (UpdateFleet), then start it again.")


def test_of_many_errors_some_are_reported_and_the_same_remedy_once():
    raised = describe_problem(
        fleet(RUNNING, {"ErrorCode": "SUBNET_NOT_FOUND"}, *[{"ErrorCode": "SECURITY_GROUPS_NOT_FOUND"}] * 4)
    )
    assert raised == (
        "Fleet 'cad-fleet' is RUNNING with errors: SUBNET_NOT_FOUND, SECURITY_GROUPS_NOT_FOUND, "
        "SECURITY_GROUPS_NOT_FOUND, 2 more: correct the fleet's subnets and security groups (UpdateFleet)."
    )


CODES = Loader().load_service_model("appstream", "service-2")["shapes"]["FleetErrorCode"]["enum"]
# The first is no more than a notice, and the second is about anything.
WITHOUT_REMEDY = {"FLEET_STOPPED", "VALIDATION_ERROR"}


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_service_has_a_remedy(code):
    raised = describe_problem(fleet(RUNNING, {"ErrorCode": code}))
    assert raised.endswith("fix what it names.") == (code in WITHOUT_REMEDY)


@pytest.mark.parametrize("error", [{}, {"ErrorCode": None, "ErrorMessage": None}, {"ErrorCode": "NEW_ONE"}])
def test_an_error_without_details_is_reported(error):
    assert describe_problem(fleet(RUNNING, error)) == (
        f"Fleet 'cad-fleet' is RUNNING with errors: {error.get('ErrorCode') or 'no code'}: fix what it names."
    )
