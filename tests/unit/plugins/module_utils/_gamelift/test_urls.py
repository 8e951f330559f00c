# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stream URLs as resources of leases: the real service and directory over a client without a network."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import api
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.descriptions import build_description
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.ending import UrlEnder
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.errors import AnsibleGameLiftStreamsError
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE, describe_status
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import GroupUrls, UrlSettings, build_scope
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.validation import Resolution
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    Lease,
    LeaseKey,
    ResourceGrant,
    parse_purpose,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Write

from tests.unit.plugins.module_utils._gamelift.fake_group import GROUP, SECRET, FakeGroup
from tests.unit.plugins.module_utils._leases.fake_studio import Clock
from tests.unit.plugins.module_utils.support import (
    NOW,
    MemoryStore,
    after,
    build_key,
    pending_lease_of,
    release,
    resource_lease_of,
)

LAB, ANNA, BEN = "monday", build_key("anna"), build_key("ben")
HOUR, DAY = 3600, 24 * 3600
POLICY = ReusePolicy(10 * DAY, validity=HOUR, granularity=60)
SETTINGS = UrlSettings("a-lab", ["eu-central-1"], usage_limit=5, min_remaining_uses=2)
ALL_SETTINGS = replace(
    SETTINGS,
    launch_args=["--scene", "bridge"],
    environment={"B": "2", "A": "1"},
    role_arn="arn:aws:iam::123456789012:role/lab",
    resolution=Resolution(1280, 720),
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def group(clock):
    return FakeGroup(clock)


@pytest.fixture
def store(clock):
    return MemoryStore(clock.now)


def urls_of(group, *, settings=SETTINGS, policy=POLICY, check_mode=False, **options):
    """The service and directory of a run."""
    listing = Listing(group, GROUP, ACTIVE, predicts=check_mode)
    return GroupUrls(listing, settings, policy, group.clock.now, LAB, **options)


def run(store, group, *keys, urls=None, check_mode=False, force=False, policy=POLICY, **options):
    """The outcomes of a run, and its service."""
    urls = urls or urls_of(group, policy=policy, check_mode=check_mode, **options)
    issuer = ResourceIssuer(
        store=store, service=urls, now=group.clock.now, policy=policy, concurrency=1, force=force, directory=urls
    )
    keys = keys or (ANNA,)
    return issuer.run(keys, store.read(keys), check_mode), urls


def count(group, calls_before=0):
    return {name: group.calls[calls_before:].count(name) for name in sorted(set(group.calls[calls_before:]))}


def add(group, *, key=ANNA, **request):
    """Create a stream URL of the lab's learner, of which the store knows nothing."""
    return group.add(build_description(LAB, key), **request)


# Tokens that other labs use


def test_a_token_that_a_lab_has_used_which_began_meanwhile_gives_its_stream_url(store, group):
    pending = pending_lease_of(ANNA, issued=NOW)
    store.write([Write(pending, None)])
    request = {**SETTINGS.to_parameters(60), "Identifier": GROUP, "Description": build_description("tuesday", ANNA)}
    created = group.create_stream_url(ClientToken=pending.client_token, **request)
    known = iter([{}, {ANNA: {"tuesday"}}])

    [outcome], _urls = run(store, group, find_labs=lambda: next(known))

    assert outcome.failure is None
    assert (outcome.lease.resource_id, list(group.issued)) == (created["StreamUrlId"], [created["StreamUrlId"]])


def test_a_token_that_nobody_known_has_used_so_is_replaced(store, group):
    pending = pending_lease_of(ANNA, issued=NOW)
    store.write([Write(pending, None)])
    request = {**SETTINGS.to_parameters(60), "Identifier": GROUP, "Description": "another"}
    group.create_stream_url(ClientToken=pending.client_token, **request)

    [outcome], _urls = run(store, group)

    assert (outcome.failure, outcome.issued, len(group.issued)) == (None, True, 2)


# What stream URLs are created with


def test_a_stream_url_is_created_with_all_settings(store, group):
    [outcome], _urls = run(store, group, settings=ALL_SETTINGS)
    [issued] = group.issued.values()
    assert issued.request == {
        "Identifier": GROUP,
        "ApplicationIdentifier": "a-lab",
        "Protocol": "WebRTC",
        "UrlExpiresAfterMinutes": 60,
        "UsageLimit": 5,
        "Locations": ["eu-central-1"],
        "SessionLengthSeconds": HOUR,
        "AdditionalLaunchArgs": ["--scene", "bridge"],
        "AdditionalEnvironmentVariables": {"A": "1", "B": "2"},
        "RoleArn": "arn:aws:iam::123456789012:role/lab",
        "DisplayConfiguration": {"Resolution": {"Width": 1280, "Height": 720}},
        "Description": build_description(LAB, ANNA),
    }
    assert (outcome.issued, outcome.lease.resource_id, outcome.lease.expires) == (True, "su-1", after(HOUR))
    assert SECRET not in repr(outcome)
    assert SECRET not in repr(store.leases)


def test_what_is_not_given_is_not_sent(store, group):
    run(store, group)
    [issued] = group.issued.values()
    optional = {"AdditionalLaunchArgs", "AdditionalEnvironmentVariables", "RoleArn", "DisplayConfiguration"}
    assert not optional & issued.request.keys()


@pytest.mark.parametrize(
    ("policy", "given", "minutes", "length"),
    [
        pytest.param(ReusePolicy(10 * DAY, validity=60), None, 1, 60, id="a minute"),
        pytest.param(ReusePolicy(10 * DAY, validity=2 * DAY), None, 2880, DAY, id="longer than a session can be"),
        pytest.param(ReusePolicy(10 * DAY, validity=60), 7200, 1, 7200, id="a session that is longer than the URL"),
        pytest.param(ReusePolicy(10 * DAY, valid_until=after(600), granularity=60), None, 11, 660, id="until"),
        pytest.param(ReusePolicy(10 * DAY, valid_until=after(595), granularity=60), None, 10, 600, id="whole minutes"),
    ],
)
def test_sessions_can_be_as_long_as_the_url_is_valid_unless_given(store, group, policy, given, minutes, length):
    run(store, group, policy=policy, settings=replace(SETTINGS, session_length=given))
    [issued] = group.issued.values()
    assert (issued.request["UrlExpiresAfterMinutes"], issued.request["SessionLengthSeconds"]) == (minutes, length)


def test_the_token_has_32_hexadecimal_digits(store, group):
    run(store, group)
    [issued] = group.issued.values()
    assert len(issued.token) == 32
    int(issued.token, 16)


def test_what_a_url_opens_is_its_purpose():
    assert parse_purpose(ALL_SETTINGS.build_purpose(1)) == {
        "application": "a-lab",
        "locations": '["eu-central-1"]',
        "launch_args": '["--scene", "bridge"]',
        "environment": '{"A": "1", "B": "2"}',
        "role_arn": "arn:aws:iam::123456789012:role/lab",
        "resolution": "1280x720",
        "generation": "1",
    }
    changes = [
        {"application": "a-2"},
        {"locations": ["eu-central-1", "b"]},
        {"launch_args": ["x"]},
        {"environment": {"A": "1"}},
        {"role_arn": "arn:aws:iam::123456789012:role/other"},
        {"resolution": Resolution(1280, 721)},
    ]
    purposes = {replace(ALL_SETTINGS, **change).build_purpose() for change in changes}
    assert len({*purposes, ALL_SETTINGS.build_purpose(), ALL_SETTINGS.build_purpose(1)}) == 8
    others = replace(ALL_SETTINGS, usage_limit=9, min_remaining_uses=1, session_length=60)
    assert others.build_purpose() == ALL_SETTINGS.build_purpose()


# Verifying before reuse


def test_up_to_20_leases_are_looked_up_one_by_one_and_more_are_listed_once(store, group):
    keys = [build_key(f"learner-{number}") for number in range(21)]
    run(store, group, *keys)

    before = len(group.calls)
    outcomes, _urls = run(store, group, *keys[:20])
    assert count(group, before) == {"GetStreamUrl": 20}
    before = len(group.calls)
    outcomes, _urls = run(store, group, *keys)
    assert count(group, before) == {"ListStreamUrls": 1}
    assert not any(outcome.issued for outcome in outcomes)


def test_those_that_are_not_listed_are_looked_up(store, group):
    keys = [build_key(f"learner-{number}") for number in range(30)]
    run(store, group, *keys)
    group.end("su-1", "REVOKED", "userRevoked")

    before = len(group.calls)
    outcomes, _urls = run(store, group, *keys)

    assert count(group, before) == {"CreateStreamUrl": 1, "GetStreamUrl": 1, "ListStreamUrls": 1}
    [replaced] = [outcome for outcome in outcomes if outcome.issued]
    assert replaced.reason == (
        f"Stream URL 'su-1' of learner {replaced.key.holder!r} is REVOKED (userRevoked: somebody revoked it)"
    )


def test_without_the_permission_to_list_all_are_looked_up(store, group):
    keys = [build_key(f"learner-{number}") for number in range(30)]
    run(store, group, *keys)
    group.denied.add("ListStreamUrls")

    before = len(group.calls)
    outcomes, urls = run(store, group, *keys)

    assert count(group, before) == {"GetStreamUrl": 30, "ListStreamUrls": 1}
    assert not any(outcome.issued or outcome.failure for outcome in outcomes)
    assert "not authorized to perform gameliftstreams:ListStreamUrls" in str(urls.listing.denial)
    assert 'allow this action on all resources ("*")' in str(urls.listing.denial)


ENDS = [
    (("REVOKED", "userRevoked"), "is REVOKED (userRevoked: somebody revoked it)"),
    (
        ("REVOKED", "revokedAndTerminatingSessions"),
        "is REVOKED (revokedAndTerminatingSessions: somebody revoked it, and its sessions are being terminated)",
    ),
    (
        ("REVOKED", "revokedAndSessionsTerminated"),
        "is REVOKED (revokedAndSessionsTerminated: somebody revoked it, and its sessions were terminated)",
    ),
    (("REVOKED", "streamGroupDeleted"), "is REVOKED (streamGroupDeleted: its stream group was deleted)"),
    (("REVOKED", "applicationDeleted"), "is REVOKED (applicationDeleted: its application was deleted)"),
    (("EXPIRED", None), "is EXPIRED (its time is over)"),
    (("LIMIT_REACHED", None), "is LIMIT_REACHED (all of its uses are gone)"),
    ((None, None), "no longer exists"),
]


@pytest.mark.parametrize(("end", "problem"), ENDS)
def test_a_stream_url_that_does_not_work_any_more_is_replaced_and_said(store, group, end, problem):
    run(store, group)
    group.end("su-1", *end)

    [predicted], _urls = run(store, group, check_mode=True)
    [outcome], _urls = run(store, group)

    for each in (predicted, outcome):
        assert (each.issued, each.reason) == (True, f"Stream URL 'su-1' of learner 'anna' {problem}")
    assert group.active == ["su-2"] == [store.leases[ANNA].resource_id]
    assert group.calls.count("RevokeStreamUrl") == 0


@pytest.mark.parametrize(
    ("settings", "uses", "problem"),
    [
        ({}, 4, "is ACTIVE with 1 of 5 uses left, and min_remaining_uses is 2"),
        ({"min_remaining_uses": 5}, 1, "is ACTIVE with 4 of 5 uses left, and min_remaining_uses is 5"),
        ({"usage_limit": 3}, 0, "is ACTIVE with usage_limit 5 instead of 3"),
        ({"session_length": 600}, 0, "is ACTIVE with session_length 3600 instead of 600"),
    ],
)
def test_a_stream_url_that_is_not_as_asked_is_revoked_and_its_session_goes_on(store, group, settings, uses, problem):
    run(store, group)
    for _use in range(uses):
        group.open("su-1")

    [outcome], urls = run(store, group, settings=replace(SETTINGS, **settings))

    assert (outcome.issued, outcome.reason) == (True, f"Stream URL 'su-1' of learner 'anna' {problem}")
    assert (group.active, urls.listing.revoked) == (["su-2"], ["su-1"])
    assert group.issued["su-1"].sessions == ["CONNECTED"] * uses


@pytest.mark.parametrize("uses", [0, 3])
def test_a_stream_url_with_enough_uses_is_reused(store, group, uses):
    run(store, group)
    for _use in range(uses):
        group.open("su-1")
    [outcome], _urls = run(store, group)
    assert (outcome.issued, outcome.resource.stream_url.sessions, outcome.resource.stream_url.remaining_uses) == (
        False,
        uses,
        5 - uses,
    )


def test_a_stream_url_whose_time_is_nearly_over_is_revoked_when_it_is_replaced(store, group, clock):
    run(store, group)
    clock.passed = HOUR - 60
    [outcome], _urls = run(store, group)
    assert (outcome.issued, outcome.reason, group.active) == (True, None, ["su-2"])


# Tokens


def test_the_reply_to_a_token_that_was_used_before_is_verified(store, group):
    # Given a run that was killed before it could store its stream URL, which somebody has revoked since.
    pending = pending_lease_of(ANNA, client_token="f" * 32)
    urls_of(group).create(pending)
    store.leases[ANNA] = pending
    group.end("su-1", "REVOKED", "userRevoked")

    [outcome], _urls = run(store, group)

    assert (outcome.issued, outcome.lease.resource_id, group.active) == (True, "su-2", ["su-2"])


@pytest.mark.parametrize("age", [0, 600])
def test_a_token_is_used_again_for_ten_minutes(store, group, clock, age):
    pending = pending_lease_of(ANNA)
    urls_of(group).create(pending)
    store.leases[ANNA] = pending
    clock.passed = age

    [outcome], _urls = run(store, group)

    assert (outcome.lease.resource_id, group.active) == ("su-1", ["su-1"])
    assert count(group) == {"CreateStreamUrl": 2, "GetStreamUrl": 1}


def test_an_older_token_is_used_again_only_if_its_stream_url_is_not_listed(clock):
    for is_lost in (False, True):
        # Given a service that forgets tokens after five minutes.
        group, store = FakeGroup(clock, window=300), MemoryStore(clock.now)
        pending = pending_lease_of(ANNA, issued=clock.now(), expires=clock.passed + DAY)
        store.leases[ANNA] = pending
        if not is_lost:
            urls_of(group).create(pending)
        clock.passed += 601

        before = len(group.calls)
        [outcome], _urls = run(store, group)

        assert (outcome.lease.resource_id, group.active) == ("su-1", ["su-1"])
        found = {"GetStreamUrl": 1, "ListStreamUrls": 1}
        assert count(group, before) == ({"CreateStreamUrl": 1, **found} if is_lost else found)


def test_runs_that_share_a_token_make_the_same_request(store, group, clock):
    """Though the time that is left has become less, and the service would reject another request for the token."""
    policy = ReusePolicy(10 * DAY, valid_until=after(HOUR), granularity=60)
    pending = pending_lease_of(ANNA, validity=None)
    store.leases[ANNA] = pending
    urls_of(group, policy=policy).create(pending)
    clock.passed = 180

    [outcome], _urls = run(store, group, policy=policy)

    assert (outcome.lease.resource_id, len(group.issued)) == ("su-1", 1)


def test_a_token_with_other_parameters_gives_what_was_created_if_that_is_as_asked(store, group):
    pending = pending_lease_of(ANNA)
    store.leases[ANNA] = pending
    urls_of(group, settings=replace(SETTINGS, session_length=HOUR)).create(pending)
    group.issued["su-1"].request["SessionLengthSeconds"] = 7200
    group._by_token[pending.client_token][1]["SessionLengthSeconds"] = 7200

    [outcome], _urls = run(store, group)

    assert (outcome.lease.resource_id, len(group.issued)) == ("su-1", 1)


def test_a_token_with_other_parameters_is_given_up_if_what_was_created_is_not_as_asked(store, group):
    pending = pending_lease_of(ANNA)
    store.leases[ANNA] = pending
    urls_of(group, settings=replace(SETTINGS, usage_limit=3)).create(pending)

    [outcome], urls = run(store, group)

    assert (outcome.lease.resource_id, group.active, urls.listing.revoked) == ("su-2", ["su-2"], ["su-1"])


# Force


def test_force_ends_the_previous_stream_url_and_those_whose_reply_was_lost(store, group):
    run(store, group, ANNA)
    run(store, group, BEN)
    lost = add(group)

    [outcome], urls = run(store, group, force=True)

    assert (outcome.issued, outcome.lease.resource_id) == (True, "su-4")
    assert sorted(urls.listing.revoked) == ["su-1", lost]
    assert group.active == ["su-2", "su-4"]


STORE_CALLS = ("read", "write")
SERVICE_CALLS = ("create_stream_url", "get_stream_url", "list_stream_urls", "revoke_stream_url")


class Killed(Exception):
    """The run was killed."""


def die(*_args, **_kwargs):
    raise Killed


def interrupt(store, group, number, meanwhile):
    """Do this before the call with this number to the store or the service, with the name of what is called."""
    numbers = itertools.count(1)

    def interrupt_at(target, name):
        function = getattr(target, name)

        def call(*args, **kwargs):
            if next(numbers) == number:
                meanwhile(name)
            return function(*args, **kwargs)

        setattr(target, name, call)

    for name in STORE_CALLS:
        interrupt_at(store, name)
    for name in SERVICE_CALLS:
        interrupt_at(group, name)


@pytest.mark.parametrize("has_leases", [True, False])
@pytest.mark.parametrize("force", [True, False])
def test_beside_another_run_a_forced_one_leaves_one_stream_url_which_the_next_run_returns(clock, force, has_leases):
    for number in itertools.count(1):
        store, group, others = MemoryStore(clock.now), FakeGroup(clock), {}
        if has_leases:
            run(store, group, ANNA, BEN)
        before = group.active

        def run_other(name, store=store, group=group, others=others):
            others[name] = run(store, group, ANNA, BEN, force=force)

        interrupt(store, group, number, run_other)
        outcomes, _urls = run(store, group, ANNA, BEN, force=True)

        if not others:
            break
        for outcome in outcomes:
            if outcome.failure:
                assert (outcome.failure.code, outcome.lease) == ("LeaseConflict", None)
                assert outcome.failure.message == (
                    f"Stream URL {outcome.resource.resource_id!r} of learner {outcome.key.holder!r} was replaced by "
                    "another run with force at the same time: run again without force, which returns the one that is "
                    "stored."
                )
            else:
                # The other run may begin once this one has looked up for the last time.
                assert outcome.issued
                assert outcome.lease.resource_id in group.active or "get_stream_url" in others
        assert not set(before) & set(group.active)
        again, _urls = run(store, group, ANNA, BEN)
        assert sorted(outcome.lease.resource_id for outcome in again) == sorted(group.active)
    assert number > 8


@pytest.mark.parametrize("force", [True, False])
def test_a_run_that_is_killed_beside_a_forced_one_leaves_no_stream_url_behind(clock, force):
    # A forced run happens at a call of another, which is killed right after this call.
    for number in itertools.count(1):
        store, group, forced = MemoryStore(clock.now), FakeGroup(clock), []
        if force:
            run(store, group)

        def run_other(name, store=store, group=group, forced=forced):
            forced.extend(run(store, group, force=True)[0])
            for target, names in ((store, STORE_CALLS), (group, SERVICE_CALLS)):
                vars(target).update(dict.fromkeys(names, die))

        interrupt(store, group, number, run_other)
        with suppress(Killed):
            run(store, group, force=force)
        if not forced:
            break
        for target, names in ((store, STORE_CALLS), (group, SERVICE_CALLS)):
            for name in names:
                del vars(target)[name]
        [outcome], _urls = run(store, group)
        assert (number, group.active) == (number, [outcome.lease.resource_id])
    assert number > 3


def test_a_run_that_another_forced_run_has_replaced_fails_and_the_next_one_returns_what_is_stored(store, group):
    def get_stream_url(get=group.get_stream_url, **request):
        group.get_stream_url = get
        run(store, group, force=True)
        return get(**request)

    group.get_stream_url = get_stream_url
    [outcome], _urls = run(store, group, force=True)
    [again], _urls = run(store, group)

    assert (outcome.failure.code, outcome.issued) == ("LeaseConflict", True)
    assert [again.lease.resource_id] == group.active


def test_force_without_the_permission_to_list_ends_the_previous_stream_url(store, group):
    run(store, group)
    group.denied.add("ListStreamUrls")
    [outcome], urls = run(store, group, force=True)
    assert (outcome.issued, group.active, bool(urls.listing.denial)) == (True, ["su-2"], True)


def test_without_the_permission_to_revoke_nothing_is_created(store, group):
    run(store, group)
    group.denied.add("RevokeStreamUrl")
    [outcome], _urls = run(store, group, force=True)
    assert "gameliftstreams:RevokeStreamUrl" in outcome.failure.message
    assert group.active == ["su-1"]


# Recovery


def test_a_lost_lease_is_recovered_and_the_store_has_it_again(store, group):
    run(store, group, settings=ALL_SETTINGS)
    store.leases = {}

    [predicted], _urls = run(store, group, recovers=True, check_mode=True, settings=ALL_SETTINGS)
    assert store.leases == {}
    [outcome], _urls = run(store, group, recovers=True, settings=ALL_SETTINGS)
    before = len(group.calls)
    [again], _urls = run(store, group, settings=ALL_SETTINGS)

    for each in (predicted, outcome):
        assert (each.recovered, each.issued, each.lease.resource_id) == (True, False, "su-1")
        assert each.resource.stream_url.url.endswith(f"{SECRET}-su-1")
    assert (again.recovered, again.issued, again.lease.resource_id) == (False, False, "su-1")
    assert count(group, before) == {"GetStreamUrl": 1}


def test_without_recover_nothing_is_searched(store, group):
    add(group)
    [outcome], _urls = run(store, group)
    assert (outcome.issued, count(group)) == (True, {"CreateStreamUrl": 1})


def test_of_several_the_newest_is_recovered_and_the_others_are_duplicates(store, group):
    oldest, newest, older = (add(group, age=age) for age in (300, 100, 200))
    add(group, key=BEN)

    [outcome], urls = run(store, group, recovers=True)

    assert outcome.lease.resource_id == newest
    assert urls.find_duplicates({ANNA: newest}) == {oldest: ANNA, older: ANNA}
    assert len(group.active) == 4


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"ApplicationIdentifier": "a-other"}, id="another application"),
        pytest.param({"Locations": ["eu-central-1", "eu-west-1"]}, id="other locations"),
        pytest.param({"AdditionalLaunchArgs": ["x"]}, id="launch arguments"),
        pytest.param({"AdditionalEnvironmentVariables": {"A": "1"}}, id="variables"),
        pytest.param({"RoleArn": "arn:aws:iam::123456789012:role/x"}, id="a role"),
        pytest.param({"DisplayConfiguration": {"Resolution": {"Width": 400, "Height": 400}}}, id="a resolution"),
        pytest.param({"UsageLimit": 4}, id="another limit"),
        pytest.param({"minutes": 90}, id="another validity"),
        pytest.param({"age": HOUR - 60}, id="little time left"),
    ],
)
def test_a_stream_url_that_is_not_as_asked_is_not_recovered(store, group, other):
    unlike = add(group, **other)
    fitting = add(group, age=HOUR - 1000)

    [outcome], urls = run(store, group, recovers=True)

    assert outcome.lease.resource_id == fitting
    assert urls.find_duplicates({ANNA: fitting}) == {unlike: ANNA}


