# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we accept is what the newest botocore says that the service accepts: every limit of what we send."""

from __future__ import annotations

import copy
import re
import string
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream import sessions
from ansible_collections.labstream.aws.plugins.module_utils._appstream import validation as appstream
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import api, descriptions
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import validation as gamelift
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores import dynamodb, dynamodb_table
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_range
from botocore.loaders import Loader

from tools.model_watch import SERVICES, compare, describe, find_operations

APPSTREAM, GAMELIFT, DYNAMODB = "appstream", "gameliftstreams", "dynamodb"
ROLE = "arn:aws:iam::123456789012:role/"
INVISIBLE = "\t\n\r\x0b\x0c"
# The characters that are tried where a pattern says which are allowed.
CHARACTERS = string.printable + "äß٣"


class Text(NamedTuple):
    """Text whose length or characters are limited; ``prefix`` is how a valid one begins."""

    service: str
    shape: str
    validate: Callable[[str], Any]
    prefix: str = ""
    # What we reject although the service accepts it: what fails later, or cannot be seen.
    stricter: str = ""


class Count(NamedTuple):
    """A number, or how many entries there are, that is limited."""

    service: str
    shape: str
    validate: Callable[[int], Any]
    step: int = 1


TEXTS = [
    Text(APPSTREAM, "StreamingUrlUserId", appstream.validate_user_id),
    Text(APPSTREAM, "Name", partial(appstream.validate_name, "stack_name")),
    Text(APPSTREAM, "UserId", partial(sessions.validate_user_id, "user_id"), stricter=INVISIBLE),
    Text(GAMELIFT, "Identifier", partial(gamelift.validate_identifier, "stream_group")),
    Text(GAMELIFT, "LocationName", lambda location: gamelift.validate_locations([location])),
    Text(GAMELIFT, "EnvironmentVariablesKeyString", lambda name: gamelift.validate_environment({name: ""})),
    Text(GAMELIFT, "EnvironmentVariablesValueString", lambda value: gamelift.validate_environment({"NAME": value})),
    Text(GAMELIFT, "IamRoleArn", gamelift.validate_role_arn, prefix=ROLE),
    Text(DYNAMODB, "TableName", dynamodb_table.validate_table_name),
    Text(DYNAMODB, "TagKeyString", lambda key: dynamodb_table.validate_tags({key: ""}), stricter=INVISIBLE),
    Text(DYNAMODB, "TagValueString", lambda value: dynamodb_table.validate_tags({"key": value}), stricter=INVISIBLE),
]
COUNTS = [
    Count(GAMELIFT, "GameLaunchArgList", lambda number: gamelift.validate_launch_args(["-v"] * number)),
    Count(
        GAMELIFT,
        "EnvironmentVariables",
        lambda number: gamelift.validate_environment({f"V{each}": "" for each in range(number)}),
    ),
    Count(
        GAMELIFT,
        "LocationList",
        lambda number: gamelift.validate_locations([f"region-{each}" for each in range(number)]),
    ),
    Count(
        GAMELIFT,
        "SessionLengthSeconds",
        lambda seconds: validate_range("session_length", seconds, 1, gamelift.MAX_SESSION_LENGTH),
    ),
    # Only their documentation says that they must be even, and not both at their maximum.
    Count(GAMELIFT, "ResolutionWidth", lambda pixels: gamelift.parse_resolution(f"{pixels}x320"), step=2),
    Count(GAMELIFT, "ResolutionHeight", lambda pixels: gamelift.parse_resolution(f"320x{pixels}"), step=2),
]


# Shapes with limits whose values we make: tokens, descriptions, names of attributes, sizes of pages and of batches.
MADE = {
    APPSTREAM: {"DescribeImagesMaxResults"},
    GAMELIFT: {"ClientToken", "Description", "MaxResults"},
    DYNAMODB: {"AttributeName", "BatchGetRequestMap", "KeyList", "KeySchemaAttributeName", "TimeToLiveAttributeName"},
}
# Shapes with limits in calls that we make, in members that we do not send.
NOT_SENT = {
    # Of UpdateFleet, by which we set the capacity only, and ARNs, by which we select nothing.
    APPSTREAM: {
        "Arn",
        "Description",
        "DisplayName",
        "OrganizationalUnitDistinguishedName",
        "S3Bucket",
        "S3Key",
        "SecurityGroupIdList",
        "UsbDeviceFilterString",
    },
    # Of the locations in UpdateStreamGroup, of which a stream group has less than their maximum.
    GAMELIFT: {"Ipv4CidrBlock", "Ipv4CidrBlockList", "LocationConfigurations", "VpcId"},
    # Indexes, replicas and parts of a scan; and ARNs, which are those of tables that exist.
    DYNAMODB: {
        "GlobalTableWitnessGroupUpdateList",
        "IndexName",
        "NonKeyAttributeName",
        "NonKeyAttributeNameList",
        "ResourceArnString",
        "ScanSegment",
        "ScanTotalSegments",
        "TableArn",
        "VectorAttributeName",
    },
}
# Of a list of locations, only the least length is limited; and where we send the name of a table, an ARN could be too.
LIMITED_ELSEWHERE = {"LocationList", "TableName"}


@cache
def model(service: str) -> dict[str, Any]:
    return Loader().load_service_model(service, "service-2")


def shape_of(case: Text | Count) -> dict[str, Any]:
    return model(case.service)["shapes"][case.shape]


def accepts(case: Text | Count, value: Any) -> bool:
    try:
        case.validate(value)
    except InvalidOption:
        return False
    return True


def named(case: Text | Count) -> str:
    return case.shape


