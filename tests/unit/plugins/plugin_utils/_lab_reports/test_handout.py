# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role lab_handout publishes."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import lab_report

from tests.unit.plugins.plugin_utils._lab_reports.results import EXPIRES, NOW

HANDOUT = {
    "role": "lab_handout",
    "present": True,
    "check_mode": False,
    "is_changed": True,
    "paths": {"pages_dir": "/srv/pages", "links_csv": "/srv/links.csv", "overview_html": "/srv/o.html"},
    "summary": {"requested": 2, "missing": 0, "written": 3, "warnings": []},
    "seats": [{"id": "anna", "expires": EXPIRES}, {"id": "ben", "expires": "2026-11-21T17:00:00Z"}, {"id": "cleo"}],
    "timezone": "Europe/Berlin",
    "s3_bucket": "",
}
# None of which differs, or it is not known which do.
PAGES_ONLY = {
    "paths": {"pages_dir": "/srv/pages"},
    "summary": {**HANDOUT["summary"], "written": 0},
    "seats": [],
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "Pages: 2, in /srv/pages. Their addresses: /srv/links.csv. Overview: /srv/o.html.",
        ),
        (
            {"check_mode": True, "seats": []},
            "Pages: 2, in /srv/pages. Their addresses: /srv/links.csv. Overview: /srv/o.html. Files to be written: 3.",
        ),
        (
            {"check_mode": True, "is_changed": False, **PAGES_ONLY},
            "Pages: 2, in /srv/pages. Files to be written: 0.",
        ),
        # The URLs would be issued by the same run.
        (
            {"check_mode": True, **PAGES_ONLY},
            "Pages: 2, in /srv/pages. Files to be written: not known until all URLs exist.",
        ),
        (
            {"paths": {"pages_dir": "/srv/pages"}, "s3_bucket": "labs", "seats": [{"expires": None}]},
            "Pages: 2, in /srv/pages and in the bucket labs.",
        ),
        ({"paths": {"urls_csv": "/srv/urls.csv"}, "seats": []}, "URLs: /srv/urls.csv."),
        ({"present": False}, "Pages marked as ended: all of the lab, in /srv/pages."),
        ({"present": False, "check_mode": True, "paths": {"urls_csv": "/srv/urls.csv"}}, "Files to be removed."),
    ],
)
def test_handouts_end_with_what_there_is_and_where(options, message):
    results = {**HANDOUT, **options}

    assert lab_report(results, NOW)["summary"] == {**results["summary"], "message": message}


def test_an_upload_that_failed_is_described_without_the_name_of_a_page():
    page = "0123456789abcdef" * 2
    upload = {"msg": f"{page}.html: Access Denied"}
    error = (
        "The pages could not be uploaded to the bucket labs: {}. Check that the bucket exists and that the credentials "
        "are authorized to perform s3:PutObject. The next run uploads the missing pages."
    )
    results = {**HANDOUT, "s3_bucket": "labs"}

    assert lab_report({**results, "upload": upload})["upload_error"] == error.format("PAGE.html: Access Denied")
    assert lab_report({**results, "upload": {"changed": False}})["upload_error"] == error.format(
        "an upload was rejected"
    )
    assert lab_report({**results, "upload": {"uploads": [page]}})["upload_error"] is None
