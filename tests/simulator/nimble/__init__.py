# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble Studio as a moto backend; neither moto nor a current botocore has the service."""

from __future__ import annotations

import re
import sys

from moto import backend_index

from tests.simulator.nimble.models import nimble_backends
from tests.simulator.nimble.urls import url_bases

__all__ = ["nimble_backends", "register"]


def register() -> None:
    """Make moto's server route Nimble's calls here, under the name by which moto looks its own backends up."""
    sys.modules["moto.nimble"] = sys.modules[__name__]
    backend_index.backend_url_patterns += [("nimble", re.compile(base)) for base in url_bases]
