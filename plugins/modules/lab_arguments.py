#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_arguments
version_added: 1.0.0
short_description: Validate the arguments of a role of this collection, and read its roster
description:
  - The roles of this collection use it. It is not for others, and can change in any release.
  - Validates the variables of a role against its C(argument_specs.yml), and checks what that cannot express.
  - A variable with the role's prefix that the role does not know is an error if its name is a near miss of an option,
    that is its beginning, or after the prefix at most two characters different, in a word of up to five letters one.
    Otherwise it is a notice, since it can be the user's own.
author:
  - labstream.aws contributors (@labstream)
options:
  role:
    description:
      - The name of the role.
    type: str
    required: true
    choices: [appstream_lab, gamelift_lab, nimble_lab, lab_handout]
  lab_role:
    description:
      - The role of the lab whose handouts are written. What is not given to O(role) is taken from its variables.
    type: str
  fail:
    description:
      - Whether an argument that is not valid, or a roster that cannot be read, fails the task, with only a message.
      - With V(false), it is returned as RV(error), together with what the summary of a role needs.
    type: bool
    default: true
attributes:
  action:
    description: This is an action plugin, which runs on the controller.
    support: full
  async:
    description: Supports being run with the C(async) keyword.
    support: none
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - labstream.aws.attributes
"""

EXAMPLES = r"""
- name: Validate arguments, and read the roster
  labstream.aws.lab_arguments:
    role: appstream_lab
  register: arguments
"""

RETURN = r"""
error:
  description: What is wrong with the arguments or the roster, V(null) if nothing is.
  returned: success
  type: str
  sample: null
options:
  description:
    - The options by their names without the prefix, of the types that C(argument_specs.yml) names. Those that are not
      given are V(null) or have their default. Secrets are not among them.
    - If an argument is not valid, they have their defaults, except for text.
  returned: success
  type: dict
  sample:
    name: cad-2026-11-21
    state: present
variables:
  description: The variables of the role by the options of the modules that they are for, which messages name.
  returned: success
  type: dict
  sample:
    lab: appstream_lab_name
notices:
  description: One text for each variable that the role does not know, and for each value that may not be what is meant.
  returned: success
  type: list
  elements: str
  sample: []
learners:
  description: The learners, as RV(labstream.aws.roster#filter:_value) describes them. Empty if no roster is given.
  returned: success
  type: list
  elements: dict
  sample: []
roster_failure:
  description: Why the roster cannot be read. With C(state=present), this is RV(error) too.
  returned: success
  type: str
  sample: ""
"""
