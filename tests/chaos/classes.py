# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes that the runs serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.integration.lease_stores import Store
from tests.integration.running import FLEET, STACK, Task


def learners(first: int, count: int) -> list[str]:
    """User ids, counted from a number on."""
    return [f"learner-{number:05}" for number in range(first, first + count)]


def arguments(user_ids: Sequence[str], store: Store, **more: Any) -> dict[str, Any]:
    """What a run is told."""
    users = [{"user_id": user_id} for user_id in user_ids]
    return {
        "stack_name": STACK,
        "fleet_name": FLEET,
        "validity": 3600,
        "users": users,
        "lease_store": store.url,
        **more,
    }


def urls_by_learner(task: Task) -> dict[str, str]:
    """What a run handed out, which did not fail."""
    return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}
