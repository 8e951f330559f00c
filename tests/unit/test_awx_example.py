# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""examples/awx: what it asks of awx.awx, AWX and ansible-builder is what these take."""

from __future__ import annotations

import datetime
import importlib
import json
import re
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.labstream.aws.plugins.module_utils._appstream.validation import NAME
from ansible_collections.labstream.aws.plugins.module_utils._argspec import MAX_LAB_LENGTH
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import LeaseTable, parse_address
from ansible_collections.labstream.aws.plugins.plugin_utils._times import to_utc
from dateutil.rrule import rrulestr
from jinja2 import Environment, StrictUndefined, nodes

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "examples/awx"
PATTERN = CHECKOUT / "extensions/patterns/streaming_labs"
AWX = CHECKOUT / "build/collections/ansible_collections/awx/awx"
OMIT = "left out"
KEYS = {"username": "AKIAEXAMPLE", "password": "example"}
# What is defined in any playbook.
OF_ANSIBLE = {"omit", "lookup", "ansible_failed_result"}
# What answers.yml hands on, and where the answers are.
FOUND = {"lab_s3_object", "lab_pages_folder"}
ANSWERS = "lab_answers"

Task = dict[str, Any]


# It reads each file once.
LOADER = DataLoader()


def loaded(name: str) -> Any:
    """A file of the example as Ansible reads it: what it may evaluate is marked."""
    return LOADER.load_from_file(str(EXAMPLE / name), trusted_as_template=True)


def evaluated(value: Any, **variables: Any) -> Any:
    """A value with its templates evaluated, by the variables of setup.yml and these."""
    known = {**loaded("vars.yml"), **loaded("surveys.yml"), "omit": OMIT, **variables}
    return Templar(loader=DataLoader(), variables=known).template(value)


def parameters_of(playbook: str) -> dict[str, Any]:
    """What a job gives to the playbook of the collection."""
    return loaded(playbook)[1]["vars"]


def task_of(module: str) -> Task:
    """The only task of setup.yml for a module."""
    (task,) = [task for task in TASKS if module in task]
    return task


def flattened(tasks: list[Task]) -> list[Task]:
    """The tasks, also those in blocks, but for those that only fail."""
    each = [task for task in tasks if "ansible.builtin.fail" not in task]
    return [inner for task in each for inner in flattened(task.get("block", [])) or [task]]


TASKS = flattened(loaded("setup.yml")[0]["tasks"])
SURVEYS = {"start_lab.yml": "awx_start_lab_survey", "end_lab.yml": "awx_end_lab_survey"}


def questions_of(playbook: str, **variables: Any) -> dict[str, dict[str, Any]]:
    """The questions that AWX asks before it runs a playbook, by variable."""
    survey = evaluated(loaded("surveys.yml")[SURVEYS[playbook]], **variables)
    return {question["variable"]: question for question in survey["spec"]}


# What setup.yml asks of awx.awx


class Recorded(Exception):
    """The arguments that a module makes its AnsibleModule with."""


def errors_in(module: str, arguments: dict[str, Any]) -> list[str]:
    """Return what a module of awx.awx would reject in its arguments."""

    def record(argument_spec: dict[str, Any], **options: Any) -> None:
        raise Recorded({**authentication, **argument_spec}, options)

    source = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{module.removeprefix('awx.awx.')}")
    authentication = source.ControllerAPIModule.AUTH_ARGSPEC
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "ControllerAPIModule", record)
        with pytest.raises(Recorded) as recorded:
            source.main()
    specification, options = recorded.value.args
    validator = ArgumentSpecValidator(specification, **options)
    return validator.validate(arguments).error_messages


def arguments_of(task: Task, **variables: Any) -> dict[str, Any]:
    """A task's arguments as the module gets them: its templates evaluated, without what is omitted."""
    # Instead of what lookups find.
    found = {"awx_existing_schedules": [], "awx_aws_keys": KEYS, "awx_groups": [{"name": "", "team": "Teachers"}]}
    known = {**task.get("vars", {}), **found, **variables}
    known["item"] = [*evaluated(task.get("loop", []), **known), None][0]
    arguments = evaluated(task[module_of(task)], **known)
    return {name: value for name, value in arguments.items() if value != OMIT}


@pytest.fixture
def awx_collection() -> None:
    if not AWX.is_dir():
        pytest.skip("awx.awx is not there: run tools/environments.py collections-test")
    assert yaml.safe_load((AWX / "MANIFEST.json").read_text())["collection_info"]["version"] == "24.6.1"


