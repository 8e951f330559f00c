# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Around the services: accounts and regions, moto's services, the log of calls, settings, reset, the process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.simulator.control import CHECKOUT, Simulator
from tests.simulator.dynamodb import one_at_a_time
from tests.unit.simulator.support import FLEET, LAB, STACK


def assumed(simulator, service, role="arn:aws:iam::111122223333:role/teacher", **options):
    """A client with the credentials of a role in another account."""
    credentials = simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="class")["Credentials"]
    return simulator.client(
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        **options,
    )


class TestAccountsAndRegions:
    def test_regions_are_kept_apart(self, simulator, appstream):
        ireland = simulator.client("appstream", "eu-west-1")
        appstream.create_stack(Name=STACK)
        assert ireland.describe_stacks()["Stacks"] == []
        arn = ireland.create_stack(Name=STACK)["Stack"]["Arn"]
        assert arn == "arn:aws:appstream:eu-west-1:123456789012:stack/class"

    @pytest.mark.parametrize("service", ["appstream", "dynamodb"])
    def test_a_region_without_the_service_is_named_and_not_the_credentials(self, simulator, service):
        operation = {"appstream": "describe_stacks", "dynamodb": "list_tables"}[service]
        with pytest.raises(ClientError, match=r"InvalidSignature.* scoped to a valid region, not 'eu-centrl-1'"):
            getattr(simulator.client(service, "eu-centrl-1"), operation)()

    def test_an_assumed_role_works_in_the_roles_account(self, simulator, appstream, rejected):
        other = assumed(simulator, "appstream")
        arn = other.create_stack(Name=STACK)["Stack"]["Arn"]
        assert arn == "arn:aws:appstream:us-east-1:111122223333:stack/class"
        assert appstream.describe_stacks()["Stacks"] == []
        with rejected("ResourceNotFoundException"):
            appstream.delete_stack(Name=STACK)
        assert [call["account"] for call in simulator.calls("DescribeStacks")] == ["123456789012"]
        assert [call["account"] for call in simulator.calls("CreateStack")] == ["111122223333"]

    def test_a_url_starts_a_session_in_the_account_that_issued_it(self, simulator, lab):
        other = assumed(simulator, "appstream")
        other.create_stack(Name=STACK)
        simulator.open(lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"])
        assert len(lab.describe_sessions(**LAB)["Sessions"]) == 1
        assert other.describe_sessions(**LAB)["Sessions"] == []

    def test_policies_are_enforced_when_asked_for(self, simulator, lab):
        iam = simulator.client("iam")
        iam.create_user(UserName="teacher")
        key = iam.create_access_key(UserName="teacher")["AccessKey"]
        stack_only = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "appstream:DescribeFleets", "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": [
                        "appstream:DescribeStacks",
                        "appstream:ListAssociatedFleets",
                        "appstream:CreateStreamingURL",
                    ],
                    "Resource": f"arn:aws:appstream:us-east-1:123456789012:stack/{STACK}",
                },
            ],
        }
        iam.put_user_policy(UserName="teacher", PolicyName="class", PolicyDocument=json.dumps(stack_only))
        simulator.set(enforce_iam=True)
        teacher = simulator.client(
            "appstream", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
        )

        assert teacher.describe_fleets()["Fleets"]
        assert teacher.list_associated_fleets(StackName=STACK)["Names"]
        for denied, request in [
            (teacher.list_associated_fleets, {"StackName": "other"}),  # another stack
            (teacher.describe_stacks, {"Names": [STACK]}),  # this action cannot be confined to a stack
            (teacher.create_streaming_url, {**LAB, "UserId": "anna"}),  # the fleet is missing in the policy
            (teacher.stop_fleet, {"Name": FLEET}),  # another action
            (lab.describe_fleets, {}),  # a key that nobody made
        ]:
            with pytest.raises(ClientError, match="AccessDeniedException"):
                denied(**request)
        simulator.set(enforce_iam=False)
        assert lab.describe_fleets()["Fleets"]


