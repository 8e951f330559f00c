# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules need where they run."""

from __future__ import annotations


class ModuleDocFragment:
    """The requirements, which are higher than those of C(amazon.aws.boto3)."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - python >= 3.10
  - boto3 >= 1.35.0
  - botocore >= 1.35.0
"""

    # Stream URLs are new in this version.
    GAMELIFT = r"""
options: {}
requirements:
  - python >= 3.10
  - boto3 >= 1.43.59
  - botocore >= 1.43.59
"""
