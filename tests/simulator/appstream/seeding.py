# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, and changes of fleets that no operation makes and tests want; the control API's part for AppStream.

Bodies are JSON objects with the API's names, and ``account`` and ``region`` beside them. A ValueError says what is
wrong with one; then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import get_service_model

from tests.simulator.appstream.images import build_applications, build_image
from tests.simulator.appstream.models import AppStream, Fleet
from tests.simulator.moto.appstream.models import appstream_backends

Body = dict[str, Any]

START_OUTCOMES = ("RUNNING", "STARTING", "STOPPED")
MEMBERS = ("Applications", "FleetErrors", "Name", "StartErrors", "StartOutcome", "account", "region")


def change_fleet(body: Any) -> Body:
    """Change the fleet ``Name``: its ``FleetErrors`` now, the ``StartOutcome`` and ``StartErrors`` of its starts.

    ``Applications`` are those of an elastic fleet, instead of those that it had.
    """
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    unknown = sorted(body.keys() - set(MEMBERS))
    if unknown:
        raise ValueError(f"A fleet has no member {unknown[0]!r} here; there are {', '.join(MEMBERS)}.")
    outcome = body.get("StartOutcome")
    if "StartOutcome" in body and outcome not in START_OUTCOMES:
        raise ValueError(f"StartOutcome must be one of {', '.join(START_OUTCOMES)}, not {outcome!r}.")
    errors, start_errors = _errors(body, "FleetErrors"), _errors(body, "StartErrors")
    applications = build_applications(body["Applications"]) if "Applications" in body else None
    backend = _backend(body)
    with backend.lock:
        fleet = _fleet(backend, body.get("Name"))
        if applications is not None:
            _associate(backend, fleet, applications)
        fleet.errors = fleet.errors if errors is None else errors
        fleet.start_errors = fleet.start_errors if start_errors is None else start_errors
        fleet.start_outcome = outcome or fleet.start_outcome
        return fleet.describe(sessions=0)


def put_image(body: Any) -> Body:
    """Create the image ``Name``, or replace it. Its members are those of the API's Image."""
    if not isinstance(body, dict) or not isinstance(body.get("Name"), str):
        raise ValueError("The body must be a JSON object with the Name of an image.")
    backend = _backend(body)
    members = {name: value for name, value in body.items() if name not in ("account", "region")}
    image = build_image(members, backend.arn("image", body["Name"]), backend.account_id)
    with backend.lock:
        _drop_image(backend, body["Name"])
        backend.images[image["Arn"]] = image
    return image


def remove_image(selection: Mapping[str, str]) -> None:
    """Remove the image ``Name``, as when it is deleted or not shared with the account any more."""
    backend = _backend(dict(selection))
    with backend.lock:
        if not _drop_image(backend, selection.get("Name")):
            raise ValueError(f"There is no image {selection.get('Name')!r}.")


def _drop_image(backend: AppStream, name: str | None) -> bool:
    arns = [arn for arn, image in backend.images.items() if image["Name"] == name]
    for arn in arns:
        del backend.images[arn]
    return bool(arns)


def _associate(backend: AppStream, fleet: Fleet, applications: list[Body]) -> None:
    if not fleet.elastic:
        raise ValueError(
            f"The fleet {fleet.name!r} has its applications from its image; only an ELASTIC one is given any."
        )
    for application in applications:
        application.setdefault("Arn", backend.arn("application", application["Name"]))
    backend.applications |= {application["Arn"]: application for application in applications}
    fleet.applications = [application["Arn"] for application in applications]


def _errors(body: Body, name: str) -> list[Body] | None:
    """The errors in the member ``name``, each a code or an object as the service has it; None if it is not given."""
    if name not in body:
        return None
    if not isinstance(body[name], list):
        raise ValueError(f"{name} must be a list, not {body[name]!r}.")
    return [_error(name, one) for one in body[name]]


def _error(name: str, one: Any) -> Body:
    error = {"ErrorCode": one} if isinstance(one, str) else one
    if not isinstance(error, dict) or error.keys() - {"ErrorCode", "ErrorMessage"}:
        raise ValueError(f"{name} holds codes, or objects with ErrorCode and ErrorMessage, not {one!r}.")
    codes = get_service_model("appstream").shape_for("FleetErrorCode").enum
    if error.get("ErrorCode") not in codes:
        raise ValueError(f"ErrorCode must be one of {', '.join(codes)}, not {error.get('ErrorCode')!r}.")
    return {"ErrorMessage": f"The fleet has the error {error['ErrorCode']}.", **error}


def _backend(body: Body) -> AppStream:
    account, region = body.get("account", DEFAULT_ACCOUNT_ID), body.get("region", "us-east-1")
    try:
        return appstream_backends[account][region]
    except KeyError:
        raise ValueError(f"AppStream has no endpoint in the region {region!r}.") from None


def _fleet(backend: AppStream, name: Any) -> Fleet:
    if name not in backend.fleets:
        raise ValueError(f"There is no fleet {name!r}.")
    return backend.fleets[name]
