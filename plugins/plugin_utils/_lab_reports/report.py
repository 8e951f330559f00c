# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The results of a lab, as the roles publish and print them. Knows neither AWS nor Ansible."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports import appstream, gamelift, handout, nimble
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import Result

# Where a report needs more than these results.
_PREPARE: dict[str, Callable[[Result], Result]] = {
    "appstream_lab": appstream.prepare,
    "nimble_lab": nimble.prepare,
    "lab_handout": handout.prepare,
}
_REPORTS = {
    "appstream_lab": appstream.report,
    "gamelift_lab": gamelift.report,
    "nimble_lab": nimble.report,
    "lab_handout": handout.report,
}


def build_results(run: Result) -> Result:
    """Return what ``lab_report`` takes, from what a role knows.

    Args:
        run: ``role``; ``check_mode``; the result of ``lab_arguments`` as ``arguments``; the results of the ``steps``;
            and ``failure``, the message of the step that failed.
    """
    arguments, steps = run["arguments"], run["steps"]
    # Those of a rotation, which check mode only predicts, or else those that are stored.
    known = (steps.get(step, {}) for step in ("rotation", "generations", "sessions"))
    generations: Result = next((step["generations"] for step in known if "generations" in step), {})
    results = {
        **run,
        "steps": {**steps, "rotation": {**steps.get("rotation", {}), "generations": generations}},
        **arguments["options"],
        "lab": arguments["options"]["name"],
        "learners": arguments["learners"],
        "invalid": arguments["error"],
        "roster_failure": arguments["roster_failure"],
        "warnings": arguments["notices"],
    }
    return _PREPARE.get(run["role"], dict)(results)


def lab_report(results: Result, now: datetime.datetime | None = None) -> dict[str, Any]:
    """Return what a role publishes.

    Args:
        results: What the role was asked for, and the results of its ``steps``. A step that did not run has an empty
            result, or that of a skipped task.
        now: The current time, for tests.

    Returns:
        ``summary`` and ``seats``, the facts; ``insufficient_capacity``, what the fleet lacks, or None;
        ``fleet_needs``, what it is still needed for when the lab ends; ``available_sessions``, how many more sessions
        learners need; ``lost_store``, a warning if the lease store seems to be lost, or None (GameLift Streams);
        ``users`` and ``former_users``, the learners, and the user ids that they had before they were rotated, as
        modules take them; ``unknown_learner``, why somebody cannot be rotated, or None; ``removed``, who is to be
        withdrawn, and ``excess``, why they cannot be, or None; ``withdrawn_user_ids``, whose sessions are to be ended;
        and ``summary_path``, where the summary is to be written.
    """
    report = _REPORTS[results["role"]](results, now or datetime.datetime.now(datetime.timezone.utc))
    return {
        "insufficient_capacity": None,
        "fleet_needs": [],
        **report,
        "summary_path": results.get("summary_path") or "",
    }
