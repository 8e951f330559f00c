# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The stream URLs of a stream group as resources that leases are for. A lease's holder is a learner."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from .._client import identify_endpoint
from .._leases.lease import Lease, LeaseKey, build_purpose
from .._leases.resource_issuer import TOKEN_MEMORY
from .._leases.reuse import ReusePolicy
from .._leases.scope import Scope, find_stored_scope
from .._leases.stores.base import LeaseStore
from .api import CONFLICT, SERVICE, create_stream_url, get_stream_url
from .descriptions import build_description
from .errors import AnsibleGameLiftStreamsError
from .listing import Listing
from .states import ACTIVE, REVOKED, StreamUrl, describe_status
from .validation import MAX_SESSION_LENGTH, Resolution, get_id

PROTOCOL = "WebRTC"
# The service's own, which its replies may name or not.
DEFAULT_RESOLUTION = Resolution(1920, 1080)
# Up to so many stream URLs are looked up one by one.
MAX_SINGLE_LOOK_UPS = 20
# A learner's link is rarely replaced more than once or twice.
MAX_GENERATIONS_SEARCHED = 10
MINUTE = 60


@dataclass(frozen=True)
class UrlSettings:
    """What stream URLs are created with.

    Attributes:
        application: The id of the application.
        locations: The locations, in order of preference.
        usage_limit: How many sessions each can start.
        min_remaining_uses: How many it must still be able to start to be reused.
        session_length: How long a session may last, in seconds; None for as long as the URL is valid.
        launch_args: More command-line arguments for the application.
        environment: More environment variables for it.
        role_arn: The IAM role that it can use.
        resolution: That of its virtual monitor; None for the service's own.
    """

    application: str
    locations: Sequence[str]
    usage_limit: int
    min_remaining_uses: int
    session_length: int | None = None
    launch_args: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    resolution: Resolution | None = None

    def build_purpose(self, generation: int = 0) -> str:
        """Return what a URL of this generation opens, as a part of its lease's key."""
        return build_purpose(
            application=self.application,
            locations=json.dumps(list(self.locations)),
            launch_args=json.dumps(list(self.launch_args)) if self.launch_args else None,
            environment=json.dumps(dict(self.environment), sort_keys=True) if self.environment else None,
            role_arn=self.role_arn,
            resolution="x".join(map(str, self.resolution)) if self.resolution else None,
            generation=str(generation) if generation else None,
        )

    def to_parameters(self, minutes: int) -> dict[str, Any]:
        """Return the parameters of CreateStreamUrl for a URL that is valid for so many minutes."""
        parameters: dict[str, Any] = {
            "ApplicationIdentifier": self.application,
            "Protocol": PROTOCOL,
            "UrlExpiresAfterMinutes": minutes,
            "UsageLimit": self.usage_limit,
            "Locations": list(self.locations),
            "SessionLengthSeconds": self.session_length or min(minutes * MINUTE, MAX_SESSION_LENGTH),
        }
        if self.launch_args:
            parameters["AdditionalLaunchArgs"] = list(self.launch_args)
        if self.environment:
            parameters["AdditionalEnvironmentVariables"] = dict(self.environment)
        if self.role_arn:
            parameters["RoleArn"] = self.role_arn
        if self.resolution:
            parameters["DisplayConfiguration"] = {"Resolution": _to_members(self.resolution)}
        return parameters

    def find_fault(self, stream_url: StreamUrl) -> str | None:
        """Return why a stream URL that is ACTIVE is not reused; None if it is. When it expires is checked elsewhere."""
        if self.usage_limit != (stream_url.usage_limit or self.usage_limit):
            return f"ACTIVE with usage_limit {stream_url.usage_limit} instead of {self.usage_limit}"
        if self.session_length and self.session_length != (stream_url.session_length or self.session_length):
            return f"ACTIVE with session_length {stream_url.session_length} instead of {self.session_length}"
        if stream_url.remaining_uses < self.min_remaining_uses:
            return (
                f"ACTIVE with {stream_url.remaining_uses} of {self.usage_limit} uses left, and min_remaining_uses is "
                f"{self.min_remaining_uses}"
            )
        return None

    def opens_the_same(self, stream_url: StreamUrl) -> bool:
        """Return whether a stream URL, as GetStreamUrl describes it, opens what these settings ask for."""
        actual = stream_url.settings
        resolution = (actual.get("DisplayConfiguration") or {}).get("Resolution")
        return (
            get_id(stream_url.application_arn or "") == self.application
            and list(actual.get("Locations") or ()) == list(self.locations)
            and list(actual.get("AdditionalLaunchArgs") or ()) == list(self.launch_args)
            and dict(actual.get("AdditionalEnvironmentVariables") or {}) == dict(self.environment)
            and actual.get("RoleArn") == self.role_arn
            and (resolution or _to_members(DEFAULT_RESOLUTION)) == _to_members(self.resolution or DEFAULT_RESOLUTION)
        )


def _to_members(resolution: Resolution) -> dict[str, int]:
    return {"Width": resolution.width, "Height": resolution.height}


