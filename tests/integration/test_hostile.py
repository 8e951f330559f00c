# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rosters and API answers of somebody who means harm: no template is evaluated, and no message is too long.

What hostile names do to handouts is in the unit tests of streaming_handout.
"""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LabRecord
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import LeaseKey
from hypothesis import given, note
from hypothesis import strategies as st

from tests import strategies
from tests.integration.lease_stores import LeaseFile
from tests.integration.running import (
    CHECKOUT,
    FLEET,
    MODULE,
    PUBLISH,
    STACK,
    STREAM_MODULE,
    STUDIO,
    Run,
    Task,
    server_that_answers,
)
from tests.simulator.control import Simulator

TARGET = {"stack_name": STACK, "fleet_name": FLEET}
SPAM = "spam " * 2_000_000
# One try shows what becomes of an answer.
ONCE = {"retries": {"total_max_attempts": 1}}
# A message, with the names of whom it is about.
MAX_LENGTH = 2000
APPSTREAM, NIMBLE = "labstream.aws.appstream_lab", "labstream.aws.nimble_lab"
CREATE_STREAM = "CreateStreamingSessionStream"
# Names that would give an error, a number or a list, and no file.
NO_TEMPLATES = ["{{ 7*7 }}", "{% for x in y %}", "{{ nix", "{# nix #}", "[1]"]


class Trap:
    """Texts that leave a file in a folder, and change, if Ansible takes them for templates."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "trap"
        self._folder.mkdir()

    def text(self, where: str) -> str:
        """A text; ``where`` names it. It is short, so that no message abbreviates it."""
        return f"{self.word(where)} {{# {where} #}}"

    def word(self, where: str) -> str:
        """A text without white space."""
        return f"{{{{lookup('pipe','>~/trap/{where}')}}}}"

    @property
    def sprung(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir())


def unsafe(value: Any) -> str:
    """The value as YAML in which no text is a template, as AWX hands over the answers of a survey."""
    if isinstance(value, str):
        return f"!unsafe {json.dumps(value)}"
    if isinstance(value, list):
        return f"[{', '.join(map(unsafe, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)}: {unsafe(part)}' for name, part in value.items())}}}"
    return json.dumps(value)


def write_csv(path: Path, learners: list[dict[str, str]]) -> None:
    """A roster with a column for each key that a learner has."""
    columns = list(dict.fromkeys(key for learner in learners for key in learner))
    with path.open("w", newline="") as opened:
        table = csv.DictWriter(opened, columns)
        table.writeheader()
        table.writerows(learners)


def published(run: Run, name: str) -> list[dict[str, Any]]:
    """The facts of the role, each time that it ran."""
    facts = [task.result["ansible_facts"] for task in run.tasks if task.name == PUBLISH]
    return [each for each in facts if f"{name.rpartition('.')[2]}_seats" in each]


