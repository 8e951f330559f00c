# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets as results show them and as check mode predicts them. What is called is in the tests of appstream_fleet."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.capacity import Scaling
from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleet_states import Transition
from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleets import (
    PredictedFleet,
    build_facts,
    empty_facts,
    find_fleets,
)
from ansible_collections.labstream.aws.plugins.module_utils._waiting import Step
from botocore.exceptions import ClientError

STATUS = {"Desired": 2, "Running": 2, "InUse": 1, "Available": 1}


def fleet_of(name="cad-fleet", state="RUNNING", **members):
    return {"Name": name, "State": state, "ComputeCapacityStatus": STATUS, **members}


class Client:
    """A client of AppStream that has these fleets."""

    meta = SimpleNamespace(region_name="us-east-1", config=SimpleNamespace(retries=None))

    def __init__(self, *fleets):
        self.fleets = {fleet["Name"]: fleet for fleet in fleets}

    def describe_fleets(self, Names):
        if not self.fleets.keys() >= set(Names):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "No."}}, "DescribeFleets")
        return {"Fleets": [self.fleets[name] for name in sorted(Names)]}

    def get_paginator(self, _operation):
        return SimpleNamespace(
            paginate=lambda **selection: SimpleNamespace(build_full_result=lambda: self.describe_fleets(**selection))
        )


def test_what_is_shown_of_a_fleet_has_the_same_keys_before_it_is_known():
    shown = build_facts(fleet_of(FleetErrors=[{"ErrorCode": "IMAGE_NOT_FOUND"}]))

    assert empty_facts("cad-fleet").keys() == shown.keys() - {"compute_capacity_status"}
    assert empty_facts("cad-fleet")["capacity"].keys() == shown["capacity"].keys()
    assert (shown["name"], shown["capacity"]["in_use"], shown["arn"]) == ("cad-fleet", 1, None)
    assert "IMAGE_NOT_FOUND" in shown["problem"]


@pytest.mark.parametrize("names", [["b", "a"], ["b", "none", "a"]])
def test_fleets_are_found_in_the_requested_order_also_if_one_does_not_exist(names):
    client = Client(fleet_of("a"), fleet_of("b"))

    found = find_fleets(client, names)

    assert [fleet and fleet["Name"] for fleet in found] == [name if name != "none" else None for name in names]


def test_check_mode_predicts_each_step_without_a_call():
    errors = [{"ErrorCode": "IMAGE_NOT_FOUND"}]
    client = Client(fleet_of(state="STOPPED", FleetErrors=errors))
    transition = Transition("RUNNING", scaling=Scaling("desired_instances", 5))
    fleet = PredictedFleet(client, "cad-fleet", transition)
    assert fleet.describe()["FleetErrors"] == errors
    client.fleets.clear()

    fleet.make(Step.SCALE)
    assert fleet.describe()["ComputeCapacityStatus"]["Desired"] == 5
    fleet.make(Step.START)
    assert (fleet.describe()["State"], fleet.describe()["FleetErrors"]) == ("STARTING", [])
    fleet.wait(60)
    assert fleet.describe()["State"] == "RUNNING"
    fleet.make(Step.STOP)
    assert fleet.describe()["State"] == "STOPPING"
    assert set(fleet.describe()["ComputeCapacityStatus"].items()) >= {("Running", 0), ("InUse", 0), ("Desired", 5)}
    fleet.wait(60)
    assert fleet.describe()["State"] == "STOPPED"
