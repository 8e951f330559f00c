# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that speak DynamoDB, for tests: the simulator's, and dynalite, which others have written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any
from unittest.mock import patch

import boto3.session
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb import DynamoDBLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb_table import KEYS
from botocore.config import Config

from tests.simulator.control import CHECKOUT, Simulator
from tests.unit.plugins.module_utils.support import NOW

REGION = "eu-central-1"
# One for all clients, since a new one reads megabytes of JSON.
SESSION = boto3.session.Session()
DYNALITE = CHECKOUT / "build" / "dynalite"


class DynamoDB:
    """A service at ``endpoint_url``, with a client whose calls are tried once."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url

    @cached_property
    def client(self) -> Any:
        return self.new_client()

    def new_client(self, *, attempts: int = 1, **options: Any) -> Any:
        """A client whose calls are tried so often."""
        retries = {"mode": "standard", "total_max_attempts": attempts}
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", **options}
        config = Config(retries=retries, max_pool_connections=16)
        return SESSION.client("dynamodb", region_name=REGION, endpoint_url=self.endpoint_url, config=config, **keys)

    def create_table(self, keys: tuple[tuple[str, str, str], ...] = KEYS) -> str:
        """A new table with these keys, for leases if not given; returns its name."""
        name = f"leases-{uuid.uuid4().hex}"
        self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind, _type in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": type_} for name, _kind, type_ in keys],
        )
        waiter = self.client.get_waiter("table_exists")
        waiter.wait(TableName=name, WaiterConfig={"Delay": 0.01, "MaxAttempts": 1000})
        return name

    def store(self, table: str, client: Any = None, *, now: Callable[[], datetime] = lambda: NOW) -> DynamoDBLeaseStore:
        """The store in that table; by that client, or by the one whose calls are tried once."""
        return DynamoDBLeaseStore(client or self.client, table, now=now, concurrency=16)

    def items(self, table: str) -> list[dict[str, Any]]:
        """What is in a table of few items, as it is there."""
        return self.client.scan(TableName=table, ConsistentRead=True)["Items"]


@contextmanager
def simulator_process() -> Iterator[Simulator]:
    """A simulator. It needs moto, which is in the newest environment only, whatever runs the tests."""
    python = CHECKOUT / "build" / "venv" / "bin" / "python"
    with ExitStack() as stack:
        with patch.object(sys, "executable", str(python)):
            simulator = stack.enter_context(Simulator.start())
        yield simulator


def why_no_dynalite() -> str | None:
    """Why dynalite cannot be started; None if it can."""
    if shutil.which("node") is None:
        return "dynalite needs node, which is not there"
    return None if (DYNALITE / ".stamp").exists() else "dynalite is not there: run tools/environments.py dynalite"


@contextmanager
def dynalite_process() -> Iterator[DynamoDB]:
    """A dynalite."""
    environment = {**os.environ, "NODE_PATH": str(DYNALITE / "node_modules")}
    script = CHECKOUT / "tests" / "dynalite" / "server.js"
    # It ends when its stdin does, so also when this process is killed.
    with subprocess.Popen(
        ["node", str(script)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield DynamoDB(json.loads(process.stdout.readline())["endpoint_url"])
        process.stdin.close()
