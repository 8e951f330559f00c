# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets that do not start well: errors, starts that come to something else, instances that come one by one."""

from __future__ import annotations

import time

import pytest

from tests.unit.simulator.support import FLEET, FLEET_MEMBERS, LAB, STACK

NO_IMAGE = {"ErrorCode": "IMAGE_NOT_FOUND", "ErrorMessage": "The image lab-image was not found."}


def described(appstream):
    return appstream.describe_fleets(Names=[FLEET])["Fleets"][0]


def reported(appstream):
    """State and error codes."""
    fleet = described(appstream)
    return fleet["State"], [error["ErrorCode"] for error in fleet["FleetErrors"]]


def available(appstream):
    return described(appstream)["ComputeCapacityStatus"]["Available"]


@pytest.fixture
def stopped(simulator, appstream):
    """The client, with a stopped fleet."""
    appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)
    return appstream


class TestStartsThatFail:
    def test_a_start_falls_back_to_stopped_after_the_time_that_it_takes(self, simulator, stopped):
        simulator.set(fleet_starting_seconds=0.2)
        simulator.change_fleet(FLEET, StartOutcome="STOPPED")

        stopped.start_fleet(Name=FLEET)

        assert reported(stopped) == ("STARTING", [])
        time.sleep(0.25)
        assert reported(stopped) == ("STOPPED", [])
        simulator.change_fleet(FLEET, StartOutcome="RUNNING")
        stopped.start_fleet(Name=FLEET)
        time.sleep(0.25)
        assert reported(stopped) == ("RUNNING", [])

    def test_a_start_that_never_ends_has_its_errors_after_that_time(self, simulator, stopped):
        simulator.set(fleet_starting_seconds=0.2)
        simulator.change_fleet(FLEET, StartOutcome="STARTING", StartErrors=[NO_IMAGE])

        stopped.start_fleet(Name=FLEET)

        assert reported(stopped) == ("STARTING", [])
        time.sleep(0.25)
        assert described(stopped)["FleetErrors"] == [NO_IMAGE]
        assert reported(stopped) == ("STARTING", ["IMAGE_NOT_FOUND"])
        stopped.stop_fleet(Name=FLEET)
        assert reported(stopped) == ("STOPPED", ["IMAGE_NOT_FOUND"])

    def test_errors_are_reported_until_a_start_has_ended(self, simulator, stopped):
        simulator.set(fleet_starting_seconds=0.2)
        simulator.change_fleet(FLEET, FleetErrors=["IMAGE_NOT_FOUND"])
        assert reported(stopped) == ("STOPPED", ["IMAGE_NOT_FOUND"])

        stopped.start_fleet(Name=FLEET)

        assert reported(stopped) == ("STARTING", ["IMAGE_NOT_FOUND"])
        time.sleep(0.25)
        assert reported(stopped) == ("RUNNING", [])

    def test_a_running_fleet_may_have_errors(self, simulator, lab):
        simulator.change_fleet(FLEET, FleetErrors=["FLEET_INSTANCE_PROVISIONING_FAILURE"])
        assert reported(lab) == ("RUNNING", ["FLEET_INSTANCE_PROVISIONING_FAILURE"])
        assert described(lab)["FleetErrors"][0]["ErrorMessage"]
        simulator.change_fleet(FLEET, FleetErrors=[])
        assert reported(lab) == ("RUNNING", [])

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"StartOutcome": "STOPPING"}, "StartOutcome must be one of RUNNING, STARTING, STOPPED, not 'STOPPING'"),
            ({"StartOutcome": None}, "StartOutcome must be one of"),
            ({"FleetErrors": "IMAGE_NOT_FOUND"}, "FleetErrors must be a list"),
            ({"StartErrors": ["NO_SUCH_CODE"]}, "ErrorCode must be one of .*, not 'NO_SUCH_CODE'"),
            ({"FleetErrors": [{"Code": "IMAGE_NOT_FOUND"}]}, "FleetErrors holds codes, or objects with ErrorCode"),
            ({"State": "RUNNING"}, "A fleet has no member 'State' here"),
            ({"region": "eu-central-1"}, "There is no fleet 'class-fleet'"),
            ({"region": "mars-1"}, "AppStream has no endpoint in the region 'mars-1'"),
        ],
    )
    def test_a_bad_change_is_rejected_with_a_reason_and_changes_nothing(self, simulator, stopped, change, reason):
        with pytest.raises(ValueError, match=reason):
            simulator.change_fleet(FLEET, **{"FleetErrors": [NO_IMAGE], **change})
        assert reported(stopped) == ("STOPPED", [])


class TestInstancesThatComeOneByOne:
    def test_a_fleet_runs_before_its_instances_are_there(self, simulator, appstream):
        simulator.set(instance_provisioning_seconds=0.3)
        simulator.seed_lab(STACK, FLEET, instances=2)
        url = appstream.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]

        assert described(appstream)["ComputeCapacityStatus"] == {"Desired": 2, "Running": 0, "InUse": 0, "Available": 0}
        assert simulator.open(url)[0] == 503
        time.sleep(0.35)
        assert available(appstream) == 1
        assert simulator.open(url)[0] == 200
        time.sleep(0.35)
        assert described(appstream)["ComputeCapacityStatus"] == {"Desired": 2, "Running": 2, "InUse": 1, "Available": 1}

    def test_more_instances_come_to_those_that_are_there(self, simulator, lab):
        simulator.set(instance_provisioning_seconds=0.3)

        lab.update_fleet(Name=FLEET, ComputeCapacity={"DesiredInstances": 3})

        assert available(lab) == 2
        time.sleep(0.35)
        assert available(lab) == 3

    def test_fewer_instances_are_gone_at_once(self, simulator, lab):
        simulator.set(instance_provisioning_seconds=60)
        lab.update_fleet(Name=FLEET, ComputeCapacity={"DesiredInstances": 1})
        assert available(lab) == 1
