# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules accept as text and as numbers."""

from __future__ import annotations

import json

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

from tests.unit.plugins.module_utils.module_arguments import patch_module_args

SPEC = {
    "stack_name": {"type": "str"},
    "lab": {},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "pages_dir": {"type": "path"},
    "validity": {"type": "int"},
    "ports": {"type": "list", "elements": "int"},
    "user_ids": {"type": "list", "elements": "str"},
    "users": {
        "type": "list",
        "elements": "dict",
        "options": {"user_id": {"type": "str", "required": True}, "count": {"type": "int"}},
    },
}
OUTPUT = {"sensitive": True, "type": "string", "value": "a-secret"}
TERRAFORM = "it is Terraform's description of an output, not its value: take it from `terraform output -json lab`"
MAPPING, LIST, NULL = (f"it is {what}, but it must be text" for what in ("a mapping", "a list", "null"))


def build(**args):
    with patch_module_args(args):
        return LabstreamAWSModule(empty_result={}, argument_spec=SPEC)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"stack_name": OUTPUT}, TERRAFORM),
        ({"stack_name": {"name": "cad"}}, MAPPING),
        ({"stack_name": ["cad"]}, LIST),
        ({"lab": {"name": "cad"}}, MAPPING),
        ({"pages_dir": OUTPUT}, TERRAFORM),
        ({"pages_dir": ["/srv"]}, LIST),
        ({"region": OUTPUT}, TERRAFORM),
        ({"user_ids": ["anna", {"id": "ben"}]}, MAPPING),
        ({"users": [{"user_id": OUTPUT}]}, TERRAFORM),
        ({"users": [{"user_id": ["anna"]}]}, LIST),
        # ansible-core would make text of it, "None" before 2.19.
        ({"user_ids": ["anna", None]}, NULL),
        ({"users": [{"user_id": None}]}, NULL),
    ],
)
def test_a_mapping_or_list_where_text_is_expected_is_named(args, problem, capsys):
    with pytest.raises(SystemExit):
        build(**args)
    message = json.loads(capsys.readouterr().out)["msg"]

    assert message.endswith(f": {problem}")
    assert next(iter(args)) in message
    assert "a-secret" not in message


@pytest.mark.parametrize("state", [[], [1], ["present", None], {"a": 1}, True])
def test_what_is_none_of_the_choices_is_named(state, capsys):
    # ansible-core 2.16 raises a TypeError over a list of something else than text that stays a list.
    with pytest.raises(SystemExit):
        build(state=state)

    assert json.loads(capsys.readouterr().out)["msg"].startswith("value of state must be one of: present, absent, got:")


@pytest.mark.parametrize(
    "args", [{"validity": True}, {"ports": [1, True]}, {"users": [{"user_id": "anna", "count": True}]}]
)
def test_a_boolean_where_a_number_is_expected_is_named(args, capsys):
    with pytest.raises(SystemExit):
        build(**args)
    message = json.loads(capsys.readouterr().out)["msg"]

    assert message.endswith(" to number: it is true, but it must be a whole number")
    assert next(iter(args)) in message


@pytest.mark.parametrize(
    ("args", "option", "value"),
    [
        ({"stack_name": "{'name': 'cad'}"}, "stack_name", "{'name': 'cad'}"),
        ({"lab": 4713}, "lab", "4713"),
        ({"lab": None}, "lab", None),
        ({"pages_dir": "/srv"}, "pages_dir", "/srv"),
        ({"user_ids": "anna,ben"}, "user_ids", ["anna", "ben"]),
        ({"validity": "60"}, "validity", 60),
        ({"users": [{"user_id": 7}]}, "users", [{"user_id": "7", "count": None}]),
    ],
)
def test_anything_else_is_accepted_as_before(args, option, value):
    assert build(**args).params[option] == value
