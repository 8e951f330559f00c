# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML of the handouts: what a page contains, what it never contains, and what hostile names do to it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import (
    LIMITS,
    STATUSES,
    LabDetails,
    OverviewRow,
    StreamingLink,
    build_final_page,
    build_learner_page,
    build_overview_page,
    to_visible,
)
from ansible_collections.labstream.aws.plugins.module_utils._handouts.texts import TEXTS, Languages

from tests.pages import find_links, url_of

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LAB = LabDetails("Computer-aided design", NOON, NOON + timedelta(hours=4), "Carla Example")
URL = "https://streaming.example.org/?secret=correct-horse"
LINK = StreamingLink(URL, NOON + timedelta(hours=5))
# Each opening of this one starts a new session.
COUNTED = replace(LINK, usage_limit=5)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><a href="https://evil.example.org">',
    "' onclick='alert(1)",
    "<!-- -->",
    "]]><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "{title}{0}%s",
    "\u202egnp.exe\u2066",
    "a\u200bb\ufeffc\u2060d",
    "nul\x00bell\x07escape\x1b[31m",
    "half\ud800a pair",
    "line\u2028break\nand\rmore",
    "=HYPERLINK(1)",
    "مریم",
]


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def handle_comment(self, data):
        self.comments.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]

    def by_id(self, name):
        return next(attributes for _tag, attributes in self.found if attributes.get("id") == name)


def row(**fields):
    known = dict(learner_id="S1", name="Anna Example", holder="s1", status="valid", expires=NOON, issued=NOON)
    return OverviewRow(**{**known, **fields})


def pages_of(lab=LAB, name="Anna Example"):
    """Every kind of page."""
    return {
        "open": build_learner_page(lab, name, LINK),
        "counted": build_learner_page(lab, name, COUNTED),
        "waiting": build_learner_page(lab, name, None),
        "ended": build_final_page(lab, "ended"),
        "moved": build_final_page(lab, "moved"),
        "overview": build_overview_page(lab, [row(name=name, learner_id=name, holder=name)], ended=False),
    }


PAGES = pages_of()


def test_a_learners_page_shows_title_name_contact_and_expiry_and_opens_the_url():
    page = Elements(build_learner_page(LAB, "Anna Example", LINK))
    for words in ("Computer-aided design", "Anna Example", "Carla Example", "2026-11-21 17:00 UTC"):
        assert words in page.words
    assert url_of(PAGES["open"]) == URL
    assert page.by_id("page")["data-state"] == "open"
    assert page.by_id("page")["data-expires"] == "2026-11-21T17:00:00Z"
    assert {"datetime": "2026-11-21T17:00:00Z"} in page.of("time")


def test_a_page_without_a_url_shows_when_the_lab_starts_and_reloads_without_a_script_too():
    text = build_learner_page(LAB, "Anna Example", None)
    page = Elements(text)
    assert page.by_id("page")["data-state"] == "waiting"
    assert page.by_id("page")["data-starts"] == "2026-11-21T12:00:00Z"
    assert not page.of("button")
    assert '<noscript><meta http-equiv="refresh" content="300"></noscript>' in text
    assert "refresh" not in PAGES["open"].partition("<style>")[0]


@pytest.mark.parametrize(
    ("lab", "text"),
    [
        (LabDetails("CAD"), ""),
        (LabDetails("CAD", starts_at=NOON), "Lab starts: 2026-11-21 12:00 UTC"),
        (LabDetails("CAD", ends_at=NOON), "Lab ends: 2026-11-21 12:00 UTC"),
        (LAB, "Lab time: 2026-11-21 12:00 UTC \u2013 2026-11-21 16:00 UTC"),
    ],
)
def test_the_schedule_is_shown_as_far_as_it_is_known(lab, text):
    for link in (None, LINK):
        page = Elements(build_learner_page(lab, "Anna", link))
        assert text in page.words
        assert ("Lab " in page.words) is bool(text)


