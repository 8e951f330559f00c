# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.session
import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _client as client_utils
from ansible_collections.labstream.aws.plugins.module_utils._client import (
    ServiceClock,
    build_client,
    endpoint_host,
    identify_endpoint,
    retry_delays,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    IncompleteResponse,
    InvalidOption,
    InvalidResponse,
    LabstreamError,
)
from ansible_collections.labstream.aws.plugins.module_utils._service_errors import call
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from tests.unit.plugins.module_utils.clients import HALF, REGION_AND_KEYS, SERVICES, client_of, wire

pytestmark = pytest.mark.usefixtures("files_of_botocore_are_read_once")

DATE = "Sat, 21 Nov 2026 08:00:00 GMT"
SERVICE_TIME = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


def botocore_client(service="appstream", endpoint_url=None, region="eu-central-1", **settings):
    """A real client; nothing here makes it call anybody."""
    return botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        config=Config(**settings),
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )


@pytest.fixture(scope="module")
def client():
    return botocore_client()


@pytest.fixture
def machine(monkeypatch):
    """This machine's clocks, which the test moves: one that may be wrong, and one that only counts seconds."""
    clocks = SimpleNamespace(wall=datetime(2001, 1, 1, tzinfo=UTC), seconds=5000.0)
    monkeypatch.setattr(client_utils, "utc_now", lambda: clocks.wall)
    monkeypatch.setattr(client_utils.time, "monotonic", lambda: clocks.seconds)
    return clocks


def reply(client, operation="DescribeStacks", **headers):
    """Emit what botocore does when a response has come."""
    client.meta.events.emit(
        f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}",
        http_response=SimpleNamespace(headers=headers, status_code=200),
        parsed={},
        model=None,
        context={},
    )


def test_until_the_first_response_the_time_is_that_of_this_machine(client, machine):
    clock = ServiceClock(client)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)
    assert clock.confirmed_now() is None


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeFleets", "CreateStreamingURL"])
def test_a_response_says_the_time_however_wrong_this_machine_is(client, machine, operation):
    clock = ServiceClock(client)
    reply(client, operation, Date=DATE)
    assert clock.now() == clock.confirmed_now() == SERVICE_TIME
    assert clock.now().utcoffset() == timedelta(0)


def test_a_date_without_a_zone_is_in_utc_wherever_this_machine_is(client, machine, monkeypatch):
    clock = ServiceClock(client)
    with monkeypatch.context() as tokyo:
        tokyo.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        reply(client, Date=DATE.replace("GMT", "-0000"))
    time.tzset()
    assert clock.confirmed_now() == SERVICE_TIME


@pytest.mark.parametrize(("passed", "seconds"), [(0.0, 0), (0.999, 0), (1.0, 1), (59.5, 59), (86400.0, 86400)])
def test_from_there_on_the_seconds_are_counted_and_rounded_down(client, machine, passed, seconds):
    # Given a service that has said the time.
    clock = ServiceClock(client)
    reply(client, Date=DATE)

    # When time passes and somebody sets this machine's clock.
    machine.seconds += passed
    machine.wall += timedelta(days=400)

    # Then it is that much later, and never ahead of the service.
    assert clock.now() == SERVICE_TIME + timedelta(seconds=seconds)


def test_only_the_first_response_counts(client, machine):
    """So time never goes back within a task, though replies arrive in any order."""
    clock = ServiceClock(client)
    reply(client, Date=DATE)
    machine.seconds += 10
    reply(client, Date="Sat, 21 Nov 2026 07:00:00 GMT")
    assert clock.now() == SERVICE_TIME + timedelta(seconds=10)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": ""},
        {"Date": "soon"},
        {"Date": None},
        {"Date": "Sat, 99 Nov 2026 08:00:00 GMT"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 -0500"},
    ],
)
def test_a_response_without_a_readable_date_is_passed_over(client, machine, headers):
    clock = ServiceClock(client)
    reply(client, **headers)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)
    assert clock.confirmed_now() is None
    reply(client, Date=DATE)
    assert clock.now() == SERVICE_TIME


