# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""How records are stored: as flat values by name, the same for every store. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic, NamedTuple, Protocol, TypeVar  # pylint: disable=unused-import

from ..lease import Lease, LeaseKey, ResourceGrant, UrlGrant

# Text, whole numbers, and None for what there is not. A timestamp is its seconds since the epoch.
Values = dict[str, Any]

KeyT = TypeVar("KeyT", bound="NamedTuple")
RecordT = TypeVar("RecordT", bound="Record")


class Record(Protocol):
    """What a store needs to know of a record."""

    @property
    def key(self) -> Any:
        """The key, a NamedTuple of three: no two records of a type share one. The last part may be empty."""

    @property
    def expires(self) -> datetime:
        """When it expires; it is kept for the retention after that."""

    def visible_at(self, now: datetime) -> Any:
        """Return what a store shows of it at ``now``, None for nothing."""


@dataclass(frozen=True)
class RecordType(Generic[KeyT, RecordT]):
    """How the records of one type are stored.

    Attributes:
        name: The name of their table in SQLite, and of their kind in DynamoDB.
        key: The type of the key.
        id_name: The name of the value that every write changes, for compare-and-set.
        encode: Returns the values of a record, but those of its key; the same names for every record.
        decode: Returns the record of a key and its values. Raises LookupError, OSError, OverflowError, TypeError or
            ValueError for values that are not of a record.
        scope_prefix: What their scope begins with in DynamoDB, where records of all types share a table.
    """

    name: str
    key: type[KeyT]
    id_name: str
    encode: Callable[[RecordT], Values]
    decode: Callable[[KeyT, Mapping[str, Any]], RecordT]
    scope_prefix: str = ""

    def get_id(self, record: RecordT) -> str:
        """Return the id of a record."""
        return self.encode(record)[self.id_name]

    def from_values(self, values: Mapping[str, Any]) -> RecordT:
        """Return the record of all its values."""
        return self.decode(self.key(*(values[name] for name in self.key._fields)), values)


def to_dict(records: Iterable[RecordT], now: datetime | None) -> dict[Any, RecordT]:
    """Return the records by their keys, as they are visible at ``now``, or as they are if that is None."""
    visible = records if now is None else (record.visible_at(now) for record in records)
    return {record.key: record for record in visible if record}


def to_seconds(when: datetime) -> int:
    """Return a timestamp as it is stored."""
    return int(when.timestamp())


def get_text(values: Mapping[str, Any], name: str) -> str:
    """Return a text that must be there.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(values.get(name), str):
        raise TypeError(name)
    return values[name]


def find_text(values: Mapping[str, Any], name: str) -> str | None:
    """Return a text, or None.

    Raises:
        TypeError: It is something else.
    """
    return None if values.get(name) is None else get_text(values, name)


def get_datetime(values: Mapping[str, Any], name: str) -> datetime:
    """Return a timestamp that must be there.

    Raises:
        TypeError, ValueError, OverflowError, OSError: It is something else.
    """
    return datetime.fromtimestamp(int(values[name]), timezone.utc)


def find_datetime(values: Mapping[str, Any], name: str) -> datetime | None:
    """Return a timestamp, or None.

    Raises:
        TypeError, ValueError, OverflowError, OSError: It is something else.
    """
    return None if values.get(name) is None else get_datetime(values, name)


def _encode_lease(lease: Lease) -> Values:
    return {
        "lease_id": lease.lease_id,
        "purpose": lease.purpose or None,
        "issued": to_seconds(lease.issued),
        "expires": to_seconds(lease.expires),
        "validity": lease.validity,
        "released_at": lease.released_at and to_seconds(lease.released_at),
        "url": lease.url,
        "url_sha256": lease.url_sha256,
        "client_token": lease.client_token,
        "resource_id": lease.resource_id,
    }


def _decode_lease(key: LeaseKey, values: Mapping[str, Any]) -> Lease:
    token, validity = find_text(values, "client_token"), values.get("validity")
    if token is None:
        grant: UrlGrant | ResourceGrant = UrlGrant(find_text(values, "url"), get_text(values, "url_sha256"))
    else:
        grant = ResourceGrant(token, find_text(values, "resource_id"))
    return Lease(
        key=key,
        grant=grant,
        issued=get_datetime(values, "issued"),
        expires=get_datetime(values, "expires"),
        purpose=find_text(values, "purpose") or "",
        validity=None if validity is None else int(validity),
        released_at=find_datetime(values, "released_at"),
        lease_id=get_text(values, "lease_id"),
    )


LEASES = RecordType("lease", LeaseKey, "lease_id", _encode_lease, _decode_lease)
