# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import json

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id

KEY = "correct horse battery staple"
LONG = {"email": "y" * 70}
OUTPUT = {"sensitive": True, "type": "string", "value": "a-secret"}
PLAIN = "learner,name,email,user_id\nl1,Anna Example,anna@example.org,anna\nl2,Ben Example,ben@example.org,\n"


def learner(identity, **fields):
    """A learner as roster() returns it, with nothing but the id unless fields say more."""
    nothing = {"name": None, "email": None, "session_context": None, "application_id": None}
    return {"id": identity, "user_id": appstream_user_id(identity), **nothing, **fields}


ANNA_AND_BEN = [
    learner("l1", name="Anna Example", email="anna@example.org", user_id="anna"),
    learner("l2", name="Ben Example", email="ben@example.org"),
]


@pytest.mark.parametrize("column", ["language", "Lang", "preferredLanguage"])
def test_the_language_of_a_learner_is_there_if_the_roster_has_it(column):
    learners = roster(f"email,{column}\nanna@example.org,de\nben@example.org,\n")

    assert [each.get("language") for each in learners] == ["de", None]
    assert "language" not in learners[1]
    assert roster([{"id": "anna", "language": "de"}])[0]["language"] == "de"


def get_warnings(text, **options):
    warnings = []
    roster(text, warn=warnings.append, **options)
    return warnings


def get_error(text, **options):
    with pytest.raises(ValueError) as error:
        roster(text, **options)
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(PLAIN.rstrip("\n"), id="no line end at the end"),
        pytest.param("\ufeff" + PLAIN, id="byte order mark"),
        pytest.param(PLAIN.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(PLAIN.replace("\n", "\r"), id="CR"),
        pytest.param(PLAIN.replace(",", ";"), id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t"), id="tabs"),
        pytest.param(PLAIN.replace(",", " , "), id="space around cells"),
        pytest.param(PLAIN.replace("l1,", '"l1", '), id="quoted cells"),
        pytest.param(PLAIN.replace("Anna Example", ' "Anna Example"'), id="space before a quoted cell"),
        pytest.param("\n\n" + PLAIN.replace("\n", "\n\n,,,\n  \n"), id="blank lines"),
        pytest.param(PLAIN.replace("\n", ",,,\n"), id="empty columns at the end"),
        pytest.param(PLAIN.replace("ben@example.org,", "ben@example.org"), id="short row"),
        pytest.param(
            PLAIN.replace("learner,name,email,user_id", "LEARNER, Name ,E-Mail,User_ID"), id="header in any case"
        ),
        pytest.param(PLAIN.replace("Anna Example", '"Anna\r\n  Example"'), id="quoted new line in a name"),
    ],
)
def test_a_roster_is_read_however_it_is_written(text):
    assert roster(text) == ANNA_AND_BEN