def module_of(task: Task) -> str:
    (module,) = [name for name in task if name.startswith("awx.awx.")]
    return module


@pytest.mark.usefixtures("awx_collection")
@pytest.mark.parametrize("task", TASKS, ids=[task["name"] for task in TASKS])
def test_the_modules_take_what_setup_gives_them(task: Task) -> None:
    assert errors_in(module_of(task), arguments_of(task)) == []


@pytest.mark.usefixtures("awx_collection")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"colour": "blue"}, "colour"),
        ({"job_type": "walk"}, "value of job_type must be one of"),
        ({"survey_spec": "What?"}, "survey_spec"),
        ({"name": None}, "name"),
    ],
    ids=["unknown option", "no choice", "wrong type", "missing"],
)
def test_the_check_finds_what_a_module_would_reject(change: dict[str, Any], error: str) -> None:
    arguments = {"name": "End a lab", "job_type": "run", **change}

    (message,) = errors_in("awx.awx.job_template", {name: value for name, value in arguments.items() if value})

    assert error in message


def test_a_credential_without_keys_is_left_as_it_is() -> None:
    task = task_of("awx.awx.credential")

    given, left = arguments_of(task), arguments_of(task, awx_aws_keys={})

    assert (given["inputs"], given["state"]) == (KEYS, "present")
    assert ("inputs" in left, left["state"]) == (False, "exists")
    assert task["no_log"] is True


WEBHOOK = {
    "url": "https://hooks.example.org/labs",
    "http_method": "POST",
    "headers": {},
    "disable_ssl_verification": False,
    "username": "",
    "password": "",
}


def test_a_notification_has_no_answers_of_the_job() -> None:
    task = task_of("awx.awx.notification_template")
    # Of what AWX gives to a message. job_metadata and artifacts have the answers, or learners.
    job = {"id": 7, "name": 'Start a "lab"', "status": "failed"}
    known = {"job": job, "url": "https://awx.example.org/#/jobs/playbook/7", "job_friendly_name": "Job"}

    messages = arguments_of(task, awx_notification_configuration=WEBHOOK)["messages"]

    assert set(messages) == {"started", "success", "error"}
    for event in messages.values():
        rendered = {
            part: Environment(undefined=StrictUndefined).from_string(text).render(known) for part, text in event.items()
        }
        assert json.loads(rendered["body"]) == {**job, "url": known["url"]}
        assert rendered["message"] == f'Job 7, Start a "lab": failed, {known["url"]}'
    assert task["no_log"] is True


@pytest.mark.parametrize(
    ("configuration", "sent"), [({}, None), (WEBHOOK, ["Streaming labs"])], ids=["none", "webhook"]
)
def test_the_jobs_notify_where_the_administrator_says(configuration: dict[str, Any], sent: list[str] | None) -> None:
    template = task_of("awx.awx.notification_template")
    templar = Templar(loader=DataLoader(), variables={"awx_notification_configuration": configuration})
    jobs = [arguments_of(task, **templar.available_variables) for task in TASKS if "awx.awx.job_template" in task]

    assert templar.evaluate_conditional(template["when"]) is bool(sent)
    assert [(job.get("notification_templates_success"), job.get("notification_templates_error")) for job in jobs] == [
        (sent, sent)
    ] * 2


def test_each_group_of_teachers_has_job_templates_of_its_own() -> None:
    groups = [{"name": "", "team": ""}, {"name": "mechanics", "team": "Teachers"}]
    templates = [task for task in TASKS if "awx.awx.job_template" in task]
    role = task_of("awx.awx.role")

    def names(group: dict[str, str]) -> list[str]:
        return [arguments_of(task, awx_groups=[group])["name"] for task in templates]

    assert [evaluated(task["loop"], awx_groups=groups) for task in templates] == [groups] * 2
    assert [names(group) for group in groups] == [
        ["Start a lab", "End a lab"],
        ["Start a lab, mechanics", "End a lab, mechanics"],
    ]
    assert evaluated(role["loop"], awx_groups=groups) == groups[1:]
    granted = arguments_of(role, awx_groups=groups[1:])
    assert (granted["team"], granted["role"], granted["job_templates"]) == ("Teachers", "execute", names(groups[1]))


