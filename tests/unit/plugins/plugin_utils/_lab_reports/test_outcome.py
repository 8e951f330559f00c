# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbooks start_lab and end_lab publish of the role, of the handouts, and of what failed beside them."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.outcome import lab_outcome

DONE = {"lab": "monday", "outcome": "ok", "message": "Done.", "issued": 2, "ended": None}
FAILED = {**DONE, "outcome": "failed", "message": "Why."}
WRITTEN = {"written": 3, "message": "Pages: 2."}
RUN = {
    "lab": "monday",
    "state": "present",
    "provider": "appstream",
    "summary": DONE,
    "has_handouts": False,
    "hands_out": False,
    "handout": None,
    "run_tags": ["all"],
    "failure": "",
}


def outcome(**run):
    """Return the outcome and the message of a run that differs from ``RUN``."""
    summary = lab_outcome({**RUN, **run})
    return summary["outcome"], summary["message"]


def test_the_summary_has_that_of_the_role_and_the_handouts():
    summary = lab_outcome({**RUN, "has_handouts": True, "hands_out": True, "handout": WRITTEN})

    assert summary == {**DONE, "handout": WRITTEN, "message": "Done. Pages: 2."}


def test_what_is_not_known_is_null_whatever_ansible_makes_of_null():
    summary = lab_outcome({**RUN, "lab": "", "summary": {}, "handout": ""})

    assert (summary["lab"], summary["handout"]) == (None, None)


@pytest.mark.parametrize(
    ("summary", "failure", "expected"),
    [
        pytest.param({}, "It broke.", ("failed", "It broke."), id="before the role"),
        pytest.param(DONE, "It broke.", ("partial", "Done. It broke."), id="after it"),
        pytest.param(FAILED, "", ("failed", "Why."), id="in it"),
        pytest.param({**FAILED, "outcome": "partial"}, "", ("partial", "Why."), id="for some learners"),
        pytest.param({**DONE, "outcome": "unchanged"}, "", ("unchanged", "Done."), id="nowhere"),
    ],
)
def test_a_failure_beside_the_role_is_added_to_the_summary(summary, failure, expected):
    assert outcome(summary=summary, failure=failure) == expected


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        pytest.param({}, "there are no URLs of this run to hand out.", id="no URLs"),
        pytest.param({"hands_out": True}, "the tag 'handout' is not among those that run.", id="without their tag"),
        pytest.param({"state": "absent"}, "this run neither ends the lab nor knows that it has ended.", id="not ended"),
    ],
)
def test_the_message_says_why_the_handouts_stay(run, reason):
    assert outcome(has_handouts=True, **run) == ("ok", f"Done. The handouts stay as they are, since {reason}")


def test_a_failure_of_the_role_is_the_first_cause_and_the_handouts_that_it_leaves_come_next():
    _outcome, message = outcome(summary=FAILED, has_handouts=True)

    assert message == "Why. The handouts stay as they are, since there are no URLs of this run to hand out."


def test_a_failure_of_the_handouts_says_why_they_stay():
    assert outcome(has_handouts=True, hands_out=True, failure="No folder.") == ("partial", "Done. No folder.")


@pytest.mark.parametrize(
    ("provider", "remedy"),
    [("appstream", "run with --tags urls,handout."), ("gamelift", "--tags urls,handout."), ("nimble", "--tags.")],
)
def test_handouts_that_are_asked_for_without_urls_are_a_failure(provider, remedy):
    run = {"summary": {}, "has_handouts": True, "run_tags": ["handout"]}

    found, message = outcome(provider=provider, **run)

    assert found == "failed"
    assert message.startswith("The handouts are for the URLs of the same run")
    assert message.endswith(remedy)


@pytest.mark.parametrize("summary", [{}, {**DONE, "outcome": "unchanged"}])
def test_handouts_that_are_asked_for_without_urls_are_a_failure_whatever_else_runs(summary):
    run = {"summary": summary, "has_handouts": True, "run_tags": ["handout", "rotate"]}

    found, message = outcome(**run)
    assert found == "failed"
    assert message.endswith("run with --tags urls,handout.")
    assert outcome(**{**run, "hands_out": True, "handout": WRITTEN})[0] != "failed"
    assert outcome(**{**run, "summary": FAILED})[1].startswith("Why. The handouts stay as they are")


NOTHING = "Nothing was done, since the tags of this run leave out all steps of the role"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({}, f"{NOTHING}."),
        ({"has_handouts": True}, f"{NOTHING}."),
        ({"provider": "nimble"}, f"{NOTHING}, which have none: run without --tags."),
        (
            {"has_handouts": True, "state": "absent", "run_tags": ["handout"]},
            f"{NOTHING}. The handouts stay as they are, since this run neither ends the lab nor knows that it has "
            "ended.",
        ),
    ],
)
def test_tags_that_leave_out_the_role_leave_the_lab_unchanged(run, message):
    assert outcome(**{"summary": {}, "run_tags": ["test"], **run}) == ("unchanged", message)


def test_a_message_without_a_full_stop_does_not_run_into_the_next():
    _outcome, message = outcome(
        summary={**FAILED, "message": "No folder /srv"}, has_handouts=True, hands_out=True, handout=WRITTEN
    )

    assert message == "No folder /srv. Pages: 2."
