# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the arguments of roles, also beyond what argument_specs.yml can express, and what they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from ansible_collections.labstream.aws.plugins.plugin_utils._arguments import (
    find_roster,
    find_similar,
    get_distance,
    map_module_options,
    validate_arguments,
)

ROLES = Path(__file__).resolve().parents[4] / "roles"
ROSTER = "id,name\n1,Anna\n"
# Arguments that are valid.
VALID = {
    "appstream_lab": {
        "name": "monday",
        "state": "present",
        "stack_name": "cad-course",
        "fleet_name": "cad-fleet",
        "roster": ROSTER,
        "validity": 3600,
    },
    "gamelift_lab": {
        "name": "monday",
        "state": "present",
        "stream_group": "sg-1",
        "roster": ROSTER,
        "expires_after_minutes": 60,
        "application": "a-cad",
        "locations": ["us-east-1"],
    },
    "nimble_lab": {"name": "monday", "state": "present", "studio_id": "studio-1", "sessions": {"anna": "s1"}},
    "lab_handout": {"name": "monday", "state": "present", "seats": [], "pages_dir": "/srv/pages"},
}


def get_options(role):
    """Return the options that the role documents."""
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())
    return spec["argument_specs"]["main"]["options"]


def validate(role, more_names=(), now=None, **options):
    """Validate the valid arguments with these options; options with None are not set."""
    given = {**VALID[role], **options}
    values = {f"{role}_{option}": value for option, value in given.items() if value is not None}
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())
    return validate_arguments(values, role, [*values, *more_names], spec, now)


@pytest.mark.parametrize("role", VALID)
def test_valid_arguments_and_the_published_facts_are_accepted(role):
    result = validate(role, more_names=[f"{role}_seats", f"{role}_summary"])

    assert (result["error"], result["warnings"]) == (None, [])


