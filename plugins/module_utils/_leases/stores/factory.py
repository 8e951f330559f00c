# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Open the lease store that a module's option lease_store names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from ..._client import ServiceClock, build_client
from ..._errors import LeaseStoreError
from ..._module import LabstreamAWSModule
from .address import DEFAULT_LEASE_STORE, VARIABLE, LeaseTable, SQLiteFile, parse_address
from .base import LeaseStore, NoLeaseStore
from .dynamodb import DynamoDBLeaseStore
from .runners import find_hint, find_runner
from .sqlite import SQLiteLeaseStore

# Calls at the same time, for a module that has no option for it.
CONCURRENCY = 16


@contextmanager
def open_lease_store(
    module: LabstreamAWSModule,
    *,
    create: bool,
    read_only: bool = False,
    service_now: Callable[[], datetime | None] | None = None,
) -> Iterator[LeaseStore]:
    """Open the store; it is closed at the end of the context.

    Args:
        module: Its options say which store, and how to connect to AWS.
        create: Create a file that is absent, but not in check mode; otherwise that is an empty store.
        read_only: Only read, for which no right to write is needed.
        service_now: Returns the time that the service which issues has said, None as long as it has not; never the
            time of this machine. By default, DynamoDB says it for a table, and nobody for a file.

    Raises:
        InvalidOption: lease_store does not name a store.
        LeaseStoreError: The store cannot be used.
    """
    address = parse_address(module.params["lease_store"])
    if module.params["lease_store"] is None:
        _check_default_file(module)
    store: LeaseStore
    if isinstance(address, SQLiteFile):
        now = service_now or (lambda: None)
        create = create and not module.check_mode
        store = SQLiteLeaseStore(address.path, now=now, create=create, read_only=read_only)
    elif isinstance(address, LeaseTable):
        concurrency = module.params.get("concurrency", CONCURRENCY)
        client = _build_table_client(module, address, concurrency)
        now = service_now or ServiceClock(client).confirmed_now
        store = DynamoDBLeaseStore(client, address.name, now=now, concurrency=concurrency)
    else:
        store = NoLeaseStore()
    with closing(store):
        yield store


def _build_table_client(module: LabstreamAWSModule, address: LeaseTable, concurrency: int) -> Any:
    # Never the option endpoint_url: an endpoint of the service that issues is not one of DynamoDB.
    connection: dict[str, Any] = {"endpoint": address.endpoint_url or _endpoint_for_all_services()}
    if address.region:
        connection["region"] = address.region
    if address.profile:
        # Otherwise the keys that the task has would have precedence over those of the profile.
        connection.update(profile_name=address.profile, aws_access_key_id=None, aws_secret_access_key=None)
        connection.update(aws_session_token=None)
    return build_client(module, "dynamodb", concurrency, **connection)


def _endpoint_for_all_services() -> str | None:
    """Return the endpoint that modules of amazon.aws use for every service; None if there is none, or one of DynamoDB.

    Botocore reads AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_DYNAMODB by itself, but not AWS_URL.
    """
    return None if os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") else os.environ.get("AWS_URL") or None


def _check_default_file(module: LabstreamAWSModule) -> None:
    """Reject the default file where a runner deletes it with the job, and warn where that might be.

    Raises:
        LeaseStoreError: Names the sign of the runner.
    """
    remedy = (
        f"Set lease_store or {VARIABLE} to dynamodb://TABLE, or to sqlite:///PATH in a folder that is kept, such as "
        f"{DEFAULT_LEASE_STORE} if the home is kept."
    )
    if runner := find_runner(os.environ):
        raise LeaseStoreError(
            f"No lease store is named, and the default file is probably deleted with this job, since {runner}. {remedy}"
        )
    if hint := find_hint(os.environ):
        module.warn(
            f"No lease store is named, and the default file may be deleted with this job, since {hint}. {remedy}"
        )
