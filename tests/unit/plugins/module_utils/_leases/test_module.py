# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that issue share: rows, releasing and results. How they end is tested with the simulator too."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS, LabRecord, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import LeaseTask, Row, build_fact
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome

from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    MemoryStore,
    after,
    build_key,
    build_policy,
    lease_of,
)

CAD, OFFICE = build_purpose(application_id="cad"), build_purpose(application_id="office")
ELSEWHERE = SCOPE + "-2"
LEASES = {
    "anna": lease_of(build_key("anna")),
    "anna for cad": lease_of(build_key("anna", CAD)),
    "anna for office": lease_of(build_key("anna", OFFICE), expires=-1),
    "anna elsewhere": lease_of(build_key("anna", scope=ELSEWHERE)),
    "anna for cad elsewhere": lease_of(build_key("anna", CAD, scope=ELSEWHERE)),
    "ben": lease_of(build_key("ben")),
    "ben for cad": lease_of(build_key("ben", CAD)),
    "Anna": lease_of(build_key("Anna")),
}
LABS = {
    "monday": ["anna", "anna elsewhere"],
    "tuesday": ["anna for cad", "anna for cad elsewhere", "ben", "ben for cad"],
}


def row_of(holder, purpose=""):
    """A row without an identity."""
    return Row.build("user_id", dict(user_id=holder), purpose)


ANNA, BEN, CLEO = map(row_of, ("anna", "ben", "cleo"))
ANNA_CAD = row_of("anna", CAD)
HOUR = build_policy(validity=3600)


def task_of(rows=(), *, scope=SCOPE, store=None, check_mode=False, is_query=False, **params):
    """A task with these rows and parameters, that notes warnings and the message that it failed with."""
    params = (
        dict(
            lab=None,
            purge=False,
            force=False,
            withdraw_removed=False,
            withdraw_limit=None,
            return_urls=True,
            lease_store="sqlite:///x",
        )
        | params
    )
    failed: list[str] = []
    module = SimpleNamespace(
        params=params, check_mode=check_mode, is_query=is_query, _diff=True, warnings=[], failed=failed
    )
    module.warn = module.warnings.append
    module.bugs = []

    def fail_json(*, msg, bug):
        failed.append(msg)
        module.bugs += [bug] if bug else []

    module.fail_json = fail_json
    return LeaseTask(module, MemoryStore() if store is None else store, lambda: NOW, scope, rows, "user_id")


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
    for known in task.release(task.find_to_release()):
        result |= known
    return result


def join(store, lab, *names, ends_at=3600, **fields):
    """Have a lab use the leases of these names."""
    records = [LabRecord(lab, LEASES[name].key, LEASES[name].key.holder, after(ends_at), **fields) for name in names]
    Labs(store, None).join(records)
    return records


def named(keys):
    """The names that the leases of these keys have above."""
    keys = set(keys)
    return {name for name, lease in LEASES.items() if lease.key in keys}


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
            error = LeaseStoreError("The lease store x is full.")
            error.changed = changed
            raise error

        purge = release

    store = Failing()
    store.leases = {lease.key: lease for lease in LEASES.values()}
    task = task_of([ANNA_CAD, BEN], store=store, purge=purge)
    results = task.release(task.find_to_release())
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


# Labs.


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
    assert Labs(store, SCOPE).of("other") == [theirs]
    assert [record.is_ahead(NOW) for record in Labs(store, SCOPE).of("mine")] == ([] if purge else [False, False])


def test_an_end_that_fails_halfway_is_a_change_and_releases_nothing(monkeypatch):
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in ("anna", "ben")}
    join(store, "mine", "anna", "ben")
    task = task_of(store=store, lab="mine")
    release = task.find_to_release()
    for written, changed in (([LeaseStoreError("full")] * 2, False), ([object(), LeaseStoreError("full")], True)):
        monkeypatch.setattr(store.records(LAB_RECORDS), "write", lambda _changes, written=written: written)
        results = task.release(release)
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


def test_the_end_of_a_large_lab_takes_time_in_proportion_to_its_learners():
    # Given two labs with 4,000 learners each, all of whom are in both.
    store, keys = MemoryStore(), [build_key(f"learner-{number}") for number in range(4000)]
    for lab in ("mine", "other"):
        Labs(store, None).join(LabRecord(lab, key, key.holder, after(3600)) for key in keys)
    begun = time.process_time()

    # When one ends, then it takes a tenth of this; if each were compared with each, three times this.
    entries = release(store, [], lab="mine")["leases"]
    assert time.process_time() - begun < 2
    assert [entry["labs"] for entry in entries] == [["other"]] * 4000


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
        "Nothing is stored of lab 'wednesday' here, so nothing was released. The labs known here: monday, tuesday."
    ]