@pytest.mark.parametrize(
    ("role", "options", "error"),
    [
        ("appstream_lab", {"roster": None}, "Give one of appstream_lab_learners and appstream_lab_roster."),
        ("appstream_lab", {"roster": ""}, "Give one of appstream_lab_learners and appstream_lab_roster."),
        ("appstream_lab", {"learners": []}, "Give one of appstream_lab_learners and appstream_lab_roster."),
        (
            "appstream_lab",
            {"roster": ["anna"]},
            "appstream_lab_roster is not text: give a list as appstream_lab_learners.",
        ),
        (
            "appstream_lab",
            {"roster_columns": {"group": "Group"}},
            "appstream_lab_roster_columns has 'group', but the fields are id, email, name, first_name, last_name, "
            "user_id, session_context, application_id, language.",
        ),
        ("appstream_lab", {"validity": None}, "Give one of appstream_lab_ends_at and appstream_lab_validity."),
        (
            "appstream_lab",
            {"ends_at": "17:00", "timezone": "UTC"},
            "Give one of appstream_lab_ends_at and appstream_lab_validity.",
        ),
        (
            "appstream_lab",
            {"ends_at": "17:00", "validity": None},
            "appstream_lab_ends_at: The time '17:00' has no offset from UTC: add one such as '+01:00', or give a "
            "timezone "
            "such as 'Europe/Berlin'.",
        ),
        (
            "appstream_lab",
            {"ends_at": 1020, "validity": None},
            "appstream_lab_ends_at: The time is the number 1020, which is how YAML reads an unquoted time: write "
            "'17:00' "
            "in quotes.",
        ),
        (
            "appstream_lab",
            {"starts_at": "13:00", "timezone": "UTC"},
            "appstream_lab_starts_at: The time '13:00' means another day tomorrow: give it with its date.",
        ),
        (
            "appstream_lab",
            {"fleet_wait_timeout": 0},
            "appstream_lab_fleet_wait_timeout is 0, but it must be 1 or more.",
        ),
        ("appstream_lab", {"spare_sessions": "-1"}, "appstream_lab_spare_sessions is -1, but it must be 0 or more."),
        ("appstream_lab", {"break_minutes": -5}, "appstream_lab_break_minutes is -5, but it must be 0 or more."),
        (
            "gamelift_lab",
            {"application": ""},
            "Give gamelift_lab_application, the id of the application that the URLs open.",
        ),
        ("gamelift_lab", {"locations": []}, "Give gamelift_lab_locations, such as ['us-east-1']."),
        ("gamelift_lab", {"roster": None}, "Give one of gamelift_lab_learners and gamelift_lab_roster."),
        (
            "gamelift_lab",
            {"ends_at": "2126-01-01T13:00Z"},
            "Give one of gamelift_lab_ends_at and gamelift_lab_expires_after_minutes.",
        ),
        ("gamelift_lab", {"spare_sessions": -1}, "gamelift_lab_spare_sessions is -1, but it must be 0 or more."),
        (
            "gamelift_lab",
            {"capacity_wait_timeout": 0},
            "gamelift_lab_capacity_wait_timeout is 0, but it must be 1 or more.",
        ),
        (
            "nimble_lab",
            {"sessions": None},
            "Give one of nimble_lab_learners and nimble_lab_roster, or nimble_lab_sessions alone.",
        ),
        (
            "nimble_lab",
            {"learners": [], "roster": ROSTER},
            "Give one of nimble_lab_learners and nimble_lab_roster, or nimble_lab_sessions alone.",
        ),
        ("nimble_lab", {"roster": ["anna"]}, "nimble_lab_roster is not text: give a list as nimble_lab_learners."),
        ("lab_handout", {"seats": None}, "Give lab_handout_seats, such as appstream_lab_seats."),
        (
            "lab_handout",
            {"pages_dir": ""},
            "Give at least one of lab_handout_urls_csv, lab_handout_pages_dir and lab_handout_overview_html.",
        ),
        (
            "lab_handout",
            {"starts_at": "9:00"},
            "lab_handout_starts_at: The time '9:00' means another day tomorrow: give it with its date.",
        ),
        (
            "lab_handout",
            {"pages_dir": None, "urls_csv": "/srv/urls.csv", "s3_bucket": "pages"},
            "lab_handout_s3_bucket is for pages: give lab_handout_pages_dir.",
        ),
    ],
)
def test_an_error_names_the_option(role, options, error):
    assert validate(role, **options)["error"] == error


@pytest.mark.parametrize(
    ("role", "options"),
    [
        ("appstream_lab", {"roster": None, "learners": []}),
        ("appstream_lab", {"starts_at": "2020-01-01T13:00Z", "ends_at": "2126-01-01T13:00Z", "validity": None}),
        ("appstream_lab", {"ends_at": "", "starts_at": "", "timezone": "", "learners": None}),
        ("appstream_lab", {"state": "absent", "roster": None, "validity": None}),
        ("gamelift_lab", {"ends_at": "2126-01-01T13:00Z", "expires_after_minutes": None}),
        (
            "gamelift_lab",
            dict(state="absent", roster=None, application=None, locations=None, expires_after_minutes=None),
        ),
        ("nimble_lab", {"learners": []}),
        ("nimble_lab", {"roster": ROSTER, "sessions": None}),
        ("nimble_lab", {"state": "absent", "sessions": None}),
        ("lab_handout", {"state": "absent", "seats": None, "ends_at": "2020-01-01T13:00Z"}),
    ],
)
def test_what_the_role_can_use_is_accepted(role, options):
    assert validate(role, **options)["error"] is None


def test_errors_of_one_option_have_the_order_of_its_entries():
    columns = dict.fromkeys("fedcba", "X")

    assert validate("appstream_lab", roster_columns=columns)["error"].startswith("appstream_lab_roster_columns has 'f'")


