# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports of learning platforms and directories, as they write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_formats import (
    COLUMN_NAMES,
    COMMON_COLUMN_NAMES,
    FORMATS,
)
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_table import fold

GUIDE = Path(__file__).resolve().parents[4] / "docs/docsite/rst/guide_rosters.rst"


def read(*lines, **options):
    """Return id, name and address of the learners, and the warnings."""
    warnings = []
    learners = roster("\n".join(lines) + "\n", warn=warnings.append, **options)
    return [(learner["id"], learner["name"], learner["email"]) for learner in learners], warnings


@pytest.mark.parametrize(
    ("header", "row", "learner"),
    [
        pytest.param("Vorname;Nachname;E-Mail", "Anna;Example;anna@example.org", None, id="plain German"),
        pytest.param(
            "Vorname,Nachname,ID-Nummer,E-Mail-Adresse,Gruppen",
            "Anna,Example,,anna@example.org,A",
            None,
            id="Moodle, German",
        ),
        pytest.param(
            "Nombre,Apellido(s),Número de ID,Dirección de correo",
            "Ana,López Ruiz,4711,ana@example.org",
            ("4711", "Ana López Ruiz", "ana@example.org"),
            id="Moodle, Spanish",
        ),
        pytest.param(
            "Prénom,Nom de famille,Numéro d\u2019identification,Adresse de courriel",
            "Anna,Example,,anna@example.org",
            None,
            id="Moodle, French",
        ),
        pytest.param("Nom;Prénom;Adresse de courriel", "Example;Anna;anna@example.org", None, id="plain French"),
        pytest.param(
            "Nome,Cognome,Codice identificativo,Indirizzo email",
            "Anna,Example,,anna@example.org",
            None,
            id="Moodle, Italian",
        ),
        pytest.param(
            "Nome,Apelido,Número de identificação (ID),E-mail",
            "Anna,Example,,anna@example.org",
            None,
            id="Moodle, Portuguese",
        ),
        pytest.param(
            "Nome,Sobrenome,Número de identificação,Endereço de email",
            "Anna,Example,,anna@example.org",
            None,
            id="Moodle, Brazilian Portuguese",
        ),
        pytest.param(
            "Voornaam,Achternaam,Nummer (ID),E-mailadres", "Anna,Example,,anna@example.org", None, id="Moodle, Dutch"
        ),
        pytest.param("Imię,Nazwisko,Numer ID,E-mail", "Anna,Example,,anna@example.org", None, id="Moodle, Polish"),
        pytest.param(
            "Anmeldename,Vollständiger Name",
            "aexample,Anna Example",
            ("aexample", "Anna Example", None),
            id="German logins",
        ),
        pytest.param(
            "userPrincipalName,displayName,surname,mail,givenName,id,userType",
            "ada@t.example.org,Ada Lin,Lin,ada.lin@example.org,Ada,6f1c-4a,Member",
            ("ada@t.example.org", "Ada Lin", "ada.lin@example.org"),
            id="Microsoft Entra",
        ),
        pytest.param(
            "userPrincipalName,surname,mail,givenName,objectId",
            "ada@t.example.org,Lin,,Ada,6f1c-4a",
            ("ada@t.example.org", "Ada Lin", None),
            id="Microsoft Entra without display names",
        ),
        pytest.param(
            "Display name,First name,Last name,User principal name",
            "Ada Lin,Ada,Lin,ada@example.org",
            ("ada@example.org", "Ada Lin", None),
            id="Microsoft 365",
        ),
        pytest.param(
            "First Name [Required],Last Name [Required],Email Address [Required],Status [READ ONLY]",
            "Anna,Example,anna@example.org,Active",
            None,
            id="Google Admin",
        ),
        pytest.param(
            "OrgDefinedId,Username,Last Name,First Name,Email,Quiz Points Grade,End-of-Line Indicator",
            "#0012345,#aexample,Example,Anna,anna@example.org,9,#",
            ("aexample", "Anna Example", "anna@example.org"),
            id="Brightspace",
        ),
        pytest.param(
            "OrgDefinedId,Last Name,First Name,End-of-Line Indicator",
            "#0012345,Example,Anna,#",
            ("0012345", "Anna Example", None),
            id="Brightspace without logins",
        ),
        pytest.param(
            "Last Name,First Name,Username,Student ID,Last Access,Availability",
            "Example,Anna,aexample,4711,,Yes",
            ("aexample", "Anna Example", None),
            id="Blackboard",
        ),
    ],
)
def test_an_export_is_read_without_configuration(header, row, learner):
    assert read(header, row) == ([learner or ("anna@example.org", "Anna Example", "anna@example.org")], [])


