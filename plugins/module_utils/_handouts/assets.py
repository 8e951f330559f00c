# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The style sheet and the scripts of the pages.

A script reads what its page shows from the ``data-`` attributes of the element with id "page", see ``pages``.
"""

from __future__ import annotations

STYLE = """
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
main[data-state="overview"] { max-width: 72rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; }
/* Not hidden while empty: a screen reader only announces text in a region that it already knows. */
p:empty { margin: 0; }
.who { font-size: 1.2rem; }
.schedule, .note { color: var(--quiet); }
.note { font-size: .9375rem; border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .75rem; }
.message, #left { font-size: 1.2rem; font-weight: 600; }
#left { font-variant-numeric: tabular-nums; }
.button { background: var(--accent); color: var(--on-accent); border: 2px solid transparent; border-radius: .5rem;
  padding: .9rem 1.5rem; margin: 1.25rem 0; width: 100%; font: inherit; font-size: 1.25rem; font-weight: 600;
  cursor: pointer; }
.button:hover { text-decoration: underline; }
.button[aria-disabled="true"] { opacity: .75; cursor: progress; }
dialog { background: var(--card); color: inherit; border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.5rem; width: calc(100% - 2rem); max-width: 30rem; overflow-wrap: anywhere; }
dialog::backdrop { background: rgb(0 0 0 / .6); }
dialog .button { margin: .75rem 0 0; font-size: 1.0625rem; }
dialog .other { background: none; color: var(--accent); border-color: currentcolor; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.expired #left { color: var(--bad); }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .9375rem; overflow-wrap: normal; }
th, td { text-align: start; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { white-space: nowrap; }
thead button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
thead button:hover { text-decoration: underline; }
[aria-sort="ascending"] button::after { content: " \25b2"; }
[aria-sort="descending"] button::after { content: " \25bc"; }
tbody th { min-width: 7.5rem; overflow-wrap: anywhere; }
tbody th bdi { display: block; }
tbody th bdi + bdi { font-size: .875rem; font-weight: 400; color: var(--quiet); }
td:first-child { color: var(--quiet); font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
.search input { font: inherit; max-width: 100%; }
[data-status="valid"] .status { color: var(--good); }
[data-status="expired"] .status, [data-status="none"] .status { color: var(--bad); font-weight: 600; }
/* On a phone, a row is a card. */
@media (max-width: 40rem) {
  table, thead, tbody { display: block; }
  thead tr { display: flex; flex-wrap: wrap; column-gap: 1rem; border-bottom: 1px solid var(--line); }
  tbody tr:not([hidden]) { display: grid; grid-template-columns: 2.5rem 1fr auto; padding: .4rem 0;
    border-bottom: 1px solid var(--line); }
  th, td { border: 0; padding: .2rem 0; }
  tbody th { min-width: 0; }
  td.status { padding-inline-start: .6rem; }
  td[data-label] { grid-column: 2 / -1; white-space: normal; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--quiet); }
  td:empty { padding: 0; }
}
@media (min-width: 48rem) { body { padding: 3rem 1.5rem; } main { padding: 2.25rem; } }
@media print {
  :root { --ground: #fff; --card: #fff; --text: #000; --quiet: #333; --line: #888; --good: #000; --bad: #000; }
  body, main { padding: 0; border: 0; } tr { break-inside: avoid; }
  html { font-size: 10pt; } thead { display: table-header-group; }
  td { white-space: normal; overflow-wrap: anywhere; } td.status, td time { white-space: nowrap; }
  /* Paper has no button, and no time left. */
  .button, dialog, #left, #status { display: none; }
}
"""

# Times in the language of the page, and in the time zone of the browser, with 24 hours. A browser's variant of the
# language is preferred.
_TIMES = r"""
  const lang = document.documentElement.lang;
  const isLang = (each) => each.toLowerCase().split('-')[0] === lang.split('-')[0];
  const locale = (navigator.languages || []).find(isLang) || (lang === 'en' ? 'en-GB' : lang);
  const day = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit',
    hourCycle: 'h23' };
  const full = new Intl.DateTimeFormat(locale, { ...day, timeZoneName: 'long' });
  // A range has no name of a zone, only its offset.
  const span = new Intl.DateTimeFormat(locale, day);
  const brief = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit',
    hourCycle: 'h23' });
  for (const time of document.querySelectorAll('time')) {
    time.textContent = (time.closest('td') ? brief : full).format(new Date(time.dateTime));
  }
  for (const range of document.querySelectorAll('.range')) {
    const [start, end] = Array.from(range.children, (time) => new Date(time.dateTime));
    const zone = full.formatToParts(start).find((part) => part.type === 'timeZoneName').value;
    if (span.formatRange) range.textContent = `${span.formatRange(start, end)}, ${zone}`;
  }