def test_the_responses_of_another_service_say_nothing(machine):
    appstream, sts = botocore_client(), botocore_client("sts")
    clock = ServiceClock(appstream)
    reply(sts, "GetCallerIdentity", Date=DATE)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("endpoint_url", "host"),
    [
        (None, "appstream2.eu-central-1.amazonaws.com"),
        ("https://appstream2-fips.us-east-1.amazonaws.com", "appstream2-fips.us-east-1.amazonaws.com"),
        ("https://AppStream2.EU-Central-1.amazonaws.com/", "appstream2.eu-central-1.amazonaws.com"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://127.0.0.1:5000/path?query", "127.0.0.1:5000"),
        ("http://[::1]:5000", "[::1]:5000"),
        ("http://user:correct-horse@localhost:5000", "localhost:5000"),
    ],
)
def test_the_host_of_an_endpoint_says_no_password(endpoint_url, host):
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=endpoint_url)) if endpoint_url else botocore_client()
    assert endpoint_host(client) == host


@pytest.mark.parametrize(
    ("service", "region", "endpoint_url", "settings"),
    [
        ("appstream", "eu-central-1", None, {}),
        ("appstream", "eu-central-1", None, {"use_fips_endpoint": True}),
        ("appstream", "us-west-2", None, {"use_dualstack_endpoint": True}),
        ("appstream", "us-gov-west-1", None, {"use_dualstack_endpoint": True, "use_fips_endpoint": True}),
        ("appstream", "cn-north-1", None, {"use_dualstack_endpoint": True}),
        ("appstream", "us-east-1", "https://AppStream2.US-East-1.amazonaws.com:443/", {}),
        ("appstream", "us-east-1", "https://vpce-0a1b-2c3d.api.appstream.us-east-1.vpce.amazonaws.com", {}),
        ("appstream", "cn-north-1", "https://vpce-0a1b-2c3d.api.appstream.cn-north-1.vpce.amazonaws.com.cn", {}),
        ("dynamodb", "us-west-2", None, {"use_fips_endpoint": True}),
    ],
)
def test_all_endpoints_of_aws_itself_are_one_in_a_scope(service, region, endpoint_url, settings):
    assert identify_endpoint(botocore_client(service, endpoint_url, region, **settings)) == "aws"


def test_the_domains_of_aws_are_those_that_botocore_knows():
    data = botocore.session.Session().get_component("data_loader").load_data("partitions")
    known = {part["outputs"][name] for part in data["partitions"] for name in ("dnsSuffix", "dualStackDnsSuffix")}
    assert {f".{domain}" for domain in known} <= set(client_utils.AWS_DOMAINS)


@pytest.mark.parametrize(
    ("endpoint_url", "host"),
    [
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        (
            "https://appstream2.eu-central-1.amazonaws.com.example.org",
            "appstream2.eu-central-1.amazonaws.com.example.org",
        ),
        ("https://lab-1.eu-central-1.elb.amazonaws.com", "lab-1.eu-central-1.elb.amazonaws.com"),
        (
            "https://vpce-0a1b-2c3d.vpce-svc-4e5f.eu-central-1.vpce.amazonaws.com",
            "vpce-0a1b-2c3d.vpce-svc-4e5f.eu-central-1.vpce.amazonaws.com",
        ),
    ],
)
def test_another_endpoint_is_its_host_in_a_scope(endpoint_url, host):
    assert identify_endpoint(botocore_client(endpoint_url=endpoint_url)) == host


# Clients


@pytest.fixture(autouse=True)
def _remember_verify(monkeypatch):
    """What a client was given about certificates is only known to who builds it."""
    build = boto3.session.Session.client

    def client(session, *names, **options):
        built = build(session, *names, **options)
        built.verify = options.get("verify", True)
        return built

    monkeypatch.setattr(boto3.session.Session, "client", client)


# An operation of each service, to sign.
OPERATIONS = {
    "appstream": ("describe_fleets", {}),
    "nimble": ("get_studio", {"studioId": "studio"}),
    "dynamodb": ("list_tables", {}),
}


def credentials_of(client):
    """The access key that signs the client's requests, and the session token; None without credentials."""
    try:
        url = client.generate_presigned_url(*OPERATIONS[client.meta.service_model.service_name])
    except NoCredentialsError:
        return None
    query = parse_qs(urlsplit(url).query)
    return query["X-Amz-Credential"][0].partition("/")[0], query.get("X-Amz-Security-Token")


