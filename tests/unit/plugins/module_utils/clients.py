# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients as modules build them, and replies to them."""

from __future__ import annotations

from functools import partial

from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_loader import ServiceLoader
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_model import SERVICE_DESCRIPTION

SERVICES = ("appstream", "nimble")
REGION_AND_KEYS = dict(region="eu-central-1", access_key="nobody", secret_key="nothing")
HALF = '{"StreamingURL": "https://example.org/?secret=correct-ho'
PROFILES = """
[profile lab]
region = us-west-2
aws_access_key_id = of-the-profile
aws_secret_access_key = nothing
retry_mode = legacy
max_attempts = 3

[profile no-region]
aws_access_key_id = of-the-profile
aws_secret_access_key = nothing

[profile half]
region = us-west-2
aws_access_key_id = of-the-profile
"""


def client_of(module, service, concurrency, **settings):
    """The client that a module has for a service."""
    if service == "nimble":
        settings["build_loader"] = partial(ServiceLoader, service, SERVICE_DESCRIPTION)
    return build_client(module, service, concurrency, **settings)


def wire(*headers, body, status="200 OK"):
    """A reply as it comes over the wire."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", body]).encode()