@pytest.mark.parametrize(
    ("ends_at", "times"),
    [
        (None, ["17:00"]),
        (LINK.expires, ["12:00", "17:00"]),
        (LINK.expires - timedelta(seconds=5), ["12:00", "16:59"]),
        (LINK.expires - timedelta(hours=1), ["12:00", "16:00", "17:00"]),
    ],
)
def test_a_page_says_its_end_once(ends_at, times):
    lab = replace(LAB, starts_at=ends_at and NOON, ends_at=ends_at)
    words = Elements(build_learner_page(lab, "Anna", LINK)).words
    assert re.findall(r"2026-11-21 (\d\d:\d\d) UTC", words) == times


@pytest.mark.parametrize(
    ("limit", "seconds", "text"),
    [
        ("idle_disconnect_timeout_in_seconds", 900, "Your desktop closes after 15 minutes without input."),
        ("idle_disconnect_timeout_in_seconds", 60, "Your desktop closes after 1 minute without input."),
        ("idle_disconnect_timeout_in_seconds", 0, None),
        ("idle_disconnect_timeout_in_seconds", None, None),
        ("disconnect_timeout_in_seconds", 3600, "come back within 1 hour."),
        ("max_user_duration_in_seconds", 5400, "A session ends after 1 hour 30 minutes, even while you work"),
        ("max_user_duration_in_seconds", 57600, "A session ends after 16 hours, even while you work"),
    ],
)
def test_a_page_shows_the_limits_of_the_fleet(limit, seconds, text):
    page = build_learner_page(replace(LAB, limits={limit: seconds}), "Anna", LINK)
    assert page.count('class="limit"') == (1 if text else 0)
    assert (text or "") in Elements(page).words


# Languages


@pytest.mark.parametrize("tag", ["de", "es", "fr"])
def test_a_page_in_another_language_has_nothing_in_english(tag):
    """Not even what its script says, nor the names of months, which only a browser knows."""
    language = Languages().find(tag)
    limits = dict.fromkeys(LIMITS, 5400)
    pages = pages_of(replace(LAB, language=language, limits=limits, contact=None))
    english = [text.partition("{")[0].strip() for text in TEXTS["en"].values()]
    for kind in pages.keys() - {"overview"}:
        page = Elements(pages[kind])
        assert page.of("html") == [{"lang": tag}]
        said = page.words + str(page.by_id("page").get("data-texts"))
        assert [text for text in english if len(text) > len("For") and text in said] == [], kind
    assert Elements(pages["overview"]).of("html") == [{"lang": "en"}]


def test_a_text_of_a_users_own_is_text():
    own = {"en": {"open": '<b onclick="x">Go</b>', "left": "</script>{duration}"}}
    page = Elements(build_learner_page(replace(LAB, language=Languages(own).find("en")), "Anna", LINK))
    assert page.of("b") == []
    assert '<b onclick="x">Go</b>' in page.words
    assert json.loads(page.by_id("page")["data-texts"])["left"] == "</script>{duration}"
    assert len(page.of("script")) == 1


@pytest.mark.parametrize("kind", ["ended", "moved"])
def test_an_ended_or_moved_page_names_nobody_and_opens_nothing(kind):
    page = Elements(PAGES[kind])
    assert "Anna" not in PAGES[kind]
    assert not page.of("button")
    assert page.by_id("page")["data-state"] == kind


# The URL, which nothing but a click may open

BUTTONS = ("open", "counted")


@pytest.mark.parametrize("kind", PAGES)
def test_no_program_finds_the_url_of_a_page(kind):
    assert find_links(PAGES[kind]) <= {"data:,", *metas(PAGES[kind])}
    # The last are how the base64 of each URL begins.
    assert not re.search("https?://|aHR0c(HM6|DovL)", PAGES[kind])
    for part in ("correct", "horse", "streaming.example"):
        assert part not in PAGES[kind]


def test_a_program_that_looks_closer_would_find_links():
    """The test above can fail."""
    encoded = base64.b64encode(URL.encode()).decode()
    for page in (
        f'<a href="{URL}">',
        f"<noscript><form action='{URL}'>",
        f'<i data-x="{URL}">',
        f"<p>{URL.replace('/', '&#47;')}</p>",
        f"<p>{URL.replace('/', '%2f')}</p>",
        f'<i data-x="{encoded}">',
    ):
        assert any("correct-horse" in link for link in find_links(page)), page