def test_every_field_is_taken_from_its_column():
    text = "learner,session_context,application_id,user_id\nl1,unit=3;x,notebook,Anna.1\n"
    assert roster(text) == [learner("l1", session_context="unit=3;x", application_id="notebook", user_id="Anna.1")]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        # Moodle: grades, participants, the file for uploading users.
        (
            "First name,Last name,ID number,Institution,Department,Email address,Last downloaded from this course",
            "Anna,Example,4711,,,anna@example.org,1792000000",
            learner("4711", name="Anna Example", email="anna@example.org"),
        ),
        (
            "First name,Surname,ID number,Email address",
            "Anna,Example,,anna@example.org",
            learner("anna@example.org", name="Anna Example", email="anna@example.org"),
        ),
        (
            "First name,Last name,Username,Email address",
            "Anna,Example,aexample,anna@example.org",
            learner("aexample", name="Anna Example", email="anna@example.org"),
        ),
        (
            "username,firstname,lastname,email,idnumber",
            "aexample,Anna,Example,anna@example.org,4711",
            learner("4711", name="Anna Example", email="anna@example.org"),
        ),
        # Canvas: with and without SIS ids, and with the names apart.
        (
            "Student,ID,SIS User ID,SIS Login ID,Section",
            '"Example, Anna",90001,S4711,aexample,Lab',
            learner("90001", name="Anna Example"),
        ),
        (
            "LastName,FirstName,ID,SIS Login ID,Section",
            "Example,Anna,90001,aexample,Lab",
            learner("90001", name="Anna Example"),
        ),
        ("Student,SIS User ID,SIS Login ID", '"Example, Anna",S4711,aexample', learner("S4711", name="Anna Example")),
        # One column, and one name.
        ("email", "Anna@example.org", learner("Anna@example.org", email="Anna@example.org")),
        (
            "Full name;E-mail address",
            "Anna;a@example.org",
            learner("a@example.org", name="Anna", email="a@example.org"),
        ),
        ("ID,Surname", "1,Example", learner("1", name="Example")),
    ],
)
def test_headers_of_moodle_and_canvas_are_known(header, row, expected):
    assert roster(f"{header}\n{row}\n") == [expected]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (11)", ["{},{}", "{},{},{},{},Lab,{}"]),
        ("LastName,FirstName,ID,SIS User ID,SIS Login ID,Section,Lab 1 (11)", ["{},,{}", "{},{},{},{},Lab,{}"]),
    ],
)
def test_rows_of_a_canvas_gradebook_that_are_nobody_are_left_out(header, cells):
    two_names = header.startswith("LastName")
    person = "Example,Anna" if two_names else '"Example, Anna"'
    nobody = "Student,Test" if two_names else '"Student, Test"'
    padding = "," * (5 if two_names else 4)
    text = "\n".join(
        [
            header,
            f"{padding},Manual Posting",
            f"    Points Possible{padding},10",
            f"{person},90001,S1,anna,Lab,9",
            f"{nobody},90099,,8f2c,Lab,",
        ]
    )
    assert [entry["id"] for entry in roster(text)] == ["90001"]


def test_rows_like_those_of_canvas_are_people_in_any_other_roster():
    assert [entry["name"] for entry in roster('ID,Student\n1,"Student, Test"\n2,Points Possible\n')] == [
        "Student, Test",
        "Points Possible",
    ]


def test_a_roster_with_a_header_alone_is_an_empty_lab():
    assert roster("learner,name\n") == []


class TestColumns:
    def test_name_the_columns_that_the_header_does_not_have(self):
        text = "Matrikel;Vorname;Nachname;Dienst-Mail;Gruppe\n7;Anna;Example;anna@example.org;A \n8;Ben;Example;;\n"
        columns = {
            "id": "matrikel",
            "first_name": "Vorname",
            "last_name": " NACHNAME ",
            "email": "Dienst-Mail",
            "group": "Gruppe",
        }
        assert roster(text, columns) == [
            learner("7", name="Anna Example", email="anna@example.org", group="A"),
            learner("8", name="Ben Example", group=None),
        ]

    def test_win_over_known_names(self):
        text = "ID,Name,Email,Given,Contact\n1,Wrong,wrong@example.org,Anna,anna@example.org\n"
        columns = {"id": "Contact", "email": "Contact", "first_name": "Given"}
        assert roster(text, columns) == [learner("anna@example.org", name="Anna", email="anna@example.org")]

    def test_do_not_touch_what_the_caller_gave(self):
        columns = {"group": "Group"}
        roster("id,group\n1,A\n", columns)
        assert columns == {"group": "Group"}

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (["email"], "columns is ['email'], but it must be a dictionary of field and column name."),
            ("email", "columns is 'email', but it must be a dictionary of field and column name."),
            ({"email": ""}, "columns maps 'email' to '', but both must be names."),
            ({"email": 2}, "columns maps 'email' to 2, but both must be names."),
            ({3: "Email"}, "columns maps 3 to 'Email', but both must be names."),
            (
                {"email": "E-Post"},
                "columns maps 'email' to 'E-Post', but roster line 1 has no such column: it has 'learner', 'name', "
                "'email', 'user_id'.",
            ),
            (
                {"application_id": "application_id"},
                "columns maps 'application_id' to 'application_id', but roster line 1 has no such column: it has "
                "'learner', 'name', 'email', 'user_id'.",
            ),
        ],
    )
    def test_must_be_names_that_exist(self, columns, message):
        assert get_error(PLAIN, columns=columns) == message


