# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The HTML of the handouts: a learner's page and the instructor's overview. Equal input gives equal text.

Pure: knows neither AWS nor Ansible nor files. A page is self-contained, so it works as a file and from any web server.
Everything that comes from a roster is escaped here, and nowhere else.

The scripts read what a page shows from ``data-`` attributes of the element with id "page": ``state`` is "open",
"waiting", "ended" or "moved"; ``expires`` and ``starts`` are timestamps. The URL is in a single attribute: ``href`` of
the link with id "open".
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from typing import Any

from .._leases.lease import is_web_url
from .._time import to_iso8601
from .assets import OVERVIEW_SCRIPT, PAGE_SCRIPT, STYLE

# strftime would follow the locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Control characters, those that change or hide the text around them, and unpaired surrogates, which UTF-8 cannot
# encode; but not the joiners that some scripts need to write names.
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"

# How the overview describes a seat's URL.
STATUSES = {"valid": "Valid", "expired": "Expired", "released": "Released", "none": "No URL yet"}


@dataclass(frozen=True)
class LabDetails:
    """The details that all pages of a lab show. Learners ask ``contact`` for help."""

    title: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    contact: str | None = None


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
    """The URL that a learner's page opens. It is a password."""

    url: str = field(repr=False)
    expires: datetime


def build_learner_page(lab: LabDetails, name: str, link: StreamingLink | None) -> str:
    """Return the page of a learner, with a button that opens the URL if there is one.

    Raises:
        ValueError: the URL is not a web URL.
    """
    heading = [_title(lab), f'<p class="who">For {_isolated(name)}</p>' if to_visible(name) else ""]
    data = {"starts": lab.starts_at}
    if link is None:
        main = _main("waiting", [*heading, *_waiting(lab)], data)
        return _page(lab.title, main, PAGE_SCRIPT, head=_RELOAD_WITHOUT_SCRIPT)
    if not is_web_url(link.url):
        raise ValueError("not a web URL")
    body = [
        _schedule(lab),
        f'<p><a id="open" class="button" href="{escape(link.url)}" rel="noreferrer nofollow">Open my lab</a></p>',
        _COUNTDOWN,
        f'<p>The button <span id="works">works</span> until {_time(link.expires)}.</p>',
        _STATUS,
        "<section><h2>If the button stops working</h2>",
        "<p>Reload this page. Its address never changes, and as soon as your lab is available again, the button opens "
        f"it. {_ask(lab, 'If that does not help, ask')}</p></section>",
        _PRIVATE,
    ]
    return _page(lab.title, _main("open", [*heading, *body], {**data, "expires": link.expires}), PAGE_SCRIPT)


def build_ended_page(lab: LabDetails) -> str:
    """Return the page that replaces the learners' pages after the lab. It names nobody."""
    body = [
        _title(lab),
        _HAS_ENDED,
        f"<p>This page no longer opens anything. {_ask(lab, 'If you need your work, ask')}</p>",
    ]
    return _page(lab.title, _main("ended", body), PAGE_SCRIPT)


def build_moved_page(lab: LabDetails) -> str:
    """Return the page that replaces a learner's page once the learner has another one. It names nobody."""
    body = [
        _title(lab),
        '<p class="message">This page has been replaced by another one.</p>',
        f"<p>It no longer opens anything. {_ask(lab, 'If you have not received the new link, ask')}</p>",
    ]
    return _page(lab.title, _main("moved", body), PAGE_SCRIPT)


def build_overview_page(lab: LabDetails, rows: Sequence[OverviewRow], *, ended: bool) -> str:
    """Return the instructor's page: a table of all seats, for the screen and for printing."""
    counts = ", ".join(
        f'{label[0].lower()}{label[1:]}: <b data-count="{status}">{sum(row.status == status for row in rows)}</b>'
        for status, label in STATUSES.items()
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in _OVERVIEW_COLUMNS)
    body = [
        _title(lab),
        _HAS_ENDED if ended else "",
        _schedule(lab),
        f"<p>Seats: {len(rows)}; {counts}.</p>",
        '<div class="table" role="region" aria-label="Seats" tabindex="0"><table>',
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *(_row(number, row) for number, row in enumerate(rows, 1)),
        "</tbody></table></div>",
        '<p class="note">Times are in <span id="zone">UTC</span>. The table shows the last run, and which URLs have '
        "expired since then. A URL that was released still works until it expires.</p>",
    ]
    return _page(lab.title, _main("overview", body, wide=True), OVERVIEW_SCRIPT)