@pytest.mark.parametrize(
    ("role", "name", "option"),
    [
        ("lab_handout", "lab_handout_link", "lab_handout_links_csv"),
        ("lab_handout", "lab_handout_pages", "lab_handout_pages_dir"),
        ("appstream_lab", "appstream_lab_stack", "appstream_lab_stack_name"),
        ("lab_handout", "lab_handout_s3_buket", "lab_handout_s3_bucket"),
        ("appstream_lab", "appstream_lab_rooster", "appstream_lab_roster"),
        ("appstream_lab", "appstream_lab_roster_column", "appstream_lab_roster_columns"),
        ("appstream_lab", "appstream_lab_end_at", "appstream_lab_ends_at"),
        ("appstream_lab", "appstream_lab_fleet", "appstream_lab_fleet_name"),
        ("nimble_lab", "nimble_lab_studio", "nimble_lab_studio_id"),
        ("appstream_lab", "appstream_lab_names", "appstream_lab_name"),
        ("appstream_lab", "appstream_lab_validitie", "appstream_lab_validity"),
    ],
)
def test_a_near_miss_of_an_option_is_rejected(role, name, option):
    error = f"{name} is not an option of the role {role}: did you mean {option}?"

    result = validate(role, more_names=[name])

    assert (result["error"], result["warnings"]) == (error, [])


@pytest.mark.parametrize(
    "name",
    [
        "appstream_lab_result",
        "appstream_lab_fleet_timeout",
        "appstream_lab_my_own",
        # Two edits from "state" and from "force", but short words of their own.
        "appstream_lab_date",
        "appstream_lab_forms",
    ],
)
def test_any_other_unknown_variable_is_a_warning(name):
    warning = f"{name} is not an option of the role appstream_lab, so it has no effect."

    result = validate("appstream_lab", more_names=[name])

    assert (result["error"], result["warnings"]) == (None, [warning])


def test_an_alias_is_known():
    options = {"lab_handout_seats": {"type": "list"}, "lab_handout_pages_dir": {"aliases": ["lab_handout_pages"]}}
    spec = {"argument_specs": {"main": {"options": options}}}
    values = {"lab_handout_seats": [], "lab_handout_pages_dir": "/srv"}

    assert validate_arguments(values, "lab_handout", ["lab_handout_pages"], spec)["error"] is None


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("link", "links", 1),
        ("ends", "sends", 1),
        ("ab", "ba", 1),
        ("flete", "fleet", 1),
        ("kitten", "sitting", 3),
    ],
)
def test_the_distance_is_the_number_of_edits(left, right, distance):
    assert get_distance(left, right) == get_distance(right, left) == distance


def test_the_most_similar_option_is_named():
    assert find_similar("x_link", ["x_linkage_of_all", "x_links", "x_lunch"], "x_") == "x_links"
    assert find_similar("x_completely", ["x_links"], "x_") is None


TERRAFORM = "is Terraform's description of an output, not its value: take it from `terraform output -json lab`."
OUTPUT = {"sensitive": True, "type": "string", "value": "a-secret"}


@pytest.mark.parametrize(
    ("role", "option", "value", "problem"),
    [
        ("appstream_lab", "stack_name", OUTPUT, TERRAFORM),
        ("appstream_lab", "stack_name", {"name": "cad"}, "is a mapping, but it must be text."),
        ("appstream_lab", "stack_name", ["cad"], "is a list, but it must be text."),
        ("appstream_lab", "summary_path", {"path": "a"}, "is a mapping, but it must be text."),
        ("appstream_lab", "roster", OUTPUT, TERRAFORM),
        ("appstream_lab", "roster", {"id": "anna"}, "is a mapping, but it must be text."),
        ("appstream_lab", "learners", OUTPUT, TERRAFORM),
        ("appstream_lab", "rotate", OUTPUT, TERRAFORM),
        ("appstream_lab", "ends_at", OUTPUT, TERRAFORM),
        ("nimble_lab", "studio_id", OUTPUT, TERRAFORM),
        ("nimble_lab", "sessions", OUTPUT, TERRAFORM),
    ],
)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_mapping_or_list_where_text_is_expected_is_named(role, option, value, problem, state):
    result = validate(role, **{"state": state, option: value})

    assert result["error"] == f"{role}_{option} {problem}"
    assert "a-secret" not in str(result)