def metas(page):
    """What meta elements contain, none of which is an address."""
    contents = {str(meta.get("content")) for meta in Elements(page).of("meta")}
    assert not any("://" in content or "url" in content.lower() for content in contents)
    return contents


@pytest.mark.parametrize("kind", BUTTONS)
def test_a_button_opens_the_url_by_a_script_and_is_hidden_without_one(kind):
    page = Elements(PAGES[kind])
    attributes = page.by_id("open")
    assert url_of(PAGES[kind]) == URL
    assert attributes.keys() == {"type", "id", "class", "data-url", "hidden"}
    assert {button["type"] for button in page.of("button")} == {"button"}
    assert page.of("a") == page.of("form") == []
    assert [link["rel"] for link in page.of("link")] == ["icon"]


@pytest.mark.parametrize("kind", [*BUTTONS, "waiting"])
def test_whoever_has_no_javascript_reads_whom_to_ask(kind):
    [text] = re.findall(r"<noscript><p class=\"message\">(.*?)</p></noscript>", PAGES[kind])
    assert text == (
        "This page needs JavaScript to open your lab. Turn on JavaScript in your browser and reload the page, or ask "
        "<bdi>Carla Example</bdi>."
    )


@pytest.mark.parametrize("kind", ["ended", "moved", "overview"])
def test_no_other_page_has_a_url(kind):
    assert url_of(PAGES[kind]) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://streaming.example.org/?a=1&b=2'%22",
        'https://streaming.example.org/?"><script>',
        "https://streaming.example.org/?名=é",
        "http://a",
    ],
)
def test_any_url_is_encoded(url):
    text = build_learner_page(LAB, "Anna", StreamingLink(url, NOON))
    assert url_of(text) == url
    assert len(Elements(text).of("script")) == 1


# Openings, where each starts a new session


@pytest.mark.parametrize(
    ("usage_limit", "text"),
    [
        (1, "You can open your lab only once. If that is not enough, ask Carla Example."),
        (5, "You can open your lab 5 times in all. If that is not enough, ask Carla Example."),
    ],
)
def test_a_page_whose_openings_are_counted_says_how_many_there_are_and_asks(usage_limit, text):
    page = Elements(build_learner_page(LAB, "Anna", replace(LINK, usage_limit=usage_limit)))
    assert text in page.words
    assert "Each opening starts a new session, without the work from the last one." in page.words
    # The help asks to reload the page, and only the lab must not be.
    assert "Reloading the lab counts as opening it, and reloading this page does not." in page.words
    assert page.by_id("question")["aria-labelledby"] == "asked"
    assert "Open your lab now?" in page.words
    # Whoever presses Enter twice opens nothing.
    assert [button["id"] for button in page.of("button") if "autofocus" in button] == ["not-now"]


def test_a_page_that_leads_back_to_its_session_neither_counts_nor_asks():
    page = Elements(PAGES["open"])
    assert not page.of("dialog")
    assert "session" not in page.words.partition("(() =>")[0].partition("border-collapse")[0]
    assert len(page.of("button")) == 1


def test_a_url_that_is_not_a_web_url_is_never_on_a_page():
    with pytest.raises(ValueError, match="not a web URL"):
        build_learner_page(LAB, "Anna", StreamingLink("javascript:alert(1)", NOON))


# Hostile names


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_changes_the_elements_of_a_page(name):
    harmless = pages_of(LabDetails("x", NOON, NOON, "x"), "x")
    for kind, page in pages_of(LabDetails(name, NOON, NOON, name), name).items():
        elements = Elements(page)
        assert elements.found == Elements(harmless[kind]).found, kind
        assert elements.comments == []
        assert to_visible(name) in elements.words
        page.encode()


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("Anna Example", "Anna Example"),
        ("  Anna\t\n Example ", "Anna Example"),
        ("a\u2028b\u2029c\u00a0d\x85e", "a b c d e"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("a\u200bb\ufeffc\u2060d\u00ade", "abcde"),
        ("\x00a\x1bb\x7f", "ab"),
        ("a\ud800b", "ab"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("مریم", "مریم"),
        (None, ""),
        (7, "7"),
    ],
)
def test_invisible_characters_are_dropped(text, visible):
    assert to_visible(text) == visible


