# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are, as the User-Agent of every call tells the service."""

from __future__ import annotations

COLLECTION_NAME = "labstream.aws"
COLLECTION_VERSION = "0.1.0"
