# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The results of a lab, as the roles publish and print them. Knows neither AWS nor Ansible."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import list_names
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LIMITS
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise, to_person
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import describe_excess
from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import find_fleet_needs
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import strip_core_prefix
from ansible_collections.labstream.aws.plugins.plugin_utils._rotation import Generations, rotated_learners
from ansible_collections.labstream.aws.plugins.plugin_utils._times import parse_now, to_local, to_utc

Result = Mapping[str, Any]

_MAX_NAMED = 5
_COUNTS = {"requested": 0, "issued": 0, "reused": 0, "failed": 0, "released": 0, "earliest_expiry": None}
# What check mode cannot know of a URL that would be issued.
_PREDICTED = {"lease": None, "expires": None, "expires_at": None, "issued": True}
# What a learner has when the lab has ended. The overview still shows the name.
_RELEASED = {"lease": None, "expires": None, "expires_at": None, "issued": False, "session_id": None}
# What the module that issues URLs takes of a row.
_USER_FIELDS = ("user_id", "id", "name", "email", "application_id", "session_context")
_NO_LEASES = "No lease is stored for this lab, so nothing was released."
_NO_LEARNERS = "There are no learners, so nothing was done: check the roster."


def lab_report(results: Result, now: datetime.datetime | None = None) -> dict[str, Any]:
    """Return what a role publishes.

    Args:
        results: What the role was asked for, and the results of its ``steps``. A step that did not run has an empty
            result, or that of a skipped task.
        now: The current time, for tests.

    Returns:
        ``summary`` and ``seats``, the facts; ``closing``, what is to be shown at the end, which is the message without
        the errors that are shown already; ``insufficient_capacity``, what the fleet lacks, or None; ``fleet_needs``,
        what it is still needed for when the lab ends; ``users`` and ``former_users``, the learners, and the user ids
        that they had before they were rotated, as modules take them; ``unknown``, who cannot be rotated; ``removed``,
        who is to be withdrawn, and ``excess``, why they cannot be, or None; ``withdrawn_user_ids``, whose sessions are
        to be ended; and ``summary_path``, where the summary is to be written.
    """
    build = {
        "appstream_lab": _report_appstream_lab,
        "nimble_lab": _report_nimble_lab,
        "lab_handout": _report_lab_handout,
    }[results["role"]]
    report = build(results, now or datetime.datetime.now(datetime.timezone.utc))
    closing = report["summary"].pop("closing", None)
    return {
        "insufficient_capacity": None,
        "fleet_needs": [],
        "closing": closing,
        **report,
        "summary_path": results.get("summary_path"),
    }


def _report_appstream_lab(results: Result, now: datetime.datetime) -> dict[str, Any]:
    steps, is_present = results["steps"], results["state"] == "present"
    urls, rotated = steps["urls"], steps["rotation"].get("rotated", [])
    people, expiries = _get_people(results), [steps["expire"], steps["withdraw"]]
    left = _find_left(results, people)
    plan = _plan_withdrawal(results, left)
    predicted = results["learners"] if is_present and results["check_mode"] and urls.get("skipped") else []
    counts = _get_counts(results, urls, len(predicted))
    expired = sum(expiry.get("summary", {}).get("expired", 0) for expiry in expiries)
    fleet = _get_fleet(steps)
    fleet_changed = bool(steps["fleet"].get("changed") or steps["stop"].get("changed"))
    lacking = _describe_insufficient_capacity(results, fleet)
    others = _get_other_labs(results)
    withdrawn, kept = _split_withdrawn(results, left)
    needs = find_fleet_needs(
        others, len(results["other_sessions"]), results["stop_fleet"], int(results["keep_running_minutes"])
    )
    warnings = [
        *results["warnings"],
        *_describe_roster_failure(results),
        *_describe_rotation(rotated, results["check_mode"]),
        *(_describe_limits(results, fleet, now) if is_present and fleet else ()),
        *([fleet["problem"]] if is_present and fleet.get("state") == "RUNNING" and fleet["problem"] else ()),
        *([lacking] if lacking and results["on_insufficient_capacity"] == "warn" else ()),
        *_describe_kept_sessions([*results["kept_user_ids"], *kept]),
        *_describe_outdated_labs(urls.get("outdated_labs", [])),
        *_describe_removed(results, urls.get("removed", plan["removed"] if results["check_mode"] else [])),
    ]
    summary = {
        **counts,
        "rotated": rotated,
        "renew_before": urls.get("renew_before"),
        "failures": [failure for step in (urls, *expiries) for failure in step.get("failures", [])],
        "expired": expired,
        "fleet": _summarize_fleet(results, fleet) if fleet else None,
        "warnings": list(dict.fromkeys(warnings)),
        "known": _is_known(results),
        "message": " ".join(_describe_appstream_lab(results, counts, expired, fleet, fleet_changed, needs)),
    }
    return {
        "summary": _add_outcome(summary, results, is_changed=fleet_changed),
        "seats": _build_appstream_seats(results, predicted),
        "insufficient_capacity": lacking,
        "fleet_needs": needs,
        "withdrawn_user_ids": withdrawn,
        **plan,
        **_plan_appstream_users(results, people, left),
    }