@pytest.mark.parametrize("case", TEXTS, ids=named)
def test_a_text_may_be_as_short_and_as_long_as_the_model_says(case: Text) -> None:
    shape = shape_of(case)
    limits = {len(case.prefix + "a"), shape.get("min", 1), shape.get("max", 101 if case.shape == "Name" else None)}
    for limit in limits - {None}:
        for length in range(max(len(case.prefix), limit - 1), limit + 2):
            text = case.prefix + "a" * (length - len(case.prefix))
            is_long_enough = shape.get("min", 0) <= length <= shape.get("max", length)
            expected = is_long_enough and re.fullmatch(shape.get("pattern", ".*"), text, re.ASCII) is not None
            assert accepts(case, text) == expected, length


@pytest.mark.parametrize("case", TEXTS, ids=named)
def test_a_text_may_have_the_characters_that_the_model_says(case: Text) -> None:
    pattern = re.compile(shape_of(case).get("pattern", r"[\s\S]*"), re.ASCII)
    for character in CHARACTERS:
        for text in (f"{character}aa", f"aa{character}", f"a{character}a"):
            expected = pattern.fullmatch(case.prefix + text) is not None and character not in case.stricter
            assert accepts(case, case.prefix + text) == expected, text


@pytest.mark.parametrize("case", COUNTS, ids=named)
def test_a_number_may_be_as_small_and_as_large_as_the_model_says(case: Count) -> None:
    shape = shape_of(case)
    for limit in {shape.get("min", 0), shape.get("max", 50)}:
        for number in range(max(0, limit - case.step), limit + case.step + 1, case.step):
            assert accepts(case, number) == (shape.get("min", 0) <= number <= shape.get("max", number)), number


@pytest.mark.parametrize("service", SERVICES)
def test_every_limit_of_what_we_send_is_known_here(service: str) -> None:
    shapes, found = model(service)["shapes"], set()

    def look_at(name: str, *above: str) -> None:
        shape = shapes[name]
        if "max" in shape or "pattern" in shape:
            found.add(name)
        if name in above:
            return
        below = [
            *shape.get("members", {}).values(),
            *(shape[part] for part in ("member", "key", "value") if part in shape),
        ]
        for each in below:
            look_at(each["shape"], name, *above)

    for operation in find_operations(service, model(service)):
        look_at(model(service)["operations"][operation]["input"]["shape"])
    checked = {case.shape for case in (*TEXTS, *COUNTS) if case.service == service}
    assert found == (checked - LIMITED_ELSEWHERE) | MADE[service] | NOT_SENT[service]


def test_numbers_that_we_do_not_limit_have_no_maximum_in_the_model() -> None:
    shapes = model(GAMELIFT)["shapes"]
    for name, least in (("UsageLimit", 1), ("UrlExpiresAfterMinutes", 1), ("AlwaysOnCapacity", 0)):
        assert {limit: shapes[name].get(limit) for limit in ("min", "max")} == {"min": least, "max": None}, name


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("ClientToken", uuid.uuid4().hex),
        (
            "Description",
            f"{descriptions.build_prefix('é/ a!+@-_.' + 'a' * 100)}{'A' * descriptions.HASH_LENGTH}",
        ),
    ],
    ids=["token", "description"],  # Tokens are random: workers of xdist would collect tests of different names.
)
def test_texts_that_we_make_are_what_the_model_takes(name: str, longest: str) -> None:
    shape = model(GAMELIFT)["shapes"][name]
    assert shape["min"] <= len(longest) <= shape["max"]
    assert re.fullmatch(shape["pattern"], longest)


@pytest.mark.parametrize(
    ("service", "name", "values"),
    [
        (APPSTREAM, "AuthenticationType", set(sessions.AUTHENTICATION_TYPES)),
        (GAMELIFT, "RevocationMode", {api.REVOKE_URL, api.REVOKE_AND_TERMINATE_SESSIONS}),
    ],
)
def test_choices_are_those_of_the_model(service: str, name: str, values: set[str]) -> None:
    assert set(model(service)["shapes"][name]["enum"]) == values


def test_a_page_has_at_most_as_many_entries_as_the_model_says() -> None:
    assert model(GAMELIFT)["shapes"]["MaxResults"]["max"] == api.PAGE_SIZE


def test_a_batch_has_at_most_as_many_keys_as_the_model_says() -> None:
    assert model(DYNAMODB)["shapes"]["KeyList"]["max"] == dynamodb.MAX_READ


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("KeySchemaAttributeName", [key for key, _kind, _type in dynamodb_table.KEYS]),
        ("TimeToLiveAttributeName", [dynamodb_table.EXPIRES_BY]),
    ],
)
def test_names_of_attributes_are_as_long_as_the_model_says(name: str, texts: list[str]) -> None:
    shape = model(DYNAMODB)["shapes"][name]
    assert all(shape["min"] <= len(text) <= shape["max"] for text in texts)


@pytest.mark.parametrize("service", SERVICES)
def test_the_operations_that_we_call_are_found_and_described(service: str) -> None:
    operations = find_operations(service, model(service))
    assert {APPSTREAM: "CreateStreamingURL", GAMELIFT: "CreateStreamUrl", "dynamodb": "PutItem"}[service] in operations
    described = describe(service, model(service))
    assert {path.partition(".")[0] for path in described} == set(operations)


def test_what_changed_between_two_models_is_a_line_for_each_member() -> None:
    before = {service: model(service) for service in SERVICES}
    assert list(compare(before, before)) == []

    after = copy.deepcopy(before)
    after[DYNAMODB]["shapes"]["KeyList"]["max"] = 25
    assert list(compare(before, after)) == [
        f"dynamodb BatchGetItem.{path}[value].Keys: list min=1 max=100 -> list min=1 max=25"
        for path in ("input.RequestItems", "output.UnprocessedKeys")
    ]