@pytest.mark.parametrize(
    "learners", [[], [{"id": "anna", "name": None}], [{"email": "a@example.org"}], '[{"id": "anna"}]', "[]"]
)
def test_learners_are_a_list_also_as_text_in_json(learners):
    assert validate("appstream_lab", roster=None, learners=learners)["error"] is None
    assert validate("nimble_lab", sessions=None, learners=learners)["error"] is None


def test_learners_that_are_empty_text_are_not_given():
    assert validate("appstream_lab", learners="")["error"] is None


@pytest.mark.parametrize(
    ("learners", "error"),
    [
        (
            "id,name\n1,Anna\n",
            "appstream_lab_learners is not a list of learners, also not as text in JSON: give CSV, or the path of a "
            "file, as appstream_lab_roster.",
        ),
        (
            {"id": "anna"},
            "appstream_lab_learners is not a list of learners, also not as text in JSON: give CSV, or the path of a "
            "file, as appstream_lab_roster.",
        ),
    ],
)
def test_learners_that_are_no_list_are_rejected(learners, error):
    assert validate("appstream_lab", roster=None, learners=learners)["error"] == error


TEXTS = [
    (role, option.removeprefix(f"{role}_"))
    for role in VALID
    for option, spec in get_options(role).items()
    if spec["type"] in ("str", "path") and "choices" not in spec and "no_log" not in spec
]


@pytest.mark.parametrize(("role", "option"), TEXTS)
def test_a_whole_number_is_its_text_where_text_is_expected(role, option):
    result = validate(role, **{"state": "absent", option: 4713})

    assert result["options"].get(option) == ("4713" if option != "roster" else None)
    assert result["error"] is None


@pytest.mark.parametrize(("role", "option"), TEXTS)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "boolean true"),
        (False, "boolean false"),
        (1.1, "number 1.1"),
        (date(2026, 11, 21), "date 2026-11-21"),
        (datetime(2026, 11, 21, 17, tzinfo=UTC), "date 2026-11-21 17:00:00+00:00"),
    ],
)
def test_what_yaml_changed_is_rejected_where_text_is_expected(role, option, value, shown):
    error = f"{role}_{option} is the {shown}, so how it was written is lost: put it in quotes."

    assert validate(role, **{option: value})["error"] == error


@pytest.mark.parametrize(
    ("role", "options", "error"),
    [
        ("appstream_lab", {"rotate": ["anna", True]}, "appstream_lab_rotate has an entry that is the boolean true"),
        ("appstream_lab", {"rotate": [date(2026, 11, 21)]}, "appstream_lab_rotate has an entry that is the date 2026-"),
        ("appstream_lab", {"roster_columns": {"id": 1.5}}, "appstream_lab_roster_columns: 'id' is the number 1.5"),
        ("nimble_lab", {"sessions": {"anna": False}}, "nimble_lab_sessions: 'anna' is the boolean false"),
    ],
)
def test_what_yaml_changed_is_rejected_in_lists_and_mappings_of_text(role, options, error):
    assert validate(role, **options)["error"].startswith(error)


def test_whole_numbers_are_accepted_in_a_list_of_text():
    assert validate("appstream_lab", rotate=[4711, "anna"])["error"] is None


@pytest.mark.parametrize("key", [1234567890123456, 1234567890123456.5, date(2026, 11, 21), True])
def test_a_secret_that_is_not_text_is_not_shown(key):
    assert (
        validate("appstream_lab", user_id_key=key)["error"]
        == "appstream_lab_user_id_key is not text: put it in quotes."
    )


def test_what_applications_are_started_with_may_be_secret_too():
    options = validate("gamelift_lab", environment={"TOKEN": "a-secret"}, launch_args=["--token=a-secret"])["options"]

    assert "a-secret" not in str(options)


@pytest.mark.parametrize("options", [{}, {"validity": "long"}])
def test_a_secret_is_not_among_the_options(options):
    assert "user_id_key" not in validate("appstream_lab", user_id_key="a-secret-of-the-vault", **options)["options"]


