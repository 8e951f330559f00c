# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Learners' pages in a real browser: what the button opens, when it opens nothing, and who is asked for what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import (
    LabClass,
    LearnersLink,
    OverviewRow,
    ended_page,
    learner_page,
    overview_page,
)

from tests.integration.browser import CHROMIUM, Browser, started_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")

LAB = LabClass("Computer-aided design", contact="Carla Example")
PAGE = "/0123456789abcdef.html"
# The button of the page, as a learner without a mouse gets to it.
ENTER = ("Tab", "Enter")
SESSION_PAGE = '<title>session</title><link rel="icon" href="data:,">'


class Site:
    """A web server with one learner's page, and sessions below /session/. It notes who asks for what.

    ``page`` is None while the server is broken. Its clock is ``ahead`` of the browser's.
    """

    def __init__(self) -> None:
        self.clear()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers.get("Referer")))
                page = site.page if self.path == PAGE else SESSION_PAGE
                body = (page or "broken").encode()
                self.send_response_only(503 if page is None else 200)
                self.send_header("Date", format_datetime(datetime.now(UTC) + site.ahead, usegmt=True))
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.address}{PAGE}"

    def clear(self) -> None:
        self.page: str | None = ""
        self.ahead = timedelta()
        self.asked: list[tuple[str, str | None]] = []

    def learners(self, session: str | None, *, minutes: float = 60, lab: LabClass = LAB) -> str:
        """A page for that session, whose URL expires in so many minutes; a page without a URL if there is none."""
        expires = (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)
        link = LearnersLink(f"{self.address}/session/{session}?a=1&b=2", expires) if session else None
        return learner_page(lab, "Anna Example", link)

    def sessions(self) -> list[str]:
        """The sessions that were opened."""
        return [
            path.partition("?")[0].rpartition("/")[2] for path, _referer in self.asked if path.startswith("/session")
        ]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests: it takes longer to start than any of them."""
    with started_browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """One server for all tests, since a browser takes another process for the page of another server."""
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,))
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def site(served: Site) -> Site:
    """The server, with nothing on it, which nobody has asked for anything."""
    served.clear()
    return served


@pytest.fixture
def browser(started: Browser, site: Site) -> Iterator[Browser]:
    """The browser. No page may make its console complain, as of a policy that a page violates."""
    yield started
    assert [error for error in started.errors if "503" not in error] == []
    # A page that is left asks for nothing any more.
    started.open(f"{site.address}/left")


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Callable[[str], None]:
    def open_page(page: str) -> None:
        site.page = page
        browser.open(site.url)

    return open_page


def lands_in(browser: Browser, site: Site, session: str) -> None:
    browser.wait_for("document.title === 'session'")
    assert site.sessions() == [session]


def becomes_visible(browser: Browser) -> None:
    """What a browser tells a page whose tab is looked at again."""
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_learner_opens_the_lab_by_the_keyboard_and_the_session_learns_nothing_of_the_page(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learners("one", minutes=211.5))
    assert "3 hours 31 minutes left" in browser.text()
    assert "GMT+9" in browser.text("p > time")
    assert browser.text("#status") == ""
    assert site.sessions() == []

    browser.press(*ENTER)

    lands_in(browser, site, "one")
    assert [path for path, _referer in site.asked[:2]] == [PAGE, PAGE]
    assert site.asked[2:] == [("/session/one?a=1&b=2", None)]


@pytest.mark.parametrize("minutes", [60, 0.001, -60])
def test_a_tab_that_was_open_before_the_url_was_renewed_opens_the_new_one(
    browser: Browser, site: Site, open_page: Callable[[str], None], minutes: float
) -> None:
    open_page(site.learners("old", minutes=minutes))
    site.page = site.learners("new")
    browser.press(*ENTER)
    lands_in(browser, site, "new")


def test_a_url_that_has_expired_is_not_opened_and_not_there_to_be_opened(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learners("dead", minutes=-60))
    assert browser.text("#open") == "Check again"
    assert "The button has expired." in browser.text()
    assert browser.evaluate("document.getElementById('open').href") == site.url

    browser.press(*ENTER)

    browser.wait_for("document.getElementById('status').textContent.startsWith('Your lab is not open now.')")
    assert site.sessions() == []


def test_while_its_server_is_away_a_page_opens_the_url_that_it_has_unless_that_has_expired(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learners("dead", minutes=-60))
    site.page = None
    browser.press(*ENTER)
    browser.wait_for("document.getElementById('status').textContent.startsWith('This page could not be')")
    assert site.sessions() == []

    open_page(site.learners("one"))
    site.page = None
    browser.press(*ENTER)
    lands_in(browser, site, "one")


def test_the_clock_that_counts_is_the_servers(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    """By the browser's clock, which is two hours ahead, the URL has expired."""
    site.ahead = timedelta(hours=-2)
    open_page(site.learners("one", minutes=-60))
    browser.press(*ENTER)
    lands_in(browser, site, "one")


