# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.labstream.aws.plugins.module_utils._appstream.errors import (
    AnsibleAppStreamError,
    AppStreamErrorHandler,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    MAX_MESSAGE_LENGTH,
    InvalidResponse,
    LabstreamError,
    NotReady,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb_table import LeaseTableErrorHandler
from ansible_collections.labstream.aws.plugins.module_utils._nimble.errors import NimbleErrorHandler
from ansible_collections.labstream.aws.plugins.module_utils._service_errors import call, get_member
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

ENDPOINT = "https://appstream2.eu-central-1.amazonaws.com/"
SECRET_URL = "https://appstream2.eu-central-1.aws.amazon.com/authenticate?parameters=correct-horse"


def client_error(code, message="What the service says.", operation="CreateStreamingURL"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def operation(error):
    """An operation of a client that raises this."""

    def call_it(**_parameters):
        raise error

    return call_it


def raised(error, handler=AppStreamErrorHandler):
    """What a caller gets when a call to AppStream, or of that handler, raises this."""

    @handler.common_error_handler("create a streaming URL")
    def create():
        return call(operation(error), UserId="anna")

    with pytest.raises(LabstreamError) as caught:
        create()
    return caught.value


WHERE = "check the network, and whether region and endpoint_url are correct."
RENEW, SET_CLOCK = "renew or correct them", "correct them or this machine's clock"
NO_CREDENTIALS = (
    "no AWS credentials were found: set profile, or access_key and secret_key, or their environment variables."
)
UNREADABLE = "the response could not be parsed: check that endpoint_url points to a server that implements this API."

MESSAGES = [
    pytest.param(
        client_error("AccessDeniedException", "User: anna is not authorized", "DescribeFleets"),
        "AccessDeniedException",
        "the credentials are not authorized to perform appstream:DescribeFleets (User: anna is not authorized): "
        "allow this "
        'action on all resources ("*") in their IAM policy, or correct the names and the region if they are wrong.',
        id="denied names the action",
    ),
    pytest.param(
        client_error("AccessDenied"),
        "AccessDenied",
        "the credentials are not authorized to perform appstream:CreateStreamingURL (What the service says): "
        "allow this "
        "action on this stack and fleet in their IAM policy, or correct the names and the region if they are wrong.",
        id="denied, as older services say it",
    ),
    pytest.param(
        client_error(
            "AccessDeniedException",
            "User: anna is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/lab",
            "UpdateFleet",
        ),
        "AccessDeniedException",
        "the credentials are not authorized to perform iam:PassRole (User: anna is not authorized to perform: "
        "iam:PassRole on resource: arn:aws:iam::123456789012:role/lab): allow this action on that resource in their "
        "IAM policy.",
        id="denied another action",
    ),
    *(
        pytest.param(
            client_error(code, "The security token is bad"),
            code,
            f"AWS does not accept the credentials ({code}: The security token is bad): {correct}, then run again.",
            id=code,
        )
        for code, correct in {
            "ExpiredToken": RENEW,
            "ExpiredTokenException": RENEW,
            "InvalidClientTokenId": RENEW,
            "InvalidSignatureException": SET_CLOCK,
            "MissingAuthenticationTokenException": RENEW,
            "SignatureDoesNotMatch": SET_CLOCK,
            "UnrecognizedClientException": RENEW,
        }.items()
    ),
    *(
        pytest.param(
            client_error(code, f"Credential should be scoped to a valid region{more}. "),
            code,
            f"AWS does not accept the region ({code}: Credential should be scoped to a valid region{more}): correct "
            "region, or endpoint_url.",
            id=f"{code} of another region",
        )
        for code, more in {"InvalidSignatureException": "", "SignatureDoesNotMatch": ", not 'eu-centrl-1'"}.items()
    ),
    *(
        pytest.param(
            client_error(code, "What it says."),
            code,
            f"{code} (What it says): the service failed, so run again later.",
            id=code,
        )
        for code in (
            "InternalFailure",
            "InternalServerError",
            "InternalServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        )
    ),
    pytest.param(
        client_error("ThrottlingException", "Rate exceeded"),
        "ThrottlingException",
        "ThrottlingException (Rate exceeded): lower concurrency, then run again.",
        id="ThrottlingException",
    ),
    pytest.param(
        client_error("ConflictException", "Another operation is in progress."),
        "ConflictException",
        "ConflictException: Another operation is in progress.",
        id="an error for which only another service has a remedy",
    ),
    pytest.param(
        client_error("ResourceNotAvailableException", "Not now."),
        "ResourceNotAvailableException",
        "ResourceNotAvailableException: Not now.",
        id="another error of the service",
    ),
    pytest.param(client_error("Odd", ""), "Odd", "Odd: no message.", id="an error without a message"),
    pytest.param(client_error("Odd", None), "Odd", "Odd: no message.", id="an error with null for a message"),
    pytest.param(
        client_error("Odd", " Two\n  lines.\r\n"), "Odd", "Odd: Two lines.", id="an error whose message has two lines"
    ),
    pytest.param(client_error("Odd", "Really?"), "Odd", "Odd: Really?", id="an error whose message asks"),
    pytest.param(ClientError({}, "DescribeStacks"), "ClientError", "ClientError: no message.", id="an empty error"),
    pytest.param(exceptions.NoCredentialsError(), "NoCredentialsError", NO_CREDENTIALS, id="no credentials"),
    pytest.param(
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "PartialCredentialsError",
        NO_CREDENTIALS,
        id="half of the credentials",
    ),
    pytest.param(
        exceptions.EndpointConnectionError(endpoint_url=ENDPOINT),
        "EndpointConnectionError",
        f'Could not connect to the endpoint URL: "{ENDPOINT}": {WHERE}',
        id="unreachable",
    ),
    pytest.param(
        exceptions.ConnectTimeoutError(endpoint_url=ENDPOINT),
        "ConnectTimeoutError",
        f'Connect timeout on endpoint URL: "{ENDPOINT}": {WHERE}',
        id="connect timeout",
    ),
    pytest.param(
        exceptions.ReadTimeoutError(endpoint_url=ENDPOINT),
        "ReadTimeoutError",
        f'Read timeout on endpoint URL: "{ENDPOINT}": {WHERE}',
        id="read timeout",
    ),
    pytest.param(
        exceptions.ConnectionClosedError(endpoint_url=ENDPOINT),
        "ConnectionClosedError",
        f'Connection was closed before we received a valid response from endpoint URL: "{ENDPOINT}": {WHERE}',
        id="connection dropped",
    ),
    pytest.param(
        exceptions.SSLError(endpoint_url=ENDPOINT, error="certificate verify failed"),
        "SSLError",
        f"SSL validation failed for {ENDPOINT} certificate verify failed: check endpoint_url, the network, and this "
        "machine's clock.",
        id="certificate",
    ),
    pytest.param(
        exceptions.ProxyConnectionError(proxy_url="http://proxy.example.org"),
        "ProxyConnectionError",
        f'Failed to connect to proxy URL: "http://proxy.example.org": {WHERE}',
        id="proxy",
    ),
    pytest.param(
        exceptions.HTTPClientError(error="Broken.\nTwice."),
        "HTTPClientError",
        f"An HTTP Client raised an unhandled exception: Broken. Twice: {WHERE}",
        id="another failure of HTTP",
    ),
    pytest.param(
        exceptions.HTTPClientError(error=ValueError(f"Invalid header value b'{SECRET_URL}\\n'")),
        "HTTPClientError",
        "the request cannot be sent: check the credentials and endpoint_url for characters that do not belong there.",
        id="a header that quotes a key",
    ),
    pytest.param(
        exceptions.ResponseStreamingError(error=f"InvalidChunkLength(got length b'{SECRET_URL}', 0 bytes read)"),
        "ResponseStreamingError",
        "the connection was closed before the response was complete: check the network, then run again.",
        id="a reply that breaks off",
    ),
    pytest.param(
        exceptions.ParamValidationError(
            report='Missing required parameter in input: "UserId"\nInvalid type for Validity'
        ),
        "ParamValidationError",
        'Parameter validation failed: Missing required parameter in input: "UserId" Invalid type for Validity.',
        id="a parameter that botocore rejects",
    ),
    pytest.param(exceptions.NoRegionError(), "NoRegionError", "You must specify a region.", id="no region"),
    pytest.param(
        exceptions.ProfileNotFound(profile="lab"),
        "ProfileNotFound",
        "The config profile (lab) could not be found.",
        id="no such profile",
    ),
    pytest.param(
        exceptions.UnauthorizedSSOTokenError(),
        "UnauthorizedSSOTokenError",
        "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session "
        "run aws sso login with the corresponding profile.",
        id="an SSO session that expired",
    ),
    pytest.param(
        exceptions.CredentialRetrievalError(provider="custom-process", error_msg="it failed:\n  exit 1"),
        "CredentialRetrievalError",
        "Error when retrieving credentials from custom-process: it failed: exit 1.",
        id="a credential process that failed",
    ),
    pytest.param(
        exceptions.WaiterError(name="FleetStarted", reason="Max attempts exceeded", last_response={}),
        "WaiterError",
        "Waiter FleetStarted failed: Max attempts exceeded.",
        id="a waiter that gave up",
    ),
]


@pytest.mark.parametrize(("error", "code", "expected"), MESSAGES)
def test_what_botocore_raises_becomes_one_message(error, code, expected):
    caught = raised(error)
    attempt = "Timeout trying to" if isinstance(error, exceptions.WaiterError) else "Failed to"
    assert str(caught) == f"{attempt} create a streaming URL: {expected}"
    assert caught.code == code
    assert caught.__cause__ is error


@pytest.mark.parametrize(("error", "_code", "_message"), MESSAGES)
def test_the_text_is_one_line_that_ends_as_a_message_and_says_no_url(error, _code, _message):
    text = str(raised(error))
    assert re.search(r"[^.?!][.?!]$", text)
    assert "\n" not in text
    assert "\r" not in text
    assert "  " not in text
    assert "correct-horse" not in text
    assert "authenticate" not in text


@pytest.mark.parametrize("handler", [NimbleErrorHandler, LeaseTableErrorHandler])
@pytest.mark.parametrize(("error", "_code", "expected"), MESSAGES)
def test_what_no_service_said_is_the_same_for_each_of_them(error, _code, expected, handler):
    if not isinstance(error, ClientError):
        assert str(raised(error, handler)).endswith(expected)


def test_the_error_is_one_of_amazon_aws_and_one_of_ours():
    error = raised(client_error("Odd"))
    assert isinstance(error, AnsibleAppStreamError)
    assert isinstance(error, AnsibleAWSError)
    assert isinstance(error, LabstreamError)


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        pytest.param(
            "AccessDeniedException",
            "KMS key access denied error: no identity-based policy allows the kms:Decrypt action",
            "the credentials are not authorized to use the KMS key of the table (KMS key access denied error: "
            "no identity-based "
            "policy allows the kms:Decrypt action): allow that in their IAM policy.",
            id="the table's key is denied, though the action is allowed",
        ),
        pytest.param(
            "AccessDeniedException",
            "No.",
            "the credentials are not authorized to perform dynamodb:PutItem (No): allow this action on the "
            "lease table in their IAM "
            "policy, or correct the names and the region if they are wrong.",
            id="the action is denied",
        ),
        pytest.param(
            "ResourceInUseException",
            "Busy.",
            "ResourceInUseException (Busy): the table is being changed, so wait until that is done, then run again.",
            id="the table is being changed",
        ),
        pytest.param(
            "ProvisionedThroughputExceededException",
            "Too fast.",
            "ProvisionedThroughputExceededException (Too fast): switch the table to on-demand billing, or lower "
            "concurrency, "
            "then run again.",
            id="the table is throttled",
        ),
    ],
)
def test_what_dynamodb_rejects_becomes_one_message_with_a_remedy(code, said, expected):
    caught = raised(client_error(code, said, "PutItem"), LeaseTableErrorHandler)
    assert str(caught) == f"Failed to create a streaming URL: {expected}"
    assert caught.code == code


