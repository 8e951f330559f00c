# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which learner has which session of Nimble Studio. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, quote
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import describe_state
from ansible_collections.labstream.aws.plugins.module_utils._nimble.validation import validate_id

# The role's name for the map, since most who read these sentences use the role.
_MAP = "nimble_lab_sessions"


def nimble_sessions(
    learners: Sequence[Mapping[str, Any]], sessions: Any = None, found: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the learners with their sessions, in their order.

    A learner's session is the one that ``sessions``, a dict of session ids by learner, names; otherwise the only one
    of ``found``, the studio's sessions, that the learner owns and that may come to stream.

    Each learner is a dict as they were given, with ``session_id`` and ``failure`` added. One of the two is None:
    ``failure`` is a dict of ``learner``, ``session_id`` (None), ``code`` and ``message``, one sentence.

    Raises ValueError, with one sentence, if a session is no id, or if two learners would have the same session.
    """
    named = _checked(sessions)
    owned: dict[str, list[Mapping[str, Any]]] = {}
    for session in found:
        owned.setdefault(str(session.get("owned_by")), []).append(session)
    matched = []
    first: dict[str, str] = {}
    for learner in learners:
        who = learner["learner"]
        session_id, problem = (named[who], None) if who in named else _usable(who, owned.get(who, []))
        if session_id is not None and first.setdefault(session_id, who) != who:
            raise ValueError(
                f"Learners {quote(first[session_id])} and {quote(who)} have the same session {quote(session_id)}, but "
                f"only one person can use it: name another for one of them in {_MAP}."
            )
        failure = dict(learner=who, session_id=None, code="NoSession", message=problem) if problem else None
        matched.append({**learner, "session_id": session_id, "failure": failure})
    return matched


def _checked(sessions: Any) -> dict[str, str]:
    """Return the map if it is one of texts to ids."""
    sessions = {} if sessions is None else sessions
    if not isinstance(sessions, Mapping):
        raise ValueError(f"{_MAP} is a dictionary of learner and session id, not {quote(sessions)}.")
    for learner, session_id in sessions.items():
        for value in (learner, session_id):
            if not isinstance(value, str):
                raise ValueError(
                    f"{_MAP} has {quote(learner)}: {quote(session_id)}, and {quote(value)} is not text; put it in "
                    "quotes, since YAML changes numbers such as 007."
                )
        try:
            validate_id(f"The session of learner {quote(learner)} in {_MAP}", session_id)
        except InvalidOption as error:
            raise ValueError(str(error)) from error
    return dict(sessions)


def _usable(who: str, owned: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """Return the session, out of those that this learner owns, to be used; or why there is none."""
    usable = [session for session in owned if not _is_lost(session.get("state"))]
    if len(usable) == 1:
        return usable[0]["session_id"], None
    if usable:
        return None, f"Learner {quote(who)} owns {len(usable)} sessions ({_told(usable)}): name one of them in {_MAP}."
    if owned:
        return None, (
            f"Learner {quote(who)} owns no session that can be used ({_told(owned)}): mend or replace it "
            f"(CreateStreamingSession), or name another in {_MAP}, then run again."
        )
    return None, (
        f"Learner {quote(who)} has no session: name one in {_MAP}, or make one that this learner owns "
        "(CreateStreamingSession), then run again."
    )


def _is_lost(state: Any) -> bool:
    """Whether a session in this state will not stream again before somebody mends or replaces it."""
    return state in ("DELETED", "DELETE_IN_PROGRESS") or str(state).endswith("_FAILED")


def _told(sessions: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{quote(session['session_id'])} is {describe_state(session.get('state'), session.get('status_code'))}"
        for session in sessions
    )