@pytest.mark.parametrize(("groups", "given"), [([], None), (["labs"], ["labs"])])
def test_the_administrator_says_where_jobs_run_and_how_long(groups: list[str], given: list[str] | None) -> None:
    chosen = {"awx_instance_groups": groups, "awx_job_timeout": 7200}
    jobs = [arguments_of(task, **chosen) for task in TASKS if "awx.awx.job_template" in task]

    assert [(job.get("instance_groups"), job["timeout"]) for job in jobs] == [(given, 7200)] * 2
    # A job waits for the fleet, and then still has to issue the URLs.
    specs = yaml.safe_load((CHECKOUT / "roles/appstream_lab/meta/argument_specs.yml").read_text(encoding="utf-8"))
    wait = specs["argument_specs"]["main"]["options"]["appstream_lab_fleet_wait_timeout"]["default"]
    assert loaded("vars.yml")["awx_job_timeout"] > wait


@pytest.mark.parametrize(
    ("module", "variable"),
    [("awx.awx.project", "awx_project_credential"), ("awx.awx.execution_environment", "awx_image_credential")],
)
def test_a_private_repository_or_registry_is_read_with_a_credential(module: str, variable: str) -> None:
    task = task_of(module)

    public, private = arguments_of(task), arguments_of(task, **{variable: "Reads ours"})

    assert "credential" not in public
    assert private == {**public, "credential": "Reads ours"}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            {"id": 12, "status": "failed", "msg": "The Project Update - Streaming labs, failed"},
            'The sync of the project "Streaming labs" is failed: read why at https://awx.example.org/#/jobs/project/12/'
            "output, correct it, and run setup.yml again.",
        ),
        ({"msg": "Unable to find project"}, "Unable to find project"),
    ],
    ids=["sync that failed", "no sync"],
)
def test_a_project_that_cannot_be_synced_says_where_awx_shows_the_reason(result: dict[str, Any], message: str) -> None:
    (block,) = [task for task in loaded("setup.yml")[0]["tasks"] if "rescue" in task]
    template = block["rescue"][0]["ansible.builtin.fail"]["msg"]

    assert evaluated(template, awx_sync=result, awx_host="https://awx.example.org") == message


def test_the_project_is_synced_every_time_before_its_playbooks_are_needed() -> None:
    modules = [module_of(task) for task in TASKS]

    assert modules.index("awx.awx.project") < modules.index("awx.awx.project_update")
    assert modules.index("awx.awx.project_update") < modules.index("awx.awx.job_template")
    assert "when" not in task_of("awx.awx.project_update")


def test_the_project_may_be_in_a_folder_of_its_repository() -> None:
    playbooks = [task["awx.awx.job_template"]["playbook"] for task in TASKS if "awx.awx.job_template" in task]

    assert evaluated(playbooks) == ["start_lab.yml", "end_lab.yml"]
    assert evaluated(playbooks, awx_project_folder="labs/awx") == ["labs/awx/start_lab.yml", "labs/awx/end_lab.yml"]


# The schedule


def rrule_of(**variables: Any) -> str:
    return arguments_of(task_of("awx.awx.schedule"), **variables)["rrule"]


def test_the_schedule_runs_at_its_time_of_day_from_now_on() -> None:
    now = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Berlin"))
    rule = rrulestr(rrule_of().replace(" ", "\n"), tzids=zoneinfo.ZoneInfo)

    runs = list(rule.xafter(now, count=4))

    assert {run.strftime("%a %H:%M") for run in runs} == {"Mon 07:30", "Wed 07:30"}
    assert {run.utcoffset() for run in runs} <= {datetime.timedelta(hours=1), datetime.timedelta(hours=2)}


def test_a_schedule_that_is_there_keeps_the_date_it_began_with() -> None:
    there = [{"rrule": "DTSTART;TZID=Europe/Berlin:20251103T080000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=FR"}]

    assert rrule_of(awx_existing_schedules=there) == (
        "DTSTART;TZID=Europe/Berlin:20251103T073000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,WE"
    )


def test_no_date_is_written_into_the_example() -> None:
    texts = [(EXAMPLE / name).read_text(encoding="utf-8") for name in ("setup.yml", "vars.yml")]

    assert [re.findall(r"\b20\d\d-?\d\d-?\d\d", text) for text in texts] == [[], []]


