# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: moto's application with faults and a log of calls around it; streaming pages; the control API."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.request import Request
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import http_date
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from tests.simulator import cbor, dynamodb, registry, streaming
from tests.simulator.calls import Call, CallLog
from tests.simulator.control_api import PREFIX, ControlAPI
from tests.simulator.faults import Error, Faults
from tests.simulator.gameliftstreams.exceptions import GameLiftStreamsError
from tests.simulator.nimble.exceptions import NimbleError
from tests.simulator.nimble.operations import ROOT as NIMBLE_ROOT
from tests.simulator.settings import issuing_now, now
from tests.simulator.streaming import streaming_urls

HOST = "127.0.0.1"
# Of the services whose errors have statuses of their own.
ERRORS = {"gameliftstreams": GameLiftStreamsError, "nimble": NimbleError}
UNSIGNED = [
    (NIMBLE_ROOT, "nimble"),
    (cbor.PREFIX, "appstream"),
    ("/streamgroups", "gameliftstreams"),
    ("/streamurls", "gameliftstreams"),
]
PAGE = "<!doctype html><title>Welcome</title><p>Log in to use this network."


class Simulator:
    """The WSGI application. Threads share it; nothing holds a lock while a call sleeps or works."""

    def __init__(self) -> None:
        dynamodb.register()
        registry.register()
        self._moto = Dispatcher(create_backend_app)
        self._faults = Faults()
        self._calls = CallLog()
        self._control = ControlAPI(self._faults, self._calls)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith(PREFIX):
            response = self._control.respond(request)
        elif is_page(request):
            response = streaming_urls.open(request.path, request.query_string.decode("latin-1")).response()
        else:
            response = self._api_call(request)
        return response(environ, start_response)

    def _api_call(self, request: Request) -> Response:
        try:
            body = request.get_data()
        except ClientDisconnected as gone:  # killed in the middle of its request
            raise ConnectionResetError("the client went away") from gone
        request.environ["wsgi.input"] = io.BytesIO(body)  # for moto, which reads it again
        call = Call.from_request(request, body)
        self._calls.add(call)
        effect = self._faults.effect_on(call)
        call.faults = effect.kinds
        try:
            time.sleep(effect.latency_seconds)
            if effect.drop == "before":
                _drop_connection(request)
            if effect.error:
                response = error_reply(call, effect.error)
            elif effect.reply == "page":
                response = Response(PAGE, mimetype="text/html")
            else:
                response = self._work(request, call)
                call.done = True
            if effect.drop == "after":
                _drop_connection(request)
            if effect.reply in ("truncated", "malformed"):
                _leave_half(response, announced_as_all=effect.reply == "malformed")
            call.status = response.status_code
            call.error_code = _error_code(response)
        finally:
            call.finished = time.time()
        response.headers.setdefault("x-amzn-RequestId", str(uuid.uuid4()))
        return response

    def _work(self, request: Request, call: Call) -> Response:
        try:
            return Response.from_app(self._moto, request.environ, buffered=True)
        except NotImplementedError:
            return error_reply(call, Error("NotImplemented", f"The simulator has no operation {call.operation}.", 501))
        except Exception as error:  # moto lets its own mistakes through
            if error.args == (call.region,):  # and that a service has no backend in a region
                message = f"Credential should be scoped to a valid region, not {call.region!r}."
                return error_reply(call, Error("InvalidSignatureException", message))
            traceback.print_exc()
            return error_reply(call, Error("InternalFailure", f"The simulator failed in {call.operation}.", 500))


def is_page(request: Request) -> bool:
    """Whether a browser asks for the page of a streaming URL, and no client for an object of S3 with such a name."""
    return (
        request.method == "GET"
        and "Authorization" not in request.headers
        and streaming.PATHS.fullmatch(request.path) is not None
    )


class Dispatcher(DomainDispatcherApplication):
    """moto's, but unsigned calls that only their path tells do not go to S3."""

    def infer_service_region_host(self, environ: dict[str, Any], path: str) -> str | None:
        if "HTTP_AUTHORIZATION" not in environ:
            for root, service in UNSIGNED:
                if path.startswith(root):
                    return f"{service}.us-east-1.amazonaws.com"
        return super().infer_service_region_host(environ, path)


def error_reply(call: Call, error: Error) -> Response:
    """An error as the call's service would send it, in JSON, CBOR or XML."""
    if call.service in ERRORS:
        status, headers, body = ERRORS[call.service](error.code, error.message, error.status).reply()
        return Response(body, status, headers)
    if call.cbor:
        headers = {**cbor.HEADERS, "x-amzn-ErrorType": error.code}
        return Response(cbor.encode_error(error.code, error.message), error.status or 400, headers)
    try:
        xml = get_service_model(call.service).protocol in ("query", "ec2", "rest-xml")
    except (UnknownServiceError, ValueError):
        xml = False
    if xml:
        detail = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        body, mimetype = f"<ErrorResponse><Error>{detail}</Error></ErrorResponse>", "text/xml"
    else:
        # restJson1 reads the header, the other JSON protocols read the body.
        body, mimetype = json.dumps({"__type": f"{call.service}#{error.code}", "Message": error.message}), "text/json"
    return Response(body, status=error.status or 400, mimetype=mimetype, headers={"x-amzn-ErrorType": error.code})


def _error_code(response: Response) -> str | None:
    """The code of an error reply; its status where the reply has none (S3's HeadObject, say)."""
    if response.status_code < 400:
        return None
    if "x-amzn-ErrorType" in response.headers:
        return response.headers["x-amzn-ErrorType"]
    in_body = re.search(r'<Code>(\w+)</Code>|"__type": *"(?:[^"#]*#)?([^"#]+)"', response.get_data(as_text=True))
    return (in_body[1] or in_body[2]) if in_body else str(response.status_code)


def _drop_connection(request: Request) -> None:
    """Close the client's connection without a reply. The server takes the exception for a client that went away."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("dropped by a fault")


def _leave_half(response: Response, announced_as_all: bool) -> None:
    """Leave half of the body. Unless that is announced as all of it, it breaks off for the client."""
    body = response.get_data()
    response.set_data(body[: len(body) // 2])
    if not announced_as_all:
        response.headers["Content-Length"] = str(len(body))


class RequestHandler(MotoRequestHandler):
    """Logs no requests, since a request line may hold a streaming URL, and sends the services' time in Date."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        if timestamp is None:
            # Without headers and path the request could not be read.
            called = (getattr(self, "headers", {}).get("X-Amz-Target", ""), getattr(self, "path", ""))
            timestamp = issuing_now() if any(re.search(r"[./]CreateStreamingURL$", each) for each in called) else now()
        return http_date(timestamp)


def serve(port: int = 0, ready_file: Path | None = None, *, stop_at_eof: bool = False) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT; say where on stdout, as one line of JSON, when ready.

    With ``stop_at_eof``, also until standard input ends: a parent that was killed cannot send a signal any more.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    server = make_server(HOST, port, Simulator(), threaded=True, request_handler=RequestHandler)
    os.environ["MOTO_PORT"] = str(server.port)  # where moto's own services call each other
    streaming_urls.origin = f"http://{HOST}:{server.port}"
    ready = json.dumps({"endpoint_url": streaming_urls.origin, "pid": os.getpid()})
    if ready_file:
        unfinished = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
        unfinished.write_text(ready + "\n")
        unfinished.replace(ready_file)
    print(ready, flush=True)
    if stop_at_eof:
        Thread(target=_stop_at_eof, daemon=True).start()
    server.serve_forever()


def _stop_at_eof() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
