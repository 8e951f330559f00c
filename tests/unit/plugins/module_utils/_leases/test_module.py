# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that issue share: rows, labs and results. How they end is tested with the simulator too."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LAB_RECORDS, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import Row, build_fact
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome

from tests.unit.plugins.module_utils._leases.lease_tasks import (
    ANNA,
    ANNA_CAD,
    BEN,
    CAD,
    CLEO,
    HOUR,
    LEASES,
    OFFICE,
    join,
    task_of,
)
from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    MemoryStore,
    after,
    build_key,
    build_policy,
    lease_of,
)

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
        for record in Labs(store, SCOPE).get_records("mine")
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
    issuing = task.describe_issuing(outcomes, joined=False)
    return removed, task.build_result(outcomes, describe, "url", issuing, removed=removed)[0]


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
        (
            dict(withdraw_limit=0),
            "1 of 2 learners would be withdrawn, more than withdraw_limit (0) allows: ben. Check the list of learners, "
            "or raise withdraw_limit.",
        ),
        (
            dict(rows=[CLEO]),
            "All 2 learners would be withdrawn: anna, ben. Check the list of learners, or end the lab.",
        ),
    ],
)
def test_too_many_are_not_withdrawn_and_nothing_is_issued(options, message):
    store = lab_with_some_removed("anna", "ben")
    with pytest.raises(InvalidOption) as rejected:
        withdraw(store, withdraw_removed=True, **options)
    assert str(rejected.value) == message
    assert Labs(store, SCOPE).others_ahead(None, NOW) == Labs(store, SCOPE).get_records("mine")
    assert len(Labs(store, SCOPE).get_records("mine")) == 2


@pytest.mark.parametrize("is_purged", [False, True])
def test_a_learner_whose_lease_had_leaked_is_still_one_of_the_lab_when_others_are_withdrawn(is_purged):
    # Given a lab of two, of whom one gets another generation while the other leaves.
    store = lab_with_some_removed("anna", "ben")
    labs = Labs(store, SCOPE)
    [leaked] = [record for record in labs.get_records("mine") if record.learner_id == "anna"]
    labs.purge([leaked]) if is_purged else labs.leave([leaked], NOW)

    # Then that is not all of the lab.
    [removed], _result = withdraw(store, [replace(ANNA_CAD, generation=int(is_purged))], withdraw_removed=True)
    assert (removed["id"], removed["released"]) == ("ben", True)


URL = "https://streaming.example.org/?secret=swordfish"


IDENTITY = dict(id="4711", name="Anna Example", email="anna@example.org")


def describe(outcome):
    return dict(url=outcome.lease and outcome.lease.url)


def result_of(task, outcomes):
    return task.build_result(outcomes, describe, "url", task.describe_issuing(outcomes, joined=False))


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
