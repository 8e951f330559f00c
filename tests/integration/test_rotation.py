# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A learner whose link the wrong person has opened: the module that counts it, and what the role does about it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import FLEET, PUBLISH, STACK, Run, Task
from tests.pages import url_of
from tests.simulator.control import Simulator

ROTATION = "labstream.aws.streaming_rotation"
START, ROLE = "labstream.aws.start_lab", "labstream.aws.appstream_lab"
NEW_ID = "anna-aham6q5jh6hi"


def generations(reported: Task) -> tuple[dict[str, int], list[str], bool]:
    return reported.result["generations"], reported.result["rotated"], reported.changed


def test_check_mode_foresees_what_a_run_remembers(call_module: Callable[..., Task], home: Path) -> None:
    predicted = call_module({"lab": "monday", "rotate": ["anna"]}, module=ROTATION, check=True, diff=True)
    assert generations(predicted) == ({"anna": 1}, ["anna"], True)
    assert predicted.result["diff"] == {"before": {"anna": 0}, "after": {"anna": 1}}
    assert generations(call_module({"lab": "monday"}, module=ROTATION)) == ({}, [], False)

    done = call_module({"lab": "monday", "rotate": ["anna", "anna"]}, module=ROTATION)
    assert generations(done) == ({"anna": 1}, ["anna"], True)
    assert generations(call_module({"lab": "monday"}, module=ROTATION)) == ({"anna": 1}, [], False)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"lab": ""}, "lab is ''"),
        ({"rotate": [""]}, "The id of a learner is ''"),
        ({"rotate": ["x" * 201]}, "1 to 200 Unicode characters"),
        ({"lease_store": "none"}, "lease_store is none"),
        ({"lease_store": "mysql://x"}, "lease_store is 'mysql://x'"),
    ],
)
def test_bad_options_are_rejected_with_their_value(
    call_module: Callable[..., Task], options: dict[str, Any], reported: str
) -> None:
    rejected = call_module({"lab": "monday", "rotate": ["anna"], **options}, module=ROTATION)
    assert rejected.failed
    assert reported in rejected.msg
    assert generations(rejected) == ({}, [], False)


def test_a_rotated_learner_has_another_user_id_url_and_page_and_the_wrong_person_is_out(
    lab: Simulator, run_playbook: Callable[..., Run], call_module: Callable[..., Task], home: Path
) -> None:
    day = {
        "appstream_lab_name": "monday",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_manage_fleet": False,
        "appstream_lab_roster": "roster.csv",
        "appstream_lab_validity": 3600,
    }
    files = {
        "lab_handout_pages_dir": "pages",
        "lab_handout_links_csv": "links.csv",
        "lab_handout_urls_csv": "urls.csv",
        "lab_handout_overview_html": "overview.html",
    }

    def pages() -> dict[str, str]:
        with open(home / "links.csv", newline="", encoding="utf-8") as file:
            return {row["id"]: row["page"] for row in csv.DictReader(file)}

    def sessions() -> dict[str, str]:
        reported = lab.client("appstream").describe_sessions(StackName=STACK, FleetName=FLEET)["Sessions"]
        return {one["UserId"]: one["State"] for one in reported}

    # Given a lab with its URLs and pages, in which somebody has opened anna's URL.
    (home / "roster.csv").write_text("id\nanna\nben\n")
    users = [{"user_id": "anna"}, {"user_id": "ben"}]
    args = {"stack_name": STACK, "fleet_name": FLEET, "lab": "monday", "validity": 3600, "users": users}
    issued = call_module(args).result["streaming_urls"]
    seats = [{"id": entry["user_id"], "lease": entry["lease"]} for entry in issued]
    written = {option.removeprefix("lab_handout_"): str(home / path) for option, path in files.items()}
    handout = call_module({"lab": "monday", "seats": seats, **written}, module="labstream.aws.streaming_handout")
    assert handout.changed, handout.result
    links, old_url = pages(), issued[0]["streaming_url"]
    assert lab.open(old_url)[0] == 200
    assert sessions() == {"anna": "ACTIVE"}

    # When anna is rotated, first in check mode and then in another case than in the roster,
    predicted = run_playbook(ROLE, extra_vars={**day, "appstream_lab_rotate": ["anna"]}, check=True)
    assert predicted.returncode == 0, predicted.printed
    assert sessions()["anna"] == "ACTIVE"
    # and then the lab is started again without it,
    of_home = {"appstream_lab_roster": str(home / "roster.csv")}
    rotated = run_playbook(
        [
            {"ansible.builtin.import_playbook": START, "vars": {**day, **files, "appstream_lab_rotate": ["Anna"]}},
            {"hosts": "localhost", "gather_facts": False, "vars": {**day, **of_home}, "roles": [ROLE]},
        ]
    )
    assert rotated.returncode == 0, rotated.printed
    summary, again = (task.result["ansible_facts"] for task in rotated.tasks if task.name == PUBLISH)

    # then she has another user id, ben keeps all that he has, and the previous session is over.
    assert [seat["user_id"] for seat in summary["appstream_lab_seats"]] == [NEW_ID, "ben"]
    assert [seat["generation"] for seat in summary["appstream_lab_seats"]] == [1, 0]
    assert [seat["issued"] for seat in summary["appstream_lab_seats"]] == [True, False]
    assert summary["appstream_lab_summary"]["rotated"] == ["Anna"]
    assert sessions().get("anna") in (None, "EXPIRED")
    # Her page has another address, and the previous one has no URL.
    assert pages()["ben"] == links["ben"]
    assert pages()["anna"] != links["anna"]
    assert 'data-state="moved"' in (home / "pages" / links["anna"]).read_text(encoding="utf-8")
    # The cost is named, and no URL and no name of a page.
    assert "has a new user id, and with it an empty home folder" in rotated.printed
    assert "1 released streaming URL still works until it expires at" in rotated.printed
    assert not any(secret in rotated.printed for secret in (*lab.streaming_urls(), *pages().values()))
    opened = [url_of(page.read_text(encoding="utf-8")) for page in (home / "pages").iterdir()]
    assert set(opened) - {None} <= set(lab.streaming_urls()) - {old_url}
    # Without it, nothing changes.
    assert again["appstream_lab_seats"] == [{**seat, "issued": False} for seat in summary["appstream_lab_seats"]]
