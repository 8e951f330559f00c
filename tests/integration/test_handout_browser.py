# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Learners' pages in a real browser: what the button opens, when it opens nothing, and which requests are sent."""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urljoin

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import (
    LabDetails,
    OverviewRow,
    StreamingLink,
    build_final_page,
    build_learner_page,
    build_overview_page,
)
from ansible_collections.labstream.aws.plugins.module_utils._handouts.texts import Languages

from tests.integration.browser import CHROMIUM, Browser, started_browser, wait_until
from tests.integration.running import FLEET, STACK
from tests.pages import find_links, url_of
from tests.simulator.control import Simulator

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")

LAB = LabDetails("Computer-aided design", contact="Carla Example")
PAGE = "/0123456789abcdef.html"
# Press the button with the keyboard.
ENTER = ("Tab", "Enter")
SESSION_PAGE = '<title>session</title><link rel="icon" href="data:,">'


class Site:
    """A web server with a learner's page, and sessions below /session/. It records paths and referrers of requests.

    ``page`` is None while the server is broken. Its clock is ``ahead`` of the browser's. A session that ``is_slow``
    sends no page, so the learner's page stays.
    """

    def __init__(self) -> None:
        self.clear()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append((self.path, self.headers.get("Referer")))
                page = site.page if self.path == PAGE else SESSION_PAGE
                body = (page or "broken").encode()
                is_empty = site.is_slow and self.path != PAGE
                self.send_response_only(503 if page is None else 204 if is_empty else 200)
                self.send_header("Date", format_datetime(datetime.now(UTC) + site.ahead, usegmt=True))
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", "0" if is_empty else str(len(body)))
                self.end_headers()
                if not is_empty:
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.address}{PAGE}"

    def clear(self) -> None:
        self.page: str | None = ""
        self.ahead = timedelta()
        self.is_slow = False
        self.requests: list[tuple[str, str | None]] = []

    def learner_page(
        self, session: str | None, *, minutes: float = 60, lab: LabDetails = LAB, usage_limit: int | None = None
    ) -> str:
        """Return a page whose URL opens the session and expires after ``minutes``; without a session, it has no URL."""
        expires = (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)
        link = StreamingLink(f"{self.address}/session/{session}?a=1&b=2", expires, usage_limit) if session else None
        return build_learner_page(lab, "Anna Example", link)

    def sessions(self) -> list[str]:
        """Return the sessions that were opened."""
        return [
            path.partition("?")[0].rpartition("/")[2] for path, _referer in self.requests if path.startswith("/session")
        ]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests, because it takes longer to start than any of them."""
    with started_browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """A server for all tests, because a browser starts another process for the pages of another server."""
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,))
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def site(served: Site) -> Site:
    """The server without a page and without requests."""
    served.clear()
    return served


@pytest.fixture
def browser(started: Browser, site: Site) -> Iterator[Browser]:
    """The browser. Pages must cause no console errors, such as a violated policy."""
    yield started
    assert [error for error in started.errors if "503" not in error] == []
    # A page that has been left sends no more requests.
    started.open(f"{site.address}/left")


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Callable[[str], None]:
    def open_page(page: str) -> None:
        site.page = page
        browser.open(site.url)

    return open_page


def assert_opened(browser: Browser, site: Site, session: str) -> None:
    browser.wait_for("document.title === 'session'")
    assert site.sessions() == [session]


def make_visible(browser: Browser) -> None:
    """Send the event that a page gets when its tab is selected again."""
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_the_keyboard_opens_the_lab_and_the_session_gets_no_referrer(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("one", minutes=211.5))
    assert "3 hours 31 minutes left" in browser.text()
    assert "Japan Standard Time" in browser.text("p > time")
    assert browser.text("#status") == ""
    assert site.sessions() == []

    browser.press(*ENTER)

    assert_opened(browser, site, "one")
    assert [path for path, _referer in site.requests[:2]] == [PAGE, PAGE]
    assert site.requests[2:] == [("/session/one?a=1&b=2", None)]


@pytest.mark.parametrize("minutes", [60, 0.001, -60])
def test_a_tab_that_is_older_than_the_url_opens_the_new_url(
    browser: Browser, site: Site, open_page: Callable[[str], None], minutes: float
) -> None:
    open_page(site.learner_page("old", minutes=minutes))
    site.page = site.learner_page("new")
    browser.press(*ENTER)
    assert_opened(browser, site, "new")


def test_an_expired_url_is_not_opened(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    open_page(site.learner_page("dead", minutes=-60))
    assert browser.text("#open") == "Check again"
    assert "The button has expired." in browser.text()

    browser.press(*ENTER)

    browser.wait_for("document.getElementById('status').textContent.startsWith('Your lab is not available right now.')")
    assert site.sessions() == []


def test_without_its_server_a_page_opens_the_url_that_it_has_unless_that_has_expired(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("dead", minutes=-60))
    site.page = None
    browser.press(*ENTER)
    browser.wait_for("document.getElementById('status').textContent.startsWith('This page could not be refreshed.')")
    assert site.sessions() == []

    open_page(site.learner_page("one"))
    site.page = None
    browser.press(*ENTER)
    assert_opened(browser, site, "one")


def test_the_servers_clock_decides(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    """By the browser's clock, which is two hours ahead, the URL has expired."""
    site.ahead = timedelta(hours=-2)
    open_page(site.learner_page("one", minutes=-60))
    browser.press(*ENTER)
    assert_opened(browser, site, "one")