class TestUserIds:
    def test_are_derived_in_the_style_asked_for(self):
        made = [entry["user_id"] for entry in roster(PLAIN, style="opaque", key=KEY)]
        assert made == ["anna", appstream_user_id("l2", "opaque", KEY)]

    def test_need_a_key_that_suits_the_style_even_for_nobody(self):
        assert get_error("learner\n", style="opaque") == (
            "style='opaque' needs a key: a secret text of at least 16 characters."
        )

    @pytest.mark.parametrize("user_id", ["a", "a" * 33, "an na", "m\u00fcller", "anna/1"])
    def test_of_the_roster_must_be_valid(self, user_id):
        assert get_error(f"learner,user_id\n1,x1\n2,{user_id}\n") == (
            f"Roster line 3, column 'user_id': '{user_id}' is not 2 to 32 ASCII letters, digits "
            "and characters of '_+=,.@-'."
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "email,name\nAnna@example.org,Anna\n\nb@example.org,Ben\n anna@example.org,Anna\n",
            "Roster lines 2 ('Anna@example.org') and 5 ('anna@example.org') have the same id 'anna@example.org': "
            "remove one or make them differ.",
        ),
        (
            "learner,user_id\n1,anna\n2,anna\n",
            "Roster lines 2 ('1') and 3 ('2') have the same user id 'anna': remove one or make them differ.",
        ),
        (
            # Given a user id in the roster that is the one derived for another.
            "learner,user_id\nx,\ny,x-fvyrmqvxe2ye\n",
            "Roster lines 2 ('x') and 3 ('y') have the same user id 'x-fvyrmqvxe2ye': remove one or make them differ.",
        ),
        (
            "learner,user_id\n1,Anna.1\n2,ben\n3,anna.1\n",
            "Roster lines 2 ('1') and 4 ('3') have the user ids 'Anna.1' and 'anna.1', which differ only in case, but "
            "are two users of AppStream 2.0: correct one.",
        ),
        (
            # Given in the roster, and derived for another.
            "learner,user_id\nanna,\n2,Anna\n",
            "Roster lines 2 ('anna') and 3 ('2') have the user ids 'anna' and 'Anna', which differ only in case, but "
            "are two users of AppStream 2.0: correct one.",
        ),
        (
            'learner,name\n1,"Anna\nExample"\n2,Ben\n1,Anna\n',
            "Roster lines 2 ('1') and 5 ('1') have the same id '1': remove one or make them differ.",
        ),
    ],
)
def test_a_duplicate_names_both_rows(text, message):
    assert get_error(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "learner,email\n1,anna@example.org\n2,ben.example.org\n",
            "Roster line 3, column 'email': 'ben.example.org' is not an e-mail address.",
        ),
        (
            "Email Address\nanna@example.org\nben@@example.org\n",
            "Roster line 3, column 'Email Address': 'ben@@example.org' is not an e-mail address.",
        ),
        (
            "ID number,email\n4711,anna@example.org\n,ben@example.org\n",
            "Roster line 3, column 'ID number': the cell must identify the learner but is empty: "
            "fill it, or use another column.",
        ),
        (
            "email,name\n,Anna\nb@example.org,Ben\n",
            "Roster line 2, column 'email': the cell must identify the learner but is empty: "
            "fill it, or use another column.",
        ),
        (
            'learner,name\n"4\n5",Anna\n',
            "Roster line 2, column 'learner': '4\\n5' holds a control character or a new line.",
        ),
        (
            "learner,name\n45,An\x1b[31mna\n",
            "Roster line 2, column 'name': 'An\\x1b[31mna' holds a control character or a new line.",
        ),
        (
            "learner,session_context\n45,a\tb\n",
            "Roster line 2, column 'session_context': 'a\\tb' holds a control character or a new line.",
        ),
        (
            'learner,name\n1,"Anna\n\nExample"\n2,Ben,Example,\n',
            "Roster line 5 has 4 cells but the header has 2: put a cell that holds ',' in double quotes.",
        ),
        (
            'learner,name\n1,Anna\n2,"Ben\n3,Cem\n',
            "Roster line 3 opens a double quote that is never closed.",
        ),
        (
            'learner,name\n1,"Anna" Example\n',
            "Roster line 2 is not CSV (',' expected after '\"'): double the double quotes inside a quoted cell.",
        ),
        ('"learner,name\n1,Anna\n', "Roster line 1 opens a double quote that is never closed."),
        ("", "The roster is empty: its first line must name the columns."),
        ("\ufeff\r\n \n", "The roster is empty: its first line must name the columns."),
        ("\nid,email,Email\n1,a@example.org,b@example.org\n", "Roster line 2 has 2 columns 'email': rename one."),
        (
            "anna@example.org,Anna\nben@example.org,Ben\n",
            "Roster line 1 names no column with values that identify the learners: it has 'anna@example.org', 'Anna'. "
            "Use one of 'learner', 'id', 'id number', 'idnumber', 'username', 'sis user id', 'sis login id', 'email', "
            "'email address', 'e-mail', 'e-mail address' (in any case), or name yours with columns={'id': '...'}.",
        ),
        ("learner,n\udce4me\n", "Roster line 1 has bytes that are not UTF-8: save the file as 'CSV UTF-8'."),
        (
            "learner,name\r\n1,A\r\n2,M\udcfcller\r\n",
            "Roster line 3 has bytes that are not UTF-8: save the file as 'CSV UTF-8'.",
        ),
        ("learner,name\n1,M\ufffdller\n", "Roster line 2 has bytes that are not UTF-8: save the file as 'CSV UTF-8'."),
        ("l\0e\0a\0r\0n\0e\0r\0", "Roster line 1 has bytes that are not UTF-8: save the file as 'CSV UTF-8'."),
        (None, "A roster is the text of a CSV file, not None (NoneType)."),
        (b"learner\n1\n", "A roster is the text of a CSV file, not b'learner\\n1\\n' (bytes)."),
        ({"id": "1"}, "A roster is the text of a CSV file, not {'id': '1'} (dict)."),
    ],
)
def test_what_is_wrong_is_named_with_line_and_column(text, message):
    assert get_error(text) == message