def test_with_rows_a_lab_is_ended_for_these_alone():
    result, store = absent([BEN], lab="tuesday")
    assert [entry["user_id"] for entry in result["leases"]] == ["ben"]
    assert named(key for key, lease in store.leases.items() if lease.released_at) == {"ben"}
    ahead = {record.lease for record in Labs(store, SCOPE).of("tuesday") if record.is_ahead(NOW)}
    assert named(ahead) == {"anna for cad", "ben for cad"}


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
    found = task.find_to_release()
    join(store, "other", "anna")
    [result] = task.release(found)
    assert result["summary"]["released"] == 0
    assert not store.leases[LEASES["anna"].key].released_at


UNTIL = build_policy(valid_until=after(7200))


def joined(store, rows=(ANNA,), policy=HOUR, starts_at=None, **options):
    """Whether a run makes the lab use new leases, and how many records it writes."""
    task = task_of(rows, store=store, lab="mine", **options)
    records = store.records(LAB_RECORDS)
    before = records.writes
    return task.join(policy, starts_at), records.writes - before


@pytest.mark.parametrize(("policy", "ends_at"), [(HOUR, 3600), (UNTIL, 7200)])
def test_a_lab_that_joins_is_stored_with_its_learners_and_times_once(policy, ends_at):
    store = MemoryStore()
    row = Row.build("user_id", dict(user_id="anna", id="4711"))
    assert joined(store, [row, BEN], policy, after(60)) == (True, 2)
    assert joined(store, [row, BEN], policy, after(60)) == (False, 0)
    assert [
        (record.lease.holder, record.learner_id, record.starts_at, record.ends_at)
        for record in Labs(store, SCOPE).of("mine")
    ] == [("anna", "4711", after(60), after(ends_at)), ("ben", "ben", after(60), after(ends_at))]
    assert store.leases == {}


@pytest.mark.parametrize(
    ("stored", "policy", "options", "expected"),
    [
        pytest.param(dict(ends_at=3600), UNTIL, {}, (False, 1), id="it ends later"),
        pytest.param(dict(ends_at=9999), UNTIL, {}, (False, 1), id="it ends earlier"),
        pytest.param(dict(ends_at=1000), HOUR, {}, (False, 0), id="its URL is good enough"),
        pytest.param(dict(ends_at=300), HOUR, {}, (False, 1), id="its URL is renewed"),
        pytest.param(dict(ends_at=1000), HOUR, dict(force=True), (False, 1), id="its URL is renewed by force"),
        pytest.param(dict(starts_at=after(60)), HOUR, {}, (False, 1), id="it starts at another time"),
        pytest.param(dict(ended_at=NOW), HOUR, {}, (True, 1), id="it was ended"),
        pytest.param(dict(ends_at=-1), HOUR, {}, (True, 1), id="it was over"),
    ],
)
def test_a_lab_is_stored_again_only_if_its_times_are_others(stored, policy, options, expected):
    store = MemoryStore()
    join(store, "mine", "anna", **stored)
    assert joined(store, policy=policy, **options) == expected


def test_check_mode_predicts_that_a_lab_joins_and_checks_the_store():
    store = MemoryStore()
    assert joined(store, check_mode=True) == (True, 0)
    assert store.checks == 1


def test_other_labs_whose_urls_were_renewed_are_outdated():
    store = MemoryStore()
    join(store, "mine", "anna", "ben")
    join(store, "renewed", "anna")
    join(store, "reused", "ben")
    join(store, "over", "anna", ends_at=-1)
    task = task_of([ANNA, BEN], store=store, lab="mine")
    anna, ben = task.rows
    renewed = Outcome(anna, LEASES["anna"], lease_of(anna), issued=True)
    reused = Outcome(ben, LEASES["ben"], LEASES["ben"])
    assert result_of(task, [renewed, reused])[0]["outdated_labs"] == ["renewed"]
    assert result_of(task, [reused])[0]["outdated_labs"] == []


def lab_with_some_removed(*names):
    """A lab of these learners, who have leases."""
    store = MemoryStore()
    store.leases = {LEASES[name].key: LEASES[name] for name in names}
    join(store, "mine", *names)
    return store


def withdraw(store, rows=(ANNA_CAD,), **options):
    """What a run with these rows returns of the learners who were removed, before and after it has withdrawn them."""
    task = task_of(rows, store=store, lab="mine", **options)
    outcomes, _joined = task.issue(SimpleNamespace(run=lambda *_arguments: []), HOUR)
    removed = task.withdraw()
    return removed, task.build_result(outcomes, describe, "url", removed=removed)[0]