def test_a_page_that_waits_gets_its_button_by_itself(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2, minutes=1)
    lab = LabClass("Computer-aided design", starts=starts)
    open_page(site.learners(None, lab=lab))
    assert "Starts in 2 days 0 hours" in browser.text()

    site.page = site.learners("one", lab=lab)
    becomes_visible(browser)

    browser.wait_for("document.getElementById('open')")
    browser.press(*ENTER)
    lands_in(browser, site, "one")


@pytest.mark.parametrize("pressed", [True, False])
def test_a_tab_that_outlives_its_class_says_that_it_has_ended(
    browser: Browser, site: Site, open_page: Callable[[str], None], pressed: bool
) -> None:
    open_page(site.learners("one"))
    site.page = ended_page(LAB)
    if pressed:
        browser.press(*ENTER)
    else:
        becomes_visible(browser)
    browser.wait_for("document.body?.innerText?.includes('The class has ended.')")
    assert site.sessions() == []


def test_a_page_works_as_a_file(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(site.learners("dead", minutes=-60))
    browser.open(page.as_uri())
    browser.press(*ENTER)
    browser.wait_for("document.getElementById('status').textContent !== ''")
    browser.errors.clear()  # A browser says so if a file asks for itself.

    page.write_text(site.learners("one"))
    browser.open(page.as_uri())
    browser.press(*ENTER)
    lands_in(browser, site, "one")
    browser.errors.clear()


def test_a_page_works_without_its_script(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        open_page(site.learners("one"))
        assert "UTC" in browser.text("p > time")
        browser.press(*ENTER)
        lands_in(browser, site, "one")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_hostile_name_runs_nothing(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    name = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    now = datetime.now(UTC)
    row = OverviewRow(name, name, name, "working", now + timedelta(hours=1), now)
    link = LearnersLink(f"{site.address}/session/one", now + timedelta(hours=1))
    for page in (learner_page(LAB, name, link), overview_page(LAB, [row], ended=False)):
        open_page(page)
        assert browser.evaluate("document.title") == LAB.title
        assert name in browser.text()


def test_the_overview_tells_what_has_expired_since(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    now = datetime.now(UTC)
    rows = [OverviewRow(str(hours), "", "", "working", now + timedelta(hours=hours), now) for hours in (-1, 1)]
    open_page(overview_page(LAB, rows, ended=False))
    assert "works: 1, expired: 1" in browser.text()
    assert "Asia/Tokyo" in browser.text()


def test_no_page_is_wider_than_the_screen(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    now = datetime.now(UTC)
    long = LabClass("Computer-aided-design-and-manufacturing" * 3, now, now + timedelta(hours=4), "x" * 90)
    try:
        for page in (
            learner_page(long, "x" * 200, LearnersLink(f"{site.address}/session/one", now + timedelta(hours=1))),
            overview_page(long, [OverviewRow("x" * 60, "x" * 60, "x" * 60, "none")], ended=False),
        ):
            open_page(page)
            for width in (320, 390, 1280):
                screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
                browser.call("Emulation.setDeviceMetricsOverride", **screen)
                assert browser.evaluate("document.documentElement.clientWidth") == width
                assert browser.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")