def test_a_stream_url_with_too_few_uses_is_not_recovered(store, group):
    used = add(group)
    for _use in range(4):
        group.open(used)
    [outcome], urls = run(store, group, recovers=True)
    assert (outcome.issued, outcome.recovered) == (True, False)
    assert urls.find_duplicates({ANNA: outcome.lease.resource_id}) == {used: ANNA}


def test_stream_urls_of_later_generations_are_found_if_they_are_to_be_recovered(store, group):
    keys = [LeaseKey.build(ANNA.scope, "anna", SETTINGS.build_purpose(generation)) for generation in range(3)]
    older, *ids = [add(group, key=keys[number], age=age) for number, age in ((2, 100), (0, 0), (1, 0), (2, 0))]
    second = {2: [ids[2], older]}
    for recovers, known, later in ((True, 0, {1: [ids[1]], **second}), (True, 1, second), (False, 0, {})):
        urls = urls_of(group, recovers=recovers)
        found = urls.find_later_generations(store, {keys[known]: known})
        assert found == ({keys[known]: later} if later else {})


@pytest.mark.parametrize(
    ("resource_id", "released", "is_found"),
    [
        pytest.param("su-1", False, False, id="in use"),
        pytest.param(None, False, False, id="perhaps in use, since its response is awaited"),
        pytest.param("su-1", True, True, id="released"),
        pytest.param("su-2", False, True, id="a duplicate"),
    ],
)
def test_a_stream_url_of_a_later_generation_that_a_lease_uses_was_not_lost(
    store, group, resource_id, released, is_found
):
    later = LeaseKey.build(ANNA.scope, "anna", SETTINGS.build_purpose(1))
    add(group, key=later)
    lease = Lease(later, ResourceGrant("token", resource_id), NOW, after(HOUR))
    store.leases[later] = lease.released(NOW) if released else lease

    found = urls_of(group, recovers=True).find_later_generations(store, {ANNA: 0})
    assert found == ({ANNA: {1: ["su-1"]}} if is_found else {})


