# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the role gamelift_lab publishes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.labstream.aws.plugins.module_utils._errors import list_names
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ENDED_SESSION
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import to_person
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import (
    MAX_NAMED,
    NO_LEARNERS,
    NOTHING_RELEASED,
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
    find_left,
    get_counts,
    get_ended,
    get_languages,
    get_people,
    has_ended,
    is_known,
    plan_withdrawal,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._rotation import Generations
from ansible_collections.labstream.aws.plugins.plugin_utils._times import parse_now, to_local


class RunningSession(NamedTuple):
    """A session that runs: whose it is, which lease started it, who needs that, and when it ends at the latest."""

    learner_id: str
    lease: str
    active_labs: Sequence[str]
    ends_by: datetime.datetime


def report(results: Result, now: datetime.datetime) -> dict[str, Any]:
    """Return the report on a lab on GameLift Streams."""
    steps, check_mode = results["steps"], results["check_mode"]
    urls, rotated = steps["urls"], steps["rotation"].get("rotated", [])
    lost = steps["lost_urls"]
    revoked = sorted({*urls.get("revoked", []), *lost.get("revoked", [])})
    unknown = lost.get("unknown", urls.get("unknown", []))
    people = get_people(results)
    left = find_left(results, people)
    plan = plan_withdrawal(results, left)
    removed = urls.get("removed", plan["removed"] if check_mode else [])
    counts = get_counts(results, urls, 0)
    counts["failed"] += lost.get("summary", {}).get("failed", 0)
    running = list(_find_running_sessions(results))
    needed = len(people - {to_person(session.learner_id) for session in running})
    going_on = _find_going_on(results, running, removed)
    is_changed = bool(steps["capacity"].get("changed") or steps["restore"].get("changed") or revoked)
    # A URL that was found by its description is of this lab.
    known = True if lost.get("revoked") else is_known(results, urls)
    ends = has_ended(urls, steps["ending"])
    ended = get_ended(results, ends, known)
    lost_store = _describe_lost_store(results)
    # Check mode does not know the sessions of a capacity that would be raised.
    sessions = None if check_mode and steps["capacity"].get("changed") else urls.get("capacity")
    duplicates = sorted(set(urls.get("duplicates", [])) - set(revoked))
    warnings = [
        *results["warnings"],
        *describe_roster_failure(results),
        *_describe_rotation(rotated, check_mode),
        *_describe_unknown_sessions(results),
        *_describe_lacking_sessions(results, sessions),
        *([describe_unknown_lab(results, urls, "stream group")] if known is False else ()),
        *([lost_store] if lost_store else []),
        *_describe_pages(results),
        *_describe_duplicates(duplicates),
        *_describe_unknown(unknown),
        *describe_outdated_labs(urls.get("outdated_labs", [])),
        *describe_removed(results, removed, are_revoked=True),
    ]
    summary = {
        **counts,
        "rotated": rotated,
        "recovered": len(urls.get("recovered", [])),
        "duplicates": duplicates,
        "revoked": len(revoked),
        "unknown": unknown,
        "failures": [*urls.get("failures", []), *lost.get("failures", [])],
        "running_sessions": len(going_on),
        "sessions_end_by": to_iso8601(max(session.ends_by for session in going_on)) if going_on else None,
        "sessions": sessions,
        "capacity": _summarize_capacity(results, needed),
        "limits": {"max_user_duration_in_seconds": int(results["session_length"] or 0)},
        "warnings": list(dict.fromkeys(warnings)),
        "known": known,
        "ended": ended,
    }
    summary["message"] = " ".join(_describe_lab(results, summary, ends))
    location = next(iter(results["locations"]), None)
    billed = f"The capacity of location '{location}' was raised, and is billed until the lab is ended."
    left_behind = billed if steps["capacity"].get("changed") else None
    return {
        "summary": add_outcome(summary, results, is_changed=is_changed, left_behind=left_behind),
        "seats": _build_seats(results, ended),
        "users": _build_users(results),
        "available_sessions": needed + int(results["spare_sessions"]),
        "lost_store": lost_store,
        "has_ended": ends,
        "unknown_learner": describe_unknown_learner(results, people, left),
        **plan,
    }


def _build_users(results: Result) -> list[dict[str, Any]]:
    """Return the learners as the module takes them that issues URLs."""
    generations = Generations(results["steps"]["rotation"].get("generations", {}))
    return [
        {**{field: learner.get(field) for field in ("id", "name", "email")}, "generation": generations[learner["id"]]}
        for learner in results["learners"]
    ]


def _build_seats(results: Result, ended: bool | None) -> list[dict[str, Any]]:
    """Return a seat for each learner who has a URL, or in check mode would have one; if the lab ended, for each one."""
    urls, is_present = results["steps"]["urls"], results["state"] == "present"
    generations = Generations(results["steps"]["rotation"].get("generations", {}))
    languages = get_languages(results)
    released = [{**row, **RELEASED} for row in results["learners"] if ended]
    entries = urls.get("stream_urls", []) if is_present else released
    return [
        {
            **{field: entry[field] for field in ("id", "name", "email", "stream_url_id", "lease", "expires", "issued")},
            "provider": "gamelift",
            "stream_group": results["stream_group"],
            "application": results["application"],
            "region": urls.get("region"),
            "generation": generations[entry["id"]],
            "usage_limit": int(results["usage_limit"]),
            "language": languages.get(entry["id"]),
        }
        for entry in entries
        # A URL that was created and then could not be stored has no expiry.
        if entry["expires"] or (results["check_mode"] and entry["issued"]) or not is_present
    ]


def _find_running_sessions(results: Result) -> Iterator[RunningSession]:
    """Yield the sessions of the lab that ran before this run changed anything."""
    for stream_url in results["steps"]["sessions"].get("stream_urls", []):
        for session in stream_url["stream_sessions"]:
            if session["status"] not in ENDED_SESSION and session["started_at"]:
                length = datetime.timedelta(seconds=stream_url["session_length"] or 0)
                ends_by = parse_now(session["started_at"]) + length
                yield RunningSession(stream_url["id"], stream_url["lease"], stream_url["active_labs"], ends_by)


def _find_going_on(
    results: Result, running: Sequence[RunningSession], removed: Sequence[Result]
) -> list[RunningSession]:
    """Return the sessions that go on though no lab needs their leases, whichever run has released these."""
    urls, is_present = results["steps"]["urls"], results["state"] == "present"
    if not is_present:
        # Those that end now were not looked for.
        return [each for each in running if urls and not set(each.active_labs) - {results["lab"]}]
    withdrawn = {lease["lease"] for lease in removed} if results["withdraw_removed"] else set()
    used = {entry["lease"] for entry in urls.get("stream_urls", [])}
    return [
        each
        for each in running
        if each.lease not in used
        and (not results["terminate_sessions"] if each.lease in withdrawn else not each.active_labs)
    ]


def _summarize_capacity(results: Result, needed: int) -> dict[str, Any] | None:
    """Return the capacity of the location that the role manages, None if it does not."""
    steps, is_present = results["steps"], results["state"] == "present"
    step = steps["capacity" if is_present else "restore"]
    if not step.get("stream_group", {}).get("arn"):
        return None
    location = next(iter(results["locations"]), None)
    states = {each["location_name"]: each for each in step["stream_group"]["location_states"]}
    capacity = states.get(location, {}).get("capacity", {})
    return {
        "location": location,
        **{name: capacity.get(name) for name in ("always_on", "maximum", "allocated", "in_use", "available")},
        "needed": needed if is_present else None,
        "restored": step.get("restored", []),
        "kept": step.get("kept", []),
    }


def _describe_rotation(rotated: Sequence[str], check_mode: bool) -> Iterator[str]:
    if rotated:
        verb = "would get" if check_mode else "has" if len(rotated) == 1 else "have"
        revoked = f"{'would be' if check_mode else 'was'} revoked, and its sessions ended"
        yield (
            f"{', '.join(rotated)} {verb} a new URL, and the previous one {revoked}. If there are pages, send the "
            "address of the new one."
        )


def _describe_unknown_sessions(results: Result) -> Iterator[str]:
    """Yield a warning if the sessions of the lab are not known, which is started or ended all the same."""
    failure = results["steps"]["sessions"].get("msg")
    # What has also failed the role is said once.
    if not failure or failure in results["failure"]:
        return
    if results["state"] == "present" and results["manage_capacity"]:
        yield f"It is not known who has a session, so the capacity is for all learners: {failure}"
    else:
        yield f"It is not known which sessions go on, and are billed: {failure}"


def _describe_lacking_sessions(results: Result, sessions: Result | None) -> Iterator[str]:
    """Yield a warning if the stream group cannot have a session for each learner."""
    if sessions and sessions["sessions"] < sessions["needed"]:
        yield (
            f"Not every learner can have a session at the same time: there can be {sessions['sessions']}, for "
            f"{sessions['needed']} learners, who can start up to {sessions['max_needed']}. Set "
            "gamelift_lab_manage_capacity, raise the maximum capacity (labstream.aws.gamelift_stream_group), or add to "
            "gamelift_lab_locations."
        )


def _describe_lost_store(results: Result) -> str | None:
    """Return a warning if nothing is stored about a lab that has stream URLs, which this run does not recover."""
    found = results["steps"]["sessions"]
    number = len(found.get("unknown", []))
    if not number or found["stream_urls"] or results["state"] == "absent" or results["recover"]:
        return None
    return (
        f"Nothing is stored about this lab, but {count(number, 'ACTIVE stream URL seems', 'ACTIVE stream URLs seem')} "
        "to belong to it: the lease store was lost, or gamelift_lab_lease_store is not the one that the lab was "
        "started with. Correct that, or set gamelift_lab_recover to reuse these URLs. Otherwise, learners get new ones."
    )


def _describe_pages(results: Result) -> Iterator[str]:
    """Yield what to do about the pages of a lab whose lease store was lost, which had their names."""
    steps = results["steps"]
    if results["check_mode"]:
        return
    if steps["urls"].get("recovered"):
        yield (
            "The lease store was rebuilt. If there are pages, their addresses may have changed: send those in the "
            "list of links again, and delete all other pages of this lab."
        )
    if steps["lost_urls"].get("revoked"):
        yield (
            "The lease store did not know all of the lab. If there are pages, delete those of this lab that do not say "
            "that it has ended."
        )


def _describe_duplicates(duplicates: Sequence[str]) -> Iterator[str]:
    """Yield a warning about further stream URLs of the learners."""
    if duplicates:
        yield (
            "Learners of this lab have further stream URLs, which work until the lab is ended or they expire: "
            f"{list_names(duplicates, MAX_NAMED)}. Set gamelift_lab_revoke_duplicates with gamelift_lab_recover to "
            "revoke them now."
        )


def _describe_unknown(unknown: Sequence[str]) -> Iterator[str]:
    """Yield a warning about stream URLs that the end of the lab has left, since nothing is stored about them."""
    if unknown:
        they_were, them = ("it was", "it") if len(unknown) == 1 else ("they were", "them")
        yield (
            f"Nothing is stored about {count(len(unknown), 'stream URL that seems', 'stream URLs that seem')} to "
            f"belong to this lab, so {they_were} not revoked: {list_names(unknown, MAX_NAMED)}. To revoke {them}, end "
            "the lab again with the learners and with the gamelift_lab_application, gamelift_lab_locations, "
            "gamelift_lab_launch_args, gamelift_lab_environment, gamelift_lab_role_arn and gamelift_lab_resolution "
            "that it was started with."
        )


def _describe_lab(results: Result, summary: Result, ends: bool) -> Iterator[str]:
    to_be = "to be " if results["check_mode"] else ""
    capacity = summary["capacity"]
    if results["state"] == "present":
        if not results["learners"]:
            yield NO_LEARNERS
            return
        yield f"Learners: {len(results['learners'])}."
        if results["steps"]["urls"]:
            recovered = _describe_recovered(results, summary)
            revoked = f", revoked: {summary['revoked']}" if summary["revoked"] else ""
            yield f"Stream URLs {to_be}created: {summary['issued']}, reused: {summary['reused']}{recovered}{revoked}."
        else:
            yield f"No stream URLs were created, since {describe_left_out('urls')}."
        yield from describe_expiry(results, summary, results["timezone"], results["ends_at"])
        if summary["sessions"]:
            yield (
                f"Sessions possible at once at {list_names(results['locations'], MAX_NAMED)}: "
                f"{summary['sessions']['sessions']}, needed: "
                f"{summary['sessions']['needed']}, or up to {summary['sessions']['max_needed']} if learners open their "
                "URLs several times at once."
            )
        if capacity:
            yield (
                f"Location '{capacity['location']}' has sessions in use: {capacity['in_use']}, available: "
                f"{capacity['available']}, always on: {capacity['always_on']}, maximum: {capacity['maximum']}."
            )
        yield from _describe_going_on(results, summary, " of learners who are no longer in this lab")
        return
    urls = results["steps"]["urls"]
    if summary["known"] is False:
        yield NOTHING_RELEASED
    else:
        yield from _describe_end(results, urls, summary)
    yield from _describe_going_on(results, summary)
    if results["manage_capacity"] and not ends:
        yield f"The capacity is not restored: the lab has not ended, since {describe_left_out('leases')}."
    elif results["manage_capacity"] and summary["known"] and not results["steps"]["restore"]:
        yield f"The capacity is not restored, since {describe_left_out('capacity')}: what was raised is still billed."
    if capacity:
        for restored in capacity["restored"]:
            yield (
                f"The capacity of location '{restored['location_name']}' is {to_be}restored to "
                f"{restored['always_on_capacity']} always on, maximum {restored['maximum_capacity']}."
            )
        yield from capacity["kept"]


def _describe_recovered(results: Result, summary: Result) -> str:
    if not summary["recovered"]:
        return ""
    return f", of which {'to be ' if results['check_mode'] else ''}stored again: {summary['recovered']}"


def _describe_end(results: Result, urls: Result, summary: Result) -> Iterator[str]:
    to_be = "to be " if results["check_mode"] else ""
    if not summary["released"] and not summary["revoked"]:
        yield describe_unreleased(results)
        return
    lost = summary["revoked"] - len(urls.get("revoked", []))
    of_which = f", of which the lease store did not know: {lost}" if lost else ""
    yield f"Leases {to_be}released: {summary['released']}. Stream URLs {to_be}revoked: {summary['revoked']}{of_which}."
    if results["terminate_sessions"]:
        yield f"Their sessions {'would end' if results['check_mode'] else 'end'} now."
    elif lost:
        yield "It is not known which sessions of these go on."


def _describe_going_on(results: Result, summary: Result, whose: str = "") -> Iterator[str]:
    """Yield until when sessions go on that no lab needs."""
    number = summary["running_sessions"]
    if number:
        until = to_local(parse_now(summary["sessions_end_by"]), results["timezone"] or None)
        sessions, go, are = ("session", "goes", "is") if number == 1 else ("sessions", "go", "are")
        yield f"{number} {sessions}{whose} {go} on, until {until} at the latest, and {are} billed."
