# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from botocore.loaders import JSONFileLoader

from tests.simulator.control import Simulator
from tests.unit.plugins.module_utils.clients import PROFILES
from tests.unit.plugins.module_utils.dynamodb_services import (
    DynamoDB,
    dynalite_process,
    simulator_process,
    why_no_dynalite,
)
from tests.unit.plugins.module_utils.module_arguments import patch_module_args


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    """One simulator for all tests of a process."""
    with simulator_process() as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """An empty simulator."""
    running_simulator.reset()
    return running_simulator


@pytest.fixture(scope="session")
def moto(running_simulator: Simulator) -> DynamoDB:
    """The simulator's DynamoDB, which is moto's. Each test has its own tables."""
    return DynamoDB(running_simulator.endpoint_url)


@pytest.fixture(scope="session")
def dynalite() -> Iterator[DynamoDB]:
    """Another DynamoDB. Each test has its own tables."""
    reason = why_no_dynalite()
    if reason:
        pytest.skip(reason)
    with dynalite_process() as service:
        yield service


@pytest.fixture(scope="module")
def files_of_botocore_are_read_once() -> Iterator[None]:
    """Cache botocore's files for tests that make many clients, each of which would parse megabytes of JSON."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _self, path: read(path))
        yield


@pytest.fixture
def module_of(monkeypatch, tmp_path):
    """Makes the module that has these options, on a machine that has the profiles above and no other settings."""
    config = tmp_path / "config"
    config.write_text(PROFILES, encoding="utf-8")
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def make(**options):
        with patch_module_args(options):
            return LabstreamAWSModule(empty_result={}, argument_spec={})

    return make


@pytest.fixture
def studio(monkeypatch):
    """An endpoint on this machine that gives the replies of ``studio.replies``, the last one for ever.

    Each is an error and a status; or bytes, after which the connection is closed; or silence.
    """
    endpoint = SimpleNamespace(replies=[], requests=[])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            endpoint.requests.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = endpoint.replies.pop(0) if len(endpoint.replies) > 1 else endpoint.replies[0]
            if reply == "silence":
                silence.wait(30)
                return
            if isinstance(reply, bytes):
                self.wfile.write(reply)
                self.close_connection = True
                return
            error, status = reply
            body = json.dumps({"message": "What it says."} if error else {"stream": {"streamId": "s"}}).encode()
            self.send_response(status)
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args):
            pass

    silence = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    yield endpoint
    silence.set()
    server.shutdown()
    thread.join()
    server.server_close()
