# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a learner's page opens, and what programs that follow links find in it."""

from __future__ import annotations

import base64
import binascii
import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

BUTTON = re.compile(r'<button [^>]*id="open"[^>]* data-url="([^"]*)"')
# Attributes whose value a browser or a crawler may request.
REQUESTED = ("href", "src", "srcset", "action", "formaction", "data", "poster", "ping", "cite", "background", "content")
URL = re.compile(r"https?:/[^\s\"'<>]*", re.IGNORECASE)
BASE64 = re.compile(r"[\w+/=-]{12,}", re.ASCII)


def url_of(page: str) -> str | None:
    """Return the URL that the button opens, None for a page without a button."""
    button = BUTTON.search(page)
    return base64.b64decode(button[1].replace(" ", ""), validate=True).decode() if button else None


class _Values(HTMLParser):
    """The values of the attributes that may be requested, also of those within noscript."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in REQUESTED and value]


def find_links(page: str) -> set[str]:
    """Return what an eager program takes for a link: also in text, escaped, percent-encoded or in base64."""
    texts = [page, unescape(page), unquote(unescape(page))]
    texts += [_decode(word) for word in BASE64.findall(page)]
    return {link for text in texts for link in URL.findall(text)} | set(_Values(page).found)


def _decode(word: str) -> str:
    """Return what the word means in base64; nothing if it is none."""
    bare = word.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode(errors="ignore")
    except binascii.Error:
        return ""
