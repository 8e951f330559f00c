# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images with their applications, and the applications of elastic fleets. No operation here makes them: seeding does.

Both are what the service returns: dictionaries with the API's members, checked against its model.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import get_service_model

from tests.simulator.settings import now
from tests.simulator.validation import Invalid, Malformed, validate

Members = dict[str, Any]

OTHER_ACCOUNT = "210987654321"  # which shares its images
# Whose image it is, in its ARN, unless the caller's account.
OWNERS = {"PUBLIC": "", "SHARED": OTHER_ACCOUNT}


def build_image(members: Members, arn: str, account: str) -> Members:
    """An image with these members, at ``arn`` if it is the account's own; ValueError if the model forbids one."""
    visibility = members.get("Visibility", "PRIVATE")
    image = {
        "Arn": arn.replace(f":{account}:", f":{OWNERS.get(visibility, account)}:"),
        "DisplayName": members.get("Name"),
        "State": "AVAILABLE",
        "Visibility": visibility,
        "Platform": "WINDOWS_SERVER_2022",
        "DynamicAppProvidersEnabled": "DISABLED",
        "CreatedTime": round(now(), 3),
        **members,
    }
    if "Applications" in members:
        image["Applications"] = build_applications(members["Applications"])
    _check(image, "Image")
    return image


def build_applications(definitions: Any) -> list[Members]:
    """Applications by their names, or by members; ValueError if the model forbids one, or a name occurs twice."""
    if not isinstance(definitions, list):
        raise ValueError(f"Applications must be a list, not {definitions!r}.")
    applications = []
    for one in definitions:
        members = {"Name": one} if isinstance(one, str) else one
        if not isinstance(members, dict) or "Name" not in members:
            raise ValueError(f"Applications holds names, or objects with Name, not {one!r}.")
        application = {"DisplayName": members["Name"], "Enabled": True, **members}
        _check(application, "Application")
        applications.append(application)
    names = [application["Name"] for application in applications]
    if len(set(names)) < len(names):
        raise ValueError(f"Applications has a name twice: {names!r}.")
    return applications


def _check(members: Members, shape: str) -> None:
    try:
        validate(members, get_service_model("appstream").shape_for(shape))
    except (Invalid, Malformed) as reason:
        raise ValueError(str(reason)) from reason
