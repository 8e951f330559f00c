# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role appstream_lab: from a roster to seats and a summary, in all that a class can come to."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.running import CHECKOUT, FLEET, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

PLAYBOOK = "labstream.aws.appstream_lab"
ROLE = "labstream.aws.appstream_lab"
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
    """Run the role once for each lab, all in one play, each also if one before it failed.

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
    published = [task for task in run.tasks if task.name == f"{ROLE} : Publish the facts"]
    assert [task.status for task in published] == ["ok"] * len(labs), run.printed
    return published, run


def seats_of(published: Task) -> list[dict[str, Any]]:
    return published.result["ansible_facts"]["appstream_lab_seats"]


def build_summary(published: Task) -> dict[str, Any]:
    return published.result["ansible_facts"]["appstream_lab_summary"]


def count_states(published: Task) -> tuple[str, int, int, int]:
    """Outcome, issued, reused, forgotten."""
    summary = build_summary(published)
    return summary["outcome"], summary["issued"], summary["reused"], summary["forgotten"]


def learners(number: int) -> list[dict[str, str]]:
    return [{"learner": f"learner-{position}"} for position in range(1, number + 1)]


def in_hours(hours: float) -> str:
    """That moment from now, as users write it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def issued_by(simulator: Simulator) -> int:
    return len(simulator.calls("CreateStreamingURL"))


def assert_no_url(simulator: Simulator, text: str) -> None:
    assert simulator.streaming_urls(), "a search for nothing proves nothing"
    assert not [url for url in simulator.streaming_urls() if url in text or url.partition("=")[2] in text]


@pytest.mark.core
def test_a_class_from_a_roster_file_gets_seats_and_a_second_run_changes_nothing(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "roster.csv").write_text(ROSTER)
    summary_path = home / "summary.json"
    lab_variables = variables(
        roster="roster.csv", ends_at=in_hours(4), summary_path=str(summary_path), session_context="unit-7"
    )

    first = run_playbook(PLAYBOOK, extra_vars=lab_variables, diff=True)

    assert (first.returncode, first.changed) == (0, 1), first.printed
    published = first.task(f"{ROLE} : Publish the facts")
    anna, ben = seats_of(published)
    assert anna == {
        "learner": "S1",
        "name": "Anna Example",
        "email": "anna@example.org",
        "seat": "s1",
        "provider": "appstream",
        "scope": anna["scope"],
        "stack_name": STACK,
        "fleet_name": FLEET,
        "region": "us-east-1",
        "application_id": None,
        "session_context": "unit-7",
        "expires": anna["expires"],
        "issued": True,
        "generation": 0,
    }
    assert anna["scope"].startswith("appstream|127.0.0.1")
    assert (ben["learner"], ben["seat"], ben["name"]) == ("S2", "s2", "Ben Example")
    assert build_summary(published) == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 2,
        "issued": 2,
        "reused": 0,
        "failed": 0,
        "forgotten": 0,
        "rotated": [],
        "earliest_expiry": anna["expires"],
        "renew_before": None,
        "failures": [],
        "message": "Learners: 2. Streaming URLs issued: 2, reused: 0.",
    }
    assert json.loads(summary_path.read_text()) == build_summary(published)
    assert stat.S_IMODE(summary_path.stat().st_mode) == 0o640
    assert_no_url(lab, first.printed + summary_path.read_text())
    assert "WARNING" not in first.printed
    assert "censored" not in first.printed

    second = run_playbook(PLAYBOOK, extra_vars=lab_variables)

    assert (second.returncode, second.changed) == (0, 0), second.printed
    again = second.task(f"{ROLE} : Publish the facts")
    assert count_states(again) == ("ok", 0, 2, 0)
    assert seats_of(again) == [{**seat, "issued": False} for seat in (anna, ben)]
    assert json.loads(summary_path.read_text()) == build_summary(again)
    assert issued_by(lab) == 2


