# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.arguments import (
    build_policy,
    parse_rows,
    parse_settings,
    validate_recovery,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import StreamUrl
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import CheckedUrl, UrlSettings
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.validation import Resolution
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.modules.gamelift_stream_url import (
    build_replacement_warning,
    collect,
    describe_outcome,
    find_in_use,
    parse_learners,
)

from tests.unit.plugins.module_utils.support import build_key, pending_lease_of, resource_lease_of

HOUR = 3600
MOST = 2**31 - 1
URL = "https://streaming.example.org/?secret"
APPLICATION_ARN = "arn:aws:gameliftstreams:us-west-2:111122223333:application/a-lab"


def params(**given):
    """Arguments of the module, as Ansible hands them over: what is not given has its default, most often None."""
    names = ("learner", "learners", "expires_after_minutes", "valid_until", "min_remaining_uses", "session_length")
    more = ("launch_args", "environment", "role_arn", "resolution", "min_remaining")
    defaults = dict(
        stream_group="sg-lab",
        application="a-lab",
        locations=["eu-central-1"],
        usage_limit=5,
        state="present",
        force=False,
        purge=False,
        recover=False,
        revoke_duplicates=False,
    )
    return {**dict.fromkeys((*names, *more)), **defaults, **given}


def rejection(function, given):
    with pytest.raises(InvalidOption) as rejected:
        function(params(**given))
    return str(rejected.value)


def rows_of(given):
    return parse_rows(parse_learners(given), parse_settings(given))


# Learners


@pytest.mark.parametrize(
    ("given", "holders"),
    [
        (dict(learner="Anna"), ["anna"]),
        (dict(learners=["b", "A", 7]), ["b", "a", "7"]),
        (dict(learners=[{"id": "Anna  Example "}, "BEN@example.org"]), ["anna example", "ben@example.org"]),
        (dict(learners=["学生", "Jos\u00e9"]), ["学生", "jos\u00e9"]),
        ({}, []),
    ],
)
def test_learners_are_ids_or_have_them_and_case_does_not_matter(given, holders):
    assert [row.holder for row in rows_of(params(**given))] == holders


def test_the_identity_of_a_learner_is_passed_through():
    identity = dict(id="Anna", name="Anna Example", email="anna@example.org")
    [row] = rows_of(params(learners=[identity]))
    assert (dict(row.values), row.generation, row.name) == (identity, 0, "anna")


def test_a_later_generation_has_another_purpose():
    rows = [rows_of(params(learners=[{"id": "anna", "generation": number}]))[0] for number in (0, 1, "2")]
    assert len({row.purpose for row in rows}) == 3
    assert [row.generation for row in rows] == [0, 1, 2]


@pytest.mark.parametrize(
    ("learners", "message"),
    [
        ([], "learners is empty: name at least one learner."),
        (["a", "b", "B"], "Entries 2 and 3 of learners are both 'b': remove one; upper and lower case are the same."),
        (["a", None], "The id in entry 2 of learners is missing: give one."),
        ([{"name": "Anna"}], "The id in entry 1 of learners is missing: give one."),
        (
            [True],
            "The id in entry 1 of learners is the boolean true, so how it was written is lost: put it in quotes.",
        ),
        ([["a"]], "Entry 1 of learners is not valid: argument 'id' is of type"),
        ([{"id": "a", "mail": "x"}], "Entry 1 of learners is not valid: mail. Supported parameters include: "),
        ([{"id": "a", "generation": "x"}], "Entry 1 of learners is not valid: argument 'generation' is of type"),
        (
            [{"id": "a", "generation": -1}],
            "The generation of learner 'a' is -1, but it must be a whole number from 0 to 1000.",
        ),
        (
            [""],
            "The id of a learner is '', but it must have 1 to 200 Unicode characters, none of them a control "
            "character.",
        ),
        (
            ["a\nb"],
            r"The id of a learner is 'a\nb', but it must have 1 to 200 Unicode characters, none of them a control "
            "character.",
        ),
        (["x" * 201], f"The id of a learner is '{'x' * 37}...{'x' * 38}', but it must have 1 to 200"),
        (["\ud800"], r"The id of a learner is '\ud800', which has an unpaired surrogate."),
        (["\ue000"], r"The id of a learner is '\ue000', which has a character that cannot be printed."),
        ([{"id": "a", "email": "\ud800"}], "email of 'a' has an unpaired surrogate: correct it."),
    ],
)
def test_what_does_not_identify_learners_is_rejected(learners, message):
    assert rejection(rows_of, dict(learners=learners)).startswith(message)


