# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The values of the option lease_store."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from ..._errors import InvalidOption, quote

NONE = "none"
VARIABLE = "LABSTREAM_LEASE_STORE"
DEFAULT_LEASE_STORE = "sqlite:///~/.ansible/labstream/leases.sqlite3"

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_TABLE_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:([a-z0-9-]+):[0-9]{12}:table/[A-Za-z0-9_.-]{3,255}", re.ASCII)
_PARAMETERS = ("region", "endpoint_url", "profile")


@dataclass(frozen=True)
class SQLiteFile:
    """A SQLite file; a leading ``/~`` stands for the home of the user that the task runs as."""

    path: str

    @property
    def files(self) -> list[str]:
        """The real path of the file, then those of the files that SQLite keeps beside it."""
        return [os.path.realpath(expand_path(self.path)) + suffix for suffix in ("", "-journal", "-wal", "-shm")]


@dataclass(frozen=True)
class LeaseTable:
    """A DynamoDB table, by its name or its ARN, and how to connect to it; None stands for the task's own settings."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None


def is_table_name(name: str) -> bool:
    """Return whether DynamoDB accepts the name of a table (CreateTable)."""
    return _TABLE_NAME.fullmatch(name) is not None


def expand_path(path: str) -> str:
    """Return the path of a file that an address names, with the user's home folder in place of ``/~``."""
    return os.path.expanduser(re.sub(r"^/+(?=~)|^/+(?=/)", "", path))


def parse_address(lease_store: str | None) -> SQLiteFile | LeaseTable | None:
    """Return what the option names: ``sqlite:///PATH``, ``dynamodb://TABLE?PARAMETERS``, or None for ``none``.

    If nothing is named, it is the default file.

    Raises:
        InvalidOption: Says what is wrong with it.
    """
    if lease_store == NONE:
        return None
    if lease_store == "" == os.environ.get(VARIABLE):
        raise InvalidOption(f"The environment variable {VARIABLE} is empty: name a lease store in it, or unset it.")
    lease_store = DEFAULT_LEASE_STORE if lease_store is None else lease_store
    scheme, _separator, rest = lease_store.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/") and "\0" not in rest:
        return SQLiteFile(rest)
    # Not by urlsplit, which would take parts of an ARN for a port and a path.
    if scheme == "dynamodb" and rest:
        table, _separator, query = rest.partition("?")
        return _parse_table(lease_store, table, query)
    raise InvalidOption(
        f"lease_store is {lease_store!r}, which is not a lease store: use sqlite:///PATH, such as "
        f"{DEFAULT_LEASE_STORE}, or dynamodb://TABLE, or {NONE}."
    )


def _parse_table(lease_store: str, table: str, query: str) -> LeaseTable:
    def invalid(what: str) -> InvalidOption:
        return InvalidOption(
            f"lease_store is {lease_store!r}, but {what}: write it like dynamodb://TABLE?region=eu-central-1."
        )

    arn = _TABLE_ARN.fullmatch(table)
    if not arn and not is_table_name(table):
        raise invalid(f"{quote(table)} is neither the name nor the ARN of a DynamoDB table")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as e:
        raise invalid(f"{quote(query)} is not a list of NAME=VALUE, joined by &") from e
    names, parameters = [name for name, _value in pairs], dict(pairs)
    for name, value in pairs:
        if name not in _PARAMETERS:
            raise invalid(f"it accepts {', '.join(_PARAMETERS)} and not {quote(name)}")
        if not value or names.count(name) > 1:
            raise invalid(f"{name} is empty or given twice")
    endpoint_url = parameters.get("endpoint_url")
    if endpoint_url is not None and not _is_http_url(endpoint_url):
        raise invalid(f"endpoint_url is {quote(endpoint_url)}, which is not an http or https URL")
    if arn and parameters.setdefault("region", arn[1]) != arn[1]:
        raise invalid(f"the table is in the region {arn[1]}, and its parameter region is {quote(parameters['region'])}")
    return LeaseTable(table, **parameters)


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
