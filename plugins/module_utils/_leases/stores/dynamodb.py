# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The lease store in a DynamoDB table, which controllers, AWX jobs and pipelines can share.

An item is a record, whose type is its ``kind``. Of the three values of the record's key, the first, with the prefix
of its type, is the partition key ``scope``; the second, and the third after a space unless it is empty, are the sort
key ``holder``. Timestamps are seconds since the epoch; what is None is left out. At ``delete_after``, DynamoDB deletes
the item by itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

try:
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ..._client import retry_delays
from ..._errors import CredentialsError, InvalidOption, InvalidResponse, LeaseStoreError, quote, to_message
from ..._service_errors import call, get_member
from ..._time import utc_now
from ..lease import Lease, LeaseKey, get_deletion_time
from .base import Change, Replace, Write
from .dynamodb_table import AnsibleLeaseTableError, LeaseTableErrorHandler, describe_table, find_wrong_keys
from .records import LEASES, KeyT, RecordT, RecordType, to_dict, to_seconds

_Result = TypeVar("_Result")

# What the service takes in one call (BatchGetItem).
MAX_READ = 100
# How often a write that found a record in the way may find none right after it.
MAX_ATTEMPTS = 3

CONDITION_FAILED = "ConditionalCheckFailedException"

# A call that is repeated because its reply was lost may find its own record; it must not revive one that was released.
_MAY_WRITE = (
    "attribute_not_exists(#id) OR (#id <> :mine AND "
    "(#id = :expected OR attribute_exists(released_at) OR expires <= :now))"
)
_MAY_REPLACE = "#id = :expected AND attribute_not_exists(released_at)"
# A call that is repeated because its reply was lost finds nothing.
_MAY_DELETE = "attribute_not_exists(#id) OR #id = :id"
# Holds for no item.
_NEVER = "attribute_exists(lease_id) AND attribute_not_exists(lease_id)"
# When nothing has expired yet.
_BEFORE_ALL = 0
# What no record has as its id.
_NO_ID = "-"
# Names that DynamoDB reserves.
_SCOPE, _URL = {"#scope": "scope"}, {"#url": "url"}


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
    """Return the items that BatchGetItem found, and what the service has left unprocessed."""
    response = call(client.batch_get_item, **parameters)
    items = _items(item for items in get_member(response, "Responses").values() for item in items)
    return items, response.get("UnprocessedKeys") or {}


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def query(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Return the items of all pages of a Query."""
    return _items(call(lambda: list(client.get_paginator("query").paginate(**parameters).search("Items[]"))))


@LeaseTableErrorHandler.common_error_handler("read the lease table")
def scan(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Return the items of all pages of a Scan."""
    return _items(call(lambda: list(client.get_paginator("scan").paginate(**parameters).search("Items[]"))))


def _items(replies: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the items of replies. A reply that has none, not even an empty list, is not one of this API.

    Raises:
        InvalidResponse: There is such a reply.
    """
    items = list(replies)
    if None in items:
        raise InvalidResponse("no Items")
    return items


@LeaseTableErrorHandler.common_error_handler("release a lease in the lease table")
def update_item(client: Any, **parameters: Any) -> Any:
    """UpdateItem."""
    return call(client.update_item, **parameters)


@LeaseTableErrorHandler.common_error_handler("purge a lease from the lease table")
def delete_item(client: Any, **parameters: Any) -> Any:
    """DeleteItem."""
    return call(client.delete_item, **parameters)


class _DynamoDBTable:
    """A table, and the calls to it.

    Args:
        client: A botocore client for DynamoDB.
        name: The table's name or ARN.
        now: Returns the time that a service has said, None as long as none has.
        concurrency: How many calls to make at the same time.
    """

    def __init__(self, client: Any, name: str, now: Callable[[], datetime | None], concurrency: int) -> None:
        self.client, self.name, self.now = client, name, now
        self._executor = ThreadPoolExecutor(max_workers=concurrency)
        self._serialize = TypeSerializer().serialize
        self._deserialize = TypeDeserializer().deserialize

    def serialize(self, **values: Any) -> dict[str, Any]:
        """Return values as items have them, but those that are None."""
        return {name: self._serialize(value) for name, value in values.items() if value is not None}

    def deserialize(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of an item.

        Raises:
            AttributeError, LookupError, TypeError: It is not an item.
        """
        return {name: self._deserialize(value) for name, value in item.items()}

    def map(self, function: Callable[[Any], _Result], values: Iterable[Any]) -> list[_Result]:
        """Return what the function returns for each of the values, for several at the same time."""
        return list(self._executor.map(function, values))

    def call(self, function: Callable[..., _Result], *args: Any, **parameters: Any) -> _Result:
        """Make a call.

        Raises:
            LeaseStoreError: It failed. It does not have the code of the service, which a program would take for one of
                the service that issues. If the reason is the table's keys, the message says so.
        """
        if "RequestItems" not in parameters:
            parameters["TableName"] = self.name
        try:
            return function(*args, self.client, **parameters)
        except AnsibleLeaseTableError as e:
            if e.code == "ValidationException":
                # Each operation has another message for it. Whoever can only read items cannot describe the table.
                with suppress(AnsibleLeaseTableError):
                    self._reject_wrong_keys(self.client, TableName=self.name)
            message = to_message(f"{e.message} {self.name!r}: {e.explain()}")
            if e.code == "ValidationException" and "schema" in message:
                remedy = "check that the table was created by the playbook labstream.aws.lease_table"
                message = f"{message.rstrip('.')}: {remedy}."
            raise LeaseStoreError(message) from e  # pylint: disable=bad-exception-cause
        except (CredentialsError, InvalidOption) as e:
            raise LeaseStoreError(f"The lease table {self.name!r} cannot be used: {e}") from e

    def batch_get(self, item_keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the items of these keys; ask again for what a busy service leaves unprocessed.

        Raises:
            LeaseStoreError: It stays busy, or a call failed.
        """
        found: list[dict[str, Any]] = []
        left: dict[str, Any] = {self.name: {"Keys": item_keys, "ConsistentRead": True}}
        for delay in (0.0, *retry_delays(self.client)):
            time.sleep(delay)
            items, left = self.call(batch_get_item, RequestItems=left)
            found += items
            if not left:
                return found
        raise LeaseStoreError(
            f"DynamoDB is too busy with the lease table {self.name!r}: use on-demand billing for the table, or run "
            "again later."
        )

    def check(self, change: Change) -> None:
        """Reject a table that is missing or has other keys, or that the credentials are not authorized to change so.

        Raises:
            LeaseStoreError: Says which.
        """
        self.call(self._reject_wrong_keys)
        # A change that never happens: its condition holds for no item, or no record has this key.
        key = self.serialize(scope="-", holder="-")
        if change == "write":
            self.call(_unless_in_the_way, put_item, Item=key, ConditionExpression=_NEVER)
        elif change == "release":
            self.call(_unless_in_the_way, update_item, Key=key, ConditionExpression=_NEVER)
        else:
            self.call(_unless_in_the_way, delete_item, Key=key, ConditionExpression=_NEVER)

    def close(self) -> None:
        """Stop the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _reject_wrong_keys(self, client: Any, **parameters: Any) -> None:
        problem = find_wrong_keys(describe_table(client, **parameters))
        if problem:
            raise LeaseStoreError(
                f"The table {self.name!r} cannot hold leases because {problem}: name another table in lease_store, "
                "such as one created by the playbook labstream.aws.lease_table."
            )


class _DynamoDBRecords(Generic[KeyT, RecordT]):
    """The records of one type in a table."""

    def __init__(self, table: _DynamoDBTable, record_type: RecordType[KeyT, RecordT]) -> None:
        self._table, self._type = table, record_type

    def read(self, keys: Collection[KeyT]) -> dict[KeyT, RecordT]:
        """Return the records of these keys, a hundred of them in each call."""
        items = self._table.map(self._table.batch_get, _split([self._item_key(key) for key in keys], MAX_READ))
        return self._to_records(itertools.chain.from_iterable(items))

    def find(self, scope: str | None, *, include_old: bool = False) -> dict[KeyT, RecordT]:
        """Return all records whose keys begin with ``scope``; if that is None, read the whole table."""
        if scope is None:
            items = self._table.call(
                scan,
                ConsistentRead=True,
                FilterExpression="kind = :kind OR attribute_not_exists(kind)",
                ExpressionAttributeValues=self._table.serialize(**{":kind": self._type.name}),
            )
        else:
            items = self._table.call(
                query,
                ConsistentRead=True,
                KeyConditionExpression="#scope = :scope",
                ExpressionAttributeNames=_SCOPE,
                ExpressionAttributeValues=self._table.serialize(**{":scope": self._type.scope_prefix + scope}),
            )
        return self._to_records(items, include_old)

    def write(self, changes: Sequence[Write[RecordT] | Replace[RecordT]]) -> list[RecordT | Exception | None]:
        """Make the changes at the same time."""
        now = self._table.now()
        return self._table.map(partial(self._write, to_seconds(now) if now else _BEFORE_ALL), changes)

    def purge(self, records: Collection[RecordT]) -> int:
        """Remove these records, unless another run has replaced them meanwhile.

        All are tried before the first error is raised.
        """
        return self._change_all(self._delete, records)

    def _change_all(self, function: Callable[[Any], int], values: Iterable[Any]) -> int:
        """Call the function for all values, and return how many records were changed, before the first error is raised.

        Raises:
            LeaseStoreError: A call failed.
        """

        def try_it(value: Any) -> tuple[int, LeaseStoreError | None]:
            try:
                return function(value), None
            except LeaseStoreError as e:
                return 0, e

        outcomes = self._table.map(try_it, values)
        changed = sum(number for number, _error in outcomes)
        for _number, error in outcomes:
            if error:
                raise LeaseStoreError(str(error), changed) from error
        return changed

    def _write(self, now: int, change: Write[RecordT] | Replace[RecordT]) -> RecordT | Exception | None:
        try:
            for _attempt in range(MAX_ATTEMPTS):
                existing = self._put(now, change)
                if existing is not None or isinstance(change, Replace):
                    return existing
        except Exception as e:
            return e
        return LeaseStoreError(
            f"Other runs kept writing and purging the record of {change.record.key[1]!r} in the table "
            f"{self._table.name!r} while it was being written: let one run at a time use this lab, then run again."
        )

    def _put(self, now: int, change: Write[RecordT] | Replace[RecordT]) -> RecordT | None:
        """Write the record on the change's condition.

        Returns:
            The record that its key then has, None if that was gone right after it was in the way.
        """
        record, key = change.record, self._item_key(change.record.key)
        item = self._to_item(record)
        values: dict[str, Any] = {":expected": change.expected or _NO_ID}
        if isinstance(change, Write):
            values.update({":mine": self._type.get_id(record), ":now": now})
        existing = self._table.call(
            _unless_in_the_way,
            put_item,
            Item=item,
            ConditionExpression=_MAY_WRITE if isinstance(change, Write) else _MAY_REPLACE,
            ExpressionAttributeNames={"#id": self._type.id_name},
            ExpressionAttributeValues=self._table.serialize(**values),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        if existing is None:
            return record
        found = existing or self._table.call(get_item, Key=key, ConsistentRead=True).get("Item")
        return self._to_record(found) if found else None

    def _delete(self, record: RecordT) -> int:
        return self._table.call(
            _count_deleted,
            Key=self._item_key(record.key),
            ConditionExpression=_MAY_DELETE,
            ExpressionAttributeNames={"#id": self._type.id_name},
            ExpressionAttributeValues=self._table.serialize(**{":id": self._type.get_id(record)}),
            ReturnValues="ALL_OLD",
        )

    # Records and items

    def _item_key(self, key: KeyT) -> dict[str, Any]:
        scope, holder, *last = [str(part) for part in key]
        return self._table.serialize(
            scope=self._type.scope_prefix + scope, holder=" ".join([holder, *filter(None, last)])
        )

    def _to_item(self, record: RecordT) -> dict[str, Any]:
        last_name, last = self._type.key._fields[2], record.key[2]
        values = {
            **self._type.encode(record),
            last_name: None if last == "" else last,
            "kind": self._type.name,
            "delete_after": to_seconds(get_deletion_time(record.expires)),
        }
        return {**self._item_key(record.key), **self._table.serialize(**values)}

    def _to_records(self, items: Iterable[Mapping[str, Any]], include_old: bool = False) -> dict[KeyT, RecordT]:
        """Return the records of the items: as they are visible now, or as they are stored."""
        records = [self._to_record(item) for item in items]
        return to_dict(records, None if include_old else self._table.now())

    def _to_record(self, item: Mapping[str, Any]) -> RecordT:
        scope_name, holder_name, last_name = self._type.key._fields
        try:
            values = self._table.deserialize(item)
            scope, holder, last = values["scope"], values["holder"], values.get(last_name, "")
            values[scope_name] = scope.removeprefix(self._type.scope_prefix)
            values[holder_name] = holder if last == "" else holder.removesuffix(f" {last}")
            return self._type.from_values({**values, last_name: last})
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as e:
            kind = self._type.name.replace("_", " ")
            raise LeaseStoreError(
                f"The table {self._table.name!r} has an item that is not a {kind}, with the key {_format_key(item)}: "
                "remove it, or name another table in lease_store."
            ) from e


class DynamoDBLeaseStore(_DynamoDBRecords[LeaseKey, Lease]):
    """A lease store in a DynamoDB table.

    Args:
        client: A botocore client for DynamoDB.
        table: The table's name or ARN.
        now: Returns the time that a service has said, None as long as none has.
        concurrency: How many calls to make at the same time.
    """

    def __init__(self, client: Any, table: str, *, now: Callable[[], datetime | None], concurrency: int) -> None:
        super().__init__(_DynamoDBTable(client, table, now, concurrency), LEASES)
        self.now = now

    def release(self, leases: Collection[Lease]) -> int:
        """Wipe the URLs of these leases and mark them released, unless another run has replaced them meanwhile.

        All are tried before the first error is raised.
        """
        return self._change_all(partial(self._release, to_seconds(self.now() or utc_now())), leases)

    def _release(self, now: int, lease: Lease) -> int:
        in_the_way = self._table.call(
            _unless_in_the_way,
            update_item,
            Key=self._item_key(lease.key),
            ConditionExpression="lease_id = :lease_id",
            UpdateExpression="SET released_at = :now REMOVE #url",
            ExpressionAttributeNames=_URL,
            ExpressionAttributeValues=self._table.serialize(**{":now": now, ":lease_id": lease.lease_id}),
        )
        return int(in_the_way is None)

    def records(self, record_type: RecordType[KeyT, RecordT]) -> _DynamoDBRecords[KeyT, RecordT]:
        """Return the records of another type in this table."""
        return _DynamoDBRecords(self._table, record_type)

    def check(self, change: Change = "write") -> None:
        """Reject a table that is missing or has other keys, or that the credentials are not authorized to change so."""
        self._table.check(change)

    def close(self) -> None:
        """Stop the threads."""
        self._table.close()


def _unless_in_the_way(function: Callable[..., Any], client: Any, **parameters: Any) -> dict[str, Any] | None:
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


def _count_deleted(client: Any, **parameters: Any) -> int:
    """Return how many items a conditional DeleteItem has removed, also if that was an attempt whose reply was lost."""
    try:
        response = delete_item(client, **parameters)
    except AnsibleLeaseTableError as e:
        if e.code != CONDITION_FAILED:
            raise
        return 0
    was_repeated = response["ResponseMetadata"].get("RetryAttempts", 0) > 0
    return int("Attributes" in response or was_repeated)


def _format_key(item: Mapping[str, Any]) -> str:
    """Return an item's key for a message. No URL is in a key."""
    return quote(" ".join(str(next(iter(item[name].values()), "")) for name in ("scope", "holder") if item.get(name)))


def _split(values: list[Any], size: int) -> Iterator[list[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