def to_visible(text: Any) -> str:
    """Return the text on one line, without characters that are invisible or change the text around them."""
    return " ".join("".join(map(_visible, "" if text is None else str(text))).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return character if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE_CATEGORIES else ""


def _isolated(text: str) -> str:
    """Return the text as HTML whose writing direction does not affect what surrounds it."""
    return f"<bdi>{escape(to_visible(text))}</bdi>"


def _title(lab: LabDetails) -> str:
    return f"<h1>{_isolated(lab.title)}</h1>"


def _time(when: datetime, *, short: bool = False) -> str:
    """Return the time in UTC as HTML, which the scripts convert to the browser's time zone."""
    utc = when.astimezone(timezone.utc)
    day = f"{utc.day} {_MONTHS[utc.month - 1]}"
    text = f"{day} {utc:%H:%M}" if short else f"{day} {utc.year}, {utc:%H:%M} UTC"
    return f'<time datetime="{to_iso8601(when)}">{text}</time>'


def _schedule(lab: LabDetails) -> str:
    """Return when the lab takes place, as far as that is known."""
    if lab.starts_at and lab.ends_at:
        period = f'<span class="range">{_time(lab.starts_at)} to {_time(lab.ends_at)}</span>'
        return f'<p class="schedule">Lab time: {period}</p>'
    if lab.starts_at:
        return f'<p class="schedule">Lab starts: {_time(lab.starts_at)}</p>'
    return f'<p class="schedule">Lab ends: {_time(lab.ends_at)}</p>' if lab.ends_at else ""


def _waiting(lab: LabDetails) -> list[str]:
    return [
        _schedule(lab),
        '<p class="message">Your lab is not ready yet.</p>',
        _COUNTDOWN,
        _STATUS,
        "<p>Keep this page open, or come back later: its address never changes. The button that opens your lab appears "
        f"here automatically. {_ask(lab, 'If it does not appear in time, ask')}</p>",
        _PRIVATE,
    ]


def _ask(lab: LabDetails, text: str) -> str:
    return f"{text} {_isolated(lab.contact) if lab.contact and to_visible(lab.contact) else 'your instructor'}."


def _row(number: int, row: OverviewRow) -> str:
    expires = _time(row.expires, short=True) if row.expires else ""
    issued = _time(row.issued, short=True) if row.issued else ""
    return (
        f'<tr data-status="{row.status}"><td>{number}</td><th scope="row">{_isolated(row.name)}</th>'
        f'<td class="status">{STATUSES[row.status]}</td><td class="expires">{expires}</td>'
        f"<td>{_isolated(row.learner_id)}</td><td>{_isolated(row.holder)}</td><td>{issued}</td></tr>"
    )


def _main(
    state: str, lines: Iterable[str], times: Mapping[str, datetime | None] | None = None, *, wide: bool = False
) -> str:
    data = "".join(f' data-{name}="{to_iso8601(when)}"' for name, when in (times or {}).items() if when)
    style = ' class="wide"' if wide else ""
    return "\n".join([f'<main id="page"{style} data-state="{state}"{data}>', *filter(None, lines), "</main>"])


def _page(title: str, main: str, script: str, *, head: str = "") -> str:
    return _PAGE.format(
        title=escape(to_visible(title)), policy=_policy(script), head=head, style=STYLE, main=main, script=script
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


# In this order, a phone shows what matters most without scrolling.
_OVERVIEW_COLUMNS = ("No.", "Name", "Status", "Valid until", "ID", "User or session", "Issued")
_HAS_ENDED = '<p class="message">The lab has ended.</p>'
_COUNTDOWN = '<p id="left" role="timer"></p>'
_STATUS = '<p id="status" role="status"></p>'
_PRIVATE = (
    '<p class="note">This page is for you only. Do not share its address: whoever has it can take your place.</p>'
)
_RELOAD_WITHOUT_SCRIPT = '<noscript><meta http-equiv="refresh" content="300"></noscript>'

# The empty icon keeps browsers from requesting one from the server.
_PAGE = """<!DOCTYPE html>
<html lang="en">
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
