# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run nox sessions three at a time, and print a summary at the end. nox itself runs them one after the other.

Usage: side_by_side.py SESSION...

A session's output goes to build/logs/SESSION.log, and is printed if the session fails. Exits with 1 if any fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

LOGS = Path("build/logs")
PYTEST_CLOSING_LINE = re.compile(r"=+ .*\d+ \w+.* in [\d.]+s.* =+")


@dataclass(frozen=True)
class Outcome:
    """The result of a session."""

    session: str
    failed: bool
    seconds: float
    output: str

    def __str__(self) -> str:
        return f"{'FAILED' if self.failed else 'ok':<6} {self.seconds:4.0f} s  {self.session}"

    def pytest_closing_lines(self) -> list[str]:
        """Return the lines in which pytest counts the tests."""
        return [line for line in self.output.splitlines() if PYTEST_CLOSING_LINE.fullmatch(line)]


def run(session: str) -> Outcome:
    """Run one session."""
    started = time.monotonic()
    with (LOGS / f"{session}.log").open("w+", encoding="utf-8", errors="replace") as log:
        command = [Path(sys.executable).with_name("nox"), "-R", "--session", session]
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False)
        log.seek(0)
        return Outcome(session, status.returncode != 0, time.monotonic() - started, log.read())


def main() -> None:
    """Run all sessions, print the summary and exit."""
    LOGS.mkdir(parents=True, exist_ok=True)
    outcomes = []
    # More than two cores: they wait for a quarter of their time.
    with ThreadPoolExecutor(max_workers=3) as pool:
        for future in as_completed([pool.submit(run, session) for session in sys.argv[1:]]):
            outcome = future.result()
            outcomes.append(outcome)
            if outcome.failed:
                print(f"\n---- {outcome.session}\n{outcome.output}\n----")
            print(outcome, flush=True)

    print("\nSummary")
    for outcome in outcomes:
        print(outcome)
        print("".join(f"{line}\n" for line in outcome.pytest_closing_lines()), end="")
    failed = [outcome.session for outcome in outcomes if outcome.failed]
    print(f"Failed: {' '.join(failed)}" if failed else f"All {len(outcomes)} succeeded.")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
