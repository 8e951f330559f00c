# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""examples/terraform/lab: its output is the roles' variables, and its policy that of the guide."""

from __future__ import annotations

import json
import re

import yaml

from tests.documentation import AUTHENTICATION, CHECKOUT, find_code

EXAMPLE = CHECKOUT / "examples/terraform/lab"
CONFIGURATION = (EXAMPLE / "main.tf").read_text(encoding="utf-8")


def block_of(header: str) -> str:
    """Return a block of the configuration, by its first line."""
    [block] = re.findall(rf"^{header} {{$(.*?)^}}$", CONFIGURATION, re.MULTILINE | re.DOTALL)
    return block


def options_of(role: str) -> set[str]:
    specs = yaml.safe_load((CHECKOUT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return set(specs["argument_specs"]["main"]["options"])


def test_there_is_one_output_whose_keys_are_variables_of_the_roles() -> None:
    keys = re.findall(r"^ +(\w+) += (?!{)", block_of('output "lab"').partition("for name, value")[2], re.MULTILINE)

    assert len(keys) == 7
    assert set(keys) <= options_of("appstream_lab") | options_of("lab_handout")
    assert len(re.findall("^output ", CONFIGURATION, re.MULTILINE)) == 1


def test_the_variables_of_the_lab_are_those_of_the_roles_that_the_output_lacks() -> None:
    keys = yaml.safe_load((EXAMPLE / "lab.yml").read_text(encoding="utf-8")).keys()

    assert keys <= options_of("appstream_lab") | options_of("lab_handout")
    # The output has the address of the pages only if Terraform publishes them.
    assert [key for key in keys if key in block_of('output "lab"')] == ["lab_handout_base_url"]


def test_the_readme_lists_every_variable() -> None:
    variables = re.findall('^variable "(.*?)"', (EXAMPLE / "variables.tf").read_text(encoding="utf-8"), re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \|", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert rows == variables


# What begins the resources of the statements, in the configuration and in the guide.
RESOURCES = {
    '["*"]': "*",
    '["${local.appstream}:stack/': "arn:aws:appstream:",
    "[arn]": "arn:aws:dynamodb:",
    "[bucket.arn]": "bucket",
    '["${bucket.arn}/*"]': "objects",
}
# Those of an upload are in prose, in the README of the role.
UPLOAD = {"bucket": {"s3:ListBucket"}, "objects": {"s3:GetObject", "s3:PutObject"}}


def test_the_policy_is_those_of_the_guide_in_one() -> None:
    policies = [json.loads(block) for block in find_code(AUTHENTICATION, "json")]
    expected: dict[str, set[str]] = {start: set() for start in RESOURCES.values()}
    for statement in (each for policy in policies for each in policy["Statement"]):
        services = {action.partition(":")[0] for action in statement["Action"]}
        if services <= {"appstream", "dynamodb"} and "dynamodb:CreateTable" not in statement["Action"]:
            [start] = [start for start in expected if statement["Resource"][0].startswith(start)]
            expected[start] |= set(statement["Action"])

    role = (CHECKOUT / "roles/lab_handout/README.md").read_text(encoding="utf-8")
    assert set(
        re.findall(r"It needs `(s3:\w+)` on the bucket, and `(s3:\w+)` and `(s3:\w+)` on", role)[0]
    ) == set.union(*UPLOAD.values())
    expected |= UPLOAD

    policy = block_of('resource "aws_iam_policy" "lab_policy"')
    statements = re.findall(r"Action +?= \[([^\]]*)\]\s+Resource += (.*)", policy)

    assert len(statements) == len(expected)
    for actions, resource in statements:
        [start] = [start for text, start in RESOURCES.items() if resource.startswith(text)]
        assert set(re.findall(r'"(\w+:\w+)"', actions)) == expected[start]
