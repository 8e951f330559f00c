# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bad input gets: one message that names the value and the remedy, no URL and no stream, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    Ansible,
    Run,
    Task,
)
from tests.simulator.control import Simulator

ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600}
ANNA = {**ARGS, "user_id": "anna"}
OF_STUDIO = {"studio_id": STUDIO}
SEAT = {**OF_STUDIO, "session_id": "seat-01"}
OF_GROUP = {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"]}
LEARNER = {**OF_GROUP, "learner": "anna"}
NO_TRACEBACK = "(traceback unavailable)"  # what ansible-core 2.19 adds to each failure
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
NO_REGION = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}


class Case(NamedTuple):
    """Bad arguments, and what the message must say: the value or what is wrong, and the remedy."""

    args: dict[str, Any]
    says: tuple[str, ...]
    environment: dict[str, str] = {}  # noqa: RUF012 (never changed)


def user(user_id: str | None) -> dict[str, Any]:
    return {**ARGS, "user_id": user_id}


def until(valid_until: str) -> dict[str, Any]:
    return {"stack_name": STACK, "fleet_name": FLEET, "user_id": "anna", "valid_until": valid_until}


VALID_CHARACTERS = ("2 to 32 characters", "appstream_user_id")
EXAMPLE_TIME = "write it like 2026-11-21T17:00:00+01:00"

# Rejected by us before any call is made.
REJECTED_VALUES = {
    "user id with a trailing newline": Case(user("anna\n"), (r"'anna\n'", *VALID_CHARACTERS)),
    "one bad user id among good ones": Case(
        {**ARGS, "users": [{"user_id": "anna"}, {"user_id": "ben b"}]}, ("'ben b'", *VALID_CHARACTERS)
    ),
    "valid_until is an unquoted 17:00": Case(until("1020"), ("'1020'", "not a valid ISO 8601 timestamp", EXAMPLE_TIME)),
    "min_remaining above the validity": Case(
        {**ANNA, "min_remaining": 3600}, ("min_remaining is 3600", "less than", "3600 seconds")
    ),
    "null for the learner": Case(user(None), ("Give one of user_id and users", "null")),
    "null for whom to forget": Case(
        {**ARGS, "user_id": None, "lab": None, "state": "absent"}, ("Give one of user_id, users and lab", "null")
    ),
    "half a character in a list": Case(
        {**ARGS, "users": [{"user_id": "anna", "session_context": "\ud800"}]},
        ("session_context of 'anna' is '\\ud800'", "unpaired surrogate"),
    ),
    "a duplicate by the default": Case(
        {**ARGS, "users": [{"user_id": "anna"}, {"user_id": "anna", "application_id": "cad"}], "application_id": "cad"},
        ("Entries 1 and 2", "'anna'", "remove one"),
    ),
    "impossible stack name": Case({**ANNA, "stack_name": "my stack"}, ("stack_name is 'my stack'", "1 to 101")),
    "empty fleet name": Case({**ANNA, "fleet_name": ""}, ("fleet_name is ''", "1 to 101")),
    "concurrency 65": Case({**ANNA, "concurrency": 65}, ("concurrency is 65", "from 1 to 64")),
    "lab with a control character": Case(
        {**ANNA, "lab": "mon\nday"}, ("lab is 'mon\\nday'", "1 to 225 printable characters")
    ),
    "URLs that nobody would get": Case(
        {**ANNA, "lease_store": "none", "return_urls": False},
        ("lease_store is none and return_urls is false", "name a lease store"),
    ),
    "purge of what is wanted": Case({**ANNA, "purge": True}, ("purge is only for state=absent",)),
    "unknown kind of store in the environment": Case(
        ANNA, ("'redis://here'", "sqlite:///PATH"), {"LABSTREAM_LEASE_STORE": "redis://here"}
    ),
}


def connections(good: dict[str, Any]) -> dict[str, Case]:
    """Settings with which nobody can be asked; with arguments that are good but for that."""
    return {
        "no credentials": Case(good, ("no AWS credentials were found", "set profile"), NO_CREDENTIALS),
        "half of the credentials": Case(good, ("redentials",), {"AWS_SECRET_ACCESS_KEY": ""}),
        "no region": Case(good, ("region",), NO_REGION),
        "impossible region": Case({**good, "region": "no region"}, ("no region",)),
        "session token with a line break": Case(
            good, ("session_token has a character that no key has", "correct it"), {"AWS_SESSION_TOKEN": "secret\n"}
        ),
        "unknown profile": Case({**good, "profile": "teacher"}, ("teacher",), NO_CREDENTIALS),
        "profile and keys": Case({**good, "profile": "teacher"}, ("profile",)),
        "endpoint_url is no URL": Case({**good, "endpoint_url": "nowhere"}, ("nowhere",)),
        "unknown setting of botocore": Case({**good, "aws_config": {"retry": 3}}, ("aws_config", "'retry'")),
        "no setting of botocore": Case({**good, "aws_config": {"user_agent": 0}}, ("aws_config", "botocore")),
        "no settings of botocore": Case({**good, "aws_config": {"retries": "3"}}, ("aws_config", "botocore")),
        "impossible setting of botocore": Case(
            {**good, "aws_config": {"retries": {"mode": "never"}}}, ("aws_config", "never")
        ),
    }