# What stream URLs are created with


def test_arguments_become_settings():
    given = params(
        application=APPLICATION_ARN,
        locations=["b", "a"],
        usage_limit=3,
        min_remaining_uses=0,
        session_length=600,
        launch_args=["--x"],
        environment={"A": 1, "B": "x"},
        role_arn="arn:aws:iam::123456789012:role/lab",
        resolution="1280x720",
    )
    assert parse_settings(given) == UrlSettings(
        "a-lab",
        ["b", "a"],
        3,
        0,
        600,
        ["--x"],
        {"A": "1", "B": "x"},
        "arn:aws:iam::123456789012:role/lab",
        Resolution(1280, 720),
    )


@pytest.mark.parametrize(("usage_limit", "least"), [(1, 1), (2, 2), (5, 2)])
def test_two_uses_must_remain_by_default_but_no_more_than_a_new_url_has(usage_limit, least):
    assert parse_settings(params(usage_limit=usage_limit)).min_remaining_uses == least


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(usage_limit=0), f"usage_limit is 0, but it must be from 1 to {MOST}."),
        (dict(usage_limit=MOST + 1), f"usage_limit is {MOST + 1}, but it must be from 1 to {MOST}."),
        (dict(min_remaining_uses=-1), "min_remaining_uses is -1, but it must be from 0 to 5."),
        (dict(min_remaining_uses=6), "min_remaining_uses is 6, but it must be from 0 to 5."),
        (dict(session_length=0), "session_length is 0, but it must be from 1 to 86400."),
        (dict(session_length=86401), "session_length is 86401, but it must be from 1 to 86400."),
        (dict(stream_group="sg lab"), "stream_group is 'sg lab', but it must be an id of letters,"),
        (dict(application=""), "application is '', but it must be an id of letters,"),
        (dict(locations=[]), "locations is empty: name at least one location of the stream group."),
        (dict(resolution="big"), "resolution is 'big', but it must be a width and a height"),
        (dict(role_arn="lab"), "role_arn is 'lab', but it must be the ARN of an IAM role,"),
        (dict(launch_args=["x"] * 101), "launch_args has 101 arguments, but the service takes 100 at most."),
        (dict(launch_args=["\ud800"]), "launch_args or environment has an unpaired surrogate: correct it."),
        (dict(environment={"A": True}), "The variable 'A' of environment is not text: put its value in quotes."),
        (dict(environment={"A": None}), "The variable 'A' of environment is not text: put its value in quotes."),
        (dict(environment={"A-B": "x"}), "environment has a variable 'A-B', but its name must have"),
        (
            dict(application=None),
            "application and locations are missing, which say what the stream URLs open: give both.",
        ),
        (
            dict(locations=None, state="absent", learner="anna"),
            "application and locations are missing, which say what the stream URLs open: give both, as for "
            "state=present.",
        ),
    ],
)
def test_what_the_service_would_not_grant_is_rejected(given, message):
    assert rejection(parse_settings, given).startswith(message)


@pytest.mark.parametrize("given", [{}, {"learner": "anna", "purge": True}])
def test_what_the_urls_open_need_not_be_given_to_release_all(given):
    given = params(application=None, locations=None, state="absent", **given)
    assert parse_settings(given) is None
    assert [row.purpose for row in rows_of(given)] == ([""] if given["learner"] else [])


# How long they must be valid


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, dict(validity=HOUR)),
        (dict(expires_after_minutes=1), dict(validity=60)),
        (dict(expires_after_minutes=MOST), dict(validity=MOST * 60)),
        (dict(expires_after_minutes=10, min_remaining=599), dict(validity=600, min_remaining=599)),
        (dict(min_remaining=0), dict(validity=HOUR, min_remaining=0)),
    ],
)
def test_the_arguments_say_how_long_a_stream_url_must_be_valid(given, asked):
    assert build_policy(params(**given), None) == ReusePolicy(MOST * 60, granularity=60, **asked)


