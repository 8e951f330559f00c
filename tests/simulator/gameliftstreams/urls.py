# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where moto's server finds the service. A loopback request gets the host name from its signature."""

from __future__ import annotations

from tests.simulator.gameliftstreams.responses import GameLiftStreamsResponse
from tests.simulator.moto.gameliftstreams.urls import url_bases

__all__ = ["url_bases", "url_paths"]

url_paths = dict.fromkeys(["{0}/$", "{0}/.*$"], GameLiftStreamsResponse.dispatch)