@pytest.mark.parametrize("validity", ["long", True])
def test_what_argument_specs_rejects_is_an_error_too_and_other_options_have_their_defaults(validity):
    result = validate("appstream_lab", validity=validity, manage_fleet=True)

    assert result["error"].startswith("Validation of arguments failed:\nargument 'appstream_lab_validity' is of type")
    assert (result["options"]["name"], result["options"]["state"]) == ("monday", "present")
    assert (result["options"]["manage_fleet"], result["options"]["validity"]) == (False, None)


@pytest.mark.parametrize(
    ("role", "values", "is_empty"),
    [
        ("appstream_lab", {}, True),
        ("appstream_lab", {"appstream_lab_state": "absent", "appstream_lab_manage_fleet": True}, True),
        ("gamelift_lab", {"gamelift_lab_manage_capacity": True}, True),
        ("nimble_lab", {"nimble_lab_state": "present"}, True),
        ("nimble_lab", {"nimble_lab_roster": "roster.csv"}, False),
        ("lab_handout", {"lab_handout_state": "present"}, True),
        ("lab_handout", {"lab_handout_name": None}, False),
    ],
)
def test_if_the_file_with_the_variables_was_forgotten_the_message_says_so(role, values, is_empty):
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())
    published = [f"{role}_seats", f"{role}_summary"]

    error = validate_arguments(values, role, [*values, *published], spec)["error"]

    assert error.startswith("Validation of arguments failed:\nmissing required arguments: ")
    assert (
        f"No variable of the role {role} is set: name the file that has them, such as -e @lab.yml" in error
    ) == is_empty


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("name", "missing required arguments: lab_handout_name"),
        ("state", "lab_handout_state"),
        ("language", None),
        ("contact", None),
    ],
)
def test_null_is_not_given_unless_there_are_choices(option, error):
    spec = yaml.safe_load((ROLES / "lab_handout/meta/argument_specs.yml").read_text())
    values = {f"lab_handout_{name}": value for name, value in {**VALID["lab_handout"], option: None}.items()}

    result = validate_arguments(values, "lab_handout", values, spec)

    assert (error or "") in (result["error"] or "")
    assert bool(result["error"]) == bool(error)
    assert result["options"]["language"] == "en"


def test_null_in_a_list_of_text_is_an_error():
    error = validate("appstream_lab", rotate=["anna", None])["error"]

    assert "'appstream_lab_rotate'" in error
    assert error.endswith(": it is null, but it must be text")


def test_options_have_the_types_that_the_role_documents():
    options = validate("appstream_lab", validity="3600", manage_fleet="yes", withdraw_limit="3")["options"]

    assert [options[name] for name in ("validity", "manage_fleet", "withdraw_limit", "concurrency")] == [
        3600,
        True,
        3,
        16,
    ]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_times_are_in_utc_and_at_the_end_of_a_lab_none_are(state):
    times = {"starts_at": "2126-01-01T13:00+01:00", "ends_at": "2126-01-01T15:00+01:00", "validity": None}

    options = validate("appstream_lab", state=state, **times)["options"]

    found = options["starts_at"], options["valid_until"]
    assert found == (("2126-01-01T12:00:00Z", "2126-01-01T14:00:00Z") if state == "present" else (None, None))


@pytest.mark.parametrize(
    ("options", "is_ended"),
    [
        ({"manage_fleet": True}, True),
        ({"manage_fleet": False}, False),
        ({"manage_fleet": True, "end_sessions": False}, False),
        ({"manage_fleet": "true", "end_sessions": "false"}, False),
        ({"manage_fleet": False, "end_sessions": True}, True),
    ],
)
def test_sessions_end_with_the_fleet_unless_it_is_said_otherwise(options, is_ended):
    assert validate("appstream_lab", **options)["options"]["end_sessions"] is is_ended


