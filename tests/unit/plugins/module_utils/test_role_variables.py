# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of modules name the variables of the role that runs them."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._role_variables import name_variables, read_role_setting

OPTIONS = ("fleet_name", "stack_name", "region", "lease_store", "concurrency", "sessions", "purge")
VARIABLES = {**{option: f"role_{option}" for option in OPTIONS}, "lab": "role_name", "valid_until": "role_ends_at"}


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (
            "Fleet 'x' does not exist in eu-central-1: check fleet_name and region, and that it is yours.",
            "Fleet 'x' does not exist in eu-central-1: check role_fleet_name and role_region, and that it is yours.",
        ),
        ("valid_until is over.", "role_ends_at is over."),
        ("sessions is empty.", "role_sessions is empty."),
        (
            "It is stored in another lab: set lab to its name.",
            "It is stored in another lab: set role_name to its name.",
        ),
        ("Check the network, and whether region and the", "Check the network, and whether role_region and the"),
        (
            "It is in use: check lab, sessions, or region.",
            "It is in use: check role_name, role_sessions, or role_region.",
        ),
        ("lab is 'a lab', but it must be text.", "role_name is 'a lab', but it must be text."),
        ("Nothing is stored (lease_store=none).", "Nothing is stored (role_lease_store=none)."),
        ("Name another file in lease_store.", "Name another file in role_lease_store."),
        ("The service's clock is wrong: correct fleet_name.", "The service's clock is wrong: correct role_fleet_name."),
    ],
)
def test_an_option_is_named_as_the_variable_that_it_is_given_by(message, named):
    assert name_variables(message, VARIABLES) == named


@pytest.mark.parametrize(
    "message",
    [
        "Stack 'fleet_name' does not exist.",
        'The id "anna\'s fleet_name" is no id.',
        "The file /srv/fleet_name/lease_store.db cannot be read.",
        "It is named lease_store-2 or stack_names.",
        "endpoint_url is not an option of this role.",
        "This lab has sessions in this region: purge the lab.",
        "The sessions and the lab stay.",
        "Reset lab, recheck region, and correct region-1 or its region.",
        "2 of 9 got no streaming URL: anna, region: Failed to create a streaming URL.",
        "Failed to use the table 'x': correct its name and region.",
        pytest.param("fleets, regions: " * 10_000, id="much"),
    ],
)
def test_what_is_no_option_stays(message):
    assert name_variables(message, VARIABLES) == message


@pytest.mark.parametrize(
    ("environment", "setting"),
    [({"PATH": "/bin"}, {}), ({"NAME": ""}, {}), ({"NAME": '{"lab": "role_name"}'}, {"lab": "role_name"})],
)
def test_a_setting_of_a_role_is_read_from_the_environment(environment, setting):
    assert read_role_setting(environment, "NAME") == setting


@pytest.mark.parametrize("text", ["{", "[]", "yes"])
def test_a_setting_that_no_role_has_made_is_rejected(text):
    with pytest.raises(InvalidOption, match=r"^NAME in the environment is only for the roles of this collection: do"):
        read_role_setting({"NAME": text}, "NAME")
