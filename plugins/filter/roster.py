# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: roster
short_description: Read the learners of a lab from CSV text, e-mail addresses or a list
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Reads a roster, as learning platforms and directories export it or as a spreadsheet saves it, and returns its
    learners.
  - It recognizes exports from Moodle (in eight languages), ILIAS, Canvas, Brightspace, Blackboard, Microsoft Entra,
    Google, OneRoster and Gradescope. R(The guide to rosters,ansible_collections.labstream.aws.docsite.guide_rosters)
    lists their columns.
  - The first line that is not blank names the columns. Commas, semicolons and tabs can be delimiters, as can what a
    line such as C(sep=;) before it says. All line endings, a byte order mark, quoted cells over several lines, blank
    lines and empty columns at the end are supported.
  - Column names are compared without regard to case and white space. A column without any value counts as absent.
  - A text whose first line is an e-mail address has no header. Each of its lines is an address, or a name and an
    address as in C(Anna Example <anna@example.org>).
  - The first known column for an id that has values identifies the learner, such as C(ID number) or C(Username).
    Without any, the e-mail address does.
  - C(user_id), C(session_context) and C(application_id) are taken as they are.
  - People whose role or status in an export says that they are not learners are left out, with a warning that names
    their rows. So are rows that are nobody, such as the points possible and the test student of Canvas, without a
    warning.
  - Marks that programs put around ids and addresses are removed, with a warning that names the rows, such as the
    apostrophe of C('0012345). Values that a spreadsheet has corrupted, such as C(1.00234E+11), are an error.
  - An error names the first ten invalid rows, each with the line where it starts and the column. Rows that are the same
    learner, or that have the same user id, are an error that names them. So are user ids that differ only in case.
  - A list of learners is checked and completed in the same way. There, the first of C(id), C(email) and C(user_id) that
    a learner has identifies them. An unknown field is an error.
  - The learners that it returns can be given to O(labstream.aws.appstream_streaming_url#module:users), unless the
    roster has their languages, which are for O(labstream.aws.streaming_handout#module:seats).
options:
  _input:
    description:
      - The CSV text, e-mail addresses, or a list of dicts with the fields of learners, see O(columns). The list may be
        text in JSON.
      - It must be UTF-8, since a name that is decoded wrongly results in a wrong user id.
    type: raw
    required: true
  columns:
    description:
      - "The column of each field that the header does not name in a known way, such as V({'email': 'Dienst-E-Mail'})."
      - Fields are V(id), V(email), V(name), V(first_name), V(last_name), V(user_id), V(session_context),
        V(application_id) and V(language). Any other field is added to the learners under its name. Modules do not
        accept such learners.
      - Every column that is named here must exist.
      - Only for CSV text.
    type: dict
  style:
    description:
      - How user ids are derived from what identifies the learner, where the roster has none. See
        P(labstream.aws.appstream_user_id#filter).
    type: str
    choices:
      - readable
      - opaque
    default: readable
  key:
    description:
      - The secret of O(style=opaque). See P(labstream.aws.appstream_user_id#filter).
      - Required when O(style=opaque), and an error otherwise.
    type: str
notes:
  - User ids stay the same as long as the same column identifies the learners. Name it with O(columns) if exports differ
    from lab to lab.
  - Canvas exports no e-mail addresses. Where the login is the address, use O(columns).
  - The contents of a roster are data. A cell that looks like a template is never evaluated.
seealso:
  - plugin: labstream.aws.roster
    plugin_type: lookup
  - plugin: labstream.aws.appstream_user_id
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Complete a list of learners
  ansible.builtin.set_fact:
    learners: "{{ [{'email': 'anna@example.org', 'name': 'Anna Example'}] | labstream.aws.roster }}"

- name: Read a gradebook of Canvas in which logins are e-mail addresses, and keep the section
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'gradebook.csv')
      | labstream.aws.roster(columns={'email': 'SIS Login ID', 'section': 'Section'}) }}"

- name: Keep names from AWS
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv')
      | labstream.aws.roster(style='opaque', key=lab_user_id_key) }}"
"""

RETURN = r"""
_value:
  description:
    - The learners, in the order of the roster.
  type: list
  elements: dict
  contains:
    id:
      description: What identifies the learner in the roster.
      type: str
      sample: "4711"
    name:
      description: The learner's name as the roster has it, V(null) if it has none.
      type: str
      sample: Anna Example
    email:
      description: The learner's e-mail address, V(null) if the roster has none.
      type: str
      sample: anna@example.org
    user_id:
      description: The learner's AppStream user id, from the roster or else derived from RV(_value[].id).
      type: str
      sample: "4711"
    session_context:
      description: The learner's session context, V(null) if the roster has none.
      type: str
      sample: unit-3
    application_id:
      description: The application that opens for the learner, V(null) if the roster has none.
      type: str
      sample: notebook
    language:
      description: The language of the learner's page. Only if the roster has it.
      type: str
      sample: de
"""

from collections.abc import Callable
from typing import Any

from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.plugin_utils import _roster
from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter


def roster(
    source: Any,
    columns: dict[str, str] | None = None,
    style: str = "readable",
    key: str | None = None,
) -> list[dict[str, str | None]]:
    """Return the learners of a roster, and warn of what was changed or left out."""
    return _roster.roster(source, columns, style, key, warn=Display().warning)


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"roster": as_filter(roster)}
