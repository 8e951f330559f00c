# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is tried again, and what is not."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import nullcontext, suppress
from functools import partial
from types import SimpleNamespace

import botocore.session
import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import describe_stack, list_associated_fleets
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    IncompleteResponse,
    InvalidOption,
    LabstreamError,
)
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_loader import ServiceLoader
from ansible_collections.labstream.aws.plugins.module_utils._retries import is_repeatable
from ansible_collections.labstream.aws.plugins.module_utils._service_errors import call
from botocore.exceptions import EndpointConnectionError
from botocore.model import ServiceModel

from tests.unit.plugins.module_utils.clients import HALF, REGION_AND_KEYS, client_of, wire

pytestmark = pytest.mark.usefixtures("files_of_botocore_are_read_once")


@pytest.fixture
def nowhere(monkeypatch):
    """The hosts that are looked up, none of which exists."""
    hosts = []

    def look_up(host, *_args, **_more):
        hosts.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    return hosts


@pytest.mark.parametrize("region", ["eu-centrl-1", "eu-north-1"])
def test_a_region_without_the_service_is_named_at_once(module_of, nowhere, region):
    client = build_client(module_of(**REGION_AND_KEYS | {"region": region}), "appstream", 1)
    with pytest.raises(InvalidOption) as rejected:
        call(client.describe_stacks)
    host = f"appstream2.{region}.amazonaws.com"
    assert str(rejected.value) == (
        f"https://{host} cannot be reached, and appstream is not known to be available in region '{region}': correct "
        "region."
    )
    assert nowhere == [host]


@pytest.mark.parametrize(
    ("service", "options"),
    [
        pytest.param("appstream", {}, id="a region that botocore knows"),
        pytest.param("appstream", dict(region="cn-north-1", endpoint_url="http://lab.example"), id="another host"),
        pytest.param("dynamodb", dict(region="cn-north-1"), id="of another partition"),
        pytest.param("nimble", {}, id="a service that botocore does not know"),
    ],
)
def test_a_host_that_is_not_found_for_another_reason_is_tried_again(module_of, nowhere, service, options):
    settings = dict(aws_config={"retries": {"mode": "standard", "total_max_attempts": 3}})
    client = client_of(module_of(**REGION_AND_KEYS | settings | options), service, 1)
    with pytest.raises(EndpointConnectionError):
        call(client.get_studio, studioId="x") if service == "nimble" else call(
            client.list_tables if service == "dynamodb" else client.describe_stacks
        )
    assert len(nowhere) == 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The file of a certificate for localhost, with its key, that is signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", file, *subject]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file


