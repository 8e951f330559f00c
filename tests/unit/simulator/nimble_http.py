# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble by plain HTTP that botocore signs: no client and no description of the service, ours least of all."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.simulator.control import Simulator

STUDIO = "studio-1"
SESSIONS = f"/{STUDIO}/streaming-sessions"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def error(self) -> tuple[int, str | None]:
        """The HTTP status and the error's type."""
        return self.status, self.headers.get("x-amzn-errortype")


class Nimble:
    """Calls about ``STUDIO`` in one region by one caller, without retries.

    ``credentials`` are an access key, its secret and, for a role, the session token.
    """

    def __init__(
        self, simulator: Simulator, region: str = "us-east-1", credentials: tuple[str, ...] = ("A" * 20, "x" * 40)
    ) -> None:
        self._origin = simulator.endpoint_url
        self._auth = SigV4Auth(Credentials(*credentials), "nimble", region)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        signed: bool = True,
    ) -> Reply:
        """Send a request; ``path`` is below the API's root, ``body`` JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        url = f"{self._origin}/2020-08-01/studios{path}" + (f"?{urlencode(query)}" if query else "")
        content = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest(method, url, data=data, headers={**content, **(headers or {})})
        if signed:
            self._auth.add_auth(request)
        message = urllib.request.Request(url, data or None, dict(request.headers.items()), method=method)
        try:
            with urllib.request.urlopen(message, timeout=30) as reply:
                return _reply(reply.status, reply)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error)

    def get_studio(self, studio: str = STUDIO) -> Reply:
        return self.send("GET", f"/{studio}")

    def list_sessions(self, **query: str) -> Reply:
        return self.send("GET", SESSIONS, query=query)

    def get_session(self, session: str) -> Reply:
        return self.send("GET", f"{SESSIONS}/{quote(session, safe='')}")

    def start(self, session: str, token: str | None = None, **members: Any) -> Reply:
        return self.send("POST", f"{SESSIONS}/{session}/start", body=members, headers=_token(token))

    def create(self, session: str, token: str | None = None, **members: Any) -> Reply:
        return self.send("POST", f"{SESSIONS}/{session}/streams", body=members, headers=_token(token))

    def get(self, session: str, stream_id: str) -> Reply:
        return self.send("GET", f"{SESSIONS}/{session}/streams/{stream_id}")

    def url(self, session: str, **members: Any) -> str:
        """A new stream's URL."""
        stream_id = self.create(session, **members).body["stream"]["streamId"]
        return self.get(session, stream_id).body["stream"]["url"]


def _token(token: str | None) -> dict[str, str]:
    return {} if token is None else {"X-Amz-Client-Token": token}


def _reply(status: int, message: Any) -> Reply:
    headers = {name.lower(): value for name, value in message.headers.items()}
    text = message.read()
    return Reply(status, headers, json.loads(text) if text.startswith(b"{") else {"text": text.decode()})