def connection(client):
    """How a client connects, less what differs by its service."""
    config = client.meta.config
    settings = ("user_agent", "user_agent_extra", "retries", "max_pool_connections", "proxies", "s3")
    return {
        **{name: getattr(config, name) for name in settings},
        "timeouts": (config.connect_timeout, config.read_timeout),
        "region": client.meta.region_name,
        "credentials": credentials_of(client),
        "verify": client.verify,
        "host": endpoint_host(client).replace("appstream2", "nimble"),
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            {},
            {"retries": {"mode": "standard", "total_max_attempts": 10}, "max_pool_connections": 7, "verify": True},
            id="our own settings",
        ),
        pytest.param(
            dict(region=None, access_key=None, secret_key=None, profile="lab"), {"region": "us-west-2"}, id="a profile"
        ),
        pytest.param(
            dict(access_key=None, secret_key=None, profile="lab"),
            {"region": "eu-central-1"},
            id="a profile in another region",
        ),
        pytest.param(
            dict(region=None, access_key=None, secret_key=None, profile="lab"),
            {"retries": {"mode": "standard", "total_max_attempts": 10}},
            id="a profile's retries do not win",
        ),
        pytest.param(dict(session_token="never"), {}, id="a session token"),
        pytest.param(dict(access_key=None, secret_key=None), {"credentials": None}, id="no credentials"),
        pytest.param(dict(endpoint_url="http://127.0.0.1:5000/api"), {"host": "127.0.0.1:5000"}, id="another endpoint"),
        pytest.param(dict(validate_certs=False), {"verify": False}, id="any certificate"),
        pytest.param(dict(aws_ca_bundle="/lab/ca.pem"), {"verify": "/lab/ca.pem"}, id="certificates of one's own"),
        pytest.param(
            dict(aws_ca_bundle="/lab/ca.pem", validate_certs=False), {"verify": False}, id="but any certificate"
        ),
        pytest.param(
            dict(aws_config={"retries": {"mode": "legacy"}}), {"retries": {"mode": "legacy"}}, id="other retries"
        ),
        pytest.param(dict(aws_config={"max_pool_connections": 3}), {"max_pool_connections": 3}, id="another pool"),
        pytest.param(dict(aws_config={"read_timeout": 17}), {"timeouts": (10, 17)}, id="another timeout"),
        pytest.param(
            dict(aws_config={"proxies": {"https": "http://proxy.example.org"}}),
            {"proxies": {"https": "http://proxy.example.org"}},
            id="a proxy",
        ),
        pytest.param(dict(aws_config={"user_agent": "lab"}), {}, id="another user agent"),
        pytest.param(dict(aws_config={"user_agent_extra": "lab"}), {"user_agent_extra": "lab"}, id="more of it"),
        pytest.param(
            dict(region="us-east-1", aws_config={"use_fips_endpoint": True}),
            {"host": "nimble-fips.us-east-1.amazonaws.com"},
            id="FIPS",
        ),
    ],
)
def test_both_clients_connect_as_the_options_say(module_of, options, expected):
    module = module_of(**{**REGION_AND_KEYS, **options})
    appstream, nimble = (connection(client_of(module, service, 7)) for service in SERVICES)
    assert nimble == appstream
    assert nimble.items() >= expected.items()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("aws_config", [{}, {"retries": {"mode": "legacy"}, "connect_timeout": 60, "read_timeout": 1}])
def test_attempts_and_timeout_win_over_the_users_settings(module_of, service, aws_config):
    module = module_of(**REGION_AND_KEYS, aws_config={**aws_config, "user_agent_extra": "lab"})
    connected = connection(client_of(module, service, 1, attempts=1, timeout=5))
    assert connected["retries"]["total_max_attempts"] == 1
    assert connected["timeouts"] == (5, 5)
    assert connected["user_agent_extra"] == "lab"


