# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStream 2.0 (WorkSpaces Applications) as a moto backend; moto has none."""

from __future__ import annotations

import re
import sys

from moto import backend_index
from moto.moto_server import werkzeug_app

from tests.simulator.appstream.models import appstream_backends
from tests.simulator.appstream.urls import url_bases

__all__ = ["appstream_backends", "register"]


def register() -> None:
    """Make moto's server route AppStream's calls here, under the name by which moto looks its own backends up."""
    sys.modules["moto.appstream"] = sys.modules[__name__]
    backend_index.backend_url_patterns += [("appstream", re.compile(base)) for base in url_bases]
    # Unsigned calls go to S3 unless moto knows their target.
    werkzeug_app.UNSIGNED_REQUESTS["PhotonAdminProxyService"] = ("appstream", "us-east-1")
