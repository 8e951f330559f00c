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
from typing import Any
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
from playwright.sync_api import Page, expect

from tests.integration.browser import CHROMIUM, CONTEXT, LAUNCH, press
from tests.integration.running import FLEET, STACK
from tests.pages import find_links, url_of
from tests.simulator.control import Simulator

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")

LAB = LabDetails("Computer-aided design", contact="Carla Example")
PAGE = "/0123456789abcdef.html"
# Press the button with the keyboard.
ENTER = ("Tab", "Enter")
# A screen that shows a page as wide as it is.
PHONE = {"is_mobile": True, "device_scale_factor": 1}
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


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, **LAUNCH}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, **CONTEXT}


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """A server for all tests."""
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
def errors() -> list[str]:
    """The errors of the console, such as a violated Content-Security-Policy."""
    return []


@pytest.fixture
def tab(page: Page, site: Site, errors: list[str]) -> Iterator[Page]:
    """A tab of the browser, whose pages must cause no errors."""
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert [error for error in errors if "503" not in error] == []


@pytest.fixture
def open_page(tab: Page, site: Site) -> Callable[[str], None]:
    def open_page(page: str) -> None:
        site.page = page
        tab.goto(site.url)

    return open_page


def assert_opened(tab: Page, site: Site, session: str) -> None:
    expect(tab).to_have_title("session")
    assert site.sessions() == [session]


def make_visible(tab: Page) -> None:
    """Send the event that a page gets when its tab is selected again."""
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_the_keyboard_opens_the_lab_and_the_session_gets_no_referrer(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("one", minutes=211.5))
    assert "3 hours 31 minutes left" in tab.inner_text("body")
    assert "Japan Standard Time" in tab.inner_text("p > time")
    assert tab.inner_text("#status") == ""
    assert site.sessions() == []

    press(tab, *ENTER)

    assert_opened(tab, site, "one")
    assert [path for path, _referer in site.requests[:2]] == [PAGE, PAGE]
    assert site.requests[2:] == [("/session/one?a=1&b=2", None)]


@pytest.mark.parametrize("minutes", [60, 0.001, -60])
def test_a_tab_that_is_older_than_the_url_opens_the_new_url(
    tab: Page, site: Site, open_page: Callable[[str], None], minutes: float
) -> None:
    open_page(site.learner_page("old", minutes=minutes))
    site.page = site.learner_page("new")
    press(tab, *ENTER)
    assert_opened(tab, site, "new")