@pytest.mark.parametrize(
    ("options", "how", "needs_fleet"),
    [
        ({}, "ignore", False),
        ({"manage_fleet": True}, "fail", True),
        ({"on_insufficient_capacity": "warn"}, "warn", True),
        ({"manage_fleet": True, "on_insufficient_capacity": "ignore"}, "ignore", True),
        ({"break_minutes": 15}, "ignore", True),
    ],
)
def test_the_fleet_is_needed_for_its_capacity_and_for_its_limits(options, how, needs_fleet):
    found = validate("appstream_lab", **options)["options"]

    assert (found["on_insufficient_capacity"], found["needs_fleet"]) == (how, needs_fleet)


@pytest.mark.parametrize(
    ("given", "rotated"),
    [
        ([], []),
        ("", []),
        (None, []),
        ("anna", ["anna"]),
        ("12", ["12"]),
        (["anna", 7, "anna"], ["anna", "7"]),
        (7, ["7"]),
    ],
)
@pytest.mark.parametrize("role", ["appstream_lab", "gamelift_lab"])
def test_one_learner_to_rotate_need_not_be_a_list(role, given, rotated):
    """-e appstream_lab_rotate=anna is a text, and argument_specs.yml accepts it."""
    assert validate(role, rotate=given)["options"]["rotate"] == rotated


@pytest.mark.parametrize("given", [["a-1", "b-2"], "a-1, b-2", "a-1,b-2,"])
def test_locations_may_be_text_with_commas(given):
    """Which argument_specs.yml accepts for a list."""
    assert validate("gamelift_lab", locations=given)["options"]["locations"] == ["a-1", "b-2"]


@pytest.mark.parametrize(
    ("timeout", "polls", "interval"), [(1800, 180, 10), (25, 3, 10), (10, 1, 10), (3, 1, 3), (0, 0, 0)]
)
def test_sessions_that_start_are_polled_until_the_timeout(timeout, polls, interval):
    options = validate("nimble_lab", start_timeout=timeout)["options"]

    assert (options["start_polls"], options["start_poll_interval"]) == (polls, interval)


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"learners": [{"id": "ben"}], "sessions": {"anna": "s1"}}, [{"id": "ben"}]),
        ({"learners": [], "sessions": {"anna": "s1"}}, []),
        ({"learners": None, "sessions": {"anna": "s1"}}, [{"id": "anna"}]),
        ({"sessions": {"anna": "s1"}}, [{"id": "anna"}]),
        ({"roster": "a.csv", "sessions": {"anna": "s1"}}, "a.csv"),
        ({"roster": 4711}, "4711"),
        ({}, None),
    ],
)
def test_the_sessions_say_who_takes_part_unless_learners_are_given(options, source):
    assert find_roster("nimble_lab", {f"nimble_lab_{name}": value for name, value in options.items()}) == source


@pytest.mark.parametrize("role", ["appstream_lab", "lab_handout"])
def test_an_end_that_means_tomorrow_is_a_warning_of_the_option(role):
    options = {"ends_at": "17:00", "timezone": "Europe/Berlin", "validity": None}
    now = datetime(2026, 11, 21, 20, tzinfo=UTC)

    [warning] = validate(role, now=now, **options)["warnings"]

    assert warning.startswith(f"{role}_ends_at: The time '17:00' has passed today, so it means tomorrow, 2026-11-22 ")


def test_a_time_zone_that_is_only_for_messages_exists():
    assert validate("appstream_lab", timezone="Berlin")["error"] == (
        "appstream_lab_timezone: There is no time zone 'Berlin': give an IANA name such as 'Europe/Berlin'."
    )


def test_modules_call_some_options_of_a_role_by_another_name():
    variables = {option: f"appstream_lab_{option}" for option in ("name", "ends_at", "fleet_wait_timeout", "region")}

    assert map_module_options(variables) == {
        "lab": "appstream_lab_name",
        "valid_until": "appstream_lab_ends_at",
        "wait_timeout": "appstream_lab_fleet_wait_timeout",
        **{option: f"appstream_lab_{option}" for option in ("ends_at", "fleet_wait_timeout", "region")},
    }
    # Where an option has the name that another one has in a module.
    assert map_module_options({"wait_timeout": "nimble_lab_wait_timeout"})["wait_timeout"] == "nimble_lab_wait_timeout"