def _get_people(results: Result) -> set[str]:
    """Return the folded ids of the learners in the roster."""
    return {normalise(learner["id"]) for learner in results["learners"]}


def _plan_appstream_users(results: Result, people: set[str], left: Sequence[Result]) -> dict[str, Any]:
    """Return the users of the lab, the earlier ones of those who are rotated, and who cannot be rotated."""
    rotate = {normalise(learner): learner for learner in results["rotate"]}
    former = rotated_learners(results["rows"], results["steps"]["rotation"].get("generations", {}), rotate.values())
    former += [dict(lease) for lease in left if to_person(lease["id"]) in rotate]
    return {
        "users": [_to_user(learner) for learner in results["learners"]],
        "former_users": [_to_user(learner) for learner in former],
        "unknown": [rotate[each] for each in rotate if each not in people | {to_person(lease["id"]) for lease in left}],
    }


def _plan_withdrawal(results: Result, left: Sequence[Result]) -> dict[str, Any]:
    """Return who is to be withdrawn, and why they cannot be if they are too many."""
    if not results["withdraws"]:
        return {"removed": [], "excess": None}
    removed = [lease for lease in left if not lease["ended"]]
    learners = {lease["id"] for lease in results["steps"]["before"].get("leases", []) if not lease["ended"]}
    limit = None if results["withdraw_limit"] is None else int(results["withdraw_limit"])
    option = f"{results['role']}_withdraw_limit"
    excess = describe_excess({lease["id"] for lease in removed}, len(learners), limit, option) if removed else None
    return {"removed": removed, "excess": excess}


def _find_left(results: Result, people: set[str]) -> list[Result]:
    """Return the leases that the lab had before this run, of learners who are not in the roster."""
    user_ids = {learner.get("user_id") for learner in results["learners"]}
    return [
        lease
        for lease in results["steps"]["before"].get("leases", [])
        if lease["id"] and to_person(lease["id"]) not in people and lease.get("user_id", "") not in user_ids
    ]


def _split_withdrawn(results: Result, left: Sequence[Result]) -> tuple[list[str], list[str]]:
    """Return the users whose sessions are to be ended, and those in another lab, whose sessions are not.

    Whoever was withdrawn by an earlier run is among them, in case it was interrupted.
    """
    if not results["withdraws"]:
        return [], []
    removed = results["steps"]["urls"].get("removed", [])
    earlier = [lease for lease in left if lease["ended"] and not lease["labs"]]
    kept = {each["user_id"]: None for each in removed if each["other_labs"]}
    user_ids = {each["user_id"]: None for each in [*removed, *earlier] if each["user_id"] not in kept}
    return list(user_ids), list(kept)


def _to_user(learner: Result) -> dict[str, Any]:
    """Return what the module that issues URLs takes of a row."""
    return {field: learner[field] for field in _USER_FIELDS if field in learner}


