# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import (
    Target,
    create_streaming_url,
    describe_fleet,
    describe_stack,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    LabstreamError,
    NotReady,
)
from botocore.exceptions import ClientError

CREATED = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC)
ARN = "arn:aws:appstream:eu-central-1:123456789012"
STACK = {"Name": "cad-course", "Arn": f"{ARN}:stack/cad-course", "CreatedTime": CREATED}
FLEET = {"Name": "cad-fleet", "Arn": f"{ARN}:fleet/cad-fleet", "CreatedTime": CREATED, "State": "RUNNING"}
READY = Target(
    region="eu-central-1",
    stack_name="cad-course",
    fleet_name="cad-fleet",
    stack=STACK,
    fleet=FLEET,
    associated_fleets=["other-fleet", "cad-fleet"],
)


def target(**fields):
    return dataclasses.replace(READY, **fields)


def fleet(**fields):
    return target(fleet={**FLEET, **fields})


@pytest.mark.parametrize(
    "ready",
    [
        READY,
        target(associated_fleets=["cad-fleet"]),
        fleet(DomainJoinInfo=None),
        fleet(DomainJoinInfo={}),
        fleet(FleetErrors=[{"ErrorCode": "ODD"}]),
    ],
)
def test_a_running_fleet_of_the_stack_can_stream(ready):
    ready.validate_can_stream()


@pytest.mark.parametrize(
    ("unready", "message"),
    [
        pytest.param(
            target(stack=None),
            "Stack 'cad-course' does not exist in region eu-central-1: check stack_name and region, and that the "
            "credentials belong to the right account.",
            id="no such stack",
        ),
        pytest.param(
            target(fleet=None),
            "Fleet 'cad-fleet' does not exist in region eu-central-1: check fleet_name and region, and that the "
            "credentials belong to the right account.",
            id="no such fleet",
        ),
        pytest.param(
            target(associated_fleets=["cad-fleet-2", "CAD-fleet"]),
            "Fleet 'cad-fleet' is not associated with stack 'cad-course': associate them (AssociateFleet), then run "
            "again.",
            id="not associated",
        ),
        pytest.param(
            target(associated_fleets=[]),
            "Fleet 'cad-fleet' is not associated with stack 'cad-course': associate them (AssociateFleet), then run "
            "again.",
            id="a stack without fleets",
        ),
        pytest.param(
            fleet(DomainJoinInfo={"DirectoryName": "corp.example.org"}),
            "Fleet 'cad-fleet' is joined to the domain 'corp.example.org', and such a fleet does not accept "
            "streaming URLs: use a fleet that is not joined to a domain, or SAML.",
            id="joined to a domain",
        ),
        pytest.param(
            fleet(State="STOPPED"),
            "Fleet 'cad-fleet' is STOPPED, not RUNNING: start it (StartFleet), wait until it is RUNNING, then run "
            "again.",
            id="stopped",
        ),
        pytest.param(
            fleet(State="STARTING"),
            "Fleet 'cad-fleet' is STARTING, not RUNNING: wait until it is RUNNING, then run again.",
            id="starting",
        ),
        pytest.param(
            fleet(State="STOPPING"),
            "Fleet 'cad-fleet' is STOPPING, not RUNNING: wait until it is STOPPED, start it (StartFleet), wait until "
            "it is RUNNING, then run again.",
            id="stopping",
        ),
    ],
)
def test_a_target_that_cannot_stream_is_rejected_with_what_is_wrong_and_what_to_do(unready, message):
    with pytest.raises(NotReady) as rejected:
        unready.validate_can_stream()
    assert str(rejected.value) == message


@pytest.mark.parametrize("state", ["STOPPED", "STARTING", "STOPPING"])
def test_before_the_fleet_is_started_all_else_is_checked(state):
    fleet(State=state).validate_can_stream(is_running=False)

    with pytest.raises(NotReady, match="not associated"):
        dataclasses.replace(fleet(State=state), associated_fleets=[]).validate_can_stream(is_running=False)


def test_what_must_be_fixed_first_is_reported_first():
    """A stopped fleet of another stack need not be started, and one that is joined to a domain never."""
    broken = target(
        associated_fleets=[], fleet={**FLEET, "State": "STOPPED", "DomainJoinInfo": {"DirectoryName": "corp"}}
    )
    with pytest.raises(NotReady, match="not associated"):
        broken.validate_can_stream()
    with pytest.raises(NotReady, match="joined to the domain"):
        dataclasses.replace(broken, associated_fleets=["cad-fleet"]).validate_can_stream()


