# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releasing: of rows, or of a lab that ends. How modules end is tested with the simulator too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases import releasing
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose

from tests.unit.plugins.module_utils._leases.lease_tasks import (
    ANNA,
    ANNA_CAD,
    BEN,
    CLEO,
    LABS,
    LEASES,
    join,
    named,
    row_of,
    task_of,
)
from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    MemoryStore,
    after,
    build_key,
    lease_of,
)


def absent(rows, *, store=None, leases=None, **options):
    """The result and the store after a run that releases these rows' leases, or those of the lab."""
    store = store or MemoryStore()
    store.leases = {lease.key: lease for lease in leases or LEASES.values()}
    for lab, names in LABS.items() if leases is None else ():
        join(store, lab, *names)
    return release(store, rows, **options), store


def release(store, rows, **options):
    """The result of a run with state=absent."""
    task = task_of(rows, store=store, **options)
    result = dict(warnings=task.module.warnings)
    for known in releasing.release(task, releasing.find_to_release(task)):
        result |= known
    return result


@pytest.mark.parametrize(
    ("rows", "released", "purged"),
    [
        pytest.param(
            [ANNA],
            {"anna"},
            {"anna", "anna for cad", "anna for office"},
            id="a holder without a purpose is purged whatever it had a URL for",
        ),
        pytest.param([ANNA_CAD], {"anna for cad"}, {"anna for cad"}, id="a purpose is meant by name"),
        pytest.param(
            [ANNA_CAD, BEN],
            {"anna for cad", "ben"},
            {"anna for cad", "ben", "ben for cad"},
            id="each holder is as it is named",
        ),
        pytest.param(
            [row_of("anna", build_purpose(application_id="paint"))], set(), set(), id="a purpose that has no lease"
        ),
        pytest.param([CLEO], set(), set(), id="a holder that has no lease"),
    ],
)
def test_without_purge_exactly_the_named_leases_are_released_and_with_it_all_of_a_holder_are_removed(
    rows, released, purged
):
    # Without purge, when they are released, the records stay.
    result, store = absent(rows)
    assert named(key for key, lease in store.leases.items() if lease.released_at) == released
    assert len(store.leases) == len(LEASES)
    assert (result["changed"], result["summary"]["released"]) == (bool(released), len(released))

    # With purge, they are gone.
    result, store = absent(rows, purge=True)
    assert named(store.leases) == set(LEASES) - purged
    assert not any(lease.released_at for lease in store.leases.values())
    assert (result["changed"], result["summary"]["released"]) == (bool(purged), len(purged))


@pytest.mark.parametrize("purge", [False, True])
def test_a_lab_is_that_of_the_scope_whatever_the_purpose(purge):
    result, store = absent([], lab="tuesday", purge=purge)
    left = named(key for key, lease in store.leases.items() if not lease.released_at)
    assert set(LEASES) - left == {"anna for cad", "ben", "ben for cad"}
    assert result["summary"]["requested"] == 3


@pytest.mark.parametrize("purge", [False, True])
def test_check_mode_returns_the_same_and_releases_nothing(purge):
    predicted, store = absent([ANNA], purge=purge, check_mode=True)
    done, _store = absent([ANNA], purge=purge)
    assert predicted == done
    assert (store.writes, named(store.leases)) == (0, set(LEASES))


def test_a_purge_also_removes_what_is_past_its_retention():
    # Given a record that nobody sees any more, in a table that does not delete by itself.
    store, dead = MemoryStore(), lease_of(expires=-40 * DAY)
    store.leases = {dead.key: dead}
    for purge, left in ((False, {dead.key: dead}), (True, {})):
        result, store = absent([ANNA], store=store, leases=[dead], purge=purge)
        assert result["changed"] is purge
        assert store.leases == left


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("changed", [0, 1])
def test_a_store_that_fails_fails_the_task_which_says_how_much_changed(purge, changed):
    class Failing(MemoryStore):
        def release(self, leases):
            raise LeaseStoreError("The lease store x is full.", changed)

        purge = release

    store = Failing()
    store.leases = {lease.key: lease for lease in LEASES.values()}
    task = task_of([ANNA_CAD, BEN], store=store, purge=purge)
    results = releasing.release(task, releasing.find_to_release(task))
    result = next(results)
    with pytest.raises(LeaseStoreError) as failed:
        next(results)
    leases = 3 if purge else 2
    assert str(failed.value) == f"The lease store x is full. {changed} of {leases} leases were released."
    assert (result["changed"], result["summary"]["released"]) == (bool(changed), changed)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(("purge", "change"), [(False, "release"), (True, "purge")])
