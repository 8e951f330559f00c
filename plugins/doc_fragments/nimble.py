# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules about sessions of Nimble Studio share."""

from __future__ import annotations


class ModuleDocFragment:
    """The options, and a note on what AWS has closed."""

    DOCUMENTATION = r"""
options:
  studio_id:
    description:
      - The studio of the sessions.
    type: str
    required: true
  concurrency:
    description:
      - How many calls to make at once, from 1 to 64.
    type: int
    default: 16
notes:
  - AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), so O(endpoint_url) must name another
    endpoint that speaks it. M(labstream.aws.nimble_session_stream) tells more, and how to move a class to
    M(labstream.aws.appstream_streaming_url).
"""
