# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStream on the simulator's clock and settings, with fleets that fail and streaming URLs that open.

What the service's documentation leaves open (which error comes back when a fleet is not running, say) is a guess that
README.md lists.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from moto.core.utils import get_service_model

from tests.simulator.moto.appstream import models
from tests.simulator.moto.appstream.exceptions import ResourceNotAvailableException
from tests.simulator.moto.appstream.models import Members, Stack
from tests.simulator.settings import issuing_now, now, settings
from tests.simulator.streaming import Page, streaming_urls
from tests.simulator.validation import matches


@dataclass
class Fleet(models.Fleet):
    """A fleet knows when it will have started or stopped; its state follows from the time at which somebody asks.

    ``start_outcome`` is the state that its starts come to, and ``start_errors`` are the errors that it then has.
    """

    start_outcome: str = "RUNNING"
    start_errors: list[Members] = field(default_factory=list)
    # State and errors until and from a point in time.monotonic(): changing the clock's offset starts no fleet.
    _before: tuple[str, list[Members]] = ("STOPPED", [])
    _after: tuple[str, list[Members]] = ("STOPPED", [])
    _settled_at: float = 0
    # How many instances were there at a point in time.monotonic(), and how long each one more takes.
    _provisioned: int = 0
    _provisioned_at: float = 0
    _provisioning_seconds: float = 0

    def start(self) -> None:
        self._before, self._after = ("STARTING", self.errors), (self.start_outcome, self.start_errors)
        self._settled_at = time.monotonic() + settings.fleet_starting_seconds
        self._provision(0, self._settled_at)

    def stop(self) -> None:
        self._before, self._after = ("STOPPING", self.errors), ("STOPPED", self.errors)
        self._settled_at = time.monotonic() + settings.fleet_stopping_seconds

    def update(self, attributes: Members) -> None:
        provisioned = self.provisioned
        super().update(attributes)
        self._provision(provisioned, time.monotonic())

    def _provision(self, provisioned: int, since: float) -> None:
        self._provisioned, self._provisioned_at = provisioned, since
        self._provisioning_seconds = settings.instance_provisioning_seconds

    @property
    def _now(self) -> tuple[str, list[Members]]:
        return self._after if time.monotonic() >= self._settled_at else self._before

    @property
    def state(self) -> str:
        return self._now[0]

    @property
    def errors(self) -> list[Members]:
        return self._now[1]

    @errors.setter
    def errors(self, errors: list[Members]) -> None:
        self._before, self._after = (self._before[0], errors), (self._after[0], errors)

    @property
    def provisioned(self) -> int:
        """How many instances there are now. Those of an elastic fleet come from a pool that AWS has."""
        if self.state != "RUNNING" or self.elastic or self._provisioning_seconds == 0:
            return super().provisioned
        since = time.monotonic() - self._provisioned_at
        return min(self.instances, self._provisioned + int(since / self._provisioning_seconds))


class AppStream(models.AppStreamBackend):
    """Whoever calls a method holds ``lock``."""

    clock = staticmethod(now)
    fleet_class = Fleet

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()

    @property
    def default_page_size(self) -> int:
        return settings.page_size

    def issue_url(self, stack: Stack, fleet: models.Fleet, request: Members, validity: int) -> tuple[str, float]:
        expires = issuing_now() + validity
        return streaming_urls.issue(expires, lambda: self._open(stack, fleet, request)), round(expires, 3)

    def _open(self, stack: Stack, fleet: models.Fleet, request: Members) -> Page:
        """A browser opened the URL."""
        user_id = request["UserId"]
        with self.lock:
            if not matches(user_id, get_service_model("appstream").shape_for("StreamingUrlUserId")):
                return Page(500, "Internal server error")
            present = self.stacks.get(stack.name) is stack and self.fleets.get(fleet.name) is fleet
            if not present or (stack.name, fleet.name) not in self.associations:
                return Page(404, "This stack and fleet are no longer there")
            try:
                session = self.start_session(stack, fleet, user_id)
            except ResourceNotAvailableException:
                return Page(503, "No streaming resources are available for your session")
        facts = {
            "User": user_id,
            "Stack": stack.name,
            "Fleet": fleet.name,
            "Application": request.get("ApplicationId", ""),
            "Session context": request.get("SessionContext", ""),
            "Session": session.id,
        }
        return Page(200, "Your streaming session is running", facts)
