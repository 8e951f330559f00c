# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole lab day by the two playbooks: from a stopped fleet to a page, a session, and the end of it all."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.browser import CHROMIUM, started_browser
from tests.integration.running import FLEET, STACK, Run, Task
from tests.simulator.control import Simulator

pytestmark = pytest.mark.long
START, END = "labstream.aws.lab_day_start", "labstream.aws.lab_day_end"
LEARNERS = 30


@pytest.fixture
def day(simulator: Simulator, home: Path) -> dict[str, Any]:
    """The variables of a class on a fleet of one seat, which is stopped."""
    appstream = simulator.client("appstream")
    appstream.create_stack(Name=STACK)
    appstream.create_fleet(
        Name=FLEET,
        InstanceType="stream.standard.medium",
        ImageName="lab-image",
        ComputeCapacity={"DesiredInstances": 1},
        MaxUserDurationInSeconds=36000,
    )
    appstream.associate_fleet(StackName=STACK, FleetName=FLEET)
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "appstream_lab_name": "monday",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_learners": [{"learner": f"learner-{number:02}"} for number in range(1, LEARNERS + 1)],
        # The class is going on when the playbook is run again.
        "appstream_lab_starts_at": (now - timedelta(minutes=5)).isoformat(),
        "appstream_lab_ends_at": (now + timedelta(hours=4)).isoformat(),
        "lab_handout_title": "Computer-aided design",
        "lab_handout_pages": str(home / "pages"),
        "lab_handout_links": str(home / "links.csv"),
        "lab_handout_overview": str(home / "overview.html"),
    }


def fleet_of(simulator: Simulator) -> dict[str, Any]:
    return simulator.client("appstream").describe_fleets(Names=[FLEET])["Fleets"][0]


def page_of(home: Path, learner: str) -> Path:
    """The learner's page, as the file of links tells it."""
    with open(home / "links.csv", newline="", encoding="utf-8") as file:
        [row] = [row for row in csv.DictReader(file) if row["learner"] == learner]
    return home / "pages" / row["page"].rpartition("/")[2]


def urls_in(page: Path, simulator: Simulator) -> list[str]:
    """The streaming URLs in the page's text, as a browser reads it."""
    text = page.read_text(encoding="utf-8").replace("&amp;", "&")
    return [url for url in simulator.streaming_urls() if re.search(re.escape(url) + r"(?![\w-])", text)]


def live_sessions(call_module: Callable[..., Task]) -> list[tuple[str, str]]:
    """Users who are in a session, and whether they are connected."""
    told = call_module({"stack_name": STACK, "fleet_name": FLEET}, module="labstream.aws.appstream_session_info")
    live = (session for session in told.result["sessions"] if session["state"] != "EXPIRED")
    return [(session["user_id"], session["connection_state"]) for session in live]


def test_a_lab_day_from_a_stopped_fleet_to_its_end(
    simulator: Simulator,
    run_playbook: Callable[..., Run],
    call_module: Callable[..., Task],
    day: dict[str, Any],
    home: Path,
    tmp_path: Path,
) -> None:
    # When the day is started, then the fleet runs with a seat for each, and everybody has a page.
    started = run_playbook(START, extra_vars=day)
    assert started.returncode == 0, started.printed
    assert (fleet_of(simulator)["State"], fleet_of(simulator)["ComputeCapacityStatus"]["Desired"]) == (
        "RUNNING",
        LEARNERS,
    )
    page = page_of(home, "learner-07")
    [url] = urls_in(page, simulator)
    assert len(list((home / "pages").iterdir())) == LEARNERS

    # When a learner presses the button, then a session of theirs runs.
    if CHROMIUM:
        with started_browser(tmp_path / "profile") as browser:
            browser.open(page.as_uri())
            browser.press("Tab", "Enter")
            browser.wait_for(f"location.href.startsWith({simulator.endpoint_url!r})")
    else:
        simulator.open(url)
    assert live_sessions(call_module) == [("learner-07", "CONNECTED")]

    # When URLs are renewed, then the same page leads to the new one, and the fleet is left as it is.
    renewed = run_playbook(START, extra_vars={**day, "appstream_lab_force": True})
    assert renewed.returncode == 0, renewed.printed
    assert page_of(home, "learner-07") == page
    [new_url] = urls_in(page, simulator)
    assert new_url != url
    assert [len(simulator.calls(operation)) for operation in ("StartFleet", "UpdateFleet")] == [1, 1]

    # When the day is ended, then the page has no URL any more, the session is over and the fleet is stopped.
    ended = run_playbook(END, extra_vars=day)
    assert ended.returncode == 0, ended.printed
    assert urls_in(page, simulator) == []
    assert 'data-state="ended"' in page.read_text(encoding="utf-8")
    assert not (home / "links.csv").exists()
    assert live_sessions(call_module) == []
    assert fleet_of(simulator)["State"] == "STOPPED"

    # And no URL was printed all day.
    printed = "".join(run.printed for run in (started, renewed, ended))
    assert not any(url in printed for url in simulator.streaming_urls())
    assert page.name not in printed
