# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the playbooks start_lab and end_lab publish, and what they end with. Knows neither AWS nor Ansible."""

from __future__ import annotations

from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import Result, describe_left_out


def lab_outcome(run: Result) -> dict[str, Any]:
    """Return the summary of a lab with its handouts, and with what failed beside its role.

    Args:
        run: ``lab``, its name; ``state`` and ``provider``; the ``summary`` of its role, empty if that did not run;
            ``has_handouts``, whether it has any, and ``hands_out``, whether this run has URLs for them; ``handout``,
            their summary, None if they were not written; ``run_tags``, the tags that run; and ``failure``, the message
            of the step that failed, empty if none did.

    Returns:
        The summary, with ``handout``, and with the ``outcome`` and ``message`` of all. It has an outcome even if the
        role did not run.
    """
    summary: Result = run["summary"]
    failure = run["failure"] or _describe_missing_urls(run)
    outcome, message = summary.get("outcome", "unchanged"), summary.get("message") or _describe_nothing(run)
    if failure:
        outcome = "partial" if summary.get("outcome") in ("ok", "partial") else "failed"
        message = _join(summary.get("message"), failure)
    # A failure says why they were not.
    more = run["handout"]["message"] if run["handout"] else None if failure else _describe_unwritten(run)
    return {
        # ansible-core before 2.19 makes empty text of null.
        "lab": run["lab"] or None,
        **summary,
        "handout": run["handout"] or None,
        "outcome": outcome,
        "message": _join(message, more),
    }


def _join(first: str | None, second: str | None) -> str:
    """Return the sentences as one text. The message of a module may have no full stop."""
    if first and second and not first.endswith((".", "!", "?")):
        first = f"{first}."
    return " ".join(filter(None, [first, second]))


def _describe_missing_urls(run: Result) -> str | None:
    """Return why handouts that were asked for cannot be written; None if they were not, or if the role says why."""
    is_asked_for = run["has_handouts"] and "handout" in run["run_tags"] and "urls" not in run["run_tags"]
    is_explained = run["hands_out"] or run["summary"].get("outcome") in ("failed", "partial")
    if run["state"] == "absent" or not is_asked_for or is_explained:
        return None
    if run["provider"] == "nimble":
        return (
            "The handouts are for the URLs of the same run, but its role was left out, whose tasks have no tags: run "
            "without --tags."
        )
    return (
        "The handouts are for the URLs of the same run, but the step that creates them was left out: run with "
        "--tags urls,handout."
    )


def _describe_nothing(run: Result) -> str:
    """Return why the role did not run, though nothing failed."""
    remedy = ", which have none: run without --tags" if run["provider"] == "nimble" else ""
    return f"Nothing was done, since the tags of this run leave out all steps of the role{remedy}."


def _describe_unwritten(run: Result) -> str | None:
    """Return why the handouts were not written, None if there are none, or if the role did not run."""
    if not run["has_handouts"]:
        return None
    if run["hands_out"]:
        return f"The handouts stay as they are, since {describe_left_out('handout')}."
    if run["state"] == "absent":
        return "The handouts stay as they are, since this run neither ends the lab nor knows that it has ended."
    if not run["summary"]:
        return None
    return "The handouts stay as they are, since there are no URLs of this run to hand out."
