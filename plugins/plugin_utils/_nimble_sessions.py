# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Which learner has which session of Nimble Studio. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import describe_state
from ansible_collections.labstream.aws.plugins.module_utils._nimble.validation import validate_id

# The role's name for the mapping, since most users who read these messages use the role.
_MAPPING = "nimble_lab_sessions"
_LEARNER_FIELDS = ("id", "name", "email")


def nimble_sessions(
    learners: Sequence[Mapping[str, Any]], sessions: Any = None, found: Sequence[Mapping[str, Any]] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Return the session of each learner.

    A learner's session is the one in ``sessions``, otherwise the only one in ``found`` that the learner owns and that
    can stream.

    Args:
        learners: Who takes part.
        sessions: Session ids by learner.
        found: The sessions of the studio.

    Returns:
        ``sessions``, dicts of ``id``, ``name``, ``email`` and ``session_id`` in the order of the learners, and
        ``failures``, the same with ``code`` and ``message`` for each learner without a session.

    Raises:
        ValueError: Two learners have the same session, or the mapping is not one of texts.
        InvalidOption: A session id is not valid.
    """
    named = _validate_mapping(sessions)
    owned: dict[str, list[Mapping[str, Any]]] = {}
    for session in found:
        owned.setdefault(str(session.get("owned_by")), []).append(session)
    rows, failures = [], []
    first: dict[str, str] = {}
    for learner in learners:
        who = learner["id"]
        session_id, problem = named.get(normalise(who)), None
        if session_id is None:
            session_id, problem = _find_session(who, owned.get(who, []))
        if session_id is not None and first.setdefault(session_id, who) != who:
            raise ValueError(
                f"Learners {quote(first[session_id])} and {quote(who)} have the same session {quote(session_id)}, but "
                f"only one person can use it: name another for one of them in {_MAPPING}."
            )
        row = {**{field: learner.get(field) for field in _LEARNER_FIELDS}, "session_id": session_id}
        if problem:
            failures.append({**row, "code": "NoSession", "message": problem})
        else:
            rows.append(row)
    return {"sessions": rows, "failures": failures}


def _validate_mapping(sessions: Any) -> dict[str, str]:
    """Return the mapping, by folded learner, if it is one of texts to ids."""
    sessions = {} if sessions is None else sessions
    if not isinstance(sessions, Mapping):
        raise ValueError(f"{_MAPPING} is {quote(sessions)}, but it must be a dictionary of learner and session id.")
    named: dict[str, str] = {}
    for learner, session_id in sessions.items():
        for value in (learner, session_id):
            if not isinstance(value, str):
                raise ValueError(
                    f"{_MAPPING} has {quote(learner)}: {quote(session_id)}, and {quote(value)} is not text: put it in "
                    "quotes, since YAML changes numbers such as 007."
                )
        validate_id(f"The session of learner {quote(learner)} in {_MAPPING}", session_id)
        if named.setdefault(normalise(learner), session_id) != session_id:
            raise ValueError(f"{_MAPPING} has learner {quote(learner)} twice, in another case: remove one.")
    return named


def _find_session(who: str, owned: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """Return the session to use out of those that this learner owns, or why there is none."""
    usable = [session for session in owned if not _is_lost(session.get("state"))]
    if len(usable) == 1:
        return usable[0]["session_id"], None
    if usable:
        return None, f"Learner {quote(who)} owns {len(usable)} sessions ({_describe(usable)}): name one in {_MAPPING}."
    if owned:
        return None, (
            f"Learner {quote(who)} owns no session that can be used ({_describe(owned)}): fix or replace it "
            f"(CreateStreamingSession), or name another in {_MAPPING}, then run again."
        )
    return None, (
        f"Learner {quote(who)} has no session: name one in {_MAPPING}, or create one that this learner owns "
        "(CreateStreamingSession), then run again."
    )


def _is_lost(state: Any) -> bool:
    """Return whether a session in this state cannot stream before somebody fixes or replaces it."""
    return state in ("DELETED", "DELETE_IN_PROGRESS") or str(state).endswith("_FAILED")


def _describe(sessions: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{quote(session['session_id'])} is {describe_state(session.get('state'), session.get('status_code'))}"
        for session in sessions
    )
