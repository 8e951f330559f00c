# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of fault does what it says, to the calls that it selects, as often as it says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.unit.simulator.support import FLEET, LAB


def issue(appstream, user="anna"):
    return appstream.create_streaming_url(**LAB, UserId=user)["StreamingURL"]


class TestErrors:
    def test_an_error_strikes_as_often_as_it_says_instead_of_the_work(self, simulator, lab):
        simulator.add_fault(error={"code": "InternalFailure", "message": "Try later.", "status": 500}, times=2)
        for _number in range(2):
            with pytest.raises(ClientError, match="Try later") as caught:
                issue(lab)
            assert caught.value.response["Error"]["Code"] == "InternalFailure"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            assert caught.value.response["ResponseMetadata"]["RequestId"]
        assert simulator.streaming_urls() == []
        assert issue(lab)
        failed = simulator.calls("CreateStreamingURL")[0]
        assert (failed["status"], failed["error_code"], failed["faults"]) == (500, "InternalFailure", ["error"])

    def test_it_selects_by_service_operation_and_parameters(self, simulator, lab, rejected):
        simulator.add_fault(
            service="appstream",
            operation="CreateStreamingURL",
            parameters={"UserId": "ben", "FleetName": FLEET},
            error={"code": "OperationNotPermittedException"},
        )
        assert issue(lab, "anna")
        with rejected("OperationNotPermittedException"):
            issue(lab, "ben")
        assert lab.describe_stacks()["Stacks"]

    def test_it_selects_by_who_calls(self, simulator, lab, rejected):
        simulator.add_fault(user_agent="md/teacher", error={"code": "AccessDeniedException"})
        assert issue(lab)
        with rejected("AccessDeniedException"):
            issue(simulator.client("appstream", config=Config(user_agent_extra="md/teacher")))

    def test_without_times_it_strikes_until_cleared(self, simulator, lab, rejected):
        simulator.add_fault(operation="CreateStreamingURL", error={"code": "AccessDeniedException"})
        for _number in range(3):
            with rejected("AccessDeniedException"):
                issue(lab)
        simulator.clear_faults()
        assert issue(lab)

    def test_it_lets_so_many_calls_pass_first(self, simulator, lab, rejected):
        simulator.add_fault(operation="CreateStreamingURL", error={"code": "AccessDeniedException"}, skip=2, times=1)
        assert issue(lab)
        assert lab.describe_stacks()["Stacks"], "which is not selected, and so not counted"
        assert issue(lab)
        with rejected("AccessDeniedException"):
            issue(lab)
        assert issue(lab)

    def test_botocore_retries_over_it(self, simulator, lab):
        patient = simulator.client("appstream", config=Config(retries={"mode": "standard", "total_max_attempts": 3}))
        simulator.add_fault(operation="DescribeStacks", error={"code": "ServiceUnavailable", "status": 503}, times=1)
        assert patient.describe_stacks()["ResponseMetadata"]["RetryAttempts"] == 1

    @pytest.mark.parametrize(
        ("service", "operation", "request_", "code"),
        [
            ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException"),
            ("sts", "get_caller_identity", {}, "ExpiredToken"),
            ("s3", "list_buckets", {}, "SlowDown"),
            ("ssm", "describe_parameters", {}, "InternalServerError"),
        ],
    )
    def test_services_of_every_protocol_can_be_struck(self, simulator, service, operation, request_, code):
        simulator.add_fault(service=service, error={"code": code, "message": "a < b", "status": 400})
        client = simulator.client(service, config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**request_)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["Error"]["Message"] == "a < b"


class TestLatency:
    def test_it_delays_side_by_side(self, simulator, lab):
        simulator.add_fault(operation="CreateStreamingURL", latency_seconds=0.3)
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            assert len(list(pool.map(lambda number: issue(lab, f"user{number}"), range(8)))) == 8
        assert 0.3 <= time.monotonic() - started < 1.5  # 2.4 one after the other
        calls = simulator.calls("CreateStreamingURL")
        assert all(call["finished"] - call["started"] >= 0.3 for call in calls)
        assert all(call["faults"] == ["latency_seconds"] for call in calls)

    def test_it_adds_to_other_faults_and_stops_after_times(self, simulator, lab, rejected):
        simulator.add_fault(latency_seconds=0.1, times=1)
        simulator.add_fault(error={"code": "AccessDeniedException"}, times=1)
        with rejected("AccessDeniedException"):
            issue(lab)
        assert issue(lab)
        slow, quick = simulator.calls("CreateStreamingURL")
        assert slow["finished"] - slow["started"] >= 0.1
        assert slow["faults"] == ["latency_seconds", "error"]
        assert quick["faults"] == []


class TestThrottle:
    def test_a_burst_passes_and_the_rest_at_the_rate(self, simulator, lab, rejected):
        simulator.add_fault(operation="CreateStreamingURL", throttle={"rate": 5, "burst": 3})
        for _number in range(3):
            issue(lab)
        with rejected("ThrottlingException"):
            issue(lab)
        assert len(simulator.streaming_urls()) == 3
        time.sleep(0.25)
        assert issue(lab)

    def test_it_throttles_nobody_below_the_rate(self, simulator, lab):
        simulator.add_fault(throttle={"rate": 1000, "burst": 10})
        assert all(issue(lab) for _number in range(10))