@pytest.mark.parametrize(
    ("connection_options", "expected"),
    [
        pytest.param(
            {},
            {"region": "eu-central-1", "host": "127.0.0.1:5000", "access_key": "nobody"},
            id="as the module's options say",
        ),
        pytest.param(dict(region="us-east-1"), {"region": "us-east-1", "host": "127.0.0.1:5000"}, id="another region"),
        pytest.param(
            dict(endpoint=None),
            {"region": "eu-central-1", "host": "dynamodb.eu-central-1.amazonaws.com"},
            id="not the module's endpoint",
        ),
        pytest.param(
            dict(endpoint="http://127.0.0.1:8000", region="us-east-1"),
            {"region": "us-east-1", "host": "127.0.0.1:8000"},
            id="another endpoint",
        ),
        pytest.param(
            dict(profile_name="lab", aws_access_key_id=None, aws_secret_access_key=None, aws_session_token=None),
            {"region": "eu-central-1", "access_key": "of-the-profile"},
            id="a profile instead of the module's keys",
        ),
    ],
)
def test_a_client_may_connect_otherwise_than_the_modules_options_say(module_of, connection_options, expected):
    module = module_of(**REGION_AND_KEYS, endpoint_url="http://127.0.0.1:5000")
    connected = connection(build_client(module, "dynamodb", 7, **connection_options))
    assert connected["max_pool_connections"] == 7
    assert connected["retries"] == {"mode": "standard", "total_max_attempts": 10}
    connected["access_key"], _token = connected["credentials"]
    assert {name: connected[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("retries", "pauses"),
    [
        pytest.param({"total_max_attempts": 1}, [], id="once"),
        pytest.param({"total_max_attempts": 4, "mode": "standard"}, [0.25, 0.5, 1], id="as often as the user says"),
        pytest.param({"mode": "legacy"}, [0.25, 0.5, 1, 2, 4, 4, 4, 4, 4], id="as often as we say"),
        pytest.param(None, [0.25, 0.5, 1, 2, 4, 4, 4, 4, 4], id="nothing is said"),
    ],
)
def test_what_botocore_does_not_retry_is_tried_as_often_as_other_errors(retries, pauses):
    client = SimpleNamespace(meta=SimpleNamespace(config=SimpleNamespace(retries=retries)))
    assert retry_delays(client) == pauses


BAD_OPTIONS = [
    pytest.param(dict(region=None), "region", id="no region"),
    pytest.param(
        dict(region=None, access_key=None, secret_key=None, profile="no-region"), "region", id="a profile without one"
    ),
    pytest.param(dict(region="eu central"), "'eu central'", id="no region's name"),
    pytest.param(dict(access_key=None, secret_key=None, profile="nobody"), "nobody", id="an unknown profile"),
    pytest.param(dict(profile="lab"), "profile", id="a profile and keys"),
    pytest.param(dict(secret_key=None), "aws_secret_access_key", id="half of the keys"),
    pytest.param(dict(endpoint_url="127.0.0.1"), "127.0.0.1", id="no URL"),
    pytest.param(dict(aws_config={"retry": 3}), "'retry'", id="an unknown setting"),
    pytest.param(dict(aws_config={"retries": {"mode": "never"}}), "never", id="an unknown mode"),
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("options", "named"), BAD_OPTIONS)
def test_options_that_do_not_say_how_to_connect_are_named_in_one_message(module_of, service, options, named):
    module = module_of(**{**REGION_AND_KEYS, **options})
    with pytest.raises(LabstreamError) as rejected:
        client_of(module, service, 1)
    assert named in str(rejected.value)
    assert "\n" not in str(rejected.value)
    assert "Traceback" not in str(rejected.value)


@pytest.mark.parametrize(
    ("options", "environment", "origins"),
    [
        (dict(profile="lab", access_key="a"), {}, ["the option profile", "the option access_key"]),
        (dict(profile="lab"), {"AWS_ACCESS_KEY_ID": "a"}, ["the option profile", "AWS_ACCESS_KEY_ID"]),
        (dict(access_key="a"), {"AWS_PROFILE": "lab"}, ["AWS_PROFILE", "the option access_key"]),
        (
            {},
            {"AWS_DEFAULT_PROFILE": "lab", "AWS_SECRET_KEY": "b", "AWS_SESSION_TOKEN": "c"},
            ["AWS_DEFAULT_PROFILE", "AWS_SECRET_KEY, AWS_SESSION_TOKEN"],
        ),
    ],
)
def test_a_profile_and_keys_are_rejected_with_where_each_comes_from(
    module_of, monkeypatch, options, environment, origins
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidOption) as rejected:
        build_client(module_of(region="eu-central-1", **options), "appstream", 1)
    profile, keys = origins
    assert str(rejected.value) == (
        f"A profile ('lab', from {profile}) and keys (from {keys}) are both given: remove one of them."
    )


def test_a_missing_region_is_said_with_where_it_can_come_from(module_of):
    with pytest.raises(InvalidOption) as rejected:
        build_client(module_of(**REGION_AND_KEYS | {"region": None}), "appstream", 1)
    assert str(rejected.value) == "No region is given: set region, or AWS_REGION, or the region of the profile."


# What the Nimble client does with replies


def create(module_of, studio, *, aws_config=None, **settings):
    """Create a stream by a client that is made so."""
    module = module_of(**REGION_AND_KEYS, endpoint_url=studio.url, aws_config=aws_config)
    client = client_of(module, "nimble", 1, **settings)
    return client.create_streaming_session_stream(studioId="studio-1", sessionId="session-1")


BROKEN = ("InternalServerErrorException", 500)
PASSING = [BROKEN, ("ThrottlingException", 429)]
LASTING = [
    ("AccessDeniedException", 403),
    # Passes too, but is for nimble.py to try again.
    ("ConflictException", 409),
    ("ResourceNotFoundException", 404),
    ("ServiceQuotaExceededException", 402),
    ("ValidationException", 400),
]
DONE = (None, 200)


def test_a_failure_is_retried_with_the_same_token_until_it_has_passed(module_of, studio):
    studio.replies = [BROKEN, BROKEN, DONE]
    assert create(module_of, studio)["stream"]["streamId"] == "s"
    assert len(studio.requests) == 3
    assert len({headers["X-Amz-Client-Token"] for _method, _path, headers in studio.requests}) == 1


@pytest.mark.parametrize(
    ("settings", "mode", "is_limited"),
    [
        pytest.param({}, "standard", True, id="our own settings"),
        pytest.param(
            dict(aws_config={"retries": {"mode": "adaptive"}}), "standard", True, id="the user's adaptive mode"
        ),
        pytest.param(
            dict(aws_config={"retries": {"mode": "standard"}}), "standard", False, id="the user's standard mode"
        ),
        pytest.param(dict(aws_config={"retries": {"mode": "legacy"}}), "legacy", False, id="the user's legacy mode"),
        pytest.param(dict(attempts=2), "standard", False, id="few attempts"),
    ],
)
def test_a_client_that_adapts_is_rate_limited(module_of, monkeypatch, settings, mode, is_limited):
    limited = []
    monkeypatch.setattr(client_utils, "limit_rate", limited.append)
    module = module_of(**REGION_AND_KEYS, aws_config=settings.get("aws_config"))
    clients = [build_client(module, "appstream", 7, attempts=settings.get("attempts")) for _number in range(2)]
    assert [client.meta.config.retries["mode"] for client in clients] == [mode] * 2
    assert limited == (clients if is_limited else [])


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [
        ({}, 10),
        (dict(attempts=1), 1),
        (dict(aws_config={"retries": {"mode": "standard", "total_max_attempts": 3}}), 3),
        (dict(aws_config={"retries": {"mode": "adaptive", "total_max_attempts": 4}}), 4),
        (dict(aws_config={"retries": {"mode": "adaptive", "total_max_attempts": 4}}, attempts=2), 2),
        (dict(aws_config={"retries": {"mode": "legacy"}}), 5),
    ],
)
def test_a_failure_that_stays_is_retried_within_the_budget(module_of, studio, settings, attempts):
    studio.replies = [BROKEN]
    with pytest.raises(ClientError, match=BROKEN[0]):
        create(module_of, studio, **settings)
    assert len(studio.requests) == attempts


