# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task that starts or ends sessions returns. Each provider's own words are tested with its sessions."""

from __future__ import annotations

from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._session_outcomes import (
    SessionOutcome,
    build_failure_message,
    build_result,
)

STARTED = SessionOutcome("a", {"id": "a"}, {"id": "a", "started": True}, "STOPPED", "STARTING", changed=True)
READY = SessionOutcome("b", {"id": "b"}, {"id": "b", "started": False}, "READY", "READY")
MISSING = SessionOutcome("c", {"id": "c"}, {"id": "c"}, None, None, failure=Failure("NotReady", "There is none."))


def test_a_result_has_every_session_and_a_diff_those_that_exist():
    result = build_result([STARTED, READY, MISSING], 3, "started", diff=True)

    assert result == {
        "changed": True,
        "sessions": [STARTED.facts, READY.facts, MISSING.facts],
        "failures": [{"id": "c", "code": "NotReady", "message": "There is none."}],
        "summary": {"requested": 3, "started": 1, "unchanged": 1, "failed": 1},
        "diff": {"before": {"a": "STOPPED", "b": "READY"}, "after": {"a": "STARTING", "b": "READY"}},
    }


def test_nothing_is_changed_where_all_is_as_it_was_asked_for():
    assert build_result([READY], 1, "started") == {
        "changed": False,
        "sessions": [READY.facts],
        "failures": [],
        "summary": {"requested": 1, "started": 0, "unchanged": 1, "failed": 0},
    }


def test_a_message_is_on_failures_only():
    assert build_failure_message([READY, MISSING], 2, "could not be started") == (
        "1 of 2 sessions could not be started: c: There is none."
    )
    assert build_failure_message([READY], 1, "could not be started") is None
