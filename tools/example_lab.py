# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make demo`` and ``make simulator`` share: a simulator with the stack, the fleet and the image of a lab."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from tests.simulator.control import Simulator  # noqa: E402

STACK, FLEET = "cad-course", "cad-fleet"
# Those of the guide to GameLift Streams.
STREAM_GROUP, APPLICATION, LOCATIONS = "sg-1AB2C3De4", "a-9ZY8X7Wv6", ["eu-central-1", "eu-west-1"]
# Those of the targets of ansible-test.
STUDIO, SESSIONS = "studio-1", ["seat-1", "seat-2"]
# Where Ansible, boto3 and the aws command are, and this collection.
TOOLS = Path(sys.executable).parent
COLLECTIONS = CHECKOUT / "build" / "collections"


@contextmanager
def run_simulator() -> Iterator[Simulator]:
    """Run a simulator with all of these; it stops at the end of the context."""
    with Simulator.start() as simulator:
        simulator.seed_lab(STACK, FLEET)
        simulator.seed_stream_group(STREAM_GROUP, [APPLICATION], LOCATIONS)
        simulator.seed_studio(STUDIO, SESSIONS)
        yield simulator


def wait_for_interrupt() -> None:
    """Wait until Ctrl+C is pressed."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
