# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The HTML of the handouts: a learner's page and the instructor's overview. Equal input gives equal text.

Pure: knows neither AWS nor Ansible nor files. A page is self-contained, so it works as a file and from any web server.
Everything that comes from a roster is escaped here, and nowhere else.

The scripts read what a page shows from ``data-`` attributes of the element with id "page": ``state`` is "open",
"waiting", "ended" or "moved"; ``expires`` and ``starts`` are timestamps; ``texts`` are what they say.

Opening the URL starts a session, and may be one of few openings. So nothing but a click may open it, neither a browser
that loads pages ahead nor a program that scans mail and follows what it takes for a link. It is in a single attribute,
``data-url`` of the button with id "open", in a form in which such programs do not find it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

from .._time import to_iso8601
from .._urls import is_web_url
from .assets import OVERVIEW_SCRIPT, PAGE_SCRIPT, STYLE
from .texts import ENGLISH, Language, fill

# Control characters, those that change or hide the text around them, and unpaired surrogates, which UTF-8 cannot
# encode; but not the joiners that some scripts need to write names.
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"

# How the overview describes a seat's URL.
STATUSES = {"valid": "Valid", "expired": "Expired", "released": "Released", "none": "No URL"}


# What the script of a learner's page says.
_SCRIPT_TEXTS = (
    *("open", "check_again", "left", "expired", "starts_in", "opens_shortly"),
    *("wait", "opening", "unavailable", "unreachable"),
)
# The fleet's limits, by the name that the API has for them, and the text that a page has for each.
LIMITS = {
    "idle_disconnect_timeout_in_seconds": "limit_idle",
    "disconnect_timeout_in_seconds": "limit_disconnect",
    "max_user_duration_in_seconds": "limit_session",
}
# A URL that ends so shortly before or after the lab ends with it.
_SAME_END = timedelta(minutes=1)
# With more rows than these, the overview can be searched.
_MAX_ROWS_TO_SCAN = 20
# In characters: too few for any part of an encoded URL to look like one.
_URL_PART_LENGTH = 6


@dataclass(frozen=True)
class LabDetails:
    """The details that all pages of a lab show, and the language of the learners' pages.

    Learners ask ``contact`` for help. ``limits`` are seconds by the keys of ``LIMITS``.
    """

    title: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    contact: str | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)
    language: Language = ENGLISH


@dataclass(frozen=True)
class OverviewRow:
    """A row of the overview, without any URL or page name. ``status`` is a key of ``STATUSES``."""

    learner_id: str
    name: str
    holder: str
    status: str
    expires: datetime | None = None
    issued: datetime | None = None


@dataclass(frozen=True)
class StreamingLink:
    """The URL that a learner's page opens. It is a password.

    Where each opening starts a new session, ``usage_limit`` is how many there are in all; otherwise it is None, and
    opening the URL again leads back to the session.
    """

    url: str = field(repr=False)
    expires: datetime
    usage_limit: int | None = None


def build_learner_page(lab: LabDetails, name: str, link: StreamingLink | None) -> str:
    """Return the page of a learner, with a button that opens the URL if there is one.

    If each opening starts a new session, the page says so and how many there are, and asks before it opens one. It
    never says how many are left, since it is not written again when one is used.

    Raises:
        ValueError: the URL is not a web URL.
    """
    who = _say(lab, "for_learner", name=_isolated(name)) if to_visible(name) else ""
    heading = [_title(lab), who and f'<p class="who">{who}</p>']
    if link is None:
        return _page(lab, "waiting", [*heading, *_waiting(lab)], head=_RELOAD_WITHOUT_SCRIPT)
    if not is_web_url(link.url):
        raise ValueError("not a web URL")
    # The schedule says the end already.
    is_end = lab.ends_at is not None and abs(link.expires - lab.ends_at) <= _SAME_END
    # Hidden from those without JavaScript, for whom it does nothing.
    button = f'<button type="button" id="open" class="button" data-url="{_encode(link.url)}" hidden>'
    body = [
        _schedule(lab),
        f"<p>{button}{_say(lab, 'open')}</button></p>",
        _without_script(lab),
        _COUNTDOWN,
        "" if is_end else _paragraph(lab, "valid_until", end=_time(link.expires)),
        _STATUS,
        *_openings(lab, link.usage_limit),
        *_limits(lab),
        f"<section><h2>{_say(lab, 'help_title')}</h2>",
        f"{_paragraph(lab, 'help')}</section>",
        _paragraph(lab, "private", style="note"),
    ]
    return _page(lab, "open", [*heading, *body], expires=link.expires)


