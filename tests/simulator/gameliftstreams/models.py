# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLift Streams on the simulator's clock and settings, with streaming URLs that open.

What the service's documentation leaves open is a guess that README.md lists.
"""

from __future__ import annotations

import math
import threading

from tests.simulator.moto.gameliftstreams.models import HOSTING, GameLiftStreamsBackend, StreamUrl
from tests.simulator.progress import Progress
from tests.simulator.settings import now, settings
from tests.simulator.streaming import Page, streaming_urls

# The settings that say how long a state lasts.
SECONDS = {
    ("location", "UPDATING"): "stream_group_updating_seconds",
    ("stream_group", "UPDATING_LOCATIONS"): "stream_group_updating_seconds",
    ("stream_session", "ACTIVATING"): "stream_session_activating_seconds",
    ("stream_session", "TERMINATING"): "stream_session_terminating_seconds",
    ("stream_url", "revokedAndTerminatingSessions"): "stream_session_terminating_seconds",
}
DEAD_URLS = {
    "REVOKED": "This stream URL has been revoked",
    "LIMIT_REACHED": "This stream URL has been used as often as it can be",
    "EXPIRED": "This stream URL has expired",
}


class Transition(Progress[str]):
    """In the place of moto's ManagedState."""

    status = Progress.value

    def advance(self) -> None:
        pass


class GameLiftStreams(GameLiftStreamsBackend):
    """Whoever calls a method holds ``lock``."""

    clock = staticmethod(now)

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()

    @property
    def client_token_window(self) -> float | None:
        return settings.client_token_window_seconds

    @property
    def default_page_size(self) -> int:
        return settings.page_size

    def transition(self, model: str, status: str, then: str | None = None) -> Transition:
        seconds = SECONDS.get((model, status))
        return Transition(status, then, getattr(settings, seconds) if seconds else 0)

    def issue_url(self, url: StreamUrl) -> str:
        """The URL has an expiry of its own, which a test may move."""
        return streaming_urls.issue(math.inf, lambda: self._open(url), path=f"/{url.id}/stream", parameter="token")

    def _open(self, url: StreamUrl) -> Page:
        """A browser opened the URL."""
        with self.lock:
            if url.id not in self.stream_urls:
                return Page(403, "This stream URL is not valid")
            if url.status in DEAD_URLS:
                return Page(403, DEAD_URLS[url.status])
            group = self.groups[url.group_id]
            if group.status not in HOSTING:
                return Page(503, f"Your stream session cannot start: the stream group is {group.status}")
            location = self.find_location(url)
            if location is None:
                return Page(503, "Your stream session cannot start: there is no capacity")
            session = self.start_session(url, location)
            facts = {
                "Session": session.id,
                "Application": url.application_arn.rpartition("/")[2],
                "Location": session.location,
            }
            return Page(200, "Your stream session is running", facts)
