# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make simulator``: what it prints is enough for the first playbook of the README."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.running import CHECKOUT, TIMEOUT_SECONDS
from tests.simulator.control import Simulator

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
LAST_LINE = "# The simulator runs until Ctrl+C"


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, as make starts it."""
    with subprocess.Popen(
        # A job in the background of a shell ignores Ctrl+C.
        ["env", "--default-signal=INT", sys.executable, CHECKOUT / "tools" / "simulator.py"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def read_lines(process: subprocess.Popen[str]) -> list[str]:
    """Return what it prints until it is ready."""
    assert process.stdout
    lines: list[str] = []
    while not (lines and lines[-1].startswith(LAST_LINE)):
        line = process.stdout.readline()
        assert line, process.communicate()
        lines.append(line)
    return lines


def test_the_readme_can_be_tried_with_what_it_prints(command: subprocess.Popen[str], tmp_path: Path) -> None:
    # Given the lines, and the playbook and the commands of the README.
    lines = read_lines(command)
    section = README.partition("### Try it without an AWS account")
    [playbook] = re.findall(r"^```yaml$\n(- name: Provide the URLs of a lab\n.*?)^```$", section[0], re.M | re.S)
    commands = re.search(r"^```shell$\n(.*?)^```$", section[2], re.M | re.S)
    assert commands
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "lab.yml").write_text(playbook)
    (tmp_path / "examples").symlink_to(CHECKOUT / "examples")

    # When they are pasted into a shell that is set up for an account of AWS.
    shell = subprocess.run(
        ["bash", "-e"],
        input="".join(lines) + commands[1],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "none"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    # Then all learners have URLs that open, and nothing is in the home.
    assert shell.returncode == 0, shell.stdout + shell.stderr
    with (tmp_path / "build" / "handout.csv").open(encoding="utf-8", newline="") as file:
        urls = [row["streaming_url"] for row in csv.DictReader(file)]
    assert len(urls) == 30
    endpoint_url = re.search(r"export AWS_ENDPOINT_URL=(\S+)", "".join(lines))
    assert endpoint_url
    assert Simulator(endpoint_url[1]).open(urls[0])[0] == 200
    assert not (tmp_path / ".ansible" / "labstream").exists()


def test_ctrl_c_stops_it_and_leaves_nothing(command: subprocess.Popen[str]) -> None:
    lines = "".join(read_lines(command))
    store = re.search(r"export LABSTREAM_LEASE_STORE=sqlite://(\S+)", lines)
    assert store
    assert Path(store[1]).parent.stat().st_mode & 0o777 == 0o700

    command.send_signal(signal.SIGINT)

    assert command.wait(20) == 0
    assert command.communicate() == ("", "")
    assert not Path(store[1]).parent.exists()
