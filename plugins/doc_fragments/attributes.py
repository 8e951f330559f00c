# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes that the modules of this collection document."""

from __future__ import annotations


class ModuleDocFragment:
    """The descriptions. Each module adds C(support) and C(details), or INFO_MODULE, which has those of info modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/labstream.aws.labstream) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - labstream.aws.labstream
"""

    LEASE_GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/labstream.aws.labstream) in C(module_defaults) to set defaults for this module, and
        C(group/labstream.aws.leases) for O(lease_store).
    support: full
    membership:
      - labstream.aws.labstream
      - labstream.aws.leases
"""
