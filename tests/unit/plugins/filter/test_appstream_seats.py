# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which learner has which seat."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.filter.appstream_seats import FilterModule
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

LEARNERS = roster([{"learner": "l1", "name": "Anna", "session_context": "unit-7"}, {"email": "ben@example.org"}])
EXPIRES = "2126-11-21T16:00:00Z"


def seats_of(result):
    return FilterModule().filters()["appstream_seats"](LEARNERS, result, stack_name="course", fleet_name="fleet")


def entry(user_id, expires=EXPIRES, issued=False, session_context="unit-1"):
    """What the module returns for one user."""
    what = {"application_id": None, "session_context": session_context, "streaming_url": None}
    return {"user_id": user_id, "expires": expires, "issued": issued, **what}


def result_of(*entries):
    return {"scope": "the scope", "region": "us-east-1", "streaming_urls": list(entries)}


def test_a_seat_says_who_has_it_and_where_its_url_is_found_and_what_the_url_opens():
    target = {"provider": "appstream", "generation": 0, "scope": "the scope", "region": "us-east-1"}
    target |= {"stack_name": "course", "fleet_name": "fleet", "application_id": None, "expires": EXPIRES}

    assert seats_of(result_of(entry("l1", issued=True, session_context="unit-7"), entry("ben@example.org"))) == [
        {"learner": "l1", "name": "Anna", "email": None, "seat": "l1", "session_context": "unit-7", "issued": True}
        | target,
        {"learner": "ben@example.org", "name": None, "email": "ben@example.org", "seat": "ben@example.org"}
        | {"session_context": "unit-1", "issued": False}
        | target,
    ]


def test_a_learner_without_a_url_has_no_seat():
    failed = entry("l1", expires=None)

    assert [seat["learner"] for seat in seats_of(result_of(failed, entry("ben@example.org")))] == ["ben@example.org"]


def test_in_check_mode_a_url_that_would_be_issued_makes_a_seat():
    foreseen = entry("l1", expires=None, issued=True)

    seat, _ben = seats_of(result_of(foreseen, entry("ben@example.org")))

    assert (seat["expires"], seat["issued"]) == (None, True)


def test_a_task_that_was_skipped_or_broke_gives_no_seats():
    assert seats_of({}) == []
    assert seats_of({"changed": False, "skipped": True}) == []
    assert seats_of({"failed": True, "scope": None, "region": None, "streaming_urls": []}) == []


def test_a_learner_of_whom_little_is_known_has_a_seat_all_the_same():
    seats = FilterModule().filters()["appstream_seats"]

    [seat] = seats([{"user_id": "l1"}], result_of(entry("l1")), stack_name="course", fleet_name="fleet")

    assert (seat["learner"], seat["name"], seat["email"], seat["seat"]) == (None, None, None, "l1")


@pytest.mark.parametrize("users", [["zoe", "ben@example.org"], ["ben@example.org", "l1"], ["l1"], ["l1"] * 3])
def test_the_result_of_another_task_is_refused(users):
    with pytest.raises(AnsibleFilterError, match="The learners are not those of the result"):
        seats_of(result_of(*map(entry, users)))
