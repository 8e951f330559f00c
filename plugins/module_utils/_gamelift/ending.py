# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Revoking the stream URLs of leases that are released, and those that the lease store does not know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from .._failures import Failure
from .._leases.lease import Lease, LeaseKey
from .._leases.stores.base import LeaseStore
from .descriptions import build_description, build_prefix
from .errors import AnsibleGameLiftStreamsError
from .listing import Listing
from .states import ACTIVE, StreamUrl

# A session in one of these has ended, or will soon.
_ENDED = {"TERMINATING", "TERMINATED", "ERROR"}


@dataclass
class UrlEnder:
    """Revokes the stream URLs of leases: ``end`` is what releasing takes for it.

    Attributes:
        listing: The stream URLs of the stream group; of any status if sessions are terminated, since those of one that
            is EXPIRED, say, may still run.
        terminate_sessions: Whether the sessions that they started are ended too.
        lab: A lab in which they may have been created; None for a run without a lab.
        find_labs: Returns the other labs in which those of a key may have been created.
        now: The service's clock.
        concurrency: How many calls to make at the same time.
        failures: The keys for which that failed.
    """

    listing: Listing
    terminate_sessions: bool
    lab: str | None
    find_labs: Callable[[], Mapping[LeaseKey, Iterable[str | None]]]
    now: Callable[[], datetime]
    concurrency: int
    failures: dict[LeaseKey, Failure] = field(default_factory=dict)

    def end(self, keys: Collection[LeaseKey], leases: Sequence[Lease]) -> Sequence[Lease]:
        """Revoke the stream URLs of these keys. Return the leases for which that did not fail."""
        if not keys:
            return leases
        try:
            self.listing.load()
        except AnsibleGameLiftStreamsError as e:
            self.failures.update(dict.fromkeys(sorted(keys), Failure.from_error(e)))
            return []
        by_key, labs = {lease.key: lease for lease in leases}, self.find_labs()
        with ThreadPoolExecutor(max_workers=self.concurrency) as executor:
            list(executor.map(lambda key: self._end(key, by_key.get(key), labs.get(key, ())), sorted(keys)))
        return [lease for lease in leases if lease.key not in self.failures]

    def end_earlier(self, store: LeaseStore, keys: Collection[LeaseKey]) -> None:
        """Revoke the stream URLs of the leases that are stored for these keys, and release these leases.

        Raises:
            LeaseStoreError: The store failed.
        """
        stored = [lease for lease in store.read(keys).values() if lease.released_at is None] if keys else []
        if stored:
            store.check("release")
            ended = self.end({lease.key for lease in stored}, stored)
            if not self.listing.predicts:
                store.release(ended)

    def end_all(self, stream_url_ids: Iterable[str]) -> None:
        """Revoke these stream URLs.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
        """
        with ThreadPoolExecutor(max_workers=self.concurrency) as executor:
            list(executor.map(self._revoke, stream_url_ids))

    def count_unknown(self, lab: str, known: Collection[str | None]) -> int:
        """Return how many stream URLs seem to be of the lab, and are ACTIVE, but are none of those that are known."""
        prefix = build_prefix(lab)
        return sum(
            stream_url.status == ACTIVE and (stream_url.description or "").startswith(prefix)
            for stream_url_id, stream_url in self.listing.load().items()
            if stream_url_id not in known and stream_url_id not in self.listing.revoked
        )

    def _end(self, key: LeaseKey, lease: Lease | None, labs: Iterable[str | None]) -> None:
        try:
            descriptions = [build_description(lab, key) for lab in (self.lab, *labs)]
            found = {each.stream_url_id: each for each in self.listing.find(descriptions)}
            if lease and lease.resource_id and lease.resource_id not in found:
                self._end_stored(lease.resource_id, lease)
            for stream_url in found.values():
                self._end_known(stream_url)
        except Exception as e:
            self.failures[key] = Failure.from_error(e)

    def _end_stored(self, stream_url_id: str, lease: Lease) -> None:
        """Revoke the stream URL of a lease that is not found by its description, such as that of another lab.

        That of a lease which is released was revoked, unless the run that released it was interrupted.
        """
        is_released = lease.released_at is not None
        if self.listing.denial and not is_released:
            if self.terminate_sessions or lease.is_valid_at(self.now()):
                self._revoke(stream_url_id)
            return
        stream_url = self.listing.load().get(stream_url_id)
        if stream_url is None and not (is_released and self.listing.is_loaded):
            stream_url = self.listing.get(stream_url_id)
        if stream_url:
            self._end_known(stream_url)

    def _end_known(self, stream_url: StreamUrl) -> None:
        if stream_url.status == ACTIVE or (self.terminate_sessions and self._has_sessions(stream_url)):
            self._revoke(stream_url.stream_url_id)

    def _has_sessions(self, stream_url: StreamUrl) -> bool:
        """Return whether a stream URL has sessions that run."""
        if stream_url.sessions == 0:
            return False
        known = stream_url if stream_url.stream_sessions is not None else self.listing.get(stream_url.stream_url_id)
        return any(each.get("Status") not in _ENDED for each in (known.stream_sessions or () if known else ()))

    def _revoke(self, stream_url_id: str) -> None:
        self.listing.revoke(stream_url_id, self.terminate_sessions)
