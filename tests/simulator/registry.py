# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes moto's server find our services: by the names under which it looks its own backends up."""

from __future__ import annotations

import re
import sys

from moto import backend_index
from moto.moto_server import werkzeug_app

from tests.simulator import nimble
from tests.simulator.appstream.models import AppStream
from tests.simulator.gameliftstreams.models import GameLiftStreams
from tests.simulator.moto import appstream, gameliftstreams
from tests.simulator.moto.appstream.urls import url_bases as appstream_bases
from tests.simulator.moto.gameliftstreams.urls import url_bases as gameliftstreams_bases
from tests.simulator.nimble.urls import url_bases as nimble_bases


def register() -> None:
    appstream.appstream_backends.backend = AppStream
    gameliftstreams.gameliftstreams_backends.backend = GameLiftStreams
    for name, package, bases in (
        ("appstream", appstream, appstream_bases),
        ("gameliftstreams", gameliftstreams, gameliftstreams_bases),
        ("nimble", nimble, nimble_bases),
    ):
        sys.modules[f"moto.{name}"] = package
        backend_index.backend_url_patterns += [(name, re.compile(base)) for base in bases]
    # Unsigned calls go to S3 unless moto knows their target.
    werkzeug_app.UNSIGNED_REQUESTS["PhotonAdminProxyService"] = ("appstream", "us-east-1")