def test_learners_who_are_not_among_the_rows_any_more_are_named():
    # Given a lab of three, of whom one has another lease by now, one has left, and one was released.
    store = lab_with_some_removed("anna", "ben")
    join(store, "mine", "Anna", ended_at=NOW)

    # When the lab runs with the first alone, then it is the second who is missing, and nothing is done to him.
    removed, result = withdraw(store)
    ben = dict(id="ben", user_id="ben", lease=build_key("ben").to_text(), expires="2026-11-21T09:00:00Z")
    assert removed == result["removed"] == [dict(ben, released=False, labs=[], other_labs=[])]
    assert (result["changed"], store.leases[build_key("ben")].released_at) == (False, None)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("other", [False, True])
def test_learners_who_are_withdrawn_lose_their_leases_for_all_labs(check_mode, other):
    store = lab_with_some_removed("anna", "ben")
    if other:
        join(store, "other", "ben")

    [removed], result = withdraw(store, withdraw_removed=True, check_mode=check_mode)

    assert (removed["released"], removed["labs"], result["changed"]) == (True, ["other"] if other else [], True)
    assert (store.leases[build_key("ben")].released_at is None) is check_mode
    ahead = [record.lab for record in Labs(store, SCOPE).others_ahead(None, NOW) if record.learner_id == "ben"]
    assert ahead == (["mine", "other"] if other else ["mine"]) * check_mode
    # Once that is done, it is done.
    assert (withdraw(store, withdraw_removed=True)[0] == []) is not check_mode


def test_learners_who_are_withdrawn_keep_their_other_leases_of_other_labs_which_are_named():
    store = lab_with_some_removed("anna", "ben")
    store.leases[LEASES["ben for cad"].key] = LEASES["ben for cad"]
    join(store, "other", "ben for cad")
    [removed], _result = withdraw(store, withdraw_removed=True)
    assert (removed["labs"], removed["other_labs"]) == ([], ["other"])
    assert [record.lab for record in Labs(store, SCOPE).others_ahead("mine", NOW)] == ["other"]
    assert store.leases[LEASES["ben for cad"].key].released_at is None


def test_a_withdrawal_whose_release_fails_is_repeated(monkeypatch):
    store = lab_with_some_removed("anna", "ben")
    with monkeypatch.context() as failing:
        failing.setattr(store, "release", lambda _leases: (_ for _ in ()).throw(LeaseStoreError("full")))
        with pytest.raises(LeaseStoreError):
            withdraw(store, withdraw_removed=True)
    [removed], _result = withdraw(store, withdraw_removed=True)
    assert (removed["user_id"], removed["released"]) == ("ben", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(withdraw_limit=0), "1 of 2 learners would be withdrawn, more than withdraw_limit (0) allows: ben."),
        (dict(rows=[CLEO]), "2 of 2 learners would be withdrawn, all that it has: anna, ben."),
    ],
)
def test_too_many_are_not_withdrawn_and_nothing_is_issued(options, message):
    store = lab_with_some_removed("anna", "ben")
    with pytest.raises(InvalidOption) as rejected:
        withdraw(store, withdraw_removed=True, **options)
    assert str(rejected.value) == f"{message} Check the list of learners."
    assert Labs(store, SCOPE).others_ahead(None, NOW) == Labs(store, SCOPE).of("mine")
    assert len(Labs(store, SCOPE).of("mine")) == 2


# Rows and results.

URL = "https://streaming.example.org/?secret=swordfish"
IDENTITY = dict(id="4711", name="Anna Example", email="anna@example.org")


def describe(outcome):
    return dict(url=outcome.lease and outcome.lease.url)


def result_of(task, outcomes):
    return task.build_result(outcomes, describe, "url")


def test_an_identity_travels_with_the_row_and_a_row_without_one_has_none():
    row = Row.build("user_id", dict(user_id="anna", other="x", **IDENTITY), CAD, application_id="cad")
    assert row == Row("anna", dict(IDENTITY, user_id="anna", application_id="cad"), CAD)
    assert row.learner_id == "4711"
    assert Row.build("user_id", dict(user_id="anna")).values == dict(id=None, name=None, email=None, user_id="anna")


@pytest.mark.parametrize("option", ["id", "name", "email"])
def test_an_identity_that_is_not_unicode_is_rejected_and_not_quoted(option):
    with pytest.raises(InvalidOption) as rejected:
        Row.build("user_id", {"user_id": "anna", option: "Anna Example \ud800"})
    assert str(rejected.value) == f"{option} of 'anna' has an unpaired surrogate: correct it."