"""

PAGE_SCRIPT = (
    r"""
(() => {
  'use strict';
  const page = document.getElementById('page');
  const button = document.getElementById('open');
  // Where each opening counts, it asks before it opens anything.
  const question = document.getElementById('question');
  const left = document.getElementById('left');
  const status = document.getElementById('status');
  const texts = JSON.parse(page.dataset.texts || '{}');
  const setText = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  // How far the server's clock is ahead of this one, as far as that is known.
  let skew = 0;
  const now = () => Date.now() + skew;
"""
    + _TIMES
    + r"""

  // The URL that this version of the page opens now, null if there is none.
  const getValidUrl = (version) => {
    const source = version.querySelector('#open');
    if (!source || !source.dataset.url || !(Date.parse(version.dataset.expires) > now())) return null;
    return new TextDecoder().decode(Uint8Array.from(atob(source.dataset.url), (byte) => byte.charCodeAt(0)));
  };

  // The server's current version of this page, null if it cannot be fetched, for example if this page is a file.
  const fetchPage = async () => {
    try {
      const response = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(8000) });
      if (!response.ok) return null;
      const text = await response.text();
      const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('page');
      if (!fresh || !fresh.dataset.state) return null;
      const clock = Date.parse(response.headers.get('Date') || '');
      if (!Number.isNaN(clock)) skew = clock - Date.now();
      return fresh;
    } catch (error) {
      return null;
    }
  };
  const differs = (fresh) => ['state', 'expires', 'starts'].some((name) => fresh.dataset[name] !== page.dataset[name]);

  const count = (number, unit) =>
    new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(number);
  const formatDuration = (milliseconds) => {
    const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days) return `${count(days, 'day')} ${count(hours % 24, 'hour')}`;
    if (hours) return `${count(hours, 'hour')} ${count(minutes % 60, 'minute')}`;
    if (minutes >= 10) return count(minutes, 'minute');
    if (minutes) return `${count(minutes, 'minute')} ${count(seconds % 60, 'second')}`;
    return count(seconds, 'second');
  };
  const say = (text, milliseconds) => text.replace('{duration}', formatDuration(milliseconds));

  // Screen readers announce the time left at these minutes only.
  const ANNOUNCED_AT = [30, 10, 5, 1, 0];
  let announced = null;
  const showOpen = () => {
    const timeLeft = Date.parse(page.dataset.expires) - now();
    const expired = timeLeft <= 0;
    page.classList.toggle('expired', expired);
    setText(button, expired ? texts.check_again : texts.open);
    setText(left, expired ? texts.expired : say(texts.left, timeLeft));
    const passed = ANNOUNCED_AT.filter((minutes) => timeLeft <= minutes * 60000).length;
    if (announced !== null && passed > announced) setText(status, left.textContent);
    announced = passed;
  };
  const showWaiting = () => {
    const timeLeft = Date.parse(page.dataset.starts) - now();
    if (Number.isNaN(timeLeft)) return;
    setText(left, timeLeft > 0 ? say(texts.starts_in, timeLeft) : texts.opens_shortly);
  };
  const show = page.dataset.state === 'open' ? showOpen : page.dataset.state === 'waiting' ? showWaiting : () => {};

  // While there is nothing to open, refresh rarely until shortly before the start, and then every minute or so.
  const refresh = async () => {
    const fresh = await fetchPage();
    if (fresh ? differs(fresh) : location.protocol === 'file:' && !getValidUrl(page)) location.reload();
  };
  const getDelay = () => {
    const soon = 60000 + Math.random() * 30000;
    const untilStart = Date.parse(page.dataset.starts) - now() - 300000;
    return page.dataset.state === 'waiting' && untilStart > soon ? Math.min(untilStart, 3600000) : soon;
  };
  const schedule = () => setTimeout(async () => {
    if (!document.hidden && !getValidUrl(page)) await refresh();
    schedule();
  }, getDelay());
  if (['open', 'waiting'].includes(page.dataset.state)) schedule();

  // A second click within this time, such as that of a double click, opens nothing.
  const PAUSE = 10000;
  let busy = false;
  const enable = () => {
    busy = false;
    button.removeAttribute('aria-disabled');
  };
  // The tab may be hours old, so fetch the current URL before opening it.
  const open = async (isConfirmed) => {
    busy = true;
    button.setAttribute('aria-disabled', 'true');
    setText(status, texts.wait);
    const fresh = await fetchPage();
    const version = fresh || page;
    const url = getValidUrl(version);
    if (url && (isConfirmed || !version.querySelector('#question'))) {
      setText(status, texts.opening);
      location.assign(url);
      setTimeout(() => { enable(); setText(status, ''); }, PAUSE);
      return;
    }
    if (fresh && (url || differs(fresh))) {
      location.reload();
    } else {
      setText(status, fresh ? texts.unavailable : texts.unreachable);
    }
    enable();
  };
  if (button) {
    let askedAt = 0;
    button.hidden = false;
    button.addEventListener('click', (event) => {
      if (busy) return;
      if (!question || !getValidUrl(page)) {
        open(false);
      } else {
        askedAt = event.timeStamp;
        question.showModal();
      }
    });
    if (question) {
      document.getElementById('not-now').addEventListener('click', () => question.close());
      document.getElementById('yes').addEventListener('click', (event) => {
        // Nobody has read the question yet: this is the second click of a double click.
        if (event.timeStamp - askedAt < 500) return;
        question.close();
        open(true);
      });
    }
  }
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    setText(status, '');
    refresh();
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });

  show();
  setInterval(show, 1000);
})();
"""
)

OVERVIEW_SCRIPT = (
    r"""
