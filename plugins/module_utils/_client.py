# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Clients of AWS services, and their responses as results show them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

try:
    import boto3.session
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, NoRegionError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

from ._credentials import CredentialLoader
from ._errors import InvalidOption, InvalidResponse, quote
from ._module import LabstreamAWSModule
from ._network_time import MAX_ATTEMPT, begin_attempt, end_attempt, run_within_limits
from ._rate_limit import limit_rate
from ._retries import RetryRules
from ._time import to_iso8601, utc_now
from ._urls import is_web_url
from ._version import COLLECTION_NAME, COLLECTION_VERSION

# How often a call is tried if the user does not say.
ATTEMPTS = 10
# In seconds. With botocore's own 60 and this many attempts, the user would wait ten minutes for a message.
CONNECT_TIMEOUT = 10
# In seconds: a read, whose timeout is retried, ends later than an attempt, whose is not.
READ_TIMEOUT_MARGIN = 5
# In seconds: before the second try, then doubled, up to the longest.
_MIN_DELAY, _MAX_DELAY = 0.25, 4.0
_KEYS = ("access_key", "secret_key", "session_token")
# The ends of AWS's own endpoints, in all partitions.
AWS_DOMAINS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".api.aws",
    ".api.aws.hci.ic.gov",
    ".api.aws.ic.gov",
    ".api.aws.scloud",
    ".api.cloud-aws.adc-e.uk",
    ".c2s.ic.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".sc2s.sgov.gov",
)
# What stands for all of AWS's own endpoints of a service, since the same resources are behind them.
AWS = "aws"
# botocore checks few of its settings before it uses them, and then raises one of these.
_CONFIG_ERRORS = (AttributeError, LookupError, TypeError)
# How botocore's parsers return the types of its service models.
_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "timestamp": datetime,
    "structure": dict,
    "map": dict,
    "list": list,
}


def build_client(
    module: LabstreamAWSModule,
    service: str,
    concurrency: int,
    *,
    build_loader: Callable[[Any], Any] | None = None,
    attempts: int | None = None,
    timeout: float | None = None,
    **connection: Any,
) -> Any:
    """Build a botocore client for up to ``concurrency`` calls at the same time, with all retries that we make.

    In adaptive mode, botocore's standard mode retries, and ``_rate_limit`` slows down to what the service allows.
    ``aws_config`` takes precedence over these settings, but not over ``attempts`` and ``timeout``.

    Args:
        module: The module, for its connection options.
        service: The service's name.
        concurrency: The number of connections that are kept.
        build_loader: For a service that botocore does not know: builds a data loader from the session's.
        attempts: How often each call is tried at most.
        timeout: How many seconds connecting may take, and each read.
        connection: Takes precedence over the connection options, as boto3_conn of amazon.aws takes it.

    Raises:
        InvalidOption: a connection option or ``aws_config`` is not valid.
        CredentialsError: the credentials cannot be loaded.
    """
    settings = dict(
        user_agent=f"APN/1.0 Ansible/{ansible_version} {COLLECTION_NAME}/{COLLECTION_VERSION}",
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=MAX_ATTEMPT + READ_TIMEOUT_MARGIN,
        max_pool_connections=concurrency,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
    )
    overrides: dict[str, Any] = {}
    if attempts is not None:
        overrides.update(retries={"mode": "standard", "total_max_attempts": attempts})
    if timeout is not None:
        overrides.update(connect_timeout=timeout, read_timeout=timeout)
    try:
        config = Config(**{**settings, **(module.params["aws_config"] or {}), **overrides})
    except (*_CONFIG_ERRORS, ValueError, BotoCoreError) as e:
        raise _invalid_config(e) from e
    _validate_connection(module)
    is_adaptive = (config.retries or {}).get("mode") == "adaptive"
    if is_adaptive:
        config = config.merge(Config(retries={**config.retries, "mode": "standard"}))
    # As amazon.aws takes a module's options, but a failure is raised instead of ending the module.
    options: Any = SimpleNamespace(params=module.params, fail_json=_reject)
    region, endpoint_url, parameters = get_aws_connection_info(options)
    parameters = {"region": region, "endpoint": endpoint_url, **parameters, **connection}
    parameters.pop("aws_config", None)  # It is in config.
    try:
        # Loading credentials may call other services.
        client = run_within_limits(partial(_build_client, service, build_loader, config=config, **parameters))
    except _CONFIG_ERRORS as e:
        if not module.params["aws_config"]:
            raise
        raise _invalid_config(e) from e
    if is_adaptive:
        limit_rate(client)
    client.meta.events.register(f"after-call.{_event_name(client)}", _validate_response)
    return client