def test_all_bad_rows_are_named_in_one_message():
    text = "id,email,user_id\n1,anna,\n2,ben@example.org,\n3,c@example.org,a b\n4,d@example.org,,x\n2,e@example.org,\n"

    assert get_error(text) == (
        "Roster line 2, column 'email': 'anna' is not an e-mail address. "
        "Roster line 4, column 'user_id': 'a b' is not 2 to 32 ASCII letters, digits and characters of '_+=,.@-'. "
        "Roster line 5 has 4 cells but the header has 3: put a cell that holds ',' in double quotes. "
        "Roster lines 3 ('2') and 6 ('2') have the same id '2': remove one or make them differ."
    )


def test_the_first_ten_bad_rows_are_named_and_the_others_counted():
    message = get_error("ID number\n" + "".join(f"1.0023{number}E+11\n" for number in range(10, 35)))

    assert [line for line in range(1, 30) if f"line {line}, column 'ID number': '1.002" in message] == [*range(2, 12)]
    assert message.startswith(
        "Roster line 2, column 'ID number': '1.002310E+11' is a number: the column was read as numbers by a "
        "spreadsheet: format it as text and export again. Roster line 3, column 'ID number': '1.002311E+11' is a "
        "number. "
    )
    assert message.endswith("Roster line 11, column 'ID number': '1.002319E+11' is a number. And 15 more.")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            [{"id": 7}, {"id": "eight"}, {"id": 9}],
            "Learner 1, id: 7 is not text: put it in quotes, since YAML changes numbers such as 007. Learner 3, id: 9 "
            "is not text.",
        ),
        (
            [{"id": ["a", "b"]}, {"id": {"c": 1}}, "d", ["e"]],
            "Learner 1, id: it is a list, but it must be text. Learner 2, id: it is a mapping. "
            "Learner 3 is 'd', not a dictionary such as {'email': '...'}. Learner 4 is ['e'].",
        ),
        (
            "id,email\nred,a@example.org\nred,b@example.org\nblue,c@example.org\nred,d@example.org\nBlue,e@example.org\n",
            "Roster lines 2 ('red'), 3 ('red') and 5 ('red') have the same id 'red': remove all but one or make them "
            "differ, or if column 'id' does not identify learners, name the one that does as id in columns. Roster "
            "lines 4 ('blue') and 6 ('Blue') have the same id 'blue': remove one or make them differ.",
        ),
        (
            "id,user_id\n1,ann\n2,Ann\n3,ANN\n",
            "Roster lines 2 ('1'), 3 ('2') and 4 ('3') have the user ids 'ann', 'Ann' and 'ANN', which differ only in "
            "case, but are 3 users of AppStream 2.0: correct one.",
        ),
        ([{"id": "a"}] * 12, "Learners 1 ('a'), 2 ('a'), 3 ('a'), "),
        ([{"id": "a"}] * 12, ", 10 ('a') and 2 more have the same id 'a': remove all but one or make them differ."),
    ],
)
def test_what_is_wrong_in_many_places_is_explained_once(source, message):
    assert message in get_error(source)


