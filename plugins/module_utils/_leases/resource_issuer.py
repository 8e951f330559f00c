# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to reuse and what to create, where the service creates a stream for a token and tells of a stream by its id.

Before a stream is created, an intent is stored: a random token. Whoever finds an intent that has not expired creates
with its token, and the service then gives them the same stream. So a run that was killed before it could remember its
stream, or that runs beside another, costs no second one. Knows neither AWS nor Ansible.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from .._errors import LabstreamError, LeaseConflict, LeaseStoreError, NotReady
from .._nimble.states import Stream, describe_state
from .._time import to_iso8601
from .lease import Lease, LeaseKey, ReusePolicy
from .scheduler import Call, Outcome, Poll, Steps, run_concurrently
from .stores.base import LeaseStore, Replace, Write

_Result = TypeVar("_Result")
_Step = Generator[Any, Any, _Result]

# So many times a run may find that another was faster, and look at what that has left.
MAX_ATTEMPTS = 6

# The code of the error that a token gets which was used before with other parameters, and so will get for ever.
TOKEN_REFUSED = "ValidationException"


class StreamService(Protocol):
    """What the protocol asks of the service. Called in worker threads; every method raises LabstreamError."""

    def create(self, key: LeaseKey, client_token: str) -> Stream:
        """A stream for this token: a new one, or the one that the service has already created for it.

        The error of a token that was used with other parameters has the code ``TOKEN_REFUSED``.
        """

    def look_up(self, key: LeaseKey, stream_id: str) -> Stream | None:
        """The stream as it is now, None if there is none."""

    def check(self, key: LeaseKey) -> None:
        """Raise NotReady if no stream could be created now."""


