# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The result of a task that starts or ends sessions. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._failures import Failure, format_failures


@dataclass(frozen=True)
class SessionOutcome:
    """What became of one session.

    Attributes:
        name: How messages and diffs name it.
        identity: The keys that identify it in failures.
        facts: The session as results show it.
        before: Its state before; None if there is no such session.
        after: Its state now, in check mode the predicted one; None if there is no such session.
        changed: Whether it was started or ended.
        failure: Why it could not be started or ended.
    """

    name: str
    identity: Mapping[str, Any]
    facts: Mapping[str, Any]
    before: str | None
    after: str | None
    changed: bool = False
    failure: Failure | None = None


def build_result(
    outcomes: Sequence[SessionOutcome], requested: int, done: str, *, diff: bool = False
) -> dict[str, Any]:
    """Return the result of the task.

    Args:
        outcomes: The outcomes.
        requested: How many sessions, or users, the task was asked for.
        done: What the summary calls sessions that were changed, such as ``started``.
        diff: Whether the result has a diff.
    """
    changed = sum(outcome.changed for outcome in outcomes)
    failures = [{**outcome.identity, **outcome.failure._asdict()} for outcome in outcomes if outcome.failure]
    unchanged = len(outcomes) - changed - len(failures)
    result = dict(
        changed=changed > 0,
        sessions=[outcome.facts for outcome in outcomes],
        failures=failures,
        summary={"requested": requested, done: changed, "unchanged": unchanged, "failed": len(failures)},
    )
    if diff:
        existing = [outcome for outcome in outcomes if outcome.after]
        before, after = ({each.name: getattr(each, time) for each in existing} for time in ("before", "after"))
        result["diff"] = dict(before=before, after=after)
    return result


def build_failure_message(outcomes: Sequence[SessionOutcome], of: int, problem: str) -> str | None:
    """Return a message on the sessions with a failure; None if there are none.

    Args:
        outcomes: The outcomes.
        of: The number of sessions that those with a failure are a part of.
        problem: What all of them have in common.
    """
    failures = [(outcome.name, outcome.failure) for outcome in outcomes if outcome.failure]
    return f"{len(failures)} of {of} sessions {problem}: {format_failures(failures)}." if failures else None