def test_fewer_bad_rows_are_named_if_ten_do_not_fit_a_message():
    message = get_error(f"id,{'y' * 70}\n" + "".join(f"{number},{'x' * 70}@\n" for number in range(12)), columns=LONG)
    named = message.count("is not an e-mail address.")

    assert 1 < named < 10
    assert message.endswith(f" And {12 - named} more.")
    assert len(message) <= 1500


@pytest.mark.parametrize(
    ("role", "message"),
    [
        (None, "or name yours with columns={'id': '...'}."),
        ("appstream_lab", "or name yours with appstream_lab_roster_columns={'id': '...'}."),
    ],
)
def test_a_missing_column_names_the_variable_of_the_role(role, message):
    assert get_error("name\nAnna\n", role=role).endswith(message)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (
            [],
            {"columns": {"id": "x"}},
            "appstream_lab_roster_columns is for the text of a CSV file: leave it out when the learners are a list.",
        ),
        ("id\n", {"columns": ["id"]}, "appstream_lab_roster_columns is ['id'], but it must be a dictionary of field"),
        ("id\n", {"columns": {"id": 7}}, "appstream_lab_roster_columns maps 'id' to 7, but both must be names."),
        (
            "id\n",
            {"style": "opaque", "key": "short"},
            "appstream_lab_user_id_style='opaque' needs appstream_lab_user_id_key: a secret text of at least 16",
        ),
        ("id\n", {"style": "opaque", "key": f" {KEY}"}, "The key of appstream_lab_user_id_style='opaque' has white"),
        (
            "id\n",
            {"key": KEY},
            "A key is only for appstream_lab_user_id_style='opaque': leave it out or set the style.",
        ),
        (
            "id\n",
            {"style": "secret"},
            "appstream_lab_user_id_style is 'secret', but it must be 'readable' or 'opaque'.",
        ),
    ],
)
def test_other_messages_name_the_variables_of_the_role(source, options, message):
    assert get_error(source, role="appstream_lab", **options).startswith(message)


