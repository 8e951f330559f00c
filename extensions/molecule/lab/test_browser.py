# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A learner's page, its button, and where that leads; verify.yml runs it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from tests.integration.browser import CHROMIUM, started_browser
from tests.pages import url_of
from tests.simulator.control import Simulator


def test_the_button_on_the_mailed_page_leads_by_the_newest_url_into_the_learners_session(tmp_path: Path) -> None:
    # Given the page that was mailed to the learner, with one URL, which is one of the last that were issued.
    simulator, learner = Simulator(os.environ["LAB_ENDPOINT_URL"]), os.environ["LAB_LEARNER"]
    with open(os.environ["LAB_LINKS"], newline="", encoding="utf-8") as file:
        pages = {row["id"]: row["page"] for row in csv.DictReader(file)}
    page = Path(os.environ["LAB_PAGES"], pages[learner])
    url = url_of(page.read_text(encoding="utf-8"))
    is_newest = url in simulator.streaming_urls()[-len(pages) :]
    assert is_newest
    assert url

    if CHROMIUM is None:
        assert simulator.open(url)[0] == 200
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium); the URL was opened without a browser")

    # When the learner presses the button, then it leads there, to their session. No message shows the URL.
    with started_browser(tmp_path / "profile") as browser:
        browser.open(page.as_uri())
        browser.press("Tab", "Enter")
        browser.wait_for(f"location.href.startsWith({simulator.endpoint_url!r})")
        leads_there = browser.evaluate("location.href") == url
        assert leads_there
        assert "Your streaming session is running" in browser.text("h1")
        assert learner in browser.text().split()