def test_the_end_of_the_class_decides_what_is_issued(lab: Simulator, run_playbook: RunPlaybook) -> None:
    ends_at = datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(hours=4)
    later = (ends_at + timedelta(hours=1)).isoformat()
    three = variables(learners=learners(3), ends_at=ends_at.isoformat())

    published, run = serve(
        run_playbook,
        three,
        variables(learners=learners(3), ends_at=ends_at.strftime("%H:%M"), timezone="UTC"),
        variables(learners=learners(5), ends_at=ends_at.isoformat()),
        variables(learners=learners(5), ends_at=later),
    )

    assert [count_states(each)[1:3] for each in published] == [(3, 0), (0, 3), (2, 3), (5, 0)], run.printed
    assert issued_by(lab) == 10

    lab.set(clock_offset_seconds=2 * 60 * 60)
    [two_hours_later], run = serve(run_playbook, variables(learners=learners(5), ends_at=later))

    assert (count_states(two_hours_later), run.changed) == (("ok", 0, 5, 0), 0)


def test_an_end_that_yaml_takes_for_a_date_time_or_a_number(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    plays = [
        {"hosts": "localhost", "gather_facts": False, "vars": variables(learners=learners(1)), "roles": [ROLE]},
    ]
    text = yaml.safe_dump(plays)
    date_time = text.replace("  vars:\n", f"  vars:\n    appstream_lab_ends_at: {in_hours(2)}\n")
    number = text.replace("  vars:\n", "  vars:\n    appstream_lab_ends_at: 17:00\n")

    run = run_playbook(date_time + number)

    published = [task for task in run.tasks if task.name == f"{ROLE} : Publish the facts"]
    assert [build_summary(each)["outcome"] for each in published] == ["ok", "failed"], run.printed
    [refused] = [
        task.msg
        for task in run.tasks
        if task.name == f"{ROLE} : Fail for the reason that was published" and task.failed
    ]
    assert refused == (
        "The end of the class is the number 1020, which YAML makes of an unquoted time; write '17:00' in quotes."
    )


def test_a_list_a_file_and_a_text_of_the_same_learners_are_the_same_class(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "beside.csv").write_text("nobody\n")
    (home.parent / "runs" / "beside.csv").write_text(ROSTER)  # where the playbook is
    (home / "Schwäne.csv").write_text(ROSTER.replace("ID number", "Matrikel").replace(",", ";"))
    as_list = [
        {"learner": "S1", "name": "Anna Example", "email": "anna@example.org"},
        {"learner": "S2", "name": "Ben Example", "email": "ben@example.org"},
    ]

    published, run = serve(
        run_playbook,
        variables(learners=as_list, validity=3600),
        variables(roster=ROSTER, validity=3600),
        variables(roster="beside.csv", validity=3600),
        variables(roster="~/Schwäne.csv", roster_columns={"learner": "Matrikel"}, validity=3600),
    )

    assert [count_states(each) for each in published] == [("ok", 2, 0, 0)] + [("ok", 0, 2, 0)] * 3, run.printed
    for each in published[1:]:
        assert seats_of(each) == [{**seat, "issued": False} for seat in seats_of(published[0])]


def test_one_learner_refused_leaves_the_others_their_seats(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    lab_variables = variables(learners=learners(5), validity=3600, summary_path=str(home / "summary.json"))
    lab.add_fault(
        operation="CreateStreamingURL",
        parameters={"UserId": "learner-3"},
        error={"code": "OperationNotPermittedException", "message": "Not this one"},
    )

    run = run_playbook(PLAYBOOK, extra_vars=lab_variables)

    assert run.returncode == 2
    published = run.task(f"{ROLE} : Publish the facts")
    assert [seat["seat"] for seat in seats_of(published)] == ["learner-1", "learner-2", "learner-4", "learner-5"]
    summary = build_summary(published)
    assert json.loads((home / "summary.json").read_text()) == summary
    assert (summary["outcome"], summary["requested"], summary["issued"], summary["failed"]) == ("partial", 5, 4, 1)
    [failure] = summary["failures"]
    assert (failure["user_id"], failure["code"]) == ("learner-3", "OperationNotPermittedException")
    failed = run.task(f"{ROLE} : Fail for the reason that was published")
    assert failed.msg == summary["message"]
    assert failed.msg.startswith("1 of 5 got no streaming URL: learner-3: ")
    assert "Not this one" in failed.msg
    assert failed.msg in run.printed
    assert_no_url(lab, run.printed + json.dumps(summary))


def test_a_summary_that_cannot_be_written_costs_no_url_and_hides_no_reason(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    nowhere = variables(learners=learners(1), validity=3600, summary_path=str(home / "nowhere" / "summary.json"))

    published, run = serve(run_playbook, nowhere, {**nowhere, "appstream_lab_stack_name": "nix"})

    assert [count_states(each) for each in published] == [("ok", 1, 0, 0), ("failed", 0, 0, 0)]
    name = f"{ROLE} : Fail for the reason that was published"
    first, second = (task.msg for task in run.tasks if task.name == name and task.failed)
    told = f"The summary cannot be written to {home}/nowhere/summary.json: "
    assert first.startswith(told)
    assert second.startswith("Stack 'nix' does not exist")
    assert told in second


# What each version of ansible-core words in its own way: what a filter, a task and a module refuse.
REFUSED_BY_EACH = {
    "a bad roster": ({"learners": None, "roster": "name\nAnna\n"}, "Roster line 1 names no column"),
    "no end": ({"validity": None}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
    "no such stack": ({"stack_name": "nix"}, "Stack 'nix' does not exist in region us-east-1"),
}
REFUSED = {
    "a list for a roster": (
        {"learners": None, "roster": learners(2)},
        "appstream_lab_roster is no text: give a list as appstream_lab_learners.",
    ),
    "no such roster": ({"learners": None, "roster": "nix.csv"}, "There is no roster "),
    "no key": ({"user_id_style": "opaque"}, "style='opaque' needs a key"),
    "no learners": ({"learners": None}, "Give one of appstream_lab_learners and appstream_lab_roster."),
    "two sources": ({"roster": ROSTER}, "Give one of appstream_lab_learners and appstream_lab_roster."),
    "two ends": ({"ends_at": "17:00"}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
    "no zone": ({"validity": None, "ends_at": "17:00"}, "The end of the class '17:00' has no offset from UTC"),
    "no memory": ({"lease_store": "none"}, "lease_store is none, which stores no URL"),
}


@pytest.mark.parametrize("cases", [pytest.param(REFUSED_BY_EACH, marks=pytest.mark.core), REFUSED], ids=["1", "2"])
def test_a_failure_before_the_first_url_is_one_sentence_in_the_summary_too(
    lab: Simulator, run_playbook: RunPlaybook, home: Path, cases: dict[str, tuple[dict[str, Any], str]]
) -> None:
    good = variables(learners=learners(1), validity=3600)
    labs = [
        {**good, **{f"appstream_lab_{option}": value for option, value in options.items()}}
        for options, _begin in cases.values()
    ]
    labs = [{name: value for name, value in lab.items() if value is not None} for lab in labs]
    # A file takes time, so not for all.
    for number in (0, len(labs) - 1):
        labs[number]["appstream_lab_summary_path"] = str(home / f"{number}.json")

    (_good, *published), run = serve(run_playbook, good, *labs)

    assert issued_by(lab) == 1
    name = f"{ROLE} : Fail for the reason that was published"
    reasons = [task.msg for task in run.tasks if task.name == name and task.failed]
    for (case, (_options, begin)), reason, each in zip(cases.items(), reasons, published, strict=True):
        summary = build_summary(each)
        assert summary["message"].startswith(begin), case
        assert reason == summary["message"]
        # Nothing of the lab before is left in it.
        assert count_states(each) == ("failed", 0, 0, 0), case
        assert summary["earliest_expiry"] is None
        assert seats_of(each) == []
    for number in (0, len(labs) - 1):
        assert json.loads((home / f"{number}.json").read_text()) == build_summary(published[number])
    assert "Traceback" not in run.printed


def test_check_mode_predicts_and_leaves_everything_alone(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    lab_variables = variables(learners=learners(2), validity=3600, summary_path=str(home / "summary.json"))

    predicted = run_playbook(PLAYBOOK, extra_vars=lab_variables, check=True, diff=True)

    assert (predicted.returncode, predicted.changed) == (0, 1), predicted.printed
    assert '"learner-2": "to be issued"' in predicted.printed
    assert issued_by(lab) == 0
    assert not (home / STORE).exists()
    assert not (home / "summary.json").exists()

    real = run_playbook(PLAYBOOK, extra_vars=lab_variables)

    before, after = (run.task(f"{ROLE} : Publish the facts") for run in (predicted, real))
    assert seats_of(before) == [{**seat, "expires": None} for seat in seats_of(after)]
    message = "Learners: 2. Streaming URLs to be issued: 2, reused: 0."
    assert build_summary(before) == {**build_summary(after), "earliest_expiry": None, "message": message}

    store = (home / STORE).read_bytes()
    [reused, forgotten], again = serve(run_playbook, lab_variables, variables(state="absent"), check=True)

    assert (again.returncode, again.changed) == (0, 1), again.printed
    assert [count_states(each) for each in (reused, forgotten)] == [("ok", 0, 2, 0), ("ok", 0, 0, 2)]
    assert (home / STORE).read_bytes() == store


def test_a_class_without_learners_is_nothing_to_do(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    before = len(lab.calls())

    published, run = serve(
        run_playbook,
        variables(learners=[], validity=3600, summary_path=str(home / "summary.json")),
        variables(roster="learner,name\n", validity=3600),
    )

    assert (run.returncode, run.changed) == (0, 0)
    assert [count_states(each) for each in published] == [("unchanged", 0, 0, 0)] * 2
    assert build_summary(published[0])["message"] == "There are no learners, so nothing was done: look into the roster."
    assert json.loads((home / "summary.json").read_text()) == build_summary(published[0])
    assert len(lab.calls()) == before


def test_two_labs_on_one_stack_are_forgotten_one_by_one(lab: Simulator, run_playbook: RunPlaybook) -> None:
    monday = variables(learners=[{"learner": "anna"}, {"learner": "ben"}], validity=3600)
    tuesday = variables(name="tuesday", learners=[{"learner": "ben"}, {"learner": "chloe"}], validity=3600)

    published, run = serve(
        run_playbook,
        monday,
        tuesday,  # ben holds the URL that was issued for monday
        variables(state="absent"),
        variables(name="tuesday", state="absent", purge=True),
    )

    assert [count_states(each) for each in published] == [
        ("ok", 2, 0, 0),
        ("ok", 1, 1, 0),
        ("ok", 0, 0, 2),
        ("ok", 0, 0, 1),  # chloe's
    ]
    assert [seats_of(each) for each in published[2:]] == [[], []]
    assert "work until they expire" in run.printed


@pytest.mark.core
def test_module_defaults_of_the_group_reach_the_role(simulator: Simulator, ansible: Ansible, home: Path) -> None:
    simulator.seed_lab(STACK, FLEET, region="eu-west-1")
    simulator.seed_lab(STACK, FLEET, region="eu-central-1")
    environment = simulator.environment()
    defaults = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region": "eu-west-1",
    }
    tasks = [
        {
            "ansible.builtin.include_role": {"name": ROLE},
            "vars": variables(learners=learners(1), validity=3600, region=region),
        }
        for region in (None, "eu-central-1")
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    play["module_defaults"] = {"group/labstream.aws.labstream": defaults}

    run = ansible.run_playbook([play], environment=dict.fromkeys(environment, ""))

    assert run.returncode == 0, run.printed
    regions = [seats_of(task)[0]["region"] for task in run.tasks if task.name == f"{ROLE} : Publish the facts"]
    assert regions == ["eu-west-1", "eu-central-1"]


def test_options_reach_the_service(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    store = home / "own.sqlite3"
    lab_variables = variables(
        learners=[{"learner": "anna", "session_context": "unit-1"}, {"learner": "ben", "application_id": "cad"}],
        session_context="unit-0",
        application_id="Desktop",
        validity=1800,
        lease_store=f"sqlite:///{store}",
        concurrency=1,
    )

    [published], run = serve(run_playbook, lab_variables)

    assert count_states(published) == ("ok", 2, 0, 0), run.printed
    assert store.exists()
    anna, ben = (call["parameters"] for call in lab.calls("CreateStreamingURL"))
    assert (anna["UserId"], anna["SessionContext"], anna["ApplicationId"], anna["Validity"]) == (
        "anna",
        "unit-1",
        "Desktop",
        1800,
    )
    assert (ben["UserId"], ben["SessionContext"], ben["ApplicationId"]) == ("ben", "unit-0", "cad")
    assert [(seat["session_context"], seat["application_id"]) for seat in seats_of(published)] == [
        ("unit-1", "Desktop"),
        ("unit-0", "cad"),
    ]


def test_defaults_are_those_that_the_documentation_names() -> None:
    role = CHECKOUT / "roles" / "appstream_lab"
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    documented = {name: option["default"] for name, option in specs.items() if "default" in option}

    assert yaml.safe_load((role / "defaults" / "main.yml").read_text()) == documented
