# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths under ``/_simulator/`` by which tests steer the simulator. ``control.py`` is their client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from werkzeug.wrappers import Request, Response

from tests.simulator.appstream import seeding as fleets
from tests.simulator.calls import CallLog
from tests.simulator.faults import Faults
from tests.simulator.gameliftstreams import seeding as stream_groups
from tests.simulator.nimble import seeding
from tests.simulator.settings import settings
from tests.simulator.streaming import streaming_urls

PREFIX = "/_simulator/"


class ControlAPI:
    """Answers JSON; a bad request gets status 400 and one message in ``error``."""

    def __init__(self, faults: Faults, calls: CallLog) -> None:
        self._faults = faults
        self._calls = calls
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "settings"): lambda request: asdict(settings),
            ("POST", "settings"): self._change_settings,
            ("GET", "faults"): lambda request: self._faults.entries(),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): lambda request: self._faults.reset(),
            ("GET", "calls"): self._list_calls,
            ("GET", "streaming_urls"): lambda request: streaming_urls.issued(),
            ("POST", "appstream/fleets"): lambda request: fleets.change_fleet(_body(request)),
            ("POST", "appstream/images"): lambda request: fleets.put_image(_body(request)),
            ("DELETE", "appstream/images"): lambda request: fleets.remove_image(request.args.to_dict()),
            ("POST", "gameliftstreams/applications"): lambda request: stream_groups.put_application(_body(request)),
            ("DELETE", "gameliftstreams/applications"): lambda request: stream_groups.delete_application(request.args),
            ("POST", "gameliftstreams/stream_groups"): lambda request: stream_groups.put_group(_body(request)),
            ("DELETE", "gameliftstreams/stream_groups"): lambda request: stream_groups.delete_group(request.args),
            ("GET", "gameliftstreams/stream_urls"): lambda request: stream_groups.urls(),
            ("POST", "gameliftstreams/stream_urls"): lambda request: stream_groups.change_url(_body(request)),
            ("DELETE", "gameliftstreams/stream_urls"): lambda request: stream_groups.remove_url(
                request.args.get("StreamUrlId", "")
            ),
            ("GET", "gameliftstreams/stream_sessions"): lambda request: stream_groups.sessions(),
            ("POST", "gameliftstreams/stream_sessions"): lambda request: stream_groups.change_session(_body(request)),
            ("POST", "nimble/studios"): lambda request: seeding.put_studio(_body(request)),
            ("POST", "nimble/sessions"): lambda request: seeding.change_session(_body(request)),
            ("GET", "nimble/streams"): lambda request: seeding.streams(),
            ("POST", "nimble/streams"): lambda request: seeding.change_stream(_body(request)),
            ("DELETE", "nimble/streams"): lambda request: seeding.remove_stream(request.args.get("streamId", "")),
            ("POST", "reset"): self._reset,
        }

    def respond(self, request: Request) -> Response:
        route = (request.method, request.path.removeprefix(PREFIX))
        if route not in self._routes:
            return _json({"error": f"There is no {request.method} {request.path} here."}, 404)
        try:
            return _json(self._routes[route](request))
        except ValueError as reason:
            return _json({"error": str(reason)}, 400)

    def _change_settings(self, request: Request) -> dict[str, Any]:
        changes = _body(request)
        if not isinstance(changes, dict):
            raise ValueError("The body must be a JSON object of settings.")
        settings.update(changes)
        return asdict(settings)

    def _add_faults(self, request: Request) -> list[dict[str, Any]]:
        body = _body(request)
        rules = body if isinstance(body, list) else [body]
        if not all(isinstance(rule, dict) for rule in rules):
            raise ValueError("The body must be a JSON object, one fault, or a list of them.")
        self._faults.add(rules)
        return self._faults.entries()

    def _list_calls(self, request: Request) -> list[dict[str, Any]]:
        unknown = request.args.keys() - {"service", "operation", "account", "region"}
        if unknown:
            raise ValueError(f"Calls are selected by service, operation, account and region, not by {unknown.pop()!r}.")
        return self._calls.entries(**request.args.to_dict())

    def _reset(self, request: Request) -> None:
        BackendDict.reset()  # every backend, ours included
        reset_model_data()
        for part in (settings, streaming_urls, self._faults, self._calls):
            part.reset()


def _body(request: Request) -> Any:
    try:
        return json.loads(request.get_data())
    except ValueError as reason:
        raise ValueError("The body is not JSON.") from reason


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps({} if value is None else value) + "\n", status=status, mimetype="application/json")
