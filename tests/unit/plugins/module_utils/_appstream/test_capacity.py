# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats of every type of fleet, and what scales it."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.capacity import (
    KINDS,
    Scaling,
    build_capacity,
    build_scaling,
    get_capacity_option,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption


def single(desired=10, running=0, in_use=0, available=0, **members):
    status = {"Desired": desired, "Running": running, "InUse": in_use, "Available": available}
    return {"Name": "cad-fleet", "State": "RUNNING", "ComputeCapacityStatus": status, **members}


def multi(seats=4, **status):
    """Of two instances, unless the status says otherwise."""
    return {
        "Name": "cad-fleet",
        "State": "RUNNING",
        "FleetType": "ALWAYS_ON",
        "MaxSessionsPerInstance": seats,
        "ComputeCapacityStatus": {"Desired": 2, **status},
    }


def elastic(state="RUNNING", max_sessions=20, in_use=0, **status):
    capacity_status = {"Desired": 0, "InUse": in_use, **status}
    members = {"FleetType": "ELASTIC", "MaxConcurrentSessions": max_sessions, "ComputeCapacityStatus": capacity_status}
    return {"Name": "cad-fleet", "State": state, **members}


SESSIONS = {"DesiredUserSessions": 8, "ActualUserSessions": 8, "ActiveUserSessions": 3, "AvailableUserSessions": 5}

# Desired, running, in use, available, max_available.
SEATS = {
    "Always-On, all instances there": (single(10, 10, 4, 6, FleetType="ALWAYS_ON"), (10, 10, 4, 6, 6)),
    "Always-On, still provisioning": (single(10, 5, 1, 3, FleetType="ALWAYS_ON"), (10, 5, 1, 3, 9)),
    "On-Demand, free instances are switched off": (single(10, 2, 2, 8, FleetType="ON_DEMAND"), (10, 10, 2, 8, 8)),
    "On-Demand, still provisioning": (single(10, 0, 0, 3, FleetType="ON_DEMAND"), (10, 3, 0, 3, 10)),
    "no type is told": (single(10, 10, 4, 6), (10, 10, 4, 6, 6)),
    "stopped": (single(10, State="STOPPED"), (10, 0, 0, 0, 10)),
    "only what is required is told": ({**single(), "ComputeCapacityStatus": {"Desired": 3}}, (3, 0, 0, 0, 3)),
    "nulls": ({**single(), "ComputeCapacityStatus": {"Desired": 3, "InUse": None}}, (3, 0, 0, 0, 3)),
    "scaled in while in use": (single(2, 5, 5, 0), (2, 5, 5, 0, 0)),
    "scaled in before the free ones went": (single(2, 5, 1, 4), (2, 5, 1, 4, 4)),
    "multi-session": (multi(**SESSIONS), (8, 8, 3, 5, 5)),
    "multi-session, still provisioning": (
        multi(**{**SESSIONS, "ActualUserSessions": 4, "AvailableUserSessions": 1}),
        (8, 4, 3, 1, 5),
    ),
    "multi-session, only instances are told": (multi(seats=4, Running=1, InUse=1), (8, 4, 1, 3, 7)),
    "multi-session, stopped": ({**multi(), "State": "STOPPED"}, (8, 0, 0, 0, 8)),
    "multi-session, stopped, no session slot is told": (
        {**multi(**dict.fromkeys(SESSIONS, 0)), "State": "STOPPED"},
        (8, 0, 0, 0, 8),
    ),
    "multi-session, of no instance": (multi(Desired=0, **dict.fromkeys(SESSIONS, 0)), (0, 0, 0, 0, 0)),
    "multi-session, an instance drains": (
        multi(**{**SESSIONS, "AvailableUserSessions": 2, "DrainModeUnusedUserSessions": 3}),
        (8, 8, 3, 2, 2),
    ),
    "one session on each instance, told as multi-session": (
        multi(seats=1, DesiredUserSessions=2, ActualUserSessions=2, ActiveUserSessions=0, AvailableUserSessions=2),
        (2, 2, 0, 2, 2),
    ),
    "one session on each instance, told as single-session": (
        {**single(10, 10, 4, 6), "MaxSessionsPerInstance": 1},
        (10, 10, 4, 6, 6),
    ),
    "Elastic": (elastic(in_use=3), (20, 20, 3, 17, 17)),
    "Elastic, instances that are told do not count": (elastic(Desired=20, Running=9, Available=1), (20, 20, 0, 20, 20)),
    "Elastic, stopped": (elastic("STOPPED"), (20, 0, 0, 0, 20)),
    "Elastic, starting": (elastic("STARTING"), (20, 0, 0, 0, 20)),
    "Elastic, all in use": (elastic(in_use=20), (20, 20, 20, 0, 0)),
    "Elastic, fewer are allowed than are in use": (elastic(max_sessions=5, in_use=6), (5, 6, 6, 0, 0)),
}


