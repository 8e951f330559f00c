# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The descriptions of stream URLs: labels by which they are found, even if the lease store is lost. Pure.

A description is sent to AWS, so it says nothing about a learner. THE ALGORITHM IS FROZEN: a change here loses the
stream URLs that were created before it.
"""

from __future__ import annotations

import base64
import hashlib
import re

from .._leases.lease import LeaseKey

MAX_LAB_LENGTH = 30
HASH_LENGTH = 26

_PREFIX = "labstream"
# Out of those that a description may have, without the separator and the space.
_UNSAFE = re.compile(r"[^a-zA-Z0-9_.!+@-]", re.ASCII)


def build_prefix(lab: str | None) -> str:
    """Return how the descriptions of the lab's stream URLs begin. Labs with similar names have the same beginning."""
    return f"{_PREFIX}/{_UNSAFE.sub('', lab or '')[:MAX_LAB_LENGTH]}/"


def is_like_one_of(lab: str, description: str | None) -> bool:
    """Return whether a stream URL with this description may have been created in the lab: a similar name fits too."""
    return (description or "").startswith(build_prefix(lab))


def parse_lab(description: str | None) -> str | None:
    """Return the name of the lab in a description, as far as that has it; None if it has none."""
    parts = (description or "").split("/")
    return parts[1] or None if len(parts) == 3 and parts[0] == _PREFIX else None


def build_description(lab: str | None, key: LeaseKey) -> str:
    """Return the description of a stream URL that is created in this lab, for the lease with this key.

    Its last part is a hash of the lab, the holder and the purpose, in which the generation is. Each is hashed with its
    length, so that no two of them give the same.
    """
    sha256 = hashlib.sha256()
    for part in (lab or "", key.holder, key.purpose_sha256):
        encoded = part.encode()
        sha256.update(b"%d:%b" % (len(encoded), encoded))
    return build_prefix(lab) + base64.b32encode(sha256.digest()).decode()[:HASH_LENGTH]
