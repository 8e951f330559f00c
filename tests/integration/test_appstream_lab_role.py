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

from tests.integration.running import FLEET, STACK, Ansible, Run, Task
from tests.simulator.control import Simulator

PLAYBOOK = "labstream.aws.appstream_lab"
ROLE = "labstream.aws.appstream_lab"
FAILURE = "labstream.aws.lab_results : Fail if a step failed"
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
    published = [task for task in run.tasks if task.name == f"{ROLE} : Publish the results"]
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


def in_hours(hours: float) -> str:
    """The time in so many hours, as users write it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def issued_by(simulator: Simulator) -> int:
    return len(simulator.calls("CreateStreamingURL"))


def assert_no_url(simulator: Simulator, text: str) -> None:
    assert simulator.streaming_urls(), "a search for nothing proves nothing"
    assert not [url for url in simulator.streaming_urls() if url in text or url.partition("=")[2] in text]


@pytest.mark.core
def test_a_roster_file_becomes_seats_and_a_second_run_changes_nothing(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "roster.csv").write_text(ROSTER)
    summary_path = home / "summary.json"
    lab_variables = variables(
        roster="roster.csv", ends_at=in_hours(4), summary_path=str(summary_path), session_context="unit-7"
    )

    first = run_playbook(PLAYBOOK, extra_vars=lab_variables, diff=True)

    assert (first.returncode, first.changed) == (0, 1), first.printed
    published = first.task(f"{ROLE} : Publish the results")
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
    }
    assert "unit-7" not in json.dumps(anna)
    assert (ben["id"], ben["user_id"], ben["name"]) == ("S2", "s2", "Ben Example")
    assert len({anna["lease"], ben["lease"], None}) == 3
    assert get_summary(published) == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 2,
        "issued": 2,
        "reused": 0,
        "failed": 0,
        "released": 0,
        "rotated": [],
        "earliest_expiry": anna["expires"],
        "renew_before": None,
        "failures": [],
        "expired": 0,
        "fleet": None,
        "warnings": [],
        "message": "Learners: 2. Streaming URLs issued: 2, reused: 0.",
    }
    assert json.loads(summary_path.read_text()) == get_summary(published)
    assert stat.S_IMODE(summary_path.stat().st_mode) == 0o640
    assert_no_url(lab, first.printed + summary_path.read_text())
    assert "WARNING" not in first.printed
    assert "censored" not in first.printed

    second = run_playbook(PLAYBOOK, extra_vars=lab_variables)

    assert (second.returncode, second.changed) == (0, 0), second.printed
    again = second.task(f"{ROLE} : Publish the results")
    assert count_states(again) == ("ok", 0, 2, 0)
    assert seats_of(again) == [{**seat, "issued": False} for seat in (anna, ben)]
    assert json.loads(summary_path.read_text()) == get_summary(again)
    assert issued_by(lab) == 2


def test_the_end_of_the_lab_decides_what_is_issued(lab: Simulator, run_playbook: RunPlaybook) -> None:
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


def test_an_end_that_yaml_reads_as_a_datetime_or_a_number(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    plays = [
        {"hosts": "localhost", "gather_facts": False, "vars": variables(learners=learners(1)), "roles": [ROLE]},
    ]
    text = yaml.safe_dump(plays)
    date_time = text.replace("  vars:\n", f"  vars:\n    appstream_lab_ends_at: {in_hours(2)}\n")
    number = text.replace("  vars:\n", "  vars:\n    appstream_lab_ends_at: 17:00\n")

    run = run_playbook(date_time + number)

    published = [task for task in run.tasks if task.name == f"{ROLE} : Publish the results"]
    assert [get_summary(each)["outcome"] for each in published] == ["ok", "failed"], run.printed
    [error] = [task.msg for task in run.tasks if task.name == FAILURE and task.failed]
    assert error == (
        "appstream_lab_ends_at: The time is the number 1020, which is how YAML reads an unquoted time: write '"
        "17:00' in quotes."
    )


def test_a_list_a_file_and_a_text_of_the_same_learners_are_the_same_lab(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "beside.csv").write_text("nobody\n")
    (home.parent / "runs" / "beside.csv").write_text(ROSTER)  # where the playbook is
    (home / "Schwäne.csv").write_text(ROSTER.replace("ID number", "Matrikel").replace(",", ";"))
    as_list = [
        {"id": "S1", "name": "Anna Example", "email": "anna@example.org"},
        {"id": "S2", "name": "Ben Example", "email": "ben@example.org"},
    ]

    published, run = serve(
        run_playbook,
        variables(learners=as_list, validity=3600),
        variables(roster=ROSTER, validity=3600),
        variables(roster="beside.csv", validity=3600),
        variables(roster="~/Schwäne.csv", roster_columns={"id": "Matrikel"}, validity=3600),
    )

    assert [count_states(each) for each in published] == [("ok", 2, 0, 0)] + [("ok", 0, 2, 0)] * 3, run.printed
    for each in published[1:]:
        assert seats_of(each) == [{**seat, "issued": False} for seat in seats_of(published[0])]


def test_a_failure_for_one_learner_leaves_the_others_their_seats(
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
    published = run.task(f"{ROLE} : Publish the results")
    assert [seat["user_id"] for seat in seats_of(published)] == ["learner-1", "learner-2", "learner-4", "learner-5"]
    summary = get_summary(published)
    assert json.loads((home / "summary.json").read_text()) == summary
    assert (summary["outcome"], summary["requested"], summary["issued"], summary["failed"]) == ("partial", 5, 4, 1)
    [failure] = summary["failures"]
    assert (failure["id"], failure["user_id"]) == ("learner-3", "learner-3")
    assert failure["code"] == "OperationNotPermittedException"
    failed = run.task(FAILURE)
    assert failed.msg == summary["message"]
    assert failed.msg.startswith("1 of 5 got no streaming URL: learner-3: ")
    assert "Not this one" in failed.msg
    assert failed.msg in run.printed
    assert_no_url(lab, run.printed + json.dumps(summary))


def test_a_summary_that_cannot_be_written_costs_no_url_and_hides_no_failure(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    nowhere = variables(learners=learners(1), validity=3600, summary_path=str(home / "nowhere" / "summary.json"))

    published, run = serve(run_playbook, nowhere, {**nowhere, "appstream_lab_stack_name": "nix"})

    assert [count_states(each) for each in published] == [("ok", 1, 0, 0), ("failed", 0, 0, 0)]
    name = "labstream.aws.lab_results : Fail if the summary cannot be written"
    first, second = (task.msg for task in run.tasks if task.name == name and task.failed)
    message = f"The summary cannot be written to {home}/nowhere/summary.json: "
    assert first.startswith(message)
    assert second.startswith("Stack 'nix' does not exist")
    assert message in second


# What each version of ansible-core words in its own way: the errors of a lookup, a task and a module.
REJECTED_BY_EACH = {
    "a bad roster": ({"learners": None, "roster": "name\nAnna\n"}, "Roster line 1 names no column"),
    "no end": ({"validity": None}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
    "no such stack": ({"stack_name": "nix"}, "Stack 'nix' does not exist in region us-east-1"),
}
REJECTED = {
    "a list for a roster": (
        {"learners": None, "roster": learners(2)},
        "appstream_lab_roster is not text: give a list as appstream_lab_learners.",
    ),
    "no such roster": ({"learners": None, "roster": "nix.csv"}, "There is no roster "),
    "no key": ({"user_id_style": "opaque"}, "style='opaque' needs a key"),
    "no learners": ({"learners": None}, "Give one of appstream_lab_learners and appstream_lab_roster."),
    "two sources": ({"roster": ROSTER}, "Give one of appstream_lab_learners and appstream_lab_roster."),
    "two ends": ({"ends_at": "17:00"}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
    "no zone": ({"validity": None, "ends_at": "17:00"}, "appstream_lab_ends_at: The time '17:00' has no offset"),
    "no store": ({"lease_store": "none"}, "lease_store is none"),
}


@pytest.mark.parametrize("cases", [pytest.param(REJECTED_BY_EACH, marks=pytest.mark.core), REJECTED], ids=["1", "2"])
def test_a_failure_before_the_first_url_is_one_message_in_the_summary_too(
    lab: Simulator, run_playbook: RunPlaybook, home: Path, cases: dict[str, tuple[dict[str, Any], str]]
) -> None:
    good = variables(learners=learners(1), validity=3600)
    labs = [
        {**good, **{f"appstream_lab_{option}": value for option, value in options.items()}}
        for options, _begin in cases.values()
    ]
    labs = [{name: value for name, value in lab.items() if value is not None} for lab in labs]
    # Writing a file takes time, so not for all.
    for number in (0, len(labs) - 1):
        labs[number]["appstream_lab_summary_path"] = str(home / f"{number}.json")

    (_good, *published), run = serve(run_playbook, good, *labs)

    assert issued_by(lab) == 1
    name = FAILURE
    reasons = [task.msg for task in run.tasks if task.name == name and task.failed]
    for (case, (_options, begin)), reason, each in zip(cases.items(), reasons, published, strict=True):
        summary = get_summary(each)
        assert summary["message"].startswith(begin), case
        assert reason == summary["message"]
        # Nothing of the previous lab is left in it.
        assert count_states(each) == ("failed", 0, 0, 0), case
        assert summary["earliest_expiry"] is None
        assert seats_of(each) == []
    for number in (0, len(labs) - 1):
        assert json.loads((home / f"{number}.json").read_text()) == get_summary(published[number])
    assert "Traceback" not in run.printed


def test_check_mode_predicts_and_changes_nothing(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    lab_variables = variables(learners=learners(2), validity=3600, summary_path=str(home / "summary.json"))

    predicted = run_playbook(PLAYBOOK, extra_vars=lab_variables, check=True, diff=True)

    assert (predicted.returncode, predicted.changed) == (0, 1), predicted.printed
    assert '"learner-2": "to be issued"' in predicted.printed
    assert issued_by(lab) == 0
    assert not (home / STORE).exists()
    assert not (home / "summary.json").exists()

    real = run_playbook(PLAYBOOK, extra_vars=lab_variables)

    before, after = (run.task(f"{ROLE} : Publish the results") for run in (predicted, real))
    assert seats_of(before) == [{**seat, "expires": None} for seat in seats_of(after)]
    message = "Learners: 2. Streaming URLs to be issued: 2, reused: 0."
    assert get_summary(before) == {**get_summary(after), "earliest_expiry": None, "message": message}

    store = (home / STORE).read_bytes()
    [reused, released], again = serve(run_playbook, lab_variables, variables(state="absent"), check=True)

    assert (again.returncode, again.changed) == (0, 1), again.printed
    assert [count_states(each) for each in (reused, released)] == [("ok", 0, 2, 0), ("ok", 0, 0, 2)]
    assert (home / STORE).read_bytes() == store


def test_a_lab_without_learners_is_unchanged(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    before = len(lab.calls())

    published, run = serve(
        run_playbook,
        variables(learners=[], validity=3600, summary_path=str(home / "summary.json")),
        variables(roster="id,name\n", validity=3600),
    )

    assert (run.returncode, run.changed) == (0, 0)
    assert [count_states(each) for each in published] == [("unchanged", 0, 0, 0)] * 2
    assert get_summary(published[0])["message"] == "There are no learners, so nothing was done: check the roster."
    assert json.loads((home / "summary.json").read_text()) == get_summary(published[0])
    assert len(lab.calls()) == before


def test_two_labs_on_one_stack_are_released_one_by_one(lab: Simulator, run_playbook: RunPlaybook) -> None:
    monday = variables(learners=[{"id": "anna"}, {"id": "ben"}], validity=3600)
    tuesday = variables(name="tuesday", learners=[{"id": "ben"}, {"id": "chloe"}], validity=3600)

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
    regions = [seats_of(task)[0]["region"] for task in run.tasks if task.name == f"{ROLE} : Publish the results"]
    assert regions == ["eu-west-1", "eu-central-1"]


def test_options_reach_the_service(lab: Simulator, run_playbook: RunPlaybook, home: Path) -> None:
    store = home / "own.sqlite3"
    lab_variables = variables(
        learners=[{"id": "anna", "session_context": "unit-1"}, {"id": "ben", "application_id": "cad"}],
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


@pytest.mark.core
def test_unknown_variables_are_warnings_and_misspelled_options_are_errors(
    run_playbook: RunPlaybook, simulator: Simulator
) -> None:
    def include(**options: Any) -> dict[str, Any]:
        return {"ansible.builtin.include_role": {"name": ROLE}, "vars": variables(validity=60, learners=[], **options)}

    # Variables of each kind: of a play, registered, set_fact, of include_role and of a loop; twice in one play.
    tasks = [
        {"ansible.builtin.debug": {"msg": "x"}, "register": "appstream_lab_of_register"},
        {"ansible.builtin.set_fact": {"appstream_lab_of_set_fact": "{{ not_defined | default(1) }}"}},
        {
            **include(of_include="{{ not_defined }}"),
            "loop": [1],
            "loop_control": {"loop_var": "appstream_lab_of_loop"},
        },
        include(),
        {"block": [include(rooster="x.csv")], "rescue": [{"ansible.builtin.debug": {"msg": "go on"}}]},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"appstream_lab_of_play": 1}, "tasks": tasks}

    run = run_playbook([play])

    published = [task for task in run.tasks if task.name == f"{ROLE} : Publish the results"]
    assert run.returncode == 0, run.printed
    ends = ["of_loop", "of_include", "of_play", "of_register", "of_set_fact"]
    assert [get_summary(each)["warnings"] for each in published] == [
        [
            f"appstream_lab_{end} is not an option of the role appstream_lab, so it has no effect."
            for end in sorted(ends_)
        ]
        for ends_ in (ends, ends[2:], ends[2:])
    ]
    assert [get_summary(each)["message"] for each in published[1:]] == [
        "There are no learners, so nothing was done: check the roster.",
        "appstream_lab_rooster is not an option of the role appstream_lab: did you mean appstream_lab_roster?",
    ]
    assert simulator.calls() == []


def test_a_playbook_that_imports_start_lab_has_its_roster_in_the_working_directory(
    lab: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    (home / "roster.csv").write_text(ROSTER)
    (home.parent / "runs").mkdir(exist_ok=True)
    (home.parent / "runs" / "roster.csv").write_text("nobody\n")  # where the playbook is
    options = {**variables(roster="roster.csv", validity=3600), "appstream_lab_manage_fleet": False}

    run = run_playbook([{"ansible.builtin.import_playbook": "labstream.aws.start_lab", "vars": options}])

    assert run.returncode == 0, run.printed
    assert [seat["id"] for seat in seats_of(run.task(f"{ROLE} : Publish the results"))] == ["S1", "S2"]
