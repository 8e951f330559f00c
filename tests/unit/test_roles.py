# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles and playbooks hold names and order; what decides, computes or writes text is Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.labstream.aws.plugins.plugin_utils._many_labs import TAGS
from jinja2 import Environment, nodes
from jinja2.nativetypes import NativeEnvironment

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("roles", "playbooks") for path in (CHECKOUT / folder).rglob("*.yml"))
ROLES = sorted(path.parents[1].name for path in FILES if path.match("roles/*/meta/argument_specs.yml"))
LAB_ROLES = [role for role in ROLES if role != "lab_handout"]
# Keywords whose values are expressions without braces.
EXPRESSIONS = ("when", "until", "failed_when", "changed_when", "that")
# What writes text, and what computes.
PROGRAMS = {"format", "regex_replace", "replace", "join", "min", "max", "sum", "round", "abs"}
ARITHMETIC = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg)
MAX_LINES = 60


def find_templates(value: Any, keyword: str = "") -> Iterator[nodes.Template]:
    """Yield the templates in a value, parsed."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from find_templates(key)
            yield from find_templates(each, str(key))
    elif isinstance(value, list):
        for each in value:
            yield from find_templates(each, keyword)
    elif isinstance(value, str) and keyword in EXPRESSIONS and "{{" not in value:
        yield Environment().parse(f"{{{{ {value} }}}}")
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        yield Environment().parse(value)


def find_programs(template: nodes.Template) -> list[str]:
    """Return what in a template belongs into Python."""
    found = [type(node).__name__ for kind in (*ARITHMETIC, nodes.Concat) for node in template.find_all(kind)]
    found += [f"filter {node.name}" for node in template.find_all(nodes.Filter) if node.name in PROGRAMS]
    found += ["range" for node in template.find_all(nodes.Name) if node.name == "range"]
    found += ["sentence" for output in template.find_all(nodes.Output) if is_sentence(output)]
    found += [type(node).__name__ for node in template.find_all((nodes.If, nodes.For, nodes.Assign))]
    for condition in template.find_all(nodes.CondExpr):
        found += ["nested CondExpr" for _inner in condition.find_all(nodes.CondExpr)]
    return found


def is_sentence(output: nodes.Output) -> bool:
    """Return whether words are written around a value. A name, such as that of a role or file, has no space."""
    texts = [node.data for node in output.nodes if isinstance(node, nodes.TemplateData)]
    return len(output.nodes) > len(texts) and any(" " in text.strip() or text != text.strip() for text in texts)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(CHECKOUT)) for path in FILES])
def test_no_template_nests_a_conditional_computes_or_builds_text(path: Path) -> None:
    templates = list(find_templates(yaml.safe_load(path.read_text(encoding="utf-8"))))

    assert [program for template in templates for program in find_programs(template)] == []


@pytest.mark.parametrize(
    "value",
    [
        "{{ a if b else c if d else e }}",
        "{{ x | default(a if b else (c if d else e)) }}",
        "{{ a // 60 }}",
        "{{ [a] + [b] }}",
        "{{ 'Fleet ' ~ name }}",
        "{{ 'Fleet %s' % name }}",
        "{{ 'Fleet %s' | format(name) }}",
        "{% if a %}b{% endif %}",
        "Fleet {{ name }} is ready.",
        "Labs: {{ labs }}",
        "{{ labs | join(', ') }}",
        "{{ [a, b] | select | join(' ') }}",
        "{{ error | regex_replace('a', 'b') }}",
        "{{ range(0, timeout, 10) | length }}",
        "{{ [timeout, 10] | min }}",
        {"name": "Write the pages{{ ', in check mode' if a else '' }}"},
        {"when": "a - b > 0"},
        {"name": "x", "ansible.builtin.assert": {"that": ["a ~ b"]}},
    ],
)
def test_this_would_be_found(value: Any) -> None:
    assert [program for template in find_templates(value) for program in find_programs(template)]


@pytest.mark.parametrize(
    "value",
    [
        "{{ x | default(omit, true) }}",
        "{{ a if b and not c else d }}",
        "{{ a == b or c > 0 }}",
        "labstream.aws.{{ role }}",
        "{{ step }}.yml",
        {"when": "a > 0"},
    ],
)
def test_this_is_allowed(value: Any) -> None:
    assert [program for template in find_templates(value) for program in find_programs(template)] == []


# Which the action lab_arguments has evaluated, or is about to.
VALIDATED = {f"{role}_{option}" for role in LAB_ROLES for option in ("name", "purge", "launch_args", "environment")}
# Which ansible-core sets, but only ansible-playbook does.
OF_CORE = {"ansible_skip_tags"}


def find_masked(template: nodes.Template) -> list[str]:
    """Return the variables of users for which a default would also stand if they cannot be evaluated."""
    return [
        node.node.name
        for node in template.find_all(nodes.Filter)
        if node.name in ("default", "d")
        and isinstance(node.node, nodes.Name)
        and not node.node.name.startswith("_")
        and not any(name.name.endswith("_given") for arg in node.args for name in arg.find_all(nodes.Name))
    ]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(CHECKOUT)) for path in FILES])
def test_a_variable_that_cannot_be_evaluated_is_not_taken_as_one_that_is_not_set(path: Path) -> None:
    templates = list(find_templates(yaml.safe_load(path.read_text(encoding="utf-8"))))

    assert {name for template in templates for name in find_masked(template)} <= VALIDATED | OF_CORE


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("{{ lab_hosts | default('localhost') }}", ["lab_hosts"]),
        ("{{ [a | default('', true), b | d(omit)] }}", ["a", "b"]),
        ("{{ a | default('a' in __given) }}", []),
        ("{{ a or omit if 'a' in __given else omit }}", []),
        ("{{ __private | default(omit) }}", []),
    ],
)
def test_these_would_be_taken_so(value: str, names: list[str]) -> None:
    assert [name for template in find_templates(value) for name in find_masked(template)] == names


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.match("vars/main.yml")], ids=lambda path: path.parts[-3]
)
def test_variables_fit_on_a_page(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_the_lab_playbooks_find_what_they_need_of_each_provider() -> None:
    folder = CHECKOUT / "playbooks/plays"
    files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (folder / "vars").glob("*.yml")}
    names = {provider: {name for name in known if name.startswith("__")} for provider, known in files.items()}

    assert all(each == names["unknown"] for each in names.values())
    assert {provider: known["__lab_role"] for provider, known in files.items() if provider != "unknown"} == {
        role.removesuffix("_lab"): role for role in LAB_ROLES
    }


@pytest.mark.parametrize("role", LAB_ROLES)
@pytest.mark.parametrize("learners", ['[{"id": "anna"}, {"id": "ben"}]', [{"id": "anna"}]])
def test_learners_may_be_text_in_json(role: str, learners: Any) -> None:
    path = CHECKOUT / "roles" / role / "meta/argument_specs.yml"
    option = f"{role}_learners"
    spec = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"][option]
    result = ArgumentSpecValidator({option: {"type": spec["type"]}}).validate({option: learners})

    assert result.error_messages == []
    assert result.validated_parameters == {option: learners}


@pytest.mark.parametrize("role", LAB_ROLES)
def test_each_step_of_a_role_has_its_file(role: str) -> None:
    variables = yaml.safe_load((CHECKOUT / "roles" / role / "vars/main.yml").read_text())
    files = {path.stem for path in (CHECKOUT / "roles" / role / "tasks").glob("*.yml")}
    included = {"capacity"} if role == "appstream_lab" else set()

    assert files == {"main", *variables[f"__{role}_steps"], *included}


# The modules that each tag of a role runs, beside those that only read.
STEPS = {
    ("appstream_lab", "rotate"): ["streaming_rotation", "appstream_streaming_url", "appstream_session"],
    ("appstream_lab", "fleet"): ["appstream_fleet", "appstream_fleet"],
    ("appstream_lab", "capacity"): [],
    ("appstream_lab", "urls"): ["appstream_streaming_url", "appstream_session"],
    ("appstream_lab", "sessions"): ["appstream_session"],
    ("appstream_lab", "leases"): ["appstream_streaming_url", "appstream_streaming_url"],
    ("gamelift_lab", "rotate"): ["streaming_rotation", "gamelift_stream_url"],
    ("gamelift_lab", "capacity"): ["gamelift_stream_group", "gamelift_stream_group"],
    ("gamelift_lab", "urls"): ["gamelift_stream_url"],
    ("gamelift_lab", "leases"): ["gamelift_stream_url", "gamelift_stream_url"],
}
# These run in check mode, but for the last, which has no option "rotate".
READ_ONLY = (
    "Check what the streaming URLs are for, before the fleet is started or scaled",
    "Check what the stream URLs are for, before the capacity is raised",
    "Get the learners of the lab, and the other labs on the fleet",
    "Get the learners of the lab",
    "Get the learners that the lab had",
    "Get the generations of the learners",
)


@pytest.mark.parametrize(("role", "tag"), STEPS)
def test_each_tag_alone_does_its_step(role: str, tag: str) -> None:
    found = [
        name.removeprefix("labstream.aws.")
        for task in find_tasks(role, "main.yml", tag)
        for name in task
        if is_changing(name) and task["name"] not in READ_ONLY
    ]

    assert found == STEPS[role, tag]


@pytest.mark.parametrize(("role", "tag"), STEPS)
def test_each_tag_alone_publishes_the_results_of_the_learners(role: str, tag: str) -> None:
    names = [task["name"] for task in find_tasks(role, "main.yml", tag)]

    for step in ("Reset role state", "Validate arguments, and read the roster", "Get the generations of the learners"):
        assert step in names
    assert names[-1] == "Publish the results"


ALL = "all"


@pytest.mark.parametrize(("role", "tag"), STEPS)
def test_what_is_skipped_is_the_step_and_not_what_others_need(role: str, tag: str) -> None:
    every, left = ([task["name"] for task in find_tasks(role, "main.yml", ALL, skip)] for skip in ([], [tag]))
    own = [task["name"] for task in find_tasks(role, "main.yml", ALL) if task.get("tags") == [tag]]

    assert left == [name for name in every if name not in own]


@pytest.mark.parametrize("role", ["appstream_lab", "gamelift_lab"])
def test_a_step_is_skipped_by_a_tag_of_its_own(role: str) -> None:
    tags = [tag for each, tag in STEPS if each == role]
    left = [task for task in find_tasks(role, "main.yml", ALL, tags) if any(map(is_changing, task))]

    assert [task["name"] for task in left if task["name"] not in READ_ONLY] == []


def is_changing(key: str) -> bool:
    return key.startswith("labstream.aws.") and not key.endswith(("_info", "_arguments"))


def find_tasks(role: str, file: str, tag: str, skip: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the tasks that run with ``--tags TAG --skip-tags SKIP``, those of included files too."""
    tasks = yaml.safe_load((CHECKOUT / "roles" / role / "tasks" / file).read_text())
    yield from filter_tasks(role, tasks, tag, skip, inherited=[])


