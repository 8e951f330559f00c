# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What exports of learning platforms and directories look like: facts only. The guide to rosters has their sources.

All names and values are folded as ``fold`` in ``_roster.py`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# Field of a learner: the column names that stand for it; the first that has values wins.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "id": (
        "learner",  # our own
        # Microsoft Entra. Before "id", which is the object's GUID there.
        "userprincipalname",
        "user principal name",
        # Canvas. Before its SIS ids, since every export has it, for every learner, whoever exports.
        "id",
        # Moodle: its English, the file for uploading users, and its language packs for German, Spanish, French,
        # Italian, Portuguese (Portugal, Brazil), Dutch and Polish. The same languages follow in each block below.
        "id number",
        "idnumber",
        "id-nummer",
        "número de id",
        "numéro d'identification",
        "codice identificativo",
        "número de identificação (id)",
        "número de identificação",
        "nummer (id)",
        "numer id",
        "numer indeksu",
        # Moodle and ILIAS; OneRoster, Blackboard and Brightspace
        "username",
        "anmeldename",
        "nombre de usuario",
        "nom d'utilisateur",
        "nome de utilizador",
        "nome de usuário",
        "gebruikersnaam",
        "nazwa użytkownika",
        "login",
        "sis user id",
        "sis login id",
        "login_id",  # Canvas, SIS import
        "orgdefinedid",  # Brightspace
        "org defined id",
    ),
    "email": (
        "email",
        "email address",
        "e-mail",
        "e-mail address",
        "mail",  # Microsoft Entra
        "e-mail-adresse",
        "dirección de correo",
        "adresse de courriel",
        "indirizzo email",
        "endereço de email",
        "e-mailadres",
        "adres e-mail",
    ),
    "name": (
        "full name",
        "full_name",  # Canvas, SIS import
        "displayname",  # Microsoft Entra
        "display name",
        "vollständiger name",
        "nombre completo",
        "nom complet",
        "nome completo",
        "volledige naam",
        "pełna nazwa",
        "student",  # Canvas
        "name",
        "nombre",
        "nom",
        "nome",
        "naam",
    ),
    "first_name": (
        "first name",
        "firstname",
        "first_name",
        "givenname",  # Microsoft Entra and OneRoster
        "given name",
        "vorname",
        "prénom",
        "voornaam",
        "imię",
    ),
    "last_name": (
        "last name",
        "lastname",
        "last_name",
        "surname",
        "familyname",  # OneRoster
        "family name",
        "nachname",
        "apellido(s)",
        "apellidos",
        "nom de famille",
        "cognome",
        "apelido",
        "sobrenome",
        "achternaam",
        "nazwisko",
    ),
    "user_id": ("user_id",),
    "session_context": ("session_context",),
    "application_id": ("application_id",),
    "language": ("language", "lang", "preferredlanguage"),  # Moodle's file for uploading users; Microsoft Entra
}

# Beside a surname these mean the given name (Spanish and Italian exports of Moodle), beside a given name the surname.
PLAIN_NAMES = {"name", "nombre", "nom", "nome", "naam"}

# What a message offers: those of every language would fill it.
COMMON_COLUMN_NAMES = (
    *("learner", "id", "id number", "idnumber", "username", "sis user id", "sis login id"),
    *("email", "email address", "e-mail", "e-mail address"),
)


class Format(NamedTuple):
    """An export that has more in it than columns with values.

    Attributes:
        signature: The columns that it is recognised by.
        not_learners: By column, the values of people who are not learners.
        not_people: What rows without an id have in place of a name, if they are nobody.
        test_people: The names of people who do not exist.
        id_mark: What is before each id, to keep spreadsheets from reading it as a number.
        surname_first: The column of names with the surname first, as in "Example, Anna".
    """

    signature: frozenset[str]
    not_learners: Mapping[str, frozenset[str]] = {}
    not_people: frozenset[str] = frozenset()
    test_people: frozenset[str] = frozenset()
    id_mark: str = ""
    surname_first: str = ""


_ILIAS_STAFF = frozenset(
    {
        # German since ILIAS 8 and before, then English
        *("kursadministration", "kursadministrator", "kursbetreuung", "kurstutor", "gruppenadministration"),
        *("aufnahmeantrag gestellt", "warteliste"),
        *("course administrator", "tutor", "group administrator", "subscriber", "waiting list"),
    }
)

FORMATS = (
    # Canvas, gradebook
    Format(
        signature=frozenset({"sis login id"}),
        not_people=frozenset({"", "points possible"}),  # without a name: "Manual Posting"
        test_people=frozenset({"student, test", "student test"}),
        surname_first="student",
    ),
    # Canvas, users.csv of SIS imports and of provisioning reports
    Format(signature=frozenset({"login_id"}), not_learners={"status": frozenset({"deleted"})}),
    # Brightspace, grades
    Format(signature=frozenset({"end-of-line indicator"}), id_mark="#"),
    # Google Classroom, grades
    Format(signature=frozenset({"last name", "first name", "email address"}), not_people=frozenset({"date", "points"})),
    # OneRoster, users.csv
    Format(
        signature=frozenset({"sourcedid"}),
        not_learners={
            "role": frozenset(
                {"administrator", "aide", "counselor", "districtadministrator", "guardian", "parent", "principal"}
                | {"proctor", "relative", "siteadministrator", "systemadministrator", "teacher"}
            ),
            "status": frozenset({"tobedeleted", "inactive"}),
        },
    ),
    # Gradescope, roster
    Format(signature=frozenset({"sid", "role"}), not_learners={"role": frozenset({"instructor", "ta", "reader"})}),
    # ILIAS, members of a course or group, in German and in English
    Format(signature=frozenset({"rolle/status"}), not_learners={"rolle/status": _ILIAS_STAFF}),
    Format(signature=frozenset({"role / status"}), not_learners={"role / status": _ILIAS_STAFF}),
)