def test_a_remedy_follows_even_if_the_service_says_nothing():
    assert str(raised(client_error("ConflictException", None), NimbleErrorHandler)) == (
        "Failed to create a streaming URL: ConflictException (no message): another operation is in progress, so wait "
        "until it is done, then run again."
    )


# The call itself, and what is around it.


@pytest.mark.parametrize("handler", [AppStreamErrorHandler, NimbleErrorHandler])
@pytest.mark.parametrize(
    "error",
    [
        AttributeError(SECRET_URL),
        KeyError(SECRET_URL),
        TypeError(),
        ValueError(SECRET_URL),
        OverflowError(SECRET_URL),
        RecursionError(SECRET_URL),
        ResponseParserError(SECRET_URL),
        client_error("502", f"<html>{SECRET_URL}</html>"),
    ],
)
def test_a_response_that_botocore_cannot_parse_is_reported_without_quoting_it(handler, error):
    caught = raised(error, handler)
    assert str(caught) == f"Failed to create a streaming URL: {UNREADABLE}"
    assert caught.code == "InvalidResponse"
    assert isinstance(caught.__cause__, InvalidResponse)
    assert caught.__cause__.__cause__ is error


@pytest.mark.parametrize("error", [exceptions.NoRegionError(), exceptions.InvalidRegionError(region_name="x y")])
def test_what_botocore_raises_by_name_is_not_taken_for_a_response(error):
    assert raised(error).exception is error