class TestMotosServices:
    def test_s3_dynamodb_ssm_and_sts_answer(self, simulator):
        s3 = simulator.client("s3")
        s3.create_bucket(Bucket="classes")
        s3.put_object(Bucket="classes", Key="authenticate", Body=b"x" * 100_000)
        assert s3.get_object(Bucket="classes", Key="authenticate")["Body"].read() == b"x" * 100_000
        assert s3.head_object(Bucket="classes", Key="authenticate")["ContentLength"] == 100_000

        dynamodb = simulator.client("dynamodb")
        dynamodb.create_table(
            TableName="leases",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName="leases", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(
                TableName="leases", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)"
            )

        assert simulator.client("ssm").describe_parameters()["Parameters"] == []
        assert simulator.client("sts").get_caller_identity()["Account"] == "123456789012"
        services = [call["service"] for call in simulator.calls()]
        assert services == ["s3"] * 4 + ["dynamodb"] * 3 + ["ssm", "sts"]

    def test_of_conditional_writes_at_once_one_is_made(self, simulator):
        dynamodb = simulator.client("dynamodb", config=Config(max_pool_connections=8))
        dynamodb.create_table(
            TableName="leases",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

        def is_first(number):
            item = {"id": {"S": str(number // 8)}}
            try:
                dynamodb.put_item(TableName="leases", Item=item, ConditionExpression="attribute_not_exists(id)")
            except dynamodb.exceptions.ConditionalCheckFailedException:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(is_first, range(8 * 10))) == 10

    def test_writes_to_dynamodb_are_made_one_at_a_time(self):
        """moto alone lets several of them through, but so seldom that the test above would hardly show it."""
        under_way, peaks = [], []

        def write(handler):
            under_way.append(handler)
            time.sleep(0.01)
            peaks.append(len(under_way))
            under_way.remove(handler)
            return ""

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one_at_a_time(write), range(8)))

        assert peaks == [1] * 8

    def test_an_operation_that_moto_lacks_is_an_error_reply(self, simulator):
        with pytest.raises(ClientError, match="no operation DescribeInventoryDeletions") as caught:
            simulator.client("ssm").describe_inventory_deletions()
        assert caught.value.response["Error"]["Code"] == "NotImplemented"
        assert len(simulator.calls()) == 1  # nothing to retry


class TestCallLog:
    def test_calls_are_logged_in_order_with_who_what_and_how_it_ended(self, simulator, appstream):
        appstream.create_stack(Name=STACK)
        with pytest.raises(ClientError):
            appstream.start_fleet(Name="nowhere")

        created, started = simulator.calls()

        assert (created["service"], created["operation"]) == ("appstream", "CreateStack")
        assert (created["account"], created["region"]) == ("123456789012", "us-east-1")
        assert created["parameters"] == {"Name": STACK}
        assert (created["status"], created["error_code"], created["faults"]) == (200, None, [])
        assert created["started"] <= created["finished"] <= started["started"]
        assert created["user_agent"].startswith("Boto3/")
        assert (started["operation"], started["status"]) == ("StartFleet", 404)
        assert started["error_code"] == "ResourceNotFoundException"

    def test_error_codes_of_every_protocol_are_logged(self, simulator):
        for service, operation, request in [
            ("s3", "get_object", {"Bucket": "nowhere", "Key": "x"}),
            ("dynamodb", "describe_table", {"TableName": "nowhere"}),
            ("iam", "get_role", {"RoleName": "nobody"}),
        ]:
            with pytest.raises(ClientError):
                getattr(simulator.client(service), operation)(**request)
        codes = [call["error_code"] for call in simulator.calls()]
        assert codes == ["NoSuchBucket", "ResourceNotFoundException", "NoSuchEntity"]

    def test_calls_are_selected(self, simulator, appstream):
        appstream.describe_stacks()
        appstream.describe_fleets()
        simulator.client("sts").get_caller_identity()
        assert [call["operation"] for call in simulator.calls("DescribeStacks")] == ["DescribeStacks"]
        assert [call["operation"] for call in simulator.calls(service="sts")] == ["GetCallerIdentity"]
        with pytest.raises(ValueError, match="not by 'colour'"):
            simulator.calls(colour="red")

    def test_the_log_holds_no_secret(self, simulator, lab):
        url = lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
        simulator.client("ssm").put_parameter(Name="/class", Value="open sesame", Type="SecureString")
        simulator.client("ssm").put_parameter(Name="/url", Value=url, Type="String", Description=f"see {url} soon")

        log = json.dumps(simulator.calls())

        assert url.split("=")[1] not in log
        assert "open sesame" not in log
        assert "see *** soon" in log


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"colour": 1}, "There is no setting 'colour'"),
            ({"page_size": 0}, "page_size must be a whole number of at least 1, not 0"),
            ({"page_size": 1.5}, "not 1.5"),
            ({"fleet_starting_seconds": -1}, "fleet_starting_seconds must not be negative"),
            ({"fleet_stopping_seconds": float("nan")}, "must be a number, not nan"),
            ({"clock_offset_seconds": "1h"}, "must be a number, not '1h'"),
            ({"clock_offset_seconds": True}, "must be a number, not True"),
            ({"enforce_iam": 1}, "must be true or false, not 1"),
        ],
    )
    def test_a_bad_setting_gets_a_message_and_changes_nothing(self, simulator, settings, message):
        before = simulator.set()
        with pytest.raises(ValueError, match=message):
            simulator.set(**{"fleet_starting_seconds": 5, **settings})
        assert simulator.set() == before

    def test_a_path_that_is_not_there_is_not_found(self, simulator):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{simulator.endpoint_url}/_simulator/nothing")


