# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lease store the option lease_store names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from ..._errors import InvalidOption, quote

NONE = "none"
DEFAULT_LEASE_STORE = "sqlite:///~/.ansible/labstream/leases.sqlite3"

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_TABLE_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:([a-z0-9-]+):[0-9]{12}:table/[A-Za-z0-9_.-]{3,255}", re.ASCII)
_PARAMETERS = ("region", "endpoint_url", "profile")


@dataclass(frozen=True)
class SQLiteFile:
    """A SQLite file; a leading ``/~`` stands for the home of the user who runs the task."""

    path: str


@dataclass(frozen=True)
class LeaseTable:
    """A DynamoDB table, by its name or its ARN, and how it is reached; None stands for what the task says."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None


def is_table_name(name: str) -> bool:
    """Whether DynamoDB could have a table of this name (CreateTable)."""
    return _TABLE_NAME.fullmatch(name) is not None


def parse_address(lease_store: str) -> SQLiteFile | LeaseTable | None:
    """What the option names: ``sqlite:///PATH``, ``dynamodb://TABLE?PARAMETERS``, or None for ``none``.

    Raises:
        InvalidOption: it names no store; says what is wrong with it.
    """
    if lease_store == NONE:
        return None
    scheme, _separator, rest = lease_store.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/") and "\0" not in rest:
        return SQLiteFile(rest)
    # Not by urlsplit, which would take what is in an ARN for a port and a path.
    if scheme == "dynamodb" and rest:
        table, _separator, query = rest.partition("?")
        return _lease_table(lease_store, table, query)
    raise InvalidOption(
        f"lease_store is {lease_store!r}, which names no lease store: use sqlite:///PATH, such as "
        f"{DEFAULT_LEASE_STORE}, or dynamodb://TABLE, or {NONE}."
    )


def _lease_table(lease_store: str, table: str, query: str) -> LeaseTable:
    def refusal(what: str) -> InvalidOption:
        return InvalidOption(
            f"lease_store is {lease_store!r}, but {what}: write it like dynamodb://TABLE?region=eu-central-1."
        )

    arn = _TABLE_ARN.fullmatch(table)
    if not arn and not is_table_name(table):
        raise refusal(f"{quote(table)} is neither the name nor the ARN of a DynamoDB table")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as e:
        raise refusal(f"{quote(query)} is no list of NAME=VALUE, joined by &") from e
    names, parameters = [name for name, _value in pairs], dict(pairs)
    for name, value in pairs:
        if name not in _PARAMETERS:
            raise refusal(f"it takes {', '.join(_PARAMETERS)} and no {quote(name)}")
        if not value or names.count(name) > 1:
            raise refusal(f"{name} is empty or given twice")
    endpoint_url = parameters.get("endpoint_url")
    if endpoint_url is not None and not _is_http_url(endpoint_url):
        raise refusal(f"endpoint_url is {quote(endpoint_url)}, which is no http or https URL")
    if arn and parameters.setdefault("region", arn[1]) != arn[1]:
        raise refusal(f"the table is in the region {arn[1]}, and region is {quote(parameters['region'])}")
    return LeaseTable(table, **parameters)


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