class TestMarks:
    def test_around_identifiers_are_removed_and_named(self):
        text = "ID number,email\n'0012345,<anna@example.org>\n4712,ben@example.org\n4713,\u200bcem@example.org\n"
        learners = roster(text)

        assert [(each["id"], each["email"]) for each in learners] == [
            ("0012345", "anna@example.org"),
            ("4712", "ben@example.org"),
            ("4713", "cem@example.org"),
        ]
        assert get_warnings(text) == [
            "Roster line 2, column 'ID number': \"'0012345\" is read as '0012345'. "
            "Roster line 2, column 'email': '<anna@example.org>' is read as 'anna@example.org'. "
            "Roster line 4, column 'email': '\\u200bcem@example.org' is read as 'cem@example.org'."
        ]

    def test_around_other_fields_stay(self):
        text = "id,user_id,name,session_context\n1,anna=,'t Example,'x;\n"

        assert roster(text) == [learner("1", user_id="anna=", name="'t Example", session_context="'x;")]
        assert get_warnings(text) == []

    def test_in_a_user_id_are_rejected(self):
        assert get_error("id,user_id\n1,'anna\n").startswith(
            "Roster line 2, column 'user_id': \"'anna\" is not 2 to 32"
        )

    def test_of_brightspace_are_part_of_other_ids(self):
        assert roster("id\n#12\n") == [learner("#12")]

    def test_are_removed_in_a_list_too(self):
        assert roster([{"email": "anna@example.org;"}]) == [learner("anna@example.org", email="anna@example.org")]
        assert get_warnings([{"id": "1"}, {"email": "anna@example.org;"}]) == [
            "Learner 2, email: 'anna@example.org;' is read as 'anna@example.org'."
        ]

    def test_hide_no_double(self):
        assert get_error("email\nanna@example.org\n<Anna@example.org>\n") == (
            "Roster lines 2 ('anna@example.org') and 3 ('Anna@example.org') have the same id 'anna@example.org': "
            "remove one or make them differ."
        )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ID number\n4711\nNULL\n", "Roster line 3, column 'ID number': 'NULL'"),
        ("email\n#N/A\n", "Roster line 2, column 'email': '#N/A'"),
        ("id,user_id\n1,nan\n", "Roster line 2, column 'user_id': 'nan'"),
        ("id,name\n1,#REF!\n", "Roster line 2, column 'name': '#REF!'"),
        ("id,first_name\n1,#NAME?\n", "Roster line 2, column 'first_name': '#NAME?'"),
        ([{"id": "#REF!"}], "Learner 1, id: '#REF!'"),
    ],
)
def test_a_value_that_a_spreadsheet_lost_is_rejected(text, place):
    assert get_error(text) == (
        f"{place} is no value: the column was read as numbers by a spreadsheet: format it as text and export again."
    )


def test_what_looks_lost_is_accepted_where_it_can_be_meant():
    text = "id,name,session_context\n1,Null,1.5E+3\n2,Nan,#REF!\n"

    assert [(each["name"], each["session_context"]) for each in roster(text)] == [("Null", "1.5E+3"), ("Nan", "#REF!")]


class TestAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            "anna@example.org",
            "anna@example.org\n",
            "\ufeffanna@example.org\r\n",
            "\n\n  anna@example.org  \n\n",
            "<anna@example.org>;\n",
        ],
    )
    def test_are_a_roster_without_a_header(self, text):
        assert roster(text) == [learner("anna@example.org", email="anna@example.org")]

    def test_may_have_names(self):
        text = 'Anna Example <anna@example.org>\nben@example.org\n"Lin, Ada" <ada@example.org>;\n'

        assert [(each["id"], each["name"]) for each in roster(text)] == [
            ("anna@example.org", "Anna Example"),
            ("ben@example.org", None),
            ("ada@example.org", "Ada Lin"),
        ]
        assert get_warnings(text) == []

    def test_that_are_none_are_named_with_the_line(self):
        text = "anna@example.org\r\n\r\nben\r\nCem <cem@>\r\nanna@Example.org\r\n"

        assert get_error(text) == (
            "Roster line 3: 'ben' is not an e-mail address. Roster line 4: 'cem@' is not an e-mail address. "
            "Roster lines 1 ('anna@example.org') and 5 ('anna@Example.org') have the same id 'anna@example.org': "
            "remove one or make them differ."
        )

    def test_may_have_names_in_a_column_too(self):
        text = "email,name\nAnna <anna@example.org>,\nBen <ben@example.org>,Ben Example\n"

        assert [(each["email"], each["name"]) for each in roster(text)] == [
            ("anna@example.org", "Anna"),
            ("ben@example.org", "Ben Example"),
        ]