def filter_tasks(
    role: str, tasks: list[dict[str, Any]], tag: str, skip: Sequence[str], *, inherited: list[str]
) -> Iterator[dict[str, Any]]:
    for task in tasks:
        tags = inherited + get_tags(task, skip)
        runs = (tag in tags or tag == ALL) and not set(tags) & set(skip)
        if "block" in task:
            for part in ("block", "rescue", "always"):
                yield from filter_tasks(role, task.get(part, []), tag, skip, inherited=tags)
        elif runs and "loop" in task:
            variables = yaml.safe_load((CHECKOUT / "roles" / role / "vars/main.yml").read_text())
            for step in variables[f"__{role}_steps"]:
                yield from find_tasks(role, f"{step}.yml", tag, skip)
        elif runs and "ansible.builtin.include_tasks" in task:
            yield from find_tasks(role, task["ansible.builtin.include_tasks"], tag, skip)
        elif runs:
            yield {**task, "tags": tags}


def test_the_lab_playbooks_know_the_tags_of_all_steps() -> None:
    plays = "".join(path.read_text() for path in FILES if path.match("playbooks/plays/*.yml"))
    of_plays = set(re.findall(r"tags: \[(\w+)\]", plays)) - {"always"}

    assert sorted({tag for _role, tag in STEPS} | of_plays) == list(TAGS)


def test_without_ansible_playbook_nothing_is_skipped() -> None:
    task = {"tags": ["{{ ['urls', 'leases'] | difference(ansible_skip_tags | default([])) }}", "rotate"]}

    assert get_tags(task, None) == ["urls", "leases", "rotate"]
    written = [tag for path in FILES for tag in re.findall(r"difference\((.*?\))\)", path.read_text())]
    assert set(written) == {"ansible_skip_tags | default([])"}


def get_tags(task: dict[str, Any], skip: Sequence[str] | None) -> list[str]:
    """Return the tags of a task, of which some are a template of those that are skipped."""
    environment = NativeEnvironment()
    environment.filters["difference"] = lambda one, other: [each for each in one if each not in other]
    known = {} if skip is None else {"ansible_skip_tags": skip}
    tags = [environment.from_string(each).render(known) for each in task.get("tags", [])]
    return [tag for each in tags for tag in (each if isinstance(each, list) else [each])]