# Rejected after asking the service.
REJECTED_BY_PRE_CHECK = {
    "valid_until has passed": Case(
        until("2020-01-01T12:00:00+02:00"), ("2020-01-01T10:00:00Z", "passed", "later time")
    ),
    "unknown stack": Case({**ANNA, "stack_name": "cad"}, ("Stack 'cad' does not exist in region us-east-1", "check")),
    "unknown fleet": Case({**ANNA, "fleet_name": "cad"}, ("Fleet 'cad' does not exist in region us-east-1", "check")),
    "wrong region": Case({**ANNA, "region": "eu-west-1"}, ("does not exist in region eu-west-1", "check", "region")),
    **connections(ANNA),
}

# Rejected by ansible-core, which reads the arguments before the module does.
REJECTED_BY_ANSIBLE = {
    "validity true": Case({**ANNA, "validity": True}, ("'validity'", "it is true, but it must be a whole number")),
    "both user_id and users": Case({**ANNA, "users": [{"user_id": "ben"}]}, ("user_id|users", "mutually exclusive")),
    "neither user_id nor users": Case(ARGS, ("state is present", "user_id, users")),
    "absent without learner or lab": Case({**ARGS, "state": "absent"}, ("user_id, users, lab",)),
    "both validity and valid_until": Case(
        {**ANNA, "valid_until": "2099-01-01T12:00:00Z"}, ("validity|valid_until", "mutually exclusive")
    ),
    # What makes ansible-core fail with an error of its own.
    "half a character": Case({**ANNA, "lab": "a\ud800"}, ("'a\\ud800'", "unpaired surrogate", "correct it")),
    "an infinite number": Case(
        {**ANNA, "concurrency": "inf"}, ("a number that cannot be read", "Infinity", "correct it")
    ),
    "a number of 5000 digits": Case(
        {**ANNA, "concurrency": "9" * 5000}, ("a number that cannot be read", "4300 digits", "correct it")
    ),
}

NO_ID = "an id is text of 1 to 256 characters without spaces and slashes, and not '.' or '..'"

# The same for streams.
REJECTED_STREAM_URL_VALUES = {
    "a learner twice": Case({**OF_GROUP, "learners": ["anna", "Anna"]}, ("Entries 1 and 2 of learners", "remove one")),
    "a learner without an id": Case({**OF_GROUP, "learners": [{"name": "Anna"}]}, ("entry 1 of learners", "give one")),
    "a misspelled key": Case({**OF_GROUP, "learners": [{"id": "anna", "nmae": "A"}]}, ("Entry 1 of learners", "nmae")),
    "an id that YAML made a date": Case({**OF_GROUP, "learners": [1.5]}, ("entry 1 of learners", "put it in quotes")),
    "no learner": Case({**OF_GROUP, "learners": []}, ("learners is empty", "name at least one")),
    "null for the learner": Case({**OF_GROUP, "learner": None}, ("Give one of learner and learners", "null")),
    "no location": Case({**LEARNER, "locations": []}, ("locations is empty", "name at least one")),
    "no uses": Case({**LEARNER, "usage_limit": 0}, ("usage_limit is 0", "from 1 to")),
    "more uses left than there are": Case(
        {**LEARNER, "min_remaining_uses": 6}, ("min_remaining_uses is 6", "from 0 to 5")
    ),
    "a day and a second": Case({**LEARNER, "session_length": 86401}, ("session_length is 86401", "from 1 to 86400")),
    "half a resolution": Case({**LEARNER, "resolution": "1280"}, ("resolution is '1280'", "such as 1280x720")),
    "a variable that is no text": Case(
        {**LEARNER, "environment": {"A": [1]}}, ("The variable 'A' of environment is not text", "quotes")
    ),
    "a group with a space": Case({**LEARNER, "stream_group": "sg 1"}, ("stream_group is 'sg 1'", "an ARN")),
    "duplicates without recovering": Case({**LEARNER, "revoke_duplicates": True}, ("revoke_duplicates", "recover")),
    "valid_until has passed": Case(
        {**LEARNER, "valid_until": "2020-01-01"}, ("'2020-01-01'", "not a valid ISO 8601 timestamp")
    ),
}