def test_the_default_resolution_may_be_named_or_not(store, group):
    named = add(group, DisplayConfiguration={"Resolution": {"Width": 1920, "Height": 1080}})
    [outcome], _urls = run(store, group, recovers=True)
    assert outcome.lease.resource_id == named


def test_nothing_is_recovered_without_the_permission_to_list(store, group):
    group.denied.add("ListStreamUrls")
    with pytest.raises(AnsibleGameLiftStreamsError, match="gameliftstreams:ListStreamUrls"):
        run(store, group, recovers=True)
    assert group.issued == {}


def test_a_lease_that_was_released_is_not_recovered(store, group):
    add(group)
    store.leases[ANNA] = resource_lease_of(ANNA, released_at=NOW)
    [outcome], _urls = run(store, group, recovers=True)
    assert (outcome.issued, outcome.recovered) == (True, False)


# Ending


def end(group, keys, leases, *, terminate_sessions=False, check_mode=False, labs=(LAB,)):
    """What is left of the leases, and what has ended them."""
    ender = ender_of(group, labs, None if terminate_sessions else ACTIVE, terminate_sessions, check_mode)
    return ender.end(keys, leases), ender


def ender_of(group, labs, status=ACTIVE, terminate_sessions=False, check_mode=False):
    """What ends the stream URLs that were created in these labs, at one after the other."""
    listing = Listing(group, GROUP, status, predicts=check_mode)
    return UrlEnder(listing, terminate_sessions, None, lambda: dict.fromkeys([ANNA, BEN], labs), group.clock.now, 1)


