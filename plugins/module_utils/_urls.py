# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What a streaming URL must be. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ._errors import NotReady, quote

# In characters. Services issue URLs of about 1500.
MAX_URL_LENGTH = 64 * 1024

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)", re.ASCII | re.IGNORECASE)


def is_web_url(text: str) -> bool:
    """Return whether a browser opens a web page at the URL, instead of running it as a script."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and text.isprintable() and " " not in text and len(text) <= MAX_URL_LENGTH


def validate_issued_url(url: str) -> None:
    """Reject a URL that a service issued, and that is not one of a web page.

    Raises:
        NotReady: Names the scheme and nothing else of the URL.
    """
    if is_web_url(url):
        return
    scheme = _SCHEME.match(url)
    raise NotReady(
        f"The service issued a URL with {f'the scheme {quote(scheme[0])}' if scheme else 'no scheme'}, which is not a "
        "valid web address: check that endpoint_url points to the right service, then run again."
    )
