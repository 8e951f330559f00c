# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Token, then create: for services that create a resource for a token and describe it by its id at any time.

Before a resource is created, a pending lease is stored: a random token. Whoever finds a pending lease that has not
expired creates with its token, and the service then returns the same resource. So a run that was killed before it could
store its resource, or that runs beside another, creates no second one. Knows neither AWS nor Ansible.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from .._errors import LabstreamError, LeaseConflict, NotReady
from .._time import to_iso8601
from .lease import Lease, LeaseKey, ResourceGrant
from .reuse import ReusePolicy
from .scheduler import Call, Outcome, Poll, Steps, never, run_concurrently
from .stores.base import LeaseStore, Replace, Write
from .url_issuer import conflict

_Result = TypeVar("_Result")
_Step = Generator[Any, Any, _Result]

# How often a run may find that another was faster, and continue with what that has stored.
MAX_ATTEMPTS = 6

# For this long, a service is relied upon to remember a token. If it lists its resources, these are searched before an
# older token is used.
TOKEN_MEMORY = timedelta(minutes=10)

# Longer than any run: the call that creates may have to wait for those of the whole lab, for the rate limiter and for
# retries. A resource that comes of an old token and is no longer good enough is replaced.
PENDING_LIFETIME = timedelta(days=1)


class Resource(Protocol):
    """A resource as the service describes it."""

    @property
    def resource_id(self) -> str:
        """Its id."""

    @property
    def expires_at(self) -> datetime | None:
        """When it expires; None if the service does not say."""

    @property
    def is_in_progress(self) -> bool:
        """Whether it may become ready."""

    @property
    def is_dead(self) -> bool:
        """Whether it neither is ready nor will be."""

    @property
    def status(self) -> str:
        """Its state, for messages."""


class ResourceService(Protocol):
    """The service that creates. It is called in worker threads; every method raises LabstreamError."""

    @property
    def token_error_code(self) -> str:
        """The code of the error of a token that was used before with other parameters, and so fails every time."""

    def create(self, pending: Lease) -> Resource:
        """Return a resource for this token: a new one, or the one that the service has already created for it."""

    def look_up(self, key: LeaseKey, resource_id: str) -> Resource | None:
        """Return the resource, or None."""

    def check(self, key: LeaseKey) -> None:
        """Raise NotReady if no resource could be created now."""

    def describe(self, key: LeaseKey, resource_id: str) -> str:
        """Return the name of a resource at the begin of a message."""


class Directory(Protocol):
    """What a service can do that lists its resources, and ends them.

    Such a service replies to a token that was used before as it did then, so the resource is looked up after that. It
    is called in worker threads, but ``prefetch`` and ``learn`` in the main thread; every method raises LabstreamError.
    """

    @property
    def recovers(self) -> bool:
        """Whether to search for the resources of keys that nothing is stored of."""

    def prefetch(self, resource_ids: Collection[str], released_ids: Collection[str]) -> None:
        """Prepare to look up these resources, and to end those that were released if that was interrupted."""

    def learn(self, key: LeaseKey) -> bool:
        """Return whether to create for a token again after the error that it was used with other parameters.

        That is so if it is only known by now who may have used it.
        """

    def find(self, key: LeaseKey) -> Resource | None:
        """Return the resource of this key that is to be reused, although the store does not know it."""

    def end(self, key: LeaseKey, resource_id: str) -> None:
        """End a resource that is replaced."""

    def end_found(self, key: LeaseKey) -> None:
        """End all resources of this key, also those that the store does not know."""


