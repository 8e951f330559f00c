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
main.wide { max-width: 72rem; }
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
[data-status="valid"] .status { color: var(--good); }
[data-status="expired"] .status, [data-status="none"] .status { color: var(--bad); font-weight: 600; }
@media (min-width: 48rem) { body { padding: 3rem 1.5rem; } main { padding: 2.25rem; } }
@media print {
  :root { --ground: #fff; --card: #fff; --text: #000; --quiet: #333; --line: #888; --good: #000; --bad: #000; }
  body, main { padding: 0; border: 0; } .table { overflow: visible; } tr { break-inside: avoid; }
  html { font-size: 10pt; } thead { display: table-header-group; }
  td { white-space: normal; overflow-wrap: anywhere; } td.status, td time { white-space: nowrap; }
}
"""

# Times in the format and the time zone of the browser. Pages are in English.
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

PAGE_SCRIPT = (
    r"""
(() => {
  'use strict';
  const page = document.getElementById('page');
  const link = document.getElementById('open');
  const left = document.getElementById('left');
  const status = document.getElementById('status');
  const setText = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  // How far the server's clock is ahead of this one, as far as that is known.
  let skew = 0;
  const now = () => Date.now() + skew;
"""
    + _TIMES
    + r"""

  const getUrl = (version) => (version.querySelector('#open') || { href: '' }).href;
  const ownUrl = getUrl(page);
  // The URL that this version of the page opens now, null if there is none.
  const getValidUrl = (version) => {
    const url = version === page ? ownUrl : getUrl(version);
    return /^https?:/.test(url) && Date.parse(version.dataset.expires) > now() ? url : null;
  };

  // The server's current version of this page, null if it cannot be fetched, for example if this page is a file.
  const fetchPage = async () => {
    const canceller = new AbortController();
    const timer = setTimeout(() => canceller.abort(), 8000);
    try {
      const response = await fetch(location.href, { cache: 'no-store', signal: canceller.signal });
      if (!response.ok) return null;
      const text = await response.text();
      const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('page');
      if (!fresh || !fresh.dataset.state) return null;
      const clock = Date.parse(response.headers.get('Date') || '');
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
  const formatDuration = (milliseconds) => {
    const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days) return `${count(days, 'day')} ${count(hours % 24, 'hour')}`;
    if (hours) return `${count(hours, 'hour')} ${count(minutes % 60, 'minute')}`;
    if (minutes >= 10) return count(minutes, 'minute');
    if (minutes) return `${count(minutes, 'minute')} ${count(seconds % 60, 'second')}`;
    return count(seconds, 'second');
  };

  // Screen readers announce the time left at these minutes only.
  const ANNOUNCED_AT = [30, 10, 5, 1];
  const countAnnounced = (milliseconds) => ANNOUNCED_AT.filter((minutes) => milliseconds <= minutes * 60000).length;
  let announced = null;
  const showOpen = () => {
    const timeLeft = Date.parse(page.dataset.expires) - now();
    const expired = timeLeft <= 0;
    if (expired !== page.classList.contains('expired') || announced === null) {
      page.classList.toggle('expired', expired);
      setText(link, expired ? 'Check again' : 'Open my lab');
      setText(document.getElementById('works'), expired ? 'worked' : 'works');
      // Even without a click handler, an expired button leads back to this page.
      link.href = expired ? location.href : ownUrl;
      if (expired && announced !== null) setText(status, 'The button to open your lab has expired.');
    }
    setText(left, expired ? 'The button has expired.' : `${formatDuration(timeLeft)} left`);
    if (announced !== null && !expired && countAnnounced(timeLeft) > announced) setText(status, left.textContent);
    announced = countAnnounced(timeLeft);
  };
  const showWaiting = () => {
    const timeLeft = Date.parse(page.dataset.starts) - now();
    if (Number.isNaN(timeLeft)) return;
    setText(left, timeLeft > 0 ? `Starts in ${formatDuration(timeLeft)}` : 'Your lab should open shortly.');
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

  let busy = false;
  const enable = () => {
    busy = false;
    if (link) link.removeAttribute('aria-disabled');
  };
  // The tab may be hours old, so fetch the current URL before opening it.
  if (link) link.addEventListener('click', async (event) => {
    const opensElsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (opensElsewhere && getValidUrl(page)) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    link.setAttribute('aria-disabled', 'true');
    setText(status, 'Please wait…');
    const fresh = await fetchPage();
    const url = getValidUrl(fresh || page);
    if (url) {
      setText(status, 'Opening your lab…');
      location.assign(url);
    } else if (fresh && differs(fresh)) {
      location.reload();
    } else {
      setText(status, fresh ? 'Your lab is not available right now. Try again in a minute.'
        : 'This page could not be refreshed. Reload it, or ask your instructor.');
    }
    setTimeout(enable, url ? 5000 : 0);
  });
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    enable();
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
})();
"""
)
