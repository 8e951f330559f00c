# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of hand-outs: a learner's page, the instructor's overview, and CSV. Equal input gives equal text.

Pure: knows neither AWS nor Ansible nor files. A page is self-contained, so that it can be opened as a file and served
from anywhere. All that comes from a roster is escaped here, and nowhere else.

A page tells its script about itself in ``data-`` attributes of the element with id "page": ``state`` is "open",
"waiting", "ended" or "moved"; ``expires`` and ``starts`` are moments. The URL is in one attribute: ``href`` of the link
with id "open".
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from typing import Any
from urllib.parse import urlsplit

from .._time import to_iso8601

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# Control characters, those that turn or hide what is around them, and half characters that UTF-8 does not have; but not
# the joiners that names in some scripts are written with.
_INVISIBLE = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"
# Where a spreadsheet takes a formula to begin: a cell, or what is one where semicolons separate them.
_BEFORE_FORMULA = re.compile(r"^(?=[=+\-@\t\r\n])|(?<=[;\r\n])(?=[=+\-@])", re.ASCII)


@dataclass(frozen=True)
class LabClass:
    """What all pages of a class tell. ``contact`` is whom learners ask, in the instructor's words."""

    title: str
    starts: datetime | None = None
    ends: datetime | None = None
    contact: str | None = None


@dataclass(frozen=True)
class OverviewRow:
    """A line of the overview. ``state`` is a key of ``STATES``; no URL and no page's name is in it."""

    learner: str
    name: str
    seat: str
    state: str
    expires: datetime | None = None
    issued: datetime | None = None


@dataclass(frozen=True)
class LearnersLink:
    """The URL that a learner's page opens. It is a password."""

    url: str = field(repr=False)
    expires: datetime


# How the overview tells what became of a seat's URL.
STATES = {"working": "Works", "expired": "Expired", "forgotten": "Forgotten", "none": "No URL yet"}


def is_web_address(url: str) -> bool:
    """Whether a browser that follows the URL opens a web page, and runs no script that the URL is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and url.isprintable() and " " not in url


def learner_page(lab: LabClass, name: str, link: LearnersLink | None) -> str:
    """The page of one learner, with a button that opens the URL, or without one while there is none.

    Raises:
        ValueError: the URL is none of the web.
    """
    about = [f"<h1>{_isolated(lab.title)}</h1>", f'<p class="who">For {_isolated(name)}</p>' if shown(name) else ""]
    data = {"starts": lab.starts}
    if link is None:
        body = _waiting(lab)
        return _page(lab.title, _main("waiting", data, [*about, *body]), _PAGE_SCRIPT, head=_RELOAD_WITHOUT_SCRIPT)
    if not is_web_address(link.url):
        raise ValueError("no URL of the web")
    data["expires"] = link.expires
    body = [
        _class_times(lab),
        f'<p><a id="open" class="button" href="{escape(link.url)}" rel="noreferrer nofollow">Open my lab</a></p>',
        '<p id="left" role="timer"></p>',
        f'<p>The button <span id="works">works</span> until {_time(link.expires)}.</p>',
        _STATUS,
        "<section><h2>When the button does not work any more</h2>",
        "<p>Reload this page. Its address stays the same, and as soon as your lab is open again, the button opens it. "
        f"{_ask(lab, 'If that does not help, ask')}</p></section>",
        _YOURS,
    ]
    return _page(lab.title, _main("open", data, [*about, *body]), _PAGE_SCRIPT)


def ended_page(lab: LabClass) -> str:
    """What a learner's page becomes after the class. It names nobody."""
    body = [
        f"<h1>{_isolated(lab.title)}</h1>",
        '<p class="message">The class has ended.</p>',
        f"<p>This page leads nowhere any more. {_ask(lab, 'If you need your work, ask')}</p>",
    ]
    return _page(lab.title, _main("ended", {}, body), _PAGE_SCRIPT)


def moved_page(lab: LabClass) -> str:
    """What a learner's page becomes when the learner has got another one. It names nobody."""
    body = [
        f"<h1>{_isolated(lab.title)}</h1>",
        '<p class="message">This page was replaced by another one.</p>',
        f"<p>It leads nowhere any more. {_ask(lab, 'If the new link has not reached you, ask')}</p>",
    ]
    return _page(lab.title, _main("moved", {}, body), _PAGE_SCRIPT)


