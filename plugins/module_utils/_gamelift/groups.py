# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The check before the first stream URL: can its stream group, with this application, stream at these locations? Pure.

Stream groups have the members of GetStreamGroup. Source: the service model of botocore 1.44.8 (StreamGroupStatus,
StreamGroupStatusReason, StreamGroupLocationStatus, LocationState).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .._errors import NotReady, list_names
from .._time import to_iso8601
from .capacity import get_maximum
from .validation import get_id

ACTIVE = "ACTIVE"
# In these, what the locations are counts.
_SERVING = {
    "ACTIVE_WITH_ERRORS": "another of its locations is in an error state",
    "UPDATING_LOCATIONS": "other locations of it are being added or removed",
}
_WAIT = "wait until it is ACTIVE (labstream.aws.gamelift_stream_group waits)"
_REPLACE = "name another stream group, or create one (CreateStreamGroup)"
# What to do with a stream group in this status.
_REMEDIES = {
    "ACTIVATING": _WAIT,
    "ERROR": "delete it and create another one, if need be of another stream class or at another location",
    "DELETING": _REPLACE,
    "EXPIRED": f"a stream group can be used for 365 days, so {_REPLACE}",
}
_REASONS = {
    "internalError": "the service failed",
    "noAvailableInstances": "AWS has no capacity for its stream class at one of its locations",
}
# What to do with a location in this status.
_LOCATION_REMEDIES = {
    "ACTIVATING": "wait until it is ACTIVE",
    "ERROR": "remove it from the stream group and add it again, or name other locations",
    "REMOVING": "name other locations",
}
MAX_NAMED = 10


def validate_can_stream(group: Mapping[str, Any], application: str, locations: Sequence[str]) -> str | None:
    """Reject a stream group that cannot stream the application at each of the locations.

    Args:
        group: The stream group.
        application: The id or ARN of the application.
        locations: The names of the locations.

    Returns:
        A warning if it can do so at these locations, but has a problem elsewhere.

    Raises:
        NotReady: Says what is wrong and what to do.
    """
    name, status = get_id(group["Arn"]), group["Status"]
    if status != ACTIVE and status not in _SERVING:
        reason = _REASONS.get(group.get("StatusReason", ""))
        described = f"{status} ({group['StatusReason']}: {reason})" if reason else status
        remedy = _REMEDIES.get(status, _REPLACE)
        raise NotReady(f"Stream group {name!r} is {described}, not ACTIVE: {remedy}, then run again.")
    associated = _get_applications(group)
    if get_id(application) not in associated:
        raise NotReady(
            f"Application {application!r} is not associated with stream group {name!r}: associate it "
            f"(AssociateApplications), or name one of those that are: {list_names(associated, MAX_NAMED) or 'none'}."
        )
    states = {each["LocationName"]: each.get("Status") for each in group.get("LocationStates") or ()}
    for location in locations:
        if location not in states:
            raise NotReady(
                f"Stream group {name!r} has no location {location!r}: correct locations, or add it "
                f"(AddStreamGroupLocations). Its locations are: {list_names(sorted(states), MAX_NAMED) or 'none'}."
            )
        if states[location] != ACTIVE:
            remedy = _LOCATION_REMEDIES.get(str(states[location]), "name other locations")
            raise NotReady(
                f"Location {location!r} of stream group {name!r} is {states[location]}, not ACTIVE: {remedy}, then run "
                "again."
            )
    if status == ACTIVE:
        return None
    return (
        f"Stream group {name!r} is {status}: {_SERVING[status]}. The stream URLs are for {', '.join(locations)}, which "
        f"{'is' if len(locations) == 1 else 'are'} ACTIVE."
    )


def _get_applications(group: Mapping[str, Any]) -> list[str]:
    """Return the ids of the applications that the stream group can stream, in order."""
    default = (group.get("DefaultApplication") or {}).get("Arn")
    arns = [*(group.get("AssociatedApplications") or ()), *([default] if default else [])]
    return sorted({get_id(arn) for arn in arns})


def count_sessions(group: Mapping[str, Any], locations: Sequence[str]) -> int:
    """Return how many sessions the stream group can have at these locations at once."""
    return sum(
        get_maximum(location) for location in group.get("LocationStates") or () if location["LocationName"] in locations
    )


def build_capacity_warning(
    group: Mapping[str, Any], locations: Sequence[str], learners: int, usage_limit: int
) -> str | None:
    """Return a warning if the stream group cannot have all sessions that the URLs of the learners can start.

    Every use of a URL starts another session, also while the one before it still runs.
    """
    capacity, most = count_sessions(group, locations), learners * usage_limit
    if capacity >= most:
        return None
    who = "1 learner needs" if learners == 1 else f"{learners} learners need"
    return (
        f"Stream group {get_id(group['Arn'])!r} can have {capacity} sessions at once at {', '.join(locations)}. {who} "
        f"{learners}, and can have up to {most}, since each use of a URL starts another session (usage_limit is "
        f"{usage_limit}). Without capacity, a session does not start: raise the capacity "
        "(labstream.aws.gamelift_stream_group) if that is not intended."
    )


def build_expiry_warning(group: Mapping[str, Any], until: datetime) -> str | None:
    """Return a warning if the stream group expires before its URLs are to do so."""
    expires_at = group.get("ExpiresAt")
    if expires_at is None or expires_at >= until:
        return None
    return (
        f"Stream group {get_id(group['Arn'])!r} expires at {to_iso8601(expires_at.astimezone(timezone.utc))}, and no "
        "URL works after that: create another stream group in time."
    )
