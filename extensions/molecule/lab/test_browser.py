# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A learner's page, its button, and where that leads; verify.yml runs it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.integration.browser import CHROMIUM, LAUNCH, press
from tests.pages import url_of
from tests.simulator.control import Simulator


def test_the_button_on_the_mailed_page_leads_by_the_newest_url_into_the_learners_session() -> None:
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
    with sync_playwright() as playwright, playwright.chromium.launch(**LAUNCH) as browser:
        tab = browser.new_page()
        tab.goto(page.as_uri())
        press(tab, "Tab", "Enter")
        tab.wait_for_url(f"{simulator.endpoint_url}/**")
        leads_there = tab.url == url
        assert leads_there
        assert "Your streaming session is running" in tab.inner_text("h1")
        assert learner in tab.inner_text("body").split()
