# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what botocore raises to one sentence for the user, in the style of amazon.aws's error handlers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

try:
    from botocore import exceptions as botocore_exceptions
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from .exceptions import LabstreamError

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


class AnsibleAppStreamError(AnsibleAWSError, LabstreamError):
    """A call to AppStream that failed. Its text is one sentence; ``code`` is the service's error code."""

    def __init__(self, message: str | None = None, exception: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(message=message, exception=exception, **kwargs)
        self.code = _code_of(exception)

    def __str__(self) -> str:
        return f"{self.message}: {_sentence(self.exception, self.code)}"


class AppStreamErrorHandler(AWSErrorHandler):
    """Decorators for functions that make one AppStream call each."""

    _CUSTOM_EXCEPTION = AnsibleAppStreamError

    @classmethod
    def common_error_handler(cls, description: str) -> Callable[[_Function], _Function]:
        """Raise what botocore raises as AnsibleAppStreamError, also over a reply that is none of the service's."""
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
                except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError) as e:
                    raise cls._unreadable(description, e) from e

            return handler

        return wrapper

    @classmethod
    def _unreadable(cls, description: str, reason: Exception) -> AnsibleAppStreamError:
        return cls._CUSTOM_EXCEPTION(f"Failed to {description}", ResponseParserError(type(reason).__name__))


def _code_of(exception: Exception | None) -> str:
    if isinstance(exception, botocore_exceptions.ClientError):
        return exception.response.get("Error", {}).get("Code", "") or type(exception).__name__
    return type(exception).__name__


def _sentence(exception: Exception | None, code: str) -> str:
    if isinstance(exception, botocore_exceptions.ClientError):
        said = _one_line(exception.response.get("Error", {}).get("Message") or "no message")
        if code in _DENIED:
            action = f"appstream:{exception.operation_name}"
            return (
                f"the credentials may not do {action} ({said}): allow this action on this stack and fleet in their IAM "
                "policy, or correct the names and the region if they are wrong."
            )
        if code in _REFUSED_CREDENTIALS:
            return f"AWS does not accept the credentials ({code}: {said}): renew or correct them, then run again."
        return _ended(f"{code}: {said}")
    if isinstance(exception, (botocore_exceptions.NoCredentialsError, botocore_exceptions.PartialCredentialsError)):
        return (
            "no AWS credentials were found: set profile, or access_key and secret_key, or their environment variables."
        )
    # The texts of the next two quote the reply, which may hold a streaming URL.
    if isinstance(exception, ResponseParserError):
        return "the reply cannot be read: look whether endpoint_url names a server that speaks this API."
    if isinstance(exception, botocore_exceptions.ResponseStreamingError):
        return "the connection broke off within the reply: look at the network, then run again."
    said = _one_line(str(exception))
    if isinstance(exception, (botocore_exceptions.HTTPClientError, botocore_exceptions.ConnectionError)):
        return f"{said}: look at the network, and whether region and endpoint_url are right."
    return _ended(said)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _ended(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text}."