def test_the_lab_that_is_scheduled_ends_on_the_day_of_the_lesson() -> None:
    answers = evaluated(loaded("vars.yml")["awx_schedule_answers"])
    variables = loaded("vars.yml")
    zone = zoneinfo.ZoneInfo(answers["lab_timezone"])
    hour, minute = map(int, variables["awx_schedule_time"].split(":"))
    lesson = datetime.datetime(2027, 3, 1, hour, minute, tzinfo=zone)

    end = to_utc(answers["lab_ends_at"], answers["lab_timezone"], now=lesson)

    assert end.astimezone(zone).date() == lesson.date()


def test_the_schedule_answers_every_question() -> None:
    answers = evaluated(loaded("vars.yml")["awx_schedule_answers"])
    questions = questions_of("start_lab.yml")

    assert set(answers) == set(questions)
    for variable, question in questions.items():
        if question["type"] == "multiplechoice":
            assert answers[variable] in question["choices"], variable
        else:
            assert question["min"] <= len(answers[variable]) <= question["max"], variable


# The surveys


@pytest.mark.parametrize("playbook", SURVEYS)
def test_a_job_reads_all_that_its_survey_asks_and_what_its_template_has_and_nothing_else(playbook: str) -> None:
    parameters = parameters_of(playbook)

    assert set(answers_in(parameters)) == set(questions_of(playbook))
    assert set(variables_in(parameters)) - FOUND - {ANSWERS} == {"lookup", *pages_of_templates()[0]}


def test_the_answers_that_are_checked_are_asked() -> None:
    (play,) = loaded("answers.yml")
    asked = {variable for playbook in SURVEYS for variable in questions_of(playbook)}

    assert set(answers_in(play)) < asked
    assert set(variables_in(play)) - set(play["vars"]) - FOUND - OF_ANSIBLE < set(pages_of_templates()[0])


def pages_of_templates() -> list[dict[str, str]]:
    """What setup.yml gives to the job templates, of each."""
    templates = [task["awx.awx.job_template"] for task in TASKS if "awx.awx.job_template" in task]
    return [evaluated(template["extra_vars"], awx_pages_bucket="lab-pages") for template in templates]


def test_where_pages_go_is_the_administrators_choice_and_the_same_for_both_jobs() -> None:
    start, end = pages_of_templates()

    assert start == end
    assert start == {
        "lab_pages_bucket": "lab-pages",
        "lab_pages_prefix": "",
        "lab_pages_region": "eu-central-1",
    }
    for playbook in SURVEYS:
        assert start.keys().isdisjoint(questions_of(playbook))
    for task in TASKS:
        assert "ask_variables_on_launch" not in task.get("awx.awx.job_template", {})


@pytest.mark.parametrize(
    ("bucket", "purge", "is_made"), [("", "no", False), ("", "", False), ("lab-pages", "no", True), ("", "yes", True)]
)
def test_there_is_a_folder_for_pages_if_they_have_a_bucket_or_are_to_be_purged(
    bucket: str, purge: str, is_made: bool
) -> None:
    (make,) = [task for task in loaded("answers.yml")[0]["tasks"][0]["block"] if "ansible.builtin.tempfile" in task]

    known = {"lab_pages_bucket": bucket, ANSWERS: {"lab_purge": purge}}

    assert Templar(loader=DataLoader(), variables=known).evaluate_conditional(make["when"]) is is_made


def test_whoever_asks_awx_for_a_check_gets_one_with_roster_and_pages() -> None:
    templates = [task["awx.awx.job_template"] for task in TASKS if "awx.awx.job_template" in task]
    steps = flattened(loaded("answers.yml")[0]["tasks"])

    assert [template["ask_job_type_on_launch"] for template in templates] == [True, True]
    assert [step["check_mode"] for step in steps] == [False, False]


@pytest.mark.parametrize("playbook", SURVEYS)
@pytest.mark.parametrize(("registered", "pages"), [({"path": "/tmp/pages"}, "/tmp/pages"), ({"skipped": True}, "")])
def test_pages_are_made_where_the_folder_for_them_is(playbook: str, registered: dict[str, Any], pages: str) -> None:
    template = parameters_of(playbook)["lab_handout_pages_dir"]

    assert evaluated(template, lab_pages_folder=registered) == pages


