# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Stream URLs as information about them shows them: with their learners, and the sessions that they started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from .._leases.lab_records import LabRecord
from .._leases.lease import LeaseKey
from .._time import to_iso8601
from .api import get_stream_url
from .descriptions import build_description, is_like_one_of
from .states import ACTIVE, StreamUrl
from .validation import get_id

# The statuses of a session that has ended.
_ENDED = ("TERMINATED", "ERROR")

NO_SUMMARY: dict[str, Any] = dict(found=0, statuses={}, sessions=0)


@dataclass(frozen=True)
class Owner:
    """The learner that a stream URL belongs to, its lease, the labs that use or used that, and those that need it."""

    learner_id: str
    lease: LeaseKey
    labs: Collection[str]
    active_labs: Collection[str]


class Owners:
    """The learners that stream URLs belong to, as far as the lease store knows.

    A lease has the id of its latest stream URL. Those before it are found by the descriptions that stream URLs of this
    lease get.

    Args:
        resource_ids: The ids of the latest stream URLs, by the keys of their leases.
        records: The records of labs.
        now: The service's time.
    """

    def __init__(
        self, resource_ids: Mapping[LeaseKey, str | None], records: Iterable[LabRecord], now: datetime
    ) -> None:
        by_lease: dict[LeaseKey, list[LabRecord]] = {key: [] for key in resource_ids}
        for record in records:
            by_lease.setdefault(record.lease, []).append(record)
        self._by_id: dict[str, Owner] = {}
        self._by_description: dict[str, Owner] = {}
        for key, uses in by_lease.items():
            labs = sorted({use.lab for use in uses})
            active_labs = sorted({use.lab for use in uses if use.is_ahead(now)})
            owner = Owner(next((use.learner_id for use in uses), key.holder), key, labs, active_labs)
            self._by_description.update({build_description(lab, key): owner for lab in (None, *labs)})
            resource_id = resource_ids.get(key)
            if resource_id:
                self._by_id[resource_id] = owner

    def find(self, stream_url: StreamUrl) -> Owner | None:
        """Return the owner of the stream URL; None if it is not known."""
        return self._by_id.get(stream_url.stream_url_id) or self._by_description.get(stream_url.description or "")


def find_unknown(stream_urls: Iterable[StreamUrl], owners: Owners, lab: str | None) -> list[str]:
    """Return the ids of those that are ACTIVE and seem to belong to the lab, but have no owner."""
    return [
        each.stream_url_id
        for each in stream_urls
        if lab and each.status == ACTIVE and is_like_one_of(lab, each.description) and owners.find(each) is None
    ]


def find_stream_urls(
    client: Any, stream_group: str, stream_url_ids: Sequence[str], concurrency: int
) -> list[StreamUrl | None]:
    """Return the stream URLs with their sessions in the requested order, None for each that does not exist.

    Raises:
        AnsibleGameLiftStreamsError: A call failed.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(get_stream_url, client, stream_group), stream_url_ids))


def add_sessions(client: Any, stream_group: str, stream_urls: Sequence[StreamUrl], concurrency: int) -> list[StreamUrl]:
    """Return the stream URLs as they are now, with their sessions. Those that have started none are not looked up.

    Raises:
        AnsibleGameLiftStreamsError: A call failed.
    """
    used = [each.stream_url_id for each in stream_urls if each.sessions != 0]
    found = find_stream_urls(client, stream_group, used, concurrency)
    described = {each.stream_url_id: each for each in found if each}
    return [described.get(each.stream_url_id, each) for each in stream_urls]


def build_facts(stream_url: StreamUrl, owner: Owner | None, return_url: bool) -> dict[str, Any]:
    """Return a stream URL as results show it."""
    return {
        "id": owner and owner.learner_id,
        "labs": list(owner.labs) if owner else [],
        "active_labs": list(owner.active_labs) if owner else [],
        "lease": owner and owner.lease.to_text(),
        "stream_url_id": stream_url.stream_url_id,
        "stream_url": stream_url.url if return_url else None,
        "status": stream_url.status,
        "status_reason": stream_url.status_reason,
        "created_at": stream_url.created_at and to_iso8601(stream_url.created_at),
        "expires": to_iso8601(stream_url.expires_at),
        "usage_limit": stream_url.usage_limit,
        "remaining_uses": stream_url.remaining_uses,
        "sessions": stream_url.sessions,
        "stream_sessions": [_build_session(each) for each in stream_url.stream_sessions or ()],
        "session_length": stream_url.session_length,
        "description": stream_url.description,
        "application_arn": stream_url.application_arn,
    }


def _build_session(session: Mapping[str, Any]) -> dict[str, Any]:
    started, updated, status = session.get("CreatedAt"), session.get("LastUpdatedAt"), session.get("Status")
    return {
        "stream_session_id": get_id(session.get("Arn") or "") or None,
        "status": status,
        "status_reason": session.get("StatusReason"),
        "location": session.get("Location"),
        "started_at": started and to_iso8601(started),
        "ended_at": to_iso8601(updated) if updated and status in _ENDED else None,
    }


def build_summary(stream_urls: Sequence[StreamUrl]) -> dict[str, Any]:
    """Return the stream URLs in numbers."""
    return dict(
        found=len(stream_urls),
        statuses=dict(sorted(Counter(each.status for each in stream_urls).items())),
        sessions=sum(each.sessions or 0 for each in stream_urls),
    )
