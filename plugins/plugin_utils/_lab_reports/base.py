# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the reports of all roles share."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise, to_person
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import describe_excess
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import strip_core_prefix
from ansible_collections.labstream.aws.plugins.plugin_utils._times import parse_now, to_local

Result = Mapping[str, Any]

MAX_NAMED = 5
NOTHING_RELEASED = "Nothing was released."
_COUNTS = {"requested": 0, "issued": 0, "reused": 0, "failed": 0, "released": 0, "earliest_expiry": None}
# What check mode cannot know of a URL that would be issued.
PREDICTED = {"lease": None, "expires": None, "expires_at": None, "issued": True}
# What a learner has when the lab has ended. The overview still shows the name.
RELEASED = {
    "lease": None,
    "expires": None,
    "expires_at": None,
    "issued": False,
    "session_id": None,
    "stream_url_id": None,
}
NO_LEARNERS = "There are no learners, so nothing was done: check the roster."


def get_people(results: Result) -> set[str]:
    """Return the folded ids of the learners in the roster."""
    return {normalise(learner["id"]) for learner in results["learners"]}


def plan_withdrawal(results: Result, left: Sequence[Result]) -> dict[str, Any]:
    """Return who is to be withdrawn, and why they cannot be if they are too many."""
    if not results["withdraw_removed"]:
        return {"removed": [], "excess": None}
    removed = [lease for lease in left if not lease["ended"]]
    learners = {lease["id"] for lease in results["steps"]["before"].get("leases", []) if not lease["ended"]}
    limit = None if results["withdraw_limit"] is None else int(results["withdraw_limit"])
    option = f"{results['role']}_withdraw_limit"
    excess = describe_excess({lease["id"] for lease in removed}, len(learners), limit, option) if removed else None
    return {"removed": removed, "excess": excess}


def find_left(results: Result, people: set[str]) -> list[Result]:
    """Return the leases that the lab had before this run, of learners who are not in the roster."""
    user_ids = {learner.get("user_id") for learner in results["learners"]}
    return [
        lease
        for lease in results["steps"]["before"].get("leases", [])
        if lease["id"] and to_person(lease["id"]) not in people and lease.get("user_id", "") not in user_ids
    ]


def describe_unknown_learner(results: Result, people: set[str], left: Sequence[Result]) -> str | None:
    """Return a message on a learner to rotate who is not in the roster and was not in the lab; None without one."""
    known = people | {to_person(lease["id"]) for lease in left}
    unknown = next((learner for learner in results["rotate"] if normalise(learner) not in known), None)
    if unknown is None:
        return None
    return (
        f"{results['role']}_rotate has {quote(unknown)}, which is not the id of a learner who is in the roster or has "
        "left it: correct it."
    )


def get_languages(results: Result) -> dict[str, Any]:
    """Return the language of each learner by id, as far as the roster has it. It does not go through the modules."""
    return {learner["id"]: learner.get("language") for learner in results["learners"]}


def get_counts(results: Result, issuing: Result, predicted: int) -> dict[str, Any]:
    """Return the counts of the module that issues and releases, and what check mode predicts in its place."""
    counts = {**_COUNTS, **issuing.get("summary", {})}
    counts["issued"] += predicted
    if results["state"] == "present":
        counts["requested"] = len(results["learners"])  # The module counts none if it fails early.
    return {count: counts[count] for count in _COUNTS}


def add_outcome(
    summary: Result,
    results: Result,
    failures: Iterable[str | None] = (),
    *,
    is_changed: bool = False,
    left_behind: str | None = None,
) -> dict[str, Any]:
    """Return the summary with the outcome, and with a message that says why the role fails if it does.

    Args:
        summary: The summary without it.
        results: What the role was asked for.
        failures: Why the role fails, beside the step that failed.
        is_changed: Whether the role has changed anything but the leases.
        left_behind: What costs money though the run has failed. Check mode changes nothing.
    """
    is_done = any(summary[count] for count in ("issued", "reused", "released", "expired") if count in summary)
    unwritten = (
        f"The summary cannot be written to {results['summary_path']}: {results['write_error']}"
        if results.get("write_error")
        else None
    )
    reasons = [results.get("invalid"), *failures, strip_core_prefix(results["failure"]), unwritten]
    failure = " ".join(filter(None, reasons))
    if failure and left_behind and not results["check_mode"]:
        failure = f"{failure} {left_behind}"
    good, bad = ("ok" if is_done or is_changed else "unchanged"), ("partial" if is_done else "failed")
    message, outcome = (failure, bad) if failure else (summary["message"], good)
    own = {"outcome": outcome, "state": results["state"], "lab": results["lab"], "message": message}
    check = {"check": results["check_mode"], "would_issue": summary["issued"] if results["check_mode"] else 0}
    return {**summary, **own, **check}


def is_known(results: Result, ending: Result) -> bool | None:
    """Return whether anything was stored of a lab that ends; None if that was not looked at."""
    labs = ending.get("known_labs") if results["state"] == "absent" else None
    return None if labs is None else results["lab"] in labs


