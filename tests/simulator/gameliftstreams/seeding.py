# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts stream groups and applications into GameLift Streams, and changes what tests want changed; its control API.

Bodies are JSON objects with the API's names, and ``account`` and ``region`` beside them. A ValueError says what is
wrong with one; then nothing was changed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import get_service_model

from tests.simulator.gameliftstreams.models import GameLiftStreams, Transition
from tests.simulator.moto.gameliftstreams.models import (
    Location,
    StreamGroup,
    StreamSession,
    StreamUrl,
    gameliftstreams_backends,
)
from tests.simulator.settings import now
from tests.simulator.validation import Invalid, Malformed, validate

Body = dict[str, Any]

GROUP_MEMBERS = {
    "ActiveAfter",
    "Applications",
    "DefaultApplication",
    "Description",
    "ExpiresIn",
    "Id",
    "Locations",
    "Status",
    "StatusReason",
    "StreamClass",
    "UpdateOutcome",
    "account",
    "region",
}
LOCATION_MEMBERS = {
    "AllocatedCapacity": "allocated",
    "AlwaysOnCapacity": "always_on",
    "LocationName": "name",
    "MaximumCapacity": "maximum",
    "Status": "status",
    "TargetIdleCapacity": "target_idle",
    "VpcTransitConfiguration": "vpc",
}
DEFAULT_CAPACITY = 30


def put_group(body: Body) -> Body:
    """Make the stream group ``Id`` or change the members of it that are given; applications that are new are made."""
    _only(body, GROUP_MEMBERS, "A stream group")
    group_id = _text(body, "Id")
    backend = _backend(body)
    with backend.lock:
        group = copy.deepcopy(backend.groups.get(group_id)) or backend.new_group(group_id)
        applications = {
            one: backend.arn("application", one) for one in [*_texts(body, "Applications"), *_default_application(body)]
        }
        _change_group(group, body, applications)
        described = group.describe(backend.streaming(group_id))
        _validate(described, _shape("GetStreamGroupOutput"))
        backend.applications |= applications
        backend.groups[group_id] = group
    return described


def delete_group(selection: Mapping[str, str]) -> None:
    """Delete the stream group ``Id``, which revokes its URLs and ends its sessions."""
    backend = _backend(selection)
    with backend.lock:
        group = backend.groups.get(selection.get("Id", ""))
        if group is None:
            raise ValueError(f"There is no stream group {selection.get('Id')!r}.")
        backend.delete_stream_group({"Identifier": group.id})


def put_application(body: Body) -> Body:
    """Make the application ``Id``, associated with no stream group."""
    _only(body, {"Id", "account", "region"}, "An application")
    backend = _backend(body)
    application_id = _text(body, "Id")
    _validate(application_id, _shape("Id"))
    with backend.lock:
        arn = backend.applications.setdefault(application_id, backend.arn("application", application_id))
    return {"Id": application_id, "Arn": arn}


def delete_application(selection: Mapping[str, str]) -> None:
    """Delete the application ``Id`` and its associations, which revokes its URLs and ends their sessions."""
    backend = _backend(selection)
    with backend.lock:
        if selection.get("Id") not in backend.applications:
            raise ValueError(f"There is no application {selection.get('Id')!r}.")
        backend.delete_application({"Identifier": selection["Id"]})


def urls() -> list[Body]:
    """Every stream URL of every account and region in the order in which they were created, without its text."""
    every = [
        {
            **{name: value for name, value in url.describe().items() if name != "StreamUrl"},
            "ClientToken": url.client_token,
            "StreamGroupId": url.group_id,
            "account": backend.account_id,
            "region": backend.region_name,
        }
        for backend in _backends()
        for url in backend.stream_urls.values()
    ]
    return sorted(every, key=lambda one: one["CreatedAt"])


def change_url(body: Body) -> Body:
    """Let ``StreamUrlId`` expire in ``ExpiresIn`` seconds, or set its ``RemainingUses``."""
    _only(body, {"StreamUrlId", "ExpiresIn", "RemainingUses"}, "A stream URL")
    backend, url = _url(_text(body, "StreamUrlId"))
    expires_in = _seconds(body, "ExpiresIn")
    remaining = body.get("RemainingUses", url.remaining)
    if not isinstance(remaining, int) or isinstance(remaining, bool) or not 0 <= remaining <= url.usage_limit:
        raise ValueError(f"RemainingUses must be from 0 to {url.usage_limit}, not {remaining!r}.")
    with backend.lock:
        url.remaining = remaining
        url.expires = url.expires if expires_in is None else now() + expires_in
    return {}


def remove_url(url_id: str) -> None:
    """Forget a stream URL and its client token: as if it had never been created."""
    backend, url = _url(url_id)
    with backend.lock:
        del backend.stream_urls[url.id]
        backend.tokens.pop(url.client_token or "", None)


