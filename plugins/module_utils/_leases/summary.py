# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Summary, diff and messages of a task that issues or releases. No URL passes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .._failures import format_failures
from .._time import to_iso8601
from .lease import Lease, LeaseKey
from .reuse import ReusePolicy
from .scheduler import Outcome

NO_SUMMARY: dict[str, Any] = dict(requested=0, issued=0, reused=0, failed=0, released=0, earliest_expiry=None)


def format_holder(holder: str, purpose: str) -> str:
    """Return how messages and diffs name a holder: with the purpose, if there is one."""
    return f"{holder} {purpose}".rstrip()


def build_summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the task in numbers: ``requested``, ``issued``, ``reused``, ``failed``, ``earliest_expiry`` and more."""
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


def build_diff(outcomes: Sequence[Outcome], names: Mapping[LeaseKey, str]) -> dict[str, dict[str, str]]:
    """Return whose URL expires when, before and after a task that issues."""
    after = {
        names[outcome.key]: to_iso8601(outcome.lease.expires) if outcome.lease else "to be issued"
        for outcome in outcomes
        if not outcome.failure
    }
    return dict(before=_get_expiries([outcome.existing for outcome in outcomes]), after=after)


def build_release_diff(leases: Sequence[Lease]) -> dict[str, dict[str, str]]:
    """Return whose URL expires when, before and after a task that releases."""
    return dict(before=_get_expiries(leases), after={})


def build_release_warning(leases: Sequence[Lease], now: datetime) -> str | None:
    """Return the warning about released URLs that still work; None if there are none."""
    working = [lease.expires for lease in leases if lease.is_valid_at(now)]
    if not working:
        return None
    text = "1 released streaming URL still works until it expires at"
    if len(working) > 1:
        text = f"{len(working)} released streaming URLs still work until they expire, the last at"
    return f"{text} {to_iso8601(max(working))}: the service cannot revoke a URL."


def build_grant_warnings(outcomes: Sequence[Outcome], policy: ReusePolicy) -> list[str]:
    """Return the warnings about new URLs that the service granted for less or more time than it was asked for."""
    new = [outcome.lease for outcome in outcomes if outcome.issued and outcome.lease]
    less, more = ([lease for lease in new if policy.compare(lease) == order] for order in (-1, 1))
    warnings = []
    if less:
        first = min(less, key=lambda lease: lease.expires)
        again = "" if all(policy.accepts(lease, lease.issued) for lease in less) else ", so every run issues new ones"
        warnings.append(
            f"The service granted less time than was asked for: {len(less)} new streaming URLs end too early, the "
            f"first at {to_iso8601(first.expires)} instead of {to_iso8601(policy.asked_until(first))}{again}."
        )
    if more:
        last = max(more, key=lambda lease: lease.expires)
        warnings.append(
            f"The service granted more time than was asked for: {len(more)} new streaming URLs end too late, the "
            f"last at {to_iso8601(last.expires)} instead of {to_iso8601(policy.asked_until(last))}."
        )
    return warnings


def build_failure_message(
    outcomes: Sequence[Outcome], names: Mapping[LeaseKey, str], *, is_stored: bool, check_mode: bool
) -> str:
    """Return who got no URL and why, and what to do."""
    failures = [(names[outcome.key], outcome.failure) for outcome in outcomes if outcome.failure]
    if check_mode or len(failures) == len(outcomes):
        remedy = "Fix the problem, then run again."
    elif is_stored:
        remedy = "The others are stored: run again to get them."
    else:
        remedy = "Nothing is stored (lease_store=none): run again to issue all of them again."
    return f"{len(failures)} of {len(outcomes)} got no streaming URL: {format_failures(failures)}. {remedy}"


def _get_expiries(leases: Sequence[Lease | None]) -> dict[str, str]:
    return {
        format_holder(lease.key.holder, lease.purpose): to_iso8601(lease.expires)
        for lease in leases
        if lease and not lease.released_at and not lease.is_pending
    }