@pytest.mark.parametrize("check_mode", [False, True])
def test_ending_revokes_what_is_stored_and_what_was_lost(store, group, check_mode):
    run(store, group, ANNA)
    run(store, group, BEN)
    lost = add(group)
    leases = [store.leases[ANNA]]

    ended, ender = end(group, {ANNA}, leases, check_mode=check_mode)

    assert (list(ended), sorted(ender.listing.revoked)) == (leases, ["su-1", lost])
    assert group.active == (["su-1", "su-2", lost] if check_mode else ["su-2"])


@pytest.mark.parametrize(
    ("prepare", "options"),
    [
        pytest.param(lambda _group, _store: None, dict(force=True), id="force"),
        pytest.param(lambda group, _store: add(group), dict(force=True), id="force, and a reply was lost"),
        pytest.param(lambda group, _store: [group.open("su-1") for _use in range(4)], {}, id="too few uses"),
        pytest.param(lambda group, _store: group.end("su-1", "REVOKED", "userRevoked"), {}, id="somebody revoked it"),
        pytest.param(lambda group, store: release(store, ANNA), {}, id="its release was interrupted"),
    ],
)
def test_check_mode_predicts_which_stream_urls_are_revoked(store, group, prepare, options):
    run(store, group)
    prepare(group, store)
    before = list(group.active)
    _outcomes, predicted = run(store, group, check_mode=True, **options)
    assert group.active == before
    _outcomes, urls = run(store, group, **options)
    assert sorted(predicted.listing.revoked) == sorted(urls.listing.revoked) == before


