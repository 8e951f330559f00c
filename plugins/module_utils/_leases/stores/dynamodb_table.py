# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The DynamoDB table for leases: its keys, its settings, and the calls that create and change it.

A setting has the name of the module's option for it, or of its entry in the diff: ``billing_mode``,
``deletion_protection``, ``kms_key_id``, ``time_to_live`` (the attribute by which items expire) and ``tags``. Source:
the API reference of DynamoDB (CreateTable, UpdateTable, UpdateTimeToLive).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from ..._errors import InvalidOption, LeaseStoreError, quote
from ..._service_errors import ServiceError, ServiceErrorHandler, call, get_member, list_all
from .address import is_table_name

SERVICE = "dynamodb"
# Name, kind and type. The store defines what they hold.
KEYS = (("scope", "HASH", "S"), ("holder", "RANGE", "S"))
# These are the same for every lease table.
ON_DEMAND = "PAY_PER_REQUEST"
EXPIRES_BY = "delete_after"

ACTIVE = "ACTIVE"
_PASSING = ("CREATING", "UPDATING")
# In seconds. A table without items is ACTIVE after a few.
MAX_WAIT, PAUSE = 300, 2

# The limits for tags of all AWS resources.
MAX_TAGS, MAX_TAG_KEY_LENGTH, MAX_TAG_VALUE_LENGTH = 50, 128, 256

# Not an alias, which can be moved to another key, and cannot be compared with the key of the table.
_KMS_KEY = re.compile(r"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?[A-Za-z0-9-]{1,64}", re.ASCII)


_LOWER_RATE = "switch the table to on-demand billing, or lower concurrency, then run again"


class AnsibleLeaseTableError(ServiceError):
    """A call to DynamoDB, for the lease table, failed."""

    iam_prefix = "dynamodb"
    resources = "the lease table"
    remedies: ClassVar[Mapping[str, str]] = {
        "ProvisionedThroughputExceededException": _LOWER_RATE,
        "RequestLimitExceeded": _LOWER_RATE,
        "ResourceInUseException": "the table is being changed, so wait until that is done, then run again",
        "ResourceNotFoundException": "create it with the playbook labstream.aws.lease_table, or correct its name and "
        "region, and check that the credentials belong to the right account",
        "ThrottlingException": _LOWER_RATE,
    }

    def explain(self) -> str:
        """Return why the call failed. A denied key is not an action that a policy lacks."""
        said = self.service_message
        if self.code.startswith("AccessDenied") and "KMS" in said:
            return (
                f"the credentials are not authorized to use the KMS key of the table ({said}): allow that in their "
                "IAM policy."
            )
        return super().explain()


class LeaseTableErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one DynamoDB call each."""

    _CUSTOM_EXCEPTION = AnsibleLeaseTableError


@dataclass(frozen=True)
class Table:
    """A table as DynamoDB describes it. ``keys`` are names, kinds and types; ``kms_key_arn`` is None for AWS's key."""

    arn: str
    status: str
    keys: tuple[tuple[str, str, str], ...]
    billing_mode: str
    deletion_protection: bool
    kms_key_arn: str | None


@LeaseTableErrorHandler.common_error_handler("describe the table")
def describe_table(client: Any, **parameters: Any) -> Table:
    """Return the table (DescribeTable)."""
    return _parse_table(call(client.describe_table, **parameters))


@LeaseTableErrorHandler.list_error_handler("describe the table {name!r}")
def get_table(client: Any, name: str) -> Table | None:
    """Return the table of that name (DescribeTable), or None."""
    return _parse_table(call(client.describe_table, TableName=name))


def _parse_table(response: Mapping[str, Any]) -> Table:
    described = get_member(response, "Table")
    definitions = described.get("AttributeDefinitions", [])
    types = {get_member(each, "AttributeName"): get_member(each, "AttributeType") for each in definitions}
    names = [(get_member(key, "AttributeName"), get_member(key, "KeyType")) for key in described.get("KeySchema", [])]
    return Table(
        arn=get_member(described, "TableArn"),
        status=get_member(described, "TableStatus"),
        keys=tuple((attribute, kind, get_member(types, attribute)) for attribute, kind in names),
        # A table that has always been provisioned has no summary.
        billing_mode=described.get("BillingModeSummary", {}).get("BillingMode") or "PROVISIONED",
        deletion_protection=bool(described.get("DeletionProtectionEnabled")),
        kms_key_arn=described.get("SSEDescription", {}).get("KMSMasterKeyArn"),
    )


@LeaseTableErrorHandler.common_error_handler("create the table {name!r}")
def create_table(client: Any, name: str, **parameters: Any) -> None:
    """Create the table (CreateTable)."""
    call(client.create_table, TableName=name, **parameters)


