# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.labstream.aws.plugins.lookup.survey_answers import LookupModule

# YAML has a type of its own for most.
WORDS = "null ~ yes Off true 010 0x1F 1e5 1.10 1.0e+5 .inf 1_000 17:00 17:00:00 2026-11-21 = [a] Käthe it's"
TYPED = [*WORDS.split(), "2026-11-21 17:00:00+01:00", "{{ 1 // 0 }}", "!unsafe x", ""]


@pytest.fixture
def get_answers(tmp_path, monkeypatch):
    """Look up the answers in a job whose extra variables are these lines."""

    def run(*lines):
        (tmp_path / "project").mkdir()
        (tmp_path / "env").mkdir()
        (tmp_path / "env/extravars").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        monkeypatch.chdir(tmp_path / "project")
        [answers] = LookupModule().run([])
        return answers

    return run


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("quote", [json.dumps, lambda text: "'{}'".format(text.replace("'", "''"))])
def test_an_answer_is_what_was_typed(get_answers, typed, quote):
    assert get_answers(f"!unsafe 'lab_name': !unsafe {quote(typed)}") == {"lab_name": typed}


def test_an_answer_has_no_white_space_around_it(get_answers):
    lines = ["!unsafe 'lab_name': !unsafe ' cad 1\t'", '!unsafe "lab_roster": !unsafe "\\r\\nName\\r\\nAnna\\r\\n"']

    assert get_answers(*lines) == {"lab_name": "cad 1", "lab_roster": "Name\r\nAnna"}


def test_the_other_variables_of_a_job_are_text_too(get_answers):
    lines = ["awx_job_id: 12", "!unsafe 'launched': true", "lab_pages_bucket: ''", "classes: [1, !unsafe '010']"]

    assert get_answers(*lines) == {
        "awx_job_id": "12",
        "launched": "true",
        "lab_pages_bucket": "",
        "classes": ["1", "010"],
    }


@pytest.mark.parametrize("lines", [["[a-secret]"], ["a-secret: {"], ["a-secret"], []])
def test_a_file_without_variables_is_named_and_not_quoted(get_answers, lines):
    with pytest.raises(
        AnsibleLookupError, match=r"extravars cannot be read as a mapping of variables in YAML: corr"
    ) as error:
        get_answers(*lines)
    assert "a-secret" not in str(error.value)


def test_outside_of_a_job_the_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    with pytest.raises(
        AnsibleLookupError, match=f"There is no {tmp_path}/env/extravars: run the playbook as an AWX job"
    ):
        LookupModule().run([])
