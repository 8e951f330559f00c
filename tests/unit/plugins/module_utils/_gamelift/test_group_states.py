# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a stream group to its capacity, and the messages about what is wrong with it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.capacity import LocationCapacity
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_states import (
    _LOCATION_REMEDIES,
    _REASONS,
    ACTIVATING,
    ACTIVE,
    ACTIVE_WITH_ERRORS,
    DELETING,
    ERROR,
    EXPIRED,
    REMEDIES,
    REMOVING,
    UPDATING,
    GroupTransition,
    build_group_diff,
    describe_location_problem,
    describe_problem,
)
from ansible_collections.labstream.aws.plugins.module_utils._waiting import STATE_DELAY, Step

from tests.unit.plugins.module_utils._gamelift.service_model import load_shapes

TEN = LocationCapacity("eu-1", 10)


def location(name="eu-1", status=ACTIVE, always_on=4, maximum=20, allocated=None):
    allocated = always_on if allocated is None else allocated
    capacities = {"AlwaysOnCapacity": always_on, "MaximumCapacity": maximum, "AllocatedCapacity": allocated}
    return {"LocationName": name, "Status": status, **capacities, "IdleCapacity": allocated}


def group(status=ACTIVE, *locations, **members):
    described = {"Id": "sg-1", "Status": status, "StreamClass": "gen5n_ultra"}
    return {**described, "LocationStates": list(locations or [location()]), **members}


def walk(transition, *groups):
    """The steps that come of seeing the stream group so, one a second. The update succeeds."""
    steps = []
    for now, described in enumerate(groups):
        step = transition.next_step(described, now)
        if step is Step.SCALE:
            transition.record(step, now)
        steps.append(step)
    return steps


SCALE, WAIT, DONE = Step.SCALE, Step.WAIT, Step.DONE


class TestSteps:
    def test_a_location_is_scaled_once_and_waited_for_until_its_capacity_is_allocated(self):
        transition = GroupTransition([TEN])
        steps = walk(
            transition,
            group(),
            group(UPDATING, location(always_on=10, allocated=4)),
            group(ACTIVE, location(always_on=10, allocated=7)),
            group(ACTIVE, location(always_on=10)),
        )
        assert steps == [SCALE, WAIT, WAIT, DONE]
        assert transition.changed
        assert transition.configurations == [
            {"LocationName": "eu-1", "AlwaysOnCapacity": 10, "TargetIdleCapacity": 0, "MaximumCapacity": 20}
        ]

    def test_what_is_set_is_not_set_again(self):
        transition = GroupTransition([TEN])
        assert walk(transition, group(ACTIVE, location(always_on=10))) == [DONE]
        assert not transition.changed

    def test_only_the_locations_that_differ_are_sent(self):
        transition = GroupTransition([TEN, LocationCapacity("us-1", maximum_capacity=20)])
        walk(transition, group(ACTIVE, location(), location("us-1")))
        assert [each["LocationName"] for each in transition.configurations] == ["eu-1"]

    @pytest.mark.parametrize(
        "busy", [group(ACTIVATING), group(UPDATING), group(ACTIVE, location(status=ACTIVATING)), group("SOMETHING_NEW")]
    )
    def test_a_stream_group_that_is_being_changed_is_waited_for_first(self, busy):
        assert walk(GroupTransition([TEN]), busy, group()) == [WAIT, SCALE]

    def test_without_capacities_it_is_only_waited_for(self):
        steps = walk(GroupTransition(), group(ACTIVATING), group(ACTIVE, location(allocated=0)))
        assert steps == [WAIT, DONE]

    def test_where_nothing_is_to_be_allocated_nothing_is_waited_for(self):
        assert walk(GroupTransition([TEN], allocated=False), group(ACTIVE, location(always_on=10, allocated=0))) == [
            DONE
        ]

    def test_another_location_in_error_does_not_matter_unless_something_must_be_scaled(self):
        broken = group(ACTIVE_WITH_ERRORS, location(), location("us-1", ERROR))
        assert walk(GroupTransition([LocationCapacity("eu-1", 4)]), broken) == [DONE]
        with pytest.raises(NotReady, match=r"with 'us-1' in ERROR: remove .*no location of it can be scaled"):
            walk(GroupTransition([TEN]), broken)

    def test_it_may_look_unchanged_for_some_seconds_and_then_somebody_else_has_changed_it(self):
        transition = GroupTransition([TEN])
        assert walk(transition, group(), group()) == [SCALE, WAIT]
        with pytest.raises(
            NotReady, match="was updated, but location 'eu-1' has another capacity now: check what else"
        ):
            transition.next_step(group(), STATE_DELAY)

    @pytest.mark.parametrize(
        ("described", "message"),
        [
            (group(EXPIRED), "Stream group 'sg-1' is EXPIRED: a stream group lasts 365 days, so create another one"),
            (group(DELETING), "Stream group 'sg-1' is DELETING: it is being deleted, so use another one"),
            (
                group(ERROR, StatusReason="noAvailableInstances"),
                "Stream group 'sg-1' is ERROR (noAvailableInstances): AWS has no free instances",
            ),
            (group(ERROR), "Stream group 'sg-1' is ERROR: create another one"),
            (
                group(ACTIVE, location("us-1")),
                "Stream group 'sg-1' has no location 'eu-1' (it has us-1): correct locations",
            ),
            (group(ACTIVE, location(status=ERROR, always_on=10)), "location 'eu-1', which is ERROR: remove what is in"),
            (group(ACTIVE, location(status=REMOVING)), "location 'eu-1', which is REMOVING: it is being removed"),
        ],
    )
    def test_what_never_gets_that_capacity_is_said(self, described, message):
        with pytest.raises(NotReady, match=re.escape(message)):
            GroupTransition([TEN]).next_step(described, 0)

    def test_numbers_that_do_not_fit_are_rejected_before_anything_is_waited_for(self):
        with pytest.raises(InvalidOption, match="maximum_capacity of location 'eu-1' is 1"):
            GroupTransition([LocationCapacity("eu-1", maximum_capacity=1)]).next_step(group(UPDATING), 0)