@pytest.mark.parametrize("reply", PASSING)
def test_what_passes_is_retried(module_of, studio, reply):
    studio.replies = [reply]
    with pytest.raises(ClientError, match=reply[0]):
        create(module_of, studio, attempts=3)
    assert len(studio.requests) == 3


@pytest.mark.parametrize("reply", LASTING)
def test_what_does_not_pass_is_not_retried(module_of, studio, reply):
    studio.replies = [reply]
    with pytest.raises(ClientError, match=reply[0]):
        create(module_of, studio)
    assert len(studio.requests) == 1


def test_an_attempt_with_a_timeout_ends_then(module_of, studio):
    studio.replies = ["silence"]
    with pytest.raises(ReadTimeoutError):
        create(module_of, studio, aws_config={"read_timeout": 60}, attempts=1, timeout=0.2)
    assert len(studio.requests) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_says_the_service_which_collection_makes_it(module_of, studio, service):
    studio.replies = [DONE]
    module = module_of(**REGION_AND_KEYS, endpoint_url=studio.url)
    client = client_of(module, service, 1)
    if service == "nimble":
        client.get_studio(studioId="studio-1")
    else:
        client.describe_stacks()
    ((_method, _path, headers),) = studio.requests
    assert " labstream.aws/" in headers["User-Agent"]
    assert f"Botocore/{botocore.__version__}" in headers["User-Agent"]


