# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what botocore raises to one sentence for the user, in the style of amazon.aws's error handlers."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

try:
    from botocore import exceptions as botocore_exceptions
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80

# So many characters has a sentence at most, whatever a service has said.
MAX_MESSAGE_LENGTH = 1500


def quote(value: Any) -> str:
    """The value as a sentence shows it: quoted, and cut in the middle when it is long."""
    return _SHORT.repr(value)


def to_message(text: str) -> str:
    """The text in one line, and without its middle if it is too long: the end says what to do."""
    line = " ".join(text.splitlines())
    half = (MAX_MESSAGE_LENGTH - 5) // 2
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[:half]} ... {line[-half:]}"


class LabstreamError(Exception):
    """The base of all errors that this collection raises on purpose.

    ``code`` names the kind of error in one word, for a program that reads the result.
    """

    code = "LabstreamError"

    def __str__(self) -> str:
        return to_message(super().__str__())


class InvalidOption(LabstreamError):
    """An option's value is outside what the service accepts, or contradicts another option."""

    code = "InvalidOption"


class NotReady(LabstreamError):
    """A stack, fleet or session is missing or in a state in which it cannot stream."""

    code = "NotReady"


class LeaseStoreError(LabstreamError):
    """The lease store cannot be opened, read or written."""

    code = "LeaseStoreError"


class LeaseConflict(LabstreamError):
    """Other runs kept replacing a lease while this one tried to write its own."""

    code = "LeaseConflict"


_Function = TypeVar("_Function", bound=Callable[..., Any])

_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_REFUSED_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# Among these, what AWS also answers if the clock by which a call was signed is off by more than five minutes.
_REFUSED_SIGNATURES = {"InvalidSignatureException", "SignatureDoesNotMatch"}

_LATER = "the service failed, so run again later"
_LESS_AT_ONCE = "have the table billed on demand, or lower concurrency, then run again"

# For errors that any service may answer with. What a service's own class says goes first.
_REMEDIES = {
    "InternalFailure": _LATER,
    "InternalServerError": _LATER,
    "InternalServerErrorException": _LATER,
    "ServiceUnavailable": _LATER,
    "ThrottlingException": "lower concurrency, then run again",
}

# How botocore's parsers, and ours, stumble over what is no reply of the service.
_PARSER_ERRORS = (AttributeError, LookupError, OverflowError, RuntimeError, TypeError, ValueError)


class ServiceError(AnsibleAWSError, LabstreamError):
    """A call to a service that failed. Its text is one sentence; ``code`` is the service's error code.

    A service's own class says by which prefix IAM knows its actions and what they act on, which of them no policy can
    confine to a resource, and what to do about codes whose message does not tell.
    """

    iam_prefix: ClassVar[str]
    resources: ClassVar[str]
    unconfined: ClassVar[frozenset[str]] = frozenset()
    remedies: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str | None = None, exception: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(message=message, exception=exception, **kwargs)
        self.code = _code_of(exception)

    def __str__(self) -> str:
        return to_message(f"{self.message}: {self._sentence()}")

    def _sentence(self) -> str:
        if not isinstance(self.exception, botocore_exceptions.ClientError):
            return _sentence(self.exception)
        said = _said(self.exception)
        if self.code in _DENIED:
            operation = self.exception.operation_name
            resources = 'all resources ("*")' if operation in self.unconfined else self.resources
            return (
                f"the credentials may not do {self.iam_prefix}:{operation} ({said}): allow this action on {resources} "
                "in their IAM policy, or correct the names and the region if they are wrong."
            )
        if self.code in _REFUSED_CREDENTIALS:
            correct = (
                "correct them or this machine's clock" if self.code in _REFUSED_SIGNATURES else "renew or correct them"
            )
            return f"AWS does not accept the credentials ({self.code}: {said}): {correct}, then run again."
        remedy = self.remedies.get(self.code) or _REMEDIES.get(self.code)
        return f"{self.code} ({said}): {remedy}." if remedy else _ended(f"{self.code}: {said}")


class ServiceErrorHandler(AWSErrorHandler):
    """Decorators for functions that make one call each. A service's own class names its exception."""

    _CUSTOM_EXCEPTION: type[ServiceError]

    @classmethod
    def common_error_handler(cls, description: str) -> Callable[[_Function], _Function]:
        """Raise what botocore raises as the service's exception, also over a reply that is none of the service's."""
        handled_by_amazon_aws = super().common_error_handler(description)

        def wrapper(func: _Function) -> _Function:
            @handled_by_amazon_aws
            @functools.wraps(func)
            def handler(*args: Any, **kwargs: Any) -> Any:
                try:
                    return func(*args, **kwargs)
                except botocore_exceptions.ClientError as e:
                    # Of a proxy's page with an error's status, botocore makes that the code, and the page the message.
                    if _code_of(e).isdigit():
                        raise cls._unreadable(description, e) from e
                    raise
                # The first has none of botocore's base classes; over some pages its parsers stumble like the others.
                except (ResponseParserError, *_PARSER_ERRORS) as e:
                    raise cls._unreadable(description, e) from e

            return handler

        return wrapper

    @classmethod
    def _unreadable(cls, description: str, reason: Exception) -> ServiceError:
        return cls._CUSTOM_EXCEPTION(f"Failed to {description}", ResponseParserError(type(reason).__name__))


