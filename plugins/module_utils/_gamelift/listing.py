# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The stream URLs of a stream group, listed once for a whole task."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from .api import get_stream_url, list_stream_urls, revoke_stream_url
from .errors import AnsibleGameLiftStreamsError
from .states import StreamUrl


class Listing:
    """The stream URLs of a stream group, which are listed when they are asked for the first time. Threads may share it.

    Args:
        client: A client of GameLift Streams.
        stream_group: The id of the stream group.
        status: The status of those that are listed; None for all.
        predicts: Whether none is revoked, as in check mode.

    Attributes:
        denial: Why they cannot be listed, if the credentials lack the permission. Then none are found.
        revoked: The ids of those that were revoked, or would be.
    """

    def __init__(self, client: Any, stream_group: str, status: str | None, *, predicts: bool = False) -> None:
        self.client, self.stream_group, self._status, self.predicts = client, stream_group, status, predicts
        self.denial: AnsibleGameLiftStreamsError | None = None
        self.revoked: list[str] = []
        self._lock = threading.Lock()
        self._by_id: dict[str, StreamUrl] | None = None
        self._by_description: dict[str, list[StreamUrl]] = defaultdict(list)

    @property
    def is_loaded(self) -> bool:
        """Whether they were listed."""
        return self._by_id is not None

    def load(self) -> Mapping[str, StreamUrl]:
        """Return the stream URLs by their ids.

        Raises:
            AnsibleGameLiftStreamsError: The call failed, and not for lack of the permission.
        """
        with self._lock:
            if self._by_id is None and self.denial is None:
                try:
                    listed = list_stream_urls(self.client, self.stream_group, self._status)
                except AnsibleGameLiftStreamsError as e:
                    if not e.is_denied:
                        raise
                    self.denial = e
                else:
                    for stream_url in listed:
                        self._by_description[stream_url.description or ""].append(stream_url)
                    self._by_id = {stream_url.stream_url_id: stream_url for stream_url in listed}
            return self._by_id or {}

    def find(self, descriptions: Iterable[str]) -> list[StreamUrl]:
        """Return those with one of these descriptions, the newest first.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
        """
        self.load()
        found = [each for description in set(descriptions) for each in self._by_description.get(description, ())]
        return sorted(found, key=lambda each: (each.created_at or each.expires_at, each.stream_url_id), reverse=True)

    def get(self, stream_url_id: str) -> StreamUrl | None:
        """Return a stream URL, with its sessions, as it is now; None if it does not exist.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
        """
        return get_stream_url(self.client, self.stream_group, stream_url_id)

    def revoke(self, stream_url_id: str, terminate_sessions: bool) -> None:
        """Revoke a stream URL, if that was not done yet.

        Raises:
            AnsibleGameLiftStreamsError: The call failed.
        """
        if stream_url_id in self.revoked:
            return
        if self.predicts or revoke_stream_url(
            self.client, self.stream_group, stream_url_id, terminate_sessions=terminate_sessions
        ):
            self.revoked.append(stream_url_id)
