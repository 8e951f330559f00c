# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The arguments of CreateStreamingURL. Pure: knows neither AWS nor Ansible.

Botocore checks minimums only, and the service issues a URL for an invalid user id that then fails in the browser.

Sources: the service model of botocore, and the API reference of CreateStreamingURL.
"""

from __future__ import annotations

import re

from .._errors import InvalidOption, quote
from .._validation import validate_range

DEFAULT_VALIDITY = 60
MAX_VALIDITY = 604_800

USER_ID = re.compile(r"[\w+=,.@-]{2,32}", re.ASCII)
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}", re.ASCII)


def validate_name(option: str, name: str) -> None:
    """Reject a name that no stack or fleet can have.

    Raises:
        InvalidOption: names the value.
    """
    if not NAME.fullmatch(name):
        raise InvalidOption(
            f"{option} is {quote(name)}, but a name has 1 to 101 letters, digits, underscores, dots and hyphens and "
            "begins with a letter or digit."
        )


def validate_user_id(user_id: str) -> None:
    """Reject a user id that the service would accept, but whose URL would fail in the learner's browser.

    Raises:
        InvalidOption: names the value.
    """
    if not USER_ID.fullmatch(user_id):
        raise InvalidOption(
            f"user_id is {quote(user_id)} (length {len(user_id)}), but it must have 2 to 32 characters out of "
            "A-Z a-z 0-9 _ + = , . @ -: make one with the filter labstream.aws.appstream_user_id."
        )


def validate_validity(validity: int) -> None:
    """Reject a validity that the service does not grant.

    Raises:
        InvalidOption: names the value.
    """
    validate_range("validity", validity, 1, MAX_VALIDITY, "seconds (7 days)")