class AnsibleAppStreamError(ServiceError):
    """A call to AppStream that failed."""

    iam_prefix = "appstream"
    resources = "this stack and fleet"
    # Those without a resource type in AWS's service authorization reference.
    unconfined = frozenset({"DescribeFleets", "DescribeStacks", "ExpireSession"})
    remedies: ClassVar[Mapping[str, str]] = {
        "ConcurrentModificationException": "something else is changing it, so wait a few minutes, then run again",
        "InvalidAccountStatusException": "AWS has suspended the account, so ask AWS Support",
        "InvalidRoleException": "correct the IAM role of the fleet, then run again",
        "LimitExceededException": "ask for less, or have the quota raised (Service Quotas), then run again",
        "RequestLimitExceededException": "wait a few minutes, then run again",
    }


class AppStreamErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one AppStream call each."""

    _CUSTOM_EXCEPTION = AnsibleAppStreamError


class AnsibleNimbleError(ServiceError):
    """A call to Nimble Studio that failed."""

    iam_prefix = "nimble"
    resources = "this studio and its sessions"
    remedies: ClassVar[Mapping[str, str]] = {
        "ConflictException": "another operation is in progress, so wait until it is done, then run again",
        "ResourceNotFoundException": "correct studio_id, the session's id and the region, or look whose credentials "
        "these are",
        "ServiceQuotaExceededException": "delete what is not needed any more or have the quota raised, then run again",
        "ValidationException": "correct what it names; a client_token that has been used with other parameters must be "
        "changed",
    }


class NimbleErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one Nimble Studio call each."""

    _CUSTOM_EXCEPTION = AnsibleNimbleError


class AnsibleLeaseTableError(ServiceError):
    """A call to DynamoDB, for the table that leases are remembered in, that failed."""

    iam_prefix = "dynamodb"
    resources = "the lease table"
    remedies: ClassVar[Mapping[str, str]] = {
        "ProvisionedThroughputExceededException": _LESS_AT_ONCE,
        "RequestLimitExceeded": _LESS_AT_ONCE,
        "ResourceInUseException": "the table is being changed, so wait until that is done, then run again",
        "ResourceNotFoundException": "create it by the playbook labstream.aws.lease_table, or correct its name and its "
        "region, and look whose credentials these are",
        "ThrottlingException": _LESS_AT_ONCE,
    }

    def _sentence(self) -> str:
        said = _said(self.exception) if self.code in _DENIED else ""
        if "KMS" in said:
            return f"the credentials may not use the KMS key of the table ({said}): allow that in their IAM policy."
        return super()._sentence()


class LeaseTableErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one DynamoDB call each."""

    _CUSTOM_EXCEPTION = AnsibleLeaseTableError


def _code_of(exception: Exception | None) -> str:
    if isinstance(exception, botocore_exceptions.ClientError):
        return exception.response.get("Error", {}).get("Code", "") or type(exception).__name__
    return type(exception).__name__


def _said(error: Any) -> str:
    """What the service says of a botocore ClientError."""
    return _one_line(error.response.get("Error", {}).get("Message") or "no message")


def _sentence(exception: Exception | None) -> str:
    """What to tell of an exception that is no reply of the service."""
    if isinstance(exception, (botocore_exceptions.NoCredentialsError, botocore_exceptions.PartialCredentialsError)):
        return (
            "no AWS credentials were found: set profile, or access_key and secret_key, or their environment variables."
        )
    # The texts of the next two quote the reply, which may hold a streaming URL, and the third a header with a key.
    if isinstance(exception, ResponseParserError):
        return "the reply cannot be read: look whether endpoint_url names a server that speaks this API."
    if isinstance(exception, botocore_exceptions.ResponseStreamingError):
        return "the connection broke off within the reply: look at the network, then run again."
    reason = exception.kwargs.get("error") if isinstance(exception, botocore_exceptions.HTTPClientError) else None
    if isinstance(reason, ValueError):
        return (
            "the request cannot be sent: look whether the credentials and endpoint_url have a character that does not "
            "belong there."
        )
    said = _one_line(str(exception))
    if isinstance(exception, (botocore_exceptions.HTTPClientError, botocore_exceptions.ConnectionError)):
        return f"{said}: look at the network, and whether region and endpoint_url are right."
    return _ended(said)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _ended(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text}."
