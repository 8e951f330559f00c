# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup without a playbook; in one, see tests/unit/plugins/filter/test_in_playbook.py."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.labstream.aws.plugins.lookup.roster import LookupModule
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

TEXT = "Matrikel,name\n1,Anna\n2,Ben\n"
OPTIONS = {"columns": {"id": "Matrikel"}, "style": "opaque", "key": "correct horse battery staple"}


class Lookup(LookupModule):
    """The lookup, with options that need no plugin loader."""

    def set_options(self, task_keys=None, var_options=None, direct=None):
        self.options = {"columns": None, "style": "readable", "key": None, "role": None, **direct}

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
