# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The sessions of a studio: looking up many at once, and starting those that are stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from .._client import retry_delays, to_facts
from .._errors import NotReady
from .._failures import Failure
from .._module import LabstreamAWSModule
from .._session_outcomes import SessionOutcome, build_failure_message
from .api import (
    CONFLICT,
    build_nimble_client,
    get_streaming_session,
    get_studio_arn,
    missing_session,
    missing_studio,
    start_streaming_session,
)
from .errors import AnsibleNimbleError
from .states import READY, START_IN_PROGRESS, STOPPED, session_problem

# Results have these for every session, also if the service leaves them out.
_ALWAYS = ("session_id", "state", "status_code", "owned_by", "created_by", "created_at")
_READY_OR_STARTING = (READY, START_IN_PROGRESS)
_STARTING = {"state": START_IN_PROGRESS, "statusCode": "STREAMING_SESSION_START_IN_PROGRESS"}


def connect_to_studio(module: LabstreamAWSModule) -> tuple[Any, dict[str, str]]:
    """Return a client for a studio that exists, and the studio's ``studio_arn`` and ``region`` for the result.

    Raises:
        NotReady: there is no such studio, or AWS's own endpoint did not answer.
        AnsibleNimbleError: the call failed.
        InvalidOption: a connection option is not valid.
    """
    studio_id = module.params["studio_id"]
    client = build_nimble_client(module, studio_id, module.params["concurrency"])
    arn = get_studio_arn(client, studio_id)
    if arn is None:
        raise missing_studio(client, studio_id)
    return client, {"studio_arn": arn, "region": client.meta.region_name}


def find_sessions(
    client: Any, studio_id: str, session_ids: Sequence[str], concurrency: int
) -> list[dict[str, Any] | None]:
    """Return the sessions in the requested order, None for each that does not exist (GetStreamingSession).

    Raises:
        AnsibleNimbleError: a call failed.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(get_streaming_session, client, studio_id), session_ids))


def build_facts(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session as results show it."""
    return {**dict.fromkeys(_ALWAYS), **to_facts(session, unchanged=["tags"])}


def count_states(sessions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many of the sessions are in each state."""
    return dict(sorted(Counter(str(session.get("state")) for session in sessions).items()))


def build_outcome(
    session_id: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    started: bool = False,
    failure: Failure | None = None,
) -> SessionOutcome:
    """Return the outcome of a session as the service described it before and after, None if it did not.

    In check mode, ``after`` is predicted.
    """
    session = after or {}
    return SessionOutcome(
        name=session_id,
        identity={"session_id": session_id},
        facts={
            "session_id": session_id,
            "state": session.get("state"),
            "status_code": session.get("statusCode"),
            "owned_by": session.get("ownedBy"),
            "started": started,
        },
        before=(before or {}).get("state"),
        after=session.get("state"),
        changed=started,
        failure=failure,
    )


def start(
    client: Any, studio_id: str, session_ids: Sequence[str], *, concurrency: int, check_mode: bool
) -> list[SessionOutcome]:
    """Start those of the sessions that are STOPPED, concurrently, without waiting for them (StartStreamingSession).

    An error of one session is its failure, and does not keep the others from being started.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(_start, client, studio_id, check_mode), session_ids))


def _start(client: Any, studio_id: str, check_mode: bool, session_id: str) -> SessionOutcome:
    session, pauses = None, retry_delays(client)
    try:
        while True:
            session = get_streaming_session(client, studio_id, session_id)
            if session is None:
                raise missing_session(studio_id, session_id)
            state = session["state"]
            if state in _READY_OR_STARTING:
                return build_outcome(session_id, session, session)
            if state != STOPPED:
                raise NotReady(session_problem(session_id, state, session.get("statusCode")))
            if check_mode:
                return build_outcome(session_id, session, {**session, **_STARTING}, started=True)
            try:
                now = start_streaming_session(client, studio_id, session_id)
                return build_outcome(session_id, session, now, started=True)
            except AnsibleNimbleError as e:
                if e.code != CONFLICT or not pauses:
                    raise
            # Another run may have started it, so its state is read again.
            time.sleep(pauses.pop(0))
    except Exception as e:
        return build_outcome(session_id, session, session, failure=Failure.from_error(e))


def failure_message(outcomes: Sequence[SessionOutcome]) -> str | None:
    """Return a message on the sessions that are neither ready nor starting; None if there are none."""
    return build_failure_message(outcomes, len(outcomes), "are neither ready nor starting")
