# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_table import Row, fold, parse_table


def test_a_table_has_its_rows_by_line_and_its_columns_by_field():
    table = parse_table("id;Name;Vorname\n\n1; Example;Anna\n", {}, "columns")

    assert table.rows == [Row(3, ["1", "Example", "Anna"])]
    headers = {field: column.header for field, column in table.columns.items()}
    assert headers == {"id": "id", "name": "Name", "first_name": "Vorname"}
    assert (table.delimiter, table.width, table.half) == (";", 3, "first_name")
    assert (table.surname_first, table.left_out) == (False, [])


@pytest.mark.parametrize(
    "text", ["E-Mail  Adresse", "e-mail adresse", "\ufeffE-MAIL ADRESSE ", "E-Mail Adresse [Required]"]
)
def test_column_names_are_compared_without_case_white_space_and_remarks(text):
    assert fold(text) == "e-mail adresse"


def test_another_remark_belongs_to_the_name_of_a_column():
    assert fold("ID [old]") == "id [old]"


@pytest.mark.parametrize("first_line", ["sep=|", '"sep=|"', "SEP=| "])
def test_the_first_line_of_excel_names_the_delimiter(first_line):
    text = f"{first_line}\r\nid|name\r\n1|Example, Anna; Dr.\r\n"

    assert [(learner["id"], learner["name"]) for learner in roster(text)] == [("1", "Example, Anna; Dr.")]


def test_lines_are_counted_with_the_first_line_of_excel():
    with pytest.raises(ValueError, match="Roster line 4, column 'email': 'ben' is not an e-mail address"):
        roster("sep=;\nemail;name\nanna@example.org;Anna\nben;Ben\n")