def test_ending_finds_the_stream_url_of_a_lease_that_another_lab_has_issued(store, group):
    run(store, group)
    leases = [store.leases[ANNA]]
    _ended, ender = end(group, {ANNA}, leases, labs=("tuesday",))
    assert (ender.listing.revoked, group.active) == (["su-1"], [])


@pytest.mark.parametrize("labs", [(LAB,), ("tuesday",)])
def test_what_is_over_is_not_revoked_unless_its_sessions_run(store, group, labs):
    run(store, group)
    group.open("su-1")
    group.end("su-1", "REVOKED", "userRevoked")
    leases = [store.leases[ANNA]]

    _ended, kept = end(group, {ANNA}, leases, labs=labs)
    _ended, terminating = end(group, {ANNA}, leases, labs=labs, terminate_sessions=True)
    _ended, again = end(group, {ANNA}, leases, labs=labs, terminate_sessions=True)

    assert tuple(each.listing.revoked for each in (kept, terminating, again)) == ([], ["su-1"], [])
    assert group.issued["su-1"].sessions == ["TERMINATED"]


def test_the_sessions_of_a_stream_url_that_was_replaced_are_ended_too(store, group):
    run(store, group)
    for _use in range(4):
        group.open("su-1")
    run(store, group)

    _ended, ender = end(group, {ANNA}, [store.leases[ANNA]], terminate_sessions=True)

    assert sorted(ender.listing.revoked) == ["su-1", "su-2"]
    assert set(group.issued["su-1"].sessions) == {"TERMINATED"}


