# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people would write without Ansible: streams from boto3 with threads. Stores nothing.

Usage: bare_nimble.py STUDIO SESSIONS THREADS, with AWS_DATA_PATH naming a folder that has the service.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

PAUSE = 0.25


def main(studio: str, sessions: int, threads: int) -> None:
    """Create a stream for each session, and poll until all are READY."""
    client = boto3.client("nimble", config=Config(max_pool_connections=threads))

    def create(number: int) -> dict[str, Any]:
        reply = client.create_streaming_session_stream(studioId=studio, sessionId=f"session-{number}")
        return {"studioId": studio, "sessionId": f"session-{number}", "streamId": reply["stream"]["streamId"]}

    def url_of(stream: dict[str, Any]) -> str | None:
        described = client.get_streaming_session_stream(**stream)["stream"]
        return described["url"] if described["state"] == "READY" else None

    with ThreadPoolExecutor(threads) as executor:
        urls, waiting = [], list(executor.map(create, range(sessions)))
        while waiting:
            found = list(executor.map(url_of, waiting))
            urls += [url for url in found if url]
            waiting = [stream for stream, url in zip(waiting, found, strict=True) if not url]
            if waiting:
                time.sleep(PAUSE)
    assert len(set(urls)) == sessions


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
