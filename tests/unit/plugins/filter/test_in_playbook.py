# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters in a playbook, run by the ansible-core of the Python that runs the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.filter import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id

COLLECTIONS = Path(roster.__file__).parents[5]
KEY = "correct-horse-battery-staple"
TEMPLATE = "{{ 7*7 }}"

# The class of "spelled" comes from no file: no lookup is there to mark it as unsafe for ansible-core before 2.19.
PLAYBOOK = r"""
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    unquoted_time: 17:00
    unquoted_moment: 2126-11-21T17:00:00+01:00
    unquoted_local_moment: 2126-11-21T17:00:00
    lazy: "{{ lookup('ansible.builtin.file', roster_path) | labstream.aws.roster }}"
    spelled: "{{ ('learner,name\n1,{' ~ '{ 7*7 }' ~ '}') | labstream.aws.roster }}"
  tasks:
    - ansible.builtin.set_fact:
        from_file: "{{ lookup('ansible.builtin.file', roster_path) | labstream.aws.roster }}"
        from_text: "{{ spelled }}"

    - ansible.builtin.set_fact:
        unused: "{{ unquoted_time | labstream.aws.to_utc(timezone='Europe/Berlin') }}"
      ignore_errors: true
      register: refused

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
          refused: "{{ refused.msg }}"
"""


def ansible(directory: Path, *arguments: str) -> str:
    """Run an ansible command in ``directory`` with the collections under test and return its output."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_VAULT_PASSWORD_FILE": str(directory / "password")}
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
def result(tmp_path_factory):
    """What the playbook made of a roster with a template in a name, a vaulted key, and times without quotes."""
    directory = tmp_path_factory.mktemp("filters")
    (directory / "password").write_text("a-password-of-the-test")
    (directory / "roster.csv").write_text(f"learner,name\n1,{TEMPLATE}\n")
    (directory / "playbook.yml").write_text(PLAYBOOK)
    vaulted = ansible(directory, "vault", "encrypt_string", "--name", "vaulted_key", KEY)
    paths = {"roster_path": str(directory / "roster.csv"), "result_path": str(directory / "result.json")}
    (directory / "vars.yml").write_text(
        vaulted + "\n" + "".join(f"{name}: {json.dumps(path)}\n" for name, path in paths.items())
    )
    ansible(directory, "playbook", "-i", "localhost,", "-c", "local", "-e", "@vars.yml", "playbook.yml")
    return json.loads((directory / "result.json").read_text())


def test_a_name_that_looks_like_a_template_is_never_evaluated(result):
    assert result["names"] == [TEMPLATE] * 4


def test_the_key_may_be_an_inline_vault_value(result):
    assert result["opaque"] == appstream_user_id("anna@example.org", "opaque", KEY)


def test_a_list_is_mapped(result):
    assert result["user_ids"] == ["anna@example.org", "anna.example-foizsqe5cz6b"]


def test_times_come_as_yaml_reads_them(result):
    assert result["ends"] == ["2126-11-21T16:00:00Z", "2126-11-21T16:00:00Z", "2026-11-21T16:00:00Z"]


def test_an_error_is_the_sentence_of_the_filter(result):
    assert "which YAML makes of an unquoted time; write '17:00' in quotes." in result["refused"]
