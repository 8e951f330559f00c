# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""How the errors of AWS calls become messages.

``call`` makes an AWS call; the decorators of ``ServiceErrorHandler`` turn what it raises into a ServiceError.
"""

from __future__ import annotations

import functools
import inspect
import re
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

try:
    from botocore import exceptions as botocore_exceptions
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._errors import CallTimeout, IncompleteResponse, InvalidResponse, LabstreamError, to_line, to_message
from ._network_time import run_within_limits
from ._retries import get_ssl_reason

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_INVALID_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# AWS also answers with these if the clock that a call was signed by is off by more than five minutes.
_INVALID_SIGNATURES = {"InvalidSignatureException", "SignatureDoesNotMatch"}

# How AWS names the action that is denied. It may be another than that of the operation, such as iam:PassRole.
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")

# What AWS says if they belong to another region than the endpoint that was called.
_OTHER_REGION = "scoped to a valid region"

_LATER = "the service failed, so run again later"
# For any service. The remedies of a service's own class take precedence.
_REMEDIES = {
    "InternalFailure": _LATER,
    "InternalServerError": _LATER,
    "InternalServerErrorException": _LATER,
    "InternalServerException": _LATER,
    "ServiceUnavailable": _LATER,
    "ServiceUnavailableException": _LATER,
    "ThrottlingException": "lower concurrency, then run again",
}

# OpenSSL's codes for a certificate that is signed by nobody who is known.
_UNKNOWN_ISSUER = (18, 19, 20, 21)

# What botocore's parsers raise over a response that is not one of the service's API.
_PARSER_ERRORS = (AttributeError, LookupError, OverflowError, RuntimeError, TypeError, ValueError)


class ServiceError(AnsibleAWSError, LabstreamError):
    """A call to a service failed.

    The class of a service says which prefix its IAM actions have, which resources they act on, which of them no policy
    can restrict to a resource, and what to do about errors whose messages do not say so.
    """

    iam_prefix: ClassVar[str]
    resources: ClassVar[str]
    unconfined: ClassVar[frozenset[str]] = frozenset()
    remedies: ClassVar[Mapping[str, str]] = {}

    @property
    def code(self) -> str:
        """The service's error code, or the name of the exception if the service has not answered."""
        return _get_code(self.exception)

    def __str__(self) -> str:
        return to_message(f"{self.message}: {self.explain()}")

    def explain(self) -> str:
        """Return why the call failed and what to do about it."""
        if not isinstance(self.exception, botocore_exceptions.ClientError):
            return _explain(self.exception)
        said = self.service_message
        if self.code in _DENIED:
            operation = self.exception.operation_name
            action = f"{self.iam_prefix}:{operation}"
            named = _ACTION.search(said)
            if named and named[1].lower() != action.lower():
                return (
                    f"the credentials are not authorized to perform {named[1]} ({said}): allow this action on that "
                    "resource in their IAM policy."
                )
            resources = 'all resources ("*")' if operation in self.unconfined else self.resources
            return (
                f"the credentials are not authorized to perform {action} ({said}): allow this "
                f"action on {resources} in their IAM policy, or correct the names and the region if they are wrong."
            )
        if _OTHER_REGION in said:
            return f"AWS does not accept the region ({self.code}: {said}): correct region, or endpoint_url."
        if self.code in _INVALID_CREDENTIALS:
            remedy = (
                "correct them or this machine's clock" if self.code in _INVALID_SIGNATURES else "renew or correct them"
            )
            return f"AWS does not accept the credentials ({self.code}: {said}): {remedy}, then run again."
        known_remedy = self.remedies.get(self.code) or _REMEDIES.get(self.code)
        return f"{self.code} ({said}): {known_remedy}." if known_remedy else _end(f"{self.code}: {said}")

    @property
    def is_denied(self) -> bool:
        """Whether the credentials lack the permission for the call."""
        return self.code in _DENIED

    @property
    def service_message(self) -> str:
        """The message of the service's error. Other exceptions have none, or a response of another kind."""
        is_answer = isinstance(self.exception, botocore_exceptions.ClientError)
        error = self.exception.response.get("Error", {}) if is_answer else {}
        return to_line(error.get("Message") or "no message")