@LeaseTableErrorHandler.common_error_handler("change the table {name!r}")
def update_table(client: Any, name: str, **parameters: Any) -> str:
    """Change the table, and return its status then (UpdateTable)."""
    response = call(client.update_table, TableName=name, **parameters)
    return get_member(get_member(response, "TableDescription"), "TableStatus")


@LeaseTableErrorHandler.common_error_handler("read the time to live of the table {name!r}")
def describe_time_to_live(client: Any, name: str) -> tuple[str, str | None]:
    """Return its status, and the attribute by which items expire or once expired (DescribeTimeToLive)."""
    described = get_member(call(client.describe_time_to_live, TableName=name), "TimeToLiveDescription")
    return get_member(described, "TimeToLiveStatus"), described.get("AttributeName")


@LeaseTableErrorHandler.common_error_handler("set the time to live of the table {name!r}")
def update_time_to_live(client: Any, name: str, attribute: str) -> None:
    """Let items expire by that attribute (UpdateTimeToLive)."""
    specification = {"Enabled": True, "AttributeName": attribute}
    call(client.update_time_to_live, TableName=name, TimeToLiveSpecification=specification)


@LeaseTableErrorHandler.common_error_handler("list the tags of the table {arn!r}")
def list_tags(client: Any, arn: str) -> dict[str, str]:
    """Return the table's tags (ListTagsOfResource), all pages."""
    tags = list_all(client, "list_tags_of_resource", "Tags", ResourceArn=arn)
    return {get_member(tag, "Key"): tag.get("Value", "") for tag in tags}


@LeaseTableErrorHandler.common_error_handler("tag the table {arn!r}")
def tag_resource(client: Any, arn: str, tags: Mapping[str, str]) -> None:
    """Add or change these tags (TagResource)."""
    call(client.tag_resource, ResourceArn=arn, Tags=ansible_dict_to_boto3_tag_list(tags))


def validate_table_name(name: str) -> None:
    """Reject a name that no table can have.

    Raises:
        InvalidOption: names the value.
    """
    if not is_table_name(name):
        raise InvalidOption(
            f"name is {quote(name)}, but a table's name has 3 to 255 of the characters a-z, A-Z, 0-9, _, - and the "
            "full stop: correct it."
        )


def validate_tags(tags: Mapping[str, Any] | None) -> None:
    """Reject tags that no table can have.

    Raises:
        InvalidOption: names the tag.
    """
    if tags and len(tags) > MAX_TAGS:
        raise InvalidOption(f"tags has {len(tags)} tags, but a table has at most {MAX_TAGS}.")
    for key, value in (tags or {}).items():
        fits = 0 < len(key) <= MAX_TAG_KEY_LENGTH and len(str(value)) <= MAX_TAG_VALUE_LENGTH
        if not fits or key.startswith("aws:") or not f"{key}{value}".isprintable():
            raise InvalidOption(
                f"tags has {quote(key)}: {quote(value)}, but a key has 1 to {MAX_TAG_KEY_LENGTH} printable "
                f"characters and "
                f"does not begin with aws:, and a value has at most {MAX_TAG_VALUE_LENGTH} of them."
            )


def validate_kms_key_id(kms_key_id: str | None) -> None:
    """Reject what is neither the id nor the ARN of a key.

    Raises:
        InvalidOption: names the value.
    """
    if kms_key_id is not None and not _KMS_KEY.fullmatch(kms_key_id):
        raise InvalidOption(
            f"kms_key_id is {quote(kms_key_id)}, but it must be the id or the ARN of a KMS key, not an alias: look up "
            "the key (DescribeKey)."
        )


def find_wrong_keys(table: Table) -> str | None:
    """Return why the keys of the table do not fit leases; None if they do."""
    if table.keys == KEYS:
        return None
    return f"it has the key {_format_keys(table.keys)}, and leases need {_format_keys(KEYS)}"


def _format_keys(keys: tuple[tuple[str, str, str], ...]) -> str:
    return " and ".join(f"{name} ({kind}, {type_})" for name, kind, type_ in keys)


def lease_store_url(name: str, region: str, endpoint_url: str | None) -> str:
    """Return the value of ``lease_store`` for the table. It has the endpoint, since stores do not use the module's."""
    parameters = {"region": region, **({"endpoint_url": endpoint_url} if endpoint_url else {})}
    return f"dynamodb://{name}?{urlencode(parameters, safe=':/')}"


def find_table(client: Any, name: str) -> Table | None:
    """Return the table once it is ACTIVE; None if it does not exist.

    Raises:
        LeaseStoreError: it cannot hold leases; says why.
    """
    return wait_until_active(client, name) if get_table(client, name) else None


