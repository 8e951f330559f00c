# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people would write without Ansible: URLs from boto3 with threads. Stores nothing.

Usage: bare_boto3.py STACK FLEET LEARNERS VALIDITY THREADS [RETRIES]

RETRIES is a mode of botocore, with as many attempts as our module makes; without it, botocore has its defaults. Who is
rejected to the end gets no URL.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ATTEMPTS = 10


def main(stack: str, fleet: str, learners: int, validity: int, threads: int, retries: str | None = None) -> None:
    """Issue a URL for each learner."""
    config = Config(max_pool_connections=threads)
    if retries:
        config = config.merge(Config(retries={"mode": retries, "total_max_attempts": ATTEMPTS}))
    client = boto3.client("appstream", config=config)

    def issue(number: int) -> str | None:
        try:
            reply = client.create_streaming_url(
                StackName=stack, FleetName=fleet, UserId=f"learner-{number}", Validity=validity
            )
        except ClientError:
            return None
        return reply["StreamingURL"]

    with ThreadPoolExecutor(threads) as executor:
        urls = [url for url in executor.map(issue, range(learners)) if url]
    print(f"{len(set(urls))} of {learners} learners have a URL")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), *sys.argv[6:])
