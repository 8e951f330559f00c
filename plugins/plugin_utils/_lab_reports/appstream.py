# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the role appstream_lab publishes."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import list_names
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LIMITS
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise, to_person
from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import (
    find_fleet_needs,
    is_ready,
    required_capacity,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import (
    MAX_NAMED,
    NO_LEARNERS,
    NOTHING_RELEASED,
    PREDICTED,
    RELEASED,
    Result,
    add_outcome,
    count,
    describe_expiry,
    describe_left_out,
    describe_outdated_labs,
    describe_removed,
    describe_roster_failure,
    describe_unknown_lab,
    describe_unknown_learner,
    describe_unreleased,
    describe_working,
    find_left,
    get_counts,
    get_ended,
    get_languages,
    get_people,
    has_ended,
    is_known,
    plan_withdrawal,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._rotation import Generations, rotated_learners
from ansible_collections.labstream.aws.plugins.plugin_utils._times import parse_now, to_local, to_utc

# What to do if the step was left out that starts and scales the fleet.
_RUN_FLEET = "run without --skip-tags fleet, or add fleet to --tags"
# What the module that issues URLs takes of a row.
_USER_FIELDS = ("user_id", "id", "name", "email", "application_id", "session_context")


def report(results: Result, now: datetime.datetime) -> dict[str, Any]:
    """Return the report on a lab on AppStream 2.0."""
    steps, is_present = results["steps"], results["state"] == "present"
    urls, rotated = steps["urls"], steps["rotation"].get("rotated", [])
    people, expiries = get_people(results), [steps["expire"], steps["withdraw"]]
    left = find_left(results, people)
    plan = plan_withdrawal(results, left)
    predicted = results["learners"] if is_present and results["check_mode"] and urls.get("skipped") else []
    counts = get_counts(results, urls, len(predicted))
    expired = sum(expiry.get("summary", {}).get("expired", 0) for expiry in expiries)
    fleet = _get_fleet(steps)
    fleet_changed = bool(steps["fleet"].get("changed") or steps["stop"].get("changed"))
    lacking = _describe_insufficient_capacity(results, fleet)
    others = _get_other_labs(results)
    known, ends = is_known(results, _get_ending(results)), has_ended(urls, steps["ending"])
    ended = get_ended(results, ends, known)
    withdrawn, kept = _split_withdrawn(results, left)
    needs = find_fleet_needs(
        others, len(results["other_sessions"]), results["stop_fleet"], int(results["keep_running_minutes"])
    )
    if results["stop_fleet"] == "auto" and not ends:
        needs = [f"the lab has not ended ({describe_left_out('leases')})"]
    warnings = [
        *results["warnings"],
        *describe_roster_failure(results),
        *_describe_rotation(rotated, results["check_mode"]),
        *(_describe_limits(results, fleet, now) if is_present and fleet else ()),
        *([fleet["problem"]] if is_present and fleet.get("state") == "RUNNING" and fleet["problem"] else ()),
        *([lacking] if lacking and results["on_insufficient_capacity"] == "warn" else ()),
        *_describe_kept_sessions([*results["kept_user_ids"], *kept]),
        *([describe_unknown_lab(results, _get_ending(results), "stack and fleet")] if known is False else ()),
        *describe_outdated_labs(urls.get("outdated_labs", [])),
        *describe_removed(results, urls.get("removed", plan["removed"] if results["check_mode"] else [])),
    ]
    summary = {
        **counts,
        "rotated": rotated,
        "renew_before": urls.get("renew_before"),
        "failures": [failure for step in (urls, *expiries) for failure in step.get("failures", [])],
        "expired": expired,
        "fleet": _summarize_fleet(results, fleet) if fleet else None,
        "warnings": list(dict.fromkeys(warnings)),
        "known": known,
        "ended": ended,
        "message": " ".join(_describe_appstream_lab(results, counts, expired, fleet, fleet_changed, needs, now)),
    }
    failures = _describe_skipped_fleet(results, fleet)
    billed = f"Fleet '{results['fleet_name']}' was started or scaled, and is billed while it runs."
    left_behind = billed if steps["fleet"].get("changed") else None
    return {
        "summary": add_outcome(summary, results, failures, is_changed=fleet_changed, left_behind=left_behind),
        "seats": _build_appstream_seats(results, predicted, ended),
        "insufficient_capacity": lacking,
        "fleet_is_ready": bool(fleet and steps["capacity"]) and _is_fleet_ready(results, fleet, lacking),
        "available_sessions": steps["capacity"].get("available_sessions"),
        "leaving_user_ids": results["leaving_user_ids"],
        "fleet_needs": needs,
        "withdrawn_user_ids": withdrawn,
        **plan,
        **_plan_appstream_users(results, people, left),
    }


def prepare(results: Result) -> dict[str, Any]:
    """Return the results with what is derived from those of the steps."""
    steps, rows = results["steps"], results["learners"]
    learners = rotated_learners(rows, steps["rotation"]["generations"])
    sessions, capacity = steps["sessions"].get("sessions"), {}
    if sessions is not None and not steps["sessions"].get("failed"):
        user_ids = [learner["user_id"] for learner in learners]
        capacity = required_capacity(user_ids, sessions, results["spare_sessions"])
    # Released leases count: their URLs may have started a session since.
    ending = steps["ending"].get("leases", [])
    kept = list(dict.fromkeys(lease["user_id"] for lease in ending if lease["labs"]))
    # A session that this run has ended may be listed a little longer.
    ended = {session["id"] for session in steps["expire"].get("sessions", []) if session["expired"]}
    return {
        **results,
        "rows": rows,
        "learners": learners,
        "steps": {**steps, "capacity": capacity},
        "kept_user_ids": kept if results["end_sessions"] else [],
        "leaving_user_ids": list(dict.fromkeys(lease["user_id"] for lease in ending if not lease["labs"])),
        "other_sessions": [
            session
            for session in steps["on_fleet"].get("sessions", [])
            if session["state"] != "EXPIRED" and session["id"] not in ended
        ],
    }


def _is_fleet_ready(results: Result, fleet: Result, lacking: str | None) -> bool:
    """Return whether nothing has to be done, or to be waited for, until the fleet has the capacity."""
    if not results["manage_fleet"]:
        return lacking is None
    return is_ready(fleet, results["steps"]["capacity"]["available_sessions"])


def _plan_appstream_users(results: Result, people: set[str], left: Sequence[Result]) -> dict[str, Any]:
    """Return the users of the lab, the earlier ones of those who are rotated, and who cannot be rotated."""
    rotate = {normalise(learner): learner for learner in results["rotate"]}
    former = rotated_learners(results["rows"], results["steps"]["rotation"].get("generations", {}), rotate.values())
    former += [dict(lease) for lease in left if to_person(lease["id"]) in rotate]
    return {
        "users": [_to_user(learner) for learner in results["learners"]],
        "former_users": [_to_user(learner) for learner in former],
        "unknown_learner": describe_unknown_learner(results, people, left),
    }


def _split_withdrawn(results: Result, left: Sequence[Result]) -> tuple[list[str], list[str]]:
    """Return the users whose sessions are to be ended, and those in another lab, whose sessions are not.

    Whoever was withdrawn by an earlier run is among them, in case it was interrupted.
    """
    if not results["withdraw_removed"]:
        return [], []
    removed = results["steps"]["urls"].get("removed", [])
    earlier = [lease for lease in left if lease["ended"] and not lease["labs"]]
    kept = {each["user_id"]: None for each in removed if each["other_labs"]}
    user_ids = {each["user_id"]: None for each in [*removed, *earlier] if each["user_id"] not in kept}
    return list(user_ids), list(kept)


def _to_user(learner: Result) -> dict[str, Any]:
    """Return what the module that issues URLs takes of a row."""
    return {field: learner[field] for field in _USER_FIELDS if field in learner}


def _build_appstream_seats(results: Result, predicted: Iterable[Result], ended: bool | None) -> list[dict[str, Any]]:
    """Return a seat for each learner who has a URL, or in check mode would have one; if the lab ended, for each one."""
    steps = results["steps"]
    generations = Generations(steps["rotation"].get("generations", {}))
    languages = get_languages(results)
    entries = [*steps["urls"].get("streaming_urls", []), *({**learner, **PREDICTED} for learner in predicted)]
    if results["state"] == "absent":
        entries = [{**learner, **RELEASED} for learner in results["learners"] if ended]
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


def _get_fleet(steps: Result) -> dict[str, Any]:
    """Return the fleet as it was described last, or nothing."""
    described = [steps[step].get("fleet") for step in ("stop", "fleet", "sessions")]
    fleets = [*described, *steps["fleet_info"].get("fleets", [])]
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
    max_available, needed = fleet["capacity"]["max_available"], steps["capacity"]["available_sessions"]
    if max_available >= needed:
        return None
    without = count(steps["capacity"]["needed"], "learner has no session yet", "learners have no session yet")
    spare = needed - steps["capacity"]["needed"]
    remedy = _RUN_FLEET if results["manage_fleet"] else "set appstream_lab_manage_fleet"
    return (
        f"Fleet '{results['fleet_name']}' is set to have {count(max_available, 'session', 'sessions')} available "
        f"({fleet['capacity']['available']} now), but {without}{f', and {spare} should be spare' if spare else ''}: "
        f"raise its capacity, or {remedy}."
    )


def _describe_skipped_fleet(results: Result, fleet: Result) -> Iterator[str]:
    """Yield why no URLs could be issued, if it is that the step was left out which starts the fleet."""
    steps, state = results["steps"], fleet.get("state", "RUNNING")
    if results["manage_fleet"] and steps["urls"].get("failed") and not steps["fleet"] and state != "RUNNING":
        yield f"Fleet '{results['fleet_name']}' was not started, since {describe_left_out('fleet')}: {_RUN_FLEET}."


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


def _describe_rotation(rotated: Sequence[str], check_mode: bool) -> Iterator[str]:
    if rotated:
        verb = "would get" if check_mode else "has" if len(rotated) == 1 else "have"
        yield (
            f"{', '.join(rotated)} {verb} a new user id, and with it an empty home folder and another user fee. If "
            "there are pages, send the address of the new one. The previous URL can still start a session until it "
            "expires."
        )


def _describe_kept_sessions(user_ids: Sequence[str]) -> Iterator[str]:
    if user_ids:
        yield (
            "Users who are in another lab on this stack and fleet keep their sessions: "
            f"{list_names(user_ids, MAX_NAMED)}."
        )


def _describe_appstream_lab(
    results: Result,
    counts: Result,
    expired: int,
    fleet: Result,
    fleet_changed: bool,
    needs: Sequence[str],
    now: datetime.datetime,
) -> Iterator[str]:
    to_be = "to be " if results["check_mode"] else ""
    name = results["fleet_name"]
    state = f"{'would be' if results['check_mode'] and fleet_changed else 'is'} {fleet.get('state')}"
    if results["state"] == "present":
        if results["learners"]:
            yield f"Learners: {len(results['learners'])}."
            if results["steps"]["urls"]:
                yield f"Streaming URLs {to_be}issued: {counts['issued']}, reused: {counts['reused']}."
            else:
                yield f"No streaming URLs were issued, since {describe_left_out('urls')}."
            yield from describe_expiry(results, counts, results["timezone"], results["ends_at"])
        else:
            yield NO_LEARNERS
        if fleet:
            capacity = fleet["capacity"]
            yield (
                f"Fleet '{name}' {state} with sessions in use: {capacity['in_use']}, available: "
                f"{capacity['available']}, desired: {capacity['desired']}."
            )
        return
    ending = _get_ending(results)
    if is_known(results, ending) is False:
        yield NOTHING_RELEASED
        if fleet:
            yield f"Fleet '{name}' {state}."
        return
    if counts["released"]:
        yield f"Leases {to_be}released: {counts['released']}."
        leases = results["steps"]["urls"].get("leases", [])
        yield describe_working(results, "Streaming URLs that were handed out", leases, now)
    else:
        yield describe_unreleased(results)
    if results["end_sessions"]:
        yield f"Sessions {to_be}expired: {expired}."
    if fleet and needs:
        yield f"Fleet '{name}' stays {fleet['state']}, because {' and '.join(needs)}."
    elif fleet:
        later = [lab for lab in _get_other_labs(results) if lab["starts_in"]]
        next_lab = f"; lab '{later[0]['lab']}' needs it at {later[0]['starts_at']}" if later else ""
        yield f"Fleet '{name}' {state}{next_lab}."


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