def test_a_store_that_cannot_be_changed_so_fails_the_task_in_either_mode(purge, change, check_mode):
    class Closed(MemoryStore):
        def check(self, change="write"):
            if change != "write":
                raise LeaseStoreError(f"may not {change}")

    with pytest.raises(LeaseStoreError, match=f"^may not {change}$"):
        absent([ANNA], purge=purge, store=Closed(), check_mode=check_mode)
    # But if there is nothing to release, nothing is needed.
    assert not absent([CLEO], purge=purge, store=Closed(), check_mode=check_mode)[0]["changed"]


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize(
    ("other", "released"),
    [
        pytest.param(dict(ends_at=1), False, id="under way"),
        pytest.param(dict(starts_at=after(DAY), ends_at=2 * DAY), False, id="still to start"),
        pytest.param(dict(ends_at=0), True, id="over"),
        pytest.param(dict(ended_at=NOW), True, id="ended"),
    ],
)
def test_a_lease_that_another_lab_needs_is_not_released(other, released, purge):
    # Given a learner of two labs.
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in ("anna", "ben")}
    join(store, "mine", "anna", "ben")
    [theirs] = join(store, "other", "anna", **other)

    # When one of them ends.
    result = release(store, [], lab="mine", purge=purge)

    # Then the result says which of the learners the other still needs.
    assert [(entry["user_id"], entry["released"], entry["labs"]) for entry in result["leases"]] == [
        ("anna", released, [] if released else ["other"]),
        ("ben", True, []),
    ]
    assert result["changed"]
    assert result["known_labs"] == ["mine", "other"]

    # And only what it does not need is released, and nothing of its own has changed.
    left = store.read([LEASES["anna"].key, LEASES["ben"].key])
    assert {key.holder for key, lease in left.items() if not lease.released_at} == (set() if released else {"anna"})
    assert Labs(store, SCOPE).get_records("other") == [theirs]
    assert [record.is_ahead(NOW) for record in Labs(store, SCOPE).get_records("mine")] == (
        [] if purge else [False, False]
    )


def test_an_end_that_fails_halfway_is_a_change_and_releases_nothing(monkeypatch):
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in ("anna", "ben")}
    join(store, "mine", "anna", "ben")
    task = task_of(store=store, lab="mine")
    found = releasing.find_to_release(task)
    for written, changed in (([LeaseStoreError("full")] * 2, False), ([object(), LeaseStoreError("full")], True)):
        monkeypatch.setattr(store.records(LAB_RECORDS), "write", lambda _changes, written=written: written)
        results = releasing.release(task, found)
        result = next(results)
        with pytest.raises(LeaseStoreError):
            next(results)
        assert (result["changed"], result["summary"]["released"]) == (changed, 0)


def test_the_last_of_two_labs_releases_what_both_used():
    store = MemoryStore()
    store.leases = {LEASES["anna"].key: LEASES["anna"]}
    join(store, "a", "anna")
    join(store, "b", "anna")
    assert [release(store, [], lab=lab)["summary"]["released"] for lab in ("a", "b")] == [0, 1]


def test_a_session_may_be_ended_only_if_no_other_lab_has_any_lease_of_the_user():
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in ("anna", "anna for cad")}
    join(store, "mine", "anna")
    join(store, "other", "anna for cad")
    [entry] = release(store, [], lab="mine")["leases"]
    assert (entry["released"], entry["labs"]) == (True, ["other"])


