# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""examples/terraform/lab: its output is the role's variables, and its policy that of the README."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "examples/terraform/lab"
CONFIGURATION = (EXAMPLE / "main.tf").read_text(encoding="utf-8")


def block_of(header: str) -> str:
    """Return a block of the configuration, by its first line."""
    [block] = re.findall(rf"^{header} {{$(.*?)^}}$", CONFIGURATION, re.MULTILINE | re.DOTALL)
    return block


def options_of(role: str) -> set[str]:
    specs = yaml.safe_load((CHECKOUT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return set(specs["argument_specs"]["main"]["options"])


def test_there_is_one_output_whose_keys_are_variables_of_the_role() -> None:
    keys = re.findall(r"^ +(\w+) += (?!{)", block_of('output "lab"').partition("for name, value")[2], re.MULTILINE)

    assert len(keys) == 4
    assert set(keys) <= options_of("appstream_lab")
    assert len(re.findall("^output ", CONFIGURATION, re.MULTILINE)) == 1


def test_the_variables_of_the_class_are_those_of_the_roles_that_the_output_lacks() -> None:
    keys = yaml.safe_load((EXAMPLE / "class.yml").read_text(encoding="utf-8")).keys()

    assert keys <= options_of("appstream_lab") | options_of("lab_handout")
    assert not [key for key in keys if key in block_of('output "lab"')]


# What begins the resources of the statements, in the configuration and in the README.
RESOURCES = {'["*"]': "*", '["${local.appstream}:stack/': "arn:aws:appstream:", "[arn]": "arn:aws:dynamodb:"}


def test_the_policy_is_those_of_the_readme_in_one() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    policies = [json.loads(block) for block in re.findall(r"^```json$(.*?)^```$", readme, re.MULTILINE | re.DOTALL)]
    expected: dict[str, set[str]] = {start: set() for start in RESOURCES.values()}
    for statement in (each for policy in policies for each in policy["Statement"]):
        is_other = any(action.startswith(("gameliftstreams:", "nimble:")) for action in statement["Action"])
        if not is_other and "dynamodb:CreateTable" not in statement["Action"]:
            [start] = [start for start in expected if statement["Resource"][0].startswith(start)]
            expected[start] |= set(statement["Action"])

    policy = block_of('resource "aws_iam_policy" "lab_policy"')
    statements = re.findall(r"Action = \[([^\]]*)\]\s+Resource = (.*)", policy)

    assert len(statements) == 3
    for actions, resource in statements:
        [start] = [start for text, start in RESOURCES.items() if resource.startswith(text)]
        assert set(re.findall(r'"(\w+:\w+)"', actions)) == expected[start]
