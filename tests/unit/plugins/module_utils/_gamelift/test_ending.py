# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab that ends while another one with the same learners begins, is killed, or has lost its lease store.

At each call to the store or the service that the one run makes, the other run happens as a whole, and then the first
goes on. So nothing is left to chance, and every place between two calls is tried.
"""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.ending import UrlEnder, add_generations
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import (
    MAX_GENERATIONS_SEARCHED,
    GroupUrls,
    UrlSettings,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases import releasing
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy

from tests.unit.plugins.module_utils._gamelift.fake_group import GROUP, FakeGroup
from tests.unit.plugins.module_utils._leases.fake_studio import Clock
from tests.unit.plugins.module_utils._leases.lease_tasks import row_of, task_of
from tests.unit.plugins.module_utils.support import MemoryStore

ENDING, BEGINNING = "morning", "afternoon"
LEARNERS = ["anna", "ben"]
POLICY = ReusePolicy(24 * 3600, validity=3600, granularity=60)
SETTINGS = UrlSettings("a-lab", ["eu-central-1"], usage_limit=5, min_remaining_uses=2)
STORE_CALLS = ("read", "find", "write", "release", "purge")
SERVICE_CALLS = ("create_stream_url", "get_stream_url", "list_stream_urls", "revoke_stream_url")


class Killed(BaseException):
    """The run was killed."""


class Labs:
    """A store and a stream group. ``interrupt`` is called before the call with this number, counted from now on."""

    def __init__(self):
        self.group = FakeGroup(Clock())
        self.calls, self.interrupt = 0, {}
        self._count(self.group, SERVICE_CALLS)
        self.lose_store()

    def lose_store(self):
        """Go on with an empty store."""
        self.store = MemoryStore(self.group.clock.now)
        self._count(self.store, STORE_CALLS)
        self._count(self.store.records(LAB_RECORDS), ("read", "find", "write", "purge"))

    def _count(self, target, names):
        for name in names:
            setattr(target, name, self._counted(getattr(target, name)))

    def _counted(self, function):
        def call(*args, **kwargs):
            self.calls += 1
            self.interrupt.pop(self.calls, lambda: None)()
            return function(*args, **kwargs)

        return call

    def begin(self, lab, generation=0, **options):
        """Give each learner of the lab a stream URL; return their ids."""
        urls = GroupUrls(Listing(self.group, GROUP, ACTIVE), SETTINGS, POLICY, self.group.clock.now, lab, **options)
        rows = [row_of(learner, SETTINGS.build_purpose(generation)) for learner in LEARNERS]
        task = task_of(rows, store=self.store, lab=lab)
        urls.find_labs = task.find_labs_of_leases
        issuer = ResourceIssuer(
            store=self.store, service=urls, now=task.now, policy=POLICY, concurrency=1, directory=urls
        )
        outcomes, _joined = task.issue(issuer, POLICY)
        assert [outcome.failure for outcome in outcomes] == [None] * len(LEARNERS)
        return [outcome.lease.resource_id for outcome in outcomes]

    def end(self, lab, learners=(), *, check_mode=False, **options):
        """End the lab, for these learners or for all; return the ids of the stream URLs that were revoked."""
        rows = [row_of(learner, SETTINGS.build_purpose()) for learner in learners]
        task = task_of(rows, store=self.store, lab=lab, check_mode=check_mode, **options)
        listing = Listing(self.group, GROUP, ACTIVE, predicts=check_mode)
        if rows:
            task = add_generations(task, SETTINGS, listing)
        found = releasing.find_to_release(task)
        ender = UrlEnder(listing, False, lab, task.find_labs_of_leases, self.group.clock.now, 1)
        ender.listing.load()
        list(releasing.release(task, found, ender.end))
        used = {record.lease for record in found.labs.get_records(lab)}
        assert not ender.failures
        if lab is None:
            self.unknown = ender.find_of_labs(task.rows)
            return sorted(listing.revoked)
        ender.end_unused(self.store, task.rows, used)
        assert not ender.failures
        self.unknown = ender.find_unknown(
            lab,
            {lease.resource_id for lease in self.store.leases.values()},
            used.intersection(record.lease for record in found.others),
        )
        return sorted(listing.revoked)


def count_calls(run):
    labs = Labs()
    labs.begin(ENDING)
    labs.calls = 0
    run(labs)
    return labs.calls


def check(labs, handed_out):
    """The lab that has begun has what it was given, and everything else is over."""
    assert sorted(labs.group.active) == sorted(handed_out)
    assert sorted(lease.resource_id for lease in labs.store.leases.values() if not lease.released_at) == sorted(
        handed_out
    )
    labs.end(BEGINNING)
    assert labs.group.active == []


@pytest.mark.parametrize("learners", [(), LEARNERS], ids=["all", "listed"])
@pytest.mark.parametrize("purge", [False, True])
def test_a_lab_that_begins_while_another_ends_has_urls_that_work(purge, learners):
    calls = count_calls(lambda labs: labs.end(ENDING, learners, purge=purge))
    assert calls > 6
    for number in range(1, calls + 1):
        labs, handed_out = Labs(), []
        labs.begin(ENDING)
        labs.calls, labs.interrupt = 0, {number: lambda labs=labs, to=handed_out: to.extend(labs.begin(BEGINNING))}
        labs.end(ENDING, learners, purge=purge)
        check(labs, handed_out)


def test_a_lab_that_ends_while_another_begins_leaves_its_urls():
    calls = count_calls(lambda labs: labs.begin(BEGINNING))
    for number in range(1, calls + 1):
        labs = Labs()
        labs.begin(ENDING)
        labs.calls, labs.interrupt = 0, {number: lambda labs=labs: labs.end(ENDING)}
        check(labs, labs.begin(BEGINNING))


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("denied", [set(), {"ListStreamUrls"}], ids=["listed", "without the permission to list"])
def test_an_end_that_was_killed_is_completed_by_the_next(purge, denied):
    calls = count_calls(lambda labs: labs.end(ENDING, purge=purge))

    def kill():
        raise Killed

    for number in range(1, calls + 1):
        labs = Labs()
        labs.begin(ENDING)
        labs.group.denied = denied
        labs.calls, labs.interrupt = 0, {number: kill}
        with pytest.raises(Killed):
            labs.end(ENDING, purge=purge)
        labs.end(ENDING, purge=purge)
        assert labs.group.active == []
        assert not any(not lease.released_at for lease in labs.store.leases.values())


# A lease store that was lost


def test_the_end_for_learners_revokes_their_stream_urls_of_all_generations():
    labs = Labs()
    lost = [*labs.begin(ENDING, 0), *labs.begin(ENDING, 2)]
    elsewhere = labs.begin(BEGINNING, 1)
    labs.lose_store()
    created = labs.begin(ENDING, 1)

    assert labs.end(ENDING, LEARNERS[:1], check_mode=True) == sorted(each[0] for each in (lost, lost[2:], created))
    assert labs.end(ENDING, LEARNERS) == sorted([*lost, *created])
    assert labs.group.active == elsewhere
    assert not any(not lease.released_at for lease in labs.store.leases.values())


def test_the_end_for_learners_leaves_what_another_lab_uses():
    labs = Labs()
    lost = labs.begin(ENDING)
    labs.lose_store()
    shared = labs.begin(ENDING, recovers=True)
    assert labs.begin(BEGINNING) == shared == lost

    assert labs.end(ENDING, LEARNERS) == []
    check(labs, shared)


def test_what_was_created_in_labs_that_are_not_known_is_found_where_no_lab_is_named():
    labs = Labs()
    known = labs.begin(BEGINNING)
    kept = labs.store
    labs.lose_store()
    first = labs.begin(ENDING)
    assert first != known
    labs.store = kept

    # Another store may have the other lab, so it goes on.
    assert (labs.end(None, LEARNERS[:1]), labs.unknown) == (known[:1], {first[0]: ENDING})
    assert labs.group.active == [known[1], *first]
    labs.lose_store()
    assert labs.end(None, LEARNERS) == []
    assert labs.unknown == {known[1]: BEGINNING, **dict.fromkeys(first, ENDING)}
    assert labs.end(ENDING, LEARNERS) == sorted(first)
    assert (labs.end(None, LEARNERS), labs.unknown) == ([], {known[1]: BEGINNING})


def test_the_end_for_learners_revokes_what_was_lost_before_another_lab_began():
    labs = Labs()
    lost = labs.begin(ENDING)
    labs.lose_store()
    handed_out = labs.begin(BEGINNING)

    assert (labs.end(ENDING), labs.unknown) == ([], sorted(lost))
    assert (labs.end(ENDING, LEARNERS[:1], check_mode=True), labs.unknown) == (lost[:1], lost[1:])
    assert (labs.end(ENDING, LEARNERS[:1]), labs.unknown) == (lost[:1], lost[1:])
    assert (labs.end(ENDING, LEARNERS), labs.unknown) == (lost[1:], [])
    check(labs, handed_out)


def test_the_end_for_learners_revokes_what_was_lost_before_another_lab_used_the_leases():
    labs = Labs()
    lost = labs.begin(ENDING)
    labs.lose_store()
    shared = labs.begin(ENDING)
    assert labs.begin(BEGINNING) == shared

    assert (labs.end(ENDING, LEARNERS), labs.unknown) == (sorted(lost), [])
    check(labs, shared)


@pytest.mark.parametrize("recovers", [False, True])
def test_a_lab_that_begins_while_another_ends_without_its_store_has_urls_that_work(recovers):
    def prepare():
        labs = Labs()
        labs.begin(ENDING)
        labs.lose_store()
        labs.calls = 0
        return labs

    counted = prepare()
    counted.end(ENDING, LEARNERS)
    for number in range(1, counted.calls + 1):
        labs, handed_out = prepare(), []
        labs.interrupt = {number: lambda labs=labs, to=handed_out: to.extend(labs.begin(BEGINNING, recovers=recovers))}
        labs.end(ENDING, LEARNERS)
        check(labs, handed_out)


def test_the_end_for_learners_includes_later_generations_that_are_stored():
    labs = Labs()
    labs.begin(ENDING, MAX_GENERATIONS_SEARCHED + 1)
    labs.end(ENDING, LEARNERS)
    assert labs.group.active == []
    assert not any(not lease.released_at for lease in labs.store.leases.values())


def test_an_end_for_learners_that_was_killed_is_completed_by_the_next():
    def prepare():
        labs = Labs()
        labs.begin(ENDING, 1)
        labs.lose_store()
        labs.begin(ENDING)
        labs.calls = 0
        return labs

    def kill():
        raise Killed

    counted = prepare()
    counted.end(ENDING, LEARNERS)
    for number in range(1, counted.calls + 1):
        labs = prepare()
        labs.interrupt = {number: kill}
        with pytest.raises(Killed):
            labs.end(ENDING, LEARNERS)
        labs.end(ENDING, LEARNERS)
        assert labs.group.active == []
