# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``aws`` command line agrees with the simulator as boto3 does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.simulator.support import APPLICATION, FLEET, GROUP, LOCATION, STACK, STREAM


@pytest.fixture(scope="module")
def aws_command() -> str:
    found = shutil.which("aws", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if not found:
        pytest.fail("The aws command is neither beside this Python nor on PATH: install the package awscli.")
    return found


@pytest.fixture
def aws(simulator, aws_command):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = simulator.subprocess_environment()
        command = [aws_command, "--output", "json", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_it_lists_every_page_issues_a_url_and_shows_the_session(simulator, aws):
    simulator.seed_lab(STACK, FLEET)
    for name in ("evening", "morning"):
        simulator.client("appstream").create_stack(Name=name)

    stacks = aws("appstream", "describe-stacks")
    assert stacks.returncode == 0, stacks.stderr
    assert [stack["Name"] for stack in json.loads(stacks.stdout)["Stacks"]] == [STACK, "evening", "morning"]

    lab = ["--stack-name", STACK, "--fleet-name", FLEET]
    issued = aws("appstream", "create-streaming-url", *lab, "--user-id", "anna@example.org", "--validity", "600")
    assert issued.returncode == 0, issued.stderr
    assert simulator.open(json.loads(issued.stdout)["StreamingURL"])[0] == 200

    sessions = aws("appstream", "describe-sessions", *lab)
    assert [session["UserId"] for session in json.loads(sessions.stdout)["Sessions"]] == ["anna@example.org"]


def test_it_creates_lists_and_revokes_gamelifts_urls(simulator, aws, gamelift):
    simulator.set(page_size=1)
    first = gamelift.create_stream_url(**STREAM)["StreamUrlId"]
    stream_group = ["--identifier", f"arn:aws:gameliftstreams:us-east-1:123456789012:streamgroup/{GROUP}"]
    asked = ["--application-identifier", APPLICATION, "--protocol", "WebRTC", "--locations", LOCATION]
    created = aws("gameliftstreams", "create-stream-url", *stream_group, *asked, "--url-expires-after-minutes", "5")
    assert created.returncode == 0, created.stderr
    second = json.loads(created.stdout)["StreamUrlId"]

    revoked = aws("gameliftstreams", "revoke-stream-url", *stream_group, "--stream-url-identifier", first)

    assert (revoked.returncode, revoked.stdout) == (0, "")
    urls = json.loads(aws("gameliftstreams", "list-stream-urls").stdout)["Items"]
    assert [(url["StreamUrlId"], url["Status"]) for url in urls] == [(first, "REVOKED"), (second, "ACTIVE")]


def test_it_reports_the_services_error(aws):
    rejected = aws("appstream", "start-fleet", "--name", "nowhere")
    assert rejected.returncode != 0
    assert "ResourceNotFoundException" in rejected.stderr
    assert "nowhere" in rejected.stderr
