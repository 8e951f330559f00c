# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streaming URLs: unguessable links that open a session's page in a browser until they expire.

A streaming URL is a password, so a page never shows it and nothing here writes it to a log.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from werkzeug.wrappers import Response

from tests.simulator.settings import now

PATH = "/authenticate"
PATHS = re.compile(r"/authenticate|/su-\w+/stream")
# Each service has a form of its own: the path, and the query parameter with the secret.
PATTERN = re.compile(r"https?://[^\s\"'/]+(?:/authenticate\?parameters|/[\w-]+/stream\?token)=[\w-]+")


@dataclass(frozen=True)
class Page:
    """What the browser shows: a message, and a table of facts about the session."""

    status: int
    title: str
    facts: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n"
            for name, value in self.facts.items()
            if value
        )
        title = html.escape(self.title)
        body = (
            f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title></head>\n'
            f"<body>\n<h1>{title}</h1>\n<table>\n{rows}</table>\n</body>\n</html>\n"
        )
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'",
            "Referrer-Policy": "no-referrer",
        }
        return Response(body, status=self.status, headers=headers, mimetype="text/html")


@dataclass(frozen=True)
class _Link:
    url: str
    expires: float
    open: Callable[[], Page]


class StreamingURLs:
    """All URLs issued since the last reset, of every service, account and region."""

    def __init__(self) -> None:
        self.origin = ""  # scheme, host and port of the server, once it has a port
        self._links: dict[str, _Link] = {}

    def issue(
        self, expires: float, open_session: Callable[[], Page], *, path: str = PATH, parameter: str = "parameters"
    ) -> str:
        """A new URL, good until ``expires`` (epoch seconds); ``open_session`` runs each time it is opened in time."""
        url = f"{self.origin}{path}?{parameter}={secrets.token_urlsafe(48)}"
        self._links[url] = _Link(url, expires, open_session)
        return url

    def open(self, path: str, query: str) -> Page:
        link = self._links.get(f"{self.origin}{path}?{query}")
        if link is None:
            return Page(403, "This streaming URL is not valid")
        if now() >= link.expires:
            return Page(403, "This streaming URL has expired")
        return link.open()

    def issued(self) -> list[str]:
        return [link.url for link in list(self._links.values())]

    def reset(self) -> None:
        self._links.clear()


streaming_urls = StreamingURLs()
