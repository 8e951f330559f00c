# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Nimble Studio rejects, as users read it."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.errors import AnsibleAppStreamError
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._nimble.errors import AnsibleNimbleError, NimbleErrorHandler
from botocore.exceptions import ClientError


def raised(code, message, operation):
    """What a caller gets when the service answers this."""

    @NimbleErrorHandler.common_error_handler("create a streaming URL")
    def create():
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    with pytest.raises(LabstreamError) as caught:
        create()
    return caught.value


# The seven errors that each operation may raise, another one, and one that all services share.
MESSAGES = [
    (
        "AccessDeniedException",
        "the credentials are not authorized to perform nimble:CreateStreamingSessionStream (What it says): "
        "allow this action on this "
        "studio and its sessions in their IAM policy, or correct the names and the region if they are wrong.",
    ),
    (
        "ConflictException",
        "ConflictException (What it says): another operation is in progress, so wait until it is done, then run again.",
    ),
    (
        "InternalServerErrorException",
        "InternalServerErrorException (What it says): the service failed, so run again later.",
    ),
    (
        "ResourceNotFoundException",
        "ResourceNotFoundException (What it says): correct studio_id, the session's id and the region, or check that "
        "the credentials belong to the right account.",
    ),
    (
        "ServiceQuotaExceededException",
        "ServiceQuotaExceededException (What it says): delete what is no longer needed, or request a quota increase, "
        "then run again.",
    ),
    ("ThrottlingException", "ThrottlingException (What it says): lower concurrency, then run again."),
    (
        "ValidationException",
        "ValidationException (What it says): correct what it names; a client_token that has been used with other "
        "parameters must be changed.",
    ),
    ("SomethingNewException", "SomethingNewException: What it says."),
    (
        "UnrecognizedClientException",
        "AWS does not accept the credentials (UnrecognizedClientException: What it says): renew or correct them, then "
        "run again.",
    ),
]


@pytest.mark.parametrize(("code", "expected"), MESSAGES)
@pytest.mark.parametrize("said", ["What it says.", " What\n it says "])
def test_what_nimble_studio_rejects_becomes_one_message_with_a_remedy(code, expected, said):
    caught = raised(code, said, "CreateStreamingSessionStream")
    assert str(caught) == f"Failed to create a streaming URL: {expected}"
    assert caught.code == code
    assert isinstance(caught, AnsibleNimbleError)
    assert not isinstance(caught, AnsibleAppStreamError)


@pytest.mark.parametrize(
    "operation", ["GetStudio", "GetStreamingSession", "ListStreamingSessions", "GetStreamingSessionStream"]
)
def test_denied_names_the_action_of_nimble_studio(operation):
    text = str(raised("AccessDeniedException", "No.", operation))
    assert (
        f"the credentials are not authorized to perform nimble:{operation} (No): allow this action on this studio"
        in text
    )