def create(client: Any, name: str, settings: Mapping[str, Any]) -> bool:
    """Create the table, with those of the settings that it can be created with.

    Returns:
        False if another run created it.
    """
    attributes = [{"AttributeName": key, "AttributeType": type_} for key, _kind, type_ in KEYS]
    schema = [{"AttributeName": key, "KeyType": kind} for key, kind, _type in KEYS]
    tags = settings.get("tags")
    try:
        create_table(
            client,
            name,
            AttributeDefinitions=attributes,
            KeySchema=schema,
            **_parameters(settings),
            **({"Tags": ansible_dict_to_boto3_tag_list(tags)} if tags else {}),
        )
    except AnsibleLeaseTableError as e:
        if e.code != "ResourceInUseException":
            raise
        return False
    return True


def wait_until_active(client: Any, name: str) -> Table:
    """Wait until the table is ACTIVE, and return it.

    Raises:
        LeaseStoreError: it is not ACTIVE after MAX_WAIT seconds, never will be, or has other keys.
    """
    deadline = time.monotonic() + MAX_WAIT
    while True:
        table = get_table(client, name)
        # A new table may not be described yet.
        status = table.status if table else "CREATING"
        if table and status == ACTIVE:
            break
        if status not in _PASSING:
            raise LeaseStoreError(
                f"Table {name!r} is {status}, so it cannot hold leases: make it ACTIVE, wait until it is "
                f"deleted, or name "
                "another."
            )
        if time.monotonic() >= deadline:
            raise LeaseStoreError(
                f"Table {name!r} was still {status} after {MAX_WAIT} seconds: wait until it is ACTIVE, then run again."
            )
        time.sleep(PAUSE)
    problem = find_wrong_keys(table)
    if problem:
        raise LeaseStoreError(f"Table {name!r} cannot hold leases, since {problem}: name another table.")
    return table


def get_settings(client: Any, name: str, table: Table, *, with_tags: bool) -> dict[str, Any]:
    """Return the settings that the table has now.

    Raises:
        LeaseStoreError: its time to live cannot be used for leases.
    """
    settings: dict[str, Any] = {
        "billing_mode": table.billing_mode,
        "kms_key_id": table.kms_key_arn,
        "deletion_protection": table.deletion_protection,
        "time_to_live": _time_to_live(client, name),
    }
    if with_tags:
        settings["tags"] = list_tags(client, table.arn)
    return settings


def _time_to_live(client: Any, name: str) -> str | None:
    status, attribute = describe_time_to_live(client, name)
    if status == "DISABLING":
        raise LeaseStoreError(
            f"The time to live of table {name!r} is being disabled, which takes an hour: run again then, or name "
            "another table."
        )
    if status == "DISABLED":
        return None
    if attribute != EXPIRES_BY:
        raise LeaseStoreError(
            f"The items of table {name!r} expire by the attribute {attribute!r}, and leases by {EXPIRES_BY!r}: name "
            "another table, or disable the time to live of this one (UpdateTimeToLive) and run again an hour later."
        )
    return attribute


def compute_changes(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ, with their new values. Tags are added and changed, never removed."""
    target = dict(wanted)
    if "tags" in wanted:
        target["tags"] = {**settings["tags"], **wanted["tags"]}
    if _get_key_id(settings["kms_key_id"]) == _get_key_id(wanted.get("kms_key_id")):
        target.pop("kms_key_id", None)
    return {name: value for name, value in target.items() if value != settings[name]}


def _get_key_id(kms_key_id: str | None) -> str | None:
    return kms_key_id and kms_key_id.rpartition("/")[2]


def change(client: Any, name: str, table: Table, setting: str, value: Any) -> None:
    """Change one setting of an ACTIVE table, and wait until it is ACTIVE again. DynamoDB accepts few of them at once.

    Raises:
        LeaseStoreError: the table does not become ACTIVE.
    """
    if setting == "tags":
        tag_resource(client, table.arn, value)
    elif setting == "time_to_live":
        _expire_by(client, name, value)
    else:
        # The next description may still be an older one that says ACTIVE.
        if update_table(client, name, **_parameters({setting: value})) != ACTIVE:
            time.sleep(PAUSE)
        wait_until_active(client, name)


def _expire_by(client: Any, name: str, attribute: str) -> None:
    try:
        update_time_to_live(client, name, attribute)
    except AnsibleLeaseTableError as e:
        # DynamoDB rejects this if another run has done it meanwhile.
        if e.code != "ValidationException" or _time_to_live(client, name) != attribute:
            raise


def _parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateTable and UpdateTable for those of the settings that they accept."""
    parameters: dict[str, Any] = {}
    if "billing_mode" in settings:
        parameters["BillingMode"] = settings["billing_mode"]
    if "deletion_protection" in settings:
        parameters["DeletionProtectionEnabled"] = settings["deletion_protection"]
    if "kms_key_id" in settings:
        encryption = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": settings["kms_key_id"]}
        parameters["SSESpecification"] = encryption
    return parameters
