# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts studios and sessions into Nimble, and changes what tests want changed; the control API's part for Nimble.

Bodies are JSON objects with the API's names, and ``account`` and ``region`` beside them. A ValueError says what is
wrong with one; then nothing was changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

from tests.simulator.nimble.models import (
    SESSION_READY,
    SESSION_STATES,
    SESSION_STATUS_CODES,
    STREAM_STATES,
    STREAM_STATUS_CODES,
    NimbleBackend,
    Session,
    Status,
    Stream,
    Studio,
    nimble_backends,
)
from tests.simulator.progress import Progress
from tests.simulator.settings import now

Body = dict[str, Any]

TEXTS = {"ownedBy": "owned_by", "createdBy": "created_by", "statusMessage": "status_message"}
STATUSES = {"state", "statusCode", "streamOutcome", "streamStatusCode", "startOutcome", "startStatusCode"}
START_OUTCOMES = {state: SESSION_STATES[state] for state in ("READY", "START_FAILED", "START_IN_PROGRESS")}


def put_studio(body: Body) -> Body:
    """Make the studio ``studioId``, unless it is there, and add ``sessions``: ids, or objects with a ``sessionId``."""
    _only(body, {"account", "region", "studioId", "sessions"}, "A studio")
    studio_id = _text(body, "studioId")
    definitions = [{"sessionId": one} if isinstance(one, str) else one for one in _list(body, "sessions")]
    backend = _backend(body)
    with backend.lock:
        studio = backend.studios.get(studio_id)
        if studio is None:
            studio = Studio(studio_id, backend.arn("studio", studio_id), backend.region_name, backend.account_id)
        sessions = [_new_session(backend, studio, definition) for definition in definitions]
        backend.studios[studio_id] = studio
        studio.sessions.update({session.id: session for session in sessions})
        return {"studio": studio.describe(), "sessions": [session.describe() for session in studio.sessions.values()]}


def change_session(body: Body) -> Body:
    """Change members of the session ``sessionId`` of the studio ``studioId``."""
    changes = {name: value for name, value in body.items() if name not in ("account", "region", "studioId")}
    studio_id, session_id = _text(body, "studioId"), _text(body, "sessionId")
    backend = _backend(body)
    with backend.lock:
        studio = backend.studios.get(studio_id)
        session = studio.sessions.get(session_id) if studio else None
        if session is None:
            raise ValueError(f"There is no session {session_id} in a studio {studio_id}.")
        _change(session, changes)
        return session.describe()


def streams() -> list[Body]:
    """Every stream of every account and region in the order in which they were created, without their URLs."""
    return [
        {
            **stream.describe(),
            "clientToken": stream.client_token,
            "sessionId": stream.session.id,
            "studioId": stream.session.studio_id,
            "account": backend.account_id,
            "region": backend.region_name,
        }
        for backend, stream in sorted(_streams(), key=lambda one: one[1].created)
    ]


def change_stream(body: Body) -> Body:
    """Give the stream ``streamId`` another ``state`` and ``statusCode``, or let it expire in ``expiresIn`` seconds."""
    _only(body, {"streamId", "state", "statusCode", "expiresIn"}, "A stream")
    backend, stream = _stream(_text(body, "streamId"))
    status = _status(body, "state", "statusCode", STREAM_STATES, STREAM_STATUS_CODES)
    expires_in = body.get("expiresIn", 0)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not math.isfinite(expires_in):
        raise ValueError(f"expiresIn must be a number of seconds, not {expires_in!r}.")
    with backend.lock:
        if status:
            stream.progress = Progress(status)
        if "expiresIn" in body:
            stream.expires = now() + expires_in
    return {}


def remove_stream(stream_id: str) -> None:
    """Remove a stream, as if it had never been created."""
    backend, stream = _stream(stream_id)
    with backend.lock:
        backend.remove_stream(stream)


def _new_session(backend: NimbleBackend, studio: Studio, definition: Any) -> Session:
    if not isinstance(definition, dict):
        raise ValueError(f"A session must be an id or an object, not {definition!r}.")
    session_id = _text(definition, "sessionId")
    session = Session(
        id=session_id,
        studio_id=studio.id,
        arn=backend.arn("streaming-session", session_id),
        owned_by=f"{session_id}-owner",
        created_by="studio-admin",
        progress=Progress(SESSION_READY),
    )
    _change(session, definition)
    return session


def _change(session: Session, changes: Body) -> None:
    _only(changes, {"sessionId", *TEXTS, *STATUSES}, "A session")
    texts = {attribute: _text(changes, name) for name, attribute in TEXTS.items() if name in changes}
    status = _status(changes, "state", "statusCode", SESSION_STATES, SESSION_STATUS_CODES)
    streamed = _status(changes, "streamOutcome", "streamStatusCode", STREAM_STATES, STREAM_STATUS_CODES)
    started = _status(changes, "startOutcome", "startStatusCode", START_OUTCOMES, SESSION_STATUS_CODES)
    for attribute, text in texts.items():
        setattr(session, attribute, text)
    if status:
        session.progress = Progress(status)
    session.stream_outcome = streamed or session.stream_outcome
    session.start_outcome = started or session.start_outcome


def _status(body: Body, state: str, code: str, states: dict[str, str], codes: set[str]) -> Status | None:
    """The status in a body's members ``state`` and ``code``; the code follows from the state unless it is given."""
    if state not in body:
        if code in body:
            raise ValueError(f"{code} goes together with {state}.")
        return None
    if body[state] not in states:
        raise ValueError(f"{state} must be one of {', '.join(states)}, not {body[state]!r}.")
    if code in body and body[code] not in codes:
        raise ValueError(f"{code} must be one of {', '.join(sorted(codes))}, not {body[code]!r}.")
    return Status(body[state], body.get(code, states[body[state]]))


def _backend(body: Body) -> NimbleBackend:
    account, region = body.get("account", DEFAULT_ACCOUNT_ID), body.get("region", "us-east-1")
    try:
        return nimble_backends[account][region]
    except KeyError:
        raise ValueError(f"Nimble Studio has no endpoint in the region {region!r}.") from None


def _streams() -> Iterator[tuple[NimbleBackend, Stream]]:
    for _account, _region, backend in list(nimble_backends.iter_backends()):
        with backend.lock:
            yield from [(backend, stream) for stream in backend.streams.values()]


def _stream(stream_id: str) -> tuple[NimbleBackend, Stream]:
    for backend, stream in _streams():
        if stream.id == stream_id:
            return backend, stream
    raise ValueError(f"There is no stream {stream_id}.")


def _only(body: Any, names: set[str], what: str) -> None:
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    unknown = sorted(body.keys() - names)
    if unknown:
        raise ValueError(f"{what} has no member {unknown[0]!r}; there are {', '.join(sorted(names))}.")


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a string that is not empty, not {value!r}.")
    return value


def _list(body: Body, name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, not {value!r}.")
    return value