def test_an_end_that_is_repeated_returns_the_same_learners_and_changes_nothing():
    _result, store = absent([], lab="tuesday")
    before = store.writes
    again = release(store, [], lab="tuesday")
    assert {entry["user_id"] for entry in again["leases"]} == {"anna", "ben"}
    assert (again["changed"], store.writes, again["warnings"]) == (False, before, [])


@pytest.mark.parametrize("purge", [False, True])
def test_of_a_lab_that_is_not_known_nothing_is_changed_and_those_that_are_are_named(purge):
    result, store = absent([], lab="wednesday", purge=purge)
    assert (result["changed"], result["leases"], result["known_labs"]) == (False, [], ["monday", "tuesday"])
    assert named(store.leases) == set(LEASES)
    assert result["warnings"] == [
        "Nothing is stored about lab 'wednesday' here, so no lease was released. Labs known here: monday, tuesday."
    ]
    assert release(store, [], lab="wednesday", purge=purge, is_in_role=True)["warnings"] == []


def test_a_role_that_ends_a_lab_says_itself_until_when_urls_work():
    _result, store = absent([], lab="wednesday")
    asked = release(store, [], lab="tuesday", is_in_role=True)
    assert (asked["summary"]["released"], asked["warnings"]) == (3, [])
    [warning] = release(store, [ANNA], is_in_role=True)["warnings"]
    assert "still works until it expires" in warning


def test_with_rows_a_lab_is_ended_for_these_alone():
    result, store = absent([BEN], lab="tuesday")
    assert [entry["user_id"] for entry in result["leases"]] == ["ben"]
    assert named(key for key, lease in store.leases.items() if lease.released_at) == {"ben"}
    ahead = {record.lease for record in Labs(store, SCOPE).get_records("tuesday") if record.is_ahead(NOW)}
    assert named(ahead) == {"anna for cad", "ben for cad"}


def test_who_is_not_in_a_lab_that_is_known_is_a_warning():
    result, _store = absent([BEN], lab="monday")
    assert (result["changed"], result["warnings"]) == (
        False,
        ["Nothing is stored about those who are listed in lab 'monday', so no lease was released."],
    )


def test_what_a_role_only_asks_for_is_no_warning():
    _result, store = absent([], lab="tuesday", check_mode=True)
    for lab in ("tuesday", "wednesday"):
        asked = release(store, [], lab=lab, check_mode=True, is_query=True)
        assert (asked["known_labs"], asked["warnings"]) == (["monday", "tuesday"], [])


def test_without_a_lab_leases_are_released_for_all_labs_which_are_named():
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in ("anna", "ben")}
    join(store, "a", "anna")
    join(store, "b", "anna", "ben")
    result = release(store, [ANNA])
    assert "The leases were released for all labs that use them: a, b." in result["warnings"]
    assert [record.lease.holder for record in Labs(store, SCOPE).others_ahead(None, NOW)] == ["ben"]


def test_what_another_lab_begins_to_use_meanwhile_is_not_released():
    store = MemoryStore()
    store.leases = {LEASES["anna"].key: LEASES["anna"]}
    join(store, "mine", "anna")
    task = task_of([], store=store, lab="mine")
    found = releasing.find_to_release(task)
    join(store, "other", "anna")
    [result] = releasing.release(task, found)
    assert result["summary"]["released"] == 0
    assert not store.leases[LEASES["anna"].key].released_at


@pytest.fixture
def path(monkeypatch, tmp_path):
    monkeypatch.setenv("GITLAB_CI", "true")
    return tmp_path / "leases.sqlite3"


