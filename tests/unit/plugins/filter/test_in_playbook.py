# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters and the lookup in a playbook, run by the ansible-core of the Python that runs the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.filter import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import strip_core_prefix
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster as parse_roster
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id

COLLECTIONS = Path(roster.__file__).parents[5]
KEY = "correct-horse-battery-staple"
TEMPLATE = "{{ 7*7 }}"

# The roster of "spelled" comes from no file: no lookup marks it as unsafe for ansible-core before 2.19.
PLAYBOOK = r"""
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    unquoted_time: 17:00
    unquoted_moment: 2126-11-21T17:00:00+01:00
    unquoted_local_moment: 2126-11-21T17:00:00
    lazy: "{{ query('labstream.aws.roster', roster_path) }}"
    spelled: "{{ ('id,name\n1,{' ~ '{ 7*7 }' ~ '}') | labstream.aws.roster }}"
  tasks:
    - ansible.builtin.set_fact:
        from_file: "{{ query('labstream.aws.roster', roster_path) }}"
        from_text: "{{ spelled }}"

    - ansible.builtin.set_fact:
        unused: "{{ query('labstream.aws.roster', 'no-such.csv') }}"
      ignore_errors: true
      register: missing

    - ansible.builtin.set_fact:
        unused: "{{ query('labstream.aws.roster', 'id\n1\n', 'id\n2\n') }}"
      ignore_errors: true
      register: two

    - ansible.builtin.set_fact:
        unused: "{{ query('labstream.aws.roster', 'name\nAnna\n') }}"
      ignore_errors: true
      register: invalid

    - ansible.builtin.set_fact:
        unused: "{{ unquoted_time | labstream.aws.to_utc(timezone='Europe/Berlin') }}"
      ignore_errors: true
      register: rejected

    - ansible.builtin.include_role:
        name: reader

    - ansible.builtin.copy:
        dest: "{{ result_path }}"
        mode: "0600"
        content: "{{ result | to_json }}"
      vars:
        result:
          names: ["{{ from_file[0].name }}", "{{ lazy[0].name }}", "{{ from_text[0].name }}", "{{ spelled[0].name }}"]
          user_ids: "{{ ['Anna@Example.org', 'Anna Example'] | map('labstream.aws.appstream_user_id') | list }}"
          opaque: "{{ 'anna@example.org' | labstream.aws.appstream_user_id(style='opaque', key=vaulted_key) }}"
          ends:
            - "{{ unquoted_moment | labstream.aws.to_utc }}"
            - "{{ unquoted_local_moment | labstream.aws.to_utc('Europe/Berlin') }}"
            - "{{ '17:00' | labstream.aws.to_utc(timezone='Europe/Berlin', now='2026-11-21T08:00:00Z') }}"
          errors: "{{ [rejected.msg, missing.msg, two.msg, invalid.msg] }}"
          counts:
            - "{{ query('labstream.aws.roster', 'id,name\n') | length }}"
            - "{{ query('labstream.aws.roster', 'id\n1\n') | length }}"
            - "{{ query('labstream.aws.roster', 'id\n1\n2\n') | length }}"
          encrypted: "{{ query('labstream.aws.roster', 'encrypted.csv', style='opaque', key=vaulted_key) }}"
          found: "{{ found }}"
          vaulted: "{{ vaulted_learners | labstream.aws.roster }}"
"""

# The task of a role, in which there are files of the same name.
ROLE = r"""
- ansible.builtin.set_fact:
    found: "{{ query('labstream.aws.roster', 'roster.csv', columns={'id': 'name'}) }}"
"""


def ansible(directory: Path, *arguments: str, home: Path | None = None) -> str:
    """Run an ansible command in ``directory`` with the collections under test and return its output."""
    home = home or directory
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_HOME": str(home / "home"), "ANSIBLE_VAULT_PASSWORD_FILE": str(home / "password")}
    done = subprocess.run(
        [sys.executable, "-m", "ansible", *arguments],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("filters")


@pytest.fixture(scope="module")
def result(directory):
    """Return the results for a roster with a template in a name, a vaulted key, and times without quotes."""
    (directory / "password").write_text("a-password-of-the-test")
    (directory / "roster.csv").write_text(f"id,name\n1,{TEMPLATE}\n")
    (directory / "encrypted.csv").write_text("email\nanna@example.org\n")
    ansible(directory, "vault", "encrypt", "encrypted.csv")
    role = directory / "roles/reader"
    for folder in (directory / "elsewhere", role, role / "files", role / "tasks"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "roster.csv").write_text("nobody\n")
    (role / "tasks/main.yml").write_text(ROLE)
    (directory / "playbook.yml").write_text(PLAYBOOK)
    vaulted = ansible(directory, "vault", "encrypt_string", "--name", "vaulted_key", KEY)
    paths = {"roster_path": str(directory / "roster.csv"), "result_path": str(directory / "result.json")}
    vaulted_learner = textwrap.indent(ansible(directory, "vault", "encrypt_string", "--name", "name", "Anna"), "    ")
    (directory / "vars.yml").write_text(
        f"{vaulted}\nvaulted_learners:\n  - id: anna\n{vaulted_learner}\n"
        + "".join(f"{name}: {json.dumps(path)}\n" for name, path in paths.items())
    )
    play = (
        "playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"@{directory / 'vars.yml'}",
        str(directory / "playbook.yml"),
    )
    ansible(directory / "elsewhere", *play, home=directory)
    return json.loads((directory / "result.json").read_text())


def test_a_name_that_looks_like_a_template_is_never_evaluated(result):
    assert result["names"] == [TEMPLATE] * 4


def test_the_key_may_be_an_inline_vault_value(result):
    assert result["opaque"] == appstream_user_id("anna@example.org", "opaque", KEY)


def test_the_name_of_a_learner_may_be_an_inline_vault_value(result):
    assert [(learner["id"], learner["name"]) for learner in result["vaulted"]] == [("anna", "Anna")]


def test_a_list_is_mapped(result):
    assert result["user_ids"] == ["anna@example.org", "anna.example-foizsqe5cz6b"]


def test_times_come_as_yaml_reads_them(result):
    assert result["ends"] == ["2126-11-21T16:00:00Z", "2126-11-21T16:00:00Z", "2026-11-21T16:00:00Z"]


def test_an_error_is_the_message_of_the_plugin_and_nothing_else(result, directory):
    assert [strip_core_prefix(message) for message in result["errors"]] == [
        "The time is the number 1020, which is how YAML reads an unquoted time: write '17:00' in quotes.",
        f"There is no roster {directory}/no-such.csv on the controller: correct the path.",
        "The lookup labstream.aws.roster takes one path or the text of one CSV file.",
        get_error("name\nAnna\n"),
    ]


def get_error(text: str) -> str:
    with pytest.raises(ValueError, match="Roster") as error:
        parse_roster(text)
    return str(error.value)


def test_the_lookup_returns_a_list_whatever_the_number_of_learners(result):
    assert list(map(int, result["counts"])) == [0, 1, 2]


def test_the_lookup_reads_a_file_beside_the_playbook_and_not_one_of_the_role_even_if_it_is_encrypted(result):
    assert [learner["id"] for learner in result["found"]] == [TEMPLATE]
    assert [learner["user_id"] for learner in result["encrypted"]] == [
        appstream_user_id("anna@example.org", "opaque", KEY)
    ]
