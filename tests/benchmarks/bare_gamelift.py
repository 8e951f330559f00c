# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people would write without Ansible: stream URLs from boto3 with threads. Stores nothing.

Usage: bare_gamelift.py STREAM_GROUP LEARNERS THREADS
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config


def main(stream_group: str, learners: int, threads: int) -> None:
    """Create a stream URL for each learner."""
    client = boto3.client("gameliftstreams", config=Config(max_pool_connections=threads))

    def create(_number: int) -> str:
        return client.create_stream_url(
            Identifier=stream_group,
            ApplicationIdentifier="a-lab",
            Protocol="WebRTC",
            UrlExpiresAfterMinutes=60,
            UsageLimit=5,
            Locations=["us-east-1"],
        )["StreamUrl"]

    with ThreadPoolExecutor(threads) as executor:
        assert len(set(executor.map(create, range(learners)))) == learners


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
