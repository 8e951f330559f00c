# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks and modules as users do, and read the result of every task.

``LABSTREAM_TEST_VENV`` and ``LABSTREAM_TEST_COLLECTIONS`` choose the environment, relative to the checkout.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from tests.integration import module_process
from tests.integration.processes import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / os.environ.get("LABSTREAM_TEST_VENV", "build/venv")
COLLECTIONS = CHECKOUT / os.environ.get("LABSTREAM_TEST_COLLECTIONS", "build/collections")
# A fork server and its users have to be of one Python.
OTHER_PYTHON = not (VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}").is_dir()
STACK, FLEET = "cad-course", "cad-fleet"
STUDIO = "studio-1"
MODULE = "labstream.aws.appstream_streaming_url"
STREAM_MODULE = "labstream.aws.nimble_session_stream"
# The task in which every role publishes its facts.
PUBLISH = "labstream.aws.lab_results : Publish the results"
# The last task of the playbooks start_lab and end_lab.
RESULT = "Show the result of the lab, or fail with it"
STREAM_URL_MODULE = "labstream.aws.gamelift_stream_url"
STREAM_GROUP = "sg-lab"
TIMEOUT_SECONDS = 240
# Both save a tenth of the processor time.
CONFIG = "[defaults]\ninternal_poll_interval = 0.01\n[connection]\npipelining = true\n"
# The last two are those of coverage, which counts child processes too.
PASSED_ON = ("PYTHONDONTWRITEBYTECODE", "COVERAGE_PROCESS_START", "COVERAGE_FILE")
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()

MODULES = COLLECTIONS / "ansible_collections/labstream/aws/plugins/modules"
# Imported once, by the process from which those of call_module are forked. They would each import pytest otherwise,
# since it is the main program.
PRELOADED = [
    "pytest",
    *(f"ansible_collections.labstream.aws.plugins.modules.{file.stem}" for file in MODULES.glob("*.py")),
    "tests.integration.module_process",
    "tests.integration.preloading",
]


@dataclass(frozen=True)
class Task:
    """The result of one task. ``result`` is the module's result as callbacks see it."""

    name: str
    action: str
    status: str
    result: dict[str, Any]

    @property
    def msg(self) -> str:
        return self.result["msg"]

    @property
    def failed(self) -> bool:
        return self.status == "failed"

    @property
    def changed(self) -> bool:
        return self.result["changed"]

    @property
    def urls(self) -> list[str | None]:
        """The streaming URLs in the result, in order."""
        return [entry["streaming_url"] for entry in self.result["streaming_urls"]]

    @property
    def warnings(self) -> str:
        return "\n".join(map(str, self.result.get("warnings", [])))


@dataclass(frozen=True)
class Run:
    """One run of ``ansible-playbook``. ``printed`` is its output, ``recap`` the numbers of its recap."""

    returncode: int
    stdout: str
    stderr: str
    tasks: list[Task]
    recap: dict[str, dict[str, int]]

    @property
    def printed(self) -> str:
        return self.stdout + self.stderr

    @property
    def changed(self) -> int:
        """The number of changed tasks on all hosts."""
        return sum(numbers["changed"] for numbers in self.recap.values())

    def task(self, name: str) -> Task:
        """Return the only task of that name (in a role: ``role : task``)."""
        found = [task for task in self.tasks if task.name == name]
        assert len(found) == 1, f"{len(found)} results of the task {name!r}:\n{self.printed}"
        return found[0]


def has_gamelift() -> bool:
    """Return whether modules run with a botocore that has Amazon GameLift Streams."""
    folders = map(str, VENV.glob("lib/python*/site-packages"))
    [botocore] = metadata.distributions(name="botocore", path=list(folders))
    return tuple(map(int, botocore.version.split("."))) >= (1, 43, 59)


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return an environment for a child process without the caller's AWS and Ansible settings."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment = {
        **passed_on,
        "PATH": f"{VENV / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home / ".ansible"),
        # By default it is in the home folder of the password database.
        "ANSIBLE_REMOTE_TEMP": str(home / ".ansible/tmp"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_results",
        **variables,
    }
    return _without_empty(environment)


class Job(NamedTuple):
    """One call of a module: its file, the file of its arguments and its environment."""

    file: Path
    arguments: Path
    environment: dict[str, str]


