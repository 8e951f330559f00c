# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import Row
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.modules import appstream_streaming_url as streaming_url
from ansible_collections.labstream.aws.plugins.modules.appstream_streaming_url import (
    build_facts,
    build_parameters,
    build_policy,
    describe_outcome,
    parse_rows,
    validate_case,
)

from tests.unit.plugins.module_utils.module_arguments import patch_module_args
from tests.unit.plugins.module_utils.support import NOW, SCOPE, MemoryStore, build_key, lease_of

WEEK = 604_800


def params(**given):
    """Arguments of the module, as Ansible hands them over: what is not given is None."""
    names = ("user_id", "users", "application_id", "session_context", "validity", "valid_until", "min_remaining")
    return {**dict.fromkeys(names), **given}


def user(user_id, application_id=None, session_context=None):
    """An entry of ``users``, as Ansible hands it over."""
    return dict(user_id=user_id, application_id=application_id, session_context=session_context)


def row(user_id, application_id=None, session_context=None, **identity):
    """What is asked for by such an entry."""
    opens = dict(application_id=application_id, session_context=session_context)
    values = dict(id=None, name=None, email=None, user_id=user_id, **opens) | identity
    return Row(user_id, values, build_purpose(**opens))


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        pytest.param(dict(user_id="anna"), [row("anna", None, None)], id="one user"),
        pytest.param(
            dict(user_id="anna", application_id="cad", session_context="unit-7"),
            [row("anna", "cad", "unit-7")],
            id="one user with a purpose",
        ),
        pytest.param(
            dict(users=[user("ben"), user("anna")]),
            [row("ben", None, None), row("anna", None, None)],
            id="a lab, in its order",
        ),
        pytest.param(
            dict(users=[user("anna"), user("ben", "office"), user("cleo", None, "x")], application_id="cad"),
            [row("anna", "cad", None), row("ben", "office", None), row("cleo", "cad", "x")],
            id="what an entry leaves out is the lab's",
        ),
        pytest.param(
            dict(users=[user("anna", "cad"), user("anna", "office"), user("anna", "cad", "x"), user("ben", "cad")]),
            [
                row("anna", "cad", None),
                row("anna", "office", None),
                row("anna", "cad", "x"),
                row("ben", "cad", None),
            ],
            id="one user with several purposes, and another",
        ),
        pytest.param({}, [], id="nobody, for state=absent with a lab"),
    ],
)
def test_the_arguments_say_whose_urls_are_asked_for(given, rows):
    assert parse_rows(params(**given)) == rows


TWICE = "with the same application_id and session_context: remove one, or give them different user ids."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(dict(users=[]), "users is empty: name at least one user.", id="an empty lab"),
        pytest.param(
            dict(users=[user("anna"), user("ben"), user("anna")]),
            f"Entries 1 and 3 of users are both 'anna', {TWICE}",
            id="twice",
        ),
        pytest.param(
            dict(users=[user("anna"), user("ben"), user("Anna", "cad")]),
            "Entries 1 and 3 of users have the user ids 'anna' and 'Anna', which differ only in case, but are two "
            "users of AppStream 2.0: correct one.",
            id="twice, in another case",
        ),
        pytest.param(
            dict(users=[user("anna", "cad"), user("ben"), user("ben"), user("anna", "cad")]),
            f"Entries 2 and 3 of users are both 'ben', {TWICE}",
            id="the first of two that are there twice",
        ),
        pytest.param(
            dict(users=[user("anna", "cad"), user("anna")], application_id="cad"),
            f"Entries 1 and 2 of users are both 'anna', {TWICE}",
            id="twice once the lab's application is filled in",
        ),
        pytest.param(
            dict(user_id="anna", application_id=""),
            "application_id of 'anna' is empty: leave it out, or give it a value.",
            id="an empty application",
        ),
        pytest.param(
            dict(users=[user("anna"), user("ben", None, "")], session_context="x"),
            "session_context of 'ben' is empty: leave it out, or give it a value.",
            id="an empty context",
        ),
    ],
)
def test_a_lab_that_cannot_be_served_is_rejected(given, expected):
    with pytest.raises(InvalidOption) as error:
        parse_rows(params(**given))
    assert str(error.value) == expected


@pytest.mark.parametrize("bad", ["", "a", "a" * 33, "anna example", "änna", "anna\n"])
def test_a_bad_user_id_is_rejected_wherever_it_stands(bad):
    for given in (dict(user_id=bad), dict(users=[user(bad)]), dict(users=[user("anna"), user(bad), user("ben")])):
        with pytest.raises(InvalidOption) as error:
            parse_rows(params(**given))
        assert str(error.value).startswith(f"user_id is {bad!r} (")