def role(name: str, **variables: Any) -> dict[str, Any]:
    """A task that runs a role, and lets the play go on when it fails."""
    return {
        "block": [{"ansible.builtin.include_role": {"name": name}, "vars": variables}],
        "rescue": [{"name": "go on", "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}],
    }


@pytest.mark.core
def test_no_text_from_a_roster_or_a_service_is_ever_evaluated(
    lab: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    trap = Trap(home)
    errors = [{"ErrorCode": "INTERNAL_SERVICE_ERROR", "ErrorMessage": trap.text("fleet")}]
    lab.change_fleet(FLEET, FleetErrors=errors)
    lab.set(session_starting_seconds=0.3)
    stopped = {"sessionId": "s1", "ownedBy": trap.text("owner"), "state": "STOPPED"}
    lab.seed_studio(STUDIO, [stopped, {"sessionId": "s2", "ownedBy": "ben"}])
    for operation, selected in (("CreateStreamingURL", {"UserId": "ben"}), (CREATE_STREAM, {"sessionId": "s2"})):
        error = {"code": "AccessDeniedException", "message": trap.text(operation)}
        lab.add_fault(operation=operation, parameters=selected, error=error)
    anna = {
        "id": trap.text("learner"),
        "name": trap.text("name"),
        "email": "{{trap_email}}@example.org",
        "session_context": trap.text("session_context"),
        "application_id": trap.text("application_id"),
    }
    # An address has no parentheses, so its trap is in a variable.
    variables = {"appstream_lab_roster": str(home / "roster.csv"), "trap_email": trap.word("email")}
    lab.put_image("lab-image", Applications=[anna["application_id"]])
    others = [{"id": f"other-{number}", "name": name} for number, name in enumerate(NO_TEMPLATES)]
    write_csv(home / "roster.csv", [anna, {"id": "ben"}, *others])
    write_csv(home / "bad.csv", [{"id": "anna", "email": trap.text("bad")}])
    owner = {"id": trap.text("owner"), "name": trap.text("name")}
    answers = {
        "appstream_lab_name": trap.text("lab"),
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_validity": 3600,
        "nimble_lab_name": trap.text("lab"),
        "nimble_lab_studio_id": STUDIO,
        "nimble_lab_learners": [owner, {"id": "ben"}],
        "nimble_lab_start_sessions": True,
        "lab_handout_title": trap.text("title"),
        "lab_handout_contact": trap.text("contact"),
        "lab_handout_pages_dir": str(home / "pages"),
        "lab_handout_urls_csv": str(home / "urls.csv"),
    }
    (home / "answers.yml").write_text("".join(f"{name}: {unsafe(value)}\n" for name, value in answers.items()))
    tasks = [
        {"name": "a trap that springs", "ansible.builtin.debug": {"msg": trap.text("control")}},
        {
            "name": "a trap in a variable that springs",
            "ansible.builtin.debug": {"msg": "{{in_variable}}"},
            "vars": {"in_variable": trap.word("variable")},
        },
        role(NIMBLE),
        role(APPSTREAM, appstream_lab_roster=str(home / "bad.csv")),
    ]
    plays = [
        {"hosts": "localhost", "gather_facts": False, "tasks": tasks},
        {"import_playbook": "labstream.aws.start_lab", "vars": variables},
    ]

    run = run_playbook(plays, arguments=["--extra-vars", f"@{home / 'answers.yml'}"])

    assert trap.sprung == ["control", "variable"], run.printed
    [studied] = published(run, NIMBLE)
    [rejected, taught] = published(run, APPSTREAM)
    [seat] = studied["nimble_lab_seats"]
    assert {field: seat[field] for field in owner} == owner
    first, *rest = taught["appstream_lab_seats"]
    assert {field: first[field] for field in ("id", "name", "email")} == {
        field: anna[field] for field in ("id", "name", "email")
    }
    assert [seat["name"] for seat in rest] == NO_TEMPLATES
    summary = taught["appstream_lab_summary"]
    assert summary["lab"] == trap.text("lab")
    assert trap.text("fleet") in summary["warnings"][0]
    assert trap.text("CreateStreamingURL") in summary["message"]
    assert trap.text(CREATE_STREAM) in studied["nimble_lab_summary"]["message"]
    assert rejected["appstream_lab_summary"]["message"] == (
        f"Roster line 2, column 'email': {trap.text('bad')!r} is not an e-mail address."
    )
    assert any(trap.text("title") in html.unescape(page.read_text()) for page in (home / "pages").iterdir())
    assert trap.text("name") in (home / "urls.csv").read_text()


# What is far too long.


def check_is_cut(task: Task, begin: str, end: str) -> None:
    """The task failed with one message, the result is short, and neither its beginning nor its end is missing."""
    assert task.failed
    assert task.msg.startswith(begin)
    assert task.msg.endswith(end)
    assert len(task.msg) < MAX_LENGTH
    assert len(json.dumps(task.result)) < 10 * MAX_LENGTH


SPAMMED = {
    "AppStream": (
        {"operation": "CreateStreamingURL"},
        MODULE,
        {**TARGET, "user_id": "anna"},
        "1 of 1 got no streaming URL: anna: Failed to create a streaming URL: OperationNotPermittedException: spam",
        "spam. Fix the problem, then run again.",
    ),
    "Nimble Studio": (
        {"service": "nimble", "operation": "GetStreamingSession"},
        "nimble_session",
        {"studio_id": STUDIO, "session_ids": ["s1"]},
        "1 of 1 sessions are neither ready nor starting: s1: Failed to get the session: OperationNotPermitted",
        "spam.",
    ),
    "DynamoDB": (
        {"service": "dynamodb", "operation": "BatchGetItem"},
        MODULE,
        {**TARGET, "user_id": "anna", "lease_store": "dynamodb://leases"},
        "Failed to read the lease table 'leases': OperationNotPermittedException: spam",
        "spam.",
    ),
}


@pytest.mark.parametrize(("fault", "module", "args", "begin", "end"), SPAMMED.values(), ids=SPAMMED)
def test_of_an_error_of_ten_megabytes_a_readable_message_is_left(
    lab: Simulator,
    call_module: Callable[..., Task],
    fault: dict[str, str],
    module: str,
    args: dict[str, Any],
    begin: str,
    end: str,
) -> None:
    lab.seed_studio(STUDIO, ["s1"])
    lab.add_fault(**fault, error={"code": "OperationNotPermittedException", "message": SPAM, "status": 400})

    check_is_cut(call_module(args, module=module), begin, end)


def test_of_a_fleets_error_of_ten_megabytes_a_readable_message_is_left(
    lab: Simulator, call_module: Callable[..., Task]
) -> None:
    lab.change_fleet(FLEET, FleetErrors=[{"ErrorCode": "IGW_NOT_ATTACHED", "ErrorMessage": SPAM}])

    task = call_module({}, module="appstream_fleet_info")

    problem = task.result["fleets"][0]["problem"]
    assert problem.startswith("Fleet 'cad-fleet' is RUNNING with errors: IGW_NOT_ATTACHED (spam spam")
    assert problem.endswith("): attach an internet gateway to the fleet's VPC.")
    assert len(problem) < MAX_LENGTH


NO_URLS = {
    "of ten megabytes": f"https://example.org/?{SPAM.replace(' ', '+')}",
    "with half a character": "https://example.org/\ud800",
    "with a line break": "https://example.org/\n",
    "of a script": "javascript:alert(1)",
}


@pytest.mark.parametrize("url", NO_URLS.values(), ids=NO_URLS)
def test_a_url_that_opens_nowhere_is_no_url(call_module: Callable[..., Task], home: Path, url: str) -> None:
    # Given services whose replies are good but for the URL; each takes of them what it needs.
    name = {"Arn": "arn:aws:appstream:us-east-1:123456789012:x/y", "Name": FLEET, "State": "RUNNING"}
    stream = {"streamId": "stream-1", "state": "READY", "url": url}
    reply = {"Stacks": [name], "Fleets": [name], "Names": [FLEET], "StreamingURL": url, "Expires": 4e9}
    reply |= {"studio": {"arn": "arn:aws:nimble:us-east-1:123456789012:studio/s"}, "stream": stream}
    body = json.dumps(reply).encode()

    # When a module asks for one.
    with server_that_answers(lambda path: body) as endpoint_url:
        asked = call_module({**TARGET, "user_id": "anna", "endpoint_url": endpoint_url})
        streamed = call_module(
            {"studio_id": STUDIO, "session_id": "s1", "endpoint_url": endpoint_url}, module=STREAM_MODULE
        )

    # Then it fails, and remembers no URL.
    issued = f"The service issued a URL with the scheme '{url.partition(':')[0]}', which is not a valid web address:"
    check_is_cut(asked, f"1 of 1 got no streaming URL: anna: {issued}", "again.")
    check_is_cut(streamed, f"1 of 1 got no streaming URL: s1: {issued}", "again.")
    assert LeaseFile(home / ".ansible/labstream/leases.sqlite3").urls() == {}


# What is no reply.

ARN = "arn:aws:appstream:us-east-1:123456789012"
FLEET_REPLY = {
    "Name": FLEET,
    "Arn": f"{ARN}:fleet/{FLEET}",
    "CreatedTime": 1.0,
    "State": "RUNNING",
    "FleetType": "ON_DEMAND",
    "MaxSessionsPerInstance": 1,
    "ComputeCapacityStatus": {"Desired": 1, "Running": 1, "InUse": 0, "Available": 1},
    "FleetErrors": [{"ErrorCode": "IGW_NOT_ATTACHED", "ErrorMessage": "no"}],
}
APPSTREAM_REPLY = {
    "Stacks": [{"Name": STACK, "Arn": f"{ARN}:stack/{STACK}", "CreatedTime": 1.0}],
    "Fleets": [FLEET_REPLY],
    "Names": [FLEET],
    "StreamingURL": "https://example.org/?a=b",
    "Expires": 4e9,
    "Sessions": [{"Id": "session-1", "UserId": "anna", "State": "ACTIVE", "StartTime": 1.0}],
}
SESSION_REPLY = {"sessionId": "s1", "state": "READY", "ownedBy": "anna", "createdAt": "2026-11-21T16:00:00Z"}
STREAM_REPLY = {"streamId": "stream-1", "state": "READY", "url": "https://example.org/", "createdBy": "anna"}
NIMBLE_REPLY = {
    "studio": {"arn": "arn:aws:nimble:us-east-1:123456789012:studio/studio-1", "studioId": STUDIO},
    "session": SESSION_REPLY,
    "sessions": [SESSION_REPLY],
    "stream": {**STREAM_REPLY, "expiresAt": "2096-11-21T16:00:00Z"},
}
GROUP_ARN = "arn:aws:gameliftstreams:us-east-1:123456789012:streamgroup/sg-1"
URL_REPLY = {
    "Arn": "arn:aws:gameliftstreams:us-east-1:123456789012:streamurl/sg-1/su-1",
    "StreamUrlId": "su-1",
    "StreamUrl": "https://example.org/su-1/stream?token=a",
    "Status": "ACTIVE",
    "ExpiresAt": 4e9,
    "CreatedAt": 1.0,
    "UsageLimit": 5,
    "RemainingUses": 4,
    "SessionLengthSeconds": 60,
    "Description": "labstream//A",
    "StreamGroupArn": GROUP_ARN,
    "ApplicationArn": "arn:aws:gameliftstreams:us-east-1:123456789012:application/a-1",
}
LOCATION_REPLY = {
    "LocationName": "us-east-1",
    "Status": "ACTIVE",
    **{f"{name}Capacity": 1 for name in ("AlwaysOn", "OnDemand", "TargetIdle", "Maximum", "Allocated", "Idle")},
    "VpcTransitConfiguration": {"VpcId": "vpc-1", "Ipv4CidrBlocks": ["10.0.0.0/16"]},
}
# A stream group that is a stream URL too, and a list of itself, since the server has one reply for all.
GAMELIFT_REPLY = {
    **URL_REPLY,
    "Arn": GROUP_ARN,
    "Id": "sg-1",
    "StreamClass": "gen6n_ultra",
    "LocationStates": [LOCATION_REPLY],
    "AssociatedApplications": [URL_REPLY["ApplicationArn"]],
    "Items": [URL_REPLY],
    "StreamSessions": [{"Arn": "arn:x/y", "Status": "TERMINATED", "CreatedAt": 1.0, "LastUpdatedAt": 2.0}],
}
SCALED = {"locations": [{"location_name": "us-east-1", "always_on_capacity": 2}], "wait": False}
LEASE_REPLY = {
    **{name: {"S": name} for name in ("scope", "holder", "lease_id", "lab", "url_sha256")},
    "url": {"S": "https://example.org/"},
    **{name: {"N": when} for name, when in (("issued", "1"), ("expires", "4000000000"))},
}
# An item that is both a lease and the record of a lab, since the server has one reply for both.
LAB = LabRecord("monday", LeaseKey("scope", "holder"), "anna", datetime(2096, 10, 2, tzinfo=UTC))
LAB_REPLY = {
    **LEASE_REPLY,
    "holder": {"S": f"monday {LAB.key.lease_sha256}"},
    "lease_sha256": {"S": LAB.key.lease_sha256},
    "lease": {"S": LAB.lease.to_text()},
    "record_id": {"S": "x"},
    "learner_id": {"S": "anna"},
}
TABLE_REPLY = {
    "Table": {
        "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/leases",
        "TableStatus": "ACTIVE",
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "DeletionProtectionEnabled": True,
        "KeySchema": [{"AttributeName": "scope", "KeyType": "HASH"}, {"AttributeName": "holder", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("scope", "holder")],
    },
    "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "delete_after"},
    "Tags": [{"Key": "course", "Value": "cad"}],
    "Items": [LAB_REPLY],
    "Responses": {"leases": [LEASE_REPLY]},
}
SEAT = {"lease": LeaseKey("scope", "holder").to_text(), "id": "anna"}
WHO, STREAMED = {**TARGET, "user_id": "anna"}, {"studio_id": STUDIO, "session_id": "s1", "wait_timeout": 1}
# To each module, the reply that has all that it asks for.
ASKING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "appstream_fleet": (APPSTREAM_REPLY, {"name": FLEET, "desired_instances": 1, "wait_timeout": 1}),
    "appstream_fleet_info": (APPSTREAM_REPLY, {}),
    "appstream_session": (APPSTREAM_REPLY, {**WHO, "state": "expired"}),
    "appstream_session_info": (APPSTREAM_REPLY, TARGET),
    "appstream_streaming_url": (APPSTREAM_REPLY, {**WHO, "force": True}),
    "gamelift_stream_group": (GAMELIFT_REPLY, {"stream_group": "sg-1", **SCALED}),
    "gamelift_stream_group_info": (GAMELIFT_REPLY, {}),
    "gamelift_stream_url_info": (GAMELIFT_REPLY, {"stream_group": "sg-1"}),
    "gamelift_stream_url": (
        GAMELIFT_REPLY,
        {
            "stream_group": "sg-1",
            "application": "a-1",
            "locations": ["us-east-1"],
            "learner": "anna",
            "force": True,
        },
    ),
    "nimble_session": (NIMBLE_REPLY, {"studio_id": STUDIO, "session_ids": ["s1"]}),
    "nimble_session_info": (NIMBLE_REPLY, {"studio_id": STUDIO}),
    "nimble_session_stream": (NIMBLE_REPLY, {**STREAMED, "force": True}),
    "streaming_handout": (TABLE_REPLY, {"seats": [SEAT], "urls_csv": "urls.csv", "lease_store": "dynamodb://leases"}),
    "streaming_lease_info": (TABLE_REPLY, {"lease_store": "dynamodb://leases"}),
    "streaming_lease_table": (TABLE_REPLY, {"name": "leases", "tags": {"course": "cad"}}),
    "streaming_rotation": (
        {**TABLE_REPLY, "Items": [], "Responses": {}},
        {"lab": "a class", "lease_store": "dynamodb://leases"},
    ),
}


def test_each_module_that_asks_a_service_is_here() -> None:
    # An action plugin asks no service; of its module there is only the documentation.
    modules = [path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py") if path.stem != "lab_arguments"]

    assert sorted(ASKING) == sorted(modules)


@pytest.mark.parametrize("module", ASKING)
def test_no_response_of_a_service_gives_a_traceback(call_module: Callable[..., Task], module: str) -> None:
    good, args = ASKING[module]
    reply = json.dumps(good).encode()
    with server_that_answers(lambda path: reply) as address:
        service = {"AWS_URL": address, "AWS_ENDPOINT_URL": address}
        first = call_module(args, module=module, environment=service)
        assert not first.failed, first.msg

        @strategies.settled(2, 100, module)
        @given(answer=strategies.spoilt(good), check=st.booleans())
        def try_out(answer: Any, check: bool) -> None:
            nonlocal reply
            note(f"told {answer!a}, check mode {check}")
            reply = json.dumps(answer).encode()
            task = call_module({**args, "aws_config": ONCE}, module=module, environment=service, check=check)
            assert "Traceback" not in str(task.result)
            assert "internal error" not in str(task.result)
            if task.failed:
                assert len(task.msg.splitlines()) == 1
                assert len(task.msg) < MAX_LENGTH

        try_out()
