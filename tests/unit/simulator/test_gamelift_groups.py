# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLift's stream groups: their capacity and how it is updated, and what tests make of them."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import WaiterError

from tests.unit.simulator.support import APPLICATION, GROUP, LOCATION, STREAM

CAPACITIES = {
    "AlwaysOnCapacity": 4,
    "OnDemandCapacity": 6,
    "TargetIdleCapacity": 2,
    "MaximumCapacity": 10,
    "RequestedCapacity": 4,
    "AllocatedCapacity": 4,
    "IdleCapacity": 4,
}


def update(gamelift, *locations, **members):
    return gamelift.update_stream_group(Identifier=GROUP, LocationConfigurations=list(locations), **members)


def configuration(**members):
    return {
        "LocationName": LOCATION,
        "AlwaysOnCapacity": 4,
        "TargetIdleCapacity": 2,
        "MaximumCapacity": 10,
        **members,
    }


def state(reply):
    """The capacities of the first location."""
    return {name: value for name, value in reply["LocationStates"][0].items() if name.endswith("Capacity")}


class TestUpdating:
    def test_capacity_follows_when_the_group_is_active_again(self, simulator, gamelift):
        simulator.set(stream_group_updating_seconds=1)

        updated = update(gamelift, configuration())

        assert updated["Status"] == gamelift.get_stream_group(Identifier=GROUP)["Status"] == "UPDATING_LOCATIONS"
        assert state(updated) == {**CAPACITIES, "AllocatedCapacity": 2, "IdleCapacity": 2}
        time.sleep(1.1)
        settled = gamelift.get_stream_group(Identifier=GROUP)
        assert settled["Status"] == "ACTIVE"
        assert state(settled) == CAPACITIES

    def test_idle_capacity_is_kept_beyond_the_sessions_up_to_the_maximum(self, simulator, gamelift):
        update(gamelift, configuration(AlwaysOnCapacity=0, MaximumCapacity=3))
        url = gamelift.create_stream_url(**STREAM, UsageLimit=9)["StreamUrl"]
        seen = []
        for _number in range(4):
            described = state(gamelift.get_stream_group(Identifier=GROUP))
            seen.append((described["AllocatedCapacity"], described["IdleCapacity"]))
            opened = simulator.open(url)[0]
        assert seen == [(2, 2), (3, 2), (3, 1), (3, 0)]
        assert opened == 503

    def test_what_a_location_is_not_given_is_not_kept(self, simulator, gamelift):
        update(gamelift, configuration())
        reply = update(gamelift, {"LocationName": LOCATION, "AlwaysOnCapacity": 3})
        capacities = {
            name: state(reply)[name] for name in ("AlwaysOnCapacity", "TargetIdleCapacity", "MaximumCapacity")
        }
        assert capacities == {"AlwaysOnCapacity": 3, "TargetIdleCapacity": 0, "MaximumCapacity": 3}

    def test_other_locations_stay_as_they_are(self, simulator, gamelift):
        simulator.change_stream_group(GROUP, Locations=["eu-west-1"])
        update(gamelift, configuration())
        described = gamelift.get_stream_group(Identifier=GROUP)["LocationStates"]
        assert [(one["LocationName"], one["AlwaysOnCapacity"]) for one in described] == [
            (LOCATION, 4),
            ("eu-west-1", 30),
        ]

    def test_the_older_on_demand_capacity_is_a_maximum_too(self, gamelift):
        reply = update(gamelift, {"LocationName": LOCATION, "AlwaysOnCapacity": 1, "OnDemandCapacity": 3})
        assert (state(reply)["MaximumCapacity"], state(reply)["OnDemandCapacity"]) == (4, 3)

    @pytest.mark.parametrize(
        "members",
        [
            {"OnDemandCapacity": 1},
            {"LocationName": "eu-west-1"},
            {"MaximumCapacity": 3},
            {"TargetIdleCapacity": 11},
            {"VpcTransitConfiguration": {"VpcId": "vpc-1", "Ipv4CidrBlocks": ["10.0.0.0/16"]}},
        ],
    )
    def test_what_does_not_go_together_is_rejected_and_changes_nothing(self, gamelift, rejected, members):
        before = state(gamelift.get_stream_group(Identifier=GROUP))
        with rejected("ValidationException"):
            update(gamelift, configuration(**members), Description="changed")
        described = gamelift.get_stream_group(Identifier=GROUP)
        assert (state(described), described.get("Description")) == (before, None)

    def test_a_location_is_given_once(self, gamelift, rejected):
        with rejected("ValidationException"):
            update(gamelift, configuration(), configuration())

    def test_capacities_are_multiples_of_the_tenancy(self, simulator, gamelift, rejected):
        simulator.change_stream_group(GROUP, StreamClass="gen6n_medium")
        with rejected("ValidationException"):
            update(gamelift, configuration(MaximumCapacity=8))
        update(gamelift, configuration(TargetIdleCapacity=4, MaximumCapacity=8))

    @pytest.mark.parametrize("status", ["ACTIVATING", "UPDATING_LOCATIONS", "ACTIVE_WITH_ERRORS", "ERROR", "EXPIRED"])
    def test_only_an_active_group_is_updated(self, simulator, gamelift, rejected, status):
        simulator.change_stream_group(GROUP, Status=status)
        with rejected("ConflictException"):
            update(gamelift, configuration())

    @pytest.mark.parametrize("status", ["ACTIVATING", "ERROR", "REMOVING"])
    def test_only_an_active_location_is_scaled(self, simulator, gamelift, rejected, status):
        simulator.change_stream_group(GROUP, Locations=[{"LocationName": LOCATION, "Status": status}])
        with rejected("ConflictException"):
            update(gamelift, configuration())

    def test_description_and_default_application_take_no_time(self, simulator, gamelift, rejected):
        simulator.set(stream_group_updating_seconds=60)
        simulator.change_stream_group(GROUP, Applications=[APPLICATION, "a-cam"])
        simulator.seed_application("a-other")
        reply = gamelift.update_stream_group(
            Identifier=GROUP, Description="CAD course", DefaultApplicationIdentifier="a-cam"
        )
        assert (reply["Status"], reply["Description"], reply["DefaultApplication"]["Id"]) == (
            "ACTIVE",
            "CAD course",
            "a-cam",
        )
        with rejected("ValidationException"):
            gamelift.update_stream_group(Identifier=GROUP, DefaultApplicationIdentifier="a-other")

    def test_the_vpc_is_kept_and_its_blocks_can_be_changed(self, simulator, gamelift):
        vpc = {"VpcId": "vpc-1", "Ipv4CidrBlocks": ["10.0.0.0/16"]}
        simulator.change_stream_group(GROUP, Locations=[{"LocationName": LOCATION, "VpcTransitConfiguration": vpc}])
        reply = update(gamelift, configuration())
        assert reply["LocationStates"][0]["VpcTransitConfiguration"].items() >= vpc.items()
        changed = {**vpc, "Ipv4CidrBlocks": ["10.1.0.0/16"]}
        reply = update(gamelift, configuration(VpcTransitConfiguration=changed))
        assert reply["LocationStates"][0]["VpcTransitConfiguration"].items() >= changed.items()


