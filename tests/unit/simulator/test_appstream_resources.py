# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets and lists under the simulator's settings. Beside this, `moto/` tests what each operation does."""

from __future__ import annotations

import time

import pytest

from tests.unit.simulator.support import FLEET, FLEET_MEMBERS, LAB, STACK

ANNA = {"UserName": "anna@example.org", "AuthenticationType": "USERPOOL"}


def state(appstream, name=FLEET):
    return appstream.describe_fleets(Names=[name])["Fleets"][0]["State"]


def capacity(appstream, name=FLEET):
    return appstream.describe_fleets(Names=[name])["Fleets"][0]["ComputeCapacityStatus"]


class TestFleets:
    def test_starting_takes_the_time_that_is_set_and_capacity_follows(self, simulator, appstream):
        simulator.set(fleet_starting_seconds=0.2, fleet_stopping_seconds=0.2)
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)

        appstream.start_fleet(Name=FLEET)
        assert state(appstream) == "STARTING"
        assert capacity(appstream) == {"Desired": 2, "Running": 0, "InUse": 0, "Available": 0}
        time.sleep(0.25)
        assert state(appstream) == "RUNNING"
        assert capacity(appstream) == {"Desired": 2, "Running": 2, "InUse": 0, "Available": 2}

        appstream.stop_fleet(Name=FLEET)
        assert state(appstream) == "STOPPING"
        time.sleep(0.25)
        assert state(appstream) == "STOPPED"

    def test_boto3s_waiters_see_the_fleet_start_and_stop(self, simulator, appstream):
        quickly = {"Delay": 0.05, "MaxAttempts": 20}
        simulator.set(fleet_starting_seconds=0.2, fleet_stopping_seconds=0.2)
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)

        appstream.start_fleet(Name=FLEET)
        appstream.get_waiter("fleet_started").wait(Names=[FLEET], WaiterConfig=quickly)
        assert state(appstream) == "RUNNING"

        appstream.stop_fleet(Name=FLEET)
        appstream.get_waiter("fleet_stopped").wait(Names=[FLEET], WaiterConfig=quickly)
        assert state(appstream) == "STOPPED"
        assert len(simulator.calls("DescribeFleets")) > 4

    def test_a_stopping_fleet_cannot_be_started(self, simulator, lab, rejected):
        simulator.set(fleet_stopping_seconds=60)
        lab.stop_fleet(Name=FLEET)
        with rejected("ConcurrentModificationException"):
            lab.start_fleet(Name=FLEET)

    def test_the_clocks_offset_neither_starts_nor_stops_a_fleet(self, simulator, lab):
        simulator.set(clock_offset_seconds=-86_400, fleet_stopping_seconds=60)
        assert state(lab) == "RUNNING"
        lab.stop_fleet(Name=FLEET)
        simulator.set(clock_offset_seconds=86_400)
        assert state(lab) == "STOPPING"

    def test_capacity_of_a_multi_session_fleet_counts_sessions(self, simulator, appstream):
        simulator.seed_lab(STACK, FLEET, ComputeCapacity={"DesiredSessions": 5}, MaxSessionsPerInstance=4)
        for user in ("anna", "ben"):
            simulator.open(appstream.create_streaming_url(**LAB, UserId=user)["StreamingURL"])

        assert capacity(appstream) == {
            "Desired": 2,
            "Running": 2,
            "InUse": 1,
            "Available": 1,
            "DesiredUserSessions": 8,  # of whole instances
            "ActualUserSessions": 8,
            "ActiveUserSessions": 2,
            "AvailableUserSessions": 6,
        }

    def test_a_starting_fleet_cannot_be_updated(self, simulator, appstream, rejected):
        simulator.set(fleet_starting_seconds=60)
        simulator.seed_lab(STACK, FLEET, wait=False)
        with rejected("OperationNotPermittedException"):
            appstream.update_fleet(Name=FLEET, DisplayName="Class")


@pytest.mark.parametrize("change", [{"UserName": "anna b"}, {"FirstName": "Zoë"}])
def test_what_the_user_pool_cannot_hold_is_rejected(appstream, rejected, change):
    with rejected("ValidationException"):
        appstream.create_user(**{**ANNA, **change})
    assert appstream.describe_users(AuthenticationType="USERPOOL")["Users"] == []


class TestPagination:
    NAMES = ("a1", "a2", "a3", "a4", "a5")

    def test_boto3s_paginators_find_every_item(self, appstream):
        for name in self.NAMES:
            appstream.create_stack(Name=name)
            appstream.create_fleet(Name=name, **FLEET_MEMBERS)
            appstream.associate_fleet(StackName="a1", FleetName=name)
            appstream.associate_fleet(StackName=name, FleetName="a1")

        def names(operation, member, **request):
            pages = list(appstream.get_paginator(operation).paginate(**request))
            assert [len(page[member]) for page in pages] == [2, 2, 1]
            return tuple(item if isinstance(item, str) else item["Name"] for page in pages for item in page[member])

        assert names("describe_stacks", "Stacks") == self.NAMES
        assert names("describe_fleets", "Fleets") == self.NAMES
        assert names("list_associated_fleets", "Names", StackName="a1") == self.NAMES
        assert names("list_associated_stacks", "Names", FleetName="a1") == self.NAMES

    def test_the_page_size_can_be_set(self, simulator, appstream):
        simulator.set(page_size=4)
        for name in self.NAMES:
            appstream.create_stack(Name=name)
        assert len(appstream.describe_stacks()["Stacks"]) == 4

    def test_a_token_of_another_operation_is_rejected(self, appstream, rejected):
        for name in self.NAMES:
            appstream.create_stack(Name=name)
        token = appstream.describe_stacks()["NextToken"]
        for bad in (token, "rubbish", "é"):
            with rejected("InvalidParameterCombinationException"):
                appstream.describe_fleets(NextToken=bad)