def test_a_call_returns_the_response():
    assert call(lambda **parameters: parameters, UserId="anna") == {"UserId": "anna"}


def test_a_response_that_our_parsers_reject_is_reported_without_quoting_it():
    caught = raised(InvalidResponse("StreamingURL is not a URL"))
    assert str(caught) == f"Failed to create a streaming URL: {UNREADABLE}"
    assert caught.code == "InvalidResponse"


@pytest.mark.parametrize("members", [{}, {"Arn": None}, {"Arn": ""}])
def test_a_member_that_every_response_has_is_required(members):
    with pytest.raises(InvalidResponse, match=r"^no Arn$"):
        get_member(members, "Arn")
    assert get_member({"Arn": []}, "Arn") == []


@pytest.mark.parametrize("error", [AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError])
def test_a_bug_outside_of_the_call_is_not_taken_for_a_response(error):
    @AppStreamErrorHandler.common_error_handler("describe the stack")
    def describe():
        raise error(SECRET_URL)

    with pytest.raises(error):
        describe()


# What the decorators add.


def test_a_description_names_what_the_function_was_called_with():
    @AppStreamErrorHandler.list_error_handler("start the fleet {name!r}")
    def start(client, name):
        return call(operation(client_error("Odd", "No.")), Name=name)

    with pytest.raises(AnsibleAppStreamError, match=r"^Failed to start the fleet 'cad-fleet': Odd: No\.$"):
        start(None, name="cad-fleet")


def test_what_does_not_exist_is_the_default():
    @AppStreamErrorHandler.list_error_handler("list the fleets", ())
    def list_fleets():
        return call(operation(client_error("ResourceNotFoundException")))

    assert list_fleets() == ()


def test_an_error_of_our_own_passes_unchanged():
    error = NotReady("The fleet sleeps.")
    assert raised(error) is error


def test_a_call_that_succeeds_gives_its_result_and_keeps_its_name():
    @AppStreamErrorHandler.common_error_handler("describe the stack")
    def describe(name, *, more=0):
        """Documented."""
        return name, more

    assert describe("x", more=1) == ("x", 1)
    assert (describe.__name__, describe.__doc__) == ("describe", "Documented.")


def test_what_a_service_says_is_cut_where_it_is_too_long_but_not_what_to_do():
    expected = str(raised(client_error("AccessDenied", "spam " * 2_000_000)))
    assert len(expected) <= MAX_MESSAGE_LENGTH
    assert expected.startswith(
        "Failed to create a streaming URL: the credentials are not authorized to perform appstream:Create"
    )
    assert " ... " in expected
    assert expected.endswith("in their IAM policy, or correct the names and the region if they are wrong.")