def sessions() -> list[Body]:
    """Every stream session of every account and region in the order in which they were started."""
    every = [
        {
            **session.describe(),
            "StreamSessionId": session.id,
            "StreamUrlId": session.url_id,
            "account": backend.account_id,
            "region": backend.region_name,
        }
        for backend in _backends()
        for session in backend.sessions.values()
    ]
    return sorted(every, key=lambda one: one["CreatedAt"])


def change_session(body: Body) -> Body:
    """Give the session ``StreamSessionId`` another ``Status`` and ``StatusReason``."""
    _only(body, {"StreamSessionId", "Status", "StatusReason"}, "A stream session")
    session_id = _text(body, "StreamSessionId")
    for backend in _backends():
        session = backend.sessions.get(session_id)
        if session:
            return _change_session(backend, session, body)
    raise ValueError(f"There is no stream session {session_id}.")


def _change_session(backend: GameLiftStreams, session: StreamSession, body: Body) -> Body:
    _validate(_text(body, "Status"), _shape("StreamSessionStatus"))
    reason = body.get("StatusReason")
    if reason is not None:
        _validate(reason, _shape("StreamSessionStatusReason"))
    with backend.lock:
        session.progress, session.reason, session.changed = Transition(body["Status"]), reason, now()
    return session.describe()


def _change_group(group: StreamGroup, body: Body, applications: dict[str, str]) -> None:
    group.description = body.get("Description", group.description)
    group.stream_class = body.get("StreamClass", group.stream_class)
    if "Status" in body:
        active_after = _seconds(body, "ActiveAfter")
        group.progress = Transition(body["Status"], "ACTIVE" if active_after is not None else None, active_after or 0)
        group.status_reason = body.get("StatusReason")
    elif body.keys() & {"StatusReason", "ActiveAfter"}:
        raise ValueError("StatusReason and ActiveAfter go together with Status.")
    if "UpdateOutcome" in body:
        _validate(body["UpdateOutcome"], _shape("StreamGroupStatus"))
        group.update_outcome = body["UpdateOutcome"]
    expires_in = _seconds(body, "ExpiresIn")
    group.expires = group.expires if expires_in is None else now() + expires_in
    if "Applications" in body:
        group.applications = [applications[one] for one in body["Applications"]]
        if group.default_application not in group.applications:
            group.default_application = next(iter(group.applications), None)
    for application in _default_application(body):
        group.default_application = applications[application]
        if group.default_application not in group.applications:
            group.applications.append(group.default_application)
    for definition in _list(body, "Locations"):
        location = _location(group, {"LocationName": definition} if isinstance(definition, str) else definition)
        group.locations[location.name] = location


def _location(group: StreamGroup, definition: Any) -> Location:
    """The location with what is given changed. A new one has 30 streams always on, and no more than are always on."""
    _only(definition, set(LOCATION_MEMBERS), "A location")
    _validate(definition, _shape("LocationState"))
    name = _text(definition, "LocationName")
    always_on = definition.get("AlwaysOnCapacity", DEFAULT_CAPACITY)
    existing = copy.copy(group.locations.get(name)) or Location(name, always_on=always_on, maximum=always_on)
    for member, value in definition.items():
        setattr(existing, LOCATION_MEMBERS[member], value)
    existing.maximum = max(existing.maximum, existing.always_on)
    return existing


def _default_application(body: Body) -> list[str]:
    return [_text(body, "DefaultApplication")] if "DefaultApplication" in body else []


def _backend(body: Mapping[str, Any]) -> GameLiftStreams:
    account, region = body.get("account", DEFAULT_ACCOUNT_ID), body.get("region", "us-east-1")
    try:
        return gameliftstreams_backends[account][region]
    except KeyError:
        raise ValueError(f"GameLift Streams has no endpoint in the region {region!r}.") from None


def _backends() -> Iterator[GameLiftStreams]:
    for _account, _region, backend in list(gameliftstreams_backends.iter_backends()):
        with backend.lock:
            yield backend


def _url(url_id: str) -> tuple[GameLiftStreams, StreamUrl]:
    for backend in _backends():
        if url_id in backend.stream_urls:
            return backend, backend.stream_urls[url_id]
    raise ValueError(f"There is no stream URL {url_id}.")


def _shape(name: str) -> Shape:
    return get_service_model("gameliftstreams").shape_for(name)


def _validate(value: Any, shape: Shape) -> None:
    try:
        validate(value, shape)
    except (Invalid, Malformed) as reason:
        raise ValueError(str(reason)) from reason


def _only(body: Any, names: set[str], what: str) -> None:
    if not isinstance(body, dict):
        raise ValueError(f"{what} must be a JSON object, not {body!r}.")
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


def _texts(body: Body, name: str) -> list[str]:
    return [_text({name: one}, name) for one in _list(body, name)]


def _seconds(body: Body, name: str) -> float | None:
    value = body.get(name)
    if name in body and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}.")
    return value
