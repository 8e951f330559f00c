# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moto's DynamoDB lacks: writes that are atomic, policies for a single table, errors that a client understands,
and fast replies.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import wraps

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

_authorized_by_moto = DynamoHandler._authenticate_and_authorize_normal_action
_read_by_moto = DynamoHandler.batch_get_item
_written_by_moto = {
    name: getattr(DynamoHandler, name)
    for name in ("batch_write_item", "delete_item", "put_item", "transact_write_items", "update_item")
}
_writing = threading.Lock()


def register() -> None:
    """Have moto's handler do what is said here."""
    DynamoHandler._determine_resource = _table_arn
    DynamoHandler._authenticate_and_authorize_normal_action = _authorize
    DynamoHandler.batch_get_item = _batch_get_item
    for name, write in _written_by_moto.items():
        setattr(DynamoHandler, name, one_at_a_time(write))


def _table_arn(handler: DynamoHandler) -> str:
    """The ARN of the table that the call names; of the first, if it names several; ``*`` if it names none."""
    parameters = handler.params
    name = parameters.get("TableName") or next(iter(parameters.get("RequestItems", {})), None)
    if name is None:
        return parameters.get("ResourceArn", "*")
    account, region = handler.current_account, handler.region
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def _batch_get_item(handler: DynamoHandler) -> str:
    """moto's serializer takes 0.1 s for a hundred items, although they are already as they go over the wire."""
    return json.dumps(_read_by_moto(handler).result)


def _authorize(handler: DynamoHandler, resource: str = "*") -> None:
    try:
        _authorized_by_moto(handler, resource)
    except HTTPException as error:  # its text is XML
        raise JsonRESTError("AccessDeniedException", getattr(error, "message", "Access denied.")) from error


def one_at_a_time(write: Callable[[DynamoHandler], str]) -> Callable[[DynamoHandler], str]:
    """In moto, two threads may both find that the condition holds, and then both write."""

    @wraps(write)
    def locked(handler: DynamoHandler) -> str:
        with _writing:
            return write(handler)

    return locked
