# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many sessions of a studio at once: looking them up, and starting those that are stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from .._client import retry_delays
from .._errors import AnsibleNimbleError, LabstreamError, NotReady
from .._failures import Failure, format_failures
from .._module import LabstreamAWSModule
from .._time import datetimes_to_iso8601
from .api import (
    CONFLICT,
    build_nimble_client,
    get_streaming_session,
    get_studio_arn,
    missing_session,
    missing_studio,
    start_streaming_session,
)
from .states import READY, START_IN_PROGRESS, STOPPED, session_problem

# What a result tells of every session, whatever the service leaves out.
_ALWAYS = ("session_id", "state", "status_code", "owned_by", "created_by", "created_at")
_READY_OR_STARTING = (READY, START_IN_PROGRESS)
_STARTING = {"state": START_IN_PROGRESS, "statusCode": "STREAMING_SESSION_START_IN_PROGRESS"}

NOTHING_STARTED: dict[str, Any] = dict(requested=0, started=0, unchanged=0, failed=0)


def client_of_studio(module: LabstreamAWSModule) -> Any:
    """A client for a studio that there is. The studio's ARN and region go into the result.

    Raises:
        NotReady: there is no such studio, or AWS's own endpoint did not answer.
        AnsibleNimbleError: the call failed.
        LabstreamError: the options do not say how to connect.
    """
    studio_id = module.params["studio_id"]
    client = build_nimble_client(module, studio_id, module.params["concurrency"])
    arn = get_studio_arn(client, studio_id)
    if arn is None:
        raise missing_studio(client, studio_id)
    module.result.update(studio_arn=arn, region=client.meta.region_name)
    return client


def look_up(client: Any, studio_id: str, session_ids: Sequence[str], concurrency: int) -> list[dict[str, Any] | None]:
    """The sessions in the order asked, None for each that there is not (GetStreamingSession).

    Raises:
        AnsibleNimbleError: a call failed.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(get_streaming_session, client, studio_id), session_ids))


def build_facts(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session as results tell it: the API's members in snake case, moments as text."""
    snaked = camel_dict_to_snake_dict(datetimes_to_iso8601(session), ignore_list=["tags"])
    return {**dict.fromkeys(_ALWAYS), **snaked}


def count_states(sessions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many of the sessions are in each state."""
    return dict(sorted(Counter(str(session.get("state")) for session in sessions).items()))


@dataclass(frozen=True)
class Started:
    """What became of a session that was to be started.

    ``before`` and ``after`` are how the service described it, None if it did not; ``after`` is foreseen in check mode.
    """

    session_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    started: bool = False
    failure: Failure | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """It as results tell it."""
        session = self.after or {}
        told = {"state": session.get("state"), "status_code": session.get("statusCode")}
        return {"session_id": self.session_id, **told, "owned_by": session.get("ownedBy"), "started": self.started}


def start(
    client: Any, studio_id: str, session_ids: Sequence[str], *, concurrency: int, check_mode: bool
) -> list[Started]:
    """Start those of the sessions that are STOPPED, side by side, and wait for none (StartStreamingSession).

    What goes wrong with one session is its failure; the others go on.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(_start, client, studio_id, check_mode), session_ids))


def _start(client: Any, studio_id: str, check_mode: bool, session_id: str) -> Started:
    session, pauses = None, retry_delays(client)
    try:
        while True:
            session = get_streaming_session(client, studio_id, session_id)
            if session is None:
                raise missing_session(studio_id, session_id)
            state = session["state"]
            if state in _READY_OR_STARTING:
                return Started(session_id, session, session)
            if state != STOPPED:
                raise NotReady(session_problem(session_id, state, session.get("statusCode")))
            if check_mode:
                return Started(session_id, session, {**session, **_STARTING}, started=True)
            try:
                now = start_streaming_session(client, studio_id, session_id)
                return Started(session_id, session, now, started=True)
            except AnsibleNimbleError as e:
                if e.code != CONFLICT or not pauses:
                    raise
            # Another run may have been faster, so what it is now is looked at again.
            time.sleep(pauses.pop(0))
    except LabstreamError as e:
        return Started(session_id, session, session, failure=Failure(e.code, str(e)))


def build_summary(outcomes: Sequence[Started]) -> dict[str, int]:
    """The starts in numbers: ``requested``, ``started``, ``unchanged`` and ``failed``."""
    started = sum(outcome.started for outcome in outcomes)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    unchanged = len(outcomes) - started - failed
    return dict(requested=len(outcomes), started=started, unchanged=unchanged, failed=failed)


def build_diff(outcomes: Sequence[Started]) -> dict[str, dict[str, Any]]:
    """Before and after: which session is in which state."""
    return dict(
        before={outcome.session_id: outcome.before.get("state") for outcome in outcomes if outcome.before},
        after={outcome.session_id: outcome.after.get("state") for outcome in outcomes if outcome.after},
    )


def failure_message(outcomes: Sequence[Started]) -> str | None:
    """One sentence on which sessions are neither ready nor starting, and why; None if there are none."""
    failures = [(outcome.session_id, outcome.failure) for outcome in outcomes if outcome.failure]
    if not failures:
        return None
    return f"{len(failures)} of {len(outcomes)} sessions are neither ready nor starting: {format_failures(failures)}."