def test_a_waiting_page_gets_its_button_automatically(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2, minutes=1)
    lab = LabDetails("Computer-aided design", starts_at=starts)
    open_page(site.learner_page(None, lab=lab))
    assert "Starts in 2 days 0 hours" in browser.text()

    site.page = site.learner_page("one", lab=lab)
    make_visible(browser)

    browser.wait_for("document.getElementById('open')")
    browser.press(*ENTER)
    assert_opened(browser, site, "one")


@pytest.mark.parametrize("pressed", [True, False])
def test_a_tab_that_is_open_after_the_lab_says_that_it_has_ended(
    browser: Browser, site: Site, open_page: Callable[[str], None], pressed: bool
) -> None:
    open_page(site.learner_page("one"))
    site.page = build_final_page(LAB, "ended")
    if pressed:
        browser.press(*ENTER)
    else:
        make_visible(browser)
    browser.wait_for("document.body?.innerText?.includes('The lab has ended.')")
    assert site.sessions() == []


def test_a_page_works_as_a_file(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(site.learner_page("dead", minutes=-60))
    browser.open(page.as_uri())
    browser.press(*ENTER)
    browser.wait_for("document.getElementById('status').textContent !== ''")
    browser.errors.clear()  # A browser reports that a file fetches itself.

    page.write_text(site.learner_page("one"))
    browser.open(page.as_uri())
    browser.press(*ENTER)
    assert_opened(browser, site, "one")
    browser.errors.clear()


def test_without_javascript_a_page_has_no_button_and_says_whom_to_ask(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        open_page(site.learner_page("one", usage_limit=5))
        assert "UTC" in browser.text("p > time")
        assert "This page needs JavaScript to open your lab." in browser.text()
        assert "or ask Carla Example." in browser.text()
        assert "Open my lab" not in browser.text()
        browser.press(*ENTER)
        assert site.sessions() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


# What opens the URL, and how often


def follow_links(browser: Browser, page: str, address: str) -> None:
    """Do with a page what is not pressing its button: read, hover over, and print it; follow all that looks a link."""
    browser.hover("#open")
    assert "UTC" not in browser.text("p > time")
    # Nothing on paper is a link.
    assert b"/URI" not in browser.print()
    links = find_links(page) | find_links(str(browser.evaluate("document.documentElement.outerHTML")))
    for link in {urljoin(address, link) for link in links}:
        if link.startswith("http") and " " not in link:
            with suppress(HTTPError):
                urllib.request.urlopen(link).close()


@pytest.mark.parametrize("usage_limit", [None, 5])
def test_only_the_button_opens_the_url(
    browser: Browser, site: Site, open_page: Callable[[str], None], usage_limit: int | None
) -> None:
    page = site.learner_page("one", usage_limit=usage_limit)
    open_page(page)
    assert "Open my lab" in browser.text()

    follow_links(browser, page, site.url)

    assert site.sessions() == []
    assert browser.text("#open") == "Open my lab"


@pytest.mark.parametrize("times", [1, 2])
def test_a_double_click_is_one(browser: Browser, site: Site, open_page: Callable[[str], None], times: int) -> None:
    site.is_slow = True
    open_page(site.learner_page("one"))

    browser.click("#open", times=times)

    wait_until(lambda: bool(site.sessions()), "a session")
    browser.wait_for("document.getElementById('status').textContent === 'Opening your lab\u2026'")
    browser.click("#open")
    browser.press("Enter")
    time.sleep(0.2)
    assert site.sessions() == ["one"]
    assert browser.evaluate("document.getElementById('open').getAttribute('aria-disabled')") == "true"


def test_after_ten_seconds_the_button_works_again(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    site.is_slow = True
    open_page(site.learner_page("one"))
    # Time is 20 times as fast.
    browser.evaluate("((real) => { window.setTimeout = (call, delay) => real(call, delay / 20); })(window.setTimeout)")
    for count in (1, 2):
        pressed_at = time.monotonic()
        browser.click("#open", times=2)
        browser.wait_for("!document.getElementById('open').hasAttribute('aria-disabled')")
        assert time.monotonic() - pressed_at > 10 / 20
        assert site.sessions() == ["one"] * count
        assert browser.text("#status") == ""


def test_where_openings_are_counted_the_button_asks_first(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("one", usage_limit=5))
    assert "You can open your lab 5 times in all." in browser.text()
    assert "Open your lab now?" not in browser.text()

    # Neither pressing Enter twice, nor Escape, nor a double click, whatever its second click hits, opens anything.
    for presses in (("Tab", "Enter", "Enter"), ("Enter", "Escape")):
        browser.press(*presses)
        browser.wait_for("!document.getElementById('question').open")
        assert browser.evaluate("document.activeElement.id") == "open"
    browser.click("#open")
    assert "Open your lab now?" in browser.text("dialog[open]")
    browser.click("#yes")
    browser.wait_for("document.getElementById('question').open")
    time.sleep(0.6)
    assert len(site.requests) == 1

    # Only the answer does, once.
    browser.click("#yes", times=2)
    assert_opened(browser, site, "one")


def test_the_keyboard_answers_the_question(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    open_page(site.learner_page("one", usage_limit=5))
    browser.press(*ENTER)
    browser.wait_for("document.activeElement.id === 'not-now'")
    time.sleep(0.6)
    browser.press(*ENTER)
    assert_opened(browser, site, "one")


def test_an_expired_page_that_gets_a_counted_url_shows_it_before_it_opens_it(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("old", minutes=-60))
    site.page = site.learner_page("new", usage_limit=5)
    browser.press(*ENTER)
    browser.wait_for("document.getElementById('question')")
    assert site.sessions() == []


def issue_at_appstream(simulator: Simulator) -> tuple[StreamingLink, Callable[[], int]]:
    """Return the link of a URL, and what counts the sessions that it has started."""
    simulator.seed_lab(STACK, FLEET)
    appstream = simulator.client("appstream")
    where = {"StackName": STACK, "FleetName": FLEET}
    issued = appstream.create_streaming_url(**where, UserId="anna")
    link = StreamingLink(issued["StreamingURL"], issued["Expires"])
    return link, lambda: len(appstream.describe_sessions(**where)["Sessions"])


def issue_at_gamelift(simulator: Simulator) -> tuple[StreamingLink, Callable[[], int]]:
    """Return the link of a stream URL, and what counts its uses, each of which has started a session."""
    simulator.seed_stream_group("sg-lab")
    issued = simulator.client("gameliftstreams").create_stream_url(
        Identifier="sg-lab",
        ApplicationIdentifier="a-lab",
        Protocol="WebRTC",
        UrlExpiresAfterMinutes=60,
        Locations=["us-east-1"],
        UsageLimit=5,
    )

    def count_uses() -> int:
        [stream_url] = simulator.stream_urls()
        assert len(simulator.stream_sessions()) == 5 - stream_url["RemainingUses"]
        return 5 - stream_url["RemainingUses"]

    return StreamingLink(issued["StreamUrl"], issued["ExpiresAt"], issued["UsageLimit"]), count_uses


@pytest.mark.parametrize("issue", [issue_at_appstream, issue_at_gamelift])
@pytest.mark.parametrize("times", [1, 2])
def test_a_click_or_a_double_click_starts_one_session_and_nothing_else_starts_any(
    browser: Browser,
    site: Site,
    open_page: Callable[[str], None],
    simulator: Simulator,
    issue: Callable[[Simulator], tuple[StreamingLink, Callable[[], int]]],
    times: int,
) -> None:
    """Whoever requests a streaming URL starts a session, as with the services of AWS."""
    link, count_sessions = issue(simulator)
    page = build_learner_page(LAB, "Anna Example", link)
    assert url_of(page) == link.url

    open_page(page)
    follow_links(browser, page, site.url)
    assert count_sessions() == 0

    browser.click("#open", times=times)
    if link.usage_limit:
        time.sleep(0.6)
        assert count_sessions() == 0
        browser.click("#yes", times=times)
    browser.wait_for("location.href !== 'about:blank' && !document.getElementById('page')")
    browser.wait_for("document.body?.innerText?.includes('session')")
    assert count_sessions() == 1


def test_a_hostile_name_runs_nothing(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    name = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    now = datetime.now(UTC)
    row = OverviewRow(name, name, name, "valid", now + timedelta(hours=1), now)
    link = StreamingLink(f"{site.address}/session/one", now + timedelta(hours=1))
    for page in (build_learner_page(LAB, name, link), build_overview_page(LAB, [row], ended=False)):
        open_page(page)
        assert browser.evaluate("document.title") == LAB.title
        assert name in browser.text()


def test_the_overview_shows_what_has_expired_since(
    browser: Browser, site: Site, open_page: Callable[[str], None]
) -> None:
    now = datetime.now(UTC)
    rows = [OverviewRow(str(hours), "", "", "valid", now + timedelta(hours=hours), now) for hours in (-1, 1)]
    open_page(build_overview_page(LAB, rows, ended=False))
    assert "valid: 1, expired: 1" in browser.text()
    assert "Asia/Tokyo" in browser.text()


@pytest.mark.parametrize(
    ("tag", "zone", "starts_in", "left"),
    [
        ("en", "Japan Standard Time", "Starts in 2 days 0 hours", "1 hour 29 minutes left"),
        ("de", "Japanische Normalzeit", "Noch 2 Tage 0 Stunden bis zum Beginn", "Noch 1 Stunde 29 Minuten"),
        ("es", "hora estándar de Japón", "Tiempo hasta el inicio: 2 días 0 horas", "restante: 1 hora 29 minutos"),
        ("fr", "heure normale du Japon", "avant le début : 2 jours 0 heure", "restant : 1 heure 29 minutes"),
    ],
)
def test_times_are_in_the_language_of_the_page_with_24_hours_and_the_name_of_the_zone(
    browser: Browser, site: Site, open_page: Callable[[str], None], tag: str, zone: str, starts_in: str, left: str
) -> None:
    language = Languages().find(tag)
    assert language
    now = datetime.now(UTC).replace(microsecond=0)
    # At 14:30 and 18:30 in the browser's time zone.
    starts_at = now.replace(hour=5, minute=30, second=0) + timedelta(days=30)
    lab = LabDetails("CAD", starts_at, starts_at + timedelta(hours=4), language=language)
    open_page(site.learner_page(None, lab=lab))
    assert re.findall(r"\d\d:\d\d", browser.text(".schedule")) == ["14:30", "18:30"]
    assert browser.text(".schedule").count(zone) == 1
    assert not re.search(r"\b[ap]\.?\s?m\b", browser.text(".schedule"), re.IGNORECASE)

    open_page(site.learner_page(None, lab=replace(lab, starts_at=now + timedelta(days=2, minutes=1), ends_at=None)))
    assert starts_in in " ".join(browser.text().split())
    open_page(site.learner_page("one", minutes=89.5, lab=lab))
    assert left in " ".join(browser.text().split())
    assert browser.text("#open") == language.texts["open"]


def test_the_overview_is_sorted_and_searched(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    now = datetime.now(UTC)
    names = ["Zoë", "Ärmel", *(f"Learner {number}" for number in range(19))]
    rows = [
        OverviewRow(str(number), name, "", "valid", now + timedelta(hours=number), now)
        for number, name in enumerate(names)
    ]
    open_page(build_overview_page(LAB, rows, ended=False))

    def shown() -> list[str]:
        each = (
            "Array.from(document.querySelectorAll('tbody tr:not([hidden]) th'), (head) => head.firstChild.textContent)"
        )
        return list(browser.evaluate(each))

    def sort(column: int) -> str:
        browser.evaluate(f"document.querySelectorAll('thead button')[{column}].click()")
        return str(browser.evaluate(f"document.querySelectorAll('thead th')[{column}].getAttribute('aria-sort')"))

    def search(text: str) -> str:
        browser.evaluate(
            f"document.getElementById('search').value = {text!r};"
            "document.getElementById('search').dispatchEvent(new Event('input'))"
        )
        return browser.text("#found")

    assert shown() == names
    by_name = ["Ärmel", *(f"Learner {number}" for number in range(19)), "Zoë"]
    assert (sort(1), shown()) == ("ascending", by_name)
    assert (sort(1), shown()) == ("descending", by_name[::-1])
    assert (sort(3), shown()) == ("ascending", names)
    assert (search("zoe"), shown()) == ("1 of 21", ["Zoë"])
    assert (search(""), shown()) == ("21 of 21", names)


@pytest.mark.parametrize("width", [320, 390, 768, 1100, 1280])
def test_nothing_on_a_page_is_cut_off(
    browser: Browser, site: Site, open_page: Callable[[str], None], width: int
) -> None:
    now = datetime.now(UTC)
    address = "maximiliane.featherstonehaugh-vandenberg@students.example.org"
    rows = [
        OverviewRow(address, "Maximiliane Featherstonehaugh-van den Berg", f"{number}-{address}", "none", now, now)
        for number in range(25)
    ]
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.call("Emulation.setDeviceMetricsOverride", **screen)
    try:
        for page in (build_overview_page(LAB, rows, ended=False), site.learner_page("one", usage_limit=5)):
            open_page(page)
            browser.evaluate("document.getElementById('question')?.showModal()")
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            # Neither outside the card nor wider than what it is in.
            cut = """Array.from(document.querySelectorAll('main *')).filter((each) => {
              const card = document.querySelector('main').getBoundingClientRect(), own = each.getBoundingClientRect();
              if (!each.getClientRects().length) return false;
              return own.left < card.left || own.right > card.right || each.scrollWidth > each.clientWidth + 1
                && getComputedStyle(each).display !== 'inline';
            }).map((each) => each.outerHTML.slice(0, 80))"""
            assert browser.evaluate(cut) == []
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")


def test_no_page_is_wider_than_the_screen(browser: Browser, site: Site, open_page: Callable[[str], None]) -> None:
    now = datetime.now(UTC)
    long = LabDetails("Computer-aided-design-and-manufacturing" * 3, now, now + timedelta(hours=4), "x" * 90)
    try:
        for page in (
            build_learner_page(long, "x" * 200, StreamingLink(f"{site.address}/session/one", now + timedelta(hours=1))),
            build_overview_page(long, [OverviewRow("x" * 60, "x" * 60, "x" * 60, "none")], ended=False),
        ):
            open_page(page)
            for width in (320, 390, 1280):
                screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
                browser.call("Emulation.setDeviceMetricsOverride", **screen)
                assert browser.evaluate("document.documentElement.clientWidth") == width
                assert browser.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")