class TestJson:
    @pytest.mark.parametrize("text", ['[{"id": "l1"}]', '\n [\n {"id": "l1"}]\n'])
    def test_of_a_list_is_read_as_the_list(self, text):
        assert roster(text) == [learner("l1")]

    def test_of_an_empty_list_is_a_lab_of_nobody(self):
        assert roster("[]") == []

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('[{"id": 7}]', "Learner 1, id: 7 is not text: put it in quotes, since YAML changes numbers such as 007."),
            ('{"id": "l1"}', "The roster is a mapping in JSON, but it must be a list of learners."),
            ('[{"id": "l1"},', "The roster begins like JSON, but cannot be read as such: "),
            ('[{"id": ' + "[" * 100_000, "The roster begins like JSON, but cannot be read as such: "),
        ],
    )
    def test_that_is_no_list_of_learners_is_rejected(self, text, message):
        assert get_error(text).startswith(message)

    def test_is_not_evaluated(self):
        assert roster('[{"id": "l1", "name": "{{ 7*7 }}"}]')[0]["name"] == "{{ 7*7 }}"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (OUTPUT, "The roster "),
        (json.dumps(OUTPUT), "The roster "),
        (json.dumps({"lab": OUTPUT, "region": OUTPUT}), "The roster "),
        ([OUTPUT], "Learner 1 "),
        ([{"id": OUTPUT}], "Learner 1, id: it "),
    ],
)
def test_the_description_of_an_output_of_terraform_is_rejected_with_the_remedy(source, place):
    assert get_error(source) == (
        f"{place}is Terraform's description of an output, not its value: take it from `terraform output -json lab`."
    )


@pytest.mark.parametrize(("value", "what"), [({"a": "b"}, "mapping"), (["b"], "list")])
def test_a_value_of_a_list_that_is_no_text_is_rejected(value, what):
    assert get_error([{"id": "l1", "name": value}]) == f"Learner 1, name: it is a {what}, but it must be text."


def test_an_id_of_which_no_user_id_can_be_made_is_named_with_line_and_column():
    assert get_error("learner\n1\n\u200b\n").startswith(
        "Roster line 3, column 'learner': A user id cannot be derived from '\\u200b'"
    )


def test_a_missing_column_is_an_error_for_an_empty_lab_too():
    assert get_error("name,group\n").startswith("Roster line 1 names no column")


def test_a_wide_header_is_not_shown_in_full():
    message = get_error(",".join(f"Quiz {number}" for number in range(200)) + "\n")
    assert "'Quiz 11' and 188 more. Use one of" in message


def test_a_cell_that_is_too_large_is_named_and_not_shown():
    limit = csv.field_size_limit()
    message = get_error('learner,name\n1,A\n2,"' + "x" * limit + "\n" + "x\n")
    assert message == (
        f"Roster line 3 has a cell of more than {limit} characters: check for a double quote that is not closed."
    )


def test_a_cell_that_looks_like_a_template_stays_as_it_is():
    assert roster("learner,name\n1,{{ 7*7 }}\n")[0]["name"] == "{{ 7*7 }}"


