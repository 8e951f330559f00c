# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.filter.required_capacity import FilterModule
from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import required_capacity

THREE = ["anna", "ben", "chloe"]


def fleet(desired, in_use=0, max_available=None, available=0, **members):
    """A fleet as appstream_fleet_info tells it, which tells more."""
    max_available = desired - in_use if max_available is None else max_available
    capacity = dict(desired=desired, running=0, in_use=in_use, available=available, max_available=max_available)
    return {"fleet_type": "ON_DEMAND", "max_sessions_per_instance": None, "capacity": capacity, **members}


def session(user_id, state="ACTIVE"):
    return {"user_id": user_id, "state": state, "connection_state": "NOT_CONNECTED"}


@pytest.mark.parametrize(
    ("one", "sessions", "spare", "needed", "seats", "wanted"),
    [
        pytest.param(fleet(2), [], 0, 3, 3, 3, id="too small"),
        pytest.param(fleet(3), [], 0, 3, 3, None, id="just right"),
        pytest.param(fleet(3), [], 2, 3, 5, 5, id="with spare seats"),
        pytest.param(fleet(30), [], 0, 3, 3, None, id="never scaled down"),
        pytest.param(fleet(3, in_use=1), [session("anna")], 0, 2, 3, None, id="one of them is in"),
        pytest.param(fleet(3, in_use=1), [session("zoe")], 0, 3, 4, 4, id="somebody else is in"),
        pytest.param(fleet(3), [session("anna", "EXPIRED")], 0, 3, 3, None, id="one of them was in"),
        pytest.param(fleet(4, in_use=1, max_available=2), [], 0, 3, 4, 5, id="a seat that takes nobody any more"),
        pytest.param(fleet(1, max_available=9, available=9), [], 0, 3, 3, 3, id="seats that are about to go"),
        pytest.param(fleet(3, in_use=3), [session(user) for user in THREE], 0, 0, 3, None, id="all are in"),
    ],
)
def test_a_class_needs_a_seat_for_each_learner_who_has_none(one, sessions, spare, needed, seats, wanted):
    scaling = {} if wanted is None else {"desired_instances": wanted}

    assert required_capacity(one, THREE, sessions, spare) == {"needed": needed, "seats": seats, "scaling": scaling}


@pytest.mark.parametrize(
    ("members", "option"),
    [
        ({"fleet_type": "ALWAYS_ON"}, "desired_instances"),
        ({"fleet_type": "ELASTIC"}, "max_concurrent_sessions"),
        ({"max_sessions_per_instance": 4}, "desired_sessions"),
        ({"max_sessions_per_instance": 1, "compute_capacity_status": {"desired_user_sessions": 2}}, "desired_sessions"),
        ({"max_sessions_per_instance": 1, "compute_capacity_status": {"desired": 2}}, "desired_instances"),
    ],
)
def test_a_fleet_is_scaled_by_the_option_for_its_kind(members, option):
    assert required_capacity(fleet(2, **members), THREE)["scaling"] == {option: 3}


def test_spare_sessions_may_be_the_text_that_a_template_makes_of_a_number():
    filters = FilterModule().filters()

    assert filters["required_capacity"](fleet(3), THREE, spare_sessions="1")["scaling"] == {"desired_instances": 4}