REJECTED_STREAM_VALUES = {
    "59 seconds": Case({**SEAT, "expiration_in_seconds": 59}, ("expiration_in_seconds is 59", "from 60 to 3600")),
    "token for a class": Case(
        {**OF_STUDIO, "session_ids": ["seat-01"], "client_token": "x"}, ("client_token is only for session_id",)
    ),
    "token and force": Case(
        {**SEAT, "client_token": "x", "force": True},
        ("client_token and force=true contradict", "leave one of them out"),
    ),
    "wait_timeout 0": Case({**SEAT, "wait_timeout": 0}, ("wait_timeout is 0", "from 1 to 3600 seconds")),
    "null for the session": Case(
        {**OF_STUDIO, "session_id": None}, ("Give one of session_id, session_ids and sessions", "null")
    ),
    "a session twice": Case(
        {**OF_STUDIO, "session_ids": ["a", "b", "a"]}, ("Entries 1 and 3 of session_ids are both 'a'", "remove one")
    ),
    "studio with a slash": Case({**SEAT, "studio_id": "a/b"}, ("studio_id is 'a/b'", NO_ID)),
    "one bad session among good ones": Case({**OF_STUDIO, "session_ids": ["a", "b c"]}, ("'b c'", NO_ID)),
    "URLs that nobody would get": Case(
        {**SEAT, "lease_store": "none", "return_urls": False}, ("lease_store is none and return_urls is false",)
    ),
}

REJECTED_BY_PRE_CHECK_OF_STREAMS = {
    "unknown studio": Case({**SEAT, "studio_id": "x"}, ("Studio 'x' does not exist in region us-east-1", "check")),
    "wrong region": Case({**SEAT, "region": "eu-west-1"}, ("does not exist in region eu-west-1", "region")),
    "unknown region": Case(
        {**SEAT, "region": "xx-west-9"}, ("AWS does not accept the region", "'xx-west-9'", "correct region")
    ),
    **{name: case for name, case in connections(SEAT).items() if name in ("no credentials", "no region")},
}

REJECTED_BY_ANSIBLE_FOR_STREAMS = {
    "both session_id and session_ids": Case(
        {**SEAT, "session_ids": ["seat-02"]}, ("session_id|session_ids", "mutually exclusive")
    ),
    "neither session_id nor session_ids": Case(OF_STUDIO, ("state is present", "session_id, session_ids")),
    "absent without session or lab": Case(
        {**OF_STUDIO, "state": "absent"}, ("session_id, session_ids, sessions, lab",)
    ),
}


def stop(lab: Simulator) -> None:
    lab.client("appstream").stop_fleet(Name=FLEET)


def let_start_for_long(lab: Simulator) -> None:
    stop(lab)
    lab.set(fleet_starting_seconds=600)
    lab.client("appstream").start_fleet(Name=FLEET)


def disassociate(lab: Simulator) -> None:
    lab.client("appstream").disassociate_fleet(StackName=STACK, FleetName=FLEET)


def join_domain(lab: Simulator) -> None:
    stop(lab)
    appstream = lab.client("appstream")
    appstream.update_fleet(Name=FLEET, DomainJoinInfo={"DirectoryName": "corp.example.org"})
    appstream.start_fleet(Name=FLEET)


def deny(operation: str) -> Callable[[Simulator], None]:
    error = {"code": "AccessDeniedException", "message": "User: x is not authorized to perform this."}
    return lambda lab: lab.add_fault(operation=operation, error=error)


STATES_OF_THE_LAB = {
    "fleet stopped": (stop, ("'cad-fleet' is STOPPED", "start it")),
    "fleet starting": (let_start_for_long, ("'cad-fleet' is STARTING", "wait until it is RUNNING")),
    "fleet not associated": (disassociate, ("'cad-fleet' is not associated with stack 'cad-course'", "AssociateFleet")),
    "fleet joined to a domain": (join_domain, ("'cad-fleet' is joined to the domain 'corp.example.org'", "SAML")),
    "may not describe the stack": (deny("DescribeStacks"), ("appstream:DescribeStacks", "IAM policy")),
    "may not describe the fleet": (deny("DescribeFleets"), ("appstream:DescribeFleets", "IAM policy")),
    "may not list associations": (deny("ListAssociatedFleets"), ("appstream:ListAssociatedFleets", "IAM policy")),
}


