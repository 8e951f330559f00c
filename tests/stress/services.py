# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that the runs ask, and what must be true of them and of the lease store whatever happened.

The *grant* of a holder is what the lease store remembers: the URL of AppStream, the id of a stream of Nimble Studio or
of a stream URL of GameLift Streams.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer

from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    Task,
)
from tests.simulator.control import Simulator

VALIDITY = 3600
# Enough for every URL to be opened.
INSTANCES = 10_000
USES = 1000
DAYS_KEPT = 30


@dataclass(frozen=True)
class StoredLease:
    """A lease with a grant as a store holds it; ``expires`` in seconds since the epoch."""

    grant: str
    expires: int


class Service(Protocol):
    """A service, and the module that asks it."""

    name: str
    module: str
    issues: str  # the operation that issues
    holder: str  # what results call the holder
    # Whether the next run finds what a run was granted that it did not hear of, or could not store.
    finds_again: bool

    def seed(self, simulator: Simulator, holders: Sequence[str]) -> None:
        """Create what these holders need."""

    def arguments(self, holders: Sequence[str], store: Store) -> dict[str, Any]:
        """Return the arguments of the module."""

    def grants(self, task: Task) -> dict[str, str | None]:
        """Return the grants in a result."""

    def urls(self, task: Task) -> dict[str, str]:
        """Return the URLs in a successful result."""

    def opens(self, simulator: Simulator, url: str, holder: str) -> bool:
        """Return whether the URL opens, as far as its page says for that holder."""

    def issued(self, simulator: Simulator) -> list[str]:
        """Return all grants so far."""

    def find_wrong(self, simulator: Simulator, leases: Mapping[str, StoredLease], clock_offset: float) -> list[str]:
        """Describe each lease that differs from what the service has."""


def _opens(simulator: Simulator, url: str, holder: str) -> bool:
    """Return whether the URL opens the session of that holder."""
    status, page = simulator.open(url)
    return status == 200 and holder in page


def _describe_wrong(
    leases: Mapping[str, StoredLease],
    is_right: Callable[[str, StoredLease], bool],
    describe: Callable[[str, StoredLease], str],
) -> list[str]:
    """Describe the leases that are not right, each with what the service has in its place."""
    return [
        f"{holder}: {lease.expires}, {describe(holder, lease)}"
        for holder, lease in leases.items()
        if not is_right(holder, lease)
    ]


class AppStream:
    """AppStream issues another URL at every call, and returns none again."""

    name = "AppStream"
    module = MODULE
    issues = "CreateStreamingURL"
    holder = "user_id"
    finds_again = False

    def seed(self, simulator: Simulator, holders: Sequence[str]) -> None:
        simulator.seed_lab(STACK, FLEET, instances=INSTANCES)

    def arguments(self, holders: Sequence[str], store: Store) -> dict[str, Any]:
        users = [{"user_id": holder} for holder in holders]
        target = {"stack_name": STACK, "fleet_name": FLEET, "validity": VALIDITY}
        return {**target, "users": users, "lease_store": store.url}

    def grants(self, task: Task) -> dict[str, str | None]:
        return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}

    def urls(self, task: Task) -> dict[str, str]:
        return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}

    opens = staticmethod(_opens)

    def issued(self, simulator: Simulator) -> list[str]:
        return simulator.streaming_urls()

    def find_wrong(self, simulator: Simulator, leases: Mapping[str, StoredLease], clock_offset: float) -> list[str]:
        # The latest call for each holder: a run that repeats a call has not heard of what the first one issued.
        calls = {
            call["parameters"]["UserId"]: (call["started"], call["finished"])
            for call in sorted(simulator.calls(self.issues), key=lambda call: call["started"])
            if call["done"]
        }

        def is_right(holder: str, lease: StoredLease) -> bool:
            issued = lease.expires - VALIDITY - clock_offset
            if holder not in calls:
                return False
            started, finished = calls[holder]
            # The service rounds to milliseconds; whole seconds are stored, rounded down.
            return started - 1 <= issued <= finished + 0.001 and _opens(simulator, lease.grant, holder)

        return _describe_wrong(leases, is_right, lambda holder, _lease: f"issued in {calls.get(holder)}")


