# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""appstream base URL and path."""

from __future__ import annotations

from .responses import AppStreamResponse

url_bases = [r"https?://appstream\.(.+)\.amazonaws\.com", r"https?://appstream2\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": AppStreamResponse.dispatch}
