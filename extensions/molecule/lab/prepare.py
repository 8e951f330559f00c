# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create what the labs need: a stopped fleet with one session, a studio, the AWS configuration, and the times.

Usage: python -m extensions.molecule.lab.prepare FOLDER STACK FLEET STUDIO

The simulator is starting, and writes simulator.json to the folder when it is ready.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.simulator.control import Simulator

REGION = "eu-central-1"
START_SECONDS = 60


def main() -> None:
    """Create all of it."""
    folder, stack, fleet, studio = Path(sys.argv[1]), *sys.argv[2:]
    simulator = Simulator(json.loads(_when_there(folder / "simulator.json"))["endpoint_url"])
    appstream = simulator.client("appstream", REGION)
    appstream.create_stack(Name=stack)
    appstream.create_fleet(
        Name=fleet,
        InstanceType="stream.standard.medium",
        ImageName="lab-image",
        ComputeCapacity={"DesiredInstances": 1},
        MaxUserDurationInSeconds=36000,
    )
    appstream.associate_fleet(StackName=stack, FleetName=fleet)
    simulator.set(session_starting_seconds=1, stream_creating_seconds=0.5)
    sessions = [
        {"sessionId": "session-anna", "ownedBy": "s1001", "state": "STOPPED"},
        {"sessionId": "session-spare", "ownedBy": "nobody", "state": "STOPPED"},
        {"sessionId": "session-chloe", "ownedBy": "s1003"},
    ]
    simulator.seed_studio(studio, sessions, region=REGION)
    (folder / "aws.ini").write_text(f"[default]\nregion = {REGION}\nendpoint_url = {simulator.endpoint_url}\n")
    # The lab has started when the playbook is run again.
    now = datetime.now(timezone.utc).replace(microsecond=0)
    times = {"starts_at": now - timedelta(minutes=5), "ends_at": now + timedelta(hours=4)}
    (folder / "times.json").write_text(json.dumps({name: when.isoformat() for name, when in times.items()}))
    # From here on, secrets could get into the log.
    folder.with_suffix(".log").chmod(0o600)


def _when_there(path: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            sys.exit(f"The simulator did not start in {START_SECONDS} seconds.")
        time.sleep(0.05)
    return path.read_text()


if __name__ == "__main__":
    main()