class Ansible:
    """Runs of Ansible in one home folder, with one environment."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = clean_environment(home, **environment)
        # None of the machine's is read.
        self.environment["ANSIBLE_CONFIG"] = str(self._new_file("ansible", ".cfg", CONFIG))

    def run_playbook(
        self,
        playbook: str | Path | Sequence[Mapping[str, Any]],
        *,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Run:
        """Run a playbook to its end; ``options`` are those of ``start_playbook``."""
        results = self._new_file("results", ".jsonl")
        environment = {**(environment or {}), "LABSTREAM_TEST_RESULTS": str(results)}
        with self.start_playbook(playbook, environment=environment, **options) as process:
            stdout, stderr = wait_for(process, TIMEOUT_SECONDS)
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        return Run(
            process.returncode,
            stdout,
            stderr,
            [Task(line["task"], line["action"], line["status"], line["result"]) for line in lines if "task" in line],
            next((line["recap"] for line in lines if "recap" in line), {}),
        )

    def start_playbook(
        self,
        playbook: str | Path | Sequence[Mapping[str, Any]],
        *,
        extra_vars: Mapping[str, Any] | None = None,
        check: bool = False,
        diff: bool = False,
        verbosity: int = 0,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """Start a playbook: a path, a collection playbook's name, YAML text (with a line break), or plays as data.

        It leads a process group of its own.
        """
        command: list[str | Path] = [VENV / "bin" / "python", VENV / "bin" / "ansible-playbook"]
        command += ["--extra-vars", f"ansible_python_interpreter={VENV / 'bin' / 'python'}"]
        command += ["--check"] * check + ["--diff"] * diff + ["-" + "v" * verbosity] * bool(verbosity)
        if extra_vars:
            command += ["--extra-vars", f"@{self._new_file('vars', '.json', json.dumps(extra_vars))}"]
        if not isinstance(playbook, str | Path):
            playbook = json.dumps(playbook) + "\n"
        if isinstance(playbook, str) and "\n" in playbook:
            playbook = self._new_file("playbook", ".yml", playbook)
        return subprocess.Popen(
            [*command, *arguments, playbook],
            cwd=self.home,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run_tasks(self, tasks: Sequence[Mapping[str, Any]], **options: Any) -> Run:
        """Run tasks on localhost, even after one has failed. ``options`` are those of ``run_playbook``."""
        play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": list(tasks)}
        return self.run_playbook([play], **options)

    def run_module(self, args: Mapping[str, Any], *, module: str = MODULE, **options: Any) -> tuple[Task, Run]:
        """Run one module task on localhost through ``ansible-playbook``; return its result and the run."""
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "the task", module: dict(args)}]}
        run = self.run_playbook([play], **options)
        return run.task("the task"), run

    def call_module(self, args: Mapping[str, Any], **options: Any) -> Task:
        """Run a module's file without ansible-playbook, which is ten times as fast.

        ``options``: ``module``, ``check``, ``diff``, ``verbosity`` and ``environment`` as in ``run_playbook``.
        """
        if OTHER_PYTHON:
            return finish_module(self.start_module(args, **options))
        job = self._job(args, **options)
        stdout = self._new_file("module", ".stdout")
        process = forkserver().Process(
            target=module_process.run, args=(job.file, job.arguments, stdout, job.environment, self.home)
        )
        process.start()
        process.join(TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(str(job.file), TIMEOUT_SECONDS)
        process.close()
        return _task_of(stdout.read_text(), stdout.with_suffix(".stderr").read_text())

    def start_module(
        self, args: Mapping[str, Any], *, may_not_override_modes: bool = False, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a module's file in a process of its own; ``options`` are those of ``call_module``.

        With ``may_not_override_modes``, the modes of files bind the process even if the superuser runs the tests.
        """
        return self._start(self._job(args, **options), WITHOUT_OVERRIDE if may_not_override_modes else ())

    def _job(
        self,
        args: Mapping[str, Any],
        *,
        module: str = MODULE,
        check: bool = False,
        diff: bool = False,
        verbosity: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Job:
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_verbosity": verbosity}
        file = MODULES / f"{module.rpartition('.')[2]}.py"
        arguments = self._new_file("arguments", ".json", json.dumps({"ANSIBLE_MODULE_ARGS": {**args, **internal}}))
        return Job(file, arguments, self._environment(environment))

    def _start(self, job: Job, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, VENV / "bin" / "python", job.file, job.arguments],
            cwd=self.home,
            env=job.environment | {"PYTHONPATH": str(COLLECTIONS)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return _without_empty({**self.environment, **(more or {})})

    def _new_file(self, stem: str, suffix: str = "", text: str = "") -> Path:
        folder = self.home.parent / "runs"
        folder.mkdir(exist_ok=True)
        path = folder / f"{stem}-{len(list(folder.iterdir()))}{suffix}"
        path.write_text(text)
        return path


@cache
def forkserver() -> ForkServerContext:
    """Start the process from which call_module forks, in a clean environment and with what modules import."""
    context = multiprocessing.get_context("forkserver")
    context.set_executable(str(VENV / "bin" / "python"))
    context.set_forkserver_preload(PRELOADED)
    paths = os.pathsep.join(map(str, (COLLECTIONS, CHECKOUT)))
    with mock.patch.dict(os.environ, clean_environment(Path("/nonexistent"), PYTHONPATH=paths), clear=True):
        first = context.Process(target=int)
        first.start()
    first.join()
    return context


def wait_while_running(process: subprocess.Popen[str], until: Callable[[], bool], interval: float) -> bool:
    """Poll until the condition holds; return whether the process is still running then.

    Raises:
        TimeoutExpired: The process ran too long.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not until():
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, TIMEOUT_SECONDS)
        time.sleep(interval)
    return process.poll() is None


def finish_module(process: subprocess.Popen[str]) -> Task:
    """Wait for a process of ``start_module``, and return its result."""
    try:
        return _task_of(*process.communicate(timeout=TIMEOUT_SECONDS))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def _task_of(stdout: str, stderr: str) -> Task:
    assert stderr == "", stderr
    result = json.loads(stdout)
    return Task(name="", action="", status="failed" if result.get("failed") else "ok", result=result)


def _without_empty(environment: Mapping[str, str]) -> dict[str, str]:
    """Drop empty values, by which tests unset a variable; amazon.aws takes an empty AWS_PROFILE for a profile."""
    return {name: value for name, value in environment.items() if value != ""}


@contextmanager
def server_that_answers(answer: Callable[[str], bytes], status: int = 200) -> Iterator[str]:
    """Start a server with that answer to each path; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    with serve(Handler) as address:
        yield address


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Start a server with that handler; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
