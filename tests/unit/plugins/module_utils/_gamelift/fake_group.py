# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of GameLift Streams without a network: the stream URLs of one stream group."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from tests.unit.plugins.module_utils._leases.fake_studio import UNLIMITED, Clock
from tests.unit.plugins.module_utils.support import after

GROUP = "sg-lab"
ACCOUNT_ARN = "arn:aws:gameliftstreams:eu-central-1:123456789012"
# What every URL has in it.
SECRET = "correct-horse-battery-staple"


@dataclass
class Issued:
    """A stream URL and how it ended, if it was ended."""

    request: dict[str, Any]
    at: float
    remaining: int
    ended: tuple[str, str | None] | None = None
    is_removed: bool = False
    sessions: list[str] = field(default_factory=list)
    token: str | None = None


class FakeGroup:
    """The same token gives the original reply for ``window`` seconds; with other parameters, it is a conflict.

    Denied operations are in ``denied``, and ``calls`` has the operations that were called.
    """

    def __init__(self, clock: Clock, *, window: float = UNLIMITED) -> None:
        self.clock, self.window = clock, window
        self.issued: dict[str, Issued] = {}
        self.denied: set[str] = set()
        self.calls: list[str] = []
        self._by_token: dict[str, tuple[float, dict[str, Any], dict[str, Any]]] = {}
        self._lock = threading.Lock()

    # What happens to stream URLs

    @property
    def active(self) -> list[str]:
        """The ids of those that can start sessions."""
        return [stream_url_id for stream_url_id in self.issued if self._status(stream_url_id)[0] == "ACTIVE"]

    def end(self, stream_url_id: str, status: str | None, reason: str | None = None) -> None:
        """Let it be in this status from now on; without a status it is gone."""
        issued = self.issued[stream_url_id]
        issued.is_removed = status is None
        issued.ended = (status, reason) if status else None

    def open(self, stream_url_id: str) -> None:
        """Take a use of it, if it has one, and start a session."""
        issued = self.issued[stream_url_id]
        if self._status(stream_url_id)[0] == "ACTIVE":
            issued.remaining -= 1
            issued.sessions.append("CONNECTED")

    def add(self, description: str, *, minutes: int = 60, age: float = 0, **request: Any) -> str:
        """Create one without a token, as somebody else would, so many seconds ago."""
        known = dict(
            Identifier=GROUP,
            ApplicationIdentifier="a-lab",
            Locations=["eu-central-1"],
            UsageLimit=5,
            SessionLengthSeconds=minutes * 60,
            UrlExpiresAfterMinutes=minutes,
            Description=description,
        )
        stream_url_id = f"su-{len(self.issued) + 1}"
        request = {**known, **request}
        self.issued[stream_url_id] = Issued(request, self.clock.passed - age, request["UsageLimit"])
        return stream_url_id

    # The client

    def create_stream_url(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            self._begin("CreateStreamUrl")
            token = request.pop("ClientToken")
            used_at, before, reply = self._by_token.get(token, (-math.inf, {}, {}))
            if self.clock.passed - used_at < self.window:
                if before != request:
                    raise build_error("ConflictException", "CreateStreamUrl", "The token has other parameters.")
                return reply
            stream_url_id = self.add(**{"description": request["Description"], **_without_description(request)})
            self.issued[stream_url_id].token = token
            reply = self._describe(stream_url_id)
            self._by_token[token] = self.clock.passed, request, reply
            return reply

    def get_stream_url(self, Identifier: str, StreamUrlIdentifier: str) -> dict[str, Any]:
        with self._lock:
            self._begin("GetStreamUrl")
            issued = self._get(StreamUrlIdentifier, "GetStreamUrl")
            return {**self._describe(StreamUrlIdentifier), "StreamSessions": [{"Status": s} for s in issued.sessions]}

    def revoke_stream_url(self, Identifier: str, StreamUrlIdentifier: str, RevocationMode: str) -> dict[str, Any]:
        with self._lock:
            self._begin("RevokeStreamUrl")
            issued = self._get(StreamUrlIdentifier, "RevokeStreamUrl")
            if RevocationMode == "REVOKE_AND_TERMINATE_SESSIONS":
                issued.sessions = ["TERMINATED" for _session in issued.sessions]
                issued.ended = ("REVOKED", "revokedAndSessionsTerminated")
            else:
                issued.ended = issued.ended or ("REVOKED", "userRevoked")
            return {}

    def list_stream_urls(self, status: str | None) -> dict[str, Any]:
        with self._lock:
            self._begin("ListStreamUrls")
            described = [self._describe(each) for each, issued in self.issued.items() if not issued.is_removed]
            items = [
                {name: value for name, value in each.items() if name not in ("Locations", "DisplayConfiguration")}
                for each in described
            ]
            return {"Items": [item for item in items if status in (None, item["Status"])]}

    def get_paginator(self, operation: str) -> Paginator:
        assert operation == "list_stream_urls"
        return Paginator(self.list_stream_urls)

    def _begin(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.denied:
            raise build_error("AccessDeniedException", operation, "No.")

    def _get(self, stream_url_id: str, operation: str) -> Issued:
        issued = self.issued.get(stream_url_id)
        if issued is None or issued.is_removed:
            raise build_error("ResourceNotFoundException", operation, "There is none.")
        return issued

    def _status(self, stream_url_id: str) -> tuple[str | None, str | None]:
        issued = self.issued[stream_url_id]
        if issued.is_removed:
            return None, None
        if issued.ended:
            return issued.ended
        if self.clock.passed - issued.at >= issued.request["UrlExpiresAfterMinutes"] * 60:
            return "EXPIRED", None
        return ("LIMIT_REACHED" if issued.remaining <= 0 else "ACTIVE"), None

    def _describe(self, stream_url_id: str) -> dict[str, Any]:
        issued = self.issued[stream_url_id]
        request, created_at = issued.request, after(int(issued.at))
        status, reason = self._status(stream_url_id)
        kept = (
            "Locations",
            "AdditionalLaunchArgs",
            "AdditionalEnvironmentVariables",
            "RoleArn",
            "DisplayConfiguration",
        )
        return {
            "Arn": f"{ACCOUNT_ARN}:streamurl/{GROUP}/{stream_url_id}",
            "StreamUrlId": stream_url_id,
            "StreamUrl": f"https://gameliftstreams.example.org/{stream_url_id}/stream?token={SECRET}-{stream_url_id}",
            "Status": status,
            **({"StatusReason": reason} if reason else {}),
            "CreatedAt": created_at,
            "ExpiresAt": created_at + timedelta(minutes=request["UrlExpiresAfterMinutes"]),
            "UsageLimit": request["UsageLimit"],
            "RemainingUses": issued.remaining,
            "SessionLengthSeconds": request["SessionLengthSeconds"],
            "Description": request["Description"],
            "ApplicationArn": f"{ACCOUNT_ARN}:application/{request['ApplicationIdentifier']}",
            **{name: request[name] for name in kept if name in request},
        }


class Paginator:
    """A paginator of botocore, and what its ``paginate`` returns."""

    def __init__(self, list_: Callable[[str | None], dict[str, Any]], status: str | None = None) -> None:
        self._list, self._status = list_, status

    def paginate(self, *, StreamGroupIdentifier: str, PaginationConfig: Any, Status: str | None = None) -> Paginator:
        assert StreamGroupIdentifier == GROUP
        return Paginator(self._list, Status)

    def build_full_result(self) -> dict[str, Any]:
        return self._list(self._status)


def build_error(code: str, operation: str, message: str) -> ClientError:
    """The error of botocore for a rejected call."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _without_description(request: dict[str, Any]) -> dict[str, Any]:
    minutes = request["UrlExpiresAfterMinutes"]
    return {"minutes": minutes, **{name: value for name, value in request.items() if name != "Description"}}
