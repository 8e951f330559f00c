# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real processes: one that starts a worker, which starts a shell, which starts the one that is tested."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _process

WITH_OWN_GROUPS, WITHOUT = "2.19.14", "2.18.6"

# Says "module" and its id, then for each line that it reads whether it is an orphan.
MODULE = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("process", sys.argv[1])
process = importlib.util.module_from_spec(spec)
spec.loader.exec_module(process)
is_orphaned = process.build_orphan_check(sys.argv[2])
print("module", os.getpid(), flush=True)
for line in sys.stdin:
    print(is_orphaned(), flush=True)
"""
# Starts the rest of its arguments, in a group of its own if it is called "worker", prints their id, and waits.
STARTS = """
import subprocess, sys
child = subprocess.Popen(sys.argv[2:], stdin=0, start_new_session=sys.argv[1] == "worker")
print(sys.argv[1], child.pid, flush=True)
child.wait()
"""


class Family:
    """The processes by their roles; ``ask`` asks the module."""

    def __init__(self, version: str, *, own_group: bool) -> None:
        def start(role: str, *command: str) -> list[str]:
            return [sys.executable, "-c", STARTS, role, *command]

        module = [sys.executable, "-c", MODULE, str(Path(_process.__file__)), version]
        shell = ["/bin/sh", "-c", '"$@" && :', "sh", *module]
        command = start("worker" if own_group else "child", *start("shell", *shell))
        self._main = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.ids = {"main": self._main.pid}
        for _number in range(3):
            role, _separator, pid = self._read().partition(" ")
            self.ids["worker" if role == "child" else role] = int(pid)

    def kill(self, role: str) -> None:
        os.kill(self.ids[role], signal.SIGKILL)
        deadline = time.monotonic() + 10
        while _process._get_parent(self.ids["module" if role == "shell" else "worker"]) == self.ids[role]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def ask(self) -> str:
        assert self._main.stdin
        self._main.stdin.write("?\n")
        self._main.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._main.stdout
        return self._main.stdout.readline().strip()

    def end(self) -> None:
        assert self._main.stdin
        self._main.stdin.close()
        assert self._main.stdout
        self._main.stdout.read()
        self._main.stdout.close()
        self._main.wait()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Callable[..., Family]:
    def make(version: str, *, own_group: bool) -> Family:
        family = Family(version, own_group=own_group)
        request.addfinalizer(family.end)
        return family

    return make


@pytest.mark.parametrize(
    ("version", "own_group", "killed", "answer"),
    [
        pytest.param(WITH_OWN_GROUPS, True, None, "False", id="nobody is killed"),
        pytest.param(WITH_OWN_GROUPS, True, "main", "True", id="ansible-playbook is killed, and the worker goes on"),
        pytest.param(WITH_OWN_GROUPS, True, "shell", "True", id="the shell is killed"),
        pytest.param("2.22.0.dev0", True, "main", "True", id="a version in development"),
        pytest.param(WITHOUT, False, None, "False", id="nobody is killed, without groups of their own"),
        pytest.param(WITHOUT, False, "shell", "True", id="the shell is killed, without groups of their own"),
    ],
)
def test_a_module_is_an_orphan_once_the_run_that_started_it_is_killed(start, version, own_group, killed, answer):
    family = start(version, own_group=own_group)
    assert family.ask() == "False"
    if killed:
        family.kill(killed)
    assert family.ask() == answer


def test_a_run_that_outlives_the_shell_that_started_it_is_not_killed():
    """Before 2.19, ansible-playbook leads the group, and after nohup it loses its parent without an end of the run."""
    family = Family(WITHOUT, own_group=True)  # The worker stands for ansible-playbook, and main for the user's shell.
    family.kill("main")
    assert family.ask() == "False"
    family.end()


def test_without_a_parent_in_proc_only_the_own_parent_counts(monkeypatch):
    monkeypatch.setattr(_process, "_get_parent", lambda pid: None)
    is_orphaned = _process.build_orphan_check(WITH_OWN_GROUPS)
    assert not is_orphaned()
    # Not 1: that is its parent already if the tests run in the background of a shell that has ended.
    parent = os.getppid()
    monkeypatch.setattr(os, "getppid", lambda: parent + 1)
    assert is_orphaned()


def test_a_leader_that_has_ended_was_not_killed(monkeypatch):
    parents = [4711, None]
    monkeypatch.setattr(_process, "_get_parent", lambda pid: parents.pop(0))
    assert not _process.build_orphan_check(WITH_OWN_GROUPS)()
