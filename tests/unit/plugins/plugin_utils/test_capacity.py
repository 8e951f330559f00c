# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import (
    find_fleet_needs,
    is_ready,
    required_capacity,
)

THREE = ["anna", "ben", "chloe"]


def session(user_id, state="ACTIVE"):
    return {"user_id": user_id, "state": state, "connection_state": "NOT_CONNECTED"}


@pytest.mark.parametrize(
    ("sessions", "spare", "needed", "available"),
    [
        pytest.param([], 0, 3, 3, id="nobody has a session"),
        pytest.param([], 2, 3, 5, id="with spare sessions"),
        pytest.param([], "2", 3, 5, id="with the text that a template makes of a number"),
        pytest.param([session("anna")], 0, 2, 2, id="one has a session"),
        pytest.param([session("zoe")], 0, 3, 3, id="somebody else has a session"),
        pytest.param([session("anna", "EXPIRED")], 0, 3, 3, id="one had a session"),
        pytest.param([session(user) for user in THREE], 1, 0, 1, id="all have a session"),
    ],
)
def test_a_lab_needs_a_session_for_each_learner_who_has_none(sessions, spare, needed, available):
    assert required_capacity(THREE, sessions, spare) == {"needed": needed, "available_sessions": available}


@pytest.mark.parametrize(
    ("state", "capacity", "ready"),
    [
        pytest.param("RUNNING", {"desired": 3, "in_use": 0, "available": 3}, True, id="all sessions are there"),
        pytest.param("RUNNING", {"desired": 5, "in_use": 1, "available": 2}, False, id="some are provisioned"),
        pytest.param("RUNNING", {"desired": 3, "in_use": 1, "available": 3}, False, id="it shrinks"),
        pytest.param("STARTING", {"desired": 3, "in_use": 0, "available": 3}, False, id="it starts"),
    ],
)
def test_a_fleet_is_ready_if_it_runs_and_has_the_sessions(state, capacity, ready):
    assert is_ready({"state": state, "capacity": capacity}, 3) is ready


def lab(name="b", starts_in=0):
    return {"lab": name, "starts_in": starts_in, "starts_at": "2026-11-21T10:00:00Z", "ends_at": "2026-11-21T12:00:00Z"}


UNDER_WAY, SOON = "lab 'b' lasts until 2026-11-21T12:00:00Z", "lab 'b' starts at 2026-11-21T10:00:00Z"


@pytest.mark.parametrize(
    ("labs", "sessions", "needs"),
    [
        pytest.param([], 0, [], id="nobody needs it"),
        pytest.param([], 2, ["other sessions are on it: 2"], id="other sessions"),
        pytest.param([lab()], 0, [UNDER_WAY], id="a lab under way, though nobody is in a session"),
        pytest.param([lab(starts_in=1800)], 0, [SOON], id="a lab that starts soon"),
        pytest.param([lab(starts_in=1801)], 0, [], id="a lab that starts later"),
        pytest.param([lab(), lab(starts_in=60)], 1, ["other sessions are on it: 1", UNDER_WAY, SOON], id="all"),
    ],
)
def test_a_fleet_is_needed_by_sessions_and_by_labs_that_are_under_way_or_start_soon(labs, sessions, needs):
    assert find_fleet_needs(labs, sessions, "auto", 30) == needs
    assert find_fleet_needs(labs, sessions, "always", 30) == []
    assert find_fleet_needs(labs, sessions, "never", 30) == ["appstream_lab_stop_fleet is never"]
