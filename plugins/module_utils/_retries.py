# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What is retried otherwise than by botocore: incomplete responses, and errors that no other attempt can change."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

try:
    from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError, SSLError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ._errors import IncompleteResponse, InvalidOption, quote
from ._network_time import build_timeout, is_read_only

# Those that a repetition leaves as they are: what is revoked stays so, and each write to a lease table has a condition
# by which it recognizes what it has written itself.
_REPEATABLE = frozenset({"DeleteItem", "PutItem", "RevokeStreamUrl", "UpdateItem"})

# urllib3's words for a connection that was closed before the response began.
_CLOSED_BEFORE = "Connection aborted."


@dataclass(frozen=True)
class RetryRules:
    """The rules for one client.

    Attributes:
        client: The client.
        is_known_region: Returns whether the service is known to be available in a region.
        delays: The seconds before each attempt but the first.
    """

    client: Any
    is_known_region: Callable[[str], bool]
    delays: Sequence[float]

    def register(self) -> None:
        """Let the client follow these rules."""
        events, service = self.client.meta.events, self.client.meta.service_model.service_id.hyphenize()
        events.register(f"before-parse.{service}", _replace_incomplete_body)
        events.register_first(f"needs-retry.{service}", self._delay_or_reject)

    def _delay_or_reject(
        self, response: Any, caught_exception: Exception | None, attempts: int, operation: Any, **_kwargs: Any
    ) -> float | None:
        """Return the seconds to wait before another attempt; None to leave it to botocore.

        Raises:
            IncompleteResponse: The response broke off, and another attempt might do again what was done.
            InvalidOption: There is no such region.
            SSLError: The connection is not safe.
            CallTimeout: There was no response in time, and another attempt might do again what was done.
        """
        if caught_exception:
            self._reject_lasting(caught_exception)
        if isinstance(caught_exception, ReadTimeoutError) and not is_repeatable(operation):
            meta = self.client.meta
            host, seconds = urlsplit(meta.endpoint_url).netloc, meta.config.read_timeout
            raise build_timeout(operation.name, host, seconds) from caught_exception
        if response:
            is_incomplete = _is_incomplete(response[0].status_code, response[0].headers, response[0].content)
        else:
            is_incomplete = _is_closed_within(caught_exception)
        if not is_incomplete:
            return None
        if not is_repeatable(operation) or attempts > len(self.delays):
            raise IncompleteResponse("it ended too early") from caught_exception
        return self.delays[attempts - 1]

    def _reject_lasting(self, error: Exception) -> None:
        if isinstance(error, SSLError) and not isinstance(get_ssl_reason(error), ssl.SSLEOFError):
            raise error
        region, host = self.client.meta.region_name, self.client.meta.endpoint_url
        if isinstance(error, EndpointConnectionError) and region in host and not self.is_known_region(region):
            raise InvalidOption(
                f"{host} cannot be reached, and {self.client.meta.service_model.service_name} is not known to be "
                f"available in region {quote(region)}: correct region."
            ) from error


def is_repeatable(operation: Any) -> bool:
    """Return whether an operation, as a botocore model, can be repeated without harm, though it may have been done."""
    return is_read_only(operation.name) or operation.name in _REPEATABLE or bool(operation.idempotent_members)


def get_ssl_reason(error: SSLError) -> Exception | None:
    """Return what Python's ssl module, or the reading of the certificates, raised."""
    return _get_arguments_of_reason(error)[0]


def _get_arguments_of_reason(error: Any) -> tuple[Any, ...]:
    """Return the arguments of the exception of urllib3 that an exception of botocore has."""
    return getattr(error.kwargs.get("error"), "args", ()) or (None,)


def _is_closed_within(error: Exception | None) -> bool:
    """Return whether the connection was closed within a response, and not before it."""
    return isinstance(error, ConnectionClosedError) and _get_arguments_of_reason(error)[0] != _CLOSED_BEFORE


def _is_incomplete(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    return status < 300 and headers.get("Content-Length") not in (None, str(len(body)))


def _replace_incomplete_body(response_dict: dict[str, Any], operation_model: Any, **_kwargs: Any) -> None:
    """Let botocore parse an empty structure instead of half a response, of which it may raise an error."""
    if _is_incomplete(response_dict["status_code"], response_dict["headers"], response_dict["body"]):
        protocol = getattr(operation_model.service_model, "resolved_protocol", "")
        response_dict["body"] = b"\xa0" if protocol.endswith("cbor") else b"{}"
