# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our description of Nimble Studio does what botocore's own did, as long as botocore had one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_model import SERVICE_DESCRIPTION

from tests.unit.plugins.module_utils._nimble import nimble_calls
from tests.unit.plugins.module_utils._nimble.nimble_calls import CASES, ERRORS, STUDIO, Reply, Service

BOTOCORE = Path(__file__).resolve().parents[5] / "build/botocore-nimble"
OURS = SERVICE_DESCRIPTION["service-2"]


@pytest.fixture(scope="module")
def reference():
    """What botocore 1.35.47, the last that had the service, has of it and makes of the calls."""
    # nox always builds it; a miss there is a failure.
    if not BOTOCORE.exists() and "NOX_CURRENT_SESSION" not in os.environ:
        pytest.skip("botocore 1.35.47 is not there: run `python3 tools/environments.py botocore-nimble`")
    script = subprocess.run(
        [sys.executable, nimble_calls.__file__],
        env={"PYTHONPATH": os.pathsep.join([str(BOTOCORE), *sys.path])},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    reported = json.loads(script.stdout)
    assert reported["version"] == "1.35.47"
    return reported


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


# Calls


@pytest.mark.parametrize("name", CASES)
def test_the_installed_botocore_sends_and_reads_the_same_with_ours_as_the_last_one_with_its_own(reference, name):
    assert nimble_calls.exchange(CASES[name], ours=True) == reference["theirs"][name]


@pytest.mark.parametrize("name", CASES)
def test_a_botocore_that_has_the_service_sends_and_reads_the_same_with_ours(reference, name):
    assert reference["ours"][name] == reference["theirs"][name]


def test_the_cases_call_every_operation_and_meet_every_error(reference):
    named = {operation.lower() for operation in OURS["operations"]}
    assert {case.operation.replace("_", "") for case in CASES.values()} == named
    reported = [reference["theirs"][name].get("raised", {}) for name in CASES]
    assert {each["class"] for each in reported if isinstance(each, dict) and each} == {*ERRORS, None}
    assert sum(bool(each["sent"]) for each in reference["theirs"].values() if "sent" in each) > 100


def test_ours_wins_where_botocore_has_its_own(reference):
    """Ours has only the operations that are called here."""
    assert len(reference["description"]["service-2"]["operations"]) > len(OURS["operations"])
    assert reference["operations"] == sorted(OURS["operations"])


# Descriptions


def tree(shapes, name):
    """A shape with the shapes in it, less what has no meaning for botocore and the names that are ours to choose."""
    shape = dict(shapes[name])
    members = {key: {**each, "shape": tree(shapes, each["shape"])} for key, each in shape.pop("members", {}).items()}
    inner = {key: tree(shapes, shape.pop(key)["shape"]) for key in ("key", "value", "member") if key in shape}
    for key in ("documentation", "box", "error", "exception", "fault", "retryable"):
        shape.pop(key, None)
    for each in members.values():
        each.pop("documentation", None)
    for key in ("enum", "required"):
        if key in shape:
            shape[key] = sorted(shape[key])
    return {**shape, **inner, "members": members}


def described(shape, path=""):
    """The type and the traits of a shape and of all shapes in it, by their paths; not the values that it may have."""
    inner = {**shape["members"], **{key: {"shape": shape[key]} for key in ("key", "value", "member") if key in shape}}
    paths = {path: {key: shape.get(key) for key in ("type", "timestampFormat", "sensitive")}}
    for name, each in inner.items():
        paths |= described(each["shape"], f"{path}/{name}")
    return paths


@pytest.mark.parametrize("operation", OURS["operations"])
def test_an_operation_is_described_as_botocore_did(reference, operation):
    theirs = reference["description"]["service-2"]
    (ours, ours_in, ours_out), (own, own_in, own_out) = (
        (
            {key: each["operations"][operation].get(key) for key in ("name", "http", "idempotent")},
            tree(each["shapes"], each["operations"][operation]["input"]["shape"]),
            described(tree(each["shapes"], each["operations"][operation]["output"]["shape"])),
        )
        for each in (OURS, theirs)
    )
    assert ours == own
    assert ours_in == own_in
    assert ours_out == {path: own_out[path] for path in ours_out}
    errors, own_errors = (
        {error["shape"] for error in each["operations"][operation]["errors"]} for each in (OURS, theirs)
    )
    assert errors == own_errors == set(ERRORS)


@pytest.mark.parametrize(("error", "status"), ERRORS.items())
def test_an_error_is_described_as_botocore_did(reference, error, status):
    ours, own = OURS["shapes"][error], reference["description"]["service-2"]["shapes"][error]
    assert tree(OURS["shapes"], error) == tree(reference["description"]["service-2"]["shapes"], error)
    assert ours["error"]["httpStatusCode"] == own["error"]["httpStatusCode"] == status
    assert ours.get("fault") == own.get("fault")
    assert ours.get("retryable") == own.get("retryable")


def test_the_rest_is_described_as_botocore_did(reference):
    theirs = reference["description"]
    names = {"serviceFullName"}
    assert {key: each for key, each in OURS["metadata"].items() if key not in names} == {
        key: theirs["service-2"]["metadata"].get(key) for key in OURS["metadata"] if key not in names
    }
    for name, ours in SERVICE_DESCRIPTION["paginators-1"]["pagination"].items():
        assert ours == theirs["paginators-1"]["pagination"][name]


def test_the_paginator_follows_the_token_to_the_last_page():
    client = nimble_calls.build_nimble_client(ours=True)
    first, second = {"sessions": [{"sessionId": "a"}, {"sessionId": "b"}]}, {"sessions": [{"sessionId": "c"}]}
    service = Service(client, [Reply({**first, "nextToken": "page/2"}), Reply(second)])

    pages = client.get_paginator("list_streaming_sessions").paginate(**STUDIO, ownedBy="anna")

    assert [session["sessionId"] for session in pages.search("sessions[]")] == ["a", "b", "c"]
    assert [request.url.partition("?")[2] for request in service.requests] == [
        "ownedBy=anna",
        "ownedBy=anna&nextToken=page%2F2",
    ]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("another region", "nimble.us-west-2.amazonaws.com"),
        ("a region of tomorrow", "nimble.eu-west-99.amazonaws.com"),
        ("China", "nimble.cn-north-1.amazonaws.com.cn"),
        ("FIPS", "nimble-fips.us-east-1.amazonaws.com"),
        ("dual stack", "nimble.eu-central-1.api.aws"),
        ("an endpoint URL", "127.0.0.1:5000"),
    ],
)
def test_a_client_calls_this_host(name, host):
    (sent,) = nimble_calls.exchange(CASES[name], ours=True)["sent"]
    assert sent["url"].split("/")[2] == host
