# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import botocore.session
import pytest
from ansible_collections.labstream.aws.plugins.module_utils import client as client_utils
from ansible_collections.labstream.aws.plugins.module_utils.client import ServiceClock, endpoint_host

DATE = "Sat, 21 Nov 2026 08:00:00 GMT"
TOLD = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


def botocore_client(service="appstream", endpoint_url=None):
    """A real client; nothing here makes it call anybody."""
    return botocore.session.Session().create_client(
        service,
        region_name="eu-central-1",
        endpoint_url=endpoint_url,
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )


@pytest.fixture(scope="module")
def client():
    return botocore_client()


@pytest.fixture
def machine(monkeypatch):
    """This machine's clocks, which the test moves: one that may be wrong, and one that only counts seconds."""
    clocks = SimpleNamespace(wall=datetime(2001, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC), seconds=5000.0)

    class Wall(datetime):
        @classmethod
        def now(cls, tz=None):
            return clocks.wall.astimezone(tz)

    monkeypatch.setattr(client_utils, "datetime", Wall)
    monkeypatch.setattr(client_utils.time, "monotonic", lambda: clocks.seconds)
    return clocks


def reply(client, operation="DescribeStacks", **headers):
    """What botocore tells its listeners when a reply has come."""
    client.meta.events.emit(
        f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}",
        http_response=SimpleNamespace(headers=headers, status_code=200),
        parsed={},
        model=None,
        context={},
    )


def test_until_the_first_reply_this_machine_tells_the_time(client, machine):
    clock = ServiceClock(client)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeFleets", "CreateStreamingURL"])
def test_a_reply_tells_the_time_however_wrong_this_machine_is(client, machine, operation):
    clock = ServiceClock(client)
    reply(client, operation, Date=DATE)
    assert clock.now() == TOLD
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(("passed", "seconds"), [(0.0, 0), (0.999, 0), (1.0, 1), (59.5, 59), (86400.0, 86400)])
def test_from_there_on_the_seconds_are_counted_and_rounded_down(client, machine, passed, seconds):
    # Given a service that has told the time.
    clock = ServiceClock(client)
    reply(client, Date=DATE)

    # When time passes and somebody sets this machine's clock.
    machine.seconds += passed
    machine.wall += timedelta(days=400)

    # Then it is that much later, and never ahead of the service.
    assert clock.now() == TOLD + timedelta(seconds=seconds)


def test_only_the_first_reply_counts(client, machine):
    """So time never goes back within a task, though replies arrive in any order."""
    clock = ServiceClock(client)
    reply(client, Date=DATE)
    machine.seconds += 10
    reply(client, Date="Sat, 21 Nov 2026 07:00:00 GMT")
    assert clock.now() == TOLD + timedelta(seconds=10)


@pytest.mark.parametrize(
    "headers", [{}, {"Date": ""}, {"Date": "soon"}, {"Date": None}, {"Date": "Sat, 99 Nov 2026 08:00:00 GMT"}]
)
def test_a_reply_without_a_readable_date_is_passed_over(client, machine, headers):
    clock = ServiceClock(client)
    reply(client, **headers)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)
    reply(client, Date=DATE)
    assert clock.now() == TOLD


def test_the_replies_of_another_service_tell_nothing(machine):
    appstream, sts = botocore_client(), botocore_client("sts")
    clock = ServiceClock(appstream)
    reply(sts, "GetCallerIdentity", Date=DATE)
    assert clock.now() == datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("endpoint_url", "host"),
    [
        (None, "appstream2.eu-central-1.amazonaws.com"),
        ("https://appstream2-fips.us-east-1.amazonaws.com", "appstream2-fips.us-east-1.amazonaws.com"),
        ("https://AppStream2.EU-Central-1.amazonaws.com/", "appstream2.eu-central-1.amazonaws.com"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://127.0.0.1:5000/path?query", "127.0.0.1:5000"),
        ("http://[::1]:5000", "[::1]:5000"),
        ("http://user:correct-horse@localhost:5000", "localhost:5000"),
    ],
)
def test_the_host_of_an_endpoint_is_a_part_of_the_scope_and_tells_no_password(endpoint_url, host):
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=endpoint_url)) if endpoint_url else botocore_client()
    assert endpoint_host(client) == host
