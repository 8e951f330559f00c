# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the role nimble_lab publishes."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._labs.person import to_person
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import (
    MAX_NAMED,
    NO_LEARNERS,
    PREDICTED,
    RELEASED,
    Result,
    add_outcome,
    count,
    describe_expiry,
    describe_outdated_labs,
    describe_removed,
    describe_roster_failure,
    describe_working,
    find_left,
    get_counts,
    get_ended,
    get_languages,
    get_people,
    has_ended,
    plan_withdrawal,
)

_NO_LEASES = "No lease is stored for this lab, so nothing was released."


def report(results: Result, now: datetime.datetime) -> dict[str, Any]:
    """Return the report on a lab on Nimble Studio."""
    steps, starting = results["steps"], results["steps"]["start"]
    rows, unmatched = steps["match"].get("sessions", []), steps["match"].get("failures", [])
    predicted = results["starting"] if results["check_mode"] else []
    too_late = (
        f"The session is still START_IN_PROGRESS after {results['start_timeout']} seconds (nimble_lab_start_timeout): "
        "run again to keep waiting for it."
    )
    late = [{"session_id": each, "code": "NotReady", "message": too_late} for each in results["late"]]
    people = get_people(results)
    plan = plan_withdrawal(results, find_left(results, people))
    # Whose session is not ready yet is not asked for either.
    removed = plan["removed"] or [
        each for each in steps["streams"].get("removed", []) if to_person(each["id"]) not in people
    ]
    by_session = {row["session_id"]: row for row in rows}
    failures = [
        *unmatched,
        *({**by_session[each["session_id"]], **each} for each in [*starting.get("failures", []), *late]),
        *steps["streams"].get("failures", []),
    ]
    summary = {
        **get_counts(results, steps["streams"], len(predicted)),
        "started": starting.get("summary", {}).get("started", 0),
        "failed": len(failures),
        "failures": failures,
        "ended": get_ended(results, has_ended(steps["streams"], {})),
        "warnings": [
            *results["warnings"],
            *describe_roster_failure(results),
            *describe_outdated_labs(steps["streams"].get("outdated_labs", [])),
            # Nobody is withdrawn after a failure.
            *([] if results["withdraw_removed"] and results["failure"] else describe_removed(results, removed)),
        ],
    }
    reasons = [
        *_describe_unmatched([each["message"] for each in unmatched]),
        starting["msg"] if starting.get("failures") else None,
        f"{', '.join(results['late'])}: {too_late}" if late else None,
    ]
    message = _describe_nimble_lab(results, summary, now)
    return {
        "summary": add_outcome({**summary, "message": message}, results, reasons),
        "seats": _build_nimble_seats(results, rows, predicted),
        "starting": results["starting"],
        "streamable": results["streamable"],
        **plan,
    }


def prepare(results: Result) -> dict[str, Any]:
    """Return the results with what is derived from those of the steps: who is starting, who is late, who can stream.

    In check mode no session becomes READY, so what needs that is predicted.
    """
    steps = results["steps"]
    starting, late = (_find_starting(steps[step]) for step in ("start", "wait"))
    failed = [failure["session_id"] for failure in steps["start"].get("failures", [])]
    not_ready = {*failed, *(starting if results["check_mode"] else late)}
    rows = steps["match"].get("sessions", [])
    streamable = [row for row in rows if row["session_id"] not in not_ready]
    return {**results, "starting": starting, "late": late, "streamable": streamable}


def _find_starting(step: Result) -> list[str]:
    return [each["session_id"] for each in step.get("sessions", []) if each["state"] == "START_IN_PROGRESS"]


def _build_nimble_seats(results: Result, rows: Iterable[Result], predicted: Sequence[str]) -> list[dict[str, Any]]:
    """Return a seat for each learner who has a stream, or in check mode would have one, in their order.

    If the lab has ended, return one for each learner.
    """
    steps, streams = results["steps"], results["steps"]["streams"]
    # A stream that failed may have an expiry too.
    failed = {failure["session_id"] for failure in streams.get("failures", [])}
    served = {entry["session_id"]: entry for entry in streams.get("streams", []) if entry["session_id"] not in failed}
    served |= {row["session_id"]: {**row, **PREDICTED} for row in rows if row["session_id"] in predicted}
    languages = get_languages(results)
    seated = [served[row["session_id"]] for row in rows if row["session_id"] in served]
    if results["state"] == "absent":
        seated = [{**learner, **RELEASED} for learner in results["learners"] if streams]
    return [
        {
            **{field: entry[field] for field in ("id", "name", "email", "session_id", "lease", "issued")},
            "language": languages.get(entry["id"]),
            "provider": "nimble",
            "studio_id": results["studio_id"],
            "region": streams.get("region") or steps["start"].get("region"),
            "expires": entry["expires_at"],
        }
        for entry in seated
    ]


def _describe_unmatched(messages: Sequence[str]) -> list[str]:
    more = len(messages) - MAX_NAMED
    rest = [f"{count(more, 'more learner has', 'more learners have')} no session, see failures."] if more > 0 else []
    return [*messages[:MAX_NAMED], *rest]


def _describe_nimble_lab(results: Result, counts: Result, now: datetime.datetime) -> str:
    to_be = "to be " if results["check_mode"] else ""
    if results["state"] == "present":
        if not counts["issued"] + counts["reused"]:
            return NO_LEARNERS
        done = (
            f"Learners: {len(results['learners'])}. Sessions {to_be}started: {counts['started']}. Streams {to_be}"
            f"created: {counts['issued']}, reused: {counts['reused']}."
        )
        return " ".join([done, *describe_expiry(results, counts)])
    if not counts["released"]:
        return _NO_LEASES
    works = describe_working(results, "URLs of streams", results["steps"]["streams"].get("leases", []), now)
    return f"Leases {to_be}released: {counts['released']}. {works}"
