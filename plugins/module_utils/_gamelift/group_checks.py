# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The check before the first stream URL: can its stream group, with this application, stream at these locations? Pure.

Stream groups have the members of GetStreamGroup. Source: the service model of botocore 1.44.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .._errors import NotReady, list_names
from .._time import to_iso8601
from .capacity import get_maximum
from .group_states import (
    ACTIVATING,
    ACTIVE,
    ACTIVE_WITH_ERRORS,
    UPDATING,
    describe_location_problem,
    describe_problem,
    get_locations,
    get_name,
)
from .validation import get_id

# In these, what the locations are counts.
_SERVING = {ACTIVE_WITH_ERRORS, UPDATING}
MAX_NAMED = 10


def validate_can_stream(
    group: Mapping[str, Any], application: str, locations: Sequence[str], *, may_wait: bool = False
) -> str | None:
    """Reject a stream group that cannot stream the application at each of the locations.

    Args:
        group: The stream group.
        application: The id or ARN of the application.
        locations: The names of the locations.
        may_wait: Whether they may still be ACTIVATING, since somebody waits for them.

    Returns:
        A warning if it can do so at these locations, but has a problem elsewhere.

    Raises:
        NotReady: Says what is wrong and what to do.
    """
    name, status = get_name(group), group["Status"]
    in_time = {ACTIVATING} if may_wait else set()
    if status not in {ACTIVE} | _SERVING | in_time:
        waits = "wait until it is ACTIVE (labstream.aws.gamelift_stream_group waits), then run again"
        raise NotReady(describe_problem(group) or f"Stream group {name!r} is {status}: {waits}.")
    associated = _get_applications(group)
    if get_id(application) not in associated:
        raise NotReady(
            f"Application {application!r} is not associated with stream group {name!r}: associate it "
            f"(AssociateApplications), or name one of those that are: {list_names(associated, MAX_NAMED) or 'none'}."
        )
    for location in locations:
        problem = describe_location_problem(group, location)
        if problem and get_locations(group).get(location, {}).get("Status") not in in_time:
            raise NotReady(problem)
    if status in {ACTIVE} | in_time:
        return None
    is_active = f"{'is' if len(locations) == 1 else 'are'} ACTIVE"
    problem = describe_problem(group) or f"Stream group {name!r} is {status}: other locations are added or removed."
    return f"{problem} The stream URLs are for {', '.join(locations)}, which {is_active}."


def _get_applications(group: Mapping[str, Any]) -> list[str]:
    """Return the ids of the applications that the stream group can stream, in order."""
    default = (group.get("DefaultApplication") or {}).get("Arn")
    arns = [*(group.get("AssociatedApplications") or ()), *([default] if default else [])]
    return sorted({get_id(arn) for arn in arns})


def build_capacity(
    group: Mapping[str, Any], locations: Sequence[str], learners: int, usage_limit: int
) -> dict[str, int]:
    """Return how many sessions the stream group can have at once, and how many the learners can start.

    Every use of a URL starts another session, also while the one before it still runs.
    """
    sessions = sum(get_maximum(location) for name, location in get_locations(group).items() if name in locations)
    return dict(sessions=sessions, needed=learners, max_needed=learners * usage_limit)


def build_capacity_warning(
    group: Mapping[str, Any], locations: Sequence[str], capacity: Mapping[str, int]
) -> str | None:
    """Return a warning if the stream group cannot have a session for each learner at the same time."""
    sessions, needed = capacity["sessions"], capacity["needed"]
    if sessions >= needed:
        return None
    return (
        f"Stream group {get_name(group)!r} can have {sessions} sessions at once at {', '.join(locations)}, but the "
        f"{needed} learners need {needed}, and can start up to {capacity['max_needed']}, since each use of a URL "
        "starts another one. Without capacity, a session does not start: raise the maximum capacity "
        "(labstream.aws.gamelift_stream_group), or name more locations."
    )


def build_expiry_warning(group: Mapping[str, Any], until: datetime) -> str | None:
    """Return a warning if the stream group expires before its URLs are to do so."""
    expires_at = group.get("ExpiresAt")
    if expires_at is None or expires_at >= until:
        return None
    return (
        f"Stream group {get_name(group)!r} expires at {to_iso8601(expires_at.astimezone(timezone.utc))}, and no "
        "URL works after that: create another stream group in time."
    )