def test_an_expired_url_is_not_opened(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    open_page(site.learner_page("dead", minutes=-60))
    assert tab.inner_text("#open") == "Check again"
    assert "The button has expired." in tab.inner_text("body")

    press(tab, *ENTER)

    expect(tab.locator("#status")).to_contain_text("Your lab is not available right now.")
    assert site.sessions() == []


def test_without_its_server_a_page_opens_the_url_that_it_has_unless_that_has_expired(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("dead", minutes=-60))
    site.page = None
    press(tab, *ENTER)
    expect(tab.locator("#status")).to_contain_text("This page could not be refreshed.")
    assert site.sessions() == []

    open_page(site.learner_page("one"))
    site.page = None
    press(tab, *ENTER)
    assert_opened(tab, site, "one")


def test_the_servers_clock_decides(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    """By the browser's clock, which is two hours ahead, the URL has expired."""
    site.ahead = timedelta(hours=-2)
    open_page(site.learner_page("one", minutes=-60))
    press(tab, *ENTER)
    assert_opened(tab, site, "one")


def test_a_waiting_page_gets_its_button_automatically(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2, minutes=1)
    lab = LabDetails("Computer-aided design", starts_at=starts)
    open_page(site.learner_page(None, lab=lab))
    assert "Starts in 2 days 0 hours" in tab.inner_text("body")

    site.page = site.learner_page("one", lab=lab)
    make_visible(tab)

    tab.wait_for_selector("#open")
    press(tab, *ENTER)
    assert_opened(tab, site, "one")


@pytest.mark.parametrize("pressed", [True, False])
def test_a_tab_that_is_open_after_the_lab_says_that_it_has_ended(
    tab: Page, site: Site, open_page: Callable[[str], None], pressed: bool
) -> None:
    open_page(site.learner_page("one"))
    site.page = build_final_page(LAB, "ended")
    if pressed:
        press(tab, *ENTER)
    else:
        make_visible(tab)
    expect(tab.locator("body")).to_contain_text("The lab has ended.")
    assert site.sessions() == []


def test_a_page_works_as_a_file(tab: Page, site: Site, errors: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(site.learner_page("dead", minutes=-60))
    tab.goto(page.as_uri())
    press(tab, *ENTER)
    expect(tab.locator("#status")).not_to_be_empty()
    errors.clear()  # A browser reports that a file fetches itself.

    page.write_text(site.learner_page("one"))
    tab.goto(page.as_uri())
    press(tab, *ENTER)
    assert_opened(tab, site, "one")
    errors.clear()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_a_page_has_no_button_and_says_whom_to_ask(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("one", usage_limit=5))
    assert "UTC" in tab.inner_text("p > time")
    assert "This page needs JavaScript to open your lab." in tab.inner_text("body")
    assert "or ask Carla Example." in tab.inner_text("body")
    assert "Open my lab" not in tab.inner_text("body")
    press(tab, *ENTER)
    assert site.sessions() == []


# What opens the URL, and how often


def follow_links(tab: Page, page: str, address: str) -> None:
    """Do with a page what is not pressing its button: read, hover over, and print it; follow all that looks a link."""
    tab.hover("#open")
    assert "UTC" not in tab.inner_text("p > time")
    # Nothing on paper is a link.
    assert b"/URI" not in tab.pdf()
    links = find_links(page) | find_links(str(tab.evaluate("document.documentElement.outerHTML")))
    for link in {urljoin(address, link) for link in links}:
        if link.startswith("http") and " " not in link:
            with suppress(HTTPError):
                urllib.request.urlopen(link).close()


@pytest.mark.parametrize("usage_limit", [None, 5])
def test_only_the_button_opens_the_url(
    tab: Page, site: Site, open_page: Callable[[str], None], usage_limit: int | None
) -> None:
    page = site.learner_page("one", usage_limit=usage_limit)
    open_page(page)
    assert "Open my lab" in tab.inner_text("body")

    follow_links(tab, page, site.url)

    assert site.sessions() == []
    assert tab.inner_text("#open") == "Open my lab"


@pytest.mark.parametrize("times", [1, 2])
def test_a_double_click_is_one(tab: Page, site: Site, open_page: Callable[[str], None], times: int) -> None:
    site.is_slow = True
    open_page(site.learner_page("one"))

    tab.click("#open", click_count=times)

    expect(tab.locator("#status")).to_have_text("Opening your lab\u2026")
    tab.click("#open", force=True)  # it says that it is disabled
    press(tab, "Enter")
    time.sleep(0.2)
    assert site.sessions() == ["one"]
    assert tab.evaluate("document.getElementById('open').getAttribute('aria-disabled')") == "true"


def test_after_ten_seconds_the_button_works_again(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    site.is_slow = True
    open_page(site.learner_page("one"))
    # Time is 20 times as fast.
    tab.evaluate("((real) => { window.setTimeout = (call, delay) => real(call, delay / 20); })(window.setTimeout)")
    for count in (1, 2):
        pressed_at = time.monotonic()
        tab.click("#open", click_count=2)
        tab.wait_for_selector("#open:not([aria-disabled])")
        assert time.monotonic() - pressed_at > 10 / 20
        assert site.sessions() == ["one"] * count
        assert tab.inner_text("#status") == ""


def test_where_openings_are_counted_the_button_asks_first(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("one", usage_limit=5))
    assert "You can open your lab 5 times in all." in tab.inner_text("body")
    assert "Open your lab now?" not in tab.inner_text("body")

    # Neither pressing Enter twice, nor Escape, nor a double click, whatever its second click hits, opens anything.
    for presses in (("Tab", "Enter", "Enter"), ("Enter", "Escape")):
        press(tab, *presses)
        tab.wait_for_selector("#question:not([open])", state="attached")
        assert tab.evaluate("document.activeElement.id") == "open"
    tab.click("#open")
    assert "Open your lab now?" in tab.inner_text("dialog[open]")
    tab.click("#yes")
    tab.wait_for_selector("#question[open]")
    time.sleep(0.6)
    assert len(site.requests) == 1

    # Only the answer does, once.
    tab.click("#yes", click_count=2)
    assert_opened(tab, site, "one")


def test_within_ten_seconds_of_the_answer_it_does_not_ask_again(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    site.is_slow = True
    open_page(site.learner_page("one", usage_limit=5))
    tab.click("#open")
    time.sleep(0.6)
    tab.click("#yes")
    expect(tab.locator("#status")).to_have_text("Opening your lab\u2026")

    tab.click("#open", click_count=2, force=True)
    press(tab, "Enter")
    time.sleep(0.2)
    assert not tab.is_visible("#question")
    assert site.sessions() == ["one"]


def test_the_keyboard_answers_the_question(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    open_page(site.learner_page("one", usage_limit=5))
    press(tab, *ENTER)
    expect(tab.locator("#not-now")).to_be_focused()
    time.sleep(0.6)
    press(tab, *ENTER)
    assert_opened(tab, site, "one")


def test_an_expired_page_that_gets_a_counted_url_shows_it_before_it_opens_it(
    tab: Page, site: Site, open_page: Callable[[str], None]
) -> None:
    open_page(site.learner_page("old", minutes=-60))
    site.page = site.learner_page("new", usage_limit=5)
    press(tab, *ENTER)
    tab.wait_for_selector("#question", state="attached")
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
    tab: Page,
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
    follow_links(tab, page, site.url)
    assert count_sessions() == 0

    tab.click("#open", click_count=times)
    if link.usage_limit:
        time.sleep(0.6)
        assert count_sessions() == 0
        tab.click("#yes", click_count=times)
    tab.wait_for_selector("#page", state="detached")
    expect(tab.locator("body")).to_contain_text("session")
    assert count_sessions() == 1


def test_a_hostile_name_runs_nothing(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    name = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    now = datetime.now(UTC)
    row = OverviewRow(name, name, name, "valid", now + timedelta(hours=1), now)
    link = StreamingLink(f"{site.address}/session/one", now + timedelta(hours=1))
    for page in (build_learner_page(LAB, name, link), build_overview_page(LAB, [row], ended=False)):
        open_page(page)
        assert tab.evaluate("document.title") == LAB.title
        assert name in tab.inner_text("body")


def test_the_overview_shows_what_has_expired_since(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    now = datetime.now(UTC)
    rows = [OverviewRow(str(hours), "", "", "valid", now + timedelta(hours=hours), now) for hours in (-1, 1)]
    open_page(build_overview_page(LAB, rows, ended=False))
    assert "valid: 1, expired: 1" in tab.inner_text("body")
    assert "Asia/Tokyo" in tab.inner_text("body")


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
    tab: Page, site: Site, open_page: Callable[[str], None], tag: str, zone: str, starts_in: str, left: str
) -> None:
    language = Languages().find(tag)
    assert language
    now = datetime.now(UTC).replace(microsecond=0)
    # At 14:30 and 18:30 in the browser's time zone.
    starts_at = now.replace(hour=5, minute=30, second=0) + timedelta(days=30)
    lab = LabDetails("CAD", starts_at, starts_at + timedelta(hours=4), language=language)
    open_page(site.learner_page(None, lab=lab))
    assert re.findall(r"\d\d:\d\d", tab.inner_text(".schedule")) == ["14:30", "18:30"]
    assert tab.inner_text(".schedule").count(zone) == 1
    assert not re.search(r"\b[ap]\.?\s?m\b", tab.inner_text(".schedule"), re.IGNORECASE)

    open_page(site.learner_page(None, lab=replace(lab, starts_at=now + timedelta(days=2, minutes=1), ends_at=None)))
    assert starts_in in " ".join(tab.inner_text("body").split())
    open_page(site.learner_page("one", minutes=89.5, lab=lab))
    assert left in " ".join(tab.inner_text("body").split())
    assert tab.inner_text("#open") == language.texts["open"]


def test_the_overview_is_sorted_and_searched(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
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
        return list(tab.evaluate(each))

    def sort(column: int) -> str:
        tab.evaluate(f"document.querySelectorAll('thead button')[{column}].click()")
        return str(tab.evaluate(f"document.querySelectorAll('thead th')[{column}].getAttribute('aria-sort')"))

    def search(text: str) -> str:
        tab.evaluate(
            f"document.getElementById('search').value = {text!r};"
            "document.getElementById('search').dispatchEvent(new Event('input'))"
        )
        return tab.inner_text("#found")

    assert shown() == names
    by_name = ["Ärmel", *(f"Learner {number}" for number in range(19)), "Zoë"]
    assert (sort(1), shown()) == ("ascending", by_name)
    assert (sort(1), shown()) == ("descending", by_name[::-1])
    assert (sort(3), shown()) == ("ascending", names)
    assert (search("zoe"), shown()) == ("1 of 21", ["Zoë"])
    assert (search(""), shown()) == ("21 of 21", names)


@pytest.mark.browser_context_args(**PHONE)
@pytest.mark.parametrize("width", [320, 390, 768, 1100, 1280])
def test_nothing_on_a_page_is_cut_off(tab: Page, site: Site, open_page: Callable[[str], None], width: int) -> None:
    now = datetime.now(UTC)
    address = "maximiliane.featherstonehaugh-vandenberg@students.example.org"
    rows = [
        OverviewRow(address, "Maximiliane Featherstonehaugh-van den Berg", f"{number}-{address}", "none", now, now)
        for number in range(25)
    ]
    tab.set_viewport_size({"width": width, "height": 800})
    for page in (build_overview_page(LAB, rows, ended=False), site.learner_page("one", usage_limit=5)):
        open_page(page)
        tab.evaluate("document.getElementById('question')?.showModal()")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        # Neither outside the card nor wider than what it is in.
        cut = """Array.from(document.querySelectorAll('main *')).filter((each) => {
          const card = document.querySelector('main').getBoundingClientRect(), own = each.getBoundingClientRect();
          if (!each.getClientRects().length) return false;
          return own.left < card.left || own.right > card.right || each.scrollWidth > each.clientWidth + 1
            && getComputedStyle(each).display !== 'inline';
        }).map((each) => each.outerHTML.slice(0, 80))"""
        assert tab.evaluate(cut) == []


@pytest.mark.browser_context_args(**PHONE)
def test_no_page_is_wider_than_the_screen(tab: Page, site: Site, open_page: Callable[[str], None]) -> None:
    now = datetime.now(UTC)
    long = LabDetails("Computer-aided-design-and-manufacturing" * 3, now, now + timedelta(hours=4), "x" * 90)
    for page in (
        build_learner_page(long, "x" * 200, StreamingLink(f"{site.address}/session/one", now + timedelta(hours=1))),
        build_overview_page(long, [OverviewRow("x" * 60, "x" * 60, "x" * 60, "none")], ended=False),
    ):
        open_page(page)
        for width in (320, 390, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.clientWidth") == width
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
