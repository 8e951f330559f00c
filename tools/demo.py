# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: a class of 30 gets its streaming URLs from the simulator, twice. Needs no AWS account and no network.

Run it with ``make demo``. It leaves the hand-out and the lease store in build/demo, and nothing running.
"""

from __future__ import annotations

import csv
import html
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from tests.simulator.control import Simulator  # noqa: E402

FOLDER = CHECKOUT / "build" / "demo"
HANDOUT = FOLDER / "handout.csv"
STACK, FLEET = "cad-course", "cad-fleet"
PLAYBOOK_SECONDS = 120


def main() -> int:
    """Run the demo; 0 if all of it went as told."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    headline("Starting the simulator of AppStream, with a stack and a running fleet")
    with Simulator.start() as simulator:
        simulator.seed_lab(STACK, FLEET)
        print(f"{simulator.endpoint_url}, stack {STACK}, fleet {FLEET}")
        class_ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=4)

        headline("First run: examples/class.yml with examples/roster.csv, until the end of the class in 4 hours")
        first = run_playbook(simulator, class_ends)

        headline("What the learners got")
        print_seats()
        print(f"\nTheir URLs are in {HANDOUT.relative_to(CHECKOUT)}, mode {HANDOUT.stat().st_mode & 0o777:04o}.")

        headline("Opening one of the URLs, as a learner's browser does")
        open_one(simulator)

        headline("Second run: nothing is left to do")
        second = run_playbook(simulator, class_ends)
        issued = len(simulator.calls("CreateStreamingURL"))
    headline("The simulator is stopped")
    print(f"Two runs issued {issued} URLs. The second run: changed={second}.")
    return 0 if first > 0 and second == 0 and issued == 30 else 1


def headline(text: str) -> None:
    """Print what comes next."""
    print(f"\n=== {text}", flush=True)


def run_playbook(simulator: Simulator, class_ends: datetime) -> int:
    """Run the example with output on the terminal; returns how many tasks changed something."""
    settings = {
        "class_stack": STACK,
        "class_fleet": FLEET,
        "class_ends_at": class_ends.isoformat(),
        "class_handout": str(HANDOUT),
    }
    command = ["ansible-playbook", str(CHECKOUT / "examples" / "class.yml")]
    for name, value in settings.items():
        command += ["--extra-vars", f"{name}={value}"]
    own = {
        "HOME": str(FOLDER),
        "ANSIBLE_HOME": str(FOLDER / ".ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "build" / "collections"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    run = subprocess.run(
        command,
        env={**simulator.subprocess_environment(), **own},
        stdout=subprocess.PIPE,
        text=True,
        timeout=PLAYBOOK_SECONDS,
        check=False,
    )
    print(run.stdout.strip())
    run.check_returncode()
    recap = re.search(r"^localhost +: .*changed=(\d+)", run.stdout, re.MULTILINE)
    assert recap, "the playbook printed no recap"
    return int(recap[1])


def rows() -> list[dict[str, str]]:
    """The hand-out."""
    with HANDOUT.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def print_seats() -> None:
    """A table of the seats and when their URLs expire."""
    columns = ("name", "seat", "expires")
    table = [columns, *(tuple(row[column] for column in columns) for row in rows())]
    widths = [max(len(line[column]) for line in table) for column in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def open_one(simulator: Simulator) -> None:
    """Open the first learner's URL, and show the page and what the service knows of the session."""
    first = rows()[0]
    status, page = simulator.open(first["streaming_url"])
    title = re.search(r"<h1>(.*?)</h1>", page)
    assert title, "the page has no title"
    print(f"HTTP {status}: {html.unescape(title[1])}")
    sessions = simulator.client("appstream").describe_sessions(StackName=STACK, FleetName=FLEET)["Sessions"]
    for session in sessions:
        print(f"DescribeSessions: {session['UserId']} is {session['State']} and {session['ConnectionState']}.")


if __name__ == "__main__":
    sys.exit(main())