def test_a_failure_keeps_its_lease_and_no_other(store, group):
    run(store, group, ANNA)
    run(store, group, BEN)
    revoke = group.revoke_stream_url

    def reject(**request):
        group.denied = {"RevokeStreamUrl"} if request["StreamUrlIdentifier"] == "su-1" else set()
        return revoke(**request)

    group.revoke_stream_url = reject
    leases = [store.leases[ANNA], store.leases[BEN]]
    ender = ender_of(group, [LAB])

    assert list(ender.end({ANNA, BEN}, leases)) == [store.leases[BEN]]
    assert list(ender.failures) == [ANNA]
    assert "gameliftstreams:RevokeStreamUrl" in ender.failures[ANNA].message


def test_without_the_permission_to_list_what_is_stored_is_revoked(store, group):
    run(store, group)
    lost = add(group)
    group.denied.add("ListStreamUrls")
    _ended, ender = end(group, {ANNA, BEN}, [store.leases[ANNA]])
    assert (ender.listing.revoked, group.active, bool(ender.listing.denial)) == (["su-1"], [lost], True)


@pytest.mark.parametrize(
    ("terminate_sessions", "known", "needed", "unknown"),
    [
        pytest.param(False, {None}, (), ["su-1", "su-6"], id="those that work"),
        pytest.param(True, {None}, (), ["su-1", "su-3", "su-6"], id="and those with sessions to end"),
        pytest.param(False, {"su-1"}, (), ["su-6"], id="not those of stored leases"),
        pytest.param(False, {None}, (BEN,), ["su-1"], id="nor those of leases that others need"),
    ],
)
def test_stream_urls_that_seem_to_be_of_a_lab_are_named(group, terminate_sessions, known, needed, unknown):
    for name in ("monday/X", "monday/Y", "monday/Z", "monday/Z", "tuesday/X"):
        group.add(f"labstream/{name}")
    group.add(build_description("monday", BEN))
    group.end("su-2", "REVOKED", "userRevoked")
    group.open("su-3")
    group.end("su-3", "EXPIRED")
    group.end("su-4", "LIMIT_REACHED")
    ender = ender_of(group, (), None, terminate_sessions)

    assert ender.find_unknown("monday", known, needed) == unknown


