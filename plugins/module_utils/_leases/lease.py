# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease: the record of the latest streaming URL for a scope, seat and purpose, and when it may be reused.

Pure: knows neither AWS nor Ansible nor a store. All moments are timezone-aware ``datetime`` objects in UTC with whole
seconds, all durations are whole seconds.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from .._errors import InvalidOption
from .._time import to_iso8601

# How long the secret-free rest of a lease is kept after the URL expired: long enough to answer "whose link is this?".
RETENTION = timedelta(days=30)

# Where a lease cannot last until it is needed, it is renewed on its last day, so that a daily run lets no link die.
RENEWAL_WINDOW = 24 * 60 * 60

# So many seconds more are asked for than are left until a moment: the server that issues may have another clock than
# the one that told the time, and a lease that ended just before the moment would never be current.
CLOCK_MARGIN = 5

# Those of AppStream have about 1500 characters.
MAX_URL_LENGTH = 64 * 1024

# The most that is asked of a lease's remaining time when the user does not say: a tenth of its validity, up to this.
MAX_DEFAULT_MIN_REMAINING = 900


# As many bytes of UTF-8 as DynamoDB takes for the part of a key, less what a store adds to a seat.
_MAX_PART_LENGTHS = {"scope": 2048, "seat": 900}


def is_text(text: str) -> bool:
    """Whether it has no half characters, which JSON can escape, but no service takes and no store can hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_key_part(name: str, value: object) -> bool:
    """Whether the value can be the ``scope`` or the ``seat``, which ``name`` says, of a lease that was ever written."""
    is_text = isinstance(value, str) and value.isprintable()
    return is_text and 0 < len(str(value).encode()) <= _MAX_PART_LENGTHS[name]


class LeaseKey(NamedTuple):
    """Where a lease is found: no two leases share a key."""

    scope: str
    seat: str
    purpose: str


@dataclass(frozen=True)
class Lease:
    """The record of the latest URL for a key.

    ``url`` is a password: it is None once it has expired or was forgotten, and no ``repr`` shows it.
    ``validity`` is what was asked of the service, None if the caller asked for a moment.
    ``forgotten`` is when the user had the lease forgotten, else None.

    Where the service tells a stream's URL again, ``url`` and ``url_sha256`` are None, and ``stream_id`` is remembered
    instead. Such a lease begins as an intent: the ``client_token`` that a stream is about to be created with.
    """

    key: LeaseKey
    lease_id: str
    url: str | None = field(repr=False)
    url_sha256: str | None
    issued: datetime
    expires: datetime
    validity: int | None = None
    lab: str | None = None
    forgotten: datetime | None = None
    client_token: str | None = None
    stream_id: str | None = None

    @classmethod
    def of_url(
        cls, key: LeaseKey, url: str, *, issued: datetime, expires: datetime, validity: int | None, lab: str | None
    ) -> Lease:
        """The lease of a URL that the service has just issued."""
        return cls(key, uuid.uuid4().hex, url, url_sha256(url), issued, expires, validity, lab)

    @classmethod
    def intent(
        cls, key: LeaseKey, client_token: str, *, issued: datetime, expires: datetime, validity: int, lab: str | None
    ) -> Lease:
        """What is remembered before a stream is created with this token."""
        return cls(key, uuid.uuid4().hex, None, None, issued, expires, validity, lab, client_token=client_token)

    def of_stream(self, stream_id: str, expires: datetime | None) -> Lease:
        """The lease of the stream that this intent led to; ``expires`` is None if the service did not say."""
        return replace(self, lease_id=uuid.uuid4().hex, stream_id=stream_id, expires=expires or self.expires)

    @property
    def is_intent(self) -> bool:
        """Whether no stream of it is known yet."""
        return self.client_token is not None and self.stream_id is None

    def visible_at(self, now: datetime) -> Lease | None:
        """What a reader of the store may see of it at ``now``: no URL that has expired, nothing after its retention."""
        if self.expires <= now - RETENTION:
            return None
        return replace(self, url=None) if self.expires <= now else self

    def is_valid_at(self, now: datetime) -> bool:
        """Whether there is a URL, here or at the service, that works at ``now``."""
        return self.forgotten is None and (self.url is not None or self.stream_id is not None) and self.expires > now


@dataclass(frozen=True)
class ReusePolicy:
    """What a caller asks of a lease: a validity, or to be good until a moment.

    Exactly one of ``validity`` and ``valid_until`` is set. ``longest`` is the longest validity that the service grants.
    """

    longest: int
    validity: int | None = None
    valid_until: datetime | None = None
    min_remaining: int | None = None

    def __post_init__(self) -> None:
        """Refuse a ``min_remaining`` that no fresh lease could meet.

        Raises:
            InvalidOption: naming the value.
        """
        if self.min_remaining is None:
            return
        granted = self.longest if self.validity is None else self.validity
        if not 0 <= self.min_remaining < granted:
            raise InvalidOption(
                f"min_remaining is {self.min_remaining}, but it must be from 0 to less than the validity of "
                f"{granted} seconds: a new URL would not meet it either."
            )

    def required_until(self, now: datetime) -> datetime:
        """The moment until which a lease must be good to be reused at ``now``."""
        if self.valid_until is None:
            return now + timedelta(seconds=self._min_remaining(self.validity or 0))
        if self._is_in_reach(now):
            return self.valid_until
        remaining = RENEWAL_WINDOW if self.min_remaining is None else self.min_remaining
        return now + timedelta(seconds=remaining)

    def accepts(self, lease: Lease, now: datetime) -> bool:
        """Whether the lease is current: its URL may be given to this caller instead of a new one."""
        if not lease.is_valid_at(now):
            return False
        if self.validity is not None and lease.validity != self.validity:
            return False
        return lease.expires >= self.required_until(now)

    def validity_at(self, now: datetime) -> int:
        """The validity to ask the service for at ``now``, in seconds.

        Raises:
            InvalidOption: the moment has passed.
        """
        if self.valid_until is None:
            return self.validity or 0
        if self.valid_until <= now:
            raise InvalidOption(
                f"valid_until is {to_iso8601(self.valid_until)}, which has passed: the service's clock says "
                f"{to_iso8601(now)}. Give a later moment."
            )
        if not self._is_in_reach(now):
            return self.longest
        return min(self.longest, math.ceil((self.valid_until - now).total_seconds()) + CLOCK_MARGIN)

    def renew_before(self, leases: list[Lease]) -> datetime | None:
        """When the first of the leases that do not last until ``valid_until`` expires; None if all last."""
        if self.valid_until is None:
            return None
        return min((lease.expires for lease in leases if lease.expires < self.valid_until), default=None)

    def _is_in_reach(self, now: datetime) -> bool:
        return self.valid_until is None or self.valid_until <= now + timedelta(seconds=self.longest)

    def _min_remaining(self, validity: int) -> int:
        if self.min_remaining is not None:
            return self.min_remaining
        return min(validity // 10, MAX_DEFAULT_MIN_REMAINING)


def is_url(text: str) -> bool:
    """Whether a service may have issued it: one that is longer opens in no browser and fits into no store."""
    return text.isprintable() and 0 < len(text) <= MAX_URL_LENGTH


def build_purpose(application_id: str | None = None, session_context: str | None = None) -> str:
    """What a URL opens, as the part of a lease's key: empty for none, else JSON that is equal for equal purposes."""
    purpose = {"application_id": application_id, "session_context": session_context}
    named = {name: value for name, value in purpose.items() if value is not None}
    return json.dumps(named, sort_keys=True, separators=(",", ":")) if named else ""


def parse_purpose(purpose: str) -> dict[str, str | None]:
    """What ``purpose_of`` made a purpose of: ``application_id`` and ``session_context``, None where it had none."""
    return {"application_id": None, "session_context": None, **(json.loads(purpose) if purpose else {})}


def url_sha256(url: str) -> str:
    """The SHA-256 of a URL in hexadecimal: names a URL without showing it."""
    # Half characters, which no URL has, are hashed too, so that it can be said of any text that no URL is it.
    return hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
