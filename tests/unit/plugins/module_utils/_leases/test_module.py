# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that issue share: rows, releasing and results. How they end is tested with the simulator too."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import LeaseTask, Row, build_fact
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome

from tests.unit.plugins.module_utils.support import DAY, NOW, SCOPE, MemoryStore, build_key, build_policy, lease_of

CAD, OFFICE = build_purpose(application_id="cad"), build_purpose(application_id="office")
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
ANNA, BEN, CLEO = (Row(holder, {}) for holder in ("anna", "ben", "cleo"))
ANNA_CAD = Row("anna", {}, CAD)
HOUR = build_policy(validity=3600)


def task_of(rows=(), *, scope=SCOPE, store=None, check_mode=False, **params):
    """A task with these rows and parameters, that notes warnings and the message that it failed with."""
    params = dict(lab=None, purge=False, return_urls=True, lease_store="sqlite:///x") | params
    failed: list[str] = []
    module = SimpleNamespace(params=params, check_mode=check_mode, _diff=True, warnings=[], failed=failed)
    module.warn = module.warnings.append
    module.bugs = []

    def fail_json(*, msg, bug):
        failed.append(msg)
        module.bugs += [bug] if bug else []

    module.fail_json = fail_json
    return LeaseTask(module, MemoryStore() if store is None else store, lambda: NOW, scope, rows)


def absent(rows, *, store=None, leases=None, **options):
    """The result and the store after a run that releases these rows' leases, or those of the lab."""
    store = store or MemoryStore()
    store.leases = {lease.key: lease for lease in leases or LEASES.values()}
    task = task_of(rows, store=store, **options)
    found = task.find_to_release()
    return dict(task.release(found), changed=bool(found)), store


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
            [Row("anna", {}, build_purpose(application_id="paint"))], set(), set(), id="a purpose that has no lease"
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
@pytest.mark.parametrize(("rows", "lab"), [([ANNA], None), ([], "monday")])
def test_of_a_scope_that_nobody_knows_any_more_nothing_is_read_or_released(rows, lab, purge):
    class Unread(MemoryStore):
        """As DynamoDB, which refuses an empty key."""

        def find(self, scope, **options):
            raise AssertionError

    result, store = absent(rows, scope="", store=Unread(), lab=lab, purge=purge)
    assert not result["changed"]
    assert (store.writes, named(store.leases)) == (0, set(LEASES))


@pytest.mark.parametrize("purge", [False, True])
def test_check_mode_returns_the_same_and_releases_nothing(purge):
    predicted, store = absent([ANNA], purge=purge, check_mode=True)
    done, _store = absent([ANNA], purge=purge)
    assert predicted == done
    assert (store.writes, named(store.leases)) == (0, set(LEASES))


def test_a_purge_also_removes_what_is_past_its_retention():
    # Given a record that nobody sees any more, in a table that does not delete by itself.
    store, dead = MemoryStore(), lease_of(lab="monday", expires=-40 * DAY)
    store.leases = {dead.key: dead}
    for purge, left in ((False, {dead.key: dead}), (True, {})):
        result, store = absent([ANNA], store=store, leases=[dead], purge=purge)
        assert result["changed"] is purge
        assert store.leases == left


@pytest.mark.parametrize("purge", [False, True])
def test_a_store_that_fails_fails_the_task(purge):
    class Failing(MemoryStore):
        def release(self, keys, *, lab=None):
            raise LeaseStoreError("The lease store x is full.")

        purge = release

    with pytest.raises(LeaseStoreError):
        absent([ANNA], purge=purge, store=Failing())


def test_what_another_lab_has_taken_over_meanwhile_is_left_alone():
    class Overtaken(MemoryStore):
        """Another run issues between the reading and the releasing."""

        def release(self, keys, **options):
            self.leases[build_key("ben")] = taken
            super().release(keys, **options)

    taken = lease_of(build_key("ben"), lab="wednesday")
    _result, store = absent([], lab="tuesday", store=Overtaken())
    assert store.leases[build_key("ben")] == taken
    # But whoever names a holder means whatever the holder has.
    _result, store = absent([BEN], store=Overtaken())
    assert store.leases[build_key("ben")].released_at


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
    ],
)
def test_an_empty_store_can_be_as_it_should(path, rows, options):
    path.touch()
    task = task_of(rows, **{"lab": "monday", "lease_store": f"sqlite://{path}", **options})

    assert task.find_to_release() == []


def test_a_file_with_other_labs_is_not_a_deleted_one(path):
    result, _store = absent([], lab="wednesday", lease_store=f"sqlite://{path}")

    assert not result["changed"]
