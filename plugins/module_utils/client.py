# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of the services, and the service's clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

try:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from .exceptions import InvalidOption
from .modules import LabstreamAWSModule


def service_client(module: LabstreamAWSModule, service: str, concurrency: int) -> Any:
    """A botocore client for up to ``concurrency`` calls at once, with all of the retrying that we do.

    Adaptive mode slows down to what the service allows. The user's ``aws_config`` wins over these settings.

    Raises:
        InvalidOption: botocore does not take the user's ``aws_config``.
    """
    try:
        Config(**(module.params["aws_config"] or {}))
    except (TypeError, ValueError, BotoCoreError) as e:
        raise InvalidOption(f"aws_config is not what botocore takes: {e}. See botocore.config.Config.") from e
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=concurrency)
    return module.client(service, config=config)


def endpoint_host(client: Any) -> str:
    """The host, with its port if one is given, that the client calls."""
    return urlsplit(client.meta.endpoint_url).netloc.rpartition("@")[2].lower()


class ServiceClock:
    """Now, as the service tells it in the Date header of its replies; this machine's clock until the first reply.

    A wrong clock here must not make a dead URL look alive.
    """

    def __init__(self, client: Any) -> None:
        # What the service told, and this machine's monotonic clock at that time. One value, since threads read it.
        self._told: tuple[datetime, float] | None = None
        client.meta.events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}", self._observe)

    def now(self) -> datetime:
        """The service's time in UTC, whole seconds, never ahead of the service."""
        if self._told is None:
            moment = datetime.now(timezone.utc)
        else:
            told, told_at = self._told
            moment = told + timedelta(seconds=time.monotonic() - told_at)
        return moment.replace(microsecond=0)

    def _observe(self, http_response: Any, **_kwargs: Any) -> None:
        if self._told is not None:
            return
        try:
            told = parsedate_to_datetime(http_response.headers["Date"]).astimezone(timezone.utc)
        except (KeyError, TypeError, ValueError):
            return
        self._told = (told, time.monotonic())