def _describe_removed(results: Result, removed: Sequence[Result]) -> Iterator[str]:
    if not removed:
        return
    names = list_names([_describe_url(results, each) for each in removed], _MAX_NAMED)
    if not results["withdraws"]:
        yield (
            f"Learners who are no longer in the roster still have URLs: {names}. Set "
            f"{results['role']}_withdraw_removed to withdraw them."
        )
        return
    to_be, still = ("would be", "would still") if results["check_mode"] else ("were", "still")
    yield f"Learners who are no longer in the roster {to_be} withdrawn, but their URLs {still} work: {names}."
    if labs := sorted({lab for each in removed for lab in each["labs"]}):
        yield f"Their URLs {to_be} released for other labs too: {list_names(labs, _MAX_NAMED)}."


def _describe_url(results: Result, removed: Result) -> str:
    """Return a learner who was removed, and until when the URL can start a session."""
    if not removed["expires"]:
        return str(removed["id"])
    until = to_local(parse_now(removed["expires"]), results.get("timezone") or None)
    return f"{removed['id']} until {until}"


def _get_counts(results: Result, issuing: Result, predicted: int) -> dict[str, Any]:
    """Return the counts of the module that issues and releases, and what check mode predicts in its place."""
    counts = {**_COUNTS, **issuing.get("summary", {})}
    counts["issued"] += predicted
    if results["state"] == "present":
        counts["requested"] = len(results["learners"])  # The module counts none if it fails early.
    return {count: counts[count] for count in _COUNTS}


def _add_outcome(
    summary: Result, results: Result, failures: Iterable[str | None] = (), *, is_changed: bool = False
) -> dict[str, Any]:
    """Return the summary with the outcome, and with a message that says why the role fails if it does."""
    is_done = any(summary[count] for count in ("issued", "reused", "released", "expired") if count in summary)
    unwritten = (
        f"The summary cannot be written to {results['summary_path']}: {results['write_error']}"
        if results.get("write_error")
        else None
    )
    shown = [each for each in (strip_core_prefix(results["failure"]), unwritten) if each]
    above = f"The lab has failed. The error is above, and in {results['role']}_summary." if shown else None
    failure, closing = (" ".join(filter(None, [*failures, *more])) for more in (shown, [above]))
    good, bad = ("ok" if is_done or is_changed else "unchanged"), ("partial" if is_done else "failed")
    message, outcome = (failure, bad) if failure else (summary["message"], good)
    own = {"outcome": outcome, "state": results["state"], "lab": results["lab"], "message": message}
    check = {"check": results["check_mode"], "would_issue": summary["issued"] if results["check_mode"] else 0}
    return {**summary, **own, **check, "closing": closing or message}


def _build_appstream_seats(results: Result, predicted: Iterable[Result]) -> list[dict[str, Any]]:
    """Return a seat for each learner who has a URL, or in check mode would have one; at the end, for each learner."""
    steps = results["steps"]
    generations = Generations(steps["rotation"].get("generations", {}))
    languages = _get_languages(results)
    entries = [*steps["urls"].get("streaming_urls", []), *({**learner, **_PREDICTED} for learner in predicted)]
    if results["state"] == "absent":
        entries = [{**learner, **_RELEASED} for learner in results["learners"]]
    return [
        {
            **{field: entry[field] for field in ("id", "name", "email", "user_id", "lease", "expires", "issued")},
            "provider": "appstream",
            "stack_name": results["stack_name"],
            "fleet_name": results["fleet_name"],
            "region": steps["urls"].get("region") or steps["sessions"].get("region"),
            "generation": generations[entry["id"]],
            "language": languages.get(entry["id"]),
        }
        for entry in entries
        # A URL that was issued and then could not be stored has no expiry.
        if entry["expires"] or (results["check_mode"] and entry["issued"]) or results["state"] == "absent"
    ]


def _get_languages(results: Result) -> dict[str, Any]:
    """Return the language of each learner by id, as far as the roster has it. It does not go through the modules."""
    return {learner["id"]: learner.get("language") for learner in results["learners"]}


def _get_fleet(steps: Result) -> dict[str, Any]:
    """Return the fleet as it was described last, or nothing."""
    fleets = [steps["stop"].get("fleet"), steps["fleet"].get("fleet"), *steps["fleet_info"].get("fleets", [])]
    return next((fleet for fleet in fleets if fleet and fleet.get("state")), {})


