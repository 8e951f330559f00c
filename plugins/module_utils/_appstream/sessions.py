# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Streaming sessions on a fleet of AppStream: listing them, and expiring those of some users or ids.

Sources: the service model of botocore, the API reference of DescribeSessions and ExpireSession, and the service
authorization reference.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from .._client import to_facts
from .._errors import InvalidOption, NotReady, quote
from .._failures import Failure
from .._service_errors import call, get_member, list_all
from .._session_outcomes import SessionOutcome, build_failure_message
from .api import describe_fleet, describe_stack, missing
from .errors import AppStreamErrorHandler

AUTHENTICATION_TYPES = ("API", "SAML", "USERPOOL", "AWS_AD")
EXPIRED = "EXPIRED"
# The most that DescribeSessions returns at once.
PAGE_SIZE = 50
# How many lists are read at the same time: one for each stack and authentication type.
MAX_CONCURRENT_LISTS = 8
MIN_USER_ID_LENGTH, MAX_USER_ID_LENGTH = 2, 128

# Results have these for every session, also if the service leaves them out.
_ALWAYS = (
    "id",
    "user_id",
    "stack_name",
    "fleet_name",
    "state",
    "connection_state",
    "start_time",
    "max_expiration_time",
    "authentication_type",
    "instance_id",
    "network_access_configuration",
)


@AppStreamErrorHandler.common_error_handler("list the sessions of the stack and fleet")
def describe_sessions(client: Any, **selection: str) -> list[dict[str, Any]]:
    """Return the sessions (DescribeSessions), all pages, as the service describes them.

    Args:
        client: A client of AppStream.
        selection: ``StackName``, ``FleetName``, ``AuthenticationType`` and, if wanted, ``UserId``.
    """
    sessions = list_all(client, "describe_sessions", "Sessions", **selection, PaginationConfig={"PageSize": PAGE_SIZE})
    for session, member in itertools.product(sessions, ("Id", "UserId", "State")):
        get_member(session, member)
    return sessions


@AppStreamErrorHandler.list_error_handler("list the stacks of the fleet", ())
def list_associated_stacks(client: Any, fleet_name: str) -> Sequence[str]:
    """Return the names of the stacks that the fleet is associated with (ListAssociatedStacks)."""
    return list_all(client, "list_associated_stacks", "Names", FleetName=fleet_name)


@AppStreamErrorHandler.deletion_error_handler("expire the session")
def expire_session(client: Any, session_id: str) -> None:
    """End the session at once (ExpireSession). A session that has ended meanwhile is not an error."""
    call(client.expire_session, SessionId=session_id)


def validate_user_id(label: str, user_id: str) -> None:
    """Reject what DescribeSessions does not accept. It accepts more than CreateStreamingURL, such as ids of SAML users.

    Raises:
        InvalidOption: names the value.
    """
    if not (MIN_USER_ID_LENGTH <= len(user_id) <= MAX_USER_ID_LENGTH and user_id.isprintable()):
        raise InvalidOption(
            f"{label} is {quote(user_id)} (length {len(user_id)}), but it must have {MIN_USER_ID_LENGTH} to "
            f"{MAX_USER_ID_LENGTH} printable characters."
        )


def validate_session_id(label: str, session_id: str) -> None:
    """Reject what cannot be a session id. The API only says that it is not empty.

    Raises:
        InvalidOption: names the value.
    """
    if not session_id or not session_id.isprintable():
        raise InvalidOption(f"{label} is {quote(session_id)}, but it must have at least one printable character.")