# Where its leases are found, also when it is gone.


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(READY, id="both are there"),
        pytest.param(target(stack=None), id="the stack is gone"),
        pytest.param(target(fleet=None), id="the fleet is gone"),
    ],
)
def test_the_arns_are_the_same_whether_stack_and_fleet_are_there_or_gone(where):
    assert (where.stack_arn, where.fleet_arn) == (STACK["Arn"], FLEET["Arn"])


def test_without_stack_and_fleet_there_are_no_arns():
    gone = target(stack=None, fleet=None)
    assert (gone.stack_arn, gone.fleet_arn) == (None, None)


LATER = CREATED + timedelta(hours=1)


@pytest.mark.parametrize(
    ("stack", "fleet_created", "created"),
    [
        pytest.param(CREATED, LATER, LATER, id="the fleet is younger"),
        pytest.param(LATER, CREATED, LATER, id="the stack is younger"),
        pytest.param(LATER, None, LATER, id="only the stack has it"),
        pytest.param(None, LATER, LATER, id="only the fleet has it"),
        pytest.param(None, None, datetime(1, 1, 1, tzinfo=UTC), id="none has it"),
        pytest.param(CREATED.replace(microsecond=999_000), CREATED, CREATED, id="rounded down"),
        pytest.param(CREATED.astimezone(timezone(timedelta(hours=9))), None, CREATED, id="of another zone"),
    ],
)
def test_a_target_is_as_old_as_the_younger_of_stack_and_fleet(stack, fleet_created, created):
    made = target(stack={**STACK, "CreatedTime": stack}, fleet={**FLEET, "CreatedTime": fleet_created})
    assert made.created == created
    assert made.created.utcoffset() == timedelta(0)


# What CreateStreamingURL replies.


class Replies:
    """A client that gives one reply."""

    def __init__(self, reply):
        self.reply = reply

    def create_streaming_url(self, **parameters):
        self.parameters = parameters
        return self.reply


def test_a_url_comes_with_the_whole_second_before_it_expires():
    local = datetime(2026, 11, 21, 17, 0, 0, 900_000, tzinfo=timezone(timedelta(hours=1)))
    client = Replies({"StreamingURL": "https://x", "Expires": local})
    assert create_streaming_url(client, UserId="anna", Validity=60) == (
        "https://x",
        datetime(2026, 11, 21, 16, 0, 0, tzinfo=UTC),
    )
    assert client.parameters == {"UserId": "anna", "Validity": 60}


@pytest.mark.parametrize(
    "reply", [{}, {"StreamingURL": "https://x"}, {"Expires": CREATED}, {"StreamingURL": "", "Expires": CREATED}]
)
def test_a_response_without_a_url_is_no_success(reply):
    with pytest.raises(NotReady) as rejected:
        create_streaming_url(Replies(reply))
    assert str(rejected.value) == "Failed to create a streaming URL: the response has none. Run again."


def test_a_url_that_is_not_of_a_web_page_is_rejected_when_it_is_issued():
    with pytest.raises(NotReady, match="the scheme 'javascript'"):
        create_streaming_url(Replies({"StreamingURL": "javascript:alert(1)", "Expires": CREATED}))


UNREADABLE = "the response could not be parsed: check that endpoint_url points to a server that implements this API."
SECRET = "correct-horse-battery-staple"


class Failing:
    """A client whose calls all raise."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        def call(**_parameters):
            raise self.error

        return call


@pytest.mark.parametrize("call", [lambda client: describe_stack(client, "x"), create_streaming_url])
@pytest.mark.parametrize(
    "error",
    [
        AttributeError(f"no {SECRET}"),
        KeyError(SECRET),
        TypeError(SECRET),
        ValueError(f"bad {SECRET}"),
        ClientError({"Error": {"Code": "502", "Message": f"<html>{SECRET}</html>"}}, "DescribeStacks"),
    ],
)
def test_a_response_of_somebody_else_is_reported_and_not_quoted(call, error):
    with pytest.raises(LabstreamError) as rejected:
        call(Failing(error))
    assert str(rejected.value).endswith(f": {UNREADABLE}")
    assert SECRET not in str(rejected.value)


@pytest.mark.parametrize("describe", [describe_stack, describe_fleet])
def test_what_the_service_does_not_find_is_none(describe):
    not_found = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "No."}}, "DescribeStacks")
    assert describe(Failing(not_found), "x") is None