def build_final_page(lab: LabDetails, state: str) -> str:
    """Return the page that replaces a learner's page: "ended" after the lab, "moved" once the learner has another one.

    It names nobody.
    """
    body = [_title(lab), _paragraph(lab, state, style="message"), _paragraph(lab, f"{state}_help")]
    return _page(lab, state, body)


def build_overview_page(lab: LabDetails, rows: Sequence[OverviewRow], *, ended: bool) -> str:
    """Return the instructor's page, in English: a table of all seats, for the screen and for printing."""
    lab = replace(lab, language=ENGLISH)
    counts = ", ".join(
        f'{label[0].lower()}{label[1:]}: <b data-count="{status}">{sum(row.status == status for row in rows)}</b>'
        for status, label in STATUSES.items()
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in _OVERVIEW_COLUMNS)
    body = [
        _title(lab),
        _paragraph(lab, "ended", style="message") if ended else "",
        _schedule(lab),
        f"<p>Seats: {len(rows)}; {counts}.</p>",
        _SEARCH if len(rows) > _MAX_ROWS_TO_SCAN else "",
        f"<table><thead><tr>{head}</tr></thead>",
        "<tbody>",
        *(_row(number, row) for number, row in enumerate(rows, 1)),
        "</tbody></table>",
        '<p class="note">Times are in <span id="zone">UTC</span>. Below a name are the id of the learner, and the user '
        "or session if it is another. The table shows the last run, and which URLs have expired since then. A URL that "
        "was released still works until it expires, unless it is one of GameLift Streams, which is revoked.</p>",
    ]
    return _page(lab, "overview", body, script=OVERVIEW_SCRIPT)