def test_a_session_is_over_when_its_time_is(group):
    group.add("labstream/monday/X", SessionLengthSeconds=600)
    group.open("su-1")
    group.clock.sleep(2 * HOUR)

    assert ender_of(group, (), None, terminate_sessions=True).find_unknown("monday", (), ()) == []
    assert "GetStreamUrl" not in group.calls


@pytest.mark.parametrize(("searches", "left"), [(False, ["su-2"]), (True, [])])
def test_ending_earlier_generations_searches_if_it_is_asked_to(store, group, searches, left):
    run(store, group, ANNA)
    group.add(build_description(None, BEN))

    ender_of(group, ()).end_earlier(store, [ANNA, BEN], searches=searches)

    assert group.active == left
    assert store.leases[ANNA].released_at is not None


# Replies


@pytest.mark.parametrize(
    "missing", ["StreamUrlId", "StreamUrl", "Status", "ExpiresAt", "RemainingUses"], ids="without {}".format
)
def test_a_reply_of_which_a_part_is_missing_is_an_error(group, missing):
    reply = {**group._describe(add(group))}
    del reply[missing]
    client = SimpleNamespace(get_stream_url=lambda **_request: reply, create_stream_url=lambda **_request: reply)
    for call in (lambda: api.get_stream_url(client, GROUP, "su-1"), lambda: api.create_stream_url(client)):
        with pytest.raises(AnsibleGameLiftStreamsError, match="the response could not be parsed") as raised:
            call()
        assert SECRET not in str(raised.value)