def _reject(msg: str, **_details: Any) -> None:
    raise InvalidOption(msg)


def _build_client(
    service: str, build_loader: Callable[[Any], Any] | None, *, region: str | None, endpoint: str | None, **more: Any
) -> Any:
    """Build a client in a session of its own, as boto3_conn of amazon.aws does, but with parts of ours."""
    try:
        session = botocore.session.Session(profile=more.pop("profile_name", None))
        _count_network_time(session)
        session.register_component("credential_provider", CredentialLoader(session, region))
        if build_loader:
            session.register_component("data_loader", build_loader(session.get_component("data_loader")))
        boto3_session = boto3.session.Session(botocore_session=session)
        client = boto3_session.client(service, region_name=region, endpoint_url=endpoint, **more)
    except NoRegionError as e:
        raise InvalidOption("No region is given: set region, or AWS_REGION, or the region of the profile.") from e
    except (ValueError, BotoCoreError) as e:
        raise InvalidOption(f"Couldn't connect to AWS: {e}") from e
    is_known_region = partial(_is_known_region, session, service) if build_loader is None else lambda _region: True
    RetryRules(client, is_known_region, retry_delays(client)).register()
    return client


def _count_network_time(session: Any) -> None:
    """Let all clients of the session, also those that load credentials, report when each attempt begins and ends."""

    def begin(request: Any, event_name: str, **_kwargs: Any) -> None:
        begin_attempt(event_name.rpartition(".")[2], urlsplit(request.url).netloc)

    events = session.get_component("event_emitter")
    events.register_last("before-send", begin)  # after the rate limiter
    events.register_first("response-received", lambda **_kwargs: end_attempt())


def _is_known_region(session: Any, service: str, region: str) -> bool:
    """Return whether botocore knows that the service is available in the region."""
    partitions = session.get_available_partitions()
    return any(region in session.get_available_regions(service, partition) for partition in partitions)


def _invalid_config(error: Exception) -> InvalidOption:
    return InvalidOption(f"aws_config is not valid: {error}. See botocore.config.Config.")


def _validate_connection(module: LabstreamAWSModule) -> None:
    """Reject what no header can carry, which http.client would quote at each attempt, and what is not an address.

    Raises:
        InvalidOption: names the option, and not the value of a secret.
    """
    params = module.params
    keys = [option for option in _KEYS if params.get(option)]
    if params.get("profile") and keys:
        raise InvalidOption(
            f"A profile ({quote(params['profile'])}, from {_describe_origin(module, 'profile')}) and keys (from "
            f"{', '.join(_describe_origin(module, option) for option in keys)}) are both given: remove one of them."
        )
    for option in _KEYS:
        value = params.get(option) or ""
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise InvalidOption(
                f"{option} has a character that no key has, such as a space or a line break: correct it."
            )
    endpoint_url = params.get("endpoint_url")
    if endpoint_url is not None and not is_web_url(endpoint_url):
        raise InvalidOption(
            f"endpoint_url is {quote(endpoint_url)}, which is not an address such as https://example.org."
        )


def _describe_origin(module: LabstreamAWSModule, option: str) -> str:
    """Return the environment variable that a connection option comes from, or else the option."""
    variables, value = module.get_fallback_variables(option), module.params[option]
    return next((name for name in variables if os.environ.get(name) == value), f"the option {option}")


def _validate_response(http_response: Any, parsed: Any, model: Any, **_kwargs: Any) -> None:
    """Reject what botocore takes for a response: a proxy's page, members of the wrong type.

    Otherwise a lease would count as stored that the store never received.

    Raises:
        InvalidResponse: it is not JSON, or a member has the wrong type. Nothing of it is quoted, which may be a URL.
    """
    if http_response.status_code >= 300:
        return
    if "cbor" not in http_response.headers.get("Content-Type", ""):
        try:
            json.loads(http_response.content or "{}")
        except ValueError:
            raise InvalidResponse("not JSON") from None
    if model.output_shape:
        _validate_type(parsed, model.output_shape)


