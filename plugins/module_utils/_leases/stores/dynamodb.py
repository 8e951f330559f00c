# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease store in a DynamoDB table, which controllers, AWX jobs and pipelines can share.

An item is a lease. Its partition key ``scope`` is the lease's; its sort key ``seat`` is the lease's seat, with the
SHA-256 of the purpose after a space if there is a purpose, which may be longer than a sort key. Moments are seconds
since the epoch; what is None is left out. At ``delete_after``, DynamoDB deletes the item by itself.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar

try:
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ..._client import retry_delays
from ..._errors import InvalidResponse, LeaseStoreError, call, get_member, quote, to_message
from ..lease import RETENTION, Lease, LeaseKey
from .base import Replace, Write
from .dynamodb_table import AnsibleLeaseTableError, LeaseTableErrorHandler, describe_table, find_wrong_keys

_Result = TypeVar("_Result")

# What the service takes at once (BatchGetItem, BatchWriteItem).
MAX_READ = 100
MAX_DELETED = 25
# So many times a write that met a lease finds none a moment later.
MAX_ATTEMPTS = 3

CONDITION_FAILED = "ConditionalCheckFailedException"

_DATETIMES = ("issued", "expires", "forgotten")
_WHOLE_NUMBERS = ("validity",)
_TEXTS = ("url", "url_sha256", "lab", "client_token", "stream_id")

# A call that is repeated, since its reply was lost, may meet its own lease; it must not revive one that was forgotten.
_MAY_WRITE = (
    "attribute_not_exists(lease_id) OR (lease_id <> :mine AND "
    "(lease_id = :expected OR attribute_exists(forgotten) OR expires <= :now))"
)
_MAY_REPLACE = "lease_id = :expected AND attribute_not_exists(forgotten)"
# Holds for no item.
_NEVER = "attribute_exists(lease_id) AND attribute_not_exists(lease_id)"
# What no lease has as its id.
_NO_ID = "-"
# DynamoDB reserves the word.
_URL = {"#url": "url"}