def call_of(module_of, studio, service):
    """A call of the service that is tried once, at that endpoint."""
    module = module_of(**REGION_AND_KEYS, endpoint_url=studio.url)
    client = client_of(module, service, 1, attempts=1)
    operation, parameters = {
        "appstream": ("describe_stacks", {}),
        "dynamodb": ("put_item", {"TableName": "leases", "Item": {}}),
        "nimble": ("get_studio", {"studioId": "studio-1"}),
    }[service]
    return partial(getattr(client, operation), **parameters)


@pytest.mark.parametrize("service", [*SERVICES, "dynamodb"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(wire("Content-Length: 400", body=HALF), IncompleteResponse, id="half a reply"),
        pytest.param(wire("Content-Length: 2", body=""), IncompleteResponse, id="nothing of a reply"),
        pytest.param(wire("Content-Length: 56", body=HALF), InvalidResponse, id="half a reply as if that were all"),
        pytest.param(wire(body="<html>Log in to use this network</html>"), InvalidResponse, id="a proxy's page"),
        pytest.param(wire("Content-Length: 2", body="\xff"), InvalidResponse, id="bytes"),
    ],
)
def test_half_a_response_or_a_page_is_not_taken_for_an_empty_response(module_of, studio, service, reply, error):
    """botocore would: then a lease that DynamoDB never got would be as good as written."""
    assert len(HALF) == 56
    studio.replies = [reply]
    with pytest.raises(error) as rejected:
        call_of(module_of, studio, service)()
    # Half of a URL is in no text that could be printed.
    assert "correct" not in "".join(traceback.format_exception(rejected.value))


@pytest.mark.parametrize("service", [*SERVICES, "dynamodb"])
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(wire("Content-Length: 2", body="{}"), id="no member"),
        pytest.param(wire("Content-Length: 0", body=""), id="no body"),
        pytest.param(wire("Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\n\r\n"), id="no length"),
    ],
)
def test_a_whole_response_is_not_one_of_these(module_of, studio, service, reply):
    studio.replies = [reply]
    assert call_of(module_of, studio, service)()["ResponseMetadata"]["HTTPStatusCode"] == 200


STACK = '{"Stacks": [{"Name": %s}]}'
FLEET = '{"Fleets": [{"Name": "x", "ComputeCapacityStatus": {"Desired": %s}, "CreatedTime": %s}]}'


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("describe_stacks", STACK % "7"),
        ("describe_stacks", STACK % '["x"]'),
        ("describe_stacks", '{"Stacks": [null]}'),
        ("describe_fleets", FLEET % ('"1"', "1")),
        ("describe_fleets", FLEET % ("1.5", "1")),
        ("describe_fleets", FLEET % ("1", "1e99")),
        ("describe_fleets", '{"Fleets": [{"Tags": 1, "EnableDefaultInternetAccess": "yes"}]}'),
    ],
)
def test_a_member_of_the_wrong_type_is_not_taken_for_a_response(module_of, studio, operation, body):
    studio.replies = [wire(f"Content-Length: {len(body)}", body=body)]
    client = client_of(module_of(**REGION_AND_KEYS, endpoint_url=studio.url), "appstream", 1, attempts=1)
    with pytest.raises(InvalidResponse):
        call(getattr(client, operation))


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("describe_stacks", STACK % "null"),
        ("describe_stacks", '{"Stacks": null, "Unknown": 7}'),
        ("describe_fleets", FLEET % ("1", "1.5")),
    ],
)
def test_a_member_that_is_missing_or_unknown_is_left_to_the_parsers(module_of, studio, operation, body):
    studio.replies = [wire(f"Content-Length: {len(body)}", body=body)]
    client = client_of(module_of(**REGION_AND_KEYS, endpoint_url=studio.url), "appstream", 1, attempts=1)
    assert call(getattr(client, operation))["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_half_of_an_error_is_still_the_error(module_of, studio):
    studio.replies = [wire("x-amzn-ErrorType: ConflictException", "Content-Length: 90", body='{"mess', status="409 No")]
    with pytest.raises((ClientError, IncompleteResponse), match=r"ConflictException|too early"):
        call_of(module_of, studio, "nimble")()