@pytest.mark.parametrize(
    ("given", "need"),
    [
        pytest.param({}, ReusePolicy(WEEK, validity=60), id="the API's default"),
        pytest.param(dict(validity=1), ReusePolicy(WEEK, validity=1), id="the shortest"),
        pytest.param(dict(validity=WEEK), ReusePolicy(WEEK, validity=WEEK), id="the longest"),
        pytest.param(
            dict(validity=3600, min_remaining=0),
            ReusePolicy(WEEK, validity=3600, min_remaining=0),
            id="nothing must remain",
        ),
        pytest.param(
            dict(valid_until="2026-11-21T17:00:00+01:00", min_remaining=900),
            ReusePolicy(WEEK, valid_until=datetime(2026, 11, 21, 16, tzinfo=UTC), min_remaining=900),
            id="a point in time",
        ),
    ],
)
def test_the_arguments_say_how_long_a_url_must_be_good(given, need):
    assert build_policy(params(**given)) == need


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (dict(validity=0), "validity is 0, but it must be from 1 to 604800 seconds (7 days)."),
        (dict(validity=-1), "validity is -1, but it must be from 1 to 604800 seconds (7 days)."),
        (dict(validity=604_801), "validity is 604801, but it must be from 1 to 604800 seconds (7 days)."),
        (
            dict(validity=60, min_remaining=60),
            "min_remaining is 60, but it must be from 0 to less than the validity of 60 seconds: a new URL would not "
            "meet it either.",
        ),
        (
            dict(min_remaining=3600),
            "min_remaining is 3600, but it must be from 0 to less than the validity of 60 seconds: a new URL would not "
            "meet it either.",
        ),
        (
            dict(valid_until="2026-11-21T17:00:00"),
            "valid_until is '2026-11-21T17:00:00', which has no offset from UTC: write it like "
            "2026-11-21T17:00:00+01:00.",
        ),
        (
            dict(valid_until=""),
            "valid_until is '', which is not a valid ISO 8601 timestamp: write it like 2026-11-21T17:00:00+01:00.",
        ),
    ],
)
def test_a_duration_that_the_service_does_not_grant_is_rejected(given, expected):
    with pytest.raises(InvalidOption) as error:
        build_policy(params(**given))
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lab": None}, "starts_at is the start of a lab: name the lab too, or leave starts_at out."),
        (
            {"starts_at": "2026-11-21T17:00:00+01:00"},
            "valid_until is 2026-11-21T16:00:00Z, which is not after starts_at, 2026-11-21T16:00:00Z: correct one of "
            "them.",
        ),
    ],
)
def test_a_start_is_that_of_a_lab_and_before_its_end(params, message):
    params = {"lab": "cad", "starts_at": "2026-11-21T16:00:00+01:00", **params}
    with pytest.raises(InvalidOption) as rejected:
        streaming_url.parse_starts_at(params, datetime(2026, 11, 21, 16, tzinfo=UTC))
    assert str(rejected.value) == message


@pytest.mark.parametrize(
    ("row_", "parameters", "purpose"),
    [
        (row("anna", None, None), {"UserId": "anna"}, ""),
        (
            row("anna", "cad", "unit-7"),
            {"UserId": "anna", "ApplicationId": "cad", "SessionContext": "unit-7"},
            '{"application_id":"cad","session_context":"unit-7"}',
        ),
        (
            row("anna", None, "unit-7"),
            {"UserId": "anna", "SessionContext": "unit-7"},
            '{"session_context":"unit-7"}',
        ),
    ],
)
def test_the_service_is_asked_for_what_is_given_and_no_more(row_, parameters, purpose):
    assert build_parameters(row_) == parameters
    assert row_.purpose == purpose


@pytest.mark.parametrize(
    ("outcome", "reported"),
    [
        pytest.param(
            Outcome(build_key(), None, lease_of(), issued=True), ("2026-11-21T09:00:00Z", True), id="a new URL"
        ),
        pytest.param(
            Outcome(build_key(), lease_of(), lease_of()), ("2026-11-21T09:00:00Z", False), id="one that was held"
        ),
        pytest.param(Outcome(build_key(), lease_of(), issued=True), (None, True), id="one that would be issued"),
        pytest.param(Outcome(build_key(), lease_of(), failure=Failure("Odd", "No.")), (None, False), id="none"),
    ],
)
def test_an_entry_has_the_url_and_when_it_expires(outcome, reported):
    expires, _issued = reported
    assert describe_outcome(outcome) == dict(streaming_url=outcome.lease and outcome.lease.url, expires=expires)