def find_fleet_and_stack(
    client: Any, fleet_name: str, stack_name: str | None
) -> tuple[dict[str, Any] | None, dict[str, str | None], NotReady | None]:
    """Return the fleet, its ARN and that of the stack if one is named, and the error if one of them does not exist.

    This is not left to DescribeSessions: its answer is not documented then, and an empty list would hide a wrong name.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    with ThreadPoolExecutor(max_workers=2) as executor:
        stack_call = executor.submit(describe_stack, client, stack_name) if stack_name is not None else None
        fleet_call = executor.submit(describe_fleet, client, fleet_name)
    stack = stack_call.result() if stack_call else None
    fleet = fleet_call.result()
    arns = {"stack_arn": (stack or {}).get("Arn"), "fleet_arn": (fleet or {}).get("Arn")}
    if stack_name is not None and not stack:
        return fleet, arns, missing("stack", stack_name, client.meta.region_name, "stack_name")
    if not fleet:
        return None, arns, missing("fleet", fleet_name, client.meta.region_name, "fleet_name")
    return fleet, arns, None


def list_sessions(
    client: Any,
    fleet_name: str,
    stack_names: Iterable[str],
    authentication_types: Iterable[str],
    user_id: str | None = None,
) -> list[dict[str, Any]]:
    """Return the sessions on the fleet of users of these stacks and authentication types, or of one user.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    user = {} if user_id is None else {"UserId": user_id}
    selections = [
        {"StackName": stack_name, "FleetName": fleet_name, "AuthenticationType": authentication_type, **user}
        for stack_name, authentication_type in itertools.product(stack_names, authentication_types)
    ]
    with ThreadPoolExecutor(max_workers=MAX_CONCURRENT_LISTS) as executor:
        lists = executor.map(lambda selection: describe_sessions(client, **selection), selections)
        return list(itertools.chain.from_iterable(lists))


def build_facts(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session as results show it."""
    return {**dict.fromkeys(_ALWAYS), **to_facts(session)}


def count_states(sessions: Iterable[Mapping[str, Any]], member: str) -> dict[str, int]:
    """Return how many of the sessions have each value of that member."""
    return dict(sorted(Counter(session[member] for session in sessions if session.get(member)).items()))


def select_sessions(sessions: Iterable[dict[str, Any]], member: str, values: Iterable[str]) -> list[dict[str, Any]]:
    """Return the sessions whose ``Id`` or ``UserId`` is one of the values, in the order of the values.

    A value that no session has is returned as a session with that member only.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for session in sessions:
        found.setdefault(session[member], []).append(session)
    return [session for value in values for session in found.get(value, [{member: value}])]


def build_outcome(
    session: Mapping[str, Any], *, expired: bool = False, failure: Failure | None = None
) -> SessionOutcome:
    """Return the outcome of a session, as the service described it, if it did."""
    user_id, session_id, before = session.get("UserId"), session.get("Id"), session.get("State")
    after = EXPIRED if expired else before
    return SessionOutcome(
        name=f"{user_id} ({session_id})",
        identity={"id": session_id, "user_id": user_id},
        facts={**build_facts(session), "state": after, "expired": expired},
        before=before,
        after=after,
        changed=expired,
        failure=failure,
    )


def expire(
    client: Any, sessions: Iterable[dict[str, Any]], *, concurrency: int, check_mode: bool
) -> list[SessionOutcome]:
    """Expire those of the selected sessions that exist and are not EXPIRED, concurrently (ExpireSession).

    An error of one session is its failure, and does not keep the others from being expired.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(_expire, client, check_mode), sessions))


def _expire(client: Any, check_mode: bool, session: dict[str, Any]) -> SessionOutcome:
    if session.get("State", EXPIRED) == EXPIRED:
        return build_outcome(session)
    try:
        if not check_mode:
            expire_session(client, session["Id"])
    except Exception as e:
        return build_outcome(session, failure=Failure.from_error(e))
    return build_outcome(session, expired=True)


def failure_message(outcomes: Sequence[SessionOutcome]) -> str | None:
    """Return a message on the sessions that could not be expired; None if there are none."""
    live = sum(outcome.changed or outcome.failure is not None for outcome in outcomes)
    return build_failure_message(outcomes, live, "could not be expired")
