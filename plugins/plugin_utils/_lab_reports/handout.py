# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What the role lab_handout publishes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import PAGE_TOKEN
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import Result


def report(results: Result, now: datetime.datetime) -> dict[str, Any]:
    """Return the report on the handouts of a lab."""
    return {
        "summary": {**results["summary"], "message": " ".join(_describe_lab_handout(results))},
        "upload_error": _describe_upload_error(results),
    }


def prepare(results: Result) -> dict[str, Any]:
    """Return the results with what is derived from those of the steps. In check mode, nothing is uploaded."""
    steps = results["steps"]
    return {
        **results,
        "present": results["state"] == "present",
        "is_changed": bool(steps["write"].get("changed")),
        "summary": {**steps["write"]["summary"], "warnings": results["warnings"]},
        "upload": steps["upload"] or steps["upload_to_region"],
        "seats": results["seats"] or [],
        "s3_bucket": "" if results["check_mode"] else results["s3_bucket"],
    }


def _describe_upload_error(results: Result) -> str | None:
    """Return why the upload has failed, None if it has not. It leaves out the names of pages, which are secret."""
    upload = results.get("upload")
    if not upload or "uploads" in upload:
        return None
    # There is no message if an upload was rejected.
    reason = PAGE_TOKEN.sub("PAGE", upload.get("msg") or "an upload was rejected")
    return (
        f"The pages could not be uploaded to the bucket {results['s3_bucket']}: {reason}. Check that the bucket exists "
        "and that the credentials are authorized to perform s3:PutObject. The next run uploads the missing pages."
    )


def _describe_lab_handout(results: Result) -> Iterator[str]:
    """Yield what was made, and where it is. Names of pages are secret, and are not among it."""
    paths, to_be = results["paths"], "to be " if results["check_mode"] else ""
    pages = paths.get("pages_dir")
    where = f"{pages} and in the bucket {results['s3_bucket']}" if results["s3_bucket"] else pages
    if not results["present"]:
        yield f"Pages {to_be}marked as ended: all of the lab, in {where}." if pages else f"Files {to_be}removed."
        return
    if pages:
        yield f"Pages: {results['summary']['requested']}, in {where}."
    for option, what in (("links_csv", "Their addresses"), ("overview_html", "Overview"), ("urls_csv", "URLs")):
        if option in paths:
            yield f"{what}: {paths[option]}."
    if results["check_mode"]:
        written = results["summary"]["written"]
        is_known = written or not results["is_changed"]
        yield f"Files to be written: {written if is_known else 'not known until all URLs exist'}."