def overview_page(lab: LabClass, rows: Sequence[OverviewRow], *, ended: bool) -> str:
    """The instructor's page: a table of all seats, to look at and to print."""
    counts = ", ".join(
        f'{words[0].lower()}{words[1:]}: <b data-count="{state}">{sum(row.state == state for row in rows)}</b>'
        for state, words in STATES.items()
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in _OVERVIEW_COLUMNS)
    body = [
        f"<h1>{_isolated(lab.title)}</h1>",
        '<p class="message">The class has ended.</p>' if ended else "",
        _class_times(lab),
        f"<p>Seats: {len(rows)}; {counts}.</p>",
        '<div class="table" role="region" aria-label="Seats" tabindex="0"><table>',
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *(_row(number, row) for number, row in enumerate(rows, 1)),
        "</tbody></table></div>",
        '<p class="note">Times are in <span id="zone">UTC</span>. States are those of the last run, but for URLs that '
        "have expired since. A URL that was forgotten works until it expires.</p>",
    ]
    return _page(lab.title, _main("overview", {}, body, wide=True), _OVERVIEW_SCRIPT)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A CSV file with a header. The rows' own texts must be ``defused`` where people fill them in."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def defused(value: Any) -> str:
    """The text of a cell, such that no spreadsheet runs it as a formula."""
    text = "" if value is None else str(value)
    return _BEFORE_FORMULA.sub("'", text)


def shown(text: Any) -> str:
    """A text in one line, without characters that nobody sees or that turn what is around them."""
    return " ".join("".join(map(_visible, "" if text is None else str(text))).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return character if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE else ""


def _isolated(text: str) -> str:
    """A text as HTML, whose direction has no effect on what is around it."""
    return f"<bdi>{escape(shown(text))}</bdi>"


def _time(when: datetime, *, short: bool = False) -> str:
    """A moment as HTML, which a script may turn into the time of the browser's zone."""
    utc = when.astimezone(timezone.utc)
    told = f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M}"
    if short:
        told = f"{utc.day} {_MONTHS[utc.month - 1][:3]} {utc:%H:%M}"
    return f'<time datetime="{to_iso8601(when)}">{told}{"" if short else " UTC"}</time>'


def _class_times(lab: LabClass) -> str:
    """When the class is, as far as that is known."""
    if lab.starts and lab.ends:
        return f'<p class="class">Class: <span class="range">{_time(lab.starts)} to {_time(lab.ends)}</span></p>'
    if lab.starts:
        return f'<p class="class">The class starts: {_time(lab.starts)}</p>'
    return f'<p class="class">The class ends: {_time(lab.ends)}</p>' if lab.ends else ""


def _waiting(lab: LabClass) -> list[str]:
    return [
        _class_times(lab),
        '<p class="message">Your lab is not ready yet.</p>',
        '<p id="left" role="timer"></p>',
        _STATUS,
        "<p>Keep this page open, or come back to it: its address stays the same. The button that opens your lab appears"
        f" here by itself. {_ask(lab, 'If it does not appear in time, ask')}</p>",
        _YOURS,
    ]


def _ask(lab: LabClass, words: str) -> str:
    contact = shown(lab.contact)
    return f"{words} {_isolated(contact) if contact else 'your instructor'}."


def _row(number: int, row: OverviewRow) -> str:
    expires = _time(row.expires, short=True) if row.expires else ""
    issued = _time(row.issued, short=True) if row.issued else ""
    return (
        f'<tr data-state="{row.state}"><td>{number}</td><th scope="row">{_isolated(row.name)}</th>'
        f'<td class="state">{STATES[row.state]}</td><td class="expires">{expires}</td>'
        f"<td>{_isolated(row.learner)}</td><td>{_isolated(row.seat)}</td><td>{issued}</td></tr>"
    )


def _main(state: str, moments: Mapping[str, datetime | None], lines: Iterable[str], *, wide: bool = False) -> str:
    told = "".join(f' data-{name}="{to_iso8601(when)}"' for name, when in moments.items() if when)
    style = ' class="wide"' if wide else ""
    return "\n".join([f'<main id="page"{style} data-state="{state}"{told}>', *filter(None, lines), "</main>"])


def _page(title: str, main: str, script: str, *, head: str = "") -> str:
    return _PAGE.format(
        title=escape(shown(title)),
        policy=_policy(script),
        head=head,
        style=_STYLE,
        main=main,
        script=script,
    )