# Of each issuing module: arguments that it accepts, and what is rejected before any call when it replaces some of them.
REJECTED_BY_MODULE = {
    MODULE: (ANNA, REJECTED_VALUES),
    STREAM_MODULE: ({**SEAT, "wait": False}, REJECTED_STREAM_VALUES),
    STREAM_URL_MODULE: (LEARNER, REJECTED_STREAM_URL_VALUES),
}


class AssertRejected:
    """Checks that arguments are rejected, alike in both modes, by one message, and that they have no effect."""

    def __init__(self, lab: Simulator, call: Callable[..., Task], home: Path, good: dict[str, Any]) -> None:
        self._lab = lab
        self._call = call
        self._store = home / ".ansible/labstream/leases.sqlite3"
        self._success = call(good)

    def __call__(self, case: Case, *, same_structure: bool = True) -> None:
        issued, stored = self._issued(), self._store.read_bytes()
        done, predicted = (
            self._call(case.args, check=check, verbosity=3, environment=case.environment) for check in (False, True)
        )

        check_message(done, case.says)
        assert without_time(predicted) == without_time(done)
        if same_structure:
            assert done.result.keys() == self._success.result.keys() | {"failed", "msg"}
            assert done.result["changed"] is False
            assert done.result["summary"].keys() == self._success.result["summary"].keys()
        assert self._issued() == issued
        assert self._store.read_bytes() == stored

    def _issued(self) -> tuple[int, int]:
        return len(self._lab.streaming_urls()), len(self._lab.streams())


def check_message(task: Task, says: tuple[str, ...]) -> None:
    """The task failed with one message that says this."""
    assert task.failed
    for words in says:
        assert words in task.msg
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)
    assert task.result.get("exception", NO_TRACEBACK) == NO_TRACEBACK


def without_time(task: Task) -> dict[str, Any]:
    """The result without what a message says of the time now."""
    return {**task.result, "msg": re.sub(r"clock says [\dTZ:-]+", "clock says", task.msg)}


@pytest.fixture
def assert_rejected(lab: Simulator, call_module: Callable[..., Task], home: Path) -> AssertRejected:
    return AssertRejected(lab, call_module, home, ANNA)


@pytest.fixture(scope="module")
def untouched() -> Iterator[Simulator]:
    """A simulator with a lab and a studio for all cases that have no effect on it, which is what they check."""
    with Simulator.start() as simulator:
        simulator.seed_lab(STACK, FLEET)
        simulator.seed_studio(STUDIO, ["seat-01", "seat-02"])
        simulator.seed_stream_group(STREAM_GROUP)
        yield simulator


@pytest.fixture(scope="module")
def rejected_by(untouched: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], AssertRejected]:
    """``rejected_by(module)(case)`` asserts that the issuing module rejects the case."""

    @cache
    def build(module: str) -> AssertRejected:
        home = tmp_path_factory.mktemp("rejected") / "home"
        home.mkdir()
        call = partial(Ansible(home, untouched.environment()).call_module, module=module)
        return AssertRejected(untouched, call, home, REJECTED_BY_MODULE[module][0])

    return build


@pytest.mark.parametrize(
    ("module", "case"),
    [
        pytest.param(module, case, id=f"{module.rpartition('.')[2]}: {name}")
        for module, (_accepted, cases) in REJECTED_BY_MODULE.items()
        for name, case in cases.items()
    ],
)
def test_a_bad_value_is_rejected_before_any_call(
    rejected_by: Callable[[str], AssertRejected], untouched: Simulator, module: str, case: Case
) -> None:
    assert_rejected = rejected_by(module)
    calls = len(untouched.calls())

    assert_rejected(case)

    assert len(untouched.calls()) == calls


@pytest.mark.core
@pytest.mark.parametrize("case", REJECTED_BY_PRE_CHECK.values(), ids=REJECTED_BY_PRE_CHECK)
def test_what_only_the_service_knows_is_rejected_before_the_first_url(
    rejected_by: Callable[[str], AssertRejected], case: Case
) -> None:
    rejected_by(MODULE)(case)


@pytest.mark.parametrize("case", REJECTED_BY_PRE_CHECK_OF_STREAMS.values(), ids=REJECTED_BY_PRE_CHECK_OF_STREAMS)
def test_what_only_the_service_knows_is_rejected_before_the_first_stream(
    rejected_by: Callable[[str], AssertRejected], case: Case
) -> None:
    rejected_by(STREAM_MODULE)(case)


