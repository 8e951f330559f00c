# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.validation import (
    Resolution,
    get_id,
    parse_resolution,
    validate_environment,
    validate_identifier,
    validate_launch_args,
    validate_locations,
    validate_role_arn,
)

GROUP_ARN = "arn:aws:gameliftstreams:us-west-2:111122223333:streamgroup/sg-1AB2C3De4"
AN_IDENTIFIER = (
    "but it must be an id of letters, digits and '-', or an ARN of GameLift Streams, of 1 to 128 characters."
)
A_LOCATION = "but a location is named by 1 to 20 letters, digits and '-', such as eu-central-1."
A_VARIABLE = "but its name must have 1 to 256 letters, digits and '_', and not begin with a digit."
A_ROLE = "but it must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/lab."
A_RESOLUTION = (
    "but it must be a width and a height, such as 1280x720: even numbers of 320 to 4096 pixels, and no more than "
    "1920x1080 in all (2,073,600 pixels)."
)
SHORTEST_ROLE = "arn:aws:iam::123456789012:role/r"
LONGEST_ROLE = f"arn:aws:iam::123456789012:role/{'r' * (2048 - 31)}"


@pytest.mark.parametrize(
    ("validate", "value"),
    [
        (validate_identifier, "s"),
        (validate_identifier, "x" * 128),
        (validate_identifier, GROUP_ARN),
        (validate_locations, ["x"]),
        (validate_locations, ["x" * 20, "eu-central-1"]),
        (validate_launch_args, []),
        (validate_launch_args, [""] * 100),
        (validate_environment, {}),
        (validate_environment, {f"_{number}": "x" * 4096 for number in range(50)}),
        (validate_environment, {"A" * 256: ""}),
        (validate_role_arn, SHORTEST_ROLE),
        (validate_role_arn, LONGEST_ROLE),
        (validate_role_arn, "arn:aws-us-gov:iam::123456789012:role/path/lab"),
    ],
)
def test_what_the_service_takes_is_accepted(validate, value):
    options = ("stream_group",) if validate is validate_identifier else ()
    validate(*options, value)


@pytest.mark.parametrize(
    ("validate", "value", "message"),
    [
        (validate_identifier, "", f"stream_group is '', {AN_IDENTIFIER}"),
        (validate_identifier, "sg_1", f"stream_group is 'sg_1', {AN_IDENTIFIER}"),
        (validate_identifier, "sg-1\n", rf"stream_group is 'sg-1\n', {AN_IDENTIFIER}"),
        (validate_identifier, "sg-é", f"stream_group is 'sg-é', {AN_IDENTIFIER}"),
        (validate_identifier, "../sg", f"stream_group is '../sg', {AN_IDENTIFIER}"),
        (validate_identifier, "x" * 129, f"stream_group is '{'x' * 37}...{'x' * 38}', {AN_IDENTIFIER}"),
        (
            validate_identifier,
            "arn:aws:s3:us-west-2:111122223333:x",
            f"stream_group is 'arn:aws:s3:us-west-2:111122223333:x', {AN_IDENTIFIER}",
        ),
        (validate_locations, [], "locations is empty: name at least one location of the stream group."),
        (validate_locations, [""], f"locations has '', {A_LOCATION}"),
        (validate_locations, ["x" * 21], f"locations has '{'x' * 21}', {A_LOCATION}"),
        (validate_locations, ["eu_central"], f"locations has 'eu_central', {A_LOCATION}"),
        (validate_locations, ["a", "b", "a"], "locations has 'a' twice: remove one."),
        (validate_launch_args, [""] * 101, "launch_args has 101 arguments, but the service takes 100 at most."),
        (
            validate_environment,
            {f"_{number}": "" for number in range(51)},
            "environment has 51 variables, but the service takes 50 at most.",
        ),
        (validate_environment, {"": "x"}, f"environment has a variable '', {A_VARIABLE}"),
        (validate_environment, {"1A": "x"}, f"environment has a variable '1A', {A_VARIABLE}"),
        (validate_environment, {"A-B": "x"}, f"environment has a variable 'A-B', {A_VARIABLE}"),
        (
            validate_environment,
            {"A" * 257: "x"},
            f"environment has a variable '{'A' * 37}...{'A' * 38}', {A_VARIABLE}",
        ),
        (
            validate_environment,
            {"A": "secret" * 1000},
            "The variable 'A' of environment has 6000 characters, but the service takes 4096 at most.",
        ),
        (validate_role_arn, "lab", f"role_arn is 'lab', {A_ROLE}"),
        (
            validate_role_arn,
            "arn:aws:iam::12345:role/lab-role",
            f"role_arn is 'arn:aws:iam::12345:role/lab-role', {A_ROLE}",
        ),
        (
            validate_role_arn,
            f"{LONGEST_ROLE}r",
            f"role_arn is 'arn:aws:iam::123456789012:role/rrrrrr...{'r' * 38}', {A_ROLE}",
        ),
    ],
)
def test_what_the_service_does_not_take_is_rejected(validate, value, message):
    options = ("stream_group",) if validate is validate_identifier else ()
    with pytest.raises(InvalidOption) as rejected:
        validate(*options, value)
    assert str(rejected.value) == message


@pytest.mark.parametrize("text", ["320x4096", "4096x320", "1920x1080", "1080x1920"])
def test_a_resolution_is_a_width_and_a_height(text):
    assert parse_resolution(text) == Resolution(*map(int, text.split("x")))


@pytest.mark.parametrize(
    "text",
    [
        *("", "1920", "1920X1080", "1920x", "1920x1080 ", "-400x400", "1e3x400", "99999999x1"),
        *("318x400", "400x4098", "401x400", "400x401", "1920x1082", "4096x4096"),
    ],
)
def test_any_other_resolution_is_rejected(text):
    with pytest.raises(InvalidOption) as rejected:
        parse_resolution(text)
    assert str(rejected.value) == f"resolution is {text!r}, {A_RESOLUTION}"


@pytest.mark.parametrize("identifier", ["sg-1AB2C3De4", GROUP_ARN])
def test_a_resource_has_an_id_by_its_id_or_its_arn(identifier):
    assert get_id(identifier) == "sg-1AB2C3De4"
