# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: 30 learners of a lab get streaming URLs from the simulator, twice. Needs no AWS account and no network.

Run it with ``make demo``. It leaves the handouts and the lease store in build/demo. With ``make demo KEEP=1``, the
simulator keeps running until Ctrl+C, so that the pages open sessions.
"""

from __future__ import annotations

import csv
import html
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from example_lab import CHECKOUT, COLLECTIONS, FLEET, STACK, TOOLS, Simulator, run_simulator, wait_for_interrupt

FOLDER = CHECKOUT / "build" / "demo"
URLS_CSV, PAGES_DIR, OVERVIEW_HTML = FOLDER / "urls.csv", FOLDER / "pages", FOLDER / "overview.html"
EXAMPLE = CHECKOUT / "examples" / "lab.yml"
ROSTER = CHECKOUT / "examples" / "roster.csv"
PLAYBOOK_TIMEOUT = 300


def main() -> int:
    """Run the demo; return 0 if all runs did what they should."""
    keep = os.environ.get("KEEP", "0") not in ("", "0")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    print_headline("Starting the simulator of AppStream 2.0, with a stack and a running fleet")
    with run_simulator() as simulator:
        print(f"{simulator.endpoint_url}, stack {STACK}, fleet {FLEET}")
        ends_at = (datetime.now(UTC).replace(microsecond=0) + timedelta(hours=4)).isoformat()

        print_headline("First run: examples/lab.yml with examples/roster.csv; the lab ends in 4 hours")
        first = run_example(simulator, ends_at)

        print_headline("What the learners got")
        print_seats()
        print(f"\nTheir URLs are in {URLS_CSV.relative_to(CHECKOUT)}, mode {URLS_CSV.stat().st_mode & 0o777:04o}.")

        print_headline("Opening one of the URLs, as a learner's browser does")
        open_url(simulator)

        print_headline("Second run: nothing is left to do")
        second = run_example(simulator, ends_at)

        print_headline("The playbook start_lab writes a page for each learner and an overview, with the same URLs")
        third = run_start_lab(simulator, ends_at)
        issued = len(simulator.calls("CreateStreamingURL"))
        print(f"\nThe three runs issued {issued} URLs in all, one for each learner:")
        print(f"  First run, the example:           changed={first} (the URLs, and the file with them)")
        print(f"  Second run, the example again:    changed={second}")
        print(f"  Third run, start_lab:             changed={third} (the pages; the URLs are the same)")
        print(f"A learner's page: {min(PAGES_DIR.iterdir()).as_uri()}")
        print(f"The overview:     {OVERVIEW_HTML.as_uri()}")
        if keep:
            print_headline("The simulator keeps running: open a page in a browser, and stop with Ctrl+C")
            wait_for_interrupt()
    print_headline("The simulator is stopped")
    if not keep:
        print("The pages can be read, but their buttons need the simulator: make demo KEEP=1 keeps it running.")
    return 0 if first > 0 and second == 0 and issued == 30 else 1


def print_headline(text: str) -> None:
    """Print what comes next."""
    print(f"\n=== {text}", flush=True)


def run_example(simulator: Simulator, ends_at: str) -> int:
    """Run the example; return how many tasks changed something."""
    settings = {"lab_stack": STACK, "lab_fleet": FLEET, "lab_ends_at": ends_at, "lab_urls_csv": str(URLS_CSV)}
    return run_playbook(simulator, str(EXAMPLE), settings)


def run_start_lab(simulator: Simulator, ends_at: str) -> int:
    """Run the playbook start_lab; return how many tasks changed something."""
    settings = {
        "appstream_lab_name": "example-lab",
        "appstream_lab_roster": str(ROSTER),
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_ends_at": ends_at,
        "lab_handout_pages_dir": str(PAGES_DIR),
        "lab_handout_overview_html": str(OVERVIEW_HTML),
        "lab_handout_links_csv": str(FOLDER / "links.csv"),
        "lab_handout_title": "Computer-aided design",
    }
    return run_playbook(simulator, "labstream.aws.start_lab", settings)


def run_playbook(simulator: Simulator, playbook: str, settings: dict[str, str]) -> int:
    """Run a playbook with its output on the terminal; return how many tasks changed something."""
    command = ["ansible-playbook", playbook, "--extra-vars", json.dumps(settings)]
    own = {
        "HOME": str(FOLDER),
        "ANSIBLE_HOME": str(FOLDER / ".ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
    }
    run = subprocess.run(
        command,
        env={**simulator.subprocess_environment(), **own},
        stdout=subprocess.PIPE,
        text=True,
        timeout=PLAYBOOK_TIMEOUT,
        check=False,
    )
    print(run.stdout.strip())
    run.check_returncode()
    recap = re.search(r"^localhost +: .*changed=(\d+)", run.stdout, re.MULTILINE)
    assert recap, "the playbook printed no recap"
    return int(recap[1])


def read_rows() -> list[dict[str, str]]:
    """Return the rows of the CSV file with the URLs."""
    with URLS_CSV.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def print_seats() -> None:
    """Print a table of the seats and when their URLs expire."""
    columns = ("name", "holder", "expires")
    table = [columns, *(tuple(row[column] for column in columns) for row in read_rows())]
    widths = [max(len(line[column]) for line in table) for column in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def open_url(simulator: Simulator) -> None:
    """Open the first learner's URL, and print the page's title and the sessions that the service reports."""
    first = read_rows()[0]
    status, page = simulator.open(first["streaming_url"])
    title = re.search(r"<h1>(.*?)</h1>", page)
    assert title, "the page has no title"
    print(f"HTTP {status}: {html.unescape(title[1])}")
    sessions = simulator.client("appstream").describe_sessions(StackName=STACK, FleetName=FLEET)["Sessions"]
    for session in sessions:
        print(f"DescribeSessions: {session['UserId']} is {session['State']} and {session['ConnectionState']}.")


if __name__ == "__main__":
    sys.exit(main())
