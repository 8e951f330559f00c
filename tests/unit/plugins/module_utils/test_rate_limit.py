# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import heapq
import random
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._rate_limit import CallRate, limit_rate
from botocore.config import Config

ATTEMPTS = 10
# In seconds of the model: botocore's delay before a first retry is below this, and doubles up to the second.
FIRST_DELAY, MAX_DELAY = 1.0, 20.0


class ThrottledLabs:
    """Labs at a service with a token bucket, in virtual time: threads, and retries as in botocore's standard mode.

    Each of the ``labs`` has its own rate of calls, and begins a while after the one before. During ``outage``, from a
    second to another, all calls are throttled. Threads wake up too late, by ``lateness`` seconds on average.
    """

    def __init__(
        self, rate, burst, learners, *, threads=16, latency=0.1, labs=1, outage=(0.0, 0.0), lateness=0.0, seed=0
    ):
        self.rate, self.burst, self.latency, self.outage, self.lateness = rate, burst, latency, outage, lateness
        self.tokens, self.filled_at = float(burst), 0.0
        self.threads, self.mean_latency = threads, 1.05 * latency
        self.rates = [CallRate() for _lab in range(labs)]
        self.to_begin = [deque((lab, number) for number in range(learners)) for lab in range(labs)]
        self.waiting = [deque() for _lab in range(labs)]
        self.attempts = {}
        self.accepted = self.rejected = self.failed = 0
        self.random, self.events, self.order = random.Random(burst + seed), [], count()
        for lab in range(labs):
            for _thread in range(threads):
                self.begin(lab * 0.7, lab)
        self.now = 0.0
        while self.events:
            self.now, _order, happen, *details = heapq.heappop(self.events)
            happen(self.now, *details)

    @property
    def share_rejected(self):
        return self.rejected / (self.rejected + self.accepted)

    def at(self, when, happen, *details):
        heapq.heappush(self.events, (when, next(self.order), happen, *details))

    def begin(self, now, lab):
        if self.to_begin[lab]:
            self.at(now, self.queue, self.to_begin[lab].popleft())

    def queue(self, now, learner):
        lab, _number = learner
        self.waiting[lab].append(learner)
        if len(self.waiting[lab]) == 1:
            self.send(now, lab)

    def send(self, now, lab):
        """Send the first that waits, and look again when the next one may be sent."""
        while self.waiting[lab]:
            delay = self.rates[lab].send(now)
            if delay:
                late = self.random.expovariate(1 / self.lateness) if self.lateness else 0
                self.at(now + min(delay, 0.2) + late, self.send, lab)
                return
            learner = self.waiting[lab].popleft()
            self.attempts[learner] = self.attempts.get(learner, 0) + 1
            self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
            self.filled_at = now
            begin, end = self.outage
            is_accepted = self.tokens >= 1 and not begin <= now < end
            self.tokens -= is_accepted
            self.at(now + self.latency * self.random.uniform(1, 1.1), self.reply, learner, is_accepted)

    def reply(self, now, learner, is_accepted):
        lab, _number = learner
        if is_accepted:
            self.accepted += 1
            self.rates[lab].accept(now)
            self.begin(now, lab)
            return
        self.rejected += 1
        self.rates[lab].throttle(now)
        if self.attempts[learner] == ATTEMPTS:
            self.failed += 1
            self.begin(now, lab)
        else:
            longest = min(FIRST_DELAY * 2 ** (self.attempts[learner] - 1), MAX_DELAY)
            self.at(now + self.random.uniform(0, longest), self.queue, learner)


@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("burst", [10, 20, 100, 200])
@pytest.mark.parametrize(("rate", "learners"), [(5, 500), (20, 1000), (50, 2500)])
def test_at_any_bucket_everybody_is_served_in_time_with_few_rejected_calls(rate, learners, burst, latency):
    lab = ThrottledLabs(rate, burst, learners, latency=latency)
    assert lab.failed == 0
    assert lab.accepted == learners
    assert lab.now < 1.05 * max((learners - burst) / rate, learners * lab.mean_latency / lab.threads)
    assert lab.share_rejected <= 0.05


@pytest.mark.parametrize("burst", [10, 20])
@pytest.mark.parametrize(("rate", "learners"), [(5, 500), (20, 1000), (50, 2500)])
def test_a_busy_machine_makes_up_for_calls_that_it_sends_late(rate, learners, burst):
    lab = ThrottledLabs(rate, burst, learners, lateness=0.02)
    assert lab.failed == 0
    assert lab.now < 1.05 * (learners - burst) / rate
    assert lab.share_rejected <= 0.05


@pytest.mark.parametrize("rate", [0.2, 0.5, 1])
def test_a_service_that_allows_a_call_every_few_seconds_serves_everybody(rate):
    lab = ThrottledLabs(rate, 10, 30)
    assert lab.failed == 0
    assert lab.now < 1.1 * (30 - 10) / rate


@pytest.mark.parametrize("seconds", [1.2, 3, 10, 30])
@pytest.mark.parametrize("begin", [0, 2])
def test_a_lab_goes_on_soon_after_an_outage(begin, seconds):
    lab = ThrottledLabs(50, 50, 500, outage=(begin, begin + seconds))
    assert lab.failed == 0
    assert lab.now < (500 - 50) / 50 + seconds + 6


