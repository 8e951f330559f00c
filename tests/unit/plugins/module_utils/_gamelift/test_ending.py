# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab that ends while another one with the same learners begins.

At each call to the store or the service that the one run makes, the other run happens as a whole, and then the first
goes on. So nothing is left to chance, and every place between two calls is tried.
"""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.ending import UrlEnder
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import GroupUrls, UrlSettings
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
        clock = Clock()
        self.store, self.group = MemoryStore(clock.now), FakeGroup(clock)
        self.calls, self.interrupt = 0, {}
        for target, names in (
            (self.store, STORE_CALLS),
            (self.store.records(LAB_RECORDS), ("read", "find", "write", "purge")),
            (self.group, SERVICE_CALLS),
        ):
            for name in names:
                setattr(target, name, self._counted(getattr(target, name)))

    def _counted(self, function):
        def call(*args, **kwargs):
            self.calls += 1
            self.interrupt.pop(self.calls, lambda: None)()
            return function(*args, **kwargs)

        return call

    def begin(self, lab):
        """Give each learner of the lab a stream URL; return their ids."""
        urls = GroupUrls(Listing(self.group, GROUP, ACTIVE), SETTINGS, POLICY, self.group.clock.now, lab)
        task = task_of(list(map(row_of, LEARNERS)), store=self.store, lab=lab)
        urls.find_labs = task.find_labs_of_leases
        issuer = ResourceIssuer(
            store=self.store, service=urls, now=task.now, policy=POLICY, concurrency=1, directory=urls
        )
        outcomes, _joined = task.issue(issuer, POLICY)
        assert [outcome.failure for outcome in outcomes] == [None] * len(LEARNERS)
        return [outcome.lease.resource_id for outcome in outcomes]

    def end(self, lab, **options):
        """End the lab."""
        task = task_of(store=self.store, lab=lab, **options)
        found = releasing.find_to_release(task)
        ender = UrlEnder(
            Listing(self.group, GROUP, ACTIVE), False, lab, task.find_labs_of_leases, self.group.clock.now, 1
        )
        ender.listing.load()
        list(releasing.release(task, found, ender.end))
        assert not ender.failures


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


@pytest.mark.parametrize("purge", [False, True])
def test_a_lab_that_begins_while_another_ends_has_urls_that_work(purge):
    calls = count_calls(lambda labs: labs.end(ENDING, purge=purge))
    assert calls > 6
    for number in range(1, calls + 1):
        labs, handed_out = Labs(), []
        labs.begin(ENDING)
        labs.calls, labs.interrupt = 0, {number: lambda labs=labs, to=handed_out: to.extend(labs.begin(BEGINNING))}
        labs.end(ENDING, purge=purge)
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
