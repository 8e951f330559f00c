# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import (
    Stream,
    describe_state,
    session_problem,
)

# Every state and status code of the API, with the words that users get.
STREAM_STATES = {
    "READY": "good",
    "CREATE_IN_PROGRESS": "in progress",
    "DELETE_IN_PROGRESS": "dead",
    "DELETED": "dead",
    "CREATE_FAILED": "dead",
    "DELETE_FAILED": "dead",
    # Whatever else a service may say, and if it says nothing.
    "SOMETHING_NEW": "dead",
    None: "dead",
}
STREAM_STATUS_CODES = {
    "STREAM_CREATE_IN_PROGRESS": "X (STREAM_CREATE_IN_PROGRESS)",
    "STREAM_READY": "X (STREAM_READY)",
    "STREAM_DELETE_IN_PROGRESS": "X (STREAM_DELETE_IN_PROGRESS: it is being deleted or has just expired)",
    "STREAM_DELETED": "X (STREAM_DELETED: it was deleted or has expired)",
    "INTERNAL_ERROR": "X (INTERNAL_ERROR: the service failed)",
    "NETWORK_CONNECTION_ERROR": "X (NETWORK_CONNECTION_ERROR: the session's instance cannot be reached)",
}
SESSION_STATUS_CODES = {
    "STREAMING_SESSION_READY": "X (STREAMING_SESSION_READY)",
    "STREAMING_SESSION_DELETED": "X (STREAMING_SESSION_DELETED)",
    "STREAMING_SESSION_CREATE_IN_PROGRESS": "X (STREAMING_SESSION_CREATE_IN_PROGRESS)",
    "STREAMING_SESSION_DELETE_IN_PROGRESS": "X (STREAMING_SESSION_DELETE_IN_PROGRESS)",
    "STREAMING_SESSION_STOPPED": "X (STREAMING_SESSION_STOPPED)",
    "STREAMING_SESSION_STARTED": "X (STREAMING_SESSION_STARTED)",
    "STREAMING_SESSION_STOP_IN_PROGRESS": "X (STREAMING_SESSION_STOP_IN_PROGRESS)",
    "STREAMING_SESSION_START_IN_PROGRESS": "X (STREAMING_SESSION_START_IN_PROGRESS)",
    "INTERNAL_ERROR": "X (INTERNAL_ERROR: the service failed)",
    "INSUFFICIENT_CAPACITY": "X (INSUFFICIENT_CAPACITY: AWS has no capacity for this instance type)",
    "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR": (
        "X (ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR: its instance could not join the domain)"
    ),
    "NETWORK_CONNECTION_ERROR": "X (NETWORK_CONNECTION_ERROR: the session's instance cannot be reached)",
    "INITIALIZATION_SCRIPT_ERROR": (
        "X (INITIALIZATION_SCRIPT_ERROR: an initialization script of its launch profile failed)"
    ),
    "DECRYPT_STREAMING_IMAGE_ERROR": ("X (DECRYPT_STREAMING_IMAGE_ERROR: its streaming image could not be decrypted)"),
    "NETWORK_INTERFACE_ERROR": "X (NETWORK_INTERFACE_ERROR: its network interface could not be created)",
    "AMI_VALIDATION_ERROR": "X (AMI_VALIDATION_ERROR: its streaming image is not valid)",
}
OTHER_STATUS_CODES = {"SOMETHING_NEW": "X (SOMETHING_NEW)", "": "X", None: "X"}

START = (
    "start it (StartStreamingSession by labstream.aws.nimble_session, or nimble_lab_start_sessions of the role "
    "labstream.aws.nimble_lab)"
)
REPLACE = "name another session, or create a new one (CreateStreamingSession)"
SESSION_STATES = {
    "CREATE_IN_PROGRESS": "wait until it is READY",
    "START_IN_PROGRESS": "wait until it is READY",
    "STOPPED": f"{START}, wait until it is READY",
    "STOP_IN_PROGRESS": f"wait until it is STOPPED, {START}, wait until it is READY",
    "STOP_FAILED": "stop it again (StopStreamingSession) or replace it",
    "START_FAILED": "fix the cause and start it again (StartStreamingSession), or replace it",
    "CREATE_FAILED": "fix the cause and replace it with a new session (CreateStreamingSession)",
    "DELETE_IN_PROGRESS": REPLACE,
    "DELETED": REPLACE,
    "DELETE_FAILED": REPLACE,
    "SOMETHING_NEW": REPLACE,
    None: REPLACE,
}


@pytest.mark.parametrize(("state", "verdict"), STREAM_STATES.items())
@pytest.mark.parametrize("status_code", [*STREAM_STATUS_CODES, *OTHER_STATUS_CODES])
def test_a_stream_is_judged_by_its_state_and_not_by_its_status_code(state, verdict, status_code):
    stream = Stream("stream-1", state, status_code, url="https://studio.example.org/")
    assert stream.is_in_progress is (verdict == "in progress")
    assert stream.is_dead is (verdict == "dead")


def test_a_stream_that_is_ready_but_has_no_url_is_still_on_its_way():
    stream = Stream("stream-1", "READY", "STREAM_READY")
    assert (stream.is_in_progress, stream.is_dead, stream.status) == (True, False, "READY without a URL")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"),
        ("READY", "READY (STREAM_DELETED: it was deleted or has expired)"),
        ("DELETED", "DELETED (STREAM_DELETED: it was deleted or has expired)"),
    ],
)
def test_the_status_of_a_stream_is_its_state_and_if_it_is_not_in_progress_why(state, status):
    assert Stream("stream-1", state, "STREAM_DELETED", url="https://studio.example.org/").status == status


@pytest.mark.parametrize(
    ("status_code", "words"), (STREAM_STATUS_CODES | SESSION_STATUS_CODES | OTHER_STATUS_CODES).items()
)
def test_a_status_code_is_reported_with_what_it_means(status_code, words):
    assert describe_state("X", status_code) == words


def test_a_state_that_is_missing_is_reported():
    assert describe_state(None, None) == "None"


@pytest.mark.parametrize(("state", "remedy"), SESSION_STATES.items())
@pytest.mark.parametrize("status_code", [*SESSION_STATUS_CODES, *OTHER_STATUS_CODES])
def test_a_session_that_is_not_ready_is_reported_with_what_to_do(state, remedy, status_code):
    words = (SESSION_STATUS_CODES | OTHER_STATUS_CODES)[status_code].replace("X", str(state), 1)
    assert session_problem("session-anna", state, status_code) == (
        f"Session 'session-anna' is {words}, not READY: {remedy}, then run again."
    )


def test_a_session_that_is_stopped_says_what_starts_it():
    """The message in full."""
    assert session_problem("session-anna", "STOPPED", "STREAMING_SESSION_STOPPED") == (
        "Session 'session-anna' is STOPPED (STREAMING_SESSION_STOPPED), not READY: start it (StartStreamingSession by "
        "labstream.aws.nimble_session, or nimble_lab_start_sessions of the role labstream.aws.nimble_lab), wait until "
        "it is READY, then run again."
    )


def test_nothing_that_is_printed_of_a_stream_shows_its_url():
    stream = Stream("stream-1", "READY", url="https://studio.example.org/authenticate?swordfish")
    for printed in (repr(stream), str(stream), f"{stream}", repr([stream])):
        assert "swordfish" not in printed
        assert "https" not in printed
    assert "stream-1" in repr(stream)
