# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the lease store that a module's option lease_store names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..._client import build_client
from ..._errors import LeaseStoreError
from ..._module import LabstreamAWSModule
from .address import DEFAULT_LEASE_STORE, LeaseTable, SQLiteFile, parse_address
from .base import LeaseStore, NoLeaseStore
from .dynamodb import DynamoDBLeaseStore
from .sqlite import SQLiteLeaseStore

# So many calls at once, for a module that has no option for it.
CONCURRENCY = 16


@contextmanager
def open_lease_store(module: LabstreamAWSModule, *, create: bool) -> Iterator[LeaseStore]:
    """The store, ready for use; it is closed at the end of the context.

    Args:
        module: Whose options say which store, and how to connect to AWS.
        create: Create a file that is absent, but not in check mode; else that is an empty store.

    Raises:
        InvalidOption: lease_store names no store.
        LeaseStoreError: the store cannot be used.
    """
    address = parse_address(module.params["lease_store"])
    _refuse_what_is_thrown_away(module)
    with closing(_opened(module, address, create)) as store:
        yield store


def _opened(module: LabstreamAWSModule, address: SQLiteFile | LeaseTable | None, create: bool) -> LeaseStore:
    if isinstance(address, SQLiteFile):
        return SQLiteLeaseStore(address.path, create=create and not module.check_mode)
    if isinstance(address, LeaseTable):
        return _lease_table(module, address)
    return NoLeaseStore()


def _lease_table(module: LabstreamAWSModule, address: LeaseTable) -> DynamoDBLeaseStore:
    # Never the module's endpoint_url: an endpoint of the service that issues is none of DynamoDB's.
    connection: dict[str, Any] = {"endpoint": address.endpoint_url}
    if address.region:
        connection["region"] = address.region
    if address.profile:
        # Keys that the task has would go before those of the profile.
        connection.update(profile_name=address.profile, aws_access_key_id=None, aws_secret_access_key=None)
        connection.update(aws_session_token=None)
    concurrency = module.params.get("concurrency", CONCURRENCY)
    client = build_client(module, "dynamodb", concurrency, **connection)
    return DynamoDBLeaseStore(client, address.name, concurrency=concurrency)


def _refuse_what_is_thrown_away(module: LabstreamAWSModule) -> None:
    """AWX sets JOB_ID, and throws the container of a job away, with all files that are not mounted."""
    job_id = os.environ.get("JOB_ID")
    if job_id and module.params["lease_store"] == DEFAULT_LEASE_STORE:
        raise LeaseStoreError(
            f"lease_store is the default file {DEFAULT_LEASE_STORE}, but JOB_ID is {job_id}, as in a job of AWX, whose "
            "files are thrown away at its end, so that the next job would issue every URL anew: set lease_store to "
            "dynamodb://TABLE, or to sqlite:///PATH in a folder that is mounted."
        )
