# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_checks import (
    build_capacity,
    build_capacity_warning,
    build_expiry_warning,
    validate_can_stream,
)

from tests.unit.plugins.module_utils.support import NOW

ARN = "arn:aws:gameliftstreams:eu-central-1:123456789012"


def group(status="ACTIVE", *, locations=None, **members):
    """A stream group with the application a-lab and the location eu-central-1."""
    states = {"eu-central-1": "ACTIVE"} if locations is None else locations
    return {
        "Arn": f"{ARN}:streamgroup/sg-lab",
        "Status": status,
        "AssociatedApplications": [f"{ARN}:application/a-lab"],
        "LocationStates": [
            {"LocationName": name, "Status": state, "AlwaysOnCapacity": 2, "MaximumCapacity": 10}
            for name, state in states.items()
        ],
        **members,
    }


def validate(described, application="a-lab", locations=("eu-central-1",)):
    return validate_can_stream(described, application, locations)


@pytest.mark.parametrize("application", ["a-lab", f"{ARN}:application/a-lab"])
def test_an_active_group_streams_its_applications(application):
    assert validate(group(), application) is None


def test_the_default_application_is_one_of_them():
    default = {"Id": "a-default", "Arn": f"{ARN}:application/a-default"}
    assert validate(group(DefaultApplication=default), "a-default") is None


@pytest.mark.parametrize(
    ("status", "other", "problem"),
    [
        (
            "ACTIVE_WITH_ERRORS",
            "ERROR",
            ", with 'eu-west-1' in ERROR: remove what is in error from the stream group (RemoveStreamGroupLocations), "
            "and add it again.",
        ),
        ("UPDATING_LOCATIONS", "REMOVING", ": other locations are added or removed."),
    ],
)
def test_a_group_whose_other_locations_have_a_problem_is_used_with_a_warning(status, other, problem):
    described = group(status, locations={"eu-central-1": "ACTIVE", "eu-west-1": other, "us-east-1": "ACTIVE"})
    assert validate(described) == (
        f"Stream group 'sg-lab' is {status}{problem} The stream URLs are for eu-central-1, which is ACTIVE."
    )
    assert "for eu-central-1, us-east-1, which are ACTIVE" in validate(
        described, locations=["eu-central-1", "us-east-1"]
    )
    with pytest.raises(NotReady, match=f"Stream group 'sg-lab' has location 'eu-west-1', which is {other}"):
        validate(described, locations=["eu-central-1", "eu-west-1"])


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (
            "ACTIVATING",
            None,
            "ACTIVATING: wait until it is ACTIVE (labstream.aws.gamelift_stream_group waits), then run",
        ),
        ("DELETING", None, "DELETING: it is being deleted, so use another one."),
        ("EXPIRED", None, "EXPIRED: a stream group lasts 365 days, so create another one and correct stream_group."),
        ("ERROR", "internalError", "ERROR (internalError): the service failed, so create another stream group, or"),
        ("ERROR", "noAvailableInstances", "ERROR (noAvailableInstances): AWS has no free instances of this stream"),
        ("NEW_STATUS", None, "NEW_STATUS: wait until it is ACTIVE"),
    ],
)
def test_any_other_status_is_rejected_with_its_remedy(status, reason, message):
    with pytest.raises(NotReady) as rejected:
        validate(group(status, **({"StatusReason": reason} if reason else {})))
    assert str(rejected.value).startswith(f"Stream group 'sg-lab' is {message}")


@pytest.mark.parametrize(
    ("locations", "message"),
    [
        ({"eu-central-1": "ACTIVATING"}, "has location 'eu-central-1', which is ACTIVATING: wait until it is ACTIVE"),
        ({"eu-central-1": "ERROR"}, "has location 'eu-central-1', which is ERROR: remove what is in error from"),
        ({"eu-central-1": "REMOVING"}, "has location 'eu-central-1', which is REMOVING: it is being removed, so use"),
        ({"eu-central-1": "NEW_STATUS"}, "has location 'eu-central-1', which is NEW_STATUS: wait until it is ACTIVE"),
        ({"a": "ACTIVE", "b": "ERROR"}, "has no location 'eu-central-1' (it has a, b): correct locations, or add it"),
        ({}, "has no location 'eu-central-1' (it has no locations): correct locations, or add it"),
    ],
)
def test_a_location_that_cannot_stream_is_rejected_with_its_remedy(locations, message):
    with pytest.raises(NotReady) as rejected:
        validate(group(locations=locations))
    assert str(rejected.value).startswith(f"Stream group 'sg-lab' {message}")