def test_the_identity_of_a_user_is_passed_through():
    entry = user("anna") | dict(id="4711", name="Anna Example", email="anna@example.org")
    [parsed] = parse_rows(params(users=[entry]))
    assert parsed == row("anna", id="4711", name="Anna Example", email="anna@example.org")


def test_users_of_different_identities_with_one_user_id_are_one_user_twice():
    with pytest.raises(InvalidOption, match=r"^Entries 1 and 2 of users are both 'anna'"):
        parse_rows(params(users=[user("anna") | dict(id="1"), user("anna") | dict(id="2")]))


def test_the_fact_lists_the_entries_of_each_user_in_order():
    entries = [dict(user_id="ben", n=1), dict(user_id="anna", n=2), dict(user_id="ben", n=3)]
    assert build_facts(entries) == {"ben": [entries[0], entries[2]], "anna": [entries[1]]}
    assert list(build_facts(entries)) == ["ben", "anna"]
    assert build_facts([]) == {}


def task_of(store, *holders, scope=SCOPE):
    return SimpleNamespace(store=store, scope=scope, rows={build_key(holder): None for holder in holders})


@pytest.mark.parametrize(
    ("holders", "message"),
    [
        pytest.param(["anna", "chloe"], None, id="as stored, and new"),
        pytest.param(["Anna", "ANNA"], None, id="stored in two cases"),
        pytest.param(["Ben"], "'Ben' is stored as 'ben'", id="released"),
        pytest.param(["Dora"], "'Dora' is stored as 'dora'", id="expired, and for an application"),
        pytest.param(["Ben", "Dora", "anna"], "'Ben' is stored as 'ben', 'Dora' is stored as 'dora'", id="several"),
        pytest.param(["EVE"], None, id="of another fleet"),
    ],
)
def test_a_user_id_that_is_stored_in_another_case_is_rejected_with_both(holders, message):
    store = MemoryStore()
    leases = [
        *(lease_of(build_key(holder)) for holder in ("anna", "Anna", "ANNA")),
        lease_of(build_key("ben"), released_at=NOW),
        lease_of(build_key("dora", build_purpose(application_id="cad")), expires=-3600),
        lease_of(build_key("eve", scope="elsewhere")),
    ]
    store.leases = {lease.key: lease for lease in leases}
    task = task_of(store, *holders)
    if message is None:
        validate_case(task, task.rows.keys())
        return
    with pytest.raises(InvalidOption) as rejected:
        validate_case(task, task.rows.keys())
    assert str(rejected.value) == (
        f"To AppStream 2.0, a user id in another case is another user with another home folder, and {message}: write "
        "each as it is stored, or purge its lease first (state=absent, purge=true)."
    )


def test_without_a_new_user_no_scope_is_read():
    store = SimpleNamespace()  # As one that cannot be read.
    validate_case(task_of(store, "anna"), set())


@pytest.mark.parametrize(
    ("asked", "granted", "warning"),
    [
        pytest.param(2 * 3600, 2 * 3600, None, id="as asked"),
        pytest.param(2 * 3600, 3600, "The service granted less time than was asked for: 1 new", id="less"),
        pytest.param(2 * WEEK, WEEK, "valid_until is more than 7 days away, and no URL lasts that long", id="too far"),
    ],
)
def test_a_url_that_does_not_last_is_said_with_its_reason(monkeypatch, capsys, asked, granted, warning):
    # Given a service that grants so many seconds.
    warnings, now = [], datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(streaming_url.LabstreamAWSModule, "warn", lambda _module, text: warnings.append(text))
    names = dict(stack_name="x", fleet_name="y", stack_arn="x", fleet_arn="y")
    target = SimpleNamespace(**names, region="r", created=now, fleet={})
    expires = now + timedelta(seconds=granted)
    monkeypatch.setattr(streaming_url, "describe_target", lambda _module, _client: target)
    monkeypatch.setattr(streaming_url.appstream, "create_streaming_url", lambda *_a, **_p: ("https://x", expires))
    arguments = dict(
        stack_name="x",
        fleet_name="y",
        user_id="anna",
        lease_store="none",
        valid_until=(now + timedelta(seconds=asked)).isoformat(),
        region="eu-central-1",
        access_key="nobody",
        secret_key="nothing",
    )

    # When a URL until then is asked for.
    with patch_module_args(arguments), pytest.raises(SystemExit):
        streaming_url.main()

    # Then the warning says why it does not last, and the result when to run again.
    result = json.loads(capsys.readouterr().out)
    assert result["summary"]["issued"] == 1, result
    said = [text for text in warnings if not text.startswith("lease_store is none")]
    assert [text[: len(warning or "")] for text in said] == ([warning] if warning else [])
    assert result["renew_before"] == (to_iso8601(expires) if warning else None)
