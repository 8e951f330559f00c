# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of modules, roles, README and guides follow the rules that these give: a streaming URL is a password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.documentation import CHECKOUT, find_code, find_files

OURS = "labstream.aws."
ISSUING = (f"{OURS}appstream_streaming_url", f"{OURS}gamelift_stream_url", f"{OURS}nimble_session_stream")
READS_FILES = ("read_csv", "slurp")
LEAK = re.compile(r"\bleak|\bstolen|wrong hands|wrong person|compromise", re.IGNORECASE)


class Loader(yaml.SafeLoader):
    """Reads the tag of Ansible that examples use."""


Loader.add_constructor("!unsafe", lambda loader, node: node.value)


def find_examples() -> Iterator[Any]:
    for file in find_files():
        for number, text in enumerate(find_code(file, r"ya?ml")):
            yield pytest.param(text, id=f"{file.relative_to(CHECKOUT)}-{number}")


def find_tasks(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks in plays, blocks and lists of tasks, in their order."""
    if isinstance(value, list):
        for each in value:
            yield from find_tasks(each)
    elif isinstance(value, dict):
        parts = [
            value[key] for key in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always") if key in value
        ]
        yield from find_tasks(parts)
        if not parts and any("." in key for key in value):
            yield value


def find_violations(text: str) -> list[str]:
    """Return the rules that an example does not follow."""
    tasks = list(find_tasks(yaml.load(text, Loader)))
    results = {
        task["register"]
        for task in tasks
        if "register" in task and module_of(task) in ISSUING and returns_secrets(task)
    }
    return [rule for task in tasks for rule in check_task(task, results)] + [
        "force does not help against a leaked link, which rotation does"
        for paragraph in re.split(r"\n\s*\n", text)
        if re.search(r"force: (?!false)", paragraph) and LEAK.search(paragraph) and "rotation" not in paragraph
    ]


def module_of(task: dict[str, Any]) -> str:
    return next(key for key in task if "." in key)


def args_of(task: dict[str, Any]) -> dict[str, Any]:
    args = task[module_of(task)]
    return args if isinstance(args, dict) else {}


def check_task(task: dict[str, Any], results: set[str]) -> Iterator[str]:
    """Yield the rules that a task does not follow; ``results`` are registered results with URLs."""
    module, args = module_of(task), args_of(task)
    content = json.dumps({**task, "name": ""})
    is_hidden = task.get("no_log") is True
    if returns_secrets(task) and not is_hidden:
        yield "a task that returns URLs or addresses of pages has no_log"
    if uses_urls(content, results):
        if not module.startswith(OURS):
            yield "a URL is passed to modules of this collection only"
        if not is_hidden:
            yield "a task that is given URLs has no_log"
    if module.endswith(".mail") and not (is_hidden and re.search(r"\.page\b", content)):
        yield "mail has the address of a page, and no_log"
    if module in ISSUING:
        if any(key == "loop" or key.startswith("with_") for key in task):
            yield "a lab is one task, not a loop"
        if task.get("async") and args.get("return_urls", True):
            yield "an async task returns no URLs"


def returns_secrets(task: dict[str, Any]) -> bool:
    """Return whether a task returns URLs or addresses of pages."""
    module, args = module_of(task), args_of(task)
    if module in ISSUING:
        return args.get("state") != "absent" and args.get("return_urls", True)
    return bool(args.get("return_urls") or args.get("return_pages") or module.endswith(READS_FILES))


def uses_urls(content: str, results: set[str]) -> bool:
    """Return whether a task uses one of these results, or the URL in any other."""
    names = re.findall(r"(?<![\w.])(\w+)\.", content)
    return not results.isdisjoint(names) or re.search(r"\w\.(streaming_url|stream_url|url)\b", content) is not None


@pytest.mark.parametrize("text", list(find_examples()))
def test_an_example_follows_the_rules(text: str) -> None:
    assert find_violations(text) == []


def test_examples_are_found_in_all_that_users_read() -> None:
    kinds = {str(example.id).rpartition("/")[0] or str(example.id) for example in find_examples()}

    assert kinds >= {"plugins/modules", "plugins/filter", "docs/docsite/rst", "roles/lab_handout", "examples/awx"}
    assert any(kind.startswith("README.md") for kind in kinds)


ISSUE = """
- name: Issue
  labstream.aws.appstream_streaming_url: {user_id: anna}
  register: lab
  no_log: true
"""


@pytest.mark.parametrize(
    "text",
    [
        "- labstream.aws.appstream_streaming_url: {user_id: anna}",
        "- labstream.aws.gamelift_stream_url: {learner: anna}",
        "- labstream.aws.nimble_session_stream: {session_id: s1, return_urls: true}",
        "- {labstream.aws.nimble_session_stream: {session_id: s1}, no_log: false}",
        "- labstream.aws.streaming_handout: {return_pages: true}",
        "- labstream.aws.streaming_lease_info: {return_urls: true}",
        "- community.general.read_csv: {path: links.csv}",
        f'{ISSUE}- ansible.builtin.debug: {{msg: "{{{{ lab.streaming_urls }}}}"}}',
        f"{ISSUE}- ansible.builtin.debug: {{var: lab.streaming_urls}}\n  no_log: true",
        f'{ISSUE}- ansible.builtin.template: {{src: a, dest: b}}\n  vars: {{urls: "{{{{ lab.streaming_urls }}}}"}}',
        f'{ISSUE}- block: [{{labstream.aws.streaming_handout: {{seats: "{{{{ lab.streaming_urls }}}}"}}}}]',
        f'{ISSUE}- community.general.mail: {{body: "{{{{ item.streaming_url }}}}"}}\n  loop: [1]\n  no_log: true',
        '- community.general.mail: {body: "{{ item.page }}"}\n  loop: "{{ links.list }}"',
        '- {labstream.aws.appstream_streaming_url: {user_id: "{{ item }}"}, loop: [a], no_log: true}',
        "- {labstream.aws.appstream_streaming_url: {user_id: anna}, async: 60, no_log: true}",
        "- hosts: all\n  tasks: [{labstream.aws.nimble_session_stream: {session_id: s1}}]",
        "# If the link leaked\n- {labstream.aws.appstream_streaming_url: {user_id: a, force: true}, no_log: true}",
    ],
)
def test_this_would_be_found(text: str) -> None:
    assert find_violations(text)


@pytest.mark.parametrize(
    "text",
    [
        ISSUE,
        f'{ISSUE}- {{labstream.aws.streaming_handout: {{seats: "{{{{ lab.streaming_urls }}}}"}}, no_log: true}}',
        "- labstream.aws.appstream_streaming_url: {user_id: anna, state: absent}",
        "- labstream.aws.appstream_streaming_url: {user_id: anna, return_urls: false}",
        '- {community.general.mail: {body: "{{ item.page }}"}, loop: "{{ links.list }}", no_log: true}',
        "- {labstream.aws.appstream_streaming_url: {user_id: a, force: true}, no_log: true}",
        "appstream_lab_roster: participants.csv",
    ],
)
def test_this_is_allowed(text: str) -> None:
    assert find_violations(text) == []
