# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.simulator``: see README.md beside this file."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.simulator.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description="Simulate AWS on a loopback port.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--ready-file", type=Path, help="also write the ready line to this file")
    parser.add_argument("--stop-at-eof", action="store_true", help="stop when standard input ends, as with its parent")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.ready_file, stop_at_eof=arguments.stop_at_eof)


if __name__ == "__main__":
    main()