@dataclass(frozen=True)
class CheckedUrl:
    """A stream URL as a resource of a lease. ``fault`` is why it is not reused though it is ACTIVE."""

    stream_url: StreamUrl
    fault: str | None = None

    is_in_progress: ClassVar[bool] = False

    @property
    def resource_id(self) -> str:
        """Its id, as leases have it."""
        return self.stream_url.stream_url_id

    @property
    def expires_at(self) -> datetime | None:
        """When it expires."""
        return self.stream_url.expires_at

    @property
    def is_dead(self) -> bool:
        """Whether it is not to be handed out."""
        return self.stream_url.status != ACTIVE or self.fault is not None

    @property
    def status(self) -> str:
        """Its status, for messages."""
        return self.fault or describe_status(self.stream_url.status, self.stream_url.status_reason)


@dataclass
class GroupUrls:
    """The service of a ResourceIssuer, and its directory.

    Attributes:
        listing: The ACTIVE stream URLs of the stream group.
        settings: What the stream URLs are created with.
        policy: How long they must be valid.
        now: The service's clock.
        lab: The lab that they are created in, if any.
        find_labs: Returns the labs that use each lease, one of which may have created what is searched for.
        recovers: Whether to search for the stream URLs of learners that nothing is stored of.
    """

    listing: Listing
    settings: UrlSettings
    policy: ReusePolicy
    now: Callable[[], datetime]
    lab: str | None
    find_labs: Callable[[], Mapping[LeaseKey, Collection[str]]] = dict
    recovers: bool = False

    token_error_code: ClassVar[str] = CONFLICT

    def __post_init__(self) -> None:
        self._client, self._stream_group = self.listing.client, self.listing.stream_group
        self._labs: Mapping[LeaseKey, Collection[str]] = {}
        # The descriptions that were tried with the token of a lease.
        self._tried: dict[LeaseKey, Collection[str]] = {}
        # What is known of stream URLs that were not looked up yet.
        self._known: dict[str, StreamUrl] = {}
        # The last status of those that were.
        self._statuses: dict[str, str] = {}

    # The service

    def create(self, pending: Lease) -> CheckedUrl:
        """Return a stream URL for this lease's token.

        All runs that use the token soon after it was stored make the same request, which the service may demand.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
        """
        now = self.now()
        asked_at = pending.issued if now - pending.issued <= TOKEN_MEMORY else now
        parameters = self.settings.to_parameters(self.policy.validity_at(asked_at) // MINUTE)
        parameters.update(Identifier=self._stream_group, ClientToken=pending.client_token)
        # Perhaps a run of another lab, or of none, has used the token.
        descriptions = self._build_descriptions(pending.key, None)
        self._tried[pending.key] = set(descriptions)
        conflicts = []
        for description in descriptions:
            try:
                return CheckedUrl(create_stream_url(self._client, Description=description, **parameters))
            except AnsibleGameLiftStreamsError as e:
                if e.code != CONFLICT:
                    raise
                conflicts.append(e)
        # Perhaps it has used it with other parameters.
        existing = self._find(descriptions)
        if existing is None:
            raise conflicts[0]
        return existing

    def look_up(self, key: LeaseKey, resource_id: str) -> CheckedUrl | None:
        """Return the stream URL, or None. What is already known of it is used once."""
        stream_url = self._known.pop(resource_id, None) or get_stream_url(self._client, self._stream_group, resource_id)
        self._statuses[resource_id] = stream_url.status if stream_url else REVOKED
        if stream_url is None:
            return None
        return CheckedUrl(stream_url, self.settings.find_fault(stream_url) if stream_url.status == ACTIVE else None)

    def check(self, key: LeaseKey) -> None:
        """Do nothing: the stream group is checked once for all learners."""

    def describe(self, key: LeaseKey, resource_id: str) -> str:
        """Return the name of a stream URL at the begin of a message."""
        return f"Stream URL {resource_id!r} of learner {key.holder!r}"

    # The directory

    def prefetch(self, resource_ids: Collection[str], released_ids: Collection[str]) -> None:
        """Find the labs, and list the stream URLs if there are many to look up, or if they are to be recovered.

        They are also listed if some were released: only those of a run that was interrupted are still ACTIVE.

        Raises:
            AnsibleGameLiftStreamsError: The call failed, or is denied though nothing can be recovered without it.
            LeaseStoreError: The store failed.
        """
        self._labs = self.find_labs()
        if self.recovers or released_ids or len(resource_ids) > MAX_SINGLE_LOOK_UPS:
            self._known.update(self.listing.load())
        if self.listing.is_loaded:
            self._statuses.update(dict.fromkeys(set(released_ids) - self._known.keys(), REVOKED))
        if self.recovers and self.listing.denial:
            raise self.listing.denial

    def learn(self, key: LeaseKey) -> bool:
        """Return whether a lab that has begun to use the lease meanwhile may have used its token.

        Raises:
            LeaseStoreError: The store failed.
        """
        if not self._find_untried(key):
            self._labs = self.find_labs()
        return bool(self._find_untried(key))

    def _find_untried(self, key: LeaseKey) -> set[str]:
        return set(self._build_descriptions(key, None)).difference(self._tried.get(key, ()))

    def find(self, key: LeaseKey) -> CheckedUrl | None:
        """Return the newest stream URL of this key, and of a lab that uses its lease, that is as asked.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
        """
        return self._find(self._build_descriptions(key))

    def _build_descriptions(self, key: LeaseKey, *labs: str | None) -> list[str]:
        """Return the descriptions for the lab, for those that use the lease, and for these."""
        every = dict.fromkeys((self.lab, *sorted(self._labs.get(key, ())), *labs))
        return [build_description(lab, key) for lab in every]

    def _find(self, descriptions: Sequence[str]) -> CheckedUrl | None:
        for listed in self.listing.find(descriptions):
            found = get_stream_url(self._client, self._stream_group, listed.stream_url_id)
            if found and self._is_as_asked(found):
                self._known[found.stream_url_id] = found
                return CheckedUrl(found)
        return None

    def _is_as_asked(self, found: StreamUrl) -> bool:
        now, created_at, validity = self.now(), found.created_at, self.policy.validity
        if found.status != ACTIVE or self.settings.find_fault(found) or not self.settings.opens_the_same(found):
            return False
        if validity and created_at and abs((found.expires_at - created_at).total_seconds() - validity) >= MINUTE:
            return False
        return found.expires_at > now and found.expires_at >= self.policy.required_until(now)

    def end(self, key: LeaseKey, resource_id: str) -> None:
        """Revoke a stream URL that is replaced, unless it is known not to be ACTIVE. Its sessions go on.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
        """
        if self._statuses.get(resource_id, ACTIVE) == ACTIVE:
            self.listing.revoke(resource_id, terminate_sessions=False)

    def end_found(self, key: LeaseKey) -> None:
        """Revoke all stream URLs of this key, and of a lab that uses its lease. Their sessions go on.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
        """
        for found in self.listing.find(self._build_descriptions(key)):
            self.listing.revoke(found.stream_url_id, terminate_sessions=False)

    def find_duplicates(self, in_use: Mapping[LeaseKey, str | None]) -> dict[str, LeaseKey]:
        """Return the ids of the stream URLs of these keys, as far as they were listed, that are not the ones in use.

        Each is returned with its key. None is in use where a stream URL would be created but for check mode.
        """
        if not self.listing.is_loaded:
            return {}
        return {
            found.stream_url_id: key
            for key, resource_id in in_use.items()
            for found in self.listing.find([build_description(self.lab, key)])
            if found.stream_url_id != resource_id and found.stream_url_id not in self.listing.revoked
        }

    def find_later_generations(
        self, store: LeaseStore, generations: Mapping[LeaseKey, int]
    ) -> dict[LeaseKey, dict[int, list[str]]]:
        """Return the ids of the stream URLs of later generations than these, if stream URLs are to be recovered.

        Those that the lease store knows were not lost, and are in use.

        Args:
            store: The lease store.
            generations: The generation of each key.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
            LeaseStoreError: The store failed.
        """
        purposes = [self.settings.build_purpose(generation) for generation in range(MAX_GENERATIONS_SEARCHED)]
        others = [
            (key, generation, LeaseKey.build(key.scope, key.holder, purposes[generation]))
            for key, known in (generations.items() if self.recovers else ())
            for generation in range(known + 1, MAX_GENERATIONS_SEARCHED)
        ]
        listed = [
            (*each, found) for each in others for found in self.listing.find([build_description(self.lab, each[-1])])
        ]
        stored = store.read({other for _key, _generation, other, _found in listed}) if listed else {}
        later: dict[LeaseKey, dict[int, list[str]]] = {}
        for key, generation, other, found in listed:
            if not may_use(stored.get(other), found.stream_url_id):
                later.setdefault(key, {}).setdefault(generation, []).append(found.stream_url_id)
        return later


def may_use(lease: Lease | None, stream_url_id: str) -> bool:
    """Return whether the lease that is stored for the key of a stream URL uses it, or may do so as it is pending."""
    return lease is not None and lease.released_at is None and lease.resource_id in (None, stream_url_id)


def build_scope(client: Any, stream_group_arn: str) -> Scope:
    """Return the scope of a stream group's leases."""
    return Scope(SERVICE, identify_endpoint(client), (stream_group_arn,))


def find_scope(client: Any, group: Mapping[str, Any] | None, stream_group: str, store: LeaseStore) -> Scope | None:
    """Return the scope of a stream group's leases; None if it was deleted and none of its leases are stored.

    Args:
        client: A client of GameLift Streams.
        group: The stream group, with the members of GetStreamGroup; None if it does not exist.
        stream_group: The id or ARN that it was asked for by.
        store: The lease store.

    Raises:
        NotReady: There were several of this id.
    """
    if group is not None:
        return build_scope(client, group["Arn"])
    return find_stored_scope(store, SERVICE, identify_endpoint(client), client.meta.region_name, get_id(stream_group))