@dataclass(frozen=True)
class ResourceIssuer:
    """How one run gives seats their streams.

    ``now()`` is the service's time. ``need`` has the validity that is asked for. With ``wait``, a stream is looked at
    until it is READY, for ``wait_timeout`` seconds. ``client_token`` is used instead of a random one. ``force`` creates
    even where a lease is current.
    """

    store: LeaseStore
    service: StreamService
    now: Callable[[], datetime]
    need: ReusePolicy
    concurrency: int
    wait: bool = True
    wait_timeout: float = 150
    client_token: str | None = None
    force: bool = False
    lab: str | None = None

    def hand_out(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Give every key a stream: a current lease's that the service says is good, else a new one.

        Args and returns: as Issuer.hand_out. An outcome has the stream, where one is known, also if the seat failed.

        Raises:
            LeaseStoreError: the store cannot be written, as it must be also where a lease's stream is found to be dead.
        """
        self.store.check()
        steps = {key: _Seat(self, key, existing.get(key)).steps(check_mode) for key in keys}
        outcomes = run_concurrently(steps, existing, store=self.store, now=self.now, concurrency=self.concurrency)
        return [outcomes[key] for key in keys]


class _Seat:
    """One seat on its way to a stream.

    ``record`` is what the store holds, as far as this run knows. ``has_begun`` says that this run has stored an intent
    of its own, which it does once at most; ``is_own`` that the record is that intent, or the lease of its stream;
    ``has_issued`` that a stream was created which no other run has remembered.
    """

    def __init__(self, issuer: ResourceIssuer, key: LeaseKey, existing: Lease | None) -> None:
        self._issuer = issuer
        self._key = key
        self._held = existing
        self._record = existing
        self._has_begun = False
        self._is_own = False
        self._has_issued = False
        self._stream: Stream | None = None

    def steps(self, check_mode: bool) -> Steps:
        try:
            return (yield from self._steps(check_mode))
        except LabstreamError as e:
            return Outcome(self._key, self._held, issued=self._has_issued, stream=self._stream).failed(e)

    def _steps(self, check_mode: bool) -> Steps:
        begin = self._issuer.force
        for _try in range(MAX_ATTEMPTS):
            record = None if begin else self._promising_record()
            if check_mode and (record is None or record.is_intent):
                yield Call(partial(self._issuer.service.check, self._key))
                return Outcome(self._key, self._held, issued=True)
            if record is None:
                if self._has_begun:
                    break
                yield from self._begin()
                begin = self._issuer.force and not self._is_own
                continue
            if record.is_intent:
                try:
                    lease, issued = yield from self._create(record)
                except LabstreamError as e:
                    # Such an intent comes of a client_token that a user has given: to adopt it leads nowhere.
                    if self._has_begun or e.code != TOKEN_REFUSED:
                        raise
                    begin = True
                    continue
                if lease is None:
                    continue
            else:
                lease, issued = record, False
                self._stream = yield Call(self._look_up(lease))
            yield from self._wait(lease)
            problem = self._problem(lease)
            if problem is None:
                return Outcome(self._key, self._held, lease, issued, stream=self._stream)
            if self._has_begun or lease.client_token == self._issuer.client_token:
                raise NotReady(self._refusal(problem, lease))
            begin = True
        raise LeaseConflict(
            f"Other runs kept replacing the lease of session {self._key.seat!r} while its stream was to be created: "
            "let one run at a time renew this lab with other options, and run again."
        )

    def _promising_record(self) -> Lease | None:
        """The record, if it is an intent to adopt or the lease of a stream that may be good enough."""
        record, now = self._record, self._issuer.now()
        if record is None or not record.is_intent:
            return record if record and self._issuer.need.accepts(record, now) else None
        can_be_adopted = (
            record.forgotten is None
            and record.expires > now
            and record.validity == self._issuer.need.validity
            and self._issuer.client_token in (None, record.client_token)
        )
        return record if can_be_adopted else None

    def _begin(self) -> _Step[None]:
        """Store an intent, unless another run has meanwhile stored something; the record then tells."""
        now, validity = self._issuer.now(), self._issuer.need.validity or 0
        intent = Lease.intent(
            self._key,
            self._issuer.client_token or uuid.uuid4().hex,
            issued=now,
            expires=now + timedelta(seconds=validity),
            validity=validity,
            lab=self._issuer.lab,
        )
        self._record = yield Write(intent, self._record.lease_id if self._record else None)
        self._has_begun = self._is_own = self._record.lease_id == intent.lease_id

    def _create(self, intent: Lease) -> _Step[tuple[Lease | None, bool]]:
        """Create a stream with the intent's token and remember it.

        Returns:
            The lease to use and whether it is new, or None if what another run has left is to be looked at instead.
        """
        self._stream = yield Call(partial(self._issuer.service.create, self._key, str(intent.client_token)))
        lease = intent.of_stream(self._stream.stream_id, self._stream.expires_at)
        try:
            self._record = yield Replace(lease, intent.lease_id)
        except LeaseStoreError:
            self._has_issued = True
            raise
        if self._record and self._record.lease_id == lease.lease_id:
            self._has_issued = True
            return lease, True
        winner = None if self._issuer.force else self._promising_record()
        if winner is None and self._has_begun:
            # It was forgotten meanwhile, or replaced by a run with other options. This stream is still what was asked
            # for. But it must not be remembered, since another run may have handed it out before it was forgotten.
            self._has_issued = True
            return lease, True
        self._is_own = False
        return (winner if winner and winner.stream_id == lease.stream_id else None), False

    def _wait(self, lease: Lease) -> _Step[None]:
        """Look at the stream until it is READY or has a problem.

        Raises:
            NotReady: after ``wait_timeout``.
        """
        deadline = time.monotonic() + self._issuer.wait_timeout
        while self._issuer.wait and self._problem(lease) is None and self._stream and self._stream.is_in_progress:
            if time.monotonic() >= deadline:
                raise NotReady(
                    f"Stream {lease.stream_id!r} of session {self._key.seat!r} is still {self._stream.progress} after "
                    f"{self._issuer.wait_timeout:g} seconds: raise wait_timeout, or run again to wait on for the "
                    "remembered stream."
                )
            self._stream = yield Poll(self._look_up(lease), deadline)

    def _look_up(self, lease: Lease) -> Callable[[], Stream | None]:
        return partial(self._issuer.service.look_up, self._key, str(lease.stream_id))

    def _problem(self, lease: Lease) -> str | None:
        """What is wrong with the stream; None if it is good enough, or may become so."""
        stream, name = self._stream, f"Stream {lease.stream_id!r} of session {self._key.seat!r}"
        if stream is None:
            return f"{name} is gone"
        if stream.is_dead:
            return f"{name} is {describe_state(stream.state, stream.status_code)}"
        expires, now = stream.expires_at or lease.expires, self._issuer.now()
        if expires <= now:
            return f"{name} expired at {to_iso8601(expires)}"
        # What was created for this run's own token is as good as it gets.
        if self._is_own and self._issuer.client_token is None:
            return None
        if expires < self._issuer.need.required_until(now):
            return f"{name} works until {to_iso8601(expires)} only, which is sooner than was asked for"
        return None

    def _refusal(self, problem: str, lease: Lease) -> str:
        if lease.client_token == self._issuer.client_token:
            return (
                f"{problem}, and the service may give the same stream for client_token={lease.client_token!r} again: "
                "use another token, or leave it out."
            )
        return f"{problem}: run again, and a new stream is created; if that fails too, look at the session."
