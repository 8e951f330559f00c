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
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from .._errors import LabstreamError, NotReady
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

    def create(self, key: LeaseKey, client_token: str) -> Resource:
        """Return a resource for this token: a new one, or the one that the service has already created for it."""

    def look_up(self, key: LeaseKey, resource_id: str) -> Resource | None:
        """Return the resource, or None."""

    def check(self, key: LeaseKey) -> None:
        """Raise NotReady if no resource could be created now."""

    def describe(self, key: LeaseKey, resource_id: str) -> str:
        """Return the name of a resource at the begin of a message."""


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

    def run(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Get every key a resource: that of a reusable lease which the service confirms, otherwise a new one.

        Args and returns: As UrlIssuer.run. An outcome has the resource, where one is known, also if it failed.

        Raises:
            LeaseStoreError: The store cannot be written, as it must be also where a lease's resource is found dead.
        """
        self.store.check()
        steps = {key: _Run(self, key, existing.get(key)).steps(check_mode) for key in keys}
        outcomes = run_concurrently(
            steps, existing, store=self.store, concurrency=self.concurrency, is_canceled=self.is_canceled
        )
        return [outcomes[key] for key in keys]


class _Run:
    """The steps of one key to its resource.

    ``record`` is what the store has, as far as this run knows. ``has_begun`` says that this run has stored a pending
    lease of its own, as it does at most once; ``is_own`` that the record is that one, or the lease of its resource;
    ``has_issued`` that a resource was created which no other run has stored.
    """

    def __init__(self, issuer: ResourceIssuer, key: LeaseKey, existing: Lease | None) -> None:
        self._issuer = issuer
        self._key = key
        self._existing = existing
        self._record = existing
        self._has_begun = False
        self._is_own = False
        self._has_issued = False
        self._resource: Resource | None = None

    def steps(self, check_mode: bool) -> Steps:
        try:
            return (yield from self._steps(check_mode))
        except Exception as e:
            return Outcome(self._key, self._existing, issued=self._has_issued, resource=self._resource).failed(e)

    def _steps(self, check_mode: bool) -> Steps:
        service, begin = self._issuer.service, self._issuer.force
        for _attempt in range(MAX_ATTEMPTS):
            record = None if begin else self._usable_record()
            if check_mode and (record is None or record.is_pending):
                yield Call(partial(service.check, self._key))
                return Outcome(self._key, self._existing, issued=True)
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
                    # Such a lease comes of a client_token that a user has given: to adopt it leads nowhere.
                    if self._has_begun or e.code != service.token_error_code:
                        raise
                    begin = True
                    continue
                if lease is None:
                    continue
            else:
                lease, issued = record, False
                self._resource = yield Call(self._look_up(lease))
            yield from self._wait(lease)
            problem = self._problem(lease)
            if problem is None:
                return Outcome(self._key, self._existing, lease, issued, resource=self._resource)
            if self._has_begun or lease.client_token == self._issuer.client_token:
                raise NotReady(self._message(problem, lease))
            begin = True
        raise conflict(self._key)

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

    def _begin(self) -> _Step[None]:
        """Store a pending lease, unless another run has meanwhile stored something, which then is the record."""
        now = self._issuer.now()
        pending = Lease(
            key=self._key,
            grant=ResourceGrant(self._issuer.client_token or uuid.uuid4().hex),
            issued=now,
            expires=now + PENDING_LIFETIME,
            validity=self._issuer.policy.validity,
        )
        self._record = yield Write(pending, self._record.lease_id if self._record else None)
        self._has_begun = self._is_own = self._record.lease_id == pending.lease_id

    def _create(self, pending: Lease) -> _Step[tuple[Lease | None, bool]]:
        """Create a resource with the pending lease's token and store its id.

        Returns:
            The lease to use and whether it is new, or None if the next attempt is to use what another run has stored.
        """
        resource: Resource = yield Call(partial(self._issuer.service.create, self._key, str(pending.client_token)))
        self._resource = resource
        lease = pending.with_resource(resource.resource_id, resource.expires_at)
        try:
            self._record = yield Replace(lease, pending.lease_id)
        except Exception:
            self._has_issued = True
            raise
        if self._record and self._record.lease_id == lease.lease_id:
            self._has_issued = True
            return lease, True
        winner = None if self._issuer.force else self._usable_record()
        if winner is None and self._has_begun:
            # It was released meanwhile, or replaced by a run with other options. This resource is still what was asked
            # for. But it must not be stored, since another run may have returned it before it was released.
            self._has_issued = True
            return lease, True
        self._is_own = False
        return (winner if winner and winner.resource_id == lease.resource_id else None), False

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

    def _message(self, problem: str, lease: Lease) -> str:
        if lease.client_token == self._issuer.client_token:
            return (
                f"{problem}, and the service may return it again for client_token={lease.client_token!r}: use another "
                "token, or leave it out."
            )
        return f"{problem}: run again to create another one; if that fails too, check {self._key.holder!r}."
