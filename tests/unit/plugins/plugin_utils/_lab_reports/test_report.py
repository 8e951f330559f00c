# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows from the results of the steps, and from a failure."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import build_results

from tests.unit.plugins.plugin_utils._lab_reports.results import LEARNERS, ROWS, SKIPPED

OPTIONS = {"name": "monday", "state": "present", "rotate": [], "end_sessions": True, "spare_sessions": 1}
NO_STEPS = {
    "appstream_lab": ("rotation", "generations", "sessions", "ending", "expire", "on_fleet"),
    "gamelift_lab": ("rotation", "generations", "sessions"),
    "nimble_lab": ("match", "start", "wait"),
}


def build(role, steps, check_mode=False):
    """Return the results of a lab in which these steps did something."""
    arguments = {"options": OPTIONS, "learners": LEARNERS, "notices": ["a notice"], "error": None, "roster_failure": ""}
    steps = {**{step: {} for step in NO_STEPS[role]}, **steps}
    run = {"role": role, "check_mode": check_mode, "failure": "", "arguments": arguments, "steps": steps}
    return build_results(run)


def test_results_have_the_options_by_name():
    results = build("gamelift_lab", {})

    assert (results["lab"], results["warnings"], results["spare_sessions"]) == ("monday", ["a notice"], 1)


@pytest.mark.parametrize("role", ["appstream_lab", "gamelift_lab"])
def test_generations_are_those_of_a_rotation_or_else_those_that_are_stored(role):
    stored, rotated = {"generations": {"anna": 1}}, {"generations": {"anna": 2}, "rotated": ["anna"]}
    found = [
        build(role, steps)["steps"]["rotation"].get("generations")
        for steps in (
            {"generations": stored},
            {"sessions": stored},
            {"rotation": rotated, "sessions": stored, "generations": SKIPPED},
            {},
        )
    ]

    assert found == [{"anna": 1}, {"anna": 1}, {"anna": 2}, {}]


def test_learners_who_have_a_session_of_their_generation_need_none():
    session = {"user_id": "anna", "state": "ACTIVE"}
    first, second = (
        build("appstream_lab", {"sessions": {"sessions": [session], "generations": generations}})
        for generations in ({}, {"anna": 1})
    )

    assert first["steps"]["capacity"] == {"needed": 1, "available_sessions": 2}
    assert second["steps"]["capacity"] == {"needed": 2, "available_sessions": 3}
    anna, ben = (learner["user_id"] for learner in second["learners"])
    assert (anna == second["rows"][0]["user_id"], ben == second["rows"][1]["user_id"]) == (False, True)


@pytest.mark.parametrize("sessions", [{}, SKIPPED, {"failed": True, "sessions": []}])
def test_the_capacity_is_unknown_if_the_sessions_are(sessions):
    assert build("appstream_lab", {"sessions": sessions})["steps"]["capacity"] == {}


def test_at_the_end_sessions_of_other_labs_are_kept():
    leases = [{"user_id": "anna", "labs": []}, {"user_id": "ben", "labs": ["b"]}, {"user_id": "anna", "labs": []}]
    listed = [("s1", "ACTIVE"), ("s2", "ACTIVE"), ("s3", "EXPIRED"), ("s4", "PENDING")]
    results = build(
        "appstream_lab",
        {
            "ending": {"leases": leases},
            "expire": {"sessions": [{"id": "s1", "expired": True}, {"id": "s4", "expired": False}]},
            "on_fleet": {"sessions": [{"id": name, "state": state} for name, state in listed]},
        },
    )

    assert (results["leaving_user_ids"], results["kept_user_ids"]) == (["anna"], ["ben"])
    assert [session["id"] for session in results["other_sessions"]] == ["s2", "s4"]


@pytest.mark.parametrize(
    ("check_mode", "wait", "late", "streamable"),
    [(False, [], [], ["s1", "s2"]), (False, ["s1"], ["s1"], ["s2"]), (True, [], [], ["s2"])],
)
def test_sessions_that_are_ready_can_stream(check_mode, wait, late, streamable):
    def starting(*sessions):
        return {"sessions": [{"session_id": name, "state": "START_IN_PROGRESS"} for name in sessions]}

    steps = {"match": {"sessions": ROWS}, "start": starting("s1"), "wait": starting(*wait)}
    results = build("nimble_lab", steps, check_mode)

    assert (results["starting"], results["late"]) == (["s1"], late)
    assert [row["session_id"] for row in results["streamable"]] == streamable