@pytest.mark.parametrize("scope", [SCOPE, ""])
@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(("exists", "purge"), [(False, False), (False, True), (True, False)])
def test_a_lab_is_not_ended_in_an_empty_file(path, scope, check_mode, exists, purge):
    if exists:
        path.touch()
    task = task_of(lab="monday", lease_store=f"sqlite://{path}", scope=scope, check_mode=check_mode, purge=purge)

    with pytest.raises(LeaseStoreError) as rejected:
        releasing.find_to_release(task)

    assert str(rejected.value) == (
        f"Nothing is known about lab 'monday', since the lease store {path} is empty, and GITLAB_CI is set, as in a "
        "job of GitLab CI/CD, whose files are usually deleted when it ends: set lease_store to the store that the lab "
        "was started with."
    )


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        pytest.param([], {"purge": True}, id="a second purge"),
        pytest.param([ANNA], {}, id="no lab is ended"),
        pytest.param([], {"lease_store": "dynamodb://leases"}, id="a table is kept"),
        pytest.param([], {"lease_store": "none"}, id="no store"),
        pytest.param([], {"is_query": True}, id="a role asks who the learners are"),
    ],
)
def test_an_empty_store_can_be_as_it_should(path, rows, options):
    path.touch()
    task = task_of(rows, **{"lab": "monday", "lease_store": f"sqlite://{path}", **options})

    assert releasing.find_to_release(task).keys == []


def test_a_file_with_other_labs_is_not_a_deleted_one(path):
    result, _store = absent([], lab="wednesday", lease_store=f"sqlite://{path}")

    assert not result["changed"]


def test_what_another_lab_begins_to_use_while_it_is_released_is_restored_with_its_url(monkeypatch):
    store, lease = MemoryStore(), LEASES["anna"]
    store.leases = {lease.key: lease}
    join(store, "mine", "anna")

    def release_late(leases, release=store.release):
        join(store, "other", "anna")
        return release(leases)

    monkeypatch.setattr(store, "release", release_late)
    result = release(store, [], lab="mine")

    assert store.leases == {lease.key: replace(lease, lease_id=store.leases[lease.key].lease_id)}
    assert (result["summary"]["released"], result["leases"][0]["released"]) == (0, False)


# Services that can end what they have issued


class Ender:
    """Notes what it is to end, and fails for some holders."""

    def __init__(self, store, *error):
        self.store, self.error, self.keys, self.released_before = store, error, set(), None

    def end(self, keys, leases):
        self.keys = set(keys)
        self.released_before = {lease.key for lease in self.store.leases.values() if lease.released_at}
        return [lease for lease in leases if lease.key.holder not in self.error]


def end_with(rows, *error, **options):
    store = MemoryStore()
    store.leases = {lease.key: lease for lease in LEASES.values()}
    for lab, names in LABS.items():
        join(store, lab, *names)
    ender, task = Ender(store, *error), task_of(rows, store=store, **options)
    result = dict(warnings=task.module.warnings)
    for known in releasing.release(task, releasing.find_to_release(task), ender.end):
        result |= known
    return result, ender


def test_what_was_issued_is_released_before_it_is_ended_and_no_url_is_said_to_work():
    result, ender = end_with([ANNA, BEN])
    assert ender.keys == {LEASES["anna"].key, LEASES["ben"].key}
    assert (ender.released_before, result["summary"]["released"]) == (ender.keys, 2)
    assert not any("works until" in warning for warning in result["warnings"])


def test_what_another_lab_needs_is_not_ended_and_what_nothing_is_stored_of_is():
    _result, ender = end_with([ANNA, CLEO], lab="monday")
    assert ender.keys == {LEASES["anna"].key, build_key("cleo")}
    _result, ender = end_with([BEN], lab="monday")
    assert ender.keys == set()


@pytest.mark.parametrize("purge", [False, True])
def test_what_could_not_be_ended_is_kept_and_repeated(purge):
    result, ender = end_with([ANNA, BEN], "ben", purge=purge)
    kept = ender.store.leases[LEASES["ben"].key]
    assert (kept.released_at, LEASES["ben"].key in {record.lease for record in Labs(ender.store, SCOPE).records}) == (
        None,
        True,
    )
    assert not any(entry["released"] for entry in result["leases"] if entry["user_id"] == "ben")


def test_check_mode_predicts_what_would_be_ended():
    result, ender = end_with([ANNA, BEN], "ben", check_mode=True)
    assert ender.keys == {LEASES["anna"].key, LEASES["ben"].key}
    assert result["summary"]["released"] == 1
    assert not any(lease.released_at for lease in ender.store.leases.values())