def test_groups_and_applications_can_be_made_by_the_api_too(simulator, gamelift, rejected):
    simulator.set(stream_group_updating_seconds=60)
    application = gamelift.create_application(
        Description="CAM",
        RuntimeEnvironment={"Type": "WINDOWS", "Version": "2022"},
        ExecutablePath="cam.exe",
        ApplicationSourceUri="s3://apps/cam",
    )["Id"]
    created = gamelift.create_stream_group(
        Description="evening",
        StreamClass="gen5n_win2022",
        DefaultApplicationIdentifier=application,
        LocationConfigurations=[{"LocationName": LOCATION, "AlwaysOnCapacity": 3}],
    )
    assert created["Status"] == "ACTIVATING"
    assert gamelift.get_stream_group(Identifier=created["Id"])["Status"] == "ACTIVE"
    stream = {**STREAM, "Identifier": created["Id"], "ApplicationIdentifier": application}
    assert simulator.open(gamelift.create_stream_url(**stream)["StreamUrl"])[0] == 200
    gamelift.delete_application(Identifier=application)
    gamelift.delete_stream_group(Identifier=created["Id"])
    for operation, name in ((gamelift.get_stream_group, created["Id"]), (gamelift.delete_application, application)):
        with rejected("ResourceNotFoundException"):
            operation(Identifier=name)


class TestWaiters:
    def wait(self, gamelift, name="stream_group_active", **named):
        waiter = gamelift.get_waiter(name)
        waiter.wait(WaiterConfig={"Delay": 1, "MaxAttempts": 5}, **{"Identifier": GROUP, **named})

    def test_a_group_that_activates_becomes_active(self, simulator, gamelift):
        simulator.change_stream_group(GROUP, Status="ACTIVATING", ActiveAfter=1)
        self.wait(gamelift)
        assert gamelift.get_stream_group(Identifier=GROUP)["Status"] == "ACTIVE"

    @pytest.mark.parametrize("outcome", ["ERROR", "ACTIVE_WITH_ERRORS"])
    def test_an_update_may_fail(self, simulator, gamelift, outcome):
        simulator.change_stream_group(GROUP, UpdateOutcome=outcome)
        update(gamelift, configuration())
        with pytest.raises(WaiterError, match="terminal failure"):
            self.wait(gamelift)

    def test_a_deleted_group_is_not_found(self, simulator, gamelift):
        simulator.delete_stream_group(GROUP)
        self.wait(gamelift, "stream_group_deleted")

    def test_a_session_becomes_active(self, simulator, gamelift):
        simulator.open(gamelift.create_stream_url(**STREAM)["StreamUrl"])
        (session,) = simulator.stream_sessions()
        simulator.change_stream_session(session["StreamSessionId"], Status="ACTIVE")
        self.wait(gamelift, "stream_session_active", StreamSessionIdentifier=session["StreamSessionId"])


