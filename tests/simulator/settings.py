# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that tests change while the simulator runs, and the clock that every service here reads."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import moto.settings


@dataclass
class Settings:
    """README.md says what each setting does."""

    fleet_starting_seconds: float = 0
    fleet_stopping_seconds: float = 0
    instance_provisioning_seconds: float = 0
    session_starting_seconds: float = 0
    stream_creating_seconds: float = 0
    stream_group_updating_seconds: float = 0
    stream_session_activating_seconds: float = 0
    stream_session_terminating_seconds: float = 0
    client_token_window_seconds: float | None = None  # None: unlimited
    page_size: int = 2
    clock_offset_seconds: float = 0
    issuing_clock_offset_seconds: float = 0
    enforce_iam: bool = False

    def update(self, changes: Mapping[str, object]) -> None:
        """Apply all of ``changes`` or, with a ValueError that names the bad one, none of them."""
        for name, value in changes.items():
            if name not in asdict(self):
                raise ValueError(f"There is no setting {name!r}; there are {', '.join(asdict(self))}.")
            if name == "enforce_iam":
                if not isinstance(value, bool):
                    raise ValueError(f"The setting enforce_iam must be true or false, not {value!r}.")
                continue
            if name == "client_token_window_seconds" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"The setting {name} must be a number, not {value!r}.")
            if name == "page_size" and (not isinstance(value, int) or value < 1):
                raise ValueError(f"The setting page_size must be a whole number of at least 1, not {value!r}.")
            if name.endswith("_seconds") and not name.endswith("clock_offset_seconds") and value < 0:
                raise ValueError(f"The setting {name} must not be negative, not {value!r}.")
        for name, value in changes.items():
            setattr(self, name, value)
        # moto's only switch: after how many calls it begins to check them
        moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if self.enforce_iam else math.inf

    def reset(self) -> None:
        self.update({field.name: field.default for field in fields(self)})


settings = Settings()


def now() -> float:
    """The services' time, in seconds since the epoch: this machine's, moved by ``clock_offset_seconds``."""
    return time.time() + settings.clock_offset_seconds


def issuing_now() -> float:
    """The time on the server that issues URLs: a service has many servers, and their clocks differ a little."""
    return now() + settings.issuing_clock_offset_seconds
