# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The arguments of CreateStreamUrl. Botocore checks minimums only. Pure: knows neither AWS nor Ansible.

Source: the service model of botocore 1.44.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .._errors import InvalidOption, quote

MAX_IDENTIFIER_LENGTH = 128
MAX_LOCATION_LENGTH = 20
MAX_SESSION_LENGTH = 24 * 60 * 60
MAX_LAUNCH_ARGS = 100
MAX_VARIABLES = 50
MAX_VARIABLE_NAME_LENGTH = 256
MAX_VARIABLE_LENGTH = 4096
MIN_PIXELS, MAX_PIXELS = 320, 4096
# Of width times height; from the documentation of Resolution, as are the even numbers.
MAX_AREA = 1920 * 1080
MIN_ROLE_ARN_LENGTH, MAX_ROLE_ARN_LENGTH = 20, 2048
# The API names no maximum of usage limits and minutes: the quotas of the account are checked by the service.
MAX_INTEGER = 2**31 - 1

_IDENTIFIER = re.compile(r"[a-zA-Z0-9-]+|arn:aws:gameliftstreams:[^: ]*:[0-9]{12}:[^: ]*", re.ASCII)
_LOCATION = re.compile(r"[a-zA-Z0-9-]+", re.ASCII)
_VARIABLE = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws[a-zA-Z-]*:iam::[0-9]{12}:role/.+", re.ASCII)
_RESOLUTION = re.compile(r"([0-9]{1,5})x([0-9]{1,5})", re.ASCII)


class Resolution(NamedTuple):
    """The resolution of a virtual monitor, in pixels."""

    width: int
    height: int


def get_id(identifier: str) -> str:
    """Return the id of a resource by its id or its ARN."""
    return identifier.rpartition("/")[2]


def validate_identifier(option: str, value: str) -> None:
    """Reject what is neither an id nor an ARN.

    Raises:
        InvalidOption: Names the value.
    """
    if not (_IDENTIFIER.fullmatch(value) and len(value) <= MAX_IDENTIFIER_LENGTH):
        raise InvalidOption(
            f"{option} is {quote(value)}, but it must be an id of letters, digits and '-', or an ARN of GameLift "
            f"Streams, of 1 to {MAX_IDENTIFIER_LENGTH} characters."
        )


def validate_locations(locations: Sequence[str]) -> None:
    """Reject invalid names of locations, and lists that are empty or name one twice.

    Raises:
        InvalidOption: Names the value.
    """
    if not locations:
        raise InvalidOption("locations is empty: name at least one location of the stream group.")
    for location in locations:
        if not (_LOCATION.fullmatch(location) and len(location) <= MAX_LOCATION_LENGTH):
            raise InvalidOption(
                f"locations has {quote(location)}, but a location is named by 1 to {MAX_LOCATION_LENGTH} letters, "
                "digits and '-', such as eu-central-1."
            )
        if locations.count(location) > 1:
            raise InvalidOption(f"locations has {quote(location)} twice: remove one.")


def validate_launch_args(launch_args: Sequence[str]) -> None:
    """Reject too many launch arguments.

    Raises:
        InvalidOption: Says how many there are.
    """
    if len(launch_args) > MAX_LAUNCH_ARGS:
        raise InvalidOption(
            f"launch_args has {len(launch_args)} arguments, but the service takes {MAX_LAUNCH_ARGS} at most."
        )


def validate_environment(environment: Mapping[str, str]) -> None:
    """Reject environment variables that the service does not take. Their values are not quoted.

    Raises:
        InvalidOption: Names the variable.
    """
    if len(environment) > MAX_VARIABLES:
        raise InvalidOption(
            f"environment has {len(environment)} variables, but the service takes {MAX_VARIABLES} at most."
        )
    for name, value in environment.items():
        if not (_VARIABLE.fullmatch(name) and len(name) <= MAX_VARIABLE_NAME_LENGTH):
            raise InvalidOption(
                f"environment has a variable {quote(name)}, but its name must have 1 to {MAX_VARIABLE_NAME_LENGTH} "
                "letters, digits and '_', and not begin with a digit."
            )
        if len(value) > MAX_VARIABLE_LENGTH:
            raise InvalidOption(
                f"The variable {quote(name)} of environment has {len(value)} characters, but the service takes "
                f"{MAX_VARIABLE_LENGTH} at most."
            )


def validate_role_arn(role_arn: str) -> None:
    """Reject what is not the ARN of an IAM role.

    Raises:
        InvalidOption: Names the value.
    """
    is_long_enough = MIN_ROLE_ARN_LENGTH <= len(role_arn) <= MAX_ROLE_ARN_LENGTH
    if not (is_long_enough and _ROLE_ARN.fullmatch(role_arn)):
        raise InvalidOption(
            f"role_arn is {quote(role_arn)}, but it must be the ARN of an IAM role, such as "
            "arn:aws:iam::123456789012:role/lab."
        )


def parse_resolution(text: str) -> Resolution:
    """Return the resolution of a text such as ``1920x1080``.

    Raises:
        InvalidOption: Names the value.
    """
    numbers = _RESOLUTION.fullmatch(text)
    resolution = Resolution(int(numbers[1]), int(numbers[2])) if numbers else None
    if (
        resolution is None
        or not all(MIN_PIXELS <= pixels <= MAX_PIXELS and pixels % 2 == 0 for pixels in resolution)
        or resolution.width * resolution.height > MAX_AREA
    ):
        raise InvalidOption(
            f"resolution is {quote(text)}, but it must be a width and a height, such as 1280x720: even numbers of "
            f"{MIN_PIXELS} to {MAX_PIXELS} pixels, and no more than 1920x1080 in all ({MAX_AREA:,} pixels)."
        )
    return resolution