def _policy(script: str) -> str:
    """The Content-Security-Policy of a page: its own script and style, and of the network only itself."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; connect-src 'self'; img-src data:; "
        f"script-src {_source(script)}; style-src {_source(_STYLE)}"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


# What is looked for stands where a phone shows it.
_OVERVIEW_COLUMNS = ("No.", "Name", "State", "Until", "Learner", "Seat", "Issued")
_STATUS = '<p id="status" role="status"></p>'
_YOURS = '<p class="note">This page is yours alone. Do not pass its address on: whoever has it can take your place.</p>'
_RELOAD_WITHOUT_SCRIPT = '<noscript><meta http-equiv="refresh" content="300"></noscript>'

# The empty icon keeps browsers from asking the server for one.
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

_STYLE = """
:root { --ground: #eef1f5; --card: #fff; --text: #1b1f27; --quiet: #4a5361; --line: #c9d0da;
  --accent: #0b57c4; --on-accent: #fff; --good: #14622f; --bad: #a3241b; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #11151b; --card: #1b212a; --text: #e9ecf1; --quiet: #b3bcc9; --line: #3a4351;
    --accent: #9cc2ff; --on-accent: #07224f; --good: #8bd6a2; --bad: #ffaaa0; }
}
* { box-sizing: border-box; }
html { font: 1.0625rem/1.5 system-ui, sans-serif; background: var(--ground); color: var(--text); }
body { margin: 0; min-height: 100vh; display: flex; align-items: flex-start; justify-content: center; padding: 1rem; }
main { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; width: 100%;
  max-width: 36rem; overflow-wrap: anywhere; }
main.wide { max-width: 72rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; }
/* Not hidden: a screen reader tells what appears only in a region that it has known before. */
p:empty { margin: 0; }
.who { font-size: 1.2rem; }
.class, .note { color: var(--quiet); }
.note { font-size: .9375rem; border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .75rem; }
.message, #left { font-size: 1.2rem; font-weight: 600; }
#left { font-variant-numeric: tabular-nums; }
.button { display: block; background: var(--accent); color: var(--on-accent); border: 2px solid transparent;
  border-radius: .5rem; padding: .9rem 1.5rem; margin: 1.25rem 0; text-align: center; font-size: 1.25rem;
  font-weight: 600; text-decoration: none; }
