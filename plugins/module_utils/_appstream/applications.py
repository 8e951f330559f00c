# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The applications of a fleet, and whether those that URLs are to open are among them. Pure.

No error of CreateStreamingURL is documented for an application that the fleet does not have, and its URL opens nothing.

Sources: the service model of botocore, and the API reference of CreateStreamingURL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .._errors import InvalidOption, list_names, quote

# What opens the desktop instead of an application.
DESKTOP = "Desktop"
# A message shows this many names.
MAX_NAMES = 10

_list = partial(list_names, limit=MAX_NAMES, show=quote)


@dataclass(frozen=True)
class Catalog:
    """The applications of a fleet.

    Attributes:
        names: The names of those that start.
        disabled: The names of those that do not.
        doubt: Why the fleet may have others; None if these are all.
    """

    names: Sequence[str] = ()
    disabled: Sequence[str] = ()
    doubt: str | None = None


def build_image_catalog(image: Mapping[str, Any] | None) -> Catalog:
    """Return the catalog of an Always-On or On-Demand fleet by its image; None stands for one that is not visible."""
    if image is None:
        return Catalog(doubt="its image is not visible to these credentials, as when it is no longer shared")
    applications = image.get("Applications") or []
    names = _get_names(each for each in applications if each.get("Enabled") is not False)
    disabled = _get_names(each for each in applications if each.get("Enabled") is False)
    doubt = None
    if image.get("DynamicAppProvidersEnabled") == "ENABLED":
        doubt = "its image gets applications dynamically when a session starts"
    elif not applications:
        doubt = "its image lists no applications"
    return Catalog(names, disabled, doubt)


def build_elastic_catalog(arns: Sequence[str], applications: Sequence[Mapping[str, Any]]) -> Catalog:
    """Return the catalog of an Elastic fleet by the ARNs that it is associated with, and what the service has of them.

    ``Enabled`` is not considered: it is documented for the applications of images only.
    """
    doubt = "the service does not describe all of its applications" if len(applications) < len(arns) else None
    return Catalog(_get_names(applications), doubt=doubt)


def _get_names(applications: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({each["Name"] for each in applications if each.get("Name")})


def validate_desktop(fleet: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return the names that are to be found among the fleet's applications: all but the desktop.

    Raises:
        InvalidOption: the fleet does not show the desktop.
    """
    if DESKTOP in names and fleet.get("StreamView") == "APP":
        raise InvalidOption(
            f"application_id is {DESKTOP!r}, but fleet {fleet['Name']!r} shows applications and no desktop (its stream "
            "view is APP): name an application, or use a fleet with the stream view DESKTOP."
        )
    return sorted(name for name in names if name != DESKTOP)


def validate_applications(fleet: Mapping[str, Any], names: Sequence[str], catalog: Catalog) -> str | None:
    """Reject names that are not those of the fleet's applications. Display names are others.

    Returns:
        A warning if the fleet may have them although the catalog does not, otherwise None.

    Raises:
        InvalidOption: names them, and the applications that the fleet has.
    """
    unknown = [name for name in names if name not in catalog.names]
    if not unknown:
        return None
    whose = f"fleet {fleet['Name']!r}"
    if catalog.doubt:
        return (
            f"application_id is {_list(unknown)}, but it could not be checked whether {whose} has it, since "
            f"{catalog.doubt}."
        )
    disabled = [name for name in unknown if name in catalog.disabled]
    if disabled:
        raise InvalidOption(
            f"application_id is {_list(disabled)}, which is disabled in the image of {whose}, so it would not start: "
            f"{_remedy(catalog)}."
        )
    raise InvalidOption(
        f"application_id is {_list(unknown)}, but {whose} has no application of that name: {_remedy(catalog)}."
    )


def _remedy(catalog: Catalog) -> str:
    if not catalog.names:
        return "it has none that would start, so leave application_id out, or use another fleet"
    return f"use the name, not the display name, of one that it has: {_list(catalog.names)}"