@pytest.mark.parametrize(("labs", "learners"), [(2, 300), (3, 200), (5, 120), (10, 60)])
def test_labs_that_share_a_bucket_leave_little_of_it_unused(labs, learners):
    runs = [ThrottledLabs(20, 20, learners, labs=labs, seed=seed) for seed in range(5)]
    assert sum(run.failed for run in runs) == 0
    assert sum(run.now for run in runs) / 5 < 1.5 * (600 - 20) / 20


class TestCallRate:
    @pytest.fixture
    def call_rate(self):
        return CallRate()

    @staticmethod
    def count_sent(call_rate, begin, end):
        """The calls that are sent, and accepted at once, by somebody who always waits for the next."""
        now, sent = begin, 0
        while now < end:
            delay = call_rate.send(now)
            if not delay:
                sent += 1
                call_rate.accept(now)
            now += delay
        return sent

    def test_calls_do_not_wait_until_one_is_throttled(self, call_rate):
        assert [call_rate.send(0.0) for _number in range(1000)] == [0.0] * 1000

    def test_after_that_it_begins_slowly_and_doubles(self, call_rate):
        call_rate.throttle(100.0)
        seconds = [self.count_sent(call_rate, 100.0 + second, 101.0 + second) for second in range(3)]
        assert seconds[0] < 15
        assert seconds[1] == pytest.approx(4 * seconds[0], rel=0.2)
        assert seconds[2] == pytest.approx(4 * seconds[1], rel=0.2)

    def test_calls_that_are_throttled_together_slow_down_once(self, call_rate):
        call_rate.throttle(100.0)
        for later in (0.01, 0.2, 0.49):
            call_rate.throttle(100.0 + later)
        assert self.count_sent(call_rate, 100.5, 101.5) > 20

    def test_it_stays_below_what_was_accepted_then_goes_above_it_ever_faster(self, call_rate):
        call_rate.throttle(100.0)
        self.count_sent(call_rate, 100.0, 102.0)
        for tenth in range(10):
            call_rate.send(102.05 + tenth / 10)
            call_rate.accept(102.05 + tenth / 10)
        call_rate.throttle(103.0)
        seconds = [self.count_sent(call_rate, 103.0 + second, 104.0 + second) for second in range(24)]
        assert 8 <= seconds[0] <= 9
        assert 9 <= seconds[8] <= 11
        assert sum(seconds[:10]) == pytest.approx(95, abs=2)
        assert seconds[18] == pytest.approx(2 * seconds[14], rel=0.2)
        assert seconds[22] == pytest.approx(4 * seconds[14], rel=0.2)

    def test_a_service_that_accepts_nothing_is_called_ever_less_often(self, call_rate):
        call_rate.throttle(100.0)
        seconds, now = [], 100.5
        while now < 160:
            delay = call_rate.send(now)
            if not delay:
                seconds.append(now)
                call_rate.throttle(now + 0.1)
            now += delay or 0.1
        assert sum(now < 105 for now in seconds) > sum(150 < now < 155 for now in seconds) > 0

    def test_an_hour_without_throttled_calls_is_no_error(self, call_rate):
        call_rate.throttle(100.0)
        assert call_rate.send(3700.0) == 0.0


@pytest.mark.parametrize(
    ("error", "is_throttled"),
    [
        ({"code": "ThrottlingException"}, True),
        ({"code": "RequestThrottledException"}, True),
        ({"code": "TooManyRequestsException"}, True),
        ({"code": "ProvisionedThroughputExceededException"}, True),
        ({"code": "Unknown", "status": 429}, True),
        ({"code": "LimitExceededException"}, False),
        ({"code": "InternalServerException", "status": 500}, False),
    ],
)
def test_a_client_slows_down_once_a_call_is_throttled(simulator, monkeypatch, error, is_throttled):
    seen = []
    monkeypatch.setattr(CallRate, "throttle", lambda _self, _now: seen.append(True))
    monkeypatch.setattr(CallRate, "accept", lambda _self, _now: seen.append(False))
    simulator.add_fault(service="appstream", error=error, times=1)
    client = simulator.client("appstream", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    limit_rate(client)
    try:
        client.describe_stacks()
    except client.exceptions.ClientError:
        pass
    assert seen[0] is is_throttled
    assert not any(seen[1:])


def test_a_dropped_connection_says_nothing_about_the_rate(simulator, monkeypatch):
    monkeypatch.setattr(CallRate, "throttle", pytest.fail)
    simulator.add_fault(service="appstream", drop="before", times=1)
    client = simulator.client("appstream", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    limit_rate(client)
    client.describe_stacks()


def test_a_lab_is_served_at_the_rate_of_the_service_with_few_rejected_calls(simulator):
    simulator.seed_lab("course", "course-fleet")
    simulator.add_fault(service="appstream", throttle={"rate": 20, "burst": 20})
    simulator.add_fault(latency_seconds=0.1)
    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    client = simulator.client("appstream", config=Config(retries=retries, max_pool_connections=16))
    limit_rate(client)

    def issue(number):
        return client.create_streaming_url(StackName="course", FleetName="course-fleet", UserId=f"learner-{number}")

    with ThreadPoolExecutor(16) as pool:
        issued = list(pool.map(issue, range(60)))

    assert len({reply["StreamingURL"] for reply in issued}) == 60
    calls = simulator.calls("CreateStreamingURL")
    assert 0 < sum(call["error_code"] == "ThrottlingException" for call in calls) < 25
    assert calls[-1]["finished"] - calls[0]["started"] < 3 * (60 - 20) / 20
