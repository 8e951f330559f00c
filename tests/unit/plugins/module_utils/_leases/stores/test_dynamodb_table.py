# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import boto3
import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores import dynamodb_table as lease_table
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import LeaseTable, parse_address
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb_table import AnsibleLeaseTableError
from botocore.stub import Stubber

NAME = "leases"
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/leases"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:123456789012:key/{KEY_ID}"


class Clock:
    """Time that passes in pauses only."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lease_table, "time", clock)
    return clock


@pytest.fixture
def dynamodb():
    """A client whose replies a test queues."""
    client = boto3.client(
        "dynamodb", region_name="eu-central-1", aws_access_key_id="AKIAEXAMPLEEXAMPLE22", aws_secret_access_key="s" * 20
    )
    with Stubber(client) as stubber:
        client.replies = stubber
        yield client


def described(status="ACTIVE", **more):
    """The reply of DescribeTable."""
    return {
        "Table": {
            "TableName": NAME,
            "TableArn": ARN,
            "TableStatus": status,
            "AttributeDefinitions": [
                {"AttributeName": "holder", "AttributeType": "S"},
                {"AttributeName": "scope", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "scope", "KeyType": "HASH"},
                {"AttributeName": "holder", "KeyType": "RANGE"},
            ],
            **more,
        }
    }


def describe_in_turn(client, *statuses):
    """Have DescribeTable return these; None stands for no table."""
    for status in statuses:
        if status is None:
            client.replies.add_client_error("describe_table", "ResourceNotFoundException")
        else:
            client.replies.add_response("describe_table", described(status), {"TableName": NAME})


def time_to_live(client, status, attribute=None):
    description = {"TimeToLiveStatus": status, **({"AttributeName": attribute} if attribute else {})}
    client.replies.add_response("describe_time_to_live", {"TimeToLiveDescription": description}, {"TableName": NAME})


@pytest.mark.parametrize(
    ("statuses", "pauses"),
    [
        pytest.param(["ACTIVE", "ACTIVE"], 0, id="ready"),
        pytest.param(["CREATING", "CREATING", "CREATING", "ACTIVE"], 2, id="somebody else is creating it"),
        pytest.param(["UPDATING", "UPDATING", "ACTIVE"], 1, id="somebody else is changing it"),
    ],
)
def test_a_table_is_waited_for_until_it_is_active(clock, dynamodb, statuses, pauses):
    describe_in_turn(dynamodb, *statuses)

    assert lease_table.find_table(dynamodb, NAME).status == "ACTIVE"

    assert clock.pauses == [lease_table.PAUSE] * pauses
    dynamodb.replies.assert_no_pending_responses()


def test_no_table_is_not_waited_for(clock, dynamodb):
    describe_in_turn(dynamodb, None)

    assert lease_table.find_table(dynamodb, NAME) is None
    assert clock.pauses == []


def test_a_new_table_is_waited_for_although_dynamodb_does_not_describe_it_yet(clock, dynamodb):
    describe_in_turn(dynamodb, None, "CREATING", "ACTIVE")

    assert lease_table.wait_until_active(dynamodb, NAME).arn == ARN


def test_waiting_ends_after_five_minutes(clock, dynamodb):
    describe_in_turn(dynamodb, *["CREATING"] * 152)

    with pytest.raises(LeaseStoreError) as error:
        lease_table.find_table(dynamodb, NAME)

    assert str(error.value) == (
        "Table 'leases' was still CREATING after 300 seconds: wait until it is ACTIVE, then run again."
    )
    assert clock.now == 300


@pytest.mark.parametrize("status", ["DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED"])
def test_a_table_that_will_not_become_active_is_rejected_at_once(clock, dynamodb, status):
    describe_in_turn(dynamodb, status, status)

    with pytest.raises(LeaseStoreError, match=f"Table 'leases' is {status}, so it cannot hold leases: "):
        lease_table.find_table(dynamodb, NAME)

    assert clock.pauses == []


@pytest.mark.parametrize(
    ("status", "attribute", "reported"),
    [
        ("ENABLED", "delete_after", "delete_after"),
        ("ENABLING", "delete_after", "delete_after"),
        ("DISABLED", None, None),
        ("DISABLED", "ends", None),
    ],
)
def test_the_time_to_live_is_reported(dynamodb, status, attribute, reported):
    time_to_live(dynamodb, status, attribute)

    settings = lease_table.get_settings(dynamodb, NAME, table(), with_tags=False)

    assert settings["time_to_live"] == reported


@pytest.mark.parametrize(
    ("status", "attribute", "message"),
    [
        ("ENABLED", "ends", "The items of table 'leases' expire by the attribute 'ends', and leases by 'delete_after'"),
        (
            "ENABLING",
            "ends",
            "The items of table 'leases' expire by the attribute 'ends', and leases by 'delete_after'",
        ),
        (
            "DISABLING",
            "ends",
            "The time to live of table 'leases' is being disabled, which takes an hour: run again",
        ),
        ("DISABLING", "delete_after", "The time to live of table 'leases' is being disabled, which takes an hour:"),
    ],
)
def test_a_time_to_live_that_cannot_be_set_is_rejected(dynamodb, status, attribute, message):
    time_to_live(dynamodb, status, attribute)

    with pytest.raises(LeaseStoreError) as error:
        lease_table.get_settings(dynamodb, NAME, table(), with_tags=False)

    assert str(error.value).startswith(message)


def table(**fields):
    known = dict(status="ACTIVE", keys=lease_table.KEYS, billing_mode="PROVISIONED", deletion_protection=False)
    return lease_table.Table(arn=ARN, **{**known, "kms_key_arn": None, **fields})


def test_what_dynamodb_leaves_out_has_its_default(dynamodb):
    describe_in_turn(dynamodb, "ACTIVE")

    assert lease_table.describe_table(dynamodb, TableName=NAME) == table()


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}, {"billing_mode": "PAY_PER_REQUEST"}),
        ({"DeletionProtectionEnabled": True}, {"deletion_protection": True}),
        ({"SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": KEY_ARN}}, {"kms_key_arn": KEY_ARN}),
    ],
)
def test_a_table_is_read(dynamodb, members, fields):
    dynamodb.replies.add_response("describe_table", described(**members))

    assert lease_table.describe_table(dynamodb, TableName=NAME) == table(**fields)


@pytest.mark.parametrize("missing", ["TableArn", "TableStatus", "AttributeDefinitions"])
def test_a_response_without_what_each_table_has_cannot_be_read(dynamodb, missing):
    reply = described()
    del reply["Table"][missing]
    dynamodb.replies.add_response("describe_table", reply)

    with pytest.raises(AnsibleLeaseTableError, match="Failed to describe the table: the response could not be parsed"):
        lease_table.describe_table(dynamodb, TableName=NAME)


SETTINGS = {"billing_mode": "PAY_PER_REQUEST", "deletion_protection": True, "kms_key_id": None, "tags": {"a": "1"}}


@pytest.mark.parametrize(
    ("settings", "wanted", "changes"),
    [
        pytest.param({}, {}, {}, id="nothing is asked for"),
        pytest.param({}, {"deletion_protection": True}, {}, id="as asked for"),
        pytest.param({}, {"deletion_protection": False}, {"deletion_protection": False}, id="other than asked for"),
        pytest.param({}, {"tags": {"a": "1"}}, {}, id="a tag that it has"),
        pytest.param({}, {"tags": {}}, {}, id="no tag removes none"),
        pytest.param({}, {"tags": {"b": "2"}}, {"tags": {"a": "1", "b": "2"}}, id="one tag more"),
        pytest.param({}, {"tags": {"a": "2"}}, {"tags": {"a": "2"}}, id="another value of a tag"),
        pytest.param({}, {"kms_key_id": KEY_ID}, {"kms_key_id": KEY_ID}, id="a key of one's own"),
        pytest.param({"kms_key_id": KEY_ARN}, {"kms_key_id": KEY_ID}, {}, id="the same key by its id"),
        pytest.param({"kms_key_id": KEY_ARN}, {"kms_key_id": KEY_ARN}, {}, id="the same key by its ARN"),
        pytest.param({"kms_key_id": KEY_ARN}, {"kms_key_id": "mrk-1"}, {"kms_key_id": "mrk-1"}, id="another key"),
        pytest.param({"kms_key_id": KEY_ARN}, {}, {}, id="a key that is not spoken of"),
    ],
)
def test_only_what_differs_is_changed(settings, wanted, changes):
    assert lease_table.compute_changes({**SETTINGS, **settings}, wanted) == changes


@pytest.mark.parametrize(
    "key",
    [
        KEY_ID,
        KEY_ARN,
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1",
    ],
)
def test_keys_are_given_by_id_or_arn(key):
    lease_table.validate_kms_key_id(key)


@pytest.mark.parametrize("key", ["", "alias/labs", KEY_ARN.replace("key/", "alias/"), f"{KEY_ID}\n", "a b", "é"])
def test_other_keys_are_rejected(key):
    with pytest.raises(InvalidOption, match=r"^kms_key_id is "):
        lease_table.validate_kms_key_id(key)


@pytest.mark.parametrize(
    "tags",
    [None, {}, {"cost-center": "training"}, {"k" * 128: "v" * 256, "n": 7}, {str(number): "" for number in range(50)}],
)
def test_tags_that_a_table_can_have_are_taken(tags):
    lease_table.validate_tags(tags)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"": "x"}, "tags has '': 'x', but a key has 1 to 128 printable characters and does not begin with aws:, and"),
        ({"k" * 129: "x"}, f"tags has '{'k' * 37}...{'k' * 38}': 'x', but"),
        ({"k": "v" * 257}, f"tags has 'k': '{'v' * 37}...{'v' * 38}', but"),
        ({"aws:k": "v"}, "tags has 'aws:k': 'v', but"),
        ({"k": "a\ud800"}, "tags has 'k': 'a\\ud800', but"),
        ({str(number): "" for number in range(51)}, "tags has 51 tags, but a table has at most 50."),
    ],
)
def test_tags_that_no_table_can_have_are_rejected_by_name(tags, message):
    with pytest.raises(InvalidOption) as rejected:
        lease_table.validate_tags(tags)
    assert str(rejected.value).startswith(message)


@pytest.mark.parametrize(
    "endpoint_url", [None, "http://127.0.0.1:5000", "https://vpce-1.example.org/x?a=b&c=d", "http://[::1]:1"]
)
def test_the_store_of_a_table_is_the_address_that_it_is_found_by(endpoint_url):
    lease_store = lease_table.lease_store_url("my.Leases_1-x", "eu-central-1", endpoint_url)

    assert parse_address(lease_store) == LeaseTable("my.Leases_1-x", "eu-central-1", endpoint_url)


def test_the_store_of_a_table_reads_well():
    assert lease_table.lease_store_url(NAME, "eu-central-1", None) == "dynamodb://leases?region=eu-central-1"
    assert lease_table.lease_store_url(NAME, "eu-central-1", "http://127.0.0.1:5000") == (
        "dynamodb://leases?region=eu-central-1&endpoint_url=http://127.0.0.1:5000"
    )
