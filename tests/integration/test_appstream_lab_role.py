# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role appstream_lab: from a roster to seats and a summary."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.running import FLEET, PUBLISH, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

PLAYBOOK = "labstream.aws.appstream_lab"
ROLE = "labstream.aws.appstream_lab"
FAILURE = "labstream.aws.lab_results : Show the result, or fail with it"
STORE = ".ansible/labstream/leases.sqlite3"
ROSTER = (
    "ID number,First name,Last name,Email address\nS1,Anna,Example,anna@example.org\nS2,Ben,Example,ben@example.org\n"
)
RunPlaybook = Callable[..., Run]


def variables(**options: Any) -> dict[str, Any]:
    """The role's variables for a lab "monday"; options with None are left out."""
    lab = {"name": "monday", "stack_name": STACK, "fleet_name": FLEET, **options}
    return {f"appstream_lab_{option}": value for option, value in lab.items() if value is not None}


def serve(run_playbook: RunPlaybook, *labs: Mapping[str, Any], **options: Any) -> tuple[list[Task], Run]:
    """Run the role once for each lab, all in one play, each even if one before it failed.

    Returns what the role published for each lab, and the run.
    """
    tasks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": ROLE}, "vars": dict(lab)}],
            "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}],
        }
        for lab in labs
    ]
    run = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], **options)
    published = [task for task in run.tasks if task.name == PUBLISH]
    assert [task.status for task in published] == ["ok"] * len(labs), run.printed
    return published, run


def seats_of(published: Task) -> list[dict[str, Any]]:
    return published.result["ansible_facts"]["appstream_lab_seats"]


def get_summary(published: Task) -> dict[str, Any]:
    return published.result["ansible_facts"]["appstream_lab_summary"]


def count_states(published: Task) -> tuple[str, int, int, int]:
    """Outcome, issued, reused, released."""
    summary = get_summary(published)
    return summary["outcome"], summary["issued"], summary["reused"], summary["released"]


def learners(number: int) -> list[dict[str, str]]:
    return [{"id": f"learner-{position}"} for position in range(1, number + 1)]


def issued_by(simulator: Simulator) -> int:
    return len(simulator.calls("CreateStreamingURL"))


def assert_no_url(simulator: Simulator, text: str) -> None:
    assert simulator.streaming_urls(), "a search for nothing proves nothing"
    assert not [url for url in simulator.streaming_urls() if url in text or url.partition("=")[2] in text]


@pytest.mark.core
def test_a_roster_file_becomes_seats_as_check_mode_predicts_and_a_second_run_changes_nothing(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "roster.csv").write_text(ROSTER.replace("ID number", "Matrikel"))
    summary_path = home / "summary.json"
    ends_at = datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(hours=4)
    lab_variables = variables(
        roster="roster.csv",
        roster_columns={"id": "Matrikel"},
        ends_at=ends_at,
        summary_path=str(summary_path),
        session_context="unit-7",
    )
    # As users write it: YAML reads the end as a datetime.
    (home / "lab.yml").write_text(yaml.safe_dump(lab_variables))
    given = ["--extra-vars", "@lab.yml"]

    predicted = run_playbook(PLAYBOOK, arguments=given, check=True, diff=True)

    assert (predicted.returncode, predicted.changed) == (0, 1), predicted.printed
    assert '": "to be issued"' in predicted.printed
    assert issued_by(lab) == 0
    assert not (home / STORE).exists()
    assert not summary_path.exists()

    first = run_playbook(PLAYBOOK, arguments=given, diff=True)

    assert (first.returncode, first.changed) == (0, 1), first.printed
    published = first.task(PUBLISH)
    anna, ben = seats_of(published)
    assert anna == {
        "id": "S1",
        "name": "Anna Example",
        "email": "anna@example.org",
        "user_id": "s1",
        "provider": "appstream",
        "lease": anna["lease"],
        "stack_name": STACK,
        "fleet_name": FLEET,
        "region": "us-east-1",
        "expires": anna["expires"],
        "issued": True,
        "generation": 0,
        "language": None,
    }
    assert datetime.fromisoformat(anna["expires"]) >= ends_at
    assert "unit-7" not in json.dumps(anna)
    assert (ben["id"], ben["user_id"], ben["name"]) == ("S2", "s2", "Ben Example")
    assert len({anna["lease"], ben["lease"], None}) == 3
    summary = get_summary(published)
    until = min(datetime.fromisoformat(seat["expires"]) for seat in (anna, ben))
    assert summary == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 2,
        "issued": 2,
        "reused": 0,
        "failed": 0,
        "released": 0,
        "rotated": [],
        "earliest_expiry": summary["earliest_expiry"],
        "renew_before": None,
        "failures": [],
        "expired": 0,
        "known": None,
        "ended": None,
        "fleet": None,
        "warnings": [],
        "check": False,
        "would_issue": 0,
        "message": (
            f"Learners: 2. Streaming URLs issued: 2, reused: 0. They are valid until {until:%Y-%m-%d %H:%M} (UTC)."
        ),
    }
    assert summary["earliest_expiry"] in (anna["expires"], ben["expires"])
    assert json.loads(summary_path.read_text()) == summary
    assert stat.S_IMODE(summary_path.stat().st_mode) == 0o640
    assert_no_url(lab, first.printed + summary_path.read_text())
    assert "WARNING" not in first.printed
    assert "censored" not in first.printed
    expected = predicted.task(PUBLISH)
    assert seats_of(expected) == [{**seat, "expires": None} for seat in (anna, ben)]
    message = "Learners: 2. Streaming URLs to be issued: 2, reused: 0."
    differs = {"earliest_expiry": None, "message": message, "check": True, "would_issue": 2}
    assert get_summary(expected) == {**summary, **differs}

    # The same end as a time of day.
    same_end = {"appstream_lab_ends_at": f"{ends_at:%H:%M}", "appstream_lab_timezone": "UTC"}
    second = run_playbook(PLAYBOOK, arguments=[*given, "--extra-vars", json.dumps(same_end)])

    assert (second.returncode, second.changed) == (0, 0), second.printed
    again = second.task(PUBLISH)
    assert count_states(again) == ("ok", 0, 2, 0)
    assert seats_of(again) == [{**seat, "issued": False} for seat in (anna, ben)]
    assert json.loads(summary_path.read_text()) == get_summary(again)
    assert issued_by(lab) == 2


