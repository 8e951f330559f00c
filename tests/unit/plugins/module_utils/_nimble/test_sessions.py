# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How results describe sessions. What is done to them is tested through the modules, against the simulator."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._nimble.sessions import (
    build_facts,
    build_outcome,
    count_states,
    failure_message,
)

LOCAL = timezone(timedelta(hours=1))


def test_members_are_in_snake_case_datetimes_in_utc_and_tags_as_they_are():
    session = {
        "sessionId": "s1",
        "ec2InstanceType": "g5.xlarge",
        "stopAt": datetime(2026, 11, 21, 17, 0, 30, 250_000, tzinfo=LOCAL),
        "tags": {"CostCenter": "x", "aCamel": "y"},
        "volumeConfiguration": {"iops": 3000, "throughput": 125},
        "maxBackupsToRetain": 2,
    }

    assert build_facts(session) == {
        "session_id": "s1",
        "ec2_instance_type": "g5.xlarge",
        "stop_at": "2026-11-21T16:00:30Z",
        "tags": {"CostCenter": "x", "aCamel": "y"},
        "volume_configuration": {"iops": 3000, "throughput": 125},
        "max_backups_to_retain": 2,
        # Never left out.
        **dict.fromkeys(("state", "status_code", "owned_by", "created_by", "created_at")),
    }


def test_states_are_counted_by_name():
    states = ("STOPPED", "READY", "READY", None)

    assert list(count_states([{"state": state} for state in states]).items()) == [
        ("None", 1),
        ("READY", 2),
        ("STOPPED", 1),
    ]


def test_a_reason_that_many_sessions_have_is_reported_once():
    denied = Failure("AccessDeniedException", "Failed to start the session: not allowed.")
    failed = [build_outcome(f"s{number}", None, None, failure=denied) for number in range(7)]

    assert failure_message([*failed, build_outcome("good", {}, {})]) == (
        "7 of 8 sessions are neither ready nor starting: s0, s1, s2, s3, s4 and 2 more: Failed to start the session: "
        "not allowed."
    )
    assert failure_message([build_outcome("good", {}, {})]) is None
