# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Streaming sessions on a fleet of AppStream: listing them, and expiring those of some users or ids.

Sources: the service model of botocore, the API reference of DescribeSessions and ExpireSession, and the service
authorization reference.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from .._errors import AppStreamErrorHandler, InvalidOption, LabstreamError, NotReady, quote
from .._failures import Failure, format_failures
from .._module import LabstreamAWSModule
from .._time import datetimes_to_iso8601
from .api import describe_fleet, describe_stack, missing

AUTHENTICATION_TYPES = ("API", "SAML", "USERPOOL", "AWS_AD")
EXPIRED = "EXPIRED"
# The most that DescribeSessions gives at once.
PAGE_SIZE = 50
# How many lists are asked for at once: one for each stack and authentication type.
LISTS_AT_ONCE = 8
SHORTEST_USER_ID, LONGEST_USER_ID = 2, 128

# What a result tells of every session, whatever the service leaves out.
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

NOTHING_EXPIRED: dict[str, Any] = dict(requested=0, expired=0, unchanged=0, failed=0)


@AppStreamErrorHandler.common_error_handler("list the sessions of the stack and fleet")
def describe_sessions(client: Any, **selection: str) -> list[dict[str, Any]]:
    """The sessions (DescribeSessions), all pages, each as the service describes it.

    Args:
        client: A client of AppStream.
        selection: ``StackName``, ``FleetName``, ``AuthenticationType`` and, if wanted, ``UserId``.
    """
    paginator = client.get_paginator("describe_sessions")
    pages = paginator.paginate(**selection, PaginationConfig={"PageSize": PAGE_SIZE})
    sessions = pages.build_full_result().get("Sessions", [])
    for session, member in itertools.product(sessions, ("Id", "UserId", "State")):
        # Without these the reply is none of this API's, which is what the error handlers make of a ValueError.
        if not isinstance(session[member], str) or not session[member]:
            raise ValueError(member)
    return sessions


@AppStreamErrorHandler.common_error_handler("list the stacks of the fleet")
def list_associated_stacks(client: Any, fleet_name: str) -> list[str]:
    """The names of the stacks that the fleet is associated with (ListAssociatedStacks); none if there is no fleet."""
    paginator = client.get_paginator("list_associated_stacks")
    try:
        return paginator.paginate(FleetName=fleet_name).build_full_result().get("Names", [])
    except is_boto3_error_code("ResourceNotFoundException"):
        return []


@AppStreamErrorHandler.common_error_handler("expire the session")
def expire_session(client: Any, session_id: str) -> None:
    """End the session at once (ExpireSession). That it has ended meanwhile is no error."""
    try:
        client.expire_session(SessionId=session_id)
    except is_boto3_error_code("ResourceNotFoundException"):
        pass


def validate_user_id(label: str, user_id: str) -> None:
    """Refuse what DescribeSessions does not take. It takes more than CreateStreamingURL: users of SAML have other ids.

    Raises:
        InvalidOption: naming the value.
    """
    if not (SHORTEST_USER_ID <= len(user_id) <= LONGEST_USER_ID and user_id.isprintable()):
        raise InvalidOption(
            f"{label} is {quote(user_id)} (length {len(user_id)}), but it must have {SHORTEST_USER_ID} to "
            f"{LONGEST_USER_ID} printable characters."
        )


def validate_session_id(label: str, session_id: str) -> None:
    """Refuse what cannot be a session's id. The API says no more than that it is not empty.

    Raises:
        InvalidOption: naming the value.
    """
    if not session_id or not session_id.isprintable():
        raise InvalidOption(f"{label} is {quote(session_id)}, but it must have at least one printable character.")


def validate_each(option: str, values: Sequence[str], check: Callable[[str, str], None]) -> None:
    """Check each entry of a list, and refuse lists that are empty or have an entry twice.

    Raises:
        InvalidOption: naming the value.
    """
    if not values:
        raise InvalidOption(f"{option} is empty: name at least one.")
    entries: dict[str, int] = {}
    for number, value in enumerate(values, start=1):
        check(f"Entry {number} of {option}", value)
        if value in entries:
            raise InvalidOption(
                f"Entries {entries[value]} and {number} of {option} are both {quote(value)}: remove one."
            )
        entries[value] = number


