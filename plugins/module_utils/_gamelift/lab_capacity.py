# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The capacity of stream groups that labs raise, and restore when the last of them ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import LabstreamError, LeaseConflict
from .._labs.capacity import CapacityRecord, CapacitySettings, LabCapacity, RaisedCapacity, Restoration
from .._waiting import Step, format_count
from .capacity import LocationCapacity, get_maximum
from .group_states import REMEDIES, REMOVING, get_locations, get_name
from .stream_groups import StreamGroup
from .urls import build_scope


class LabStreamGroup:
    """A stream group that is scaled for a lab: what the capacity was before is stored before it is changed.

    Args:
        stream_group: The stream group, which may be the predicted one.
        lab: What the lab has raised.
    """

    status_member = StreamGroup.status_member

    def __init__(self, stream_group: StreamGroup, lab: LabCapacity) -> None:
        self._stream_group, self._lab = stream_group, lab
        self.retries = stream_group.retries
        self._described: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        """Return the stream group as it is now.

        Raises:
            NotReady: It does not exist.
            AnsibleGameLiftStreamsError: The call failed.
        """
        self._described = self._stream_group.describe()
        return self._described

    def make(self, step: Step) -> None:
        """Scale the locations.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
            LeaseStoreError: The store failed.
            LeaseConflict: Another run was faster, so the capacity is another one by now.
        """
        configured = {each["LocationName"]: each for each in self._stream_group.transition.configurations}
        raised = []
        for name, configuration in configured.items():
            raised.append(self._at(name))
            if not raised[-1].plan(self._get_settings(name), _to_settings(configuration)):
                where = f"location {name!r} of stream group {get_name(self._described)!r}"
                raise LeaseConflict(f"Another run is scaling {where}: wait until it is done, then run again.")
        self._stream_group.make(step)
        for each in raised:
            each.confirm()

    def is_conflict(self, error: LabstreamError) -> bool:
        """Return whether something else was changing the stream group."""
        return isinstance(error, LeaseConflict) or self._stream_group.is_conflict(error)

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""
        self._stream_group.wait(seconds)

    def join(self) -> None:
        """Restore, when the lab ends, what other labs have raised and left at the locations that it uses.

        Raises:
            LeaseStoreError: The store failed.
        """
        for each in self._stream_group.transition.capacities:
            self._at(each.location_name).join(self._get_settings(each.location_name))

    def _at(self, name: str) -> RaisedCapacity:
        return self._lab.at(build_scope(self._stream_group.client, self._described["Arn"]).to_text(), name)

    def _get_settings(self, name: str) -> CapacitySettings:
        return get_settings(get_locations(self._described)[name])


@dataclass
class RestoredCapacities:
    """What becomes of the capacities of a stream group when a lab ends.

    Attributes:
        capacities: The capacities to restore.
        kept: A message on each location that is left as it is.
        warnings: Those of them that somebody has to look at.
    """

    capacities: list[LocationCapacity] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _raised: list[RaisedCapacity] = field(default_factory=list)

    @classmethod
    def plan(cls, stream_group: Mapping[str, Any], scope: str, lab: LabCapacity) -> RestoredCapacities:
        """Return what becomes of them. Labs under way that need the capacity restore it from now on.

        Args:
            stream_group: The stream group, with the members of GetStreamGroup.
            scope: The scope of its leases.
            lab: What the lab has raised.

        Raises:
            LeaseStoreError: The store failed.
        """
        planned = cls()
        locations = get_locations(stream_group) if stream_group["Status"] not in REMEDIES else {}
        for name in lab.find_locations(scope):
            raised = lab.at(scope, name)
            known = raised.record
            if known is None:
                continue
            if name not in locations or locations[name].get("Status") == REMOVING:
                # It hosts nothing any more.
                planned._raised.append(raised)
                continue
            current = get_settings(locations[name])
            restoration = raised.leave(current)
            if restoration.settings:
                before = restoration.settings
                # Labs leave the target idle capacity as it is, so somebody may have raised it beyond this maximum.
                maximum = max(before.maximum, locations[name].get("TargetIdleCapacity") or 0)
                planned.capacities.append(LocationCapacity(name, before.always_on, None, maximum))
            if restoration.needed_by is None:
                planned._raised.append(raised)
            planned._describe(name, restoration, known, current)
        return planned

    def forget(self) -> None:
        """Remove what is stored of the locations that need no restoring any more.

        Raises:
            LeaseStoreError: The store failed.
        """
        for raised in self._raised:
            raised.forget()

    def _describe(self, name: str, restoration: Restoration, known: CapacityRecord, current: CapacitySettings) -> None:
        keeps = f"Location {name!r} keeps its capacity of {format_count(current.always_on, 'always-on session')}"
        if restoration.needed_by is not None:
            self.kept.append(
                f"{keeps}: lab {restoration.needed_by!r} needs it, and restores {known.before.always_on} when it ends."
            )
        elif restoration.is_changed:
            self.kept.append(
                f"{keeps} (maximum {current.maximum}), which somebody has changed since labs raised it from "
                f"{known.before.always_on} to {known.after.always_on} (maximum {known.after.maximum}): lower it if it "
                "is not needed, since it is billed."
            )
            self.warnings.append(self.kept[-1])


def get_settings(location: Mapping[str, Any]) -> CapacitySettings:
    """Return what a location of a stream group is set to."""
    return CapacitySettings(location.get("AlwaysOnCapacity") or 0, get_maximum(location))


def _to_settings(configuration: Mapping[str, Any]) -> CapacitySettings:
    return CapacitySettings(configuration["AlwaysOnCapacity"], configuration["MaximumCapacity"])
