# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What botocore would retry in vain."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

try:
    from botocore.exceptions import EndpointConnectionError, SSLError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ._errors import InvalidOption, quote


def reject_lasting_errors(client: Any, is_known_region: Callable[[str], bool]) -> None:
    """Let the client's calls fail at once with errors that no other attempt can change.

    Args:
        client: The client.
        is_known_region: Returns whether the service is known to be available in a region.
    """
    client.meta.events.register_first("needs-retry", partial(_reject, client, is_known_region))


def get_ssl_reason(error: SSLError) -> Exception | None:
    """Return what Python's ssl module, or the reading of the certificates, raised."""
    return next(iter(getattr(error.kwargs.get("error"), "args", ())), None)


def _reject(
    client: Any, is_known_region: Callable[[str], bool], caught_exception: Exception | None, **_kwargs: Any
) -> None:
    if isinstance(caught_exception, SSLError) and not isinstance(get_ssl_reason(caught_exception), ssl.SSLEOFError):
        raise caught_exception
    region, host = client.meta.region_name, client.meta.endpoint_url
    if isinstance(caught_exception, EndpointConnectionError) and region in host and not is_known_region(region):
        raise InvalidOption(
            f"{host} cannot be reached, and {client.meta.service_model.service_name} is not known to be available in "
            f"region {quote(region)}: correct region."
        ) from caught_exception