@pytest.mark.parametrize(("change", "says"), STATES_OF_THE_LAB.values(), ids=STATES_OF_THE_LAB)
def test_a_lab_that_cannot_stream_is_rejected_before_the_first_url(
    assert_rejected: AssertRejected, lab: Simulator, change: Callable[[Simulator], None], says: tuple[str, ...]
) -> None:
    change(lab)

    assert_rejected(Case({**ANNA, "user_id": "ben"}, says))


@pytest.mark.core
def test_a_lab_that_cannot_stream_is_rejected_also_for_those_who_have_a_url(
    assert_rejected: AssertRejected, lab: Simulator
) -> None:
    stop(lab)

    assert_rejected(Case(ANNA, ("'cad-fleet' is STOPPED",)))


@pytest.mark.parametrize("case", REJECTED_BY_ANSIBLE.values(), ids=REJECTED_BY_ANSIBLE)
def test_what_ansible_rejects(rejected_by: Callable[[str], AssertRejected], case: Case) -> None:
    rejected_by(MODULE)(case, same_structure=False)


@pytest.mark.parametrize("case", REJECTED_BY_ANSIBLE_FOR_STREAMS.values(), ids=REJECTED_BY_ANSIBLE_FOR_STREAMS)
def test_what_ansible_rejects_for_streams(rejected_by: Callable[[str], AssertRejected], case: Case) -> None:
    rejected_by(STREAM_MODULE)(case, same_structure=False)


@pytest.mark.core
def test_users_see_the_message_and_no_traceback_at_vvv(lab: Simulator, run_tasks: Callable[..., Run]) -> None:
    lab.seed_studio(STUDIO, ["seat-01"], state="STOPPED")
    cases = {
        name: (MODULE, (REJECTED_VALUES | REJECTED_BY_PRE_CHECK | REJECTED_BY_ANSIBLE)[name])
        for name in (
            "user id with a trailing newline",
            "unknown stack",
            "both user_id and users",
        )
    }
    stopped = ("'seat-01' is STOPPED", "StartStreamingSession", "nimble_lab_start_sessions", "labstream.aws.nimble_lab")
    cases["session stopped"] = (STREAM_MODULE, Case(SEAT, stopped))
    tasks = [{"name": name, module: case.args} for name, (module, case) in cases.items()]

    run = run_tasks(tasks, verbosity=3)

    assert "Traceback" not in run.printed
    assert "full traceback" not in run.printed
    for name, (_module, case) in cases.items():
        check_message(run.task(name), case.says)
    assert lab.calls("CreateStreamingURL") == []
    assert lab.streams() == []


@pytest.mark.core
def test_a_variable_that_cannot_be_evaluated_is_named_and_not_quoted(run_tasks: Callable[..., Run]) -> None:
    secret = "Qx7Secret0Zz99"
    values = {
        "undefined": secret + "{{ nobody }}",
        "syntax": secret + " {% if %}",
        "an operator": secret + "{{ 1 // 0 }}",
        "an unknown filter": "{{ [1] | map('no.such.filter', '" + secret + "') | list }}",
        "itself": secret + "{{ appstream_lab_user_id_key }}",
    }
    action = {"labstream.aws.lab_arguments": {"role": "appstream_lab"}}
    tasks = [
        {"name": name, **action, "vars": {"appstream_lab_user_id_key": f"{{{{ values[{name!r}] }}}}"}}
        for name in values.keys() - {"itself"}
    ]
    tasks += [{"name": "itself", **action, "vars": {"appstream_lab_user_id_key": values["itself"]}}]

    run = run_tasks(tasks, extra_vars={"values": values}, verbosity=3)

    for name in values:
        task = run.task(name)
        assert task.failed
        assert task.msg.startswith("appstream_lab_user_id_key cannot be evaluated: "), task.msg
        assert "\n" not in task.msg
        assert secret not in str(task.result), task.msg
        # Nothing else of the arguments is printed with it.
        assert task.result.keys().isdisjoint(("options", "learners")), task.result
    assert "Unexpected failure" not in run.printed


@pytest.mark.core
def test_a_denied_create_streaming_url_names_the_iam_action(lab: Simulator, call_module: Callable[..., Task]) -> None:
    deny("CreateStreamingURL")(lab)

    task = call_module(ANNA, verbosity=3)

    check_message(task, ("anna", "appstream:CreateStreamingURL", "IAM policy"))
    assert [failure["code"] for failure in task.result["failures"]] == ["AccessDeniedException"]
    assert task.result["summary"]["failed"] == 1
    assert lab.streaming_urls() == []
