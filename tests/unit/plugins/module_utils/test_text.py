# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a mapping or a list where text is expected."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._text import describe_not_text, is_terraform_output

SECRET = "a-secret-of-the-output"
OUTPUT = {"sensitive": True, "type": "string", "value": SECRET}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (OUTPUT, "is Terraform's description of an output, not its value: take it from `terraform output -json lab`"),
        ({"value": SECRET}, "is a mapping, but it must be text"),
        ({}, "is a mapping, but it must be text"),
        ([SECRET], "is a list, but it must be text"),
        ((), "is a list, but it must be text"),
        ("text", None),
        ("", None),
        (17, None),
        (None, None),
    ],
)
def test_what_is_no_text_is_described_without_showing_it(value, problem):
    assert describe_not_text(value) == problem


@pytest.mark.parametrize(
    "value", [{"value": 1}, {"type": "string", "value": 1}, "sensitive type value", None, ["value"]]
)
def test_anything_else_is_no_output_of_terraform(value):
    assert is_terraform_output(OUTPUT)
    assert not is_terraform_output(value)