def has_ended(ending: Result, query: Result) -> bool:
    """Return whether the lab ends in this run, or is over or has ended before, as far as a step has looked.

    Args:
        ending: The result of the step that ends the lab; empty if it did not run.
        query: The result of the step that only looks, or that of a skipped task.
    """
    return bool(ending) or ("leases" in query and all(lease["ended"] for lease in query["leases"]))


def get_ended(results: Result, has_ended: bool, known: bool | None = None) -> bool | None:
    """Return whether a lab that ends has ended, None if it does not end. A purge leaves nothing that is known of it."""
    if results["state"] != "absent":
        return None
    return has_ended and (known is not False or bool(results["purge"]))


def describe_left_out(tag: str) -> str:
    """Return why the step with this tag did not run."""
    return f"the tag '{tag}' is not among those that run"


def describe_unreleased(results: Result) -> str:
    """Return why the end of a lab has released no lease."""
    if not results["steps"]["urls"]:
        return f"The leases stay, since {describe_left_out('leases')}."
    if any(lease.get("labs") for lease in results["steps"]["urls"].get("leases", [])):
        return "There is no lease left to release, except those that other labs need."
    return "There is no lease left to release: the lab has ended before."


def describe_working(results: Result, what: str, leases: Iterable[Result], now: datetime.datetime) -> str:
    """Return until when URLs work whose leases were released, since no service can revoke them.

    Args:
        results: What the role was asked for.
        what: What these URLs are called.
        leases: The leases of the lab that ends.
        now: The current time.
    """
    expiries = [parse_now(lease["expires"]) for lease in leases if lease["released"] and lease["expires"]]
    last = max(expiries, default=None)
    if last and last <= now:
        return f"{what} have expired."
    until = f", the last at {to_local(last, results.get('timezone') or None)}" if last else ""
    return f"{what} work until they expire{until}."


def describe_unknown_lab(results: Result, ending: Result, where: str) -> str:
    """Return the warning that there is no such lab to end. If its name is misspelled, the lab keeps running."""
    known = list_names(ending.get("known_labs", []), MAX_NAMED) or "none"
    return (
        f"Nothing is stored about lab '{results['lab']}' on this {where}, so nothing was released. Labs known there: "
        f"{known}."
    )


def describe_roster_failure(results: Result) -> Iterator[str]:
    """Yield a warning if the roster could not be read at the end of the lab, which is ended all the same."""
    if results["state"] == "absent" and results["roster_failure"]:
        yield f"The overview has no names, since the roster cannot be read: {results['roster_failure']}"


def describe_removed(results: Result, removed: Sequence[Result], *, are_revoked: bool = False) -> Iterator[str]:
    """Yield warnings about learners who are no longer in the roster; URLs of those withdrawn may be revoked."""
    if not removed:
        return
    names = list_names([_describe_url(results, each) for each in removed], MAX_NAMED)
    if not results["withdraw_removed"]:
        yield (
            f"Learners who are no longer in the roster still have URLs: {names}. Set "
            f"{results['role']}_withdraw_removed to withdraw them."
        )
        return
    to_be, still = ("would be", "would still") if results["check_mode"] else ("were", "still")
    if are_revoked:
        revoked = list_names([str(each["id"]) for each in removed], MAX_NAMED)
        yield f"Learners who are no longer in the roster {to_be} withdrawn, and their URLs revoked: {revoked}."
    else:
        yield f"Learners who are no longer in the roster {to_be} withdrawn, but their URLs {still} work: {names}."
    if labs := sorted({lab for each in removed for lab in each["labs"]}):
        yield f"Their URLs {to_be} released for other labs too: {list_names(labs, MAX_NAMED)}."


def _describe_url(results: Result, removed: Result) -> str:
    """Return a learner who was removed, and until when the URL can start a session."""
    if not removed["expires"]:
        return str(removed["id"])
    until = to_local(parse_now(removed["expires"]), results.get("timezone") or None)
    return f"{removed['id']} until {until}"


def describe_outdated_labs(labs: Sequence[str]) -> Iterator[str]:
    """Yield a warning about other labs whose handouts show URLs that this run has replaced."""
    if labs:
        yield (
            "This run replaced URLs that other labs use too. Run these labs again to update their handouts: "
            f"{list_names(labs, MAX_NAMED)}."
        )


def describe_expiry(results: Result, counts: Result, timezone: str = "", ends_at: str = "") -> Iterator[str]:
    """Yield until when the URLs are valid, as far as that is known."""
    # Check mode does not know when those expire that would be issued.
    if counts["earliest_expiry"] and not (results["check_mode"] and counts["issued"]):
        expiry = parse_now(counts["earliest_expiry"])
        yield f"They are valid until {to_local(expiry, timezone or None, ends_at)}."


def count(number: int, singular: str, plural: str) -> str:
    """Return a number with its noun."""
    return f"{number} {singular if number == 1 else plural}"