class Nimble:
    """Nimble Studio returns the same stream for the same token, and the URL of a stream as often as it is asked."""

    name = "Nimble"
    module = STREAM_MODULE
    issues = "CreateStreamingSessionStream"
    holder = "session_id"
    finds_again = True

    def seed(self, simulator: Simulator, holders: Sequence[str]) -> None:
        simulator.seed_studio(STUDIO, holders)

    def arguments(self, holders: Sequence[str], store: Store) -> dict[str, Any]:
        target = {"studio_id": STUDIO, "expiration_in_seconds": VALIDITY}
        return {**target, "session_ids": list(holders), "lease_store": store.url}

    def grants(self, task: Task) -> dict[str, str | None]:
        return {entry["session_id"]: entry["stream_id"] for entry in task.result["streams"]}

    def urls(self, task: Task) -> dict[str, str]:
        return {entry["session_id"]: entry["url"] for entry in task.result["streams"]}

    opens = staticmethod(_opens)

    def issued(self, simulator: Simulator) -> list[str]:
        return [stream["streamId"] for stream in simulator.streams()]

    def find_wrong(self, simulator: Simulator, leases: Mapping[str, StoredLease], clock_offset: float) -> list[str]:
        streams = {stream["streamId"]: stream for stream in simulator.streams()}

        def is_right(holder: str, lease: StoredLease) -> bool:
            stream = streams.get(lease.grant)
            return bool(stream) and (holder, lease.expires) == (stream["sessionId"], _to_epoch(stream["expiresAt"]))

        return _describe_wrong(leases, is_right, lambda _holder, lease: f"and {streams.get(lease.grant)}")


class GameLift:
    """GameLift Streams returns the same stream URL for the same token, and describes it as often as it is asked."""

    name = "GameLift"
    module = STREAM_URL_MODULE
    issues = "CreateStreamUrl"
    holder = "id"
    finds_again = True

    def seed(self, simulator: Simulator, holders: Sequence[str]) -> None:
        location = {"LocationName": "us-east-1", "AlwaysOnCapacity": INSTANCES}
        simulator.seed_stream_group(STREAM_GROUP, ["a-lab"], [location])

    def arguments(self, holders: Sequence[str], store: Store) -> dict[str, Any]:
        target = {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"]}
        # Each URL is opened again and again.
        target |= {"expires_after_minutes": VALIDITY // 60, "usage_limit": USES}
        return {**target, "learners": list(holders), "lease_store": store.url}

    def grants(self, task: Task) -> dict[str, str | None]:
        return {entry["id"]: entry["stream_url_id"] for entry in task.result["stream_urls"]}

    def urls(self, task: Task) -> dict[str, str]:
        return {entry["id"]: entry["stream_url"] for entry in task.result["stream_urls"]}

    def opens(self, simulator: Simulator, url: str, holder: str) -> bool:
        # It names no learner.
        return simulator.open(url)[0] == 200

    def issued(self, simulator: Simulator) -> list[str]:
        return [url["StreamUrlId"] for url in simulator.stream_urls()]

    def find_wrong(self, simulator: Simulator, leases: Mapping[str, StoredLease], clock_offset: float) -> list[str]:
        urls = {url["StreamUrlId"]: url for url in simulator.stream_urls()}

        def is_right(_holder: str, lease: StoredLease) -> bool:
            url = urls.get(lease.grant)
            return bool(url) and (url["Status"], int(url["ExpiresAt"])) == ("ACTIVE", lease.expires)

        return _describe_wrong(leases, is_right, lambda _holder, lease: f"and {urls.get(lease.grant)}")


SERVICES: dict[str, Service] = {"appstream": AppStream(), "nimble": Nimble(), "gamelift": GameLift()}


def get_holders(first: int, count: int) -> list[str]:
    """Return user ids or session ids, numbered from ``first``."""
    return [f"holder-{number:05}" for number in range(first, first + count)]


def get_leases(store: Store) -> dict[str, StoredLease]:
    """Return the leases that have a grant, none if the store is gone; AssertionError if the store is damaged."""
    found = {}
    for row in _get_rows(store):
        url, grant = row.get("url"), row.get("url") or row.get("resource_id")
        assert row["issued"] < row["expires"], row["holder"]
        assert not url or hashlib.sha256(url.encode()).hexdigest() == row["url_sha256"], row["holder"]
        assert row.get("delete_after", 0) in (0, row["expires"] + DAYS_KEPT * 24 * 60 * 60), row["holder"]
        if grant:
            # In an item, it is followed by what the URL opens.
            found[row["holder"].partition(" ")[0]] = StoredLease(grant, int(row["expires"]))
    return found


def get_stored(store: Store) -> dict[str, str]:
    """Return the grant of each holder as the store has it."""
    return {holder: lease.grant for holder, lease in get_leases(store).items()}


def _get_rows(store: Store) -> list[dict[str, Any]]:
    if isinstance(store, LeaseTable):
        return _get_items(store)
    assert isinstance(store, LeaseFile)
    if not store.path.exists():
        return []
    with closing(sqlite3.connect(store.path, timeout=30)) as database:
        database.row_factory = sqlite3.Row
        check = [row[0] for row in database.execute("PRAGMA integrity_check")]
        assert check == ["ok"], check
        if not database.execute("SELECT name FROM sqlite_master").fetchall():
            return []
        return [dict(row) for row in database.execute("SELECT * FROM lease")]


def _get_items(table: LeaseTable) -> list[dict[str, Any]]:
    plain = TypeDeserializer().deserialize
    try:
        items = table.items()
    except table.client.exceptions.ResourceNotFoundException:
        return []
    return [{name: plain(value) for name, value in item.items()} for item in items]


def _to_epoch(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())