# A list of learners instead of a CSV text


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"id": "4711"}, learner("4711")),
        ({"email": "Anna@Example.org"}, learner("Anna@Example.org", email="Anna@Example.org")),
        ({"user_id": "Anna.1"}, learner("Anna.1", user_id="Anna.1")),
        ({"id": " l1 ", "email": "", "name": None}, learner("l1")),
        (
            {"id": "l1", "name": "Anna  Example", "email": "anna@example.org", "user_id": "anna"},
            learner("l1", name="Anna Example", email="anna@example.org", user_id="anna"),
        ),
        (
            {"id": "l1", "session_context": "unit=3;x", "application_id": "notebook"},
            learner("l1", session_context="unit=3;x", application_id="notebook"),
        ),
        ({"id": "l1", "name": "{{ 7*7 }}"}, learner("l1", name="{{ 7*7 }}")),
    ],
)
def test_a_learner_of_a_list_is_completed_like_one_of_a_csv(entry, expected):
    assert roster([entry]) == [expected]


def test_a_list_keeps_its_order_and_may_be_empty():
    assert [each["id"] for each in roster([{"id": "b"}, {"email": "a@example.org"}])] == [
        "b",
        "a@example.org",
    ]
    assert roster([]) == []


def test_user_ids_of_a_list_may_be_opaque():
    assert roster([{"id": "l1"}], style="opaque", key=KEY)[0]["user_id"] == appstream_user_id("l1", "opaque", KEY)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["anna"], "Learner 1 is 'anna', not a dictionary such as {'email': '...'}."),
        (
            [{"id": "l1"}, {"name": "Ben"}],
            "Learner 2 has neither id nor email nor user_id: give one of them.",
        ),
        (
            [{"id": 83}],
            "Learner 1, id: 83 is not text: put it in quotes, since YAML changes numbers such as 007.",
        ),
        ([{"email": "anna"}], "Learner 1, email: 'anna' is not an e-mail address."),
        (
            [{"id": "l1", "user_id": "a"}],
            "Learner 1, user_id: 'a' is not 2 to 32 ASCII letters, digits and characters of '_+=,.@-'.",
        ),
        ([{"id": "l1", "name": "a\x07b"}], "Learner 1, name: 'a\\x07b' holds a control character or a new line."),
        (
            [{"id": "l1", "name": "x" * 10_000_000}],
            f"Learner 1, name: it has more than {csv.field_size_limit()} characters: correct it.",
        ),
        (
            [{"email": "Anna@x"}, {"id": "ben"}, {"email": "anna@x"}],
            "Learners 1 ('Anna@x') and 3 ('anna@x') have the same id 'anna@x': remove one or make them differ.",
        ),
        (
            [{"id": "l1", "user_id": "anna"}, {"user_id": "anna"}],
            "Learners 1 ('l1') and 2 ('anna') have the same user id 'anna': remove one or make them differ.",
        ),
    ],
)
def test_what_is_wrong_in_a_list_is_named_with_number_and_field(entries, message):
    assert get_error(entries) == message


@pytest.mark.parametrize(
    ("source", "role", "message"),
    [
        (
            [{"id": "anna"}, {"id": "ben", "emial": "ben@example.org"}],
            None,
            "Learner 2 has 'emial', which is not a field of a learner: did you mean email?",
        ),
        (
            '[{"mail": "b@example.org"}]',
            "appstream_lab",
            "Learner 1 has 'mail', which is not a field of a learner: did you mean email?",
        ),
        (
            [{"id": "anna", 7: "x"}],
            "appstream_lab",
            "Learner 1 has 7, which is not a field of a learner: use id, name, email, user_id, session_context, "
            "application_id, language.",
        ),
        (
            [{"id": "anna", "user_id": "anna"}],
            "nimble_lab",
            "Learner 1 has 'user_id', which is not a field of a learner: use id, name, email, language.",
        ),
        (
            [{"id": "anna", "user_id": "anna"}],
            "gamelift_lab",
            "Learner 1 has 'user_id', which is not a field of a learner: use id, name, email, language.",
        ),
    ],
)
def test_an_unknown_field_in_a_list_is_named_with_what_was_meant(source, role, message):
    assert get_error(source, role=role) == message


def test_columns_are_for_a_csv():
    assert get_error([{"id": "l1"}], columns={"email": "Mail"}) == (
        "columns is for the text of a CSV file: leave it out when the learners are a list."
    )
