# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._urls import is_web_url, validate_issued_url

NOT_WEB_URLS = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "amazonappstream:x",
    "//evil.example.org",
    "/relative",
    "https:",
    "https://",
    "https://[",
    "https://example.org/a b",
    "https://example.org/\x00",
    "https://example.org/\ud800",
    f"https://example.org/{'x' * 65_536}",
    "",
]


@pytest.mark.parametrize("url", NOT_WEB_URLS)
def test_a_url_that_is_not_of_a_web_page_is_rejected(url):
    assert not is_web_url(url)
    with pytest.raises(NotReady):
        validate_issued_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5000/x", "HTTPS://EXAMPLE.ORG", "https://example.org:8443/a#b", f"https://{'x' * 65_528}"]
)
def test_a_web_url_is_accepted(url):
    assert is_web_url(url)
    validate_issued_url(url)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("javascript:fetch('//secret')", "the scheme 'javascript'"),
        ("data:text/html,secret", "the scheme 'data'"),
        ("https://example.org/ secret", "the scheme 'https'"),
        ("//secret:80/a", "no scheme"),
        ("java\nscript:secret", "no scheme"),
    ],
)
def test_the_message_about_an_issued_url_names_its_scheme_alone(url, named):
    with pytest.raises(NotReady) as rejected:
        validate_issued_url(url)
    assert str(rejected.value) == (
        f"The service issued a URL with {named}, which is not a valid web address: check that endpoint_url points to "
        "the right service, then run again."
    )
