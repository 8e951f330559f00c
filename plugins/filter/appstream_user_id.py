# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: appstream_user_id
short_description: Derive an AppStream user id from an e-mail address or a name
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Derives a valid AppStream user id, 2 to 32 ASCII letters, digits and characters of C(_+=,.@-), from an e-mail
    address, a login or a name.
  - AppStream issues a streaming URL for an invalid user id too, and then fails in the learner's browser.
  - The user id is the key of the learner's home folder and of the monthly user fee.
    So the algorithm never changes, and the same person always has the same id.
  - The text is normalized first. Invisible characters and white space around it are dropped, white space inside it
    becomes one space, and it is case-folded and converted to Unicode NFC. V(Anna@example.org) and V(anna@example.org)
    are one person.
  - A text that is a valid user id then is returned as it is.
  - Any other text becomes its readable part in ASCII, at most 19 characters, a hyphen, and 60 bits of its SHA-256 in
    base32. With so many, two people do not get the same id by accident. Only somebody who chooses a login on purpose
    can have the id that is derived for another.
options:
  _input:
    description:
      - The e-mail address, login or name.
    type: str
    required: true
  style:
    description:
      - V(readable) keeps as much of the text as an id can hold.
      - V(opaque) returns 100 bits of an HMAC-SHA-256 in base32, which reveal nothing about the person to those who do
        not have the O(key).
    type: str
    choices:
      - readable
      - opaque
    default: readable
  key:
    description:
      - The secret of O(style=opaque), at least 16 characters, without white space around it. Keep it in a vault.
      - With another key, everybody gets another id, and with it an empty home folder and another user fee.
      - Required when O(style=opaque), and an error otherwise.
    type: str
notes:
  - Applied to its own result, the filter returns it unchanged. This does not hold for O(style=opaque).
  - A character that the controller's Python does not know yet, such as an emoji of this year, is an error, since
    another Python could derive another id.
seealso:
  - plugin: labstream.aws.roster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A short e-mail address is a valid user id
  ansible.builtin.debug:
    msg: "{{ 'Anna@Example.org' | labstream.aws.appstream_user_id }}"
    # => anna@example.org

- name: A long e-mail address and a name get a hash
  ansible.builtin.debug:
    msg: "{{ ['anna.example@students.university.example', 'Zoë Example'] | map('labstream.aws.appstream_user_id') }}"
    # => ['anna.example@studen-tg254biu76tw', 'zoe.example-s4vhp5vozl4d']

- name: No part of the name leaves the controller
  ansible.builtin.debug:
    msg: "{{ 'anna@example.org' | labstream.aws.appstream_user_id(style='opaque', key=lab_user_id_key) }}"
    # => a text like 's6xq2v7mboe4hd5n3ktu'
"""

RETURN = r"""
_value:
  description:
    - The user id.
  type: str
  sample: anna@example.org
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import appstream_user_id


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"appstream_user_id": as_filter(appstream_user_id)}