.button:hover { text-decoration: underline; }
.button[aria-disabled="true"] { opacity: .75; cursor: progress; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.expired #left { color: var(--bad); }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; overflow-wrap: normal; }
th, td { text-align: start; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { white-space: nowrap; }
tbody th { font-weight: 600; min-width: 7.5rem; }
td:first-child { color: var(--quiet); font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
[data-state="working"] .state { color: var(--good); }
[data-state="expired"] .state, [data-state="none"] .state { color: var(--bad); font-weight: 600; }
@media (min-width: 48rem) { body { padding: 3rem 1.5rem; } main { padding: 2.25rem; } }
@media print {
  :root { --ground: #fff; --card: #fff; --text: #000; --quiet: #333; --line: #888; --good: #000; --bad: #000; }
  body, main { padding: 0; border: 0; } .table { overflow: visible; } tr { break-inside: avoid; }
  html { font-size: 10pt; } thead { display: table-header-group; }
  td { white-space: normal; overflow-wrap: anywhere; } td.state, td time { white-space: nowrap; }
}
"""

# Moments as a reader of the page writes them, in the zone of the browser; pages are in English.
_TIMES = r"""
  const locale = (navigator.languages || []).find((each) => /^en\b/i.test(each)) || 'en-GB';
  const full = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric',
    hour: 'numeric', minute: '2-digit', timeZoneName: 'short' });
  const brief = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' });
  for (const time of document.querySelectorAll('time')) {
    time.textContent = (time.closest('td') ? brief : full).format(new Date(time.dateTime));
  }
  for (const range of document.querySelectorAll('.range')) {
    const [start, end] = Array.from(range.children, (time) => new Date(time.dateTime));
    if (full.formatRange) range.textContent = full.formatRange(start, end);
  }
"""

_PAGE_SCRIPT = (
    r"""
(() => {
  'use strict';
  const page = document.getElementById('page');
  const link = document.getElementById('open');
  const left = document.getElementById('left');
  const status = document.getElementById('status');
  const says = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  // By how much the server's clock is ahead of this one, as far as that is known.
  let skew = 0;
  const now = () => Date.now() + skew;
"""
    + _TIMES
    + r"""

  const urlOf = (described) => (described.querySelector('#open') || { href: '' }).href;
  const ownUrl = urlOf(page);
  // The URL that a page opens now, null if it opens none.
  const usable = (described) => {
    const url = described === page ? ownUrl : urlOf(described);
    return /^https?:/.test(url) && Date.parse(described.dataset.expires) > now() ? url : null;
  };

  // This page as it is at the server now, null if that cannot be had, as from a file.
  const look = async () => {
    const canceller = new AbortController();
    const timer = setTimeout(() => canceller.abort(), 8000);
    try {
      const reply = await fetch(location.href, { cache: 'no-store', signal: canceller.signal });
      if (!reply.ok) return null;
      const text = await reply.text();
      const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('page');
      if (!fresh || !fresh.dataset.state) return null;
      const clock = Date.parse(reply.headers.get('Date') || '');
      if (!Number.isNaN(clock)) skew = clock - Date.now();
      return fresh;
    } catch (error) {
      return null;
    } finally {
      clearTimeout(timer);
    }
  };
  const differs = (fresh) => ['state', 'expires', 'starts'].some((name) => fresh.dataset[name] !== page.dataset[name]);

  const count = (number, unit) => `${number} ${unit}${number === 1 ? '' : 's'}`;
  const words = (milliseconds) => {
    const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days) return `${count(days, 'day')} ${count(hours % 24, 'hour')}`;
    if (hours) return `${count(hours, 'hour')} ${count(minutes % 60, 'minute')}`;
    if (minutes >= 10) return count(minutes, 'minute');
    if (minutes) return `${count(minutes, 'minute')} ${count(seconds % 60, 'second')}`;
    return count(seconds, 'second');
  };

  // A screen reader is told a few times only.
  const TOLD_AT = [30, 10, 5, 1];
  const passed = (milliseconds) => TOLD_AT.filter((minutes) => milliseconds <= minutes * 60000).length;
  let told = null;
  const showOpen = () => {
    const rest = Date.parse(page.dataset.expires) - now();
    const expired = rest <= 0;
    if (expired !== page.classList.contains('expired') || told === null) {
      page.classList.toggle('expired', expired);
      says(link, expired ? 'Check again' : 'Open my lab');
      says(document.getElementById('works'), expired ? 'worked' : 'works');
      // However it is pressed, a button that has expired leads back to this page.
      link.href = expired ? location.href : ownUrl;
      if (expired && told !== null) says(status, 'The button to open your lab has expired.');
    }
    says(left, expired ? 'The button has expired.' : `${words(rest)} left`);
    if (told !== null && !expired && passed(rest) > told) says(status, `${words(rest)} left`);
    told = passed(rest);
  };
  const showWaiting = () => {
    const rest = Date.parse(page.dataset.starts) - now();
    if (!Number.isNaN(rest)) says(left, rest > 0 ? `Starts in ${words(rest)}` : 'It should start any moment.');
  };
  const show = page.dataset.state === 'open' ? showOpen : page.dataset.state === 'waiting' ? showWaiting : () => {};

  // Whoever waits gets what is new without a hand: seldom long before the start, then every minute or so.
  const refresh = async () => {
    const fresh = await look();
    if (fresh ? differs(fresh) : location.protocol === 'file:' && !usable(page)) location.reload();
  };
  const pause = () => {
    const soon = 60000 + Math.random() * 30000;
    const untilStart = Date.parse(page.dataset.starts) - now() - 300000;
    return page.dataset.state === 'waiting' && untilStart > soon ? Math.min(untilStart, 3600000) : soon;
  };
  const plan = () => setTimeout(async () => {
    if (!document.hidden && !usable(page)) await refresh();
    plan();
  }, pause());
  if (['open', 'waiting'].includes(page.dataset.state)) plan();

  let busy = false;
  const rest = () => {
    busy = false;
    if (link) link.removeAttribute('aria-disabled');
  };
  // A tab may be hours old: what it opens is asked for anew.
  if (link) link.addEventListener('click', async (event) => {
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (elsewhere && usable(page)) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    link.setAttribute('aria-disabled', 'true');
    says(status, 'One moment…');
    const fresh = await look();
    const url = usable(fresh || page);
    if (url) {
      says(status, 'Your lab opens…');
      location.assign(url);
    } else if (fresh && differs(fresh)) {
      location.reload();
    } else {
      says(status, fresh ? 'Your lab is not open now. Try again in a minute.'
        : 'This page could not be looked up anew. Reload it, or ask your instructor.');
    }
    setTimeout(rest, url ? 5000 : 0);
  });
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    rest();
    says(status, '');
    refresh();
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });

  show();
  setInterval(show, 1000);
})();
"""
)

_OVERVIEW_SCRIPT = (
    r"""
(() => {
  'use strict';
"""
    + _TIMES
    + r"""
  document.getElementById('zone').textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const show = () => {
    for (const row of document.querySelectorAll('tr[data-state="working"]')) {
      if (Date.parse(row.querySelector('.expires time').dateTime) > Date.now()) continue;
      row.dataset.state = 'expired';
      row.querySelector('.state').textContent = 'Expired';
    }
    for (const count of document.querySelectorAll('[data-count]')) {
      count.textContent = document.querySelectorAll(`tr[data-state="${count.dataset.count}"]`).length;
    }
  };
  show();
  setInterval(show, 30000);
})();
"""
)