def test_what_is_activating_can_be_waited_for_but_is_checked():
    described = group("ACTIVATING", locations={"eu-central-1": "ACTIVATING", "eu-west-1": "ERROR"})

    assert validate_can_stream(described, "a-lab", ["eu-central-1"], may_wait=True) is None
    with pytest.raises(NotReady, match="is not associated with"):
        validate_can_stream(described, "a-lba", ["eu-central-1"], may_wait=True)
    for location, problem in {"eu-west-1": "which is ERROR", "eu-wets-1": "has no location 'eu-wets-1'"}.items():
        with pytest.raises(NotReady, match=problem):
            validate_can_stream(described, "a-lab", [location], may_wait=True)
    with pytest.raises(NotReady, match="is EXPIRED"):
        validate_can_stream({**described, "Status": "EXPIRED"}, "a-lab", ["eu-central-1"], may_wait=True)


@pytest.mark.parametrize(("associated", "named"), [(["a-cad", "a-art"], "a-art, a-cad"), ([], "none")])
def test_an_application_that_is_not_associated_is_rejected_with_those_that_are(associated, named):
    arns = [f"{ARN}:application/{name}" for name in associated]
    with pytest.raises(NotReady) as rejected:
        validate(group(AssociatedApplications=arns))
    assert str(rejected.value) == (
        "Application 'a-lab' is not associated with stream group 'sg-lab': associate it (AssociateApplications), or "
        f"name one of those that are: {named}."
    )


def warn(described, learners, usage_limit=5):
    """The warning about the capacity, and what the result says of it."""
    capacity = build_capacity(described, ["eu-central-1"], learners, usage_limit)
    return build_capacity_warning(described, ["eu-central-1"], capacity), capacity


def test_a_session_for_each_learner_is_no_warning_and_the_result_has_how_many_they_can_start():
    assert warn(group(), 10) == (None, dict(sessions=10, needed=10, max_needed=50))


def test_a_warning_of_capacity_has_the_numbers():
    described = group()
    described["LocationStates"].append({"LocationName": "us-east-1", "Status": "ACTIVE", "MaximumCapacity": 100})
    warning, capacity = warn(described, 11)
    assert warning == (
        "Stream group 'sg-lab' can have 10 sessions at once at eu-central-1, but the 11 learners need 11, and can "
        "start up to 55, since each use of a URL starts another one. Without capacity, a session does not start: raise "
        "the maximum capacity (labstream.aws.gamelift_stream_group), or name more locations."
    )
    assert capacity == dict(sessions=10, needed=11, max_needed=55)


def test_capacity_on_demand_counts_where_there_is_no_maximum():
    described = group()
    described["LocationStates"] = [{"LocationName": "eu-central-1", "AlwaysOnCapacity": 2, "OnDemandCapacity": 3}]
    assert warn(described, 5)[1]["sessions"] == 5


@pytest.mark.parametrize(
    ("expires_in", "warning"),
    [
        (None, None),
        (timedelta(hours=1), None),
        (
            timedelta(minutes=59),
            "Stream group 'sg-lab' expires at 2026-11-21T08:59:00Z, and no URL works after that: create another stream "
            "group in time.",
        ),
    ],
)
def test_a_group_that_expires_before_its_urls_is_a_warning(expires_in, warning):
    members = {} if expires_in is None else {"ExpiresAt": NOW + expires_in}
    assert build_expiry_warning(group(**members), NOW + timedelta(hours=1)) == warning
