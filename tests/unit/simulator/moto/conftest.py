# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests beside this file run in moto itself, as if our packages had been copied into it."""

from __future__ import annotations

import re
from importlib import import_module

import moto
from moto import backend_index

from tests.simulator.control import CHECKOUT

moto.__path__.append(str(CHECKOUT / "tests" / "simulator" / "moto"))
for name in ("appstream", "gameliftstreams"):
    bases = import_module(f"moto.{name}.urls").url_bases
    backend_index.backend_url_patterns += [(name, re.compile(base)) for base in bases]