def _summarize_fleet(results: Result, fleet: Result) -> dict[str, Any]:
    return {
        "name": results["fleet_name"],
        **{field: fleet[field] for field in ("state", "fleet_type", "capacity")},
        "limits": {limit: fleet[limit] for limit in LIMITS},
        "needed": results["steps"]["capacity"].get("needed"),
        "other_sessions": len(results["other_sessions"]) if results["state"] == "absent" else None,
    }


def _describe_insufficient_capacity(results: Result, fleet: Result) -> str | None:
    """Return what the fleet lacks: what its module says, or if the role leaves the fleet alone, what it is set to."""
    steps = results["steps"]
    if steps["fleet"].get("fleet"):
        lacking: str | None = steps["fleet"].get("insufficient_capacity")
        return lacking
    if not fleet or not steps["capacity"]:
        return None
    possible, needed = fleet["capacity"]["max_available"], steps["capacity"]["available_sessions"]
    if possible >= needed:
        return None
    without = _count(steps["capacity"]["needed"], "learner has no session yet", "learners have no session yet")
    spare = needed - steps["capacity"]["needed"]
    return (
        f"Fleet '{results['fleet_name']}' is set to have {_count(possible, 'session', 'sessions')} available "
        f"({fleet['capacity']['available']} now), but {without}{f', and {spare} should be spare' if spare else ''}: "
        "raise its capacity, or set appstream_lab_manage_fleet."
    )


