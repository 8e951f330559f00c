# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The results of a lab, as the roles publish and print them. Knows neither AWS nor Ansible."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports import appstream, gamelift, handout, nimble
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import Result

_REPORTS = {
    "appstream_lab": appstream.report,
    "gamelift_lab": gamelift.report,
    "nimble_lab": nimble.report,
    "lab_handout": handout.report,
}


def lab_report(results: Result, now: datetime.datetime | None = None) -> dict[str, Any]:
    """Return what a role publishes.

    Args:
        results: What the role was asked for, and the results of its ``steps``. A step that did not run has an empty
            result, or that of a skipped task.
        now: The current time, for tests.

    Returns:
        ``summary`` and ``seats``, the facts; ``closing``, what is to be shown at the end, which is the message without
        the errors that are shown already; ``insufficient_capacity``, what the fleet lacks, or None; ``fleet_needs``,
        what it is still needed for when the lab ends; ``available_sessions``, how many more sessions learners need;
        ``users`` and ``former_users``, the learners, and the user ids that they had before they were rotated, as
        modules take them; ``unknown``, who cannot be rotated; ``removed``, who is to be withdrawn, and ``excess``, why
        they cannot be, or None; ``withdrawn_user_ids``, whose sessions are to be ended; and ``summary_path``, where the
        summary is to be written.
    """
    report = _REPORTS[results["role"]](results, now or datetime.datetime.now(datetime.timezone.utc))
    closing = report["summary"].pop("closing", None)
    return {
        "insufficient_capacity": None,
        "fleet_needs": [],
        "closing": closing,
        **report,
        "summary_path": results.get("summary_path"),
    }