# The errors of a lookup, an argument and a module.
REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "a bad roster": ({"learners": None, "roster": "name\nAnna\n"}, "Roster line 1 names no column"),
    "no end": ({"validity": None}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
    "a stranger to rotate": ({"rotate": ["Ann"]}, "appstream_lab_rotate has 'Ann', which is not the id of a learner"),
    # Modules name the variables of the role.
    "no such stack": (
        {"stack_name": "nix"},
        "Stack 'nix' does not exist in region us-east-1: check appstream_lab_stack_name and appstream_lab_region, ",
    ),
}


def test_a_failure_for_one_learner_leaves_the_others_their_seats_and_each_failure_is_one_message(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    # Given a lab in which one learner gets no URL, and labs that fail before the first.
    good = variables(learners=learners(3), validity=3600, summary_path=str(home / "summary.json"))
    lab.add_fault(
        operation="CreateStreamingURL",
        parameters={"UserId": "learner-2"},
        error={"code": "OperationNotPermittedException", "message": "Not this one"},
    )
    bad = [variables(**{"learners": learners(1), "validity": 3600, **options}) for options, _begin in REJECTED.values()]
    bad[-1]["appstream_lab_summary_path"] = str(home / "nowhere" / "summary.json")

    (partial, *published), run = serve(run_playbook, good, *bad)

    # Then the others have theirs.
    assert [seat["user_id"] for seat in seats_of(partial)] == ["learner-1", "learner-3"]
    summary = get_summary(partial)
    assert json.loads((home / "summary.json").read_text()) == summary
    assert (summary["outcome"], summary["requested"], summary["issued"], summary["failed"]) == ("partial", 3, 2, 1)
    [failure] = summary["failures"]
    assert (failure["id"], failure["user_id"]) == ("learner-2", "learner-2")
    assert failure["code"] == "OperationNotPermittedException"
    message, *reasons = [task.msg for task in run.tasks if task.name == FAILURE and task.failed]
    # Who reads only the end of the output sees the cause.
    assert message == summary["message"]
    assert summary["message"].startswith("1 of 3 got no streaming URL: learner-2: ")
    assert "Not this one" in summary["message"]
    assert [task.name for task in run.tasks if task.failed and task.msg == summary["message"]] == [
        f"{ROLE} : Create streaming URLs, or reuse those that are valid long enough",
        FAILURE,
    ]

    # And each failure is one message, in the summary too, and nothing of the previous lab is left in it.
    for (case, (_options, begin)), reason, each in zip(REJECTED.items(), reasons, published, strict=True):
        summary = get_summary(each)
        assert summary["message"].startswith(begin), case
        assert reason.startswith(summary["message"]), case
        assert count_states(each) == ("failed", 0, 0, 0), case
        assert summary["earliest_expiry"] is None
        assert seats_of(each) == []
    assert ["The summary cannot be written to" in reason for reason in reasons] == [False, False, False, True]
    assert "Traceback" not in run.printed
    assert_no_url(lab, run.printed + json.dumps(summary))


@pytest.mark.core
def test_module_defaults_of_the_play_and_options_reach_the_service_and_other_variables_are_named(
    simulator: Simulator, ansible: Ansible, home: Path
) -> None:
    # Given one lab with the defaults of the play, and another with all options, of which one is text in JSON.
    simulator.seed_lab(STACK, FLEET, region="eu-west-1")
    simulator.seed_lab(STACK, FLEET, region="eu-central-1")
    environment = simulator.environment()
    defaults = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region": "us-east-1",
    }
    of_play, store = home / "play.sqlite3", home / "own.sqlite3"
    modules = ("appstream_streaming_url", "appstream_session_info", "streaming_rotation")
    single = {"appstream_streaming_url": {"session_context": "of-the-play", "application_id": "cad"}}
    options = variables(
        learners=[{"id": "anna", "session_context": "unit-1"}, {"id": "ben", "application_id": "cad"}],
        session_context='{"unit": 0}',
        application_id="Desktop",
        validity=1800,
        lease_store=f"sqlite:///{store}",
        concurrency=1,
        region="eu-central-1",
    )
    labs = [variables(learners=learners(1), validity=3600, break_minutes=1), options]
    tasks = [{"ansible.builtin.include_role": {"name": ROLE}, "vars": lab} for lab in labs]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    play["module_defaults"] = {
        "group/labstream.aws.labstream": defaults,
        "group/labstream.aws.leases": {"lease_store": f"sqlite://{of_play}"},
        **{f"labstream.aws.{name}": {"region": "eu-west-1", **single.get(name, {})} for name in modules},
    }

    # And labs without learners, with unknown variables of each kind: of a play, registered, set_fact, of include_role
    # and of a loop; and one with a misspelled option.
    def include(**options: Any) -> dict[str, Any]:
        return {"ansible.builtin.include_role": {"name": ROLE}, "vars": variables(validity=60, learners=[], **options)}

    tasks = [
        {"ansible.builtin.debug": {"msg": "x"}, "register": "appstream_lab_of_register"},
        {"ansible.builtin.set_fact": {"appstream_lab_of_set_fact": "{{ not_defined | default(1) }}"}},
        {
            **include(of_include="{{ not_defined }}"),
            "loop": [1],
            "loop_control": {"loop_var": "appstream_lab_of_loop"},
        },
        {"block": [include(rooster="x.csv")], "rescue": [{"ansible.builtin.debug": {"msg": "go on"}}]},
    ]
    unknown = {"hosts": "localhost", "gather_facts": False, "vars": {"appstream_lab_of_play": 1}, "tasks": tasks}

    run = ansible.run_playbook([play, unknown], environment=dict.fromkeys(environment, ""))

    # Then the first two get their URLs where they say.
    assert run.returncode == 0, run.printed
    one, two, *others = [task for task in run.tasks if task.name == PUBLISH]
    assert [seats_of(task)[0]["region"] for task in (one, two)] == ["eu-west-1", "eu-central-1"]
    assert [path.exists() for path in (of_play, store, home / STORE)] == [True, True, False]
    first, anna, ben = (call["parameters"] for call in simulator.calls("CreateStreamingURL"))
    assert (first["SessionContext"], first["ApplicationId"]) == ("of-the-play", "cad")
    assert (anna["UserId"], anna["SessionContext"], anna["ApplicationId"], anna["Validity"]) == (
        "anna",
        "unit-1",
        "Desktop",
        1800,
    )
    assert (ben["UserId"], ben["SessionContext"], ben["ApplicationId"]) == ("ben", '{"unit": 0}', "cad")

    # And the others ask no service: unknown variables are warnings, and a misspelled option is an error.
    ends = ["of_loop", "of_include", "of_play", "of_register", "of_set_fact"]
    assert [get_summary(each)["warnings"] for each in others] == [
        [
            f"appstream_lab_{end} is not an option of the role appstream_lab, so it has no effect."
            for end in sorted(each)
        ]
        for each in (ends, ends[2:])
    ]
    assert [get_summary(each)["message"] for each in others] == [
        "There are no learners, so nothing was done: check the roster.",
        "appstream_lab_rooster is not an option of the role appstream_lab: did you mean appstream_lab_roster?",
    ]
    assert len(simulator.calls("DescribeStacks")) == 3