def to_visible(text: Any) -> str:
    """Return the text on one line, without characters that are invisible or change the text around them."""
    return " ".join("".join(map(_visible, "" if text is None else str(text))).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return character if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE_CATEGORIES else ""


def _isolated(text: str | None) -> str:
    """Return the text as HTML whose writing direction does not affect what surrounds it."""
    return f"<bdi>{escape(to_visible(text))}</bdi>"


def _title(lab: LabDetails) -> str:
    return f"<h1>{_isolated(lab.title)}</h1>"


def _say(lab: LabDetails, key: str, **values: str) -> str:
    """Return a text in the lab's language as HTML. The values are HTML; ``contact`` is known."""
    texts = lab.language.texts
    contact = _isolated(lab.contact) if to_visible(lab.contact) else escape(texts["instructor"])
    return fill(escape(texts[key]), {"contact": contact, **values})


def _paragraph(lab: LabDetails, key: str, *, style: str = "", **values: str) -> str:
    start = f'<p class="{style}">' if style else "<p>"
    return f"{start}{_say(lab, key, **values)}</p>"


def _time(when: datetime) -> str:
    """Return the time in UTC as HTML. The scripts show it in the browser's time zone, and as the language writes it."""
    return f'<time datetime="{to_iso8601(when)}">{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC</time>'


def _schedule(lab: LabDetails) -> str:
    """Return when the lab takes place, as far as that is known."""
    if lab.starts_at and lab.ends_at:
        period = f'<span class="range">{_time(lab.starts_at)} \u2013 {_time(lab.ends_at)}</span>'
        return _paragraph(lab, "lab_time", style="schedule", period=period)
    if lab.starts_at:
        return _paragraph(lab, "lab_starts", style="schedule", start=_time(lab.starts_at))
    return _paragraph(lab, "lab_ends", style="schedule", end=_time(lab.ends_at)) if lab.ends_at else ""


def _encode(url: str) -> str:
    """Return the URL in a form that the script reads, and that programs do not take for a link.

    This is no encryption: the page is as secret as the URL. It is base64, which has no scheme and no host to be
    recognised, in parts that are too short to be recognised as base64 of a URL.
    """
    encoded = base64.b64encode(url.encode()).decode()
    return " ".join(encoded[at : at + _URL_PART_LENGTH] for at in range(0, len(encoded), _URL_PART_LENGTH))


def _without_script(lab: LabDetails) -> str:
    return f"<noscript>{_paragraph(lab, 'needs_script', style='message')}</noscript>"


def _openings(lab: LabDetails, usage_limit: int | None) -> Iterator[str]:
    """Yield how often the lab can be opened and what each opening means, and the question that comes before it."""
    if usage_limit is None:
        return
    key = "open_once" if usage_limit == 1 else "open_times"
    yield _paragraph(lab, key, style="limit", count=str(usage_limit))
    yield _paragraph(lab, "new_session", style="limit")
    yield (
        f'<dialog id="question" aria-labelledby="asked"><p id="asked">{_say(lab, "confirm")}</p>'
        f'<button type="button" id="not-now" class="button other" autofocus>{_say(lab, "not_now")}</button>'
        f'<button type="button" id="yes" class="button">{_say(lab, "open")}</button></dialog>'
    )


def _limits(lab: LabDetails) -> Iterator[str]:
    """Yield what the fleet's limits mean to a learner. A limit of 0 is none."""
    for limit, key in LIMITS.items():
        if minutes := (lab.limits.get(limit) or 0) // 60:
            yield _paragraph(lab, key, style="limit", duration=" ".join(_duration(lab, minutes)))


def _duration(lab: LabDetails, minutes: int) -> Iterator[str]:
    for count, unit in ((minutes // 60, "hour"), (minutes % 60, "minute")):
        if count:
            yield _say(lab, unit if count == 1 else f"{unit}s", count=str(count))


def _waiting(lab: LabDetails) -> list[str]:
    return [
        _schedule(lab),
        _paragraph(lab, "not_ready", style="message"),
        _without_script(lab),
        _COUNTDOWN,
        _STATUS,
        _paragraph(lab, "waiting_help"),
        _paragraph(lab, "private", style="note"),
    ]


def _row(number: int, row: OverviewRow) -> str:
    # Often the id is the address that the user id is too.
    names = filter(None, dict.fromkeys(map(to_visible, (row.name, row.learner_id, row.holder))))
    return (
        f'<tr data-status="{row.status}"><td>{number}</td>'
        f'<th scope="row">{"".join(map(_isolated, names))}</th><td class="status">{STATUSES[row.status]}</td>'
        f"{_cell('Valid until', row.expires, style='expires')}{_cell('Issued', row.issued)}</tr>"
    )


def _cell(label: str, when: datetime | None, *, style: str = "time") -> str:
    """Return a cell with a time. On a phone, where a row is a card, it has a label."""
    return f'<td class="{style}" data-label="{label}">{_time(when)}</td>' if when else "<td></td>"


def _page(
    lab: LabDetails,
    state: str,
    body: Iterable[str],
    *,
    expires: datetime | None = None,
    script: str = PAGE_SCRIPT,
    head: str = "",
) -> str:
    data = f' data-state="{state}"'
    if state in ("waiting", "open"):
        times = {"starts": lab.starts_at, "expires": expires}
        data += "".join(f' data-{name}="{to_iso8601(when)}"' for name, when in times.items() if when)
        texts = json.dumps({key: lab.language.texts[key] for key in _SCRIPT_TEXTS}, ensure_ascii=False)
        data += f' data-texts="{escape(texts)}"'
    return _PAGE.format(
        lang=lab.language.tag,
        title=escape(to_visible(lab.title)),
        policy=_policy(script),
        head=head,
        style=STYLE,
        main="\n".join([f'<main id="page"{data}>', *filter(None, body), "</main>"]),
        script=script,
    )


def _policy(script: str) -> str:
    """Return the Content-Security-Policy of a page: its own script and style, and requests to its own origin only."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; connect-src 'self'; img-src data:; "
        f"script-src {_source(script)}; style-src {_source(STYLE)}"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


_OVERVIEW_COLUMNS = ("No.", "Learner", "Status", "Valid until", "Issued")
_COUNTDOWN = '<p id="left" role="timer"></p>'
_STATUS = '<p id="status" role="status"></p>'
# Only the script can search.
_SEARCH = (
    '<p class="search" hidden><label>Search: <input type="search" id="search"></label> '
    '<output id="found" for="search"></output></p>'
)
_RELOAD_WITHOUT_SCRIPT = '<noscript><meta http-equiv="refresh" content="300"></noscript>'

# The empty icon keeps browsers from requesting one from the server.
_PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex, nofollow, noarchive">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
{head}
<style>{style}</style>
</head>
<body>
{main}
<script>{script}</script>
</body>
</html>
"""
