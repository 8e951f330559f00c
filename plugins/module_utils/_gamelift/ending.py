# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Revoking the stream URLs of leases that are released, and those that the lease store does not know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from .._failures import Failure
from .._labs.learners import MAX_GENERATION
from .._leases.lease import Lease, LeaseKey, to_sha256
from .._leases.module import LeaseTask
from .._leases.stores.base import LeaseStore
from .descriptions import build_description, is_like_one_of, parse_lab
from .errors import AnsibleGameLiftStreamsError
from .listing import Listing
from .states import ACTIVE, ENDED_SESSION, REVOKED, StreamUrl
from .urls import MAX_GENERATIONS_SEARCHED, UrlSettings, may_use
from .validation import MAX_SESSION_LENGTH


def add_generations(task: LeaseTask, settings: UrlSettings, listing: Listing | None) -> LeaseTask:
    """Return a task that is also for the other generations of its learners, as far as anything is known of them.

    How often a link was replaced is not known if the lease store was lost. Then the first generations are searched.

    Args:
        task: A task that releases the leases of its rows.
        settings: What the stream URLs were created with.
        listing: The stream URLs of the stream group; None if it was deleted.

    Raises:
        AnsibleGameLiftStreamsError: The stream URLs cannot be listed, and not for lack of the permission.
        LeaseStoreError: The store failed.
    """
    if listing:
        listing.load()
    known: set[LeaseKey] = set()
    generations = {*range(MAX_GENERATIONS_SEARCHED), *(row.generation for row in task.given)}
    if task.scope:
        known.update(task.store.find(task.scope, include_old=task.module.params["purge"]), task.find_labs_of_leases())
    purposes = [settings.build_purpose(generation) for generation in range(MAX_GENERATION + 1)]
    hashes = {key.purpose_sha256 for key in known}
    generations.update(number for number, purpose in enumerate(purposes) if to_sha256(purpose) in hashes)
    given, more = set(task.rows), []
    for row in task.given:
        for generation in sorted(generations):
            key = LeaseKey.build(task.scope, row.holder, purposes[generation])
            if key not in given and (key in known or (listing and listing.find([build_description(task.lab, key)]))):
                more.append(replace(row, purpose=purposes[generation], generation=generation))
    return replace(task, given=[*task.given, *more])


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

    def __post_init__(self) -> None:
        # The ids of those that were looked at, whether they had to be revoked or not.
        self._seen: set[str] = set()

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
        self._run([(key, partial(self._end, key, by_key.get(key), labs.get(key, ()))) for key in sorted(keys)])
        return [lease for lease in leases if lease.key not in self.failures]

    def end_earlier(self, store: LeaseStore, keys: Collection[LeaseKey], *, searches: bool) -> None:
        """Revoke the stream URLs of the leases that are stored for these keys, and release these leases.

        Args:
            store: The lease store.
            keys: The keys.
            searches: Whether to revoke those that nothing is stored about too.

        Raises:
            AnsibleGameLiftStreamsError: The stream URLs cannot be listed, and not for lack of the permission.
            LeaseStoreError: The store failed.
        """
        stored = [lease for lease in store.read(keys).values() if lease.released_at is None] if keys else []
        listed = {key for key in keys if searches and self.listing.find([build_description(self.lab, key)])}
        if stored:
            store.check("release")
        if stored or listed:
            ended = self.end(listed | {lease.key for lease in stored}, stored)
            if stored and not self.listing.predicts:
                store.release(ended)

    def end_unused(self, store: LeaseStore, keys: Iterable[LeaseKey], used: Collection[LeaseKey]) -> None:
        """Revoke the stream URLs that were created for these keys in the lab and that no lease uses.

        Another lab may need the leases of the keys, with other stream URLs, if the lease store was lost in between. It
        may begin to use what was created in this lab only if this lab has used the lease, and nothing is stored of it.

        Args:
            store: The lease store.
            keys: The keys.
            used: The keys of the leases that the lab has used.

        Raises:
            AnsibleGameLiftStreamsError: The stream URLs cannot be listed, and not for lack of the permission.
            LeaseStoreError: The store failed.
        """
        found = [
            (key, stream_url)
            for key in sorted(keys)
            if key not in self.failures
            for stream_url in self.listing.find([build_description(self.lab, key)])
            if stream_url.stream_url_id not in self._seen
        ]
        stored = store.read({key for key, _stream_url in found}) if found else {}

        def is_unused(key: LeaseKey, stream_url: StreamUrl) -> bool:
            lease = stored.get(key)
            # A lab that begins at the same time may use the stream URL of a lease that was released meanwhile.
            is_settled = key not in used or (lease is not None and lease.released_at is None)
            return is_settled and not may_use(lease, stream_url.stream_url_id)

        unused = [each for each in found if is_unused(*each)]
        self._run([(key, partial(self._end_known, stream_url)) for key, stream_url in unused])

    def end_all(self, keys: Mapping[str, LeaseKey]) -> None:
        """Revoke the stream URLs of these ids, each of a key. One that cannot be revoked is a failure of its key."""
        self._run([(key, partial(self._revoke, stream_url_id)) for stream_url_id, key in keys.items()])

    def find_unknown(self, lab: str, known: Collection[str | None], needed: Iterable[LeaseKey]) -> list[str]:
        """Return the ids of the stream URLs that seem to belong to the lab, and would end with it, but are not known.

        Args:
            lab: The lab.
            known: The ids of the stream URLs of the leases that are stored.
            needed: The keys of the leases that both the lab has used and others need: what was created for them in the
                lab ends with those.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
        """
        elsewhere = {build_description(lab, key) for key in needed}
        return sorted(
            stream_url_id
            for stream_url_id, stream_url in self.listing.load().items()
            if is_like_one_of(lab, stream_url.description)
            and stream_url.description not in elsewhere
            and stream_url_id not in known
            and self._is_unknown(stream_url)
            and self._is_to_end(stream_url)
        )

    def find_of_labs(self, keys: Collection[LeaseKey]) -> dict[str, str]:
        """Return the labs in which stream URLs of these keys were created that would end too, but were not known.

        Labs are found whose names are in descriptions as they are: short ones of letters and digits.

        Args:
            keys: The keys.

        Returns:
            The labs, by the ids of the stream URLs.

        Raises:
            AnsibleGameLiftStreamsError: A call failed.
        """
        listed = {each.stream_url_id: each for each in self.listing.load().values() if self._is_unknown(each)}
        labs = {parse_lab(each.description) for each in listed.values()} - {None}
        descriptions = {build_description(lab, key): lab for lab in labs for key in keys}
        found = {id_: descriptions.get(each.description or "") for id_, each in listed.items()}
        return {id_: lab for id_, lab in found.items() if lab and self._is_to_end(listed[id_])}

    def _is_unknown(self, stream_url: StreamUrl) -> bool:
        """Return whether a stream URL was not looked at, and is not over for good."""
        return stream_url.stream_url_id not in self._seen and stream_url.status != REVOKED

    def _run(self, steps: Iterable[tuple[LeaseKey, Callable[[], None]]]) -> None:
        """Run these steps at the same time; one that fails is a failure of its key."""

        def run(key: LeaseKey, step: Callable[[], None]) -> None:
            try:
                step()
            except Exception as e:
                self.failures[key] = Failure.from_error(e)

        with ThreadPoolExecutor(max_workers=self.concurrency) as executor:
            list(executor.map(lambda each: run(*each), steps))

    def _end(self, key: LeaseKey, lease: Lease | None, labs: Iterable[str | None]) -> None:
        descriptions = [build_description(lab, key) for lab in (self.lab, *labs)]
        found = {each.stream_url_id: each for each in self.listing.find(descriptions)}
        if lease and lease.resource_id and lease.resource_id not in found:
            self._end_stored(lease.resource_id, lease)
        for stream_url in found.values():
            self._end_known(stream_url)

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
        self._seen.add(stream_url.stream_url_id)
        if self._is_to_end(stream_url):
            self._revoke(stream_url.stream_url_id)

    def _is_to_end(self, stream_url: StreamUrl) -> bool:
        return stream_url.status == ACTIVE or (self.terminate_sessions and self._has_sessions(stream_url))

    def _has_sessions(self, stream_url: StreamUrl) -> bool:
        """Return whether a stream URL has sessions that run."""
        longest = timedelta(seconds=stream_url.session_length or MAX_SESSION_LENGTH)
        if stream_url.sessions == 0 or stream_url.expires_at + longest < self.now():
            return False
        known = stream_url if stream_url.stream_sessions is not None else self.listing.get(stream_url.stream_url_id)
        return any(each.get("Status") not in ENDED_SESSION for each in (known.stream_sessions or () if known else ()))

    def _revoke(self, stream_url_id: str) -> None:
        self.listing.revoke(stream_url_id, self.terminate_sessions)
