# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of the steps of labs, and reports on them."""

from __future__ import annotations

import datetime

from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import lab_report
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import roster

NOW = datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.UTC)
EXPIRES = "2026-11-21T16:00:00Z"
REGION = "eu-central-1"
LEARNERS = roster([{"id": "anna", "name": "Anna"}, {"id": "Ben", "email": "ben@example.org"}])
SKIPPED = {"changed": False, "skipped": True}
FLEET = {
    "name": "cad-fleet",
    "state": "RUNNING",
    "fleet_type": "ON_DEMAND",
    "capacity": {"desired": 3, "running": 3, "in_use": 1, "available": 2, "max_available": 2},
    "max_user_duration_in_seconds": 7200,
    "idle_disconnect_timeout_in_seconds": 300,
    "disconnect_timeout_in_seconds": 600,
    "problem": None,
}
SUMMARY = {"requested": 2, "issued": 1, "reused": 1, "failed": 0, "released": 0, "earliest_expiry": EXPIRES}


def url(learner, expires=EXPIRES, issued=False):
    """What the module returns for one learner; there is more in it."""
    row = {**learner, "streaming_url": None, "session_context": "unit-1"}
    return {**row, "expires": expires, "issued": issued, "lease": f"lease of {learner['id']}"}


URLS = {
    "changed": True,
    "region": REGION,
    "streaming_urls": [url(LEARNERS[0], issued=True), url(LEARNERS[1])],
    "failures": [],
    "renew_before": None,
    "summary": SUMMARY,
}


def report(steps=None, **options):
    """Report on an AppStream lab in which these steps did something."""
    names = (
        "rotation",
        "fleet_info",
        "sessions",
        "capacity",
        "fleet",
        "before",
        "urls",
        "withdraw",
        "ending",
        "expire",
        "stop",
    )
    none = {name: {} for name in names}
    results = {
        "role": "appstream_lab",
        "lab": "monday",
        "state": "present",
        "check_mode": False,
        "learners": LEARNERS,
        "failure": "",
        "roster_failure": "",
        "warnings": [],
        "summary_path": "",
        "stack_name": "cad-course",
        "fleet_name": "cad-fleet",
        "timezone": "",
        "starts_at": "",
        "ends_at": "",
        "break_minutes": 0,
        "end_sessions": False,
        "on_insufficient_capacity": "ignore",
        "other_sessions": [],
        "leaving_user_ids": [],
        "manage_fleet": False,
        "kept_user_ids": [],
        "rows": LEARNERS,
        "rotate": [],
        "withdraw_removed": False,
        "withdraw_limit": None,
        "purge": False,
        "stop_fleet": "auto",
        "keep_running_minutes": 30,
        **options,
    }
    return lab_report({**results, "steps": {**none, **(steps or {})}}, NOW)


def summarize(steps=None, **options):
    return report(steps, **options)["summary"]


def warnings(steps=None, **options):
    return summarize(steps, **options)["warnings"]


REMOVED = {"id": "zoe", "user_id": "zoe", "expires": "2026-11-21T10:00:00Z", "labs": [], "other_labs": []}
BEFORE = [
    {"id": who, "user_id": who, "labs": [], "ended": who == "eve", "expires": None}
    for who in ("Anna", "zoe", "eve", "a", "b", "c")
]


def row(who, session_id):
    return {"id": who, "name": who.title(), "email": None, "session_id": session_id}


def stream(who, session_id, expires=EXPIRES, issued=False):
    """What the module returns for one session; there is more in it."""
    return {**row(who, session_id), "lease": f"lease of {who}", "expires_at": expires, "issued": issued, "url": None}


ROWS = [row("anna", "s1"), row("ben", "s2")]
STREAMS = {"region": REGION, "streams": [stream("ben", "s2", issued=True), stream("anna", "s1")], "failures": []}
STREAMS["summary"] = {"requested": 2, "issued": 1, "reused": 1, "failed": 0, "released": 0, "earliest_expiry": EXPIRES}


def report_nimble(steps=None, **options):
    results = {
        "role": "nimble_lab",
        "lab": "monday",
        "state": "present",
        "check_mode": False,
        "learners": [{"id": "anna"}, {"id": "ben"}],
        "failure": "",
        "roster_failure": "",
        "warnings": [],
        "summary_path": "",
        "studio_id": "studio-1",
        "start_timeout": 9,
        "starting": [],
        "late": [],
        "streamable": [],
        "withdraw_removed": False,
        "withdraw_limit": None,
        "purge": False,
        **options,
    }
    none = {"before": {}, "match": {"sessions": ROWS, "failures": []}, "start": {}, "streams": {}}
    return lab_report({**results, "steps": {**none, **(steps or {})}})
