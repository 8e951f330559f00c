# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which leases a run with state=absent forgets. How modules end is tested through them, against the simulator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import end_absent

from tests.unit.plugins.module_utils.support import DAY, NOW, SCOPE, MemoryStore, build_key, lease_of

CAD, OFFICE = build_purpose("cad"), build_purpose("office")
ELSEWHERE = SCOPE + "-2"
LEASES = {
    "anna": lease_of(build_key("anna"), lab="monday"),
    "anna for cad": lease_of(build_key("anna", CAD), lab="tuesday"),
    "anna for office": lease_of(build_key("anna", OFFICE), expires=-1),
    "anna elsewhere": lease_of(build_key("anna", scope=ELSEWHERE), lab="monday"),
    "anna for cad elsewhere": lease_of(build_key("anna", CAD, scope=ELSEWHERE), lab="tuesday"),
    "ben": lease_of(build_key("ben"), lab="tuesday"),
    "ben for cad": lease_of(build_key("ben", CAD), lab="tuesday"),
    "Anna": lease_of(build_key("Anna")),
}


class Clock:
    """The service's time."""

    def now(self):
        return NOW


def absent(keys, *, scope=SCOPE, check_mode=False, store=None, leases=None, result=None, **params):
    """The module and the store after a run that forgets these keys' leases, or those of the lab."""
    store, warnings, result = store or MemoryStore(), [], {} if result is None else result
    store.leases = {lease.key: lease for lease in leases or LEASES.values()}
    params = dict(lab=None, purge=False) | params
    module = SimpleNamespace(params=params, check_mode=check_mode, _diff=True, result=result, warn=warnings.append)
    end_absent(module, Clock(), store, scope, keys)
    return module, store


def named(keys):
    """The names that the leases of these keys have above."""
    keys = set(keys)
    return {name for name, lease in LEASES.items() if lease.key in keys}


@pytest.mark.parametrize(
    ("keys", "forgotten", "purged"),
    [
        pytest.param(
            {build_key("anna")},
            {"anna"},
            {"anna", "anna for cad", "anna for office"},
            id="a seat without a purpose is purged whatever it had a URL for",
        ),
        pytest.param({build_key("anna", CAD)}, {"anna for cad"}, {"anna for cad"}, id="a purpose is meant by name"),
        pytest.param(
            {build_key("anna", CAD), build_key("ben")},
            {"anna for cad", "ben"},
            {"anna for cad", "ben", "ben for cad"},
            id="each seat is as it is named",
        ),
        pytest.param({build_key("anna", build_purpose("paint"))}, set(), set(), id="a purpose that has no lease"),
        pytest.param({build_key("cleo")}, set(), set(), id="a seat that has no lease"),
    ],
)
def test_without_purge_exactly_the_named_leases_are_forgotten_and_with_it_all_of_a_seat_are_removed(
    keys, forgotten, purged
):
    # Without purge, when they are forgotten, the records stay.
    module, store = absent(keys)
    assert named(key for key, lease in store.leases.items() if lease.released_at) == forgotten
    assert len(store.leases) == len(LEASES)
    assert (module.result["changed"], module.result["summary"]["forgotten"]) == (bool(forgotten), len(forgotten))

    # With purge, they are gone.
    module, store = absent(keys, purge=True)
    assert named(store.leases) == set(LEASES) - purged
    assert not any(lease.released_at for lease in store.leases.values())
    assert (module.result["changed"], module.result["summary"]["forgotten"]) == (bool(purged), len(purged))


@pytest.mark.parametrize("purge", [False, True])
def test_a_lab_is_that_of_the_scope_whatever_the_purpose(purge):
    module, store = absent(set(), lab="tuesday", purge=purge)
    left = named(key for key, lease in store.leases.items() if not lease.released_at)
    assert set(LEASES) - left == {"anna for cad", "ben", "ben for cad"}
    assert module.result["summary"]["requested"] == 3


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize(("keys", "lab"), [({build_key("anna", scope="")}, None), (set(), "monday")])
def test_of_a_scope_that_nobody_knows_any_more_nothing_is_read_or_forgotten(keys, lab, purge):
    class Unread(MemoryStore):
        """As DynamoDB, which refuses an empty key."""

        def find(self, scope, **options):
            raise AssertionError

    module, store = absent(keys, scope="", store=Unread(), lab=lab, purge=purge)
    assert not module.result["changed"]
    assert (store.writes, named(store.leases)) == (0, set(LEASES))


@pytest.mark.parametrize("purge", [False, True])
def test_check_mode_tells_the_same_and_forgets_nothing(purge):
    predicted, store = absent({build_key("anna")}, purge=purge, check_mode=True)
    done, _store = absent({build_key("anna")}, purge=purge)
    assert predicted.result == done.result
    assert (store.writes, named(store.leases)) == (0, set(LEASES))


def test_a_purge_also_removes_what_is_past_its_retention():
    # Given a record that nobody sees any more, in a table that does not delete by itself.
    store, dead = MemoryStore(), lease_of(lab="monday", expires=-40 * DAY)
    store.leases = {dead.key: dead}
    for purge, left in ((False, {dead.key: dead}), (True, {})):
        module, store = absent({dead.key}, store=store, leases=[dead], purge=purge)
        assert module.result["changed"] is purge
        assert store.leases == left


@pytest.mark.parametrize("purge", [False, True])
def test_a_store_that_fails_may_have_changed_something(purge):
    class Failing(MemoryStore):
        def forget(self, keys, *, now, purge, lab=None):
            raise LeaseStoreError("The lease store x is full.")

    with pytest.raises(LeaseStoreError):
        absent({build_key("anna")}, purge=purge, store=Failing(), result=(result := {}))
    assert result == {"changed": True}


def test_what_another_lab_has_taken_over_meanwhile_is_left_alone():
    class Overtaken(MemoryStore):
        """Another run issues between the reading and the forgetting."""

        def forget(self, keys, **options):
            self.leases[build_key("ben")] = taken
            super().forget(keys, **options)

    taken = lease_of(build_key("ben"), lab="wednesday")
    _module, store = absent(set(), lab="tuesday", store=Overtaken())
    assert store.leases[build_key("ben")] == taken
    # But whoever names a learner means whatever the learner has.
    _module, store = absent({build_key("ben")}, store=Overtaken())
    assert store.leases[build_key("ben")].released_at
