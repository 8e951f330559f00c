# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``module_defaults: group/labstream.aws.labstream`` must reach every module that talks to AWS, and no other."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[4]


def test_the_action_group_holds_exactly_the_modules_that_talk_to_aws():
    aws_modules = [
        module.stem
        for module in sorted((ROOT / "plugins" / "modules").glob("*.py"))
        if "LabstreamAWSModule(" in module.read_text(encoding="utf-8")
    ]
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["labstream"]

    assert "appstream_streaming_url" in aws_modules
    assert [name for name in group if isinstance(name, str)] == aws_modules
    assert [entry["metadata"] for entry in group if isinstance(entry, dict)] == [{"extend_group": ["amazon.aws.aws"]}]
