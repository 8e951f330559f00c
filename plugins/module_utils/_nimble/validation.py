# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The arguments of CreateStreamingSessionStream. Botocore checks minimums only. Pure: knows neither AWS nor Ansible.

Source: the service model of botocore 1.35.47.
"""

from __future__ import annotations

from .._errors import InvalidOption, quote
from .._validation import validate_range

MIN_EXPIRATION = 60
MAX_EXPIRATION = 3600
MAX_CLIENT_TOKEN_LENGTH = 64
# The API's own ids have 22 characters; it documents no limit.
MAX_ID_LENGTH = 256


def validate_id(option: str, value: str) -> None:
    """Reject an id that cannot be one segment of a URL's path.

    Raises:
        InvalidOption: names the value.
    """
    is_part = value.isprintable() and not set(value) & set("/ ") and value not in (".", "..")
    if not is_part or not 0 < len(value) <= MAX_ID_LENGTH:
        raise InvalidOption(
            f"{option} is {quote(value)}, but an id is text of 1 to {MAX_ID_LENGTH} characters without spaces and "
            "slashes, and not '.' or '..'."
        )


def validate_expiration(expiration_in_seconds: int) -> None:
    """Reject a validity that the service does not grant.

    Raises:
        InvalidOption: names the value.
    """
    validate_range("expiration_in_seconds", expiration_in_seconds, MIN_EXPIRATION, MAX_EXPIRATION, "(one hour)")


def validate_client_token(client_token: str) -> None:
    """Reject a token that the service does not accept, or that no HTTP header can carry as it is.

    Raises:
        InvalidOption: names the value.
    """
    is_plain = client_token.isascii() and client_token.isprintable() and client_token == client_token.strip()
    if not (1 <= len(client_token) <= MAX_CLIENT_TOKEN_LENGTH and is_plain):
        raise InvalidOption(
            f"client_token is {quote(client_token)} (length {len(client_token)}), but it must have 1 to "
            f"{MAX_CLIENT_TOKEN_LENGTH} printable ASCII characters, and no space at its ends."
        )