@pytest.mark.parametrize(("fleet", "seats"), SEATS.values(), ids=SEATS)
def test_capacity_is_in_seats(fleet, seats):
    assert astuple(build_capacity(fleet)) == seats


def params(**given):
    return {**dict.fromkeys(KINDS), **given}


def test_without_an_option_the_capacity_is_left_alone():
    assert Scaling.from_options(params()) is None


@pytest.mark.parametrize(
    ("given", "least"),
    [
        ({"desired_instances": -1}, 0),
        ({"desired_sessions": -30}, 0),
        ({"max_concurrent_sessions": 0}, 1),
        ({"desired_instances": 2**31}, 0),
    ],
)
def test_a_capacity_that_no_fleet_can_have_is_rejected(given, least):
    [(option, value)] = given.items()
    with pytest.raises(InvalidOption) as rejected:
        Scaling.from_options(params(**given))
    assert str(rejected.value) == f"{option} is {value}, but it must be from {least} to 2147483647."


@pytest.mark.parametrize("given", [{"desired_instances": 0}, {"desired_sessions": 0}, {"max_concurrent_sessions": 1}])
def test_the_least_capacity_is_taken(given):
    scaling = Scaling.from_options(params(**given))
    assert {scaling.option: scaling.wanted} == given


FLEETS = {"desired_instances": single(), "desired_sessions": multi(), "max_concurrent_sessions": elastic()}


@pytest.mark.parametrize("option", KINDS)
@pytest.mark.parametrize("kind", FLEETS)
def test_each_option_fits_one_kind_of_fleet_and_the_message_names_the_one_that_fits(option, kind):
    assert get_capacity_option(FLEETS[kind]) == kind
    scaling = Scaling(option, 7)
    if option == kind:
        scaling.validate_fits(FLEETS[kind])
        return
    with pytest.raises(InvalidOption) as rejected:
        scaling.validate_fits(FLEETS[kind])
    assert str(rejected.value) == (
        f"{option} is 7, but it is for {KINDS[option]}, and 'cad-fleet' is {KINDS[kind]}: give {kind} instead."
    )


def test_a_fleet_of_one_session_on_each_instance_has_the_kind_that_the_service_says():
    status = {"Desired": 0}
    fleet = {**multi(seats=1), "ComputeCapacityStatus": status}
    assert get_capacity_option(fleet) == "desired_instances"
    assert (
        get_capacity_option({**fleet, "ComputeCapacityStatus": {**status, "DesiredUserSessions": 0}})
        == "desired_sessions"
    )


@pytest.mark.parametrize(
    ("scaling", "parameters"),
    [
        (Scaling("desired_instances", 30), {"ComputeCapacity": {"DesiredInstances": 30}}),
        (Scaling("desired_sessions", 30), {"ComputeCapacity": {"DesiredSessions": 30}}),
        (Scaling("max_concurrent_sessions", 30), {"MaxConcurrentSessions": 30}),
    ],
)
def test_each_option_has_its_place_in_update_fleet(scaling, parameters):
    assert scaling.to_parameters() == parameters


