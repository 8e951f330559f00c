# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of the services, and the service's clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

try:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ResponseStreamingError
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ._errors import InvalidOption, quote
from ._module import LabstreamAWSModule
from ._rate_limit import build_rate_limiter, limit_rate

# How often a call is tried if the user does not say.
ATTEMPTS = 10
# In seconds. botocore's minute, so many times, would leave the user without a word for ten.
CONNECT_TIMEOUT = 10
# How botocore stumbles over its settings, of which it looks at few before it uses them.
_PARSER_ERRORS = (AttributeError, LookupError, TypeError)
# In seconds: before the second try, then doubled, up to the longest.
_MIN_DELAY, _MAX_DELAY = 0.25, 4.0


def build_client(
    module: LabstreamAWSModule,
    service: str,
    concurrency: int,
    *,
    create: Callable[..., Any] | None = None,
    attempts: int | None = None,
    timeout: float | None = None,
    **connection: Any,
) -> Any:
    """A botocore client for up to ``concurrency`` calls at once, with all of the retrying that we do.

    In adaptive mode botocore's standard mode retries, and pacing.py slows down to what the service allows.
    ``aws_config`` wins over these settings, but not over ``attempts`` and ``timeout``.

    Args:
        module: Whose options say how to connect.
        service: The service's name.
        concurrency: The number of connections that are kept.
        create: What makes the client if not ``module.client``, as which it is called.
        attempts: How often each call is tried, at most.
        timeout: How many seconds connecting may take, and every wait for the reply.
        connection: What goes before the module's options that say how to connect, as boto3_conn of amazon.aws takes it.

    Raises:
        LabstreamError: the options do not say how to connect, or botocore does not take the user's ``aws_config``.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        max_pool_connections=concurrency,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
    )
    try:
        config = config.merge(Config(**(module.params["aws_config"] or {})))
    except (*_PARSER_ERRORS, ValueError, BotoCoreError) as e:
        raise InvalidOption(f"aws_config is not what botocore takes: {e}. See botocore.config.Config.") from e
    _check_connection(module.params)
    if attempts is not None:
        config = config.merge(Config(retries={"mode": "standard", "total_max_attempts": attempts}))
    if timeout is not None:
        config = config.merge(Config(connect_timeout=timeout, read_timeout=timeout))
    adapts = (config.retries or {}).get("mode") == "adaptive"
    limited_by = build_rate_limiter() if adapts else None
    if limited_by:
        config = config.merge(Config(retries={**config.retries, "mode": "standard"}))
    try:
        client = (create or module.client)(service, config=config, aws_config=None, **connection)
    except _PARSER_ERRORS as e:
        raise InvalidOption(f"aws_config is not what botocore takes: {e}. See botocore.config.Config.") from e
    if limited_by:
        limit_rate(client, limited_by)
    client.meta.events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}", _refuse_unreadable)
    return client


def _check_connection(params: Mapping[str, Any]) -> None:
    """Refuse what no header can carry, which http.client would at every try, and quote; and what is no address.

    Raises:
        InvalidOption: naming the option, and not the value of a secret.
    """
    for option in ("access_key", "secret_key", "session_token"):
        value = params.get(option) or ""
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise InvalidOption(
                f"{option} has a character that no key has, such as a space or a line break: correct it."
            )
    endpoint_url = params.get("endpoint_url")
    try:
        host = urlsplit(endpoint_url).hostname if endpoint_url is not None else "the service's own"
    except ValueError:
        host = None
    if not host:
        raise InvalidOption(f"endpoint_url is {quote(endpoint_url)}, which is no address such as https://example.org.")


def _refuse_unreadable(http_response: Any, **_kwargs: Any) -> None:
    """Refuse what botocore takes for a good reply without members: half of one, or a proxy's page with status 200.

    Else a lease would count as remembered that no store has heard of, and a list that broke off as empty.

    Raises:
        ResponseStreamingError: it broke off. As the next one, it quotes nothing of the reply, which may have a URL.
        ResponseParserError: it is no JSON.
    """
    headers, body = http_response.headers, http_response.content
    if http_response.status_code >= 300 or "cbor" in headers.get("Content-Type", ""):
        return
    if headers.get("Content-Length") not in (None, str(len(body))):
        raise ResponseStreamingError(error="it ended before its Content-Length")
    try:
        json.loads(body or "{}")
    except ValueError:
        raise ResponseParserError("The reply is no JSON.") from None


def retry_delays(client: Any) -> list[float]:
    """How many seconds to wait before each further try of what passes, but what botocore does not retry.

    There are as many tries as botocore makes after other errors.
    """
    tries = (client.meta.config.retries or {}).get("total_max_attempts", ATTEMPTS)
    return [min(_MIN_DELAY * 2**number, _MAX_DELAY) for number in range(tries - 1)]


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
            when = datetime.now(timezone.utc)
        else:
            told, told_at = self._told
            when = told + timedelta(seconds=time.monotonic() - told_at)
        return when.replace(microsecond=0)

    def _observe(self, http_response: Any, **_kwargs: Any) -> None:
        if self._told is not None:
            return
        try:
            told = parsedate_to_datetime(http_response.headers["Date"]).astimezone(timezone.utc)
        except (KeyError, TypeError, ValueError):
            return
        self._told = (told, time.monotonic())
