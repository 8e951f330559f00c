# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup without a playbook; in one, see tests/unit/plugins/filter/test_in_playbook.py."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.lookup.roster import LookupModule
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

TEXT = "Matrikel,name\n1,Anna\n2,Ben\n"
OPTIONS = {"columns": {"id": "Matrikel"}, "style": "opaque", "key": "correct horse battery staple"}


class Lookup(LookupModule):
    """The lookup, with options that need no plugin loader."""

    def set_options(self, task_keys=None, var_options=None, direct=None):
        self.options = {"columns": None, "style": "readable", "key": None, **direct}

    def get_option(self, option, hostvars=None):
        return self.options[option]


@pytest.fixture
def look_up(tmp_path):
    def run(*terms, **options):
        return Lookup(loader=DataLoader()).run(list(terms), {"playbook_dir": str(tmp_path)}, **options)

    return run


def test_a_file_and_its_text_have_the_same_learners(look_up, tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)

    assert look_up("a.csv", **OPTIONS) == look_up(str(tmp_path / "a.csv"), **OPTIONS) == look_up(TEXT, **OPTIONS)
    assert look_up(TEXT, **OPTIONS) == roster(TEXT, **OPTIONS)


@pytest.mark.parametrize("terms", [[], [TEXT, TEXT], [[{"id": "anna"}]], [None]])
def test_anything_but_one_text_is_rejected(look_up, terms):
    with pytest.raises(AnsibleLookupError, match="takes one path or the text of one CSV file"):
        look_up(*terms)


def test_a_file_that_is_not_utf_8_is_rejected_with_the_line(look_up, tmp_path):
    (tmp_path / "a.csv").write_bytes("id,name\r\n1,A\r\n2,Müller\r\n".encode("latin-1"))

    with pytest.raises(AnsibleLookupError, match="Roster line 3 has bytes that are not UTF-8"):
        look_up("a.csv")


@pytest.mark.parametrize("path", ["b.csv", "", "folder", "folder/../../nowhere/b.csv"])
def test_a_file_that_is_not_there_is_named_in_full(look_up, tmp_path, path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(AnsibleLookupError, match=f"There is no roster {tmp_path}"):
        look_up(path)


def test_an_encrypted_file_without_its_password_is_rejected(look_up, tmp_path):
    (tmp_path / "a.csv").write_text("$ANSIBLE_VAULT;1.1;AES256\n3031\n")

    with pytest.raises(AnsibleLookupError, match=f"The roster {tmp_path}/a.csv cannot be read: "):
        look_up("a.csv")


def test_a_list_in_json_is_text_even_in_one_line(look_up):
    assert look_up('[{"id": "l1"}]') == roster([{"id": "l1"}])


def test_a_file_may_be_a_list_in_json(look_up, tmp_path):
    (tmp_path / "a.json").write_text('[\n  {"id": "l1"}\n]\n')

    assert look_up("a.json") == roster([{"id": "l1"}])


def test_what_was_changed_is_a_warning(look_up, monkeypatch):
    warnings = []
    monkeypatch.setattr(Display, "warning", lambda self, message, *_others, **_options: warnings.append(message))

    assert [learner["id"] for learner in look_up("id\n'0012\n")] == ["0012"]
    assert warnings == ["Roster line 2, column 'id': \"'0012\" is read as '0012'."]
