# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules tell about outcomes. No URL passes through here."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .._time import to_iso8601
from .lease import Lease, LeaseKey
from .scheduler import Failure, Outcome

# So many reasons, and so many seats for each, are told in a failed task's message; the result lists all.
TOLD = 5
# A session context may be long.
MAX_NAME_LENGTH = 80

NO_SUMMARY: dict[str, Any] = dict(requested=0, issued=0, reused=0, failed=0, forgotten=0, earliest_expiry=None)


def format_holder(key: LeaseKey) -> str:
    """How messages and diffs name a seat: with its purpose, if it has one."""
    return f"{key.seat} {key.purpose}".rstrip()


def build_summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The task in numbers: ``requested``, ``issued``, ``reused``, ``failed``, ``forgotten`` and ``earliest_expiry``."""
    failed = sum(outcome.failure is not None for outcome in outcomes)
    issued = sum(outcome.issued and outcome.failure is None for outcome in outcomes)
    earliest_expiry = min((outcome.lease.expires for outcome in outcomes if outcome.lease), default=None)
    return dict(
        NO_SUMMARY,
        requested=len(outcomes),
        issued=issued,
        reused=len(outcomes) - issued - failed,
        failed=failed,
        earliest_expiry=earliest_expiry and to_iso8601(earliest_expiry),
    )


def build_diff(outcomes: Sequence[Outcome]) -> dict[str, dict[str, str]]:
    """Before and after of a run that gives URLs: whose URL expires when."""
    after = {
        format_holder(outcome.key): to_iso8601(outcome.lease.expires) if outcome.lease else "to be issued"
        for outcome in outcomes
        if not outcome.failure
    }
    return dict(before=_expiries([outcome.existing for outcome in outcomes]), after=after)


def build_release_diff(leases: Sequence[Lease]) -> dict[str, dict[str, str]]:
    """Before and after of a run that forgets: whose URL expires when."""
    return dict(before=_expiries(leases), after={})


def build_release_warning(leases: Sequence[Lease], now: datetime) -> str | None:
    """What users must know of the URLs that were forgotten but still work; None if there are none."""
    working = [lease.expires for lease in leases if lease.is_valid_at(now)]
    if not working:
        return None
    told = "1 forgotten streaming URL works until it expires at"
    if len(working) > 1:
        told = f"{len(working)} forgotten streaming URLs work until they expire, the last at"
    return f"{told} {to_iso8601(max(working))}: the service cannot revoke a URL."


def _expiries(leases: Sequence[Lease | None]) -> dict[str, str]:
    return {
        format_holder(lease.key): to_iso8601(lease.expires)
        for lease in leases
        if lease and not lease.forgotten and not lease.is_intent
    }


def failure_message(outcomes: Sequence[Outcome], remembered: bool, check_mode: bool) -> str:
    """One sentence on which seats got no URL and why, and what to do."""
    failures = [(format_holder(outcome.key), outcome.failure) for outcome in outcomes if outcome.failure]
    failed = len(failures)
    if check_mode or failed == len(outcomes):
        remedy = "Mend what is named, then run again."
    elif remembered:
        remedy = "The others are remembered: run again, and they are returned."
    else:
        remedy = "Nothing is remembered (lease_store=none): run again, and all are issued anew."
    return f"{failed} of {len(outcomes)} got no streaming URL: {format_reasons(failures)}. {remedy}"


def format_reasons(failures: Sequence[tuple[str, Failure]]) -> str:
    """The reasons of failures, each after the names of those who have it; without a full stop."""
    names_by_reason: dict[str, list[str]] = {}
    for name, failure in failures:
        names_by_reason.setdefault(failure.message.rstrip("."), []).append(name)
    told = "; ".join(f"{_first(names)}: {reason}" for reason, names in itertools.islice(names_by_reason.items(), TOLD))
    return f"{told}; and more, see failures" if len(names_by_reason) > TOLD else told


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(textwrap.shorten(name, MAX_NAME_LENGTH, placeholder="...") for name in names[:TOLD]) + more