class TestDrop:
    def test_before_the_work_nothing_was_done(self, simulator, lab):
        simulator.add_fault(operation="CreateStreamingURL", drop="before", times=1)
        with pytest.raises(ConnectionClosedError):
            issue(lab)
        assert simulator.streaming_urls() == []
        assert simulator.calls("CreateStreamingURL")[0]["done"] is False
        assert issue(lab)

    def test_after_the_work_it_was_done_but_nobody_hears_of_it(self, simulator, lab):
        simulator.add_fault(operation="CreateStreamingURL", drop="after", times=1)
        with pytest.raises(ConnectionClosedError):
            issue(lab)
        assert len(simulator.streaming_urls()) == 1
        (call,) = simulator.calls("CreateStreamingURL")
        assert (call["done"], call["status"], call["faults"]) == (True, None, ["drop"])

    def test_other_services_too(self, simulator):
        s3 = simulator.client("s3", config=Config(retries={"total_max_attempts": 1}))
        simulator.add_fault(service="s3", operation="CreateBucket", drop="after", times=1)
        with pytest.raises(ConnectionClosedError):
            s3.create_bucket(Bucket="classes")
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["classes"]


class TestReply:
    @pytest.fixture
    def replies(self, lab):
        """What came over the wire, each as the body and the length that was announced."""
        replies = []

        def keep(http_response, **_context):
            replies.append((http_response.content, int(http_response.headers["Content-Length"])))

        lab.meta.events.register("after-call", keep, "keep")
        yield replies
        lab.meta.events.unregister("after-call", keep, "keep")

    @pytest.mark.parametrize("reply", ["truncated", "malformed"])
    def test_half_a_reply_comes_after_the_work(self, simulator, lab, replies, reply):
        issue(lab)
        simulator.add_fault(operation="CreateStreamingURL", reply=reply, times=1)
        with pytest.raises(KeyError):  # botocore takes it for an empty one
            issue(lab)
        assert issue(lab)
        whole, half, _whole = replies
        assert half[0].startswith(b'{"StreamingURL": "http://')
        length = pytest.approx(len(whole[0]), abs=4)  # Expires has more digits or less
        assert 2 * len(half[0]) == length
        assert half[1] == (length if reply == "truncated" else len(half[0]))
        assert len(simulator.streaming_urls()) == 3
        call = simulator.calls("CreateStreamingURL")[1]
        assert (call["done"], call["status"], call["error_code"], call["faults"]) == (True, 200, None, ["reply"])

    def test_a_page_comes_instead_of_the_work(self, simulator, lab, replies):
        simulator.add_fault(operation="CreateStreamingURL", reply="page", times=1)
        with pytest.raises(KeyError):
            issue(lab)
        [(body, length)] = replies
        assert body.startswith(b"<!doctype html>")
        assert len(body) == length
        assert simulator.streaming_urls() == []
        (call,) = simulator.calls("CreateStreamingURL")
        assert (call["done"], call["status"], call["faults"]) == (False, 200, ["reply"])

    def test_other_services_too(self, simulator):
        dynamodb = simulator.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
        for reply in ("truncated", "malformed", "page"):
            simulator.add_fault(service="dynamodb", reply=reply, times=1)
            assert "TableNames" not in dynamodb.list_tables()
        assert dynamodb.list_tables()["TableNames"] == []

    def test_an_error_that_was_added_before_it_wins(self, simulator, lab, rejected):
        simulator.add_fault(error={"code": "AccessDeniedException"}, times=1)
        simulator.add_fault(reply="malformed")
        with rejected("AccessDeniedException"):
            issue(lab)
        (call,) = simulator.calls("CreateStreamingURL")
        assert (call["done"], call["faults"]) == (False, ["error"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "exactly one of"),
        ({"drop": "before", "latency_seconds": 1}, "exactly one of"),
        ({"drop": "sometimes"}, "drop cannot be 'sometimes'"),
        ({"drop": "before", "times": 0}, "times must be a whole number of at least 1, not 0"),
        ({"drop": "before", "times": True}, "not True"),
        ({"drop": "before", "skip": -1}, "skip must be a whole number of at least 0, not -1"),
        ({"drop": "before", "skip": 1.5}, "not 1.5"),
        ({"reply": "late"}, "reply cannot be 'late'"),
        ({"reply": ["truncated"]}, "reply cannot be"),
        ({"drop": "before", "user": "anna"}, "no member 'user'"),
        ({"drop": "before", "user_agent": None}, "user_agent must be a text"),
        ({"drop": "before", "parameters": "UserId"}, "parameters must be an object"),
        ({"latency_seconds": "slow"}, "latency_seconds cannot be 'slow'"),
        ({"latency_seconds": -1}, "latency_seconds cannot be -1"),
        ({"throttle": 5}, "throttle cannot be 5"),
        ({"throttle": {"rate": 0}}, "throttle cannot be"),
        ({"error": {"message": "no code"}}, "error cannot be"),
        ({"error": {"code": "Fine", "status": 200}}, "error cannot be"),
        ({"error": {"code": "X", "status": "500"}}, "error cannot be"),
    ],
)
def test_a_bad_rule_gets_a_message_and_is_not_in_force(simulator, appstream, rule, message):
    with pytest.raises(ValueError, match=message):
        simulator.add_fault(**rule)
    assert appstream.describe_stacks()["Stacks"] == []