def look_up(module: LabstreamAWSModule, client: Any) -> NotReady | None:
    """The error if the fleet, or the stack if one is named, does not exist; their ARNs go into the result.

    Not left to DescribeSessions: what it answers then is not documented, and an empty list would hide a wrong name.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    region = client.meta.region_name
    module.result["region"] = region
    describe = {"stack": describe_stack, "fleet": describe_fleet}
    names = {kind: module.params[f"{kind}_name"] for kind in describe if module.params[f"{kind}_name"] is not None}
    with ThreadPoolExecutor(max_workers=2) as executor:
        calls = {kind: executor.submit(describe[kind], client, name) for kind, name in names.items()}
    error = None
    for kind, call in calls.items():
        described = call.result()
        if described:
            module.result[f"{kind}_arn"] = described.get("Arn")
        else:
            error = error or missing(kind, names[kind], region, f"{kind}_name")
    return error


def list_sessions(
    client: Any,
    fleet_name: str,
    stack_names: Iterable[str],
    authentication_types: Iterable[str],
    user_id: str | None = None,
) -> list[dict[str, Any]]:
    """The sessions on the fleet of users of these stacks and authentication types; of one user if one is given.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    user = {} if user_id is None else {"UserId": user_id}
    selections = [
        {"StackName": stack_name, "FleetName": fleet_name, "AuthenticationType": authentication_type, **user}
        for stack_name, authentication_type in itertools.product(stack_names, authentication_types)
    ]
    with ThreadPoolExecutor(max_workers=LISTS_AT_ONCE) as executor:
        lists = executor.map(lambda selection: describe_sessions(client, **selection), selections)
        return list(itertools.chain.from_iterable(lists))


def build_facts(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session as results tell it: the API's members in snake case, moments as text."""
    return {**dict.fromkeys(_ALWAYS), **camel_dict_to_snake_dict(datetimes_to_iso8601(session))}


def count_states(sessions: Iterable[Mapping[str, Any]], member: str) -> dict[str, int]:
    """How many of the sessions have each value of that member; those without it are left out."""
    return dict(sorted(Counter(session[member] for session in sessions if session.get(member)).items()))


def chosen(sessions: Iterable[dict[str, Any]], member: str, values: Iterable[str]) -> list[dict[str, Any]]:
    """The sessions whose ``Id`` or ``UserId`` is one of the values, in the order of the values.

    For a value that no session has there is an entry that has nothing else.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for session in sessions:
        found.setdefault(session[member], []).append(session)
    return [session for value in values for session in found.get(value, [{member: value}])]


@dataclass(frozen=True)
class Ended:
    """What became of a session that was to be expired. ``before`` is how the service described it, if it did."""

    before: Mapping[str, Any]
    expired: bool = False
    failure: Failure | None = None

    @property
    def name(self) -> str:
        """How messages and diffs name it."""
        return f"{self.before['UserId']} ({self.before['Id']})"

    @property
    def state(self) -> str | None:
        """Its state now, foreseen in check mode; None if there is no such session."""
        return EXPIRED if self.expired else self.before.get("State")

    @property
    def facts(self) -> dict[str, Any]:
        """It as results tell it."""
        return {**build_facts(self.before), "state": self.state, "expired": self.expired}


def expire(client: Any, sessions: Iterable[dict[str, Any]], *, concurrency: int, check_mode: bool) -> list[Ended]:
    """Expire those of the ``chosen`` sessions that are there and not EXPIRED, side by side (ExpireSession).

    What goes wrong with one session is its failure; the others go on.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as executor:
        return list(executor.map(partial(_expire, client, check_mode), sessions))


def _expire(client: Any, check_mode: bool, session: dict[str, Any]) -> Ended:
    if session.get("State", EXPIRED) == EXPIRED:
        return Ended(session)
    try:
        if not check_mode:
            expire_session(client, session["Id"])
    except LabstreamError as e:
        return Ended(session, failure=Failure(e.code, str(e)))
    return Ended(session, expired=True)


def build_summary(requested: int, outcomes: Sequence[Ended]) -> dict[str, int]:
    """The ends in numbers: ``requested``, ``expired``, ``unchanged`` and ``failed``."""
    expired = sum(outcome.expired for outcome in outcomes)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    return dict(requested=requested, expired=expired, unchanged=len(outcomes) - expired - failed, failed=failed)


def build_diff(outcomes: Sequence[Ended]) -> dict[str, dict[str, Any]]:
    """Before and after: which session is in which state."""
    there = [outcome for outcome in outcomes if outcome.state]
    return dict(
        before={outcome.name: outcome.before["State"] for outcome in there},
        after={outcome.name: outcome.state for outcome in there},
    )


def failure_message(outcomes: Sequence[Ended]) -> str | None:
    """One sentence on which sessions could not be expired, and why; None if there are none."""
    failures = [(outcome.name, outcome.failure) for outcome in outcomes if outcome.failure]
    if not failures:
        return None
    live = len(failures) + sum(outcome.expired for outcome in outcomes)
    return f"{len(failures)} of {live} sessions could not be expired: {format_failures(failures)}."