def test_what_the_service_granted_otherwise_than_asked_is_a_warning():
    task = task_of([ANNA])
    [key] = task.rows
    task.finish([Outcome(key, None, lease_of(key, expires=7200), issued=True)], HOUR)
    assert len(task.module.warnings) == 1
    assert task.module.warnings[0].startswith("The service granted more time than was asked for: ")
    assert task.module.failed == []


def test_a_bug_of_one_row_leaves_the_result_as_it_is_and_is_reported_without_its_text():
    # Given a row for which there is a bug, and one that is issued.
    task = task_of([ANNA, BEN])
    anna, ben = task.rows
    error = KeyError(URL)
    bug = Outcome(anna, None).failed(error)

    # When the task ends.
    result, entries = result_of(task, [bug, Outcome(ben, None, lease_of(ben), issued=True)])
    task.finish([bug], HOUR)

    # Then it says so as of any failure, and hands on the exception for the report.
    [failure] = result["failures"]
    assert failure["code"] == "InternalError"
    assert failure["message"].startswith("internal error in labstream.aws (KeyError at ")
    assert (result["changed"], len(entries)) == (True, 2)
    assert failure["message"] in task.module.failed[0]
    assert task.module.bugs == [error]
    assert URL not in f"{result} {task.module.failed}"


def test_entries_and_failures_have_the_identity_and_facts_and_texts_do_not():
    # Given two rows of one holder, of which one fails.
    rows = [Row.build("user_id", dict(user_id="anna", **IDENTITY), purpose) for purpose in (CAD, OFFICE)]
    task = task_of(rows)
    cad, office = task.rows
    failed = Outcome(office, None, failure=Failure("NotReady", "It is full."))
    good = Outcome(cad, None, lease_of(cad, url=URL, purpose=CAD), issued=True)

    # When the result is built.
    result, entries = result_of(task, [good, failed])
    task.finish([good, failed], HOUR)

    # Then each has its row's identity, and its lease's key, which another run has too.
    assert entries[0] == dict(IDENTITY, user_id="anna", url=None, issued=True, lease=cad.to_text())
    assert entries[1] == dict(IDENTITY, user_id="anna", url=None, issued=False, lease=office.to_text())
    assert result["failures"] == [dict(IDENTITY, user_id="anna", code="NotReady", message="It is full.")]
    fact = build_fact(entries[0], "url")
    assert fact == dict(user_id="anna", issued=True, lease=cad.to_text())
    texts = repr([result["diff"], result["summary"], fact, task.module.failed, task.module.warnings])
    assert not [value for value in IDENTITY.values() if value in texts]
    assert "swordfish" not in repr([result, entries]) + texts


@pytest.mark.parametrize("return_urls", [True, False])
def test_urls_are_returned_if_they_are_wanted_and_none_failed(return_urls):
    task = task_of([ANNA], return_urls=return_urls)
    [key] = task.rows
    outcome = Outcome(key, None, lease_of(key, url=URL), issued=True)
    assert result_of(task, [outcome])[1][0]["url"] == (URL if return_urls else None)


@pytest.mark.parametrize(("lease_store", "warnings"), [("sqlite:///x", 0), ("none", 1)])
def test_a_task_without_a_store_warns(lease_store, warnings):
    task = task_of([ANNA], lease_store=lease_store)
    [key] = task.rows
    task.finish([Outcome(key, None, lease_of(key), issued=True)], HOUR)
    assert len(task.module.warnings) == warnings
    assert task.module.failed == []


@pytest.mark.parametrize(("stored", "new"), [([], {"anna", "ben"}), (["anna"], {"ben"}), (["anna", "ben"], set())])
def test_rows_that_nothing_is_stored_of_are_validated_before_anything_is_issued(stored, new):
    store = MemoryStore()
    store.leases = {LEASES[holder].key: LEASES[holder] for holder in stored}

    def reject(keys):
        assert keys == {build_key(holder) for holder in new}
        raise InvalidOption

    with pytest.raises(InvalidOption):
        task_of([ANNA, BEN], store=store, lab="mine").issue(SimpleNamespace(), HOUR, validate_new=reject)
    assert Labs(store, SCOPE).names == []


# In a runner, whose files are usually deleted.


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
        task.find_to_release()

    assert str(rejected.value) == (
        f"Nothing is known of lab 'monday', since the lease store {path} is empty, and GITLAB_CI is set, as in a job "
        "of GitLab CI/CD, whose files are usually deleted when it ends: set lease_store to the store that the lab was "
        "started with."
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

    assert task.find_to_release().keys == []


def test_a_file_with_other_labs_is_not_a_deleted_one(path):
    result, _store = absent([], lab="wednesday", lease_store=f"sqlite://{path}")

    assert not result["changed"]