def test_a_time_until_which_stream_urls_must_be_valid_takes_the_place_of_a_validity():
    until = datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert build_policy(params(), until) == ReusePolicy(MOST * 60, granularity=60, valid_until=until)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(expires_after_minutes=0), f"expires_after_minutes is 0, but it must be from 1 to {MOST}."),
        (
            dict(expires_after_minutes=MOST + 1),
            f"expires_after_minutes is {MOST + 1}, but it must be from 1 to {MOST}.",
        ),
        (
            dict(expires_after_minutes=1, min_remaining=60),
            "min_remaining is 60, but it must be from 0 to less than the validity of 60 seconds: a new URL would not "
            "meet it either.",
        ),
    ],
)
def test_times_that_no_stream_url_has_are_rejected(given, message):
    assert rejection(partial(build_policy, valid_until=None), given) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(recover=True, state="absent"), "recover is for state=present: leave it out."),
        (
            dict(recover=True, force=True),
            "recover and force=true contradict each other: leave one of them out.",
        ),
        (
            dict(revoke_duplicates=True),
            "revoke_duplicates is for recover=true: set that too, or leave it out.",
        ),
    ],
)
def test_options_that_contradict_each_other_are_rejected(given, message):
    assert rejection(validate_recovery, given) == message


# Results

EXPIRES = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ALL = dict(
    stream_url_id="su-1",
    stream_url=URL,
    status="ACTIVE",
    status_reason=None,
    expires="2026-11-21T09:30:00Z",
    remaining_uses=3,
    sessions=2,
)
CHECKED = CheckedUrl(StreamUrl("su-1", "ACTIVE", EXPIRES, 3, url=URL, usage_limit=5))
REVOKED = CheckedUrl(StreamUrl("su-1", "REVOKED", EXPIRES, 3, status_reason="userRevoked", usage_limit=5))


@pytest.mark.parametrize(
    ("outcome", "entry"),
    [
        pytest.param(Outcome(build_key(), None, resource_lease_of(), issued=True, resource=CHECKED), ALL, id="new"),
        pytest.param(Outcome(build_key(), None, issued=True), dict.fromkeys(ALL), id="one that would be created"),
        pytest.param(
            Outcome(build_key(), None, failure=Failure("NotReady", "No."), resource=REVOKED),
            {**ALL, "stream_url": None, "status": "REVOKED", "status_reason": "userRevoked"},
            id="one that is not good",
        ),
    ],
)
def test_an_entry_has_what_the_service_says_of_the_stream_url(outcome, entry):
    assert describe_outcome(outcome) == entry


@pytest.mark.parametrize(
    ("outcome", "in_use"),
    [
        (Outcome(build_key(), None, resource_lease_of(resource_id="su-1")), {build_key(): "su-1"}),
        (Outcome(build_key(), None, issued=True), {build_key(): None}),
        (Outcome(build_key(), resource_lease_of(), issued=True), {build_key(): None}),
        (Outcome(build_key(), pending_lease_of(), issued=True), {}),
        (Outcome(build_key(), None, issued=True, failure=Failure("Odd", "No.")), {}),
        (Outcome(build_key(), None, failure=Failure("Odd", "No.")), {}),
    ],
)
def test_a_stream_url_that_would_be_created_makes_duplicates_of_all_others(outcome, in_use):
    assert find_in_use([outcome]) == in_use


@pytest.mark.parametrize(
    ("reasons", "check_mode", "warning"),
    [
        ([], False, None),
        ([None], False, None),
        (["A is REVOKED"], False, "A stream URL was replaced: A is REVOKED."),
        (["A is REVOKED"], True, "A stream URL would be replaced: A is REVOKED."),
        (
            list("ABCDEFG"),
            False,
            "7 stream URLs were replaced: A, B, C, D, E and 2 more.",
        ),
    ],
)
def test_stream_urls_that_were_replaced_are_named_with_the_reason(reasons, check_mode, warning):
    outcomes = [Outcome(build_key(), None, issued=True, reason=reason) for reason in reasons]
    failed = Outcome(build_key(), None, issued=True, reason="X", failure=Failure("Odd", "No."))
    assert build_replacement_warning([*outcomes, failed, Outcome(build_key(), None)], check_mode) == warning


@pytest.mark.parametrize("revoked", [[], ["su-2", "su-1"]])
def test_whatever_fails_the_result_has_what_was_revoked_until_then(revoked):
    listing, result = Listing(None, "sg-1", None), {"changed": False, "revoked": []}

    def revoke():
        yield {"other_labs": ["tuesday"]}
        listing.revoked.extend(revoked)
        raise LeaseStoreError("The lease store is read-only.")

    with pytest.raises(LeaseStoreError):
        collect(result, revoke(), [listing])

    assert result == {"changed": bool(revoked), "revoked": sorted(revoked), "other_labs": ["tuesday"]}
