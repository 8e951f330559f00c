# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody would write without Ansible: URLs from boto3 with threads. Remembers nothing.

Usage: bare_boto3.py STACK FLEET LEARNERS VALIDITY THREADS
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config


def main(stack: str, fleet: str, learners: int, validity: int, threads: int) -> None:
    """Issue a URL for each learner."""
    client = boto3.client("appstream", config=Config(max_pool_connections=threads))

    def issue(number: int) -> str:
        reply = client.create_streaming_url(
            StackName=stack, FleetName=fleet, UserId=f"learner-{number}", Validity=validity
        )
        return reply["StreamingURL"]

    with ThreadPoolExecutor(threads) as executor:
        urls = list(executor.map(issue, range(learners)))
    assert len(set(urls)) == learners


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
