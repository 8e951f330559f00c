# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the options of gamelift_stream_url ask for: for whom, what the URLs open, and how long they are valid. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._errors import InvalidOption, quote
from .._labs.learners import validate_generation, validate_learner_id
from .._labs.person import normalise
from .._leases.lease import is_key_part, is_text
from .._leases.module import Row
from .._leases.reuse import ReusePolicy
from .._validation import validate_distinct, validate_range
from . import validation
from .urls import MINUTE, UrlSettings

# The options that say who gets stream URLs.
HOLDER_OPTIONS = ("learner", "learners")

DEFAULT_MINUTES = 60
DEFAULT_MIN_REMAINING_USES = 2


@dataclass(frozen=True)
class LearnerRow(Row):
    """A stream URL that is asked for. All rows of a task have the same purpose but for their generations."""

    @property
    def name(self) -> str:
        """The row as messages and diffs name it."""
        return self.holder


def parse_rows(learners: Sequence[Mapping[str, Any]], settings: UrlSettings | None) -> list[LearnerRow]:
    """Return the stream URLs that are asked for.

    Args:
        learners: The learners, each with all keys of an entry.
        settings: What the stream URLs are created with, if anything but their learners matters.

    Raises:
        InvalidOption: Names the value.
    """
    rows = []
    for learner in learners:
        if not is_text(learner["id"]):
            raise InvalidOption(f"The id of a learner is {quote(learner['id'])}, which has an unpaired surrogate.")
        validate_learner_id(learner["id"])
        validate_generation(learner["id"], learner["generation"])
        holder = normalise(learner["id"])
        if not is_key_part("holder", holder):
            raise InvalidOption(
                f"The id of a learner is {quote(learner['id'])}, which has a character that cannot be printed."
            )
        purpose = settings.build_purpose(learner["generation"]) if settings else ""
        row = LearnerRow.build("id", learner, purpose)
        rows.append(LearnerRow(holder, row.values, purpose, learner["generation"]))
    validate_distinct("learners", [row.holder for row in rows], remedy="remove one; upper and lower case are the same")
    return rows


def parse_settings(params: Mapping[str, Any]) -> UrlSettings | None:
    """Return what the stream URLs are created with; None if application and locations are not needed.

    Raises:
        InvalidOption: Names the value.
    """
    uses, environment = params["min_remaining_uses"], params["environment"] or {}
    validation.validate_identifier("stream_group", params["stream_group"])
    validate_range("usage_limit", params["usage_limit"], 1, validation.MAX_INTEGER)
    if uses is not None:
        validate_range("min_remaining_uses", uses, 0, params["usage_limit"])
    if params["session_length"] is not None:
        validate_range("session_length", params["session_length"], 1, validation.MAX_SESSION_LENGTH)
    launch_args = params["launch_args"] or []
    validation.validate_launch_args(launch_args)
    variables = {str(name): to_variable(str(name), value) for name, value in environment.items()}
    validation.validate_environment(variables)
    for value in (*launch_args, *variables.values()):
        if not is_text(value):
            raise InvalidOption("launch_args or environment has an unpaired surrogate: correct it.")
    if params["role_arn"] is not None:
        validation.validate_role_arn(params["role_arn"])
    resolution = None if params["resolution"] is None else validation.parse_resolution(params["resolution"])
    if params["application"] is not None:
        validation.validate_identifier("application", params["application"])
    if params["locations"] is not None:
        validation.validate_locations(params["locations"])
    if params["application"] is None or params["locations"] is None:
        is_anybody_listed = any(params[option] is not None for option in HOLDER_OPTIONS)
        if params["state"] == "present" or (is_anybody_listed and not params["purge"]):
            raise InvalidOption(
                "application and locations are missing, which say what the stream URLs open: give both"
                + (", as for state=present." if params["state"] == "absent" else ".")
            )
        return None
    return UrlSettings(
        application=validation.get_id(params["application"]),
        locations=params["locations"],
        usage_limit=params["usage_limit"],
        min_remaining_uses=min(DEFAULT_MIN_REMAINING_USES, params["usage_limit"]) if uses is None else uses,
        session_length=params["session_length"],
        launch_args=launch_args,
        environment=variables,
        role_arn=params["role_arn"],
        resolution=resolution,
    )


def to_variable(name: str, value: Any) -> str:
    """Return the value of an environment variable as text.

    Raises:
        InvalidOption: It is not text, or was not before YAML read it. The value is not quoted.
    """
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise InvalidOption(f"The variable {quote(name)} of environment is not text: put its value in quotes.")


def build_policy(params: Mapping[str, Any], valid_until: datetime | None) -> ReusePolicy:
    """Return how long the stream URLs must be valid.

    Raises:
        InvalidOption: Names the value.
    """
    minutes = None
    if valid_until is None:
        minutes = DEFAULT_MINUTES if params["expires_after_minutes"] is None else params["expires_after_minutes"]
        validate_range("expires_after_minutes", minutes, 1, validation.MAX_INTEGER)
    return ReusePolicy(
        validation.MAX_INTEGER * MINUTE,
        validity=minutes and minutes * MINUTE,
        valid_until=valid_until,
        min_remaining=params["min_remaining"],
        granularity=MINUTE,
    )


def validate_recovery(params: Mapping[str, Any]) -> None:
    """Reject options that contradict each other.

    Raises:
        InvalidOption: Says which.
    """
    if params["recover"] and params["state"] == "absent":
        raise InvalidOption("recover is for state=present: leave it out.")
    if params["recover"] and params["force"]:
        raise InvalidOption("recover and force=true contradict each other: leave one of them out.")
    if params["revoke_duplicates"] and not params["recover"]:
        raise InvalidOption("revoke_duplicates is for recover=true: set that too, or leave it out.")
