# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Stream groups: describing them, and setting the capacity of their locations."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

from .._client import retry_delays, to_facts
from .._errors import LabstreamError
from .._waiting import Step
from .api import CONFLICT, get_stream_group, list_stream_groups, missing_stream_group, update_stream_group
from .capacity import Capacity, LocationCapacity, add_up, build_capacity
from .group_states import ACTIVE, UPDATING, GroupTransition, describe_problem, get_locations, get_name

# Results have these for every stream group, also if the service leaves them out.
_ALWAYS = (
    "arn",
    "status",
    "status_reason",
    "stream_class",
    "description",
    "default_application",
    "created_at",
    "last_updated_at",
    "expires_at",
    "problem",
)
_NO_CAPACITY = dict.fromkeys(Capacity.__dataclass_fields__)


def find_stream_groups(client: Any, identifiers: Sequence[str], concurrency: int) -> list[dict[str, Any] | None]:
    """Return the stream groups in the requested order, None for each that does not exist (GetStreamGroup).

    Raises:
        AnsibleGameLiftStreamsError: a call failed.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(get_stream_group, client), identifiers))


def find_all_stream_groups(client: Any, concurrency: int) -> list[dict[str, Any]]:
    """Return all stream groups of the account in the region (ListStreamGroups, then GetStreamGroup for each).

    Raises:
        AnsibleGameLiftStreamsError: a call failed.
    """
    listed = [summary["Arn"] for summary in list_stream_groups(client)]
    found = find_stream_groups(client, listed, concurrency)
    return [stream_group for stream_group in found if stream_group is not None]  # without those deleted meanwhile


def build_facts(stream_group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream group as results show it, with its capacity and that of each location."""
    locations = get_locations(stream_group)
    capacities = {name: build_capacity(location) for name, location in locations.items()}
    return {
        **empty_facts(get_name(stream_group)),
        **to_facts({name: value for name, value in stream_group.items() if name != "ResponseMetadata"}),
        "location_states": [
            {**to_facts(location), "capacity": asdict(capacities[name])} for name, location in locations.items()
        ],
        "capacity": asdict(add_up(capacities.values())),
        "problem": describe_problem(stream_group),
    }


def describe_capacity(capacity: LocationCapacity) -> dict[str, Any]:
    """Return the capacity that a location is set to, as results show it."""
    return {name: value for name, value in asdict(capacity).items() if value is not None}


def empty_facts(stream_group: str | None) -> dict[str, Any]:
    """Return what results show of a stream group that is not known yet."""
    return {
        "id": stream_group,
        **dict.fromkeys(_ALWAYS),
        "associated_applications": [],
        "location_states": [],
        "capacity": _NO_CAPACITY,
    }


class StreamGroup:
    """A stream group, as the service has it. The transition says how it is scaled."""

    status_member = "Status"

    def __init__(self, client: Any, identifier: str, transition: GroupTransition) -> None:
        self.client, self.identifier, self.transition = client, identifier, transition
        self.retries = retry_delays(client)

    def describe(self) -> dict[str, Any]:
        """Return the stream group as it is now (GetStreamGroup).

        Raises:
            NotReady: it does not exist.
            AnsibleGameLiftStreamsError: the call failed.
        """
        stream_group = get_stream_group(self.client, self.identifier)
        if stream_group is None:
            raise missing_stream_group(self.client, self.identifier)
        return stream_group

    def make(self, step: Step) -> None:
        """Set the capacity of the locations that do not have it (UpdateStreamGroup).

        Raises:
            AnsibleGameLiftStreamsError: the call failed.
        """
        update_stream_group(self.client, self.identifier, self.transition.configurations)

    def is_conflict(self, error: LabstreamError) -> bool:
        """Return whether the call failed since something else was changing the stream group."""
        return error.code == CONFLICT

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


class PredictedStreamGroup(StreamGroup):
    """The stream group as the service has it at first, and from then on as it would become: for check mode."""

    def __init__(self, client: Any, identifier: str, transition: GroupTransition) -> None:
        super().__init__(client, identifier, transition)
        self._stream_group: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        """Return the stream group as predicted."""
        self._stream_group = self._stream_group or super().describe()
        return self._stream_group

    def make(self, step: Step) -> None:
        """Predict the result of the call. No capacity is allocated or released yet."""
        configured = {each["LocationName"]: each for each in self.transition.configurations}
        states = []
        for name, location in get_locations(self._stream_group).items():
            capacities = {member: value for member, value in configured.get(name, {}).items() if "Capacity" in member}
            requested = {"RequestedCapacity": capacities["AlwaysOnCapacity"]} if capacities else {}
            states.append({**location, **capacities, **requested})
        self._stream_group = {**self._stream_group, "Status": UPDATING, "LocationStates": states}

    def wait(self, seconds: float) -> None:
        """Predict the next state, without an error and without waiting."""
        states = [
            {**location, "Status": ACTIVE} if location.get("Status") == "ACTIVATING" else location
            for location in self._stream_group.get("LocationStates") or []
        ]
        self._stream_group = {**self._stream_group, "Status": ACTIVE, "LocationStates": states}
