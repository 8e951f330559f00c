# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's state machine over the stream URLs of GameLift Streams: a step is a call to a client without a network.

Beyond what the engine promises for any service, there is one ACTIVE stream URL in the end.
"""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.ending import UrlEnder
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import GroupUrls, UrlSettings
from ansible_collections.labstream.aws.plugins.module_utils._leases import resource_issuer
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.unit.plugins.module_utils._gamelift.fake_group import GROUP, FakeGroup, Paginator
from tests.unit.plugins.module_utils._leases.fake_studio import UNLIMITED
from tests.unit.plugins.module_utils._leases.test_resource_issuer_model import KEY, SETTINGS, Schedules

LAB = "monday"
URL_SETTINGS = UrlSettings("a-lab", ["eu-central-1"], usage_limit=5, min_remaining_uses=2)
# With any of these, several stream URLs may be ACTIVE for a while.
AMBIGUOUS = ({"other options"}, {"releases"}, {"losses"})


class StoppingClient:
    """The client of a run, which stops before every call."""

    def __init__(self, run):
        self._run, self._group = run, run.machine.service

    def create_stream_url(self, **request):
        return self._run.call("create", lambda: self._group.create_stream_url(**request))

    def get_stream_url(self, **request):
        return self._run.call("get", lambda: self._group.get_stream_url(**request))

    def revoke_stream_url(self, **request):
        return self._run.call("revoke", lambda: self._group.revoke_stream_url(**request))

    def get_paginator(self, _operation):
        return Paginator(lambda status: self._run.call("list", lambda: self._group.list_stream_urls(status)))


class NotedUrls(GroupUrls):
    """The service and directory of a run, which notes what it has found."""

    def find(self, key):
        found = super().find(key)
        return self.run.noted(found) if found else None


class StreamUrlSchedules(Schedules):
    """Schedules of runs for one learner of a stream group."""

    feature_sets = (
        {"kills", "lost replies"},
        {"kills", "lost replies", "jumps"},
        {"kills", "lost replies", "deaths", "uses"},
        {"uses", "deaths", "jumps"},
        {"forces"},
        {"forces", "kills", "lost replies"},
        {"forces", "other options", "jumps", "uses"},
        {"releases", "kills", "lost replies", "forces"},
        {"losses", "kills", "lost replies", "uses"},
        {"losses", "jumps"},
        {"kills", "lost replies", "forces", "other options", "releases", "deaths", "jumps", "uses"},
    )
    ends = (("REVOKED", "userRevoked"), ("LIMIT_REACHED", None), ("REVOKED", "streamGroupDeleted"), (None, None))

    def build_service(self, window, ready_after, returns_expiry):
        return FakeGroup(self.clock, window=window)

    def new_service(self, run):
        urls = NotedUrls(
            listing=Listing(StoppingClient(run), GROUP, ACTIVE),
            settings=URL_SETTINGS,
            policy=run.policy,
            now=self.clock.now,
            lab=LAB,
            recovers=run.options.get("recover", False),
        )
        urls.run = run
        return urls, urls

    def get_resources(self):
        return list(self.service.issued)

    def get_token(self, resource_id):
        return self.service.issued[resource_id].token

    def let_be_ready(self):
        pass

    def end_released(self, lease):
        ender = UrlEnder(
            listing=Listing(self.service, GROUP, ACTIVE),
            terminate_sessions=False,
            lab=LAB,
            find_labs=dict,
            now=self.clock.now,
            concurrency=1,
        )
        assert list(ender.end({KEY}, [lease])) == [lease]

    @precondition(lambda self: "uses" in self.features and self.get_resources())
    @rule(number=st.integers(0, 9), times=st.integers(1, 4))
    def stream_url_is_opened(self, number, times):
        resources = self.get_resources()
        for _time in range(times):
            self.service.open(resources[number % len(resources)])

    @precondition(lambda self: "losses" in self.features)
    @rule()
    def store_is_lost(self):
        self.store.leases = {}

    def check_end(self):
        super().check_end()
        assert self.runs[-1].stream_id in self.service.active, "What is returned works."
        if self.window == UNLIMITED and not any(features <= self.features for features in AMBIGUOUS):
            assert len(self.service.active) == 1, "However often runs force or are killed, one stream URL is ACTIVE."
        forced = self.finish(self.start(force=True))
        assert self.service.active == [forced.stream_id], "A forced run ends all others, also if a reply was lost."
        self.store.release(list(self.store.leases.values()))
        left = self.finish(self.start())
        assert self.service.active == [left.stream_id], "A run ends what an interrupted release has left."
        self.store.release(list(self.store.leases.values()))
        self.end_released(self.store.leases[KEY])
        assert self.service.active == [], "A release ends the stream URL."
        last = self.finish(self.start())
        assert self.service.active == [last.stream_id], "A run after a release creates another one."
        self.store.leases = {}
        predicted, run = (self.finish(self.start(recover=True, check_mode=check)) for check in (True, False))
        for found in (predicted, run):
            assert (found.stream_id, found.outcome.recovered) == (last.stream_id, True), "A lost one is found again."
        again = self.finish(self.start())
        assert (again.stream_id, again.creates, again.outcome.recovered) == (last.stream_id, 0, False), "And is stored."


def test_in_all_schedules_one_stream_url_is_left():
    run_state_machine_as_test(StreamUrlSchedules, settings=SETTINGS)


def _skip(*_arguments):
    return
    yield


def test_an_engine_that_ends_nothing_breaks_a_rule(monkeypatch):
    """Otherwise this test could not fail."""
    monkeypatch.setattr(resource_issuer._Run, "_retire", _skip)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(StreamUrlSchedules, settings=settings(SETTINGS, max_examples=1000))
