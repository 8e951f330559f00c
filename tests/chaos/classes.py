# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes that the runs serve, at each of the two services, and what must be true of them whatever happened.

A seat's *ticket* is what tells its URL from all others, and what the lease store remembers: at AppStream the URL
itself, at Nimble Studio the id of the stream, whose URL it tells each time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer

from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import FLEET, MODULE, STACK, STREAM_MODULE, STUDIO, Task
from tests.simulator.control import Simulator

VALIDITY = 3600
# Room for all who ever want to open their URL.
INSTANCES = 10_000
DAYS_KEPT = 30


@dataclass(frozen=True)
class Lease:
    """A lease as it lies in a store, of a seat that has a ticket; ``expires`` in seconds since the epoch."""

    ticket: str
    expires: int


class Service(Protocol):
    """A service that gives seats their URLs, and the module that asks it."""

    name: str
    module: str
    issues: str  # the operation that issues a ticket
    # Whether a run that never heard of a ticket, or could not remember it, leaves it to the next one.
    finds_again: bool

    def seed(self, simulator: Simulator, seats: Sequence[str]) -> None:
        """Make what these seats need."""

    def arguments(self, seats: Sequence[str], store: Store) -> dict[str, Any]:
        """What a run is told."""

    def tickets(self, task: Task) -> dict[str, str | None]:
        """What a run says that each seat has."""

    def urls(self, task: Task) -> dict[str, str]:
        """What a run handed out, which did not fail."""

    def issued(self, simulator: Simulator) -> list[str]:
        """All tickets so far."""

    def wrong(self, simulator: Simulator, leases: Mapping[str, Lease], clock_offset: float) -> list[str]:
        """The leases that tell something else than the service has: each as seat, expiry and what it should be."""


class AppStream:
    """Streaming URLs of AppStream: each call issues another, and none is ever told again."""

    name = "AppStream"
    module = MODULE
    issues = "CreateStreamingURL"
    finds_again = False

    def seed(self, simulator: Simulator, seats: Sequence[str]) -> None:
        simulator.seed_lab(STACK, FLEET, instances=INSTANCES)

    def arguments(self, seats: Sequence[str], store: Store) -> dict[str, Any]:
        users = [{"user_id": seat} for seat in seats]
        target = {"stack_name": STACK, "fleet_name": FLEET, "validity": VALIDITY}
        return {**target, "users": users, "lease_store": store.url}

    def tickets(self, task: Task) -> dict[str, str | None]:
        return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}

    def urls(self, task: Task) -> dict[str, str]:
        return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}

    def issued(self, simulator: Simulator) -> list[str]:
        return simulator.streaming_urls()

    def wrong(self, simulator: Simulator, leases: Mapping[str, Lease], clock_offset: float) -> list[str]:
        # The latest of each seat, since a run that repeats a call has not heard of what the one before issued.
        calls = {
            call["parameters"]["UserId"]: (call["started"], call["finished"])
            for call in sorted(simulator.calls(self.issues), key=lambda call: call["started"])
            if call["done"]
        }

        def is_right(seat: str, lease: Lease) -> bool:
            issued = lease.expires - VALIDITY - clock_offset
            if seat not in calls:
                return False
            started, finished = calls[seat]
            # The service tells milliseconds, rounded either way; whole seconds are stored, rounded down.
            return started - 1 <= issued <= finished + 0.001 and opens(simulator, lease.ticket, seat)

        return [
            f"{seat}: {lease.expires}, issued in {calls.get(seat)}"
            for seat, lease in leases.items()
            if not is_right(seat, lease)
        ]


class Nimble:
    """Streams of Nimble Studio: a token gives the same stream each time, and a stream tells its URL each time."""

    name = "Nimble"
    module = STREAM_MODULE
    issues = "CreateStreamingSessionStream"
    finds_again = True

    def seed(self, simulator: Simulator, seats: Sequence[str]) -> None:
        simulator.seed_studio(STUDIO, seats)

    def arguments(self, seats: Sequence[str], store: Store) -> dict[str, Any]:
        asked = {"studio_id": STUDIO, "expiration_in_seconds": VALIDITY}
        return {**asked, "session_ids": list(seats), "lease_store": store.url}

    def tickets(self, task: Task) -> dict[str, str | None]:
        return {entry["session_id"]: entry["stream_id"] for entry in task.result["streams"]}

    def urls(self, task: Task) -> dict[str, str]:
        return {entry["session_id"]: entry["url"] for entry in task.result["streams"]}

    def issued(self, simulator: Simulator) -> list[str]:
        return [stream["streamId"] for stream in simulator.streams()]

    def wrong(self, simulator: Simulator, leases: Mapping[str, Lease], clock_offset: float) -> list[str]:
        streams = {stream["streamId"]: stream for stream in simulator.streams()}

        def is_right(seat: str, lease: Lease) -> bool:
            stream = streams.get(lease.ticket)
            return bool(stream) and (seat, lease.expires) == (stream["sessionId"], _epoch(stream["expiresAt"]))

        return [
            f"{seat}: {lease.expires}, and {streams.get(lease.ticket)}"
            for seat, lease in leases.items()
            if not is_right(seat, lease)
        ]


SERVICES: dict[str, Service] = {"appstream": AppStream(), "nimble": Nimble()}


def seats(first: int, count: int) -> list[str]:
    """User ids or session ids, counted from a number on."""
    return [f"seat-{number:05}" for number in range(first, first + count)]


def leases(store: Store) -> dict[str, Lease]:
    """The leases of seats that have a ticket; none where the store is gone. AssertionError if the store is damaged."""
    found = {}
    for row in _rows(store):
        url, ticket = row.get("url"), row.get("url") or row.get("stream_id")
        assert row["issued"] < row["expires"], row["seat"]
        assert not url or hashlib.sha256(url.encode()).hexdigest() == row["url_sha256"], row["seat"]
        assert row.get("delete_after", 0) in (0, row["expires"] + DAYS_KEPT * 24 * 60 * 60), row["seat"]
        if ticket:
            found[row["seat"]] = Lease(ticket, int(row["expires"]))
    return found


def existing(store: Store) -> dict[str, str]:
    """The ticket of each seat, as the store has it."""
    return {seat: lease.ticket for seat, lease in leases(store).items()}


def opens(simulator: Simulator, url: str, seat: str) -> bool:
    """Whether the URL opens that seat's session."""
    status, page = simulator.open(url)
    return status == 200 and seat in page


def several(tickets: Iterable[str | None]) -> int:
    """How many of the tickets are there once more."""
    given = list(tickets)
    return len(given) - len(set(given))


def _rows(store: Store) -> list[dict[str, Any]]:
    if isinstance(store, LeaseTable):
        return _items(store)
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


def _items(table: LeaseTable) -> list[dict[str, Any]]:
    plain = TypeDeserializer().deserialize
    try:
        items = table.items()
    except table.client.exceptions.ResourceNotFoundException:
        return []
    return [{name: plain(value) for name, value in item.items()} for item in items]


def _epoch(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())