@pytest.mark.parametrize(
    ("scaling", "fleet", "met"),
    [
        (Scaling("desired_instances", 10), single(10), True),
        (Scaling("desired_instances", 9), single(10), False),
        (Scaling("desired_instances", 10), single(10, State="STOPPED"), True),
        (Scaling("desired_sessions", 8), multi(DesiredUserSessions=8), True),
        (Scaling("desired_sessions", 9), multi(DesiredUserSessions=8), False),
        # The same two instances, whether the service returns what was asked for or what they have.
        (Scaling("desired_sessions", 5), multi(DesiredUserSessions=5), True),
        (Scaling("desired_sessions", 5), multi(DesiredUserSessions=8), True),
        (Scaling("desired_sessions", 4), multi(DesiredUserSessions=8), False),
        (Scaling("desired_sessions", 5), multi(), True),
        (Scaling("max_concurrent_sessions", 20), elastic(), True),
        (Scaling("max_concurrent_sessions", 21), elastic(Desired=21), False),
    ],
)
def test_a_capacity_that_the_fleet_has_is_not_asked_for_again(scaling, fleet, met):
    assert scaling.accepts(fleet) is met
    assert scaling.accepts(scaling.apply_to(fleet))


def test_what_is_predicted_of_scaling_is_room_to_come_and_no_instance_that_is_not_there():
    assert astuple(build_capacity(Scaling("desired_instances", 30).apply_to(single(10, 10, 4, 6)))) == (
        30,
        10,
        4,
        6,
        26,
    )
    assert astuple(build_capacity(Scaling("desired_sessions", 30).apply_to(multi(**SESSIONS)))) == (32, 8, 3, 5, 29)
    assert astuple(build_capacity(Scaling("max_concurrent_sessions", 30).apply_to(elastic()))) == (30, 30, 0, 30, 30)


@pytest.mark.parametrize(
    ("fleet", "needed", "wanted"),
    [
        pytest.param(single(2), 3, 3, id="too small"),
        pytest.param(single(3), 3, None, id="just right"),
        pytest.param(single(30), 3, None, id="never scaled down"),
        pytest.param(single(3, 1, 1, 0), 3, 4, id="others use it"),
        pytest.param(single(1, 9, 0, 9), 3, 3, id="sessions that are about to go"),
        pytest.param(multi(DesiredUserSessions=8, DrainModeUnusedUserSessions=2), 8, 10, id="instances are drained"),
        pytest.param(elastic(), 21, 21, id="Elastic"),
    ],
)
def test_a_fleet_is_scaled_up_to_the_sessions_that_are_needed(fleet, needed, wanted):
    assert build_scaling(fleet, needed) == (wanted and Scaling(get_capacity_option(fleet), wanted))


WIDE = {"EnableDefaultInternetAccess": True}


@pytest.mark.parametrize(
    ("scaling", "fleet", "warned"),
    [
        (Scaling("desired_instances", 101), single(**WIDE), "desired_instances 101 takes 101"),
        (Scaling("desired_instances", 100), single(**WIDE), None),
        (Scaling("desired_instances", 101), single(), None),
        (Scaling("desired_sessions", 401), {**multi(), **WIDE}, "desired_sessions 401 takes 101"),
        (Scaling("desired_sessions", 400), {**multi(), **WIDE}, None),
        (Scaling("max_concurrent_sessions", 500), {**elastic(), **WIDE}, None),
        # What is rejected anyway.
        (Scaling("desired_sessions", 401), single(**WIDE), None),
        (Scaling("desired_instances", 101), {**elastic(), **WIDE}, None),
    ],
)
def test_too_much_for_default_internet_access_is_warned_about(scaling, fleet, warned):
    warning = scaling.warning(fleet)
    assert (warning is None) if warned is None else warned in warning
