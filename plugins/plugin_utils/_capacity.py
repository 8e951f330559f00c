# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What labs need of an AppStream fleet. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote


def required_capacity(
    user_ids: Iterable[str], sessions: Iterable[Mapping[str, Any]] = (), spare_sessions: int | str = 0
) -> dict[str, int]:
    """Return how many sessions must be available for these users.

    Args:
        user_ids: The user ids of the learners.
        sessions: The sessions on their stack and fleet, as ``appstream_session_info`` returns them.
        spare_sessions: How many sessions to leave when every learner has one; may be the text of a number.

    Returns:
        ``needed``, how many of the users have no session yet, and ``available_sessions``, these and the spare ones.

    Raises:
        ValueError: ``spare_sessions`` is not a whole number.
    """
    try:
        spare = int(spare_sessions)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"spare_sessions is {quote(spare_sessions)}, but it must be a whole number.") from None
    in_session = {session["user_id"] for session in sessions if session["state"] != "EXPIRED"}
    needed = len(set(user_ids) - in_session)
    return {"needed": needed, "available_sessions": needed + spare}


def is_ready(fleet: Mapping[str, Any], available_sessions: int) -> bool:
    """Return whether a fleet runs, and neither has to be scaled nor waited for until so many sessions are available.

    Args:
        fleet: The fleet, as ``appstream_session_info`` returns it.
        available_sessions: How many sessions must be available.
    """
    capacity = fleet["capacity"]
    return (
        fleet["state"] == "RUNNING"
        and min(capacity["available"], capacity["desired"] - capacity["in_use"]) >= available_sessions
    )


def find_fleet_needs(
    other_labs: Iterable[Mapping[str, Any]], sessions: int, stop_fleet: str, keep_running_minutes: int
) -> list[str]:
    """Return what a fleet is still needed for when a lab ends, as parts of a message; nothing if it can be stopped.

    Args:
        other_labs: The other labs on the fleet, as ``appstream_streaming_url`` returns them.
        sessions: How many sessions on it the lab does not end.
        stop_fleet: ``auto``, ``always`` or ``never``.
        keep_running_minutes: How soon a lab must start for the fleet to be kept running.
    """
    if stop_fleet != "auto":
        return ["appstream_lab_stop_fleet is never"] if stop_fleet == "never" else []
    needs = [f"other sessions are on it: {sessions}"] if sessions else []
    for lab in other_labs:
        if not lab["starts_in"]:
            needs.append(f"lab '{lab['lab']}' lasts until {lab['ends_at']}")
        elif lab["starts_in"] <= keep_running_minutes * 60:
            needs.append(f"lab '{lab['lab']}' starts at {lab['starts_at']}")
    return needs
