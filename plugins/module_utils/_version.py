# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The name and version of the collection, for the User-Agent of every call."""

from __future__ import annotations

COLLECTION_NAME = "labstream.aws"
COLLECTION_VERSION = "1.0.0"
