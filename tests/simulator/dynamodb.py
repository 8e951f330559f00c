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
from typing import Any
from xml.etree import ElementTree

from moto.core.common_types import TYPE_RESPONSE
from moto.dynamodb import urls
from moto.dynamodb.responses import DynamoHandler
from moto.utilities.aws_headers import amz_crc32

_writing = threading.Lock()


def register() -> None:
    """Have moto answer calls to DynamoDB by this handler."""
    urls.url_paths.update(dict.fromkeys(urls.url_paths, Handler.dispatch))


def one_at_a_time(write: Callable[[DynamoHandler], Any]) -> Callable[[DynamoHandler], Any]:
    """In moto, two threads may both find that the condition holds, and then both write."""

    @wraps(write)
    def locked(handler: DynamoHandler) -> Any:
        with _writing:
            return write(handler)

    return locked


class Handler(DynamoHandler):
    """moto's, but for what is said above."""

    batch_write_item = one_at_a_time(DynamoHandler.batch_write_item)
    delete_item = one_at_a_time(DynamoHandler.delete_item)
    put_item = one_at_a_time(DynamoHandler.put_item)
    transact_write_items = one_at_a_time(DynamoHandler.transact_write_items)
    update_item = one_at_a_time(DynamoHandler.update_item)

    def batch_get_item(self) -> str:
        """moto's serializer takes 0.1 s for a hundred items, although they are already as they go over the wire."""
        return json.dumps(super().batch_get_item().result)

    @amz_crc32
    def call_action(self) -> TYPE_RESPONSE:
        """moto rejects in XML what no policy allows."""
        status, headers, body = super().call_action()
        if status != 403:
            return status, headers, body
        message = ElementTree.fromstring(body).findtext(".//Message")
        return 400, {}, json.dumps({"__type": "AccessDeniedException", "message": message})

    def _determine_resource(self) -> str:
        """Return the ARN of the table that the call names; of the first, if it names several; ``*`` if it names none.

        moto looks for a method of this name in a service, by default for a policy for all of them.
        """
        name = self.params.get("TableName") or next(iter(self.params.get("RequestItems", {})), None)
        if name is None:
            return str(self.params.get("ResourceArn", "*"))
        account, region = self.current_account, self.region
        return str(name if name.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{name}")