class TestSeeding:
    def test_a_seeded_group_is_as_it_was_given(self, simulator, gamelift):
        arn = simulator.seed_stream_group(
            "sg-other",
            ["a-cad", "a-cam"],
            ["eu-west-1", {"LocationName": LOCATION, "Status": "ERROR", "MaximumCapacity": 40, "AllocatedCapacity": 7}],
            Status="ERROR",
            StatusReason="noAvailableInstances",
            StreamClass="gen6n_high",
            Description="CAD course",
            DefaultApplication="a-cam",
        )
        described = gamelift.get_stream_group(Identifier="sg-other")
        assert described["Arn"] == arn
        assert [one.rpartition("/")[2] for one in described["AssociatedApplications"]] == ["a-cad", "a-cam"]
        assert described["DefaultApplication"]["Id"] == "a-cam"
        assert (described["Status"], described["StatusReason"]) == ("ERROR", "noAvailableInstances")
        assert (described["StreamClass"], described["Description"]) == ("gen6n_high", "CAD course")
        first, second = described["LocationStates"]
        assert (first["Status"], first["MaximumCapacity"], first["AllocatedCapacity"]) == ("ACTIVE", 30, 30)
        assert (second["Status"], second["MaximumCapacity"], second["AllocatedCapacity"]) == ("ERROR", 40, 7)

    @pytest.mark.parametrize(
        "members",
        [
            pytest.param({"Status": "SLEEPING"}, id="status"),
            pytest.param({"StatusReason": "internalError"}, id="reason without status"),
            pytest.param({"StreamClass": "huge"}, id="stream class"),
            pytest.param({"UpdateOutcome": "FINE"}, id="outcome"),
            pytest.param({"Locations": [{"LocationName": LOCATION, "Status": "CLOSED"}]}, id="status of a location"),
            pytest.param({"Locations": [{"LocationName": LOCATION, "AlwaysOnCapacity": -1}]}, id="capacity"),
            pytest.param({"Locations": [{"LocationName": LOCATION, "IdleCapacity": 1}]}, id="capacity that follows"),
            pytest.param({"Locations": "us-east-1"}, id="no list"),
            pytest.param({"Applications": [5]}, id="number for an id"),
            pytest.param({"ExpiresIn": "soon"}, id="time"),
            pytest.param({"Colour": "red"}, id="unknown member"),
            pytest.param({"region": "mars-north-1"}, id="region"),
        ],
    )
    def test_a_bad_seed_is_rejected_and_changes_nothing(self, simulator, gamelift, members):
        before = gamelift.get_stream_group(Identifier=GROUP)
        with pytest.raises(ValueError, match=r"must|no member|failed to satisfy|go together|no endpoint"):
            simulator.change_stream_group(GROUP, **{"Description": "changed", **members})
        after = gamelift.get_stream_group(Identifier=GROUP)
        for reply in (before, after):
            del reply["ResponseMetadata"]
        assert after == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda simulator: simulator.delete_stream_group("sg-nowhere"),
            lambda simulator: simulator.delete_application("a-nowhere"),
            lambda simulator: simulator.change_stream_url("su-nowhere", ExpiresIn=0),
            lambda simulator: simulator.remove_stream_url("su-nowhere"),
            lambda simulator: simulator.change_stream_session("nobody", Status="TERMINATED"),
        ],
    )
    def test_what_is_not_there_cannot_be_changed(self, simulator, change):
        with pytest.raises(ValueError, match="There is no"):
            change(simulator)

    def test_tests_expire_a_url_and_set_its_uses(self, simulator, gamelift):
        url = gamelift.create_stream_url(**STREAM, UsageLimit=3)
        named = {"Identifier": GROUP, "StreamUrlIdentifier": url["StreamUrlId"]}
        simulator.change_stream_url(url["StreamUrlId"], RemainingUses=1)
        assert gamelift.get_stream_url(**named)["RemainingUses"] == 1
        simulator.change_stream_url(url["StreamUrlId"], ExpiresIn=0)
        assert gamelift.get_stream_url(**named)["Status"] == "EXPIRED"
        simulator.change_stream_url(url["StreamUrlId"], RemainingUses=0)
        assert gamelift.get_stream_url(**named)["Status"] == "LIMIT_REACHED"
        with pytest.raises(ValueError, match="RemainingUses must be from 0 to 3"):
            simulator.change_stream_url(url["StreamUrlId"], RemainingUses=4)
