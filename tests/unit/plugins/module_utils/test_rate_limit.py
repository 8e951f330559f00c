# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import ClassVar

import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _rate_limit as rate_limit
from ansible_collections.labstream.aws.plugins.module_utils._rate_limit import (
    _Calculator,
    _Clock,
    _Clocker,
    build_rate_limiter,
    limit_rate,
)
from botocore.config import Config
from botocore.retries.throttling import CubicCalculator

BEGUN = 1000.0


def test_the_installed_botocore_has_the_parts():
    assert build_rate_limiter()


def test_there_is_no_limiter_where_botocores_parts_take_something_else(monkeypatch):
    monkeypatch.setattr(rate_limit, "ClientRateLimiter", lambda rate: None)
    assert build_rate_limiter() is None


class ChangedLimiter:
    """What a later botocore may have in place of ClientRateLimiter: it calls its parts by other signatures."""

    def __init__(self, *, rate_clocker, **_others):
        self._clocker = rate_clocker

    def on_sending_request(self, request, **_event):
        self._clocker.wait(request)

    def on_receiving_response(self, **_event):
        self._clocker.record(1, throttled=False)


class ChangedClocker:
    """The part that goes with it."""

    done: ClassVar[list[str]] = []

    def __init__(self, clock):
        pass

    def wait(self, request):
        self.done.append("wait")

    def record(self, amount, *, throttled):
        self.done.append("record")


@pytest.mark.parametrize(
    ("changed", "done"),
    [
        pytest.param({"RateClocker": ChangedClocker}, ["wait", "record"] * 3, id="botocore's own parts take over"),
        pytest.param({}, [], id="no part fits"),
    ],
)
def test_a_call_is_made_though_botocores_parts_have_other_signatures(monkeypatch, simulator, changed, done):
    monkeypatch.setattr(ChangedClocker, "done", [])
    for name, part in {"ClientRateLimiter": ChangedLimiter, **changed}.items():
        monkeypatch.setattr(rate_limit, name, part)
    simulator.seed_lab("course", "course-fleet")
    client = simulator.client("appstream", config=Config(retries={"mode": "standard", "total_max_attempts": 3}))
    limit_rate(client, build_rate_limiter())
    for _number in range(3):
        assert client.describe_stacks()["Stacks"]
    assert ChangedClocker.done == done


def test_a_bug_is_raised_and_does_not_slow_down_the_lab(monkeypatch, simulator):
    def record(_self):
        raise ZeroDivisionError

    monkeypatch.setattr(_Clocker, "record", record)
    client = simulator.client("appstream", config=Config(retries={"mode": "standard", "total_max_attempts": 1}))
    limit_rate(client, build_rate_limiter())
    with pytest.raises(ZeroDivisionError):
        client.describe_stacks()


def test_a_machine_whose_clock_is_set_back_does_not_wait_for_it(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert _Clock().current_time() == pytest.approx(time.monotonic(), abs=1)


class TestSlowingDown:
    @pytest.fixture
    def calculator(self):
        return _Calculator(starting_max_rate=0, start_time=BEGUN)

    def test_the_first_rejected_call_slows_down_as_botocore_does(self, calculator):
        botocores = CubicCalculator(starting_max_rate=0, start_time=BEGUN)
        assert calculator.error_received(20.0, BEGUN + 1) == botocores.error_received(20.0, BEGUN + 1) == 14.0

    def test_calls_that_are_rejected_with_it_slow_down_no_further(self, calculator):
        first = calculator.error_received(20.0, BEGUN + 1)
        rates = [calculator.error_received(20.0, BEGUN + 1 + later) for later in (0.0, 0.01, 0.2, 0.49)]
        assert all(first - 1e-9 <= rate < 20.0 for rate in rates)

    def test_a_call_that_is_rejected_later_slows_down_again(self, calculator):
        calculator.error_received(20.0, BEGUN + 1)
        assert calculator.error_received(14.0, BEGUN + 1.5) == pytest.approx(9.8)

    def test_without_rejected_calls_it_is_as_fast_again_after_some_seconds(self, calculator):
        calculator.error_received(20.0, BEGUN + 1)
        rates = [calculator.success_received(BEGUN + 1 + later) for later in (0.5, 1.0, 2.0, 3.0, 4.0)]
        assert rates == sorted(rates)
        assert rates[0] < 20.0 < rates[-1]


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        pytest.param([0.0], 1, id="the first call"),
        pytest.param([0.0, 0.01, 0.02, 0.03], 4, id="not less for a short time"),
        pytest.param([0.0, 0.5, 1.0], 3, id="of one second"),
        pytest.param([0.0, 0.5, 1.01, 1.2], 3, id="what is longer ago is over"),
        pytest.param([0.0, 60.0], 1, id="after a long rest"),
    ],
)
def test_the_rate_is_that_of_the_last_second(times, rate):
    clock = SimpleNamespace(now=0.0)
    clocker = _Clocker(SimpleNamespace(current_time=lambda: clock.now))
    for when in times:
        clock.now = when
        measured = clocker.record()
    assert measured == rate


def test_a_lab_is_served_at_the_pace_of_the_service_with_few_rejected_calls(simulator):
    simulator.seed_lab("course", "course-fleet")
    simulator.add_fault(service="appstream", throttle={"rate": 20, "burst": 20})
    simulator.add_fault(latency_seconds=0.1)
    retries = {"mode": "standard", "total_max_attempts": 10}
    client = simulator.client("appstream", config=Config(retries=retries, max_pool_connections=16))
    limit_rate(client, build_rate_limiter())

    def issue(number):
        return client.create_streaming_url(StackName="course", FleetName="course-fleet", UserId=f"learner-{number}")

    with ThreadPoolExecutor(16) as pool:
        issued = list(pool.map(issue, range(60)))

    assert len({reply["StreamingURL"] for reply in issued}) == 60
    calls = simulator.calls("CreateStreamingURL")
    assert 0 < sum(call["error_code"] == "ThrottlingException" for call in calls) < 25
    assert calls[-1]["finished"] - calls[0]["started"] < 3 * (60 - 20) / 20
