# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that the modules for Nimble Studio sessions share."""

from __future__ import annotations


class ModuleDocFragment:
    """The options, and a note that AWS has closed the API."""

    DOCUMENTATION = r"""
options:
  studio_id:
    description:
      - The id of the studio of the sessions.
    type: str
    required: true
  concurrency:
    description:
      - How many calls to make at the same time, from 1 to 64.
    type: int
    default: 16
notes:
  - AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), so O(endpoint_url) must name another
    endpoint that implements it. See M(labstream.aws.nimble_session_stream), also for how to move a lab to
    M(labstream.aws.gamelift_stream_url) or M(labstream.aws.appstream_streaming_url).
"""