def test_reset_removes_everything(simulator, lab):
    defaults = simulator.set()
    url = lab.create_streaming_url(**LAB, UserId="anna", Validity=600)["StreamingURL"]
    simulator.client("s3").create_bucket(Bucket="classes")
    simulator.set(
        page_size=9, clock_offset_seconds=5, issuing_clock_offset_seconds=1, fleet_starting_seconds=7, enforce_iam=True
    )
    simulator.add_fault(error={"code": "AccessDeniedException"})

    simulator.reset()

    assert simulator.calls() == simulator.streaming_urls() == []
    assert simulator.set() == defaults
    assert simulator.open(url)[0] == 403
    assert lab.describe_stacks()["Stacks"] == lab.describe_fleets()["Fleets"] == []
    assert simulator.client("s3").list_buckets()["Buckets"] == []


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_says_where_it_listens_and_stops_cleanly(self, tmp_path, number):
        ready_file = tmp_path / "ready.json"
        command = [sys.executable, "-m", "tests.simulator", "--ready-file", str(ready_file)]
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            ready = json.loads(process.stdout.readline())
            assert json.loads(ready_file.read_text()) == ready
            assert list(tmp_path.iterdir()) == [ready_file]
            assert ready["pid"] == process.pid
            assert ready["endpoint_url"].startswith("http://127.0.0.1:")
            simulator = Simulator(ready["endpoint_url"])
            simulator.seed_lab(STACK, FLEET)
            url = simulator.client("appstream").create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
            assert simulator.open(url)[0] == 200
        finally:
            process.send_signal(number)
            output, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert (output, errors) == ("", "")

    def test_it_ends_with_a_process_that_started_it_and_was_killed(self):
        """Which could not stop it."""
        program = (
            "from tests.simulator.control import Simulator; print(Simulator.start().endpoint_url, flush=True); input()"
        )
        command = [sys.executable, "-c", program]
        with subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            address = urlsplit(parent.stdout.readline().strip())
            socket.create_connection((address.hostname, address.port)).close()
            parent.kill()

        def is_there() -> bool:
            with socket.socket() as client:
                return client.connect_ex((address.hostname, address.port)) == 0

        patience = time.monotonic() + 10
        while is_there() and time.monotonic() < patience:
            time.sleep(0.05)
        assert not is_there()

    def test_it_listens_on_the_loopback_interface_only(self, process):
        port = int(process.endpoint_url.rpartition(":")[2])
        with open(f"/proc/{process.pid}/net/tcp") as table:
            listening = {line.split()[1] for line in table if line.split()[3] == "0A"}
        assert f"0100007F:{port:04X}" in listening
        assert f"00000000:{port:04X}" not in listening

    @pytest.mark.parametrize("name", ["AWS_PROFILE", "MOTO_PORT", "ANSIBLE_CHECK_MODE", "LABSTREAM_LEASE_STORE"])
    def test_a_child_process_gets_none_of_the_callers_settings(self, simulator, monkeypatch, name):
        monkeypatch.setenv(name, "somebody-elses")
        assert name not in simulator.subprocess_environment()
        assert simulator.subprocess_environment()["PATH"] == os.environ["PATH"]

    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    def test_a_child_process_reaches_it_past_the_callers_proxy(self, simulator, monkeypatch, name):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv(name, "example.org")
        script = "import os, urllib.request; urllib.request.urlopen(os.environ['AWS_URL'] + '/_simulator/calls')"
        subprocess.run([sys.executable, "-c", script], env=simulator.subprocess_environment(), check=True)

    def test_the_environment_reaches_the_simulator_with_secrets_that_nobody_guesses(self, simulator, monkeypatch):
        import boto3

        for name, value in simulator.environment("eu-west-1").items():
            monkeypatch.setenv(name, value)
        arn = boto3.session.Session().client("appstream").create_stack(Name=STACK)["Stack"]["Arn"]
        assert ":eu-west-1:" in arn
        assert len(simulator.environment()["AWS_SECRET_ACCESS_KEY"]) == 40
        assert Simulator("")._secret_key != Simulator("")._secret_key