@pytest.mark.parametrize(
    ("lines", "learners", "warning"),
    [
        pytest.param(
            [
                "Rolle/Status;Nachname;Vorname;Anmeldename;E-Mail",
                "Kursadministration;Trainer;Tim;ttrainer;tim@example.org",
                "Kursmitglied;Example;Anna;aexample;",
                "Warteliste;Late;Lea;llate;",
            ],
            [("aexample", "Anna Example", None)],
            "Roster line 2 is left out: 'Kursadministration' in the column 'Rolle/Status' is not a learner. "
            "Roster line 4 is left out: 'Warteliste' in the column 'Rolle/Status' is not a learner.",
            id="ILIAS, German",
        ),
        pytest.param(
            [
                "Role / Status;Last Name;First Name;Username",
                "Tutor;Trainer;Tim;ttrainer",
                "Member;Example;Anna;aexample",
            ],
            [("aexample", "Anna Example", None)],
            "Roster line 2 is left out: 'Tutor' in the column 'Role / Status' is not a learner.",
            id="ILIAS, English",
        ),
        pytest.param(
            [
                "user_id,login_id,first_name,last_name,short_name,email,status",
                "01103,aexample,Anna,Example,,anna@example.org,active",
                "01104,gone,Gerd,Gone,,gone@example.org,deleted",
            ],
            [("aexample", "Anna Example", "anna@example.org")],
            "Roster line 3 is left out: 'deleted' in the column 'status' is not a learner.",
            id="Canvas, SIS import",
        ),
        pytest.param(
            [
                "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,email",
                "t1,active,,true,o1,teacher,ttrainer,,Tim,Trainer,tim@example.org",
                "s1,active,,true,o1,student,aexample,,Anna,Example,anna@example.org",
                "s2,tobedeleted,,true,o1,student,gone,,Gerd,Gone,gone@example.org",
            ],
            [("aexample", "Anna Example", "anna@example.org")],
            "Roster line 2 is left out: 'teacher' in the column 'role' is not a learner. "
            "Roster line 4 is left out: 'tobedeleted' in the column 'status' is not a learner.",
            id="OneRoster",
        ),
        pytest.param(
            [
                "First Name,Last Name,SID,Email,Role,Sections",
                "Anna,Example,4711,anna@example.org,Student,A",
                "Tim,Trainer,,tim@example.org,TA,A",
                "Ina,Instructor,,ina@example.org,Instructor,",
            ],
            [("anna@example.org", "Anna Example", "anna@example.org")],
            "Roster line 3 is left out: 'TA' in the column 'Role' is not a learner. "
            "Roster line 4 is left out: 'Instructor' in the column 'Role' is not a learner.",
            id="Gradescope",
        ),
    ],
)
def test_people_who_are_not_learners_are_left_out_and_named(lines, learners, warning):
    assert read(*lines) == (learners, [warning])


def test_only_the_first_ten_who_are_left_out_are_named():
    _learners, [warning] = read("Email,SID,Role", *(f"ta{number}@example.org,,TA" for number in range(12)))

    assert warning.count("is left out") == 10
    assert warning.endswith("Roster line 11 is left out: 'TA' in the column 'Role' is not a learner. And 2 more.")


def test_a_role_or_status_of_another_roster_says_nothing():
    learners, warnings = read("email,role,status", "anna@example.org,teacher,deleted")

    assert learners == [("anna@example.org", None, "anna@example.org")]
    assert warnings == []


def test_rows_of_google_classroom_that_are_nobody_are_left_out_without_a_warning():
    lines = (
        "Last Name,First Name,Email Address,Quiz",
        "Date,,,2026-11-21",
        "Points,,,10",
        "Example,Anna,a@example.org,9",
    )

    assert read(*lines) == ([("a@example.org", "Anna Example", "a@example.org")], [])


def test_a_person_who_is_called_points_is_no_row_of_google_classroom():
    lines = ("Last Name,First Name,Email Address", "Points,,p@example.org")

    assert read(*lines) == ([("p@example.org", "Points", "p@example.org")], [])


def test_a_canvas_gradebook_has_the_surname_first():
    learners, _warnings = read(
        "Student,ID,SIS Login ID,Section", '"Lin, Ada",1,ada,A', "Ben Example,2,ben,A", '"King, Max, Jr.",3,max,A'
    )

    assert [name for _id, name, _email in learners] == ["Ada Lin", "Ben Example", "King, Max, Jr."]


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("id,Name,Vorname", "1,von der Tann,Ursula", "Ursula von der Tann"),
        ("id,Name,Surname", "1,Anna,Example", "Anna Example"),
        # The whole name beside a part of it.
        ("id,Name,First name", "1,Anna Example,Anna", "Anna Example"),
        ("id,Name,Surname", "1,Ursula von der Tann,von der Tann", "Ursula von der Tann"),
        ("id,Full name,First name", "1,Bob Example,Robert", "Bob Example"),
        ("id,Name,First name,Surname", "1,Bob,Robert,Example", "Bob"),
        # A part of it that is missing.
        ("id,Name,Vorname", "1,Example,\n2,A,B", "Example"),
        ("id,Name,Vorname", "1,,Anna\n2,A,B", "Anna"),
        # Names that are equal.
        ("id,First name,Last name", "1,James,James", "James James"),
    ],
)
def test_a_name_is_put_together_from_its_halves(header, row, name):
    learners, _warnings = read(header, row)

    assert learners[0][1] == name


def test_a_surname_alone_is_no_name_if_there_is_a_whole_one():
    assert read("id,Surname,Display name", "1,Lin,Ada Lin")[0] == [("1", "Ada Lin", None)]


def test_a_column_that_is_named_for_the_name_is_all_of_it():
    assert read("id,Name,Vorname", "1,Example,Anna", columns={"name": "Name"})[0] == [("1", "Example", None)]


def test_the_table_is_folded():
    names = [name for names in COLUMN_NAMES.values() for name in names]
    values = [value for each in FORMATS for group in each.not_learners.values() for value in group]
    values += [value for each in FORMATS for value in (*each.signature, *each.not_people, *each.test_people)]

    assert [name for name in (*names, *values) if fold(name) != name] == []


def test_no_column_name_means_two_fields():
    names = [name for names in COLUMN_NAMES.values() for name in names]

    assert sorted(set(names)) == sorted(names)
    assert set(COMMON_COLUMN_NAMES) <= {*COLUMN_NAMES["id"], *COLUMN_NAMES["email"]}


def test_the_guide_names_every_column():
    guide = GUIDE.read_text(encoding="utf-8")
    named = {fold(literal) for literal in guide.split("``")[1::2]}

    assert [name for names in COLUMN_NAMES.values() for name in names if name not in named] == []