def test_a_right_to_left_name_does_not_affect_the_text_around_it():
    assert "<bdi>مریم</bdi>" in build_learner_page(LAB, "مریم", LINK)


# Self-contained, private, accessible


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_loads_nothing(kind):
    page = Elements(PAGES[kind])
    links = {
        attributes[name] for _tag, attributes in page.found for name in ("src", "href", "action") if name in attributes
    }
    assert links == {"data:,"}
    assert "@import" not in PAGES[kind]
    assert "url(" not in PAGES[kind]
    assert {"name": "referrer", "content": "no-referrer"} in page.of("meta")


@pytest.mark.parametrize("kind", PAGES)
def test_the_policy_of_a_page_allows_only_its_own_script_and_style(kind):
    [policy] = [
        str(meta["content"])
        for meta in Elements(PAGES[kind]).of("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", PAGES[kind], re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert not re.search(r"\s(on\w+|style)=", PAGES[kind].partition("<body>")[2].partition("<script>")[0])


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_suits_every_screen_and_reader(kind):
    page = Elements(PAGES[kind])
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert len(page.of("main")) == len(page.of("h1")) == 1
    assert "prefers-color-scheme: dark" in PAGES[kind]
    assert ":focus-visible" in PAGES[kind]


def test_screen_readers_announce_the_status_and_not_the_countdown():
    for kind in ("open", "waiting"):
        page = Elements(PAGES[kind])
        assert page.by_id("left")["role"] == "timer"
        assert page.by_id("status")["role"] == "status"


@pytest.mark.parametrize("kind", ["open", "waiting"])
def test_the_status_is_in_the_page_while_it_is_empty(kind):
    """A screen reader does not know a region that is hidden while empty, and would miss its first announcement."""
    assert '<p id="status" role="status"></p>' in PAGES[kind]
    assert "display: none" not in PAGES[kind].partition("@media print")[0]


@pytest.mark.parametrize("kind", PAGES)
def test_equal_input_gives_equal_text(kind):
    assert pages_of()[kind] == PAGES[kind]


# The overview


def test_the_overview_has_a_row_for_each_seat_and_counts_them():
    rows = [row(status=status, name=f"Name of {status}") for status in STATUSES] + [
        row(expires=None, issued=None, status="none")
    ]
    page = Elements(build_overview_page(LAB, rows, ended=False))
    assert len(page.of("tr")) == 1 + len(rows)
    assert "Seats: 5; valid: 1, expired: 1, released: 1, no URL: 2." in page.words
    for status, label in STATUSES.items():
        assert f"Name of {status}" in page.words
        assert label in page.words


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (dict(name="Anna", learner_id="4711", holder="anna"), ["Anna", "4711", "anna"]),
        (dict(name="Anna", learner_id="anna@example.org", holder="anna@example.org"), ["Anna", "anna@example.org"]),
        (dict(name="", learner_id="anna@example.org", holder="anna@example.org"), ["anna@example.org"]),
        (dict(name="", learner_id="4711", holder=""), ["4711"]),
        (dict(name=" 4711", learner_id="4711\u200b", holder="s1"), ["4711", "s1"]),
    ],
)
def test_the_overview_shows_no_name_of_a_learner_twice(fields, names):
    page = build_overview_page(replace(LAB, title=""), [row(**fields)], ended=False)
    assert re.findall("<bdi>(.+?)</bdi>", page) == names


@pytest.mark.parametrize(("rows", "is_searched"), [(20, False), (21, True)])
def test_a_long_overview_can_be_searched(rows, is_searched):
    page = build_overview_page(LAB, [row()] * rows, ended=False)
    assert ('id="search"' in page.partition("<script>")[0]) is is_searched


def test_the_overview_says_that_the_lab_has_ended():
    assert "The lab has ended." in build_overview_page(LAB, [], ended=True)
    assert "The lab has ended." not in build_overview_page(LAB, [], ended=False)
