# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The options that our modules share. The doc fragment C(lease) documents those of leases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import env_fallback

from ._errors import InvalidOption, quote
from ._leases.stores.address import NONE, VARIABLE, parse_address
from ._time import parse_datetime, to_iso8601
from ._validation import validate_concurrency, validate_given

# With a lease's hash, it is a sort key of DynamoDB, which has 1024 bytes: four for each character.
MAX_LAB_LENGTH = 225


def store_argument_spec() -> dict[str, Any]:
    """Return the argument spec of a module that opens the lease store."""
    return dict(
        # No default: where nothing is named, the default file may be rejected.
        lease_store=dict(type="str", fallback=(env_fallback, [VARIABLE])),
    )


def lease_argument_spec() -> dict[str, Any]:
    """Return the argument spec of a module that issues URLs."""
    return dict(
        state=dict(type="str", choices=["present", "absent"], default="present"),
        lab=dict(type="str"),
        min_remaining=dict(type="int"),
        force=dict(type="bool", default=False),
        purge=dict(type="bool", default=False),
        withdraw_removed=dict(type="bool", default=False),
        withdraw_limit=dict(type="int"),
        concurrency=dict(type="int", default=16),
        return_urls=dict(type="bool", default=True),
        **store_argument_spec(),
    )


def validate_has_lease_store(lease_store: str | None) -> None:
    """Reject ``none``, for a module that reads what others have issued.

    Raises:
        InvalidOption: names the value.
    """
    if lease_store == NONE:
        raise InvalidOption("lease_store is none, which stores no URL: name the store that the URLs were issued with.")


def validate_return_urls(params: Mapping[str, Any]) -> None:
    """Reject URLs in the result of a task with ``async``.

    Raises:
        InvalidOption: Says what to do instead.
    """
    validate_secret_result(params, "return_urls", "hand out the URLs with labstream.aws.streaming_handout")


def validate_secret_result(params: Mapping[str, Any], option: str, instead: str) -> None:
    """Reject a secret in the result of a task with ``async``, which Ansible keeps in a file that others can read.

    Args:
        params: The module's options.
        option: The option that asks for the secret.
        instead: What to do instead.

    Raises:
        InvalidOption: Says what to do instead.
    """
    # Ansible sets it for async_wrapper.
    if params[option] and os.environ.get("ANSIBLE_ASYNC_DIR"):
        raise InvalidOption(
            f"{option} is true and ANSIBLE_ASYNC_DIR is {os.environ['ANSIBLE_ASYNC_DIR']}, as in a task with async, "
            f"whose result Ansible keeps in a file there that other users can read: set {option} to false, and "
            f"{instead}."
        )


def validate_lab(lab: str | None) -> None:
    """Reject what is not the name of a lab. None is accepted.

    Raises:
        InvalidOption: names the value.
    """
    if lab is not None and not (0 < len(lab) <= MAX_LAB_LENGTH and lab.isprintable()):
        raise InvalidOption(
            f"lab is {quote(lab)}, but it must have 1 to {MAX_LAB_LENGTH} printable characters: give the lab a name."
        )


def validate_lease_arguments(params: dict[str, Any], who: Sequence[str]) -> None:
    """Reject what the argument spec cannot reject.

    Args:
        params: The module's options.
        who: The options that say whose the leases are.

    Raises:
        InvalidOption: names the value.
    """
    validate_concurrency(params["concurrency"])
    parse_address(params["lease_store"])
    validate_lab(params["lab"])
    validate_given(params, who if params["state"] == "present" else (*who, "lab"))
    is_present = params["state"] == "present"
    if is_present:
        validate_return_urls(params)
    if is_present and params["lease_store"] == NONE and not params["return_urls"]:
        raise InvalidOption(
            "lease_store is none and return_urls is false, so nobody would ever get the URLs: name a lease store, or "
            "set return_urls."
        )
    if params["purge"] and is_present:
        raise InvalidOption("purge is only for state=absent: set that too, or leave purge out.")
    if params["withdraw_removed"] and not (is_present and params["lab"]):
        raise InvalidOption("withdraw_removed is for state=present and a lab: name the lab, or leave it out.")
    if (params["withdraw_limit"] or 0) < 0:
        raise InvalidOption(f"withdraw_limit is {params['withdraw_limit']}, but it must be 0 or more.")


def parse_timestamp(option: str, text: str) -> datetime:
    """Return the datetime in UTC of an option: ISO 8601 with an offset, such as ``2026-11-21T17:00:00+01:00``.

    Raises:
        InvalidOption: the value is not a timestamp; names it.
    """
    like = "write it like 2026-11-21T17:00:00+01:00."
    try:
        when = parse_datetime(text)
        if when is None:
            raise InvalidOption(f"{option} is {quote(text)}, which is not a valid ISO 8601 timestamp: {like}")
        if when.tzinfo is None:
            raise InvalidOption(f"{option} is {quote(text)}, which has no offset from UTC: {like}")
        return when.astimezone(timezone.utc)
    except (ValueError, OverflowError) as e:
        raise InvalidOption(f"{option} is {quote(text)}, which does not exist ({e}): {like}") from e


def parse_starts_at(params: Mapping[str, Any], valid_until: datetime | None) -> datetime | None:
    """Return when the lab starts.

    Raises:
        InvalidOption: Names the value.
    """
    if params["starts_at"] is None:
        return None
    if params["lab"] is None:
        raise InvalidOption("starts_at is the start of a lab: name the lab too, or leave starts_at out.")
    starts_at = parse_timestamp("starts_at", params["starts_at"])
    validate_after_start("valid_until", valid_until, starts_at)
    return starts_at


def validate_after_start(option: str, end: datetime | None, starts_at: datetime | None) -> None:
    """Reject an end that is not after the start, if both are known.

    Raises:
        InvalidOption: Names both.
    """
    if starts_at and end and end <= starts_at:
        raise InvalidOption(
            f"{option} is {to_iso8601(end)}, which is not after starts_at, {to_iso8601(starts_at)}: correct one of "
            "them."
        )
