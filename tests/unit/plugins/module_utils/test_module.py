# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules of the collection end."""

from __future__ import annotations

import json
import platform
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _module
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import create_streaming_url
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

from tests.unit.plugins.module_utils.module_arguments import patch_module_args

SECRET_URL = "https://appstream2.eu-central-1.aws.amazon.com/authenticate?parameters=correct-horse"


@pytest.fixture
def module():
    with patch_module_args({"region": "eu-central-1"}):
        yield LabstreamAWSModule(empty_result={"changed": False, "stored": None}, argument_spec={})


def stored_then(error):
    """A task that stores something, and then raises this."""

    def task(module):
        module.result["stored"] = "a lease"
        raise error

    return task


def ended(module, task, capsys):
    """The exit status and the result of the task."""
    with pytest.raises(SystemExit) as exit_:
        module.run(task)
    return exit_.value.code, json.loads(capsys.readouterr().out)


def test_a_python_that_is_too_old_is_named_before_anything_else(monkeypatch, capsys):
    monkeypatch.setattr(_module, "MIN_PYTHON", (99, 1))
    with pytest.raises(SystemExit) as exit_:
        LabstreamAWSModule(empty_result={"changed": False, "stored": None}, argument_spec={})
    result = json.loads(capsys.readouterr().out)
    assert (exit_.value.code, result["failed"], result["stored"]) == (1, True, None)
    found = f"The Python on this host is {platform.python_version()} ({sys.executable}), but labstream.aws needs 99.1"
    assert result["msg"].startswith(found)
    assert "ansible_python_interpreter" in result["msg"]


def test_a_task_that_returns_ends_with_its_result(module, capsys):
    status, result = ended(module, lambda module: module.result.update(changed=True), capsys)
    assert (status, result["changed"], result["stored"]) == (0, True, None)


def test_an_error_becomes_the_message_and_the_result_stays(module, capsys):
    status, result = ended(module, stored_then(NotReady("The fleet is STOPPED.")), capsys)
    assert (status, result["failed"], result["msg"]) == (1, True, "The fleet is STOPPED.")
    assert result["stored"] == "a lease"
    assert "frames" not in result


def test_a_failure_within_a_handler_fails_too(module, capsys):
    def task(module):
        try:
            raise ValueError(SECRET_URL)
        except ValueError:
            module.fail_json(msg="The fleet is STOPPED.")

    status, result = ended(module, task, capsys)
    assert (status, result["msg"]) == (1, "The fleet is STOPPED.")


def worker(module):
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(stored_then(KeyError(SECRET_URL)), module).result()


def parser(module):
    class Client:
        def create_streaming_url(self, **parameters):
            return {"StreamingURL": SECRET_URL, "Expires": SECRET_URL}

    module.result["stored"] = "a lease"
    create_streaming_url(Client(), UserId=SECRET_URL)


@pytest.mark.parametrize(
    ("task", "name", "at"),
    [
        pytest.param(stored_then(KeyError(SECRET_URL)), "KeyError", "plugins/module_utils/_module.py", id="run"),
        pytest.param(worker, "KeyError", "plugins/module_utils/_module.py", id="worker"),
        pytest.param(parser, "AttributeError", "plugins/module_utils/_time.py", id="parser"),
    ],
)
def test_a_bug_is_reported_without_its_text(module, capsys, task, name, at):
    status, result = ended(module, task, capsys)

    assert status == 1
    assert result["msg"].startswith(f"internal error in labstream.aws ({name} at {at}:")
    assert result["msg"].endswith("): please report it")
    assert re.fullmatch(rf"{at}:\d+ \w+", next(frame for frame in reversed(result["frames"]) if frame[0] != "."))
    assert result["stored"] == "a lease"
    assert "correct-horse" not in json.dumps(result)


def test_a_task_that_ends_because_of_a_bug_reports_it_too(module, capsys):
    status, result = ended(
        module, lambda module: module.fail_json(msg="1 of 2 failed.", bug=KeyError(SECRET_URL)), capsys
    )
    assert (status, result["msg"], result["frames"]) == (1, "1 of 2 failed.", [])


@pytest.mark.parametrize(
    "task", [stored_then(KeyError("x")), lambda module: module.fail_json(msg="1 of 2 failed.", bug=KeyError("x"))]
)
def test_a_unit_test_sees_the_bug(module, monkeypatch, task):
    monkeypatch.setattr(LabstreamAWSModule, "reports_bugs", False)
    with pytest.raises(KeyError):
        module.run(task)


@pytest.mark.parametrize(
    ("given", "region"), [({"region": ""}, "of-the-play"), ({"region": "of-the-role"}, "of-the-role")]
)
def test_what_a_role_is_given_precedes_the_arguments_of_its_task(monkeypatch, given, region):
    monkeypatch.setenv("LABSTREAM_ROLE_OPTIONS", json.dumps({**given, "no_option_of_this_module": "x"}))
    with patch_module_args({"region": "of-the-play"}):
        module = LabstreamAWSModule(empty_result={}, argument_spec={})

    assert module.params["region"] == region
    assert "no_option_of_this_module" not in module.params


@pytest.mark.parametrize("name", ["LABSTREAM_ROLE_OPTIONS", "LABSTREAM_ROLE_VARIABLES"])
def test_a_setting_of_roles_that_none_has_made_is_named(monkeypatch, capsys, name):
    monkeypatch.setenv(name, "{")
    with patch_module_args({"region": "eu-central-1"}), pytest.raises(SystemExit):
        LabstreamAWSModule(empty_result={"stored": None}, argument_spec={})

    result = json.loads(capsys.readouterr().out)
    assert (result["failed"], result["stored"]) == (True, None)
    assert result["msg"].startswith(f"{name} in the environment is only for the roles of this collection")


def test_in_a_role_all_messages_name_its_variables(monkeypatch, capsys):
    monkeypatch.setenv("LABSTREAM_ROLE_VARIABLES", json.dumps({"lease_store": "appstream_lab_lease_store"}))
    failures = [{"code": "NotReady", "message": "Check lease_store."}]

    def fail(module):
        module.warn("lease_store is none.")
        raise NotReady("Set lease_store.")

    with patch_module_args({"region": "eu-central-1"}):
        module = LabstreamAWSModule(empty_result={"failures": failures}, argument_spec={})
        with pytest.raises(SystemExit):
            module.run(fail)

    printed, variable = capsys.readouterr(), "appstream_lab_lease_store"
    result = json.loads(printed.out)
    assert (result["msg"], result["failures"][0]["message"]) == (f"Set {variable}.", f"Check {variable}.")
    # Where a plugin was loaded before, ansible-core takes this for the controller, and prints the warning.
    assert f"{variable} is none." in printed.out + printed.err


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_role_that_only_asks_gets_no_warnings_and_asks_in_check_mode(monkeypatch, capsys, check_mode):
    monkeypatch.setenv("LABSTREAM_ROLE_QUERY", "true")
    with patch_module_args({"region": "eu-central-1", "_ansible_check_mode": check_mode}):
        module = LabstreamAWSModule(empty_result={}, argument_spec={})
        with pytest.raises(SystemExit):
            module.run(lambda asking: asking.warn("Nobody asked."))

    printed = capsys.readouterr()
    assert module.is_query == check_mode
    assert ("Nobody asked" in printed.out + printed.err) != check_mode
