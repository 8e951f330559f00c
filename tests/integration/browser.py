# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Chromium of the system: how Playwright starts it, and what tests do with its pages."""

from __future__ import annotations

import shutil
from typing import Any

from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LAUNCH: dict[str, Any] = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"]}
CONTEXT: dict[str, Any] = {"locale": "en-GB", "timezone_id": "Asia/Tokyo"}


def press(tab: Page, *keys: str) -> None:
    """Press keys, one after the other."""
    for key in keys:
        tab.keyboard.press(key)