@pytest.fixture
def tls(certificate):
    """The port of a server that speaks TLS, and how often it was asked to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = SimpleNamespace(asked=0)
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]

    def serve():
        with suppress(OSError):
            while True:
                connection, _address = listening.accept()
                server.asked += 1
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(wire("Content-Length: 2", body="{}"))

    thread = threading.Thread(target=serve)
    thread.start()
    yield server
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


ISSUER = (
    "set AWS_CA_BUNDLE, or aws_ca_bundle, to a file with the certificate of its issuer, such as that of your "
    "organization's proxy."
)
BUNDLE = "check the file that AWS_CA_BUNDLE, or aws_ca_bundle, names, and endpoint_url."


@pytest.mark.parametrize(
    ("host", "bundle", "remedy"),
    [
        pytest.param("localhost", None, ISSUER, id="an unknown issuer"),
        pytest.param("localhost", "/nowhere/ca.pem", BUNDLE, id="no bundle"),
        pytest.param("localhost", "/", BUNDLE, id="a folder for a bundle"),
        pytest.param("localhost", __file__, BUNDLE, id="no certificate"),
        pytest.param(
            "127.0.0.1",
            "{certificate}",
            "check endpoint_url, the network, and this machine's clock.",
            id="another host's certificate",
        ),
    ],
)
def test_a_certificate_that_is_not_accepted_is_not_tried_again(module_of, tls, certificate, host, bundle, remedy):
    bundle = bundle and bundle.format(certificate=certificate)
    module = module_of(**REGION_AND_KEYS, endpoint_url=f"https://{host}:{tls.port}", aws_ca_bundle=bundle)
    client = build_client(module, "appstream", 1)
    with pytest.raises(LabstreamError) as rejected:
        describe_stack(client, "course")
    assert str(rejected.value).startswith("Failed to describe the stack: SSL validation failed for https://")
    assert str(rejected.value).endswith(f": {remedy}")
    assert tls.asked <= 1


def test_a_certificate_of_ones_own_is_accepted(module_of, tls, certificate):
    endpoint_url = f"https://localhost:{tls.port}"
    module = module_of(**REGION_AND_KEYS, endpoint_url=endpoint_url, aws_ca_bundle=str(certificate))
    assert call(build_client(module, "appstream", 1).describe_stacks)["ResponseMetadata"]["HTTPStatusCode"] == 200


HALVES = {
    "JSON": wire("Content-Length: 400", body=HALF),
    "chunks": wire("Transfer-Encoding: chunked", body=f"38\r\n{HALF}\r\n"),
}
WHOLE = wire("Content-Length: 2", body="{}")
REPEATED = [
    pytest.param("appstream", "describe_stacks", {}, id="Describe"),
    pytest.param("appstream", "list_associated_fleets", {"StackName": "course"}, id="List"),
    pytest.param("nimble", "get_studio", {"studioId": "studio-1"}, id="Get"),
    pytest.param("dynamodb", "get_item", {"TableName": "leases", "Key": {}}, id="GetItem"),
    pytest.param("dynamodb", "batch_get_item", {"RequestItems": {"leases": {"Keys": [{}]}}}, id="BatchGetItem"),
    pytest.param("dynamodb", "query", {"TableName": "leases"}, id="Query"),
    pytest.param("dynamodb", "scan", {"TableName": "leases"}, id="Scan"),
    pytest.param("dynamodb", "put_item", {"TableName": "leases", "Item": {}}, id="PutItem"),
    pytest.param("dynamodb", "update_item", {"TableName": "leases", "Key": {}}, id="UpdateItem"),
    pytest.param("dynamodb", "delete_item", {"TableName": "leases", "Key": {}}, id="DeleteItem"),
    pytest.param(
        "nimble",
        "create_streaming_session_stream",
        {"studioId": "studio-1", "sessionId": "session-1"},
        id="a create with a client token",
    ),
]
NOT_REPEATED = [
    pytest.param(
        "appstream",
        "create_streaming_url",
        {"StackName": "course", "FleetName": "fleet", "UserId": "anna"},
        id="a create without a client token",
    ),
    pytest.param("appstream", "expire_session", {"SessionId": "session-1"}, id="Expire"),
    pytest.param(
        "dynamodb", "batch_write_item", {"RequestItems": {"leases": [{"DeleteRequest": {"Key": {}}}]}}, id="Delete"
    ),
]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("service", "operation", "parameters"), REPEATED)
def test_a_response_that_breaks_off_is_asked_for_again(module_of, studio, half, service, operation, parameters):
    studio.replies = [HALVES[half], HALVES[half], WHOLE]
    client = client_of(module_of(**REGION_AND_KEYS, endpoint_url=studio.url), service, 1)
    assert call(getattr(client, operation), **parameters)["ResponseMetadata"]["RetryAttempts"] == 2
    assert len({headers.get("X-Amz-Client-Token") for _method, _path, headers in studio.requests}) == 1


def test_what_was_revoked_is_revoked_again():
    assert is_repeatable(SimpleNamespace(name="RevokeStreamUrl", idempotent_members=[]))


@pytest.mark.skipif(not hasattr(ServiceModel, "resolved_protocol"), reason="this botocore does not know the protocol")
@pytest.mark.parametrize(("operation", "is_repeated"), [("describe_stacks", True), ("expire_session", False)])
def test_a_response_in_cbor_that_breaks_off_is_asked_for_again_too(module_of, studio, operation, is_repeated):
    """Today's botocore prefers JSON to it."""
    described = botocore.session.Session().get_component("data_loader").load_service_model("appstream", "service-2")
    metadata = {**described["metadata"], "protocols": ["smithy-rpc-v2-cbor"]}
    loader = partial(ServiceLoader, "appstream", {"service-2": {**described, "metadata": metadata}})
    module = module_of(**REGION_AND_KEYS, endpoint_url=studio.url)
    client = build_client(module, "appstream", 1, build_loader=loader)
    headers = b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nContent-Length: "
    studio.replies = [headers + b"9\r\n\r\n\xbf\x66", headers + b"1\r\n\r\n\xa0"]
    parameters = {} if is_repeated else {"SessionId": "session-1"}
    with nullcontext() if is_repeated else pytest.raises(IncompleteResponse):
        call(getattr(client, operation), **parameters)
    assert [path.rpartition("/")[2] for _method, path, _headers in studio.requests] == [
        client.meta.method_to_api_mapping[operation]
    ] * (1 + is_repeated)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("service", "operation", "parameters"), NOT_REPEATED)
def test_what_may_have_been_done_is_not_done_again(module_of, studio, half, service, operation, parameters):
    studio.replies = [HALVES[half], WHOLE]
    client = client_of(module_of(**REGION_AND_KEYS, endpoint_url=studio.url), service, 1)
    with pytest.raises(IncompleteResponse):
        call(getattr(client, operation), **parameters)
    assert len(studio.requests) == 1


@pytest.mark.parametrize(
    ("retries", "attempts"),
    [
        (None, 10),
        ({"mode": "standard", "total_max_attempts": 3}, 3),
        ({"mode": "legacy", "total_max_attempts": 1}, 1),
    ],
)
@pytest.mark.parametrize("half", HALVES)
def test_a_response_that_breaks_off_every_time_is_asked_for_within_the_budget(
    module_of, studio, half, retries, attempts
):
    studio.replies = [HALVES[half]]
    module = module_of(**REGION_AND_KEYS, endpoint_url=studio.url, aws_config=retries and {"retries": retries})
    with pytest.raises(LabstreamError) as failed:
        describe_stack(client_of(module, "appstream", 1), "course")
    assert str(failed.value) == (
        "Failed to describe the stack: the connection was closed before the response was complete: check the network, "
        "then run again."
    )
    assert len(studio.requests) == attempts


def test_a_page_that_breaks_off_does_not_lose_the_pages_before_it(module_of, studio):
    first, second = ('{"Names": ["a"], "NextToken": "2"}', '{"Names": ["b"]}')
    pages = [wire(f"Content-Length: {len(page)}", body=page) for page in (first, second)]
    studio.replies = [HALVES["JSON"], pages[0], HALVES["JSON"], pages[1]]
    client = client_of(module_of(**REGION_AND_KEYS, endpoint_url=studio.url), "appstream", 1)
    assert list_associated_fleets(client, "course") == ["a", "b"]