(() => {
  'use strict';
"""
    + _TIMES
    + r"""
  document.getElementById('zone').textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const show = () => {
    for (const row of document.querySelectorAll('tr[data-status="valid"]')) {
      if (Date.parse(row.querySelector('.expires time').dateTime) > Date.now()) continue;
      row.dataset.status = 'expired';
      row.querySelector('.status').textContent = 'Expired';
    }
    for (const count of document.querySelectorAll('[data-count]')) {
      count.textContent = document.querySelectorAll(`tr[data-status="${count.dataset.count}"]`).length;
    }
  };
  show();
  setInterval(show, 30000);

  const collator = new Intl.Collator(locale, { numeric: true });
  const body = document.querySelector('tbody');
  const rows = Array.from(body.rows);
  const heads = Array.from(document.querySelectorAll('thead th'));
  const getKey = (row, column) => {
    const cell = row.cells[column], time = cell.querySelector('time');
    return time ? time.dateTime : cell.childNodes.length ? cell.firstChild.textContent : '';
  };
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const direction = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
      heads.forEach((each) => each.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', direction);
      const sign = direction === 'ascending' ? 1 : -1;
      body.append(...rows.sort((one, other) => sign * collator.compare(getKey(one, column), getKey(other, column))));
    });
  });

  const search = document.getElementById('search');
  const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  if (search) {
    search.closest('p').hidden = false;
    search.addEventListener('input', () => {
      for (const row of rows) row.hidden = !fold(row.textContent).includes(fold(search.value.trim()));
      document.getElementById('found').textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
    });
  }
})();
"""
)
