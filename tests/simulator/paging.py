# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a list. The token for the next page fits the same query only."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

Item = TypeVar("Item")


def page(query: Any, items: list[Item], token: str | None, size: int) -> tuple[list[Item], str | None]:
    """One page of ``items``, and the token for the next if there are more; ValueError unless ``token`` is from here."""
    start = 0
    if token is not None:
        try:
            issued_for, start = json.loads(base64.urlsafe_b64decode(token))
        except (ValueError, TypeError) as reason:
            raise ValueError("The token is not valid.") from reason
        if issued_for != query:
            raise ValueError("The token is of another query.")
    end = start + size
    following = base64.urlsafe_b64encode(json.dumps([query, end]).encode()).decode()
    return items[start:end], following if end < len(items) else None
