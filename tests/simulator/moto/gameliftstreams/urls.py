# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gameliftstreams base URL and path."""

from __future__ import annotations

from .responses import GameLiftStreamsResponse

url_bases = [
    r"https?://gameliftstreams\.(.+)\.api\.aws",
    r"https?://gameliftstreams\.(.+)\.amazonaws\.com",  # what moto's server makes of a signature
]
url_paths = {"{0}/$": GameLiftStreamsResponse.dispatch, "{0}/.*$": GameLiftStreamsResponse.dispatch}
