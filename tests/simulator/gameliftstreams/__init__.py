# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon GameLift Streams as a moto backend; moto has none."""

from __future__ import annotations

import re
import sys

from moto import backend_index

from tests.simulator.gameliftstreams.models import gameliftstreams_backends
from tests.simulator.gameliftstreams.urls import url_bases

__all__ = ["gameliftstreams_backends", "register"]


def register() -> None:
    """Make moto's server route the service's calls here, under the name by which moto looks its own backends up."""
    sys.modules["moto.gameliftstreams"] = sys.modules[__name__]
    backend_index.backend_url_patterns += [("gameliftstreams", re.compile(base)) for base in url_bases]