def test_the_reply_must_be_of_the_stream_url_that_was_asked_for(group):
    reply = group._describe(add(group))
    client = SimpleNamespace(get_stream_url=lambda **_request: reply)
    with pytest.raises(AnsibleGameLiftStreamsError, match="the response could not be parsed"):
        api.get_stream_url(client, GROUP, "su-2")


def test_a_url_that_is_not_of_a_web_page_is_rejected(group):
    reply = {**group._describe(add(group)), "StreamUrl": "javascript:alert(1)"}
    client = SimpleNamespace(create_stream_url=lambda **_request: reply)
    with pytest.raises(NotReady, match="the scheme 'javascript'"):
        api.create_stream_url(client)


def test_the_url_of_one_that_does_not_work_is_not_kept(group):
    stream_url_id = add(group)
    group.end(stream_url_id, "REVOKED", "userRevoked")
    assert api.get_stream_url(group, GROUP, stream_url_id).url is None


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        ("ACTIVE", None, "ACTIVE"),
        ("REVOKED", "newReason", "REVOKED (newReason)"),
        ("NEW", None, "NEW"),
    ],
)
def test_a_status_that_is_not_known_is_shown_as_it_is(status, reason, text):
    assert describe_status(status, reason) == text


def test_the_scope_is_the_stream_group_at_the_endpoint():
    model = SimpleNamespace(endpoint_prefix="gameliftstreams")
    host, region = "https://gameliftstreams.eu-central-1.api.aws", "eu-central-1"
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=host, region_name=region, service_model=model))
    arn = "arn:aws:gameliftstreams:eu-central-1:123456789012:streamgroup/sg-lab"
    scope = build_scope(client, arn)
    assert scope.to_text() == f"gameliftstreams|aws|{arn}"
    assert scope.names == ("sg-lab",)


def test_old_botocore_is_one_message_before_any_call():
    module = SimpleNamespace(botocore_at_least=lambda version: version != "1.43.59")
    with pytest.raises(NotReady) as rejected:
        api.build_gamelift_client(module, 1)
    assert str(rejected.value) == (
        "botocore on this host is too old for Amazon GameLift Streams, which needs 1.43.59 or newer: "
        "upgrade boto3 and botocore for the Python that the task runs with."
    )


def test_a_url_that_expires_soon_is_not_of_the_time_asked_for(store, group):
    """Not even if the service has it until then: what was asked for was more."""
    policy = ReusePolicy(10 * DAY, valid_until=NOW + timedelta(minutes=90), granularity=60)
    add(group, minutes=60)
    [outcome], _urls = run(store, group, policy=policy, recovers=True)
    assert (outcome.issued, outcome.recovered) == (True, False)
