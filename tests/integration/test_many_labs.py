# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The labs of an inventory in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.running import FLEET, STACK, Run
from tests.pages import url_of
from tests.simulator.control import Simulator


def run_labs(run_playbook: Callable[..., Run], home: Path, **hosts: dict[str, Any]) -> tuple[Run, dict[str, Any]]:
    """Start the labs of these hosts; return the run, and what was published for all of them."""
    shared = {
        "ansible_connection": "local",
        "appstream_lab_name": "{{ inventory_hostname }}-lab",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_manage_fleet": False,
        "appstream_lab_validity": 3600,
        "appstream_lab_learners": [{"id": "anna"}],
    }
    inventory = home / "labs.yml"
    inventory.write_text(yaml.safe_dump({"labs": {"vars": shared, "hosts": hosts}}))
    run = run_playbook(
        "labstream.aws.start_lab", arguments=["--inventory", str(inventory)], extra_vars={"lab_hosts": "labs"}
    )
    published: dict[str, Any] = {}
    for task in run.tasks:
        data = task.result.get("ansible_stats", {}).get("data", {})
        published |= data.get("lab_summaries", {})
        assert "lab_summary" not in data
    return run, published


@pytest.mark.core
def test_labs_of_several_providers_are_started_in_one_run_and_one_that_fails_stops_no_other(
    lab: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    lab.seed_studio("studio-1", [{"sessionId": "seat-1", "ownedBy": "anna"}])
    studio = {"name": "studio-lab", "studio_id": "studio-1", "learners": [{"id": "anna"}]}
    pages = {"lab_handout_pages_dir": "pages-{{ inventory_hostname }}"}
    run, published = run_labs(
        run_playbook,
        home,
        cad={"lab_provider": "appstream", **pages},
        nowhere={"appstream_lab_stack_name": "nix"},
        studio={"lab_provider": "nimble", **pages, **{f"nimble_lab_{name}": value for name, value in studio.items()}},
        typo={"lab_provider": "appsteam"},
        fleet={"appstream_lab_fleet_name": "{{ nobody }}"},
        folder={"lab_handout_pages_dir": "{{ nobody }}/pages"},
        provider={"lab_provider": "{{ nobody }}"},
    )

    assert run.returncode == 2
    assert {host: (each["lab"], each["outcome"]) for host, each in published.items()} == {
        "cad": ("cad-lab", "ok"),
        "nowhere": ("nowhere-lab", "failed"),
        "studio": ("studio-lab", "ok"),
        "typo": (None, "failed"),
        "fleet": ("fleet-lab", "failed"),
        "folder": ("folder-lab", "failed"),
        "provider": (None, "failed"),
    }
    # A variable that is set and cannot be evaluated is not one that is not set.
    messages = {
        "typo": "lab_provider is 'appsteam', but it must be one of appstream, gamelift, nimble.",
        "fleet": "appstream_lab_fleet_name cannot be evaluated: 'nobody' is undefined",
        "folder": "lab_handout_pages_dir cannot be evaluated: 'nobody' is undefined",
        "provider": "lab_provider is 'an undefined variable', but it must be one of appstream, gamelift, nimble.",
    }
    assert {host: published[host]["message"] for host in messages} == messages
    assert published["nowhere"]["message"].startswith("Stack 'nix' does not exist in region us-east-1")
    # What a module says is repeated at the end only, what the arguments have is said there alone.
    assert {
        host: len([task for task in run.tasks if task.failed and published[host]["message"] in task.msg])
        for host in ("nowhere", "fleet", "folder")
    } == {"nowhere": 2, "fleet": 1, "folder": 2}
    # The labs have one learner, who has one page in each.
    files = [list((home / f"pages-{host}").glob("*.html")) for host in ("cad", "studio")]
    cad, studio_url = (url_of(page.read_text()) for [page] in files)
    assert sorted([cad, studio_url]) == sorted(lab.streaming_urls())


@pytest.mark.core
def test_two_hosts_with_one_lab_are_rejected_before_anything_is_done(
    lab: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    calls = len(lab.calls())
    run, published = run_labs(run_playbook, home, cad={"appstream_lab_name": "cam-lab"}, cam={}, office={})

    message = "The hosts cad and cam have the same lab 'cam-lab' on one stack and fleet: give each its own."
    assert {host: (each["outcome"], each["message"]) for host, each in published.items()} == dict.fromkeys(
        ("cad", "cam", "office"), ("failed", message)
    )
    assert (run.returncode, len(lab.calls())) == (2, calls)
