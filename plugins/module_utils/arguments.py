# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments that our modules share; doc fragment C(lease) documents them."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback

from .exceptions import InvalidOption
from .lease_store.base import DEFAULT_LEASE_STORE

MOST_CONCURRENCY = 64
LONGEST_LAB = 255


def store_arguments() -> dict[str, Any]:
    """The argument spec of a module that opens the lease store."""
    return dict(
        lease_store=dict(type="str", default=DEFAULT_LEASE_STORE, fallback=(env_fallback, ["LABSTREAM_LEASE_STORE"])),
    )


def lease_arguments() -> dict[str, Any]:
    """The argument spec of a module that issues URLs."""
    return dict(
        state=dict(type="str", choices=["present", "absent"], default="present"),
        lab=dict(type="str"),
        min_remaining=dict(type="int"),
        force=dict(type="bool", default=False),
        purge=dict(type="bool", default=False),
        concurrency=dict(type="int", default=16),
        return_urls=dict(type="bool", default=True),
        **store_arguments(),
    )


def check_lease_arguments(params: dict[str, Any]) -> None:
    """Refuse what the argument spec cannot.

    Raises:
        InvalidOption: naming the value.
    """
    if not 1 <= params["concurrency"] <= MOST_CONCURRENCY:
        raise InvalidOption(f"concurrency is {params['concurrency']}, but it must be from 1 to {MOST_CONCURRENCY}.")
    lab = params["lab"]
    if lab is not None and not (0 < len(lab) <= LONGEST_LAB and lab.isprintable()):
        raise InvalidOption(
            f"lab must have 1 to {LONGEST_LAB} printable characters: give the lab a name, or leave it out."
        )
    if params["purge"] and params["state"] == "present":
        raise InvalidOption("purge is only for state=absent: set that too, or leave purge out.")