@LeaseTableErrorHandler.common_error_handler("write to the lease table")
def put_item(client: Any, **parameters: Any) -> Any:
    """PutItem."""
    return call(client.put_item, **parameters)


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def get_item(client: Any, **parameters: Any) -> Any:
    """GetItem."""
    return call(client.get_item, **parameters)


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def batch_get_item(client: Any, **parameters: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The items that BatchGetItem found, and what the service has left to ask for once more."""
    reply = call(client.batch_get_item, **parameters)
    items = _items(item for items in get_member(reply, "Responses").values() for item in items)
    return items, reply.get("UnprocessedKeys") or {}


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def query(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    """The items of all pages of a Query."""
    return _items(call(lambda: list(client.get_paginator("query").paginate(**parameters).search("Items[]"))))


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def scan(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    """The items of all pages of a Scan."""
    return _items(call(lambda: list(client.get_paginator("scan").paginate(**parameters).search("Items[]"))))


def _items(told: Iterable[Any]) -> list[dict[str, Any]]:
    """The items of replies. One that has none, not even an empty list, is none of this API's, as error handlers tell.

    Raises:
        InvalidResponse: there is such a reply.
    """
    items = list(told)
    if None in items:
        raise InvalidResponse("no Items")
    return items


@LeaseTableErrorHandler.common_error_handler("forget a lease in the lease table")
def update_item(client: Any, **parameters: Any) -> Any:
    """UpdateItem."""
    return call(client.update_item, **parameters)


@LeaseTableErrorHandler.common_error_handler("purge leases from the lease table")
def batch_write_item(client: Any, **parameters: Any) -> Any:
    """BatchWriteItem."""
    return call(client.batch_write_item, **parameters)


class DynamoDBLeaseStore:
    """A lease store in a DynamoDB table.

    Args:
        client: A botocore client for DynamoDB.
        table: The table's name or ARN.
        concurrency: How many calls to make at once.
    """

    def __init__(self, client: Any, table: str, *, concurrency: int) -> None:
        self._client = client
        self._table = table
        self._executor = ThreadPoolExecutor(max_workers=concurrency)
        self._serialize = TypeSerializer().serialize
        self._deserialize = TypeDeserializer().deserialize

    def read(self, keys: Collection[LeaseKey], *, now: datetime) -> dict[LeaseKey, Lease]:
        """The leases of these keys, a hundred of them in each call."""
        items = self._side_by_side(self._read_hundred, _parts([self._item_key(key) for key in keys], MAX_READ))
        return self._leases(itertools.chain.from_iterable(items), now)

    def find(self, scope: str | None, *, now: datetime) -> dict[LeaseKey, Lease]:
        """All leases of a scope; of all scopes, by reading the whole table, if that is None."""
        if scope is None:
            return self._leases(self._call(scan, ConsistentRead=True), now)
        items = self._call(
            query,
            ConsistentRead=True,
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues=self._values(**{":scope": scope}),
        )
        return self._leases(items, now)

    def write(self, changes: Sequence[Write | Replace], *, now: datetime) -> list[Lease | LeaseStoreError | None]:
        """Make the changes side by side."""
        return self._side_by_side(partial(self._write, now), changes)

    def forget(self, keys: Collection[LeaseKey], *, now: datetime, purge: bool, lab: str | None = None) -> None:
        """Wipe the URLs of these leases and mark them forgotten; with ``purge`` remove the records too.

        Purging does not look at the lab, since BatchWriteItem takes no condition. All are tried before the first error
        is raised.
        """
        item_keys = [self._item_key(key) for key in keys]
        if purge:
            errors = self._side_by_side(self._delete, _parts(item_keys, MAX_DELETED))
        else:
            errors = self._side_by_side(partial(self._forget, now, lab), item_keys)
        for error in errors:
            if error:
                raise error

    def check(self) -> None:
        """Refuse a table that is missing, has other keys or may not be written, which a write that never happens tells.

        Raises:
            LeaseStoreError: says which.
        """
        self._call(self._refuse_other_keys)
        item = self._values(scope="-", seat="-")
        self._call(_unless_refused, put_item, Item=item, ConditionExpression=_NEVER)

    def close(self) -> None:
        """Let go of the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _write(self, now: datetime, change: Write | Replace) -> Lease | LeaseStoreError | None:
        try:
            for _try in range(MAX_ATTEMPTS):
                existing = self._put(now, change)
                if existing is not None or isinstance(change, Replace):
                    return existing
            return LeaseStoreError(
                f"The lease of seat {change.lease.key.seat!r} in the table {self._table!r} kept appearing and being "
                "purged while it was to be written: let one run at a time use this lab, and run again."
            )
        except LeaseStoreError as e:
            return e

    def _put(self, now: datetime, change: Write | Replace) -> Lease | None:
        """Write the lease under the change's condition.

        Returns:
            The lease that its key then has, None if that was gone a moment after it was in the way.
        """
        lease, key = change.lease, self._item_key(change.lease.key)
        values: dict[str, str | int] = {":expected": change.expected or _NO_ID}
        if isinstance(change, Write):
            values.update({":mine": lease.lease_id, ":now": _seconds(now)})
        existing = self._call(
            _unless_refused,
            put_item,
            Item={**key, **self._attributes(lease)},
            ConditionExpression=_MAY_WRITE if isinstance(change, Write) else _MAY_REPLACE,
            ExpressionAttributeValues=self._values(**values),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        if existing is None:
            return lease
        item = existing or self._call(get_item, Key=key, ConsistentRead=True).get("Item")
        return self._lease(item) if item else None

    def _forget(self, now: datetime, lab: str | None, item_key: dict[str, Any]) -> LeaseStoreError | None:
        values: dict[str, str | int] = {":now": _seconds(now), **({} if lab is None else {":lab": lab})}
        try:
            self._call(
                _unless_refused,
                update_item,
                Key=item_key,
                ConditionExpression="attribute_exists(lease_id)" if lab is None else "lab = :lab",
                UpdateExpression="SET forgotten = :now REMOVE #url",
                ExpressionAttributeNames=_URL,
                ExpressionAttributeValues=self._values(**values),
            )
        except LeaseStoreError as e:
            return e
        return None

    def _read_hundred(self, item_keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def read(left: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
            return self._call(batch_get_item, RequestItems=left)

        return self._until_processed(read, {self._table: {"Keys": item_keys, "ConsistentRead": True}})

    def _delete(self, item_keys: list[dict[str, Any]]) -> LeaseStoreError | None:
        def delete(left: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
            return [], self._call(batch_write_item, RequestItems=left).get("UnprocessedItems") or {}

        try:
            self._until_processed(delete, {self._table: [{"DeleteRequest": {"Key": key}} for key in item_keys]})
        except LeaseStoreError as e:
            return e
        return None

    def _until_processed(
        self,
        call: Callable[[dict[str, Any]], tuple[list[dict[str, Any]], dict[str, Any]]],
        left: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Call again with what the service has left unprocessed, which it does when it is busy."""
        found: list[dict[str, Any]] = []
        for pause in (0.0, *retry_delays(self._client)):
            time.sleep(pause)
            items, left = call(left)
            found += items
            if not left:
                return found
        raise LeaseStoreError(
            f"DynamoDB is too busy with the lease table {self._table!r}: have the table billed on demand, or run again "
            "later."
        )

    def _refuse_other_keys(self, client: Any, **parameters: Any) -> None:
        problem = find_wrong_keys(describe_table(client, **parameters))
        if problem:
            raise LeaseStoreError(
                f"The table {self._table!r} cannot hold leases, since {problem}: name another table in lease_store, "
                "such as one made by the playbook labstream.aws.lease_table."
            )

    def _call(self, function: Callable[..., _Result], *args: Any, **parameters: Any) -> _Result:
        """Make the call to the table.

        Raises:
            LeaseStoreError: it failed. Not the service's own code: a program would take it for one of the service that
                issues. If it is for the table's keys, that is said.
        """
        if "RequestItems" not in parameters:
            parameters["TableName"] = self._table
        try:
            return function(*args, self._client, **parameters)
        except AnsibleLeaseTableError as e:
            if e.code == "ValidationException":
                # Each operation has words of its own for it. Who may only read the table may not look.
                with suppress(AnsibleLeaseTableError):
                    self._refuse_other_keys(self._client, TableName=self._table)
            sentence = to_message(f"{e.message} {self._table!r}: {e.explain()}")
            if e.code == "ValidationException" and "schema" in sentence:
                remedy = "look whether this is a table that the playbook labstream.aws.lease_table makes"
                sentence = f"{sentence.rstrip('.')}: {remedy}."
            raise LeaseStoreError(sentence) from e

    def _side_by_side(self, function: Callable[[Any], _Result], values: Iterable[Any]) -> list[_Result]:
        return list(self._executor.map(function, values))

    # Leases and items

    def _item_key(self, key: LeaseKey) -> dict[str, Any]:
        purpose = f" {hashlib.sha256(key.purpose.encode()).hexdigest()}" if key.purpose else ""
        return self._values(scope=key.scope, seat=f"{key.seat}{purpose}")

    def _attributes(self, lease: Lease) -> dict[str, Any]:
        """The attributes of a lease's item without its key."""
        moments = {name: getattr(lease, name) for name in _DATETIMES}
        values = {name: getattr(lease, name) for name in ("lease_id", *_TEXTS, *_WHOLE_NUMBERS)}
        values.update({name: _seconds(when) for name, when in moments.items() if when is not None})
        values.update(purpose=lease.key.purpose or None, delete_after=_seconds(lease.expires + RETENTION))
        return self._values(**{name: value for name, value in values.items() if value is not None})

    def _leases(self, items: Iterable[Mapping[str, Any]], now: datetime) -> dict[LeaseKey, Lease]:
        """The leases of the items as a reader sees them."""
        seen = (self._lease(item).visible_at(now) for item in items)
        return {lease.key: lease for lease in seen if lease}

    def _lease(self, item: Mapping[str, Any]) -> Lease:
        try:
            values = {name: self._deserialize(value) for name, value in item.items()}
            fields: dict[str, Any] = {name: values.get(name) for name in _TEXTS}
            fields.update({name: int(values[name]) for name in _WHOLE_NUMBERS if name in values})
            fields.update({name: _moment(values[name]) for name in _DATETIMES if name in values})
            seat, purpose = values["seat"], values.get("purpose", "")
            key = LeaseKey(values["scope"], seat.rpartition(" ")[0] if purpose else seat, purpose)
            texts = (*key, values["lease_id"], *(fields[name] for name in _TEXTS if name in values))
            if not all(isinstance(text, str) for text in texts):
                raise TypeError("not a text")
            return Lease(key, values["lease_id"], **fields)
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as e:
            raise LeaseStoreError(
                f"The table {self._table!r} has an item that is no lease, with the key {_told_key(item)}: remove "
                "that, or name another table in lease_store."
            ) from e

    def _values(self, **values: Any) -> dict[str, Any]:
        return {name: self._serialize(value) for name, value in values.items()}


def _unless_refused(function: Callable[..., Any], client: Any, **parameters: Any) -> dict[str, Any] | None:
    """Make a conditional call.

    Returns:
        None if it was made; if its condition does not hold, the item that is in the way, empty if the reply has none.
    """
    try:
        function(client, **parameters)
    except AnsibleLeaseTableError as e:
        if e.code != CONDITION_FAILED:
            raise
        return getattr(e.exception, "response", {}).get("Item") or {}
    return None


def _told_key(item: Mapping[str, Any]) -> str:
    """An item's key as a sentence shows it. No URL is in a key."""
    return quote(" ".join(str(next(iter(item[name].values()), "")) for name in ("scope", "seat") if item.get(name)))


def _parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _seconds(when: datetime) -> int:
    return int(when.timestamp())


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), timezone.utc)
