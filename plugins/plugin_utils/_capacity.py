# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many seats a class needs on a fleet of AppStream. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream.capacity import kind_of
from ansible_collections.labstream.aws.plugins.module_utils._errors import quote


def required_capacity(
    fleet: Mapping[str, Any],
    user_ids: Iterable[str],
    sessions: Iterable[Mapping[str, Any]] = (),
    spare_sessions: int | str = 0,
) -> dict[str, Any]:
    """Return the seats that these users need, and what the fleet must be scaled to for them.

    Args:
        fleet: The fleet as ``appstream_fleet_info`` tells it.
        user_ids: The user ids of the learners.
        sessions: The sessions on their stack and the fleet, as ``appstream_session_info`` tells them.
        spare_sessions: How many seats are to be left when every learner has one; may be the text of a number.

    Returns:
        ``needed``, how many of them have no session yet; ``seats``, how many the fleet must have in use or available
        so that they find one; and ``scaling``, the option of ``appstream_fleet`` that gets it there, with its value:
        empty if the fleet is set to have as many, and never less than that.

    Raises ValueError, with one sentence, if ``spare_sessions`` is no whole number.
    """
    try:
        spare = int(spare_sessions)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"spare_sessions is {quote(spare_sessions)}, but it must be a whole number.") from None
    in_session = {session["user_id"] for session in sessions if session["state"] != "EXPIRED"}
    needed = len(set(user_ids) - in_session)
    capacity = fleet["capacity"]
    seats = capacity["in_use"] + needed + spare
    # max_available is less than desired and in use suggest where instances take nobody any more.
    missing = needed + spare - capacity["max_available"]
    wanted = max(capacity["desired"] + missing, seats)
    scaling = {_option_of(fleet): wanted} if wanted > capacity["desired"] else {}
    return {"needed": needed, "seats": seats, "scaling": scaling}


def _option_of(fleet: Mapping[str, Any]) -> str:
    told = fleet.get("compute_capacity_status") or {}
    return kind_of(
        {
            "FleetType": fleet.get("fleet_type"),
            "MaxSessionsPerInstance": fleet.get("max_sessions_per_instance"),
            "ComputeCapacityStatus": {"DesiredUserSessions": None} if "desired_user_sessions" in told else {},
        }
    )
