# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make simulator``: what it prints is enough for the guide "Getting started"."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.documentation import CHECKOUT, GUIDES, find_code
from tests.integration.running import TIMEOUT_SECONDS
from tests.pages import url_of
from tests.simulator.control import Simulator

GUIDE = GUIDES / "guide_getting_started.rst"
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


def test_getting_started_works_with_what_it_prints(command: subprocess.Popen[str], tmp_path: Path) -> None:
    # Given the lines, and the file and the commands of the guide, but for an end that is far enough off.
    lines = "".join(read_lines(command))
    [variables] = find_code(GUIDE, "yaml")
    [_clone, copy, start, rotate, end] = find_code(GUIDE, "shell")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/lab.yml").write_text(variables.replace('"23:59"', f'"{tomorrow:%Y-%m-%dT%H:%M}"'))
    (tmp_path / "examples").symlink_to(CHECKOUT / "examples")
    shell = partial(
        subprocess.run,
        ["bash", "-e"],
        cwd=tmp_path,
        # A shell that is set up for an account of AWS.
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "none"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    # When they are pasted into a shell, then all learners have pages whose URLs open.
    started = shell(input=lines + copy + start)
    assert started.returncode == 0, started.stdout
    with (tmp_path / "build/links.csv").open(encoding="utf-8", newline="") as file:
        pages = [tmp_path / "build/pages" / row["page"] for row in csv.DictReader(file)]
    assert len(pages) == 30
    endpoint_url = re.search(r"export AWS_ENDPOINT_URL=(\S+)", lines)
    assert endpoint_url
    assert Simulator(endpoint_url[1]).open(url_of(pages[0].read_text(encoding="utf-8")))[0] == 200

    # And the aws command is found, and asks the simulator.
    listed = shell(input=lines + "aws appstream describe-fleets --query 'Fleets[].[Name,State]' --output text\n")
    assert (listed.returncode, listed.stdout) == (0, "cad-fleet\tRUNNING\n")

    # When a link has leaked, then its page says so, and the learner has another one.
    rotated = shell(input=lines + rotate)
    assert rotated.returncode == 0, rotated.stdout
    with (tmp_path / "build/links.csv").open(encoding="utf-8", newline="") as file:
        anna, *others = [tmp_path / "build/pages" / row["page"] for row in csv.DictReader(file)]
    assert (others, anna in pages) == (pages[1:], False)
    assert "This page has been replaced by another one." in pages[0].read_text(encoding="utf-8")
    assert Simulator(endpoint_url[1]).open(url_of(anna.read_text(encoding="utf-8")))[0] == 200

    # When the lab is ended, then the pages open nothing any more, and nothing is in the home.
    ended = shell(input=lines + end)
    assert ended.returncode == 0, ended.stdout
    assert not any(url_of(page.read_text(encoding="utf-8")) for page in [anna, *pages])
    assert not (tmp_path / ".ansible/labstream").exists()


def test_ctrl_c_stops_it_and_leaves_nothing(command: subprocess.Popen[str]) -> None:
    lines = "".join(read_lines(command))
    store = re.search(r"export LABSTREAM_LEASE_STORE=sqlite://(\S+)", lines)
    assert store
    assert Path(store[1]).parent.stat().st_mode & 0o777 == 0o700

    command.send_signal(signal.SIGINT)

    assert command.wait(20) == 0
    assert command.communicate() == ("", "")
    assert not Path(store[1]).parent.exists()