def templates_in(value: Any) -> Iterator[nodes.Template]:
    """The templates anywhere in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from templates_in(each)
    if isinstance(value, str):
        yield Environment().parse(value)


def variables_in(value: Any) -> Iterator[str]:
    """The variables that the templates anywhere in a value read."""
    return (name.name for template in templates_in(value) for name in template.find_all(nodes.Name))


def answers_in(value: Any) -> Iterator[str]:
    """The answers that the templates anywhere in a value read."""
    found = (each for template in templates_in(value) for each in template.find_all(nodes.Getattr))
    return (each.attr for each in found if isinstance(each.node, nodes.Name) and each.node.name == ANSWERS)


@pytest.mark.parametrize("playbook", SURVEYS)
def test_every_answer_has_limits_that_awx_can_apply(playbook: str) -> None:
    for variable, question in questions_of(playbook).items():
        assert isinstance(question["required"], bool), variable
        assert question["question_name"], variable
        assert question["question_description"], variable
        if question["type"] == "multiplechoice":
            assert question["default"] in question["choices"], variable
            continue
        assert question["type"] in ("text", "textarea"), variable
        # AWX applies the minimum to an answer that was left open, too.
        assert (question["min"] > 0) is question["required"], variable
        default = question["default"]
        assert default == "" or question["min"] <= len(default) <= question["max"], variable


@pytest.mark.parametrize(
    ("variable", "shortest", "longest"),
    [
        ("lab_name", "a", "a" * MAX_LAB_LENGTH),
        ("lab_stack", "a", "a" * 101),
        ("lab_fleet", "a", "a" * 101),
        ("lab_starts_at", "", "2026-11-21T13:00:00+01:00"),
        ("lab_ends_at", "9:00", "2026-11-21T17:00:00+01:00"),
        ("lab_timezone", "", "America/Argentina/ComodRivadavia"),
        ("lab_region", "us-east-1", "ap-southeast-1"),
    ],
)
def test_the_limits_of_an_answer_let_all_through_that_is_valid(variable: str, shortest: str, longest: str) -> None:
    question = questions_of("start_lab.yml")[variable]

    assert question["min"] <= len(shortest)
    assert len(longest) <= question["max"]


def test_the_limits_are_those_of_the_service_and_of_the_modules() -> None:
    questions = questions_of("start_lab.yml")

    for variable in ("lab_stack", "lab_fleet"):
        longest = "a" * questions[variable]["max"]
        assert (bool(NAME.fullmatch(longest)), bool(NAME.fullmatch(longest + "a"))) == (True, False)
    assert questions["lab_name"]["max"] == MAX_LAB_LENGTH


@pytest.mark.parametrize("playbook", SURVEYS)
def test_the_lease_store_is_a_choice_of_the_administrators(playbook: str) -> None:
    question = questions_of(playbook)["lab_lease_store"]

    stores = evaluated(loaded("vars.yml")["awx_lease_stores"])
    assert (question["type"], question["choices"]) == ("multiplechoice", stores)
    assert question["default"] == stores[0]
    assert [parse_address(store) for store in stores] == [LeaseTable("labstream-leases", region="eu-central-1")]


def test_a_roster_is_a_file_unless_the_administrator_lets_it_be_pasted() -> None:
    question, with_paste = (
        questions_of("start_lab.yml", **variables)["lab_roster"] for variables in ({}, {"awx_paste_rosters": "yes"})
    )

    assert (question["type"], with_paste["type"]) == ("text", "textarea")
    assert question["question_description"].endswith("s3://BUCKET/KEY, or a path in the project.")
    assert with_paste["question_description"].endswith(
        ". Its text can be pasted, but then everybody who can launch this job can read it."
    )


def test_a_roster_of_500_learners_can_be_pasted() -> None:
    header, *rows = (CHECKOUT / "examples/roster.csv").read_text(encoding="utf-8").splitlines()
    longest = max(rows, key=len)

    pasted = "\r\n".join([header, *[longest] * 500])

    assert len(pasted) <= questions_of("start_lab.yml")["lab_roster"]["max"]


@pytest.mark.parametrize(
    ("playbook", "variable", "default"),
    [
        ("start_lab.yml", "lab_manage_fleet", "awx_manage_fleet"),
        ("end_lab.yml", "lab_manage_fleet", "awx_manage_fleet"),
        ("end_lab.yml", "lab_end_sessions", "awx_end_sessions"),
    ],
)
def test_the_administrator_says_what_is_proposed_for_fleet_and_sessions(
    playbook: str, variable: str, default: str
) -> None:
    def proposed(answer: str) -> str:
        survey = evaluated(loaded("surveys.yml")[SURVEYS[playbook]], **{default: answer})
        return next(question["default"] for question in survey["spec"] if question["variable"] == variable)

    assert [proposed("no"), proposed("yes")] == ["no", "yes"]


# What the playbooks make of the answers


@pytest.mark.parametrize(("playbook", "name"), [("start_lab.yml", "start_lab"), ("end_lab.yml", "end_lab")])
def test_a_job_validates_its_answers_and_then_runs_the_playbook_of_the_collection(playbook: str, name: str) -> None:
    imported = [play["ansible.builtin.import_playbook"] for play in loaded(playbook)]

    assert imported == ["answers.yml", f"labstream.aws.{name}"]
    assert (CHECKOUT / f"playbooks/{name}.yml").is_file()


@pytest.mark.parametrize(
    ("playbook", "variable", "parameter"),
    [
        ("start_lab.yml", "lab_manage_fleet", "appstream_lab_manage_fleet"),
        ("end_lab.yml", "lab_manage_fleet", "appstream_lab_manage_fleet"),
        ("end_lab.yml", "lab_end_sessions", "appstream_lab_end_sessions"),
        ("end_lab.yml", "lab_purge", "appstream_lab_purge"),
        ("end_lab.yml", "lab_purge", "lab_handout_purge"),
    ],
)
def test_a_choice_is_yes_or_no(playbook: str, variable: str, parameter: str) -> None:
    template = parameters_of(playbook)[parameter]

    assert [evaluated(template, **{ANSWERS: {variable: answer}}) for answer in ("yes", "no", "")] == [
        True,
        False,
        False,
    ]
    assert evaluated(template, **{ANSWERS: {}}) is False


@pytest.mark.parametrize(
    ("answer", "learners"),
    [
        ("", []),
        ("anna@example.org", ["anna@example.org"]),
        ("anna@example.org \r\nben@example.org", ["anna@example.org", "ben@example.org"]),
        ("anna@example.org,ben@example.org, 4711", ["anna@example.org", "ben@example.org", "4711"]),
        ("010", ["010"]),
    ],
)
def test_learners_who_get_a_new_link_are_one_a_line_or_with_commas(answer: str, learners: list[str]) -> None:
    template = parameters_of("start_lab.yml")["appstream_lab_rotate"]

    assert evaluated(template, **{ANSWERS: {"lab_rotate": answer}}) == learners


@pytest.mark.parametrize("typed", ["010", "yes", "null", "17:00", "2026-11-21", "1e5", "[a]", "{{ 1 // 0 }}"])
def test_an_answer_that_looks_like_another_type_stays_text(typed: str) -> None:
    answers = dict.fromkeys(questions_of("start_lab.yml"), typed)
    parameters = {name: value for name, value in parameters_of("start_lab.yml").items() if name != ANSWERS}

    arrived = evaluated(parameters, **{ANSWERS: answers, "lab_s3_object": {}, "lab_pages_folder": {}})

    texts = {parameter: value for parameter, value in arrived.items() if value not in ("", True, False)}
    assert texts.pop("appstream_lab_rotate") == [typed]
    assert set(texts.values()) == {typed}
    assert len(texts) == len(set(questions_of("start_lab.yml")) - {"lab_manage_fleet", "lab_rotate"})


def get_error(**answers: str) -> str | None:
    """Return what the first task of a job says to answers, if it rejects them."""
    (play,) = loaded("answers.yml")
    task = play["tasks"][0]["block"][0]
    templar = Templar(loader=DataLoader(), variables={**play["vars"], ANSWERS: answers})
    rejected = templar.evaluate_conditional(task["when"])
    return templar.template(task["ansible.builtin.fail"]["msg"]) if rejected else None


@pytest.mark.parametrize("path", ["/etc/passwd", "~/.aws/credentials", "../job/env", "rosters/../../env", ".."])
def test_a_roster_outside_of_the_project_is_rejected(path: str) -> None:
    error = get_error(lab_name="cad-1", lab_roster=path)

    assert str(error).startswith(f"The roster {path} is not in the project: ")


@pytest.mark.parametrize(
    "roster",
    ["rosters/cad.csv", "cad..2026.csv", "s3://rosters/../cad.csv", "/Name,Email\r\n../Anna,anna@example.org"],
    ids=["path", "dots in a name", "object in S3", "pasted text"],
)
def test_any_other_roster_is_accepted(roster: str) -> None:
    assert get_error(lab_name="cad-1", lab_roster=roster) is None


@pytest.mark.parametrize("playbook", SURVEYS)
def test_a_blank_answer_is_empty_if_awx_requires_one(playbook: str) -> None:
    typed = {variable: question for variable, question in questions_of(playbook).items() if "min" in question}

    for variable, question in typed.items():
        error = get_error(**{**dict.fromkeys(typed, "cad"), variable: ""})
        wanted = f"{variable} is empty: launch the job again with an answer to this question."
        assert error == (wanted if question["required"] else None), variable


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"failed": True}, "lab_roster: the object courses/cad.csv in the bucket rosters cannot be read: Not there."),
        ({"skipped": True}, "Not there."),
    ],
)
def test_a_roster_that_s3_does_not_give_is_named(result: dict[str, Any], message: str) -> None:
    (play,) = loaded("answers.yml")
    answers = {"lab_roster": "s3://rosters/courses/cad.csv"}
    known = {**play["vars"], ANSWERS: answers, "lab_s3_object": result, "ansible_failed_result": {"msg": "Not there."}}

    assert Templar(loader=DataLoader(), variables=known).template(play["vars"]["lab_failure"]) == message


# The pattern of the job templates, in extensions/patterns


def test_the_pattern_has_the_playbooks_and_the_surveys_of_the_example() -> None:
    pattern = json.loads((PATTERN / "meta/pattern.json").read_text(encoding="utf-8"))
    templates = pattern["aap_resources"]["controller_job_templates"]

    assert pattern["name"] == PATTERN.name
    # If there are several playbooks, one has to be the primary one.
    assert [template["primary"] for template in templates] == [True, False]
    assert {template["playbook"]: template["survey"] for template in templates} == {
        playbook: evaluated(loaded("surveys.yml")[survey]) for playbook, survey in SURVEYS.items()
    }
    for playbook in (*SURVEYS, "answers.yml"):
        assert (PATTERN / "playbooks" / playbook).samefile(EXAMPLE / playbook)


# The execution environment


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ansible-builder makes of the definition."""
    folder = tmp_path_factory.mktemp("context")
    builder = Path(sys.executable).with_name("ansible-builder")
    definition = EXAMPLE / "execution-environment.yml"
    command = [sys.executable, builder, "create", "--file", definition, "--context", folder]
    finished = subprocess.run(
        [*command, "--output-filename", "Containerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def test_the_image_has_the_base_the_python_and_the_ansible_of_the_definition(context: Path) -> None:
    steps = (context / "Containerfile").read_text(encoding="utf-8").splitlines()

    # How they are used is ansible-builder's business, and changes with its version.
    expected = [
        'ARG EE_BASE_IMAGE="quay.io/centos/centos:stream9"',
        'ARG PYCMD="/usr/bin/python3.12"',
        'ARG ANSIBLE_INSTALL_REFS="ansible-core>=2.19.5,<2.20 ansible-runner>=2.4.2,<3"',
    ]
    assert [step for step in steps if step in expected] == expected


def test_the_collections_of_the_image_are_those_that_we_need(context: Path) -> None:
    installed = yaml.safe_load((context / "_build/requirements.yml").read_text(encoding="utf-8"))["collections"]
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))

    # community.aws is what uploads pages. Its versions go with those of amazon.aws.
    (amazon_aws,) = galaxy["dependencies"].items()
    assert [each["name"] for each in installed] == ["labstream.aws", amazon_aws[0], "community.aws"]
    assert {each["version"] for each in installed[1:]} == {amazon_aws[1]}


def test_the_image_gets_the_python_packages_that_our_metadata_names(context: Path, tmp_path: Path) -> None:
    tree = tmp_path / "ansible_collections/labstream"
    tree.mkdir(parents=True)
    (tree / "aws").symlink_to(CHECKOUT)
    packages = tmp_path / "requirements.txt"
    command = [
        sys.executable,
        context / "_build/scripts/introspect.py",
        "introspect",
        "--write-pip",
        packages,
        tmp_path,
    ]

    subprocess.run(command, check=True, capture_output=True, timeout=60)

    ours = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [*[line for line in ours if not line.startswith("#")], "tzdata"]
    assert [line.partition("  #")[0] for line in packages.read_text().splitlines()] == wanted