class ServiceErrorHandler(AWSErrorHandler):
    """Decorators for functions that make one ``call`` each. The class of a service names its exception.

    A description may have placeholders for the function's parameters, as in ``"start the fleet {name!r}"``.
    """

    _CUSTOM_EXCEPTION: type[ServiceError]

    @classmethod
    def _is_missing(cls) -> Any:
        return is_boto3_error_code("ResourceNotFoundException")

    @classmethod
    def common_error_handler(cls, description: str) -> Callable[[_Function], _Function]:
        """Raise the service's exception for what botocore and ``call`` raise."""
        handle = super().common_error_handler

        def wrapper(func: _Function) -> _Function:
            signature = inspect.signature(func)

            @functools.wraps(func)
            def handler(*args: Any, **kwargs: Any) -> Any:
                described = description.format_map(signature.bind(*args, **kwargs).arguments)
                try:
                    return handle(described)(func)(*args, **kwargs)
                except (CallTimeout, InvalidResponse) as e:
                    raise cls._CUSTOM_EXCEPTION(f"Failed to {described}", e) from e

            return cast(_Function, handler)

        return wrapper

    @classmethod
    def list_error_handler(cls, description: str, default_value: Any = None) -> Callable[[_Function], _Function]:
        """Do the same, and return the default for what does not exist. The signature stays known, for placeholders."""

        def wrapper(func: _Function) -> _Function:
            @cls.common_error_handler(description)
            @functools.wraps(func)
            def handler(*args: Any, **kwargs: Any) -> Any:
                try:
                    return func(*args, **kwargs)
                except cls._is_missing():
                    return default_value

            return cast(_Function, handler)

        return wrapper


def call(operation: Callable[..., Any], **parameters: Any) -> Any:
    """Return the response to an operation of a client, such as ``call(client.describe_fleets, Names=names)``.

    Nothing but the call is within the broad ``except``, so that a bug in what reads the response is seen as one.

    Raises:
        ClientError: the service answered with an error.
        BotoCoreError: the call could not be made, or was not answered.
        InvalidResponse: botocore cannot parse the response.
        CallTimeout: the call took too long.
        CredentialsError: the credentials cannot be renewed.
    """
    try:
        return run_within_limits(partial(operation, **parameters))
    except botocore_exceptions.ClientError as e:
        # botocore takes the status of a proxy's error page for the code, and the page for the message.
        if _get_code(e).isdigit():
            raise InvalidResponse("an error page") from e
        raise
    except botocore_exceptions.BotoCoreError:
        raise
    except (ResponseParserError, *_PARSER_ERRORS) as e:
        raise InvalidResponse(type(e).__name__) from e


def list_all(client: Any, operation: str, member: str, **parameters: Any) -> list[Any]:
    """Return the items that this member has on all pages of an operation. Raises what ``call`` raises."""
    return call(client.get_paginator(operation).paginate(**parameters).build_full_result).get(member, [])


def get_member(members: Mapping[str, Any], name: str) -> Any:
    """Return a member that every response has.

    Raises:
        InvalidResponse: the member is missing or empty.
    """
    value = members.get(name)
    if value is None or value == "":
        raise InvalidResponse(f"no {name}")
    return value


def _get_code(exception: Exception | None) -> str:
    if isinstance(exception, botocore_exceptions.ClientError):
        return exception.response.get("Error", {}).get("Code", "") or type(exception).__name__
    return type(exception).__name__


def _explain(exception: Exception | None) -> str:
    """Return why a call failed that the service did not answer with an error."""
    if isinstance(exception, (botocore_exceptions.NoCredentialsError, botocore_exceptions.PartialCredentialsError)):
        return (
            "no AWS credentials were found: set profile, or access_key and secret_key, or their environment variables."
        )
    if isinstance(exception, (IncompleteResponse, botocore_exceptions.ResponseStreamingError)):
        return "the connection was closed before the response was complete: check the network, then run again."
    if isinstance(exception, CallTimeout):
        return str(exception)
    # The text of neither is shown: that of the second may quote a header.
    if isinstance(exception, InvalidResponse):
        return "the response could not be parsed: check that endpoint_url points to a server that implements this API."
    reason = exception.kwargs.get("error") if isinstance(exception, botocore_exceptions.HTTPClientError) else None
    if isinstance(reason, ValueError):
        return (
            "the request cannot be sent: check the credentials and endpoint_url for characters that do not belong "
            "there."
        )
    said = to_line(str(exception))
    if isinstance(exception, botocore_exceptions.SSLError):
        return f"{said}: {_get_ssl_remedy(get_ssl_reason(exception))}."
    if isinstance(exception, (botocore_exceptions.HTTPClientError, botocore_exceptions.ConnectionError)):
        return f"{said}: check the network, and whether region and endpoint_url are correct."
    return _end(said)


def _get_ssl_remedy(reason: Exception | None) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError) and reason.verify_code in _UNKNOWN_ISSUER:
        return (
            "set AWS_CA_BUNDLE, or aws_ca_bundle, to a file with the certificate of its issuer, such as that of your "
            "organization's proxy"
        )
    if isinstance(reason, OSError) and not isinstance(reason, ssl.SSLCertVerificationError | ssl.SSLEOFError):
        return "check the file that AWS_CA_BUNDLE, or aws_ca_bundle, names, and endpoint_url"
    return "check endpoint_url, the network, and this machine's clock"


def _end(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text}."