def _validate_type(value: Any, shape: Any) -> None:
    """Reject a value that does not have the type of its shape in the service model. A missing member is accepted.

    Raises:
        InvalidResponse: names the shape.
    """
    if not isinstance(value, _TYPES.get(shape.type_name, (object,))):
        raise InvalidResponse(f"{shape.name} is not a {shape.type_name}")
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                _validate_type(value[name], member)
    elif shape.type_name == "list":
        for element in value:
            _validate_type(element, shape.member)
    elif shape.type_name == "map":
        for element in value.values():
            _validate_type(element, shape.value)
    elif shape.type_name == "timestamp":
        value.astimezone(timezone.utc)  # raises what ``call`` catches if that is beyond the year 9999


def to_facts(members: Mapping[str, Any], *, unchanged: Collection[str] = ()) -> dict[str, Any]:
    """Return members of a response as results show them: in snake case, datetimes as text.

    Args:
        members: The members.
        unchanged: Members whose own members keep their names, such as tags.
    """
    values = {member: to_iso8601(value) if isinstance(value, datetime) else value for member, value in members.items()}
    return camel_dict_to_snake_dict(values, ignore_list=unchanged)


def retry_delays(client: Any) -> list[float]:
    """Return the seconds to wait before each retry of an error that passes, but that botocore does not retry.

    There are as many attempts as botocore makes after other errors.
    """
    attempts = (client.meta.config.retries or {}).get("total_max_attempts", ATTEMPTS)
    return [min(_MIN_DELAY * 2**number, _MAX_DELAY) for number in range(attempts - 1)]


def endpoint_host(client: Any) -> str:
    """Return the host that the client calls, with its port if it has one."""
    return urlsplit(client.meta.endpoint_url).netloc.rpartition("@")[2].lower()


def identify_endpoint(client: Any) -> str:
    """Return which service the client calls: AWS's own, whatever its endpoint, or one of another host.

    With FIPS, dual stack or in a VPC, AWS's own has other hosts. ARNs say the partition and the region.
    """
    endpoint, region = endpoint_host(client), client.meta.region_name
    host = endpoint.partition(":")[0]
    prefix = client.meta.service_model.endpoint_prefix
    own = {f"{name}.{region}{domain}" for name in (prefix, f"{prefix}-fips") for domain in AWS_DOMAINS}
    private = tuple(f".{region}.vpce{domain}" for domain in AWS_DOMAINS)
    # Services of others have this in their names.
    is_private = host.endswith(private) and ".vpce-svc-" not in host
    return AWS if host in own or is_private else endpoint


def _event_name(client: Any) -> str:
    """Return the name of the client's service in botocore's events."""
    return client.meta.service_model.service_id.hyphenize()


class ServiceClock:
    """The time by the Date header of the service's first response; until then, by this machine's clock.

    A wrong local clock must not make an expired URL look valid.
    """

    def __init__(self, client: Any) -> None:
        # The service's time, and this machine's monotonic clock at that time. One value, since threads read it.
        self._observed: tuple[datetime, float] | None = None
        client.meta.events.register(f"after-call.{_event_name(client)}", self._observe)

    def now(self) -> datetime:
        """Return the time in UTC, in whole seconds."""
        return self.confirmed_now() or utc_now()

    def confirmed_now(self) -> datetime | None:
        """Return the service's time, never ahead of the service; None as long as it has not said any."""
        if self._observed is None:
            return None
        observed, observed_at = self._observed
        return (observed + timedelta(seconds=time.monotonic() - observed_at)).replace(microsecond=0)

    def _observe(self, http_response: Any, **_kwargs: Any) -> None:
        if self._observed is not None:
            return
        try:
            when = parsedate_to_datetime(http_response.headers["Date"])
            # A time in UTC that does not name the zone (-0000) has none here, and would be one of this machine.
            when = (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        self._observed = (when, time.monotonic())