@dataclass(frozen=True)
class ResourceIssuer:
    """How one run gets resources.

    Attributes:
        store: The lease store.
        service: The service.
        now: The service's clock.
        policy: Which leases are reused; has the validity that is asked for.
        concurrency: How many calls to make at the same time.
        wait: Whether to poll a resource until it is ready.
        wait_timeout: For how many seconds.
        client_token: The token to use instead of a random one.
        force: Create even where a lease is reusable.
        is_canceled: Says, between two calls, whether to create no more.
        directory: The service's resources, if it lists them. Then no resource outlives the one that replaces it.
    """

    store: LeaseStore
    service: ResourceService
    now: Callable[[], datetime]
    policy: ReusePolicy
    concurrency: int
    wait: bool = True
    wait_timeout: float = 150
    client_token: str | None = None
    force: bool = False
    is_canceled: Callable[[], bool] = never
    directory: Directory | None = None

    def run(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Get every key a resource: that of a reusable lease which the service confirms, otherwise a new one.

        Args and returns: As UrlIssuer.run. An outcome has the resource, where one is known, also if it failed.

        Raises:
            LeaseStoreError: The store cannot be written, as it must be also where a lease's resource is found dead.
        """
        self.store.check()
        if self.directory:
            now, leases = self.now(), existing.values()
            reusable = [lease for lease in leases if not self.force and self.policy.accepts(lease, now)]
            released = [lease for lease in leases if lease.released_at and lease.resource_id and lease.expires > now]
            self.directory.prefetch(_get_resource_ids(reusable), _get_resource_ids(released))
        steps = {key: _Run(self, key, existing.get(key)).steps(check_mode) for key in keys}
        outcomes = self._run_concurrently(steps, existing)
        if self.force and self.directory and not check_mode:
            to_verify = {key: self._verify(each) for key, each in outcomes.items() if each.lease}
            outcomes |= self._run_concurrently(to_verify, existing)
        return [outcomes[key] for key in keys]

    def _run_concurrently(
        self, steps: Mapping[LeaseKey, Steps], existing: Mapping[LeaseKey, Lease]
    ) -> dict[LeaseKey, Outcome]:
        return run_concurrently(
            steps, existing, store=self.store, concurrency=self.concurrency, is_canceled=self.is_canceled
        )

    def _verify(self, outcome: Outcome) -> Steps:
        """Make the outcome a failure if another run with force has ended its resource since it was created."""
        resource_id = str(outcome.lease and outcome.lease.resource_id)
        resource: Resource | None = yield Call(partial(self.service.look_up, outcome.key, resource_id))
        if resource and not resource.is_dead:
            return replace(outcome, resource=resource)
        error = _replaced(self.service.describe(outcome.key, resource_id))
        return replace(outcome, resource=resource).failed(error)


def _replaced(name: str) -> LeaseConflict:
    """Return the error of a resource that another run with force has ended."""
    return LeaseConflict(
        f"{name} was replaced by another run with force at the same time: run again without force, which returns the "
        "one that is stored."
    )


def _get_resource_ids(leases: Iterable[Lease]) -> list[str]:
    return [str(lease.resource_id) for lease in leases]


class _Run:
    """The steps of one key to its resource.

    ``record`` is what the store has, as far as this run knows. ``has_begun`` says that this run has stored a pending
    lease of its own, as it does at most once; ``is_own`` that the record is that one, or the lease of its resource;
    ``has_issued`` that a resource was created which no other run has stored; ``has_searched`` that the directory has
    none for a key without a record; ``reason`` why the existing lease is not reused, if its resource is not as asked.
    """

    def __init__(self, issuer: ResourceIssuer, key: LeaseKey, existing: Lease | None) -> None:
        self._issuer = issuer
        self._key = key
        self._existing = existing
        self._record = existing
        self._has_begun = False
        self._is_own = False
        self._has_issued = False
        self._has_searched = False
        self._reason: str | None = None
        self._resource: Resource | None = None

    def steps(self, check_mode: bool) -> Steps:
        try:
            outcome = yield from self._steps(check_mode)
        except Exception as e:
            outcome = Outcome(self._key, self._existing, issued=self._has_issued, resource=self._resource).failed(e)
        return replace(outcome, reason=self._reason)

    def _steps(self, check_mode: bool) -> Steps:
        service, begin = self._issuer.service, self._issuer.force
        for _attempt in range(MAX_ATTEMPTS):
            record = None if begin else self._usable_record()
            if self._is_to_recover(begin):
                outcome = yield from self._recover(check_mode)
                if outcome:
                    return outcome
                continue
            if check_mode and (record is None or record.is_pending):
                return (yield from self._predict(record))
            if record is None:
                if self._has_begun:
                    break
                yield from self._begin()
                begin = self._issuer.force and not self._is_own
                continue
            if record.is_pending:
                try:
                    lease, issued = yield from self._create(record)
                except LabstreamError as e:
                    if e.code != service.token_error_code:
                        raise
                    if self._issuer.directory and self._issuer.directory.learn(self._key):
                        continue
                    # Such a lease comes of a client_token that a user has given: to adopt it leads nowhere.
                    if self._has_begun:
                        raise
                    begin = True
                    continue
                if lease is None:
                    continue
            else:
                # With force, another run has stored it after this one had begun.
                lease, issued = record, self._issuer.force
                self._resource = yield Call(self._look_up(lease))
            yield from self._wait(lease)
            problem = self._problem(lease)
            if problem is None:
                return Outcome(self._key, self._existing, lease, issued, resource=self._resource)
            if self._has_begun or lease.client_token == self._issuer.client_token:
                raise self._build_error(problem, lease)
            begin, self._reason = True, problem
        raise conflict(self._key)

    def _predict(self, record: Lease | None) -> _Step[Outcome]:
        """Return the outcome in check mode of a new resource, or of one for the pending lease of another run."""
        yield Call(partial(self._issuer.service.check, self._key))
        if record is None:
            yield from self._retire()
        return Outcome(self._key, self._existing, issued=True)

    def _usable_record(self) -> Lease | None:
        """Return the record if it is a pending lease to adopt or the lease of a resource that may be reusable."""
        record, now = self._record, self._issuer.now()
        if record is None or not record.is_pending:
            return record if record and self._issuer.policy.accepts(record, now) else None
        can_be_adopted = (
            record.released_at is None
            and record.expires > now
            and record.validity == self._issuer.policy.validity
            and self._issuer.client_token in (None, record.client_token)
        )
        return record if can_be_adopted else None

    def _is_to_recover(self, begin: bool) -> bool:
        directory = self._issuer.directory
        return self._record is None and bool(directory and directory.recovers) and not (begin or self._has_searched)

    def _recover(self, check_mode: bool) -> _Step[Outcome | None]:
        """Store a lease of the resource that the directory has; return None if it has none, or another run stored one.

        Its token was lost with its lease. So it gets one that was never used.
        """
        self._has_searched = True
        found: Resource | None = yield from self._find()
        if found is None:
            return None
        pending = self._build_pending(uuid.uuid4().hex)
        lease = pending.with_resource(found.resource_id, found.expires_at)
        self._record = lease if check_mode else (yield Write(lease, None))
        if self._record.lease_id != lease.lease_id:
            return None
        return Outcome(self._key, None, lease, recovered=True, resource=found)

    def _find(self) -> _Step[Resource | None]:
        directory = self._issuer.directory
        return (yield Call(partial(directory.find, self._key))) if directory else None

    def _retire(self) -> _Step[None]:
        """End the resource of the record before the record is replaced, so that a killed run leaves nothing behind.

        The resource of a released record was ended already, unless the run that released it was interrupted.
        """
        directory, record, force = self._issuer.directory, self._record, self._issuer.force
        if directory is None:
            return
        if record and record.resource_id and record.expires > self._issuer.now():
            yield Call(partial(directory.end, self._key, str(record.resource_id)))
        # What a pending lease has led to is not known.
        if force or (record and record.is_pending and record.released_at is None):
            yield Call(partial(directory.end_found, self._key))

    def _end_pending(self) -> _Step[None]:
        """End what is created with the token of another run's pending lease, even if that run gets no response.

        With the token, the service returns it, or creates it now.
        """
        directory, pending = self._issuer.directory, self._record
        if directory is None or pending is None or not pending.is_pending or pending.released_at is not None:
            return
        # A service may have forgotten an old token. With other parameters, a run that has still to use it would fail.
        is_old = pending.issued < self._issuer.now() - TOKEN_MEMORY
        if is_old or pending.validity != self._issuer.policy.validity:
            return
        try:
            resource: Resource = yield Call(partial(self._issuer.service.create, pending))
        except LabstreamError as e:
            # It was created with other parameters.
            if e.code != self._issuer.service.token_error_code:
                raise
        else:
            yield Call(partial(directory.end, self._key, resource.resource_id))

    def _begin(self) -> _Step[None]:
        """Store a pending lease, unless another run has meanwhile stored something, which then is the record."""
        yield from self._retire()
        yield from self._end_pending()
        pending = self._build_pending(self._issuer.client_token or uuid.uuid4().hex)
        self._record = yield Write(pending, self._record.lease_id if self._record else None)
        self._has_begun = self._is_own = self._record.lease_id == pending.lease_id

    def _build_pending(self, client_token: str) -> Lease:
        now = self._issuer.now()
        return Lease(
            key=self._key,
            grant=ResourceGrant(client_token),
            issued=now,
            expires=now + PENDING_LIFETIME,
            validity=self._issuer.policy.validity,
        )

    def _create(self, pending: Lease) -> _Step[tuple[Lease | None, bool]]:
        """Create a resource with the pending lease's token and store its id.

        Returns:
            The lease to use and whether it is new, or None if the next attempt is to use what another run has stored.
        """
        is_old = pending.issued < self._issuer.now() - TOKEN_MEMORY
        resource: Resource | None = (yield from self._find()) if is_old else None
        if resource is None:
            resource = yield Call(partial(self._issuer.service.create, pending))
        self._resource = resource
        lease = pending.with_resource(resource.resource_id, resource.expires_at)
        try:
            self._record = yield Replace(lease, pending.lease_id)
        except Exception:
            self._has_issued = True
            raise
        if self._record and self._record.lease_id == lease.lease_id:
            self._has_issued = True
            yield from self._refresh(lease)
            return lease, True
        # Without a directory, what a forced run cannot store remains, and is as good.
        is_to_adopt = self._issuer.directory or not self._issuer.force
        winner = self._usable_record() if is_to_adopt else None
        if winner is None and self._has_begun:
            # It was released meanwhile, or replaced by a run with other options. This resource is still what was asked
            # for. But it must not be stored, since another run may have returned it before it was released.
            self._has_issued = True
            return lease, True
        self._is_own = False
        if winner and winner.resource_id == lease.resource_id:
            yield from self._refresh(winner)
            return winner, self._issuer.force
        if winner and self._issuer.directory:
            yield Call(partial(self._issuer.directory.end, self._key, resource.resource_id))
        return None, False

    def _refresh(self, lease: Lease) -> _Step[None]:
        """Look up a resource that another run may have created, if the reply may describe it as it was then."""
        if self._issuer.directory and not self._is_own:
            self._resource = yield Call(self._look_up(lease))

    def _wait(self, lease: Lease) -> _Step[None]:
        """Poll the resource until it is ready or has a problem.

        Raises:
            NotReady: It takes longer than ``wait_timeout``.
        """
        timeout = self._issuer.wait_timeout
        deadline = time.monotonic() + timeout
        while self._issuer.wait and self._problem(lease) is None and self._resource and self._resource.is_in_progress:
            if time.monotonic() >= deadline:
                raise NotReady(
                    f"{self._describe(lease)} is still {self._resource.status} after {timeout:g} seconds: raise "
                    "wait_timeout, or run again to continue waiting for it."
                )
            self._resource = yield Poll(self._look_up(lease), deadline)

    def _look_up(self, lease: Lease) -> Callable[[], Resource | None]:
        return partial(self._issuer.service.look_up, self._key, str(lease.resource_id))

    def _describe(self, lease: Lease) -> str:
        return self._issuer.service.describe(self._key, str(lease.resource_id))

    def _problem(self, lease: Lease) -> str | None:
        """Return what is wrong with the resource; None if it is reusable, or may become so."""
        resource, name = self._resource, self._describe(lease)
        if resource is None:
            return f"{name} no longer exists"
        if resource.is_dead:
            return f"{name} is {resource.status}"
        expires, now = resource.expires_at or lease.expires, self._issuer.now()
        if expires <= now:
            return f"{name} expired at {to_iso8601(expires)}"
        # What was created for this run's own token cannot be any better.
        if self._is_own and self._issuer.client_token is None:
            return None
        if expires < self._issuer.policy.required_until(now):
            return f"{name} works only until {to_iso8601(expires)}, which is earlier than was asked for"
        return None

    def _build_error(self, problem: str, lease: Lease) -> LabstreamError:
        if self._issuer.force and not self._is_own:
            return _replaced(self._describe(lease))
        if lease.client_token == self._issuer.client_token:
            return NotReady(
                f"{problem}, and the service may return it again for client_token={lease.client_token!r}: use another "
                "token, or leave it out."
            )
        return NotReady(f"{problem}: run again to create another one; if that fails too, check {self._key.holder!r}.")
