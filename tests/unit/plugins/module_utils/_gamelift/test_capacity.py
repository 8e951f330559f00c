# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capacity of stream groups in sessions, and what locations are set to."""

from __future__ import annotations

import re

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.capacity import (
    TENANCIES,
    Capacity,
    LocationCapacity,
    add_up,
    build_capacity,
    parse_locations,
)

from tests.unit.plugins.module_utils._gamelift.service_model import load_shapes


def location(name="eu-central-1", *, always_on=0, maximum=None, allocated=0, idle=0, **members):
    capacities = {"AlwaysOnCapacity": always_on, "AllocatedCapacity": allocated, "IdleCapacity": idle}
    maximum = {} if maximum is None else {"MaximumCapacity": maximum}
    return {"LocationName": name, "Status": "ACTIVE", **capacities, **maximum, **members}


@pytest.mark.parametrize(
    ("described", "capacity"),
    [
        pytest.param(
            location(always_on=10, maximum=30, allocated=12, idle=4), Capacity(10, 30, 12, 8, 4, 22), id="some in use"
        ),
        pytest.param(location(always_on=10, maximum=10), Capacity(10, 10, 0, 0, 0, 10), id="nothing allocated yet"),
        pytest.param(location(maximum=5, allocated=8, idle=6), Capacity(0, 5, 8, 2, 6, 6), id="being scaled down"),
        pytest.param(
            location(always_on=2, OnDemandCapacity=3, allocated=2, idle=2), Capacity(2, 5, 2, 0, 2, 5), id="on-demand"
        ),
        pytest.param(
            location(always_on=4, maximum=4, allocated=4, idle=3, Status="REMOVING"),
            Capacity(4, 4, 4, 1, 0, 0),
            id="not active",
        ),
        pytest.param({"LocationName": "x", "Status": "ACTIVE"}, Capacity(), id="nothing said"),
    ],
)
def test_a_location_has_so_many_sessions(described, capacity):
    assert build_capacity(described) == capacity


def test_capacities_add_up():
    assert add_up([Capacity(1, 2, 3, 4, 5, 6), Capacity(10, 20, 30, 40, 50, 60)]) == Capacity(11, 22, 33, 44, 55, 66)
    assert add_up([]) == Capacity()


VPC = {"VpcId": "vpc-1", "Ipv4CidrBlocks": ["10.0.0.0/16"]}
CURRENT = location(always_on=4, maximum=10, TargetIdleCapacity=2, OnDemandCapacity=6)


@pytest.mark.parametrize(
    ("current", "wanted", "sent"),
    [
        pytest.param(CURRENT, (6, None, None), (6, 2, 10), id="the others are kept"),
        pytest.param(CURRENT, (0, 0, 0), (0, 0, 0), id="zeros are numbers"),
        pytest.param(CURRENT, (12, None, None), (12, 2, 12), id="the maximum is raised"),
        pytest.param(CURRENT, (None, 11, None), (4, 11, 11), id="for idle capacity too"),
        pytest.param(CURRENT, (1, None, None), (1, 2, 10), id="and never lowered"),
        pytest.param(location(always_on=2, OnDemandCapacity=3), (1, None, None), (1, 0, 5), id="on-demand"),
    ],
)
def test_every_member_is_sent_except_on_demand(current, wanted, sent):
    capacity = LocationCapacity("eu-central-1", *wanted)
    names = ("AlwaysOnCapacity", "TargetIdleCapacity", "MaximumCapacity")
    assert capacity.build_configuration(current) == {
        "LocationName": "eu-central-1",
        **dict(zip(names, sent, strict=True)),
    }
    assert not capacity.is_set(current)
    assert capacity.is_set({**current, **dict(zip(names, sent, strict=True))})


def test_the_vpc_is_sent_back_without_what_the_service_added():
    described = {**CURRENT, "VpcTransitConfiguration": {**VPC, "TransitGatewayId": "tgw-1"}}
    assert LocationCapacity("eu-central-1", 6).build_configuration(described)["VpcTransitConfiguration"] == VPC


@pytest.mark.parametrize(
    ("wanted", "stream_class", "message"),
    [
        ((5, None, None), "gen6n_high", "always_on_capacity of location 'eu-central-1' is 5, but 2 sessions share"),
        ((None, 1, None), "gen6n_small", "give a multiple of 12, such as 12"),
        (
            (None, None, 3),
            "gen5n_ultra",
            "maximum_capacity of location 'eu-central-1' is 3, but always_on_capacity is 4",
        ),
        ((0, None, 1), None, "is 1, but target_idle_capacity is 2: increase the former, or decrease the latter"),
    ],
)
def test_numbers_that_do_not_go_together_are_rejected(wanted, stream_class, message):
    with pytest.raises(InvalidOption, match=re.escape(message)):
        LocationCapacity("eu-central-1", *wanted).validate_fits(stream_class, CURRENT)


def test_the_tenancies_are_those_in_the_services_model():
    shapes = load_shapes()
    text = re.sub(r"<[^>]+>", "", shapes["GetStreamGroupOutput"]["members"]["StreamClass"]["documentation"])
    found = re.findall(r"(gen\w+) \(.*?Tenancy: Supports (?:up to )?(\d+) concurrent", text, re.DOTALL)
    assert {name for name, _tenancy in found} == set(shapes["StreamClass"]["enum"])
    assert {name: int(tenancy) for name, tenancy in found if tenancy != "1"} == TENANCIES


def test_locations_are_parsed():
    asked = [{"location_name": "eu-central-1", "always_on_capacity": 0, "maximum_capacity": None}]
    assert parse_locations(asked) == [LocationCapacity("eu-central-1", 0)]
    assert parse_locations(None) == []


@pytest.mark.parametrize(
    ("locations", "message"),
    [
        ([], "locations is empty"),
        ([{"location_name": "Frankfurt!", "always_on_capacity": 1}], "locations has 'Frankfurt!'"),
        ([{"location_name": "eu-1", "always_on_capacity": 1}] * 2, "locations has 'eu-1' twice"),
        ([{"location_name": "eu-1"}], "locations has 'eu-1' without a capacity: give always_on_capacity,"),
        ([{"location_name": "eu-1", "maximum_capacity": -1}], "maximum_capacity of location 'eu-1' is -1"),
        ([{"location_name": "eu-1", "maximum_capacity": 2**31}], "but it must be from 0 to 2147483647"),
    ],
)
def test_locations_that_no_stream_group_can_have_are_rejected(locations, message):
    with pytest.raises(InvalidOption, match=re.escape(message)):
        parse_locations(locations)
