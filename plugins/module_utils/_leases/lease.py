# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The lease: the record of the latest streaming URL or resource for a scope, holder and purpose.

Pure: knows neither AWS nor Ansible nor a store. All timestamps are timezone-aware ``datetime`` objects in UTC with
whole seconds, all durations are whole seconds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .._errors import InvalidOption

# How long the secret-free rest of a record is kept after it expired: long enough to answer "whose link is this?".
RETENTION = timedelta(days=30)

# In bytes of UTF-8: what DynamoDB takes for the parts of a key, less what a store adds to a holder.
_MAX_LENGTHS = {"scope": 2048, "holder": 900}

# The version of a key's text, which changes whenever another key would get an existing text.
_KEY_PREFIX = "lease1."
_PURPOSE_SHA256 = re.compile(r"([0-9a-f]{64})?", re.ASCII)


def get_deletion_time(expires: datetime) -> datetime:
    """Return when the record of what expires then may be deleted: after the retention, but before time ends."""
    return min(expires, datetime.max.replace(microsecond=0, tzinfo=timezone.utc) - RETENTION) + RETENTION


def is_text(text: str) -> bool:
    """Return whether the text has no unpaired surrogates, which JSON can escape but no service or store accepts."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_key_part(name: str, value: object) -> bool:
    """Return whether the value can be the ``scope`` or ``holder``, as ``name`` says, of a lease's key."""
    is_printable = isinstance(value, str) and value.isprintable()
    return is_printable and 0 < len(str(value).encode()) <= _MAX_LENGTHS[name]


def to_sha256(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal, which names a URL or a purpose without showing it."""
    # Unpaired surrogates, which no URL has, are hashed too, so that any text can be compared.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def build_purpose(**opens: str | None) -> str:
    """Return what a URL opens, by the provider's names, as a text that is equal for equal purposes; empty for none."""
    given = {name: value for name, value in opens.items() if value is not None}
    return json.dumps(given, sort_keys=True, separators=(",", ":")) if given else ""


def parse_purpose(purpose: str) -> dict[str, str]:
    """Return what ``build_purpose`` was given."""
    return json.loads(purpose) if purpose else {}


class LeaseKey(NamedTuple):
    """The key of a lease: no two leases share one. Its text is what results publish as ``lease``."""

    scope: str
    holder: str
    purpose_sha256: str = ""

    @classmethod
    def build(cls, scope: str, holder: str, purpose: str = "") -> LeaseKey:
        """Return the key of the holder's lease for a purpose by ``build_purpose``."""
        return cls(scope, holder, to_sha256(purpose) if purpose else "")

    def to_text(self) -> str:
        """Return the key as one opaque word, which is the same in every run and holds no secret."""
        encoded = base64.urlsafe_b64encode(json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode())
        return _KEY_PREFIX + encoded.decode().rstrip("=")

    @classmethod
    def parse(cls, text: object) -> LeaseKey:
        """Return the key of a text by ``to_text``.

        Raises:
            InvalidOption: It is another text, which is not quoted because it may be a URL.
        """
        try:
            encoded = str(text).removeprefix(_KEY_PREFIX)
            key = cls(*json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))))
            is_valid = is_key_part("scope", key.scope) and is_key_part("holder", key.holder)
            if is_valid and _PURPOSE_SHA256.fullmatch(key.purpose_sha256) and key.to_text() == text:
                return key
        except (RecursionError, TypeError, ValueError):
            pass
        raise InvalidOption(
            "A lease is not valid: pass on the lease that a module or role of this collection has returned."
        )


@dataclass(frozen=True)
class UrlGrant:
    """A URL that the service never returns again. It is a password, and None once it is wiped."""

    url: str | None = field(repr=False)
    sha256: str

    @classmethod
    def build(cls, url: str) -> UrlGrant:
        """Return the grant of a URL that was just issued."""
        return cls(url, to_sha256(url))


@dataclass(frozen=True)
class ResourceGrant:
    """A resource whose URL the service returns at any time, and the token that it is created with.

    Without ``resource_id``, its creation is pending.
    """

    client_token: str
    resource_id: str | None = None


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Lease:
    """The record of the latest grant for a key.

    Attributes:
        key: The scope, the holder and the hash of the purpose.
        grant: What the service granted. It is pending before a resource is created.
        issued: When it was issued.
        expires: When it expires.
        purpose: What it opens, by ``build_purpose``.
        validity: The seconds that were asked of the service; None if the caller asked for a point in time.
        released_at: When the user released it.
        lease_id: What distinguishes it from the leases of the same key before and after it.
    """

    key: LeaseKey
    grant: UrlGrant | ResourceGrant
    issued: datetime
    expires: datetime
    purpose: str = ""
    validity: int | None = None
    released_at: datetime | None = None
    lease_id: str = field(default_factory=_new_id)

    @property
    def url(self) -> str | None:
        """The URL, which is a password; None if it is wiped, or if the service has it."""
        return self.grant.url if isinstance(self.grant, UrlGrant) else None

    @property
    def url_sha256(self) -> str | None:
        """The SHA-256 of the URL, also once that is wiped; None if the grant is a resource."""
        return self.grant.sha256 if isinstance(self.grant, UrlGrant) else None

    @property
    def resource_id(self) -> str | None:
        """The id of the resource, if the grant is one."""
        return self.grant.resource_id if isinstance(self.grant, ResourceGrant) else None

    @property
    def client_token(self) -> str | None:
        """The token of the resource, if the grant is one."""
        return self.grant.client_token if isinstance(self.grant, ResourceGrant) else None

    @property
    def is_pending(self) -> bool:
        """Whether its resource is still to be created."""
        return isinstance(self.grant, ResourceGrant) and self.grant.resource_id is None

    def is_valid_at(self, now: datetime) -> bool:
        """Return whether there is a URL, here or at the service, that works at ``now``."""
        has_url = self.url is not None or self.resource_id is not None
        return self.released_at is None and has_url and self.expires > now

    def visible_at(self, now: datetime) -> Lease | None:
        """Return what a store shows of it at ``now``: no URL that has expired, nothing after the retention."""
        if self.expires <= now - RETENTION:
            return None
        return self.without_url() if self.expires <= now else self

    def without_url(self) -> Lease:
        """Return the lease without its URL."""
        return replace(self, grant=replace(self.grant, url=None)) if isinstance(self.grant, UrlGrant) else self

    def released(self, now: datetime) -> Lease:
        """Return the lease as it is once it is released."""
        return replace(self.without_url(), released_at=now)

    def with_resource(self, resource_id: str, expires: datetime | None) -> Lease:
        """Return the lease that this pending one becomes; ``expires`` is None if the service did not say."""
        grant = ResourceGrant(str(self.client_token), resource_id)
        expires = expires or self.issued + timedelta(seconds=self.validity or 0)
        return replace(self, lease_id=_new_id(), grant=grant, expires=expires)