def _describe_limits(results: Result, fleet: Result, now: datetime.datetime) -> Iterator[str]:
    """Yield a warning for each limit of the fleet that is too short for the lab."""
    name, lasts, pause = results["fleet_name"], _get_minutes(results, now), int(results["break_minutes"] or 0)
    idle, disconnect, session = (int(fleet[limit] or 0) // 60 for limit in LIMITS)
    if 0 < session < lasts:
        yield (
            f"A session on fleet '{name}' ends after {session} minutes (MaxUserDurationInSeconds), but the lab lasts "
            f"{lasts} minutes: raise the limit while the fleet is STOPPED (UpdateFleet), or ask learners to save in "
            "time."
        )
    if 0 < idle < pause:
        yield (
            f"Fleet '{name}' disconnects learners after {idle} minutes without input (IdleDisconnectTimeoutInSeconds), "
            f"but a break takes {pause} minutes: raise the timeout (UpdateFleet), or set it to 0, which means never."
        )
    if 0 < disconnect < pause:
        yield (
            f"Fleet '{name}' ends a session {disconnect} minutes after the learner was disconnected "
            f"(DisconnectTimeoutInSeconds), but a break takes {pause} minutes: raise the timeout (UpdateFleet)."
        )


def _get_minutes(results: Result, now: datetime.datetime) -> int:
    """Return how long the lab lasts, from its start or from now if that is later; 0 if it has no end or is over."""
    timezone = results["timezone"] or None
    if not results["ends_at"]:
        return 0
    try:
        end = to_utc(results["ends_at"], timezone, now)
    except ValueError:
        return 0
    start = to_utc(results["starts_at"], timezone, now, allow_past=True) if results["starts_at"] else now
    return int((end - max(now, start)).total_seconds() // 60)


def _describe_roster_failure(results: Result) -> Iterator[str]:
    """Yield a warning if the roster could not be read at the end of the lab, which is ended all the same."""
    failure = strip_core_prefix(results["roster_failure"])
    if results["state"] == "absent" and failure:
        yield f"The overview has no names, since the roster cannot be read: {failure}"


def _describe_rotation(rotated: Sequence[str], check_mode: bool) -> Iterator[str]:
    if rotated:
        verb = "would get" if check_mode else "has" if len(rotated) == 1 else "have"
        yield (
            f"{', '.join(rotated)} {verb} a new user id, and with it an empty home folder and another user fee. If "
            "there are pages, mail the address of the new one. The previous URL can still start a session until it "
            "expires."
        )


def _describe_kept_sessions(user_ids: Sequence[str]) -> Iterator[str]:
    if user_ids:
        yield (
            "Users who are in another lab on this stack and fleet keep their sessions: "
            f"{list_names(user_ids, _MAX_NAMED)}."
        )


def _describe_outdated_labs(labs: Sequence[str]) -> Iterator[str]:
    if labs:
        yield (
            "This run replaced URLs that other labs use too. Run these labs again to update their handouts: "
            f"{list_names(labs, _MAX_NAMED)}."
        )


def _describe_appstream_lab(
    results: Result, counts: Result, expired: int, fleet: Result, fleet_changed: bool, needs: Sequence[str]
) -> Iterator[str]:
    to_be = "to be " if results["check_mode"] else ""
    name = results["fleet_name"]
    state = f"{to_be if fleet_changed else ''}{fleet.get('state')}"
    if results["state"] == "present":
        if results["learners"]:
            issued, reused = counts["issued"], counts["reused"]
            yield f"Learners: {len(results['learners'])}. Streaming URLs {to_be}issued: {issued}, reused: {reused}."
            yield from _describe_expiry(results, counts, results["timezone"], results["ends_at"])
        else:
            yield _NO_LEARNERS
        if fleet:
            capacity = fleet["capacity"]
            yield (
                f"Fleet '{name}' is {state} with sessions in use: {capacity['in_use']}, available: "
                f"{capacity['available']}, desired: {capacity['desired']}."
            )
        return
    ending = _get_ending(results)
    if _is_known(results) is False:
        known = list_names(ending.get("known_labs", []), _MAX_NAMED) or "none"
        yield (
            f"Nothing is stored about lab '{results['lab']}' on this stack and fleet, so nothing was changed. Labs "
            f"known there: {known}."
        )
        return
    if counts["released"]:
        yield f"Leases {to_be}released: {counts['released']}."
        yield "Streaming URLs that were handed out work until they expire."
    else:
        yield "There is no lease left to release, except those that other labs need."
    if results["ends_sessions"]:
        yield f"Sessions {to_be}expired: {expired}."
    if fleet and needs:
        yield f"Fleet '{name}' stays {fleet['state']}, because {' and '.join(needs)}."
    elif fleet:
        later = [lab for lab in _get_other_labs(results) if lab["starts_in"]]
        next_lab = f"; lab '{later[0]['lab']}' needs it at {later[0]['starts_at']}" if later else ""
        yield f"Fleet '{name}' is {state}{next_lab}."


def _get_ending(results: Result) -> Result:
    """Return what is known of the lab that ends, and of others."""
    return {**results["steps"]["urls"], **results["steps"]["ending"]}


def _get_other_labs(results: Result) -> list[Result]:
    """Return the other labs on the fleet of a lab that ends, with their times in its time zone."""
    return [
        lab
        | {
            edge: to_local(parse_now(lab[edge]), results["timezone"] or None)
            for edge in ("starts_at", "ends_at")
            if lab[edge]
        }
        for lab in results["steps"]["ending"].get("other_labs", [])
    ]


def _is_known(results: Result) -> bool | None:
    """Return whether anything was stored of a lab that ends; None if that was not looked at."""
    labs = _get_ending(results).get("known_labs") if results["state"] == "absent" else None
    return None if labs is None else results["lab"] in labs


def _describe_expiry(results: Result, counts: Result, timezone: str = "", ends_at: str = "") -> Iterator[str]:
    # Check mode does not know when those expire that would be issued.
    if counts["earliest_expiry"] and not (results["check_mode"] and counts["issued"]):
        expiry = parse_now(counts["earliest_expiry"])
        yield f"They are valid until {to_local(expiry, timezone or None, ends_at)}."


def _report_nimble_lab(results: Result, now: datetime.datetime) -> dict[str, Any]:
    steps, starting = results["steps"], results["steps"]["start"]
    rows, unmatched = steps["match"].get("sessions", []), steps["match"].get("failures", [])
    predicted = results["starting"] if results["check_mode"] else []
    too_late = (
        f"The session is still START_IN_PROGRESS after {results['start_timeout']} seconds (nimble_lab_start_timeout): "
        "run again to keep waiting for it."
    )
    late = [{"session_id": each, "code": "NotReady", "message": too_late} for each in results["late"]]
    people = _get_people(results)
    plan = _plan_withdrawal(results, _find_left(results, people))
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
        **_get_counts(results, steps["streams"], len(predicted)),
        "started": starting.get("summary", {}).get("started", 0),
        "failed": len(failures),
        "failures": failures,
        "warnings": [
            *results["warnings"],
            *_describe_roster_failure(results),
            *_describe_outdated_labs(steps["streams"].get("outdated_labs", [])),
            # Nobody is withdrawn after a failure.
            *([] if results["withdraws"] and results["failure"] else _describe_removed(results, removed)),
        ],
    }
    reasons = [
        *_describe_unmatched([each["message"] for each in unmatched]),
        starting["msg"] if starting.get("failures") else None,
        f"{', '.join(results['late'])}: {too_late}" if late else None,
    ]
    message = _describe_nimble_lab(results, summary)
    return {
        "summary": _add_outcome({**summary, "message": message}, results, reasons),
        "seats": _build_nimble_seats(results, rows, predicted),
        **plan,
    }


def _build_nimble_seats(results: Result, rows: Iterable[Result], predicted: Sequence[str]) -> list[dict[str, Any]]:
    """Return a seat for each learner who has a stream, or in check mode would have one, in their order.

    At the end of the lab, return one for each learner.
    """
    steps, streams = results["steps"], results["steps"]["streams"]
    # A stream that failed may have an expiry too.
    failed = {failure["session_id"] for failure in streams.get("failures", [])}
    served = {entry["session_id"]: entry for entry in streams.get("streams", []) if entry["session_id"] not in failed}
    served |= {row["session_id"]: {**row, **_PREDICTED} for row in rows if row["session_id"] in predicted}
    languages = _get_languages(results)
    seated = [served[row["session_id"]] for row in rows if row["session_id"] in served]
    if results["state"] == "absent":
        seated = [{**learner, **_RELEASED} for learner in results["learners"]]
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
    more = len(messages) - _MAX_NAMED
    rest = [f"{_count(more, 'more learner has', 'more learners have')} no session, see failures."] if more > 0 else []
    return [*messages[:_MAX_NAMED], *rest]


def _describe_nimble_lab(results: Result, counts: Result) -> str:
    to_be = "to be " if results["check_mode"] else ""
    if results["state"] == "present":
        if not counts["issued"] + counts["reused"]:
            return _NO_LEARNERS
        done = (
            f"Learners: {len(results['learners'])}. Sessions {to_be}started: {counts['started']}. Streams {to_be}"
            f"created: {counts['issued']}, reused: {counts['reused']}."
        )
        return " ".join([done, *_describe_expiry(results, counts)])
    if not counts["released"]:
        return _NO_LEASES
    return f"Leases {to_be}released: {counts['released']}. URLs of streams work until they expire."


def _report_lab_handout(results: Result, now: datetime.datetime) -> dict[str, Any]:
    return {"summary": {**results["summary"], "message": " ".join(_describe_lab_handout(results))}}


def _describe_lab_handout(results: Result) -> Iterator[str]:
    """Yield what was made, where it is, and until when it works. Names of pages are secret, and are not among it."""
    paths, to_be = results["paths"], "to be " if results["check_mode"] else ""
    pages = paths.get("pages_dir")
    where = f"{pages} and in the bucket {results['s3_bucket']}" if results["s3_bucket"] else pages
    if not results["present"]:
        yield f"Pages {to_be}marked as ended: all of the lab, in {where}." if pages else f"Files {to_be}removed."
        return
    if pages:
        yield f"Pages: {results['summary']['requested']}, in {where}."
    for option, what in (("links_csv", "Their addresses"), ("overview_html", "Overview"), ("urls_csv", "URLs")):
        if option in paths:
            yield f"{what}: {paths[option]}."
    expiries = sorted(seat["expires"] for seat in results["seats"] if seat.get("expires"))
    if expiries:
        yield f"The URLs are valid until {to_local(parse_now(expiries[0]), results['timezone'] or None)}."


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