class TestMessages:
    def test_without_waiting_a_stream_group_that_must_be_scaled_is_in_the_way(self):
        assert GroupTransition([TEN]).find_obstacle(group(UPDATING)) == (
            "Stream group 'sg-1' is UPDATING_LOCATIONS, and only a stream group that is ACTIVE can be scaled: wait "
            "until it is, then run again, or set wait."
        )
        assert GroupTransition([LocationCapacity("eu-1", 4)]).find_obstacle(group(UPDATING)) is None
        updated = GroupTransition([TEN])
        updated.record(Step.SCALE, 0)
        assert updated.find_obstacle(group(UPDATING)) is None

    @pytest.mark.parametrize(
        ("described", "message"),
        [
            (group(UPDATING), "'sg-1' is still UPDATING_LOCATIONS after 60 seconds: wait until it is ACTIVE"),
            (
                group(ACTIVE, location(status=ACTIVATING)),
                "location 'eu-1', which is ACTIVATING: wait until it is ACTIVE",
            ),
        ],
    )
    def test_what_takes_too_long_is_said(self, described, message):
        with pytest.raises(NotReady, match=re.escape(message)):
            GroupTransition([TEN]).check_timeout(described, 60)

    def test_capacity_that_does_not_come_is_said(self):
        transition = GroupTransition([TEN, LocationCapacity("us-1", 1)])
        described = group(ACTIVE, location(always_on=10, allocated=7), location("us-1", always_on=1))
        transition.check_timeout(described, 60)
        assert transition.describe_shortage(described, 60) == (
            "Stream group 'sg-1' has less always-on capacity allocated than it is set to after 60 seconds: 7 of 10 in "
            "'eu-1'. Run again to keep waiting, or use another location or stream class if AWS has no free instances "
            "there."
        )
        assert transition.describe_shortage(group(ACTIVE, location(), location("us-1")), 60) is None

    @pytest.mark.parametrize(
        ("described", "line"),
        [
            (location(always_on=60), "60 of 60 always-on sessions allocated, 10 wanted"),
            (location(always_on=10, allocated=60), "60 sessions allocated, 10 always on"),
            (location(always_on=10), "10 of 10 always-on sessions allocated"),
            (location(always_on=4, allocated=6), "6 sessions allocated, 4 always on, 10 wanted"),
        ],
    )
    def test_the_progress_of_a_capacity_that_is_lowered_or_raised_has_the_one_that_is_wanted(self, described, line):
        transition = GroupTransition([TEN])

        assert transition.describe_progress(group(ACTIVE, described), 4) == f"sg-1: ACTIVE, {line}, 4s"

    def test_the_progress_has_the_always_on_sessions_that_the_available_ones_need(self):
        transition = GroupTransition([LocationCapacity("eu-1", available_sessions=9)])
        described = group(ACTIVE, location(always_on=4), location("us-1"))

        assert transition.describe_progress(described, 4) == (
            "sg-1: ACTIVE, 4 of 4 always-on sessions allocated, 9 wanted, 4s"
        )

    @pytest.mark.parametrize(
        ("capacities", "line"),
        [
            ([TEN], "sg-1: UPDATING_LOCATIONS, 3 of 10 always-on sessions allocated, 1m05s"),
            ([], "sg-1: UPDATING_LOCATIONS, 7 of 14 always-on sessions allocated, 1m05s"),
        ],
    )
    def test_the_progress_is_one_line(self, capacities, line):
        described = group(UPDATING, location(always_on=10, allocated=3), location("us-1"))
        assert GroupTransition(capacities).describe_progress(described, 65) == line

    @pytest.mark.parametrize(
        ("described", "message"),
        [
            (group(), None),
            (group(UPDATING), None),
            (
                group(ACTIVE_WITH_ERRORS, location(status=ERROR), location("us-1", ERROR)),
                "Stream group 'sg-1' is ACTIVE_WITH_ERRORS, with 'eu-1', 'us-1' in ERROR: remove what is in error from "
                "the stream group (RemoveStreamGroupLocations), and add it again.",
            ),
            (
                group(ACTIVE_WITH_ERRORS),
                "Stream group 'sg-1' is ACTIVE_WITH_ERRORS, with a location in ERROR: remove",
            ),
        ],
    )
    def test_what_is_wrong_with_a_stream_group_is_said(self, described, message):
        problem = describe_problem(described)
        assert problem is None if message is None else problem.startswith(message)

    def test_a_stream_group_without_locations_says_so(self):
        message = describe_location_problem({**group(), "LocationStates": []}, "eu-1")
        assert message.startswith("Stream group 'sg-1' has no location 'eu-1' (it has no locations): correct locations")

    def test_every_status_and_reason_of_the_service_is_known(self):
        shapes = load_shapes()
        statuses = {ACTIVATING, UPDATING, ACTIVE, ACTIVE_WITH_ERRORS, *REMEDIES}
        assert set(shapes["StreamGroupStatus"]["enum"]) == statuses
        assert set(shapes["StreamGroupStatusReason"]["enum"]) == _REASONS.keys()
        assert set(shapes["StreamGroupLocationStatus"]["enum"]) == {ACTIVE, *_LOCATION_REMEDIES}


def test_the_diff_has_what_can_be_changed():
    assert build_group_diff(group()) == {
        "status": "ACTIVE",
        "locations": {"eu-1": {"always_on_capacity": 4, "target_idle_capacity": 0, "maximum_capacity": 20}},
    }


OPTIONS = {"stream_group": "sg-1", "locations": None, "wait_timeout": 60}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream_group": "sg_1"}, "stream_group is 'sg_1', but it must be an id"),
        ({"wait_timeout": 0}, "wait_timeout is 0, but it must be from 1 to 86400 seconds"),
        ({"locations": []}, "locations is empty"),
    ],
)
def test_options_that_lead_nowhere_are_rejected(options, message):
    with pytest.raises(InvalidOption, match=message):
        GroupTransition.from_options({**OPTIONS, **options}, allocated=True)
