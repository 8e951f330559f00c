# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lease stores as tests read them: without the code that is tested."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer

from tests.simulator.control import Simulator

TABLE = "labstream-leases"
KEYS = {"scope": "HASH", "holder": "RANGE"}
DAYS_KEPT = 30
# What every lease of a URL has, and what some have.
ALWAYS = {"kind", "scope", "holder", "lease_id", "url_sha256", "issued", "expires", "delete_after"}
SOMETIMES = {"url", "validity", "released_at", "purpose", "purpose_sha256"}


class Store(Protocol):
    """A lease store; ``url`` is what ``lease_store`` is set to."""

    @property
    def url(self) -> str: ...

    def urls(self) -> dict[str, str]:
        """The streaming URLs that it holds, by holder; AssertionError if the store is damaged."""


@dataclass(frozen=True)
class LeaseFile:
    """A SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite://{self.path}"

    def urls(self) -> dict[str, str]:
        """See ``Store``. A store that no run has got to yet holds none."""
        if not self.path.exists():
            return {}
        with closing(sqlite3.connect(self.path, timeout=30)) as database:
            check = database.execute("PRAGMA integrity_check").fetchall()
            assert check == [("ok",)], check
            if not database.execute("SELECT name FROM sqlite_master").fetchall():
                return {}
            return dict(database.execute("SELECT holder, url FROM lease WHERE url IS NOT NULL"))


@dataclass(frozen=True)
class LeaseTable:
    """A DynamoDB table, reached by a boto3 client of the account and region where it is."""

    client: Any
    name: str = TABLE

    @classmethod
    def create(cls, simulator: Simulator, region: str = "us-east-1", **credentials: str) -> LeaseTable:
        """Make the table. ``credentials`` are boto3's names for keys."""
        client = simulator.client("dynamodb", region, **credentials)
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEYS.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
            BillingMode="PAY_PER_REQUEST",
        )
        return cls(client)

    @property
    def url(self) -> str:
        return f"dynamodb://{self.name}"

    def items(self) -> list[dict[str, Any]]:
        """The items as they are, sorted by key, each with its attributes as DynamoDB types them."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"]]
        return sorted(items, key=lambda item: [item[name]["S"] for name in KEYS])

    def leases(self) -> list[dict[str, Any]]:
        """The leases in Python's types; AssertionError if one is no lease of a URL."""
        plain = TypeDeserializer().deserialize
        leases = [{name: plain(value) for name, value in item.items()} for item in self.items()]
        leases = [lease for lease in leases if lease["kind"] == "lease"]
        for lease in leases:
            assert lease.keys() >= ALWAYS, sorted(ALWAYS - lease.keys())
            assert lease.keys() <= ALWAYS | SOMETIMES, sorted(lease.keys() - ALWAYS - SOMETIMES)
            assert ("url" in lease) is not ("released_at" in lease), lease["holder"]
            if "url" in lease:
                assert hashlib.sha256(lease["url"].encode()).hexdigest() == lease["url_sha256"], lease["holder"]
            assert lease["issued"] < lease["expires"], lease["holder"]
            assert lease["delete_after"] - lease["expires"] == DAYS_KEPT * 24 * 60 * 60, lease["holder"]
        return leases

    def urls(self) -> dict[str, str]:
        """See ``Store``."""
        return {lease["holder"]: lease["url"] for lease in self.leases() if "url" in lease}
