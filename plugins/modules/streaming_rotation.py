#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_rotation
version_added: 0.1.0
short_description: Rotate learners of a lab whose links have leaked
description:
  - A streaming URL of AppStream 2.0 cannot be revoked. If a learner's link has leaked, the learner needs another user
    id, so that nobody else can join the session, and another page. On GameLift Streams, where URLs can be revoked, the
    learner needs another URL and another page.
  - This module counts and stores in O(lease_store) how often that happened, as the learner's generation. It calls no
    streaming service. The filter P(labstream.aws.rotated_learners#filter) makes the user ids,
    M(labstream.aws.gamelift_stream_url) takes the generation of each learner, and M(labstream.aws.streaming_handout)
    makes the pages.
  - The roles P(labstream.aws.appstream_lab#role) and P(labstream.aws.gamelift_lab#role) do all of it.
author:
  - labstream.aws contributors (@labstream)
options:
  lab:
    description:
      - The name of the lab, as URLs are issued for it. Generations are counted for each lab.
    type: str
    required: true
  rotate:
    description:
      - The ids of the learners who get the next generation, as in the handouts. By default nobody does, and the
        generations are only returned.
      - Learners are compared without regard to case and invisible characters.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Not with O(rotate). Each task gives those learners another generation, so give it once.
notes:
  - A generation is stored for up to 150 days after the last task of this lab, as the names of pages are, and removed
    with them by O(labstream.aws.streaming_handout#module:purge).
seealso:
  - module: labstream.aws.streaming_handout
  - plugin: labstream.aws.rotated_learners
    plugin_type: filter
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Rotate a learner whose link has leaked
  labstream.aws.streaming_rotation:
    lab: cad-2026-11-21
    rotate: [anna@example.org]

- name: Get the generations of the lab
  labstream.aws.streaming_rotation:
    lab: cad-2026-11-21
  register: rotation

- name: Make the user ids of the lab
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster
      | labstream.aws.rotated_learners(rotation.generations) }}"
"""

RETURN = r"""
generations:
  description:
    - The generation of each learner of the lab who was ever rotated, which is 1 or higher. All others have 0.
    - The keys are the learners' ids in lower case, so that each learner is there once.
    - In check mode, as they would be.
  returned: always
  type: dict
  sample:
    anna@example.org: 1
rotated:
  description: The learners who got the next generation, or would get it in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - anna@example.org
other_labs:
  description:
    - The other labs under way in which somebody of RV(rotated) is the same user. They were rotated there too. These
      labs give them their new URLs and pages with their next run.
  returned: always
  type: list
  elements: str
  sample: []
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    store_argument_spec,
    validate_has_lease_store,
    validate_lab,
)
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import (
    find_learners,
    get_latest_keys,
    is_learner_id,
    rotate_learners,
    validate_learner_id,
)
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise, to_person
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import NoLeaseStore, find_now
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._time import utc_now

EMPTY_RESULT: dict[str, Any] = dict(changed=False, generations={}, rotated=[], other_labs=[])


def find_shared_learners(labs: Labs, lab: str, learner_ids: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """Return the learners of the other labs that are ahead who are the same users as these learners, by lab.

    A URL opens the session that the user has, whatever it was issued for.
    """
    people = {normalise(learner_id) for learner_id in learner_ids}
    holders = {record.lease[:2] for record in labs.get_records(lab) if to_person(record.learner_id) in people}
    shared: dict[str, set[str]] = {}
    for record in labs.others_ahead(lab, now):
        if record.lease[:2] in holders and is_learner_id(record.learner_id):
            shared.setdefault(record.lab, set()).add(record.learner_id)
    return {other: sorted(shared[other]) for other in sorted(shared)}


def run(module: LabstreamAWSModule) -> None:
    """Rotate learners, and return the generations.

    Raises:
        LabstreamError: An option is wrong, or the store cannot be used.
    """
    lab, result = module.params["lab"], module.result
    validate_lab(lab)
    validate_has_lease_store(module.params["lease_store"])
    for learner_id in module.params["rotate"]:
        validate_learner_id(learner_id)
    learner_ids = list({normalise(learner_id): learner_id for learner_id in module.params["rotate"]}.values())
    with open_lease_store(module, create=bool(learner_ids), read_only=not learner_ids) as store:
        existing = find_learners(store, lab)
        if learner_ids:
            store.check()
        writable = NoLeaseStore() if module.check_mode else store
        now = find_now(store, utc_now())
        generations = rotate_learners(writable, lab, existing, learner_ids, now)
        # Also if another lab fails: whoever reads the failure must know that these learners were rotated.
        result.update(changed=bool(learner_ids), generations=generations, rotated=learner_ids)
        other_labs = find_shared_learners(Labs(store, None), lab, learner_ids, now) if learner_ids else {}
        for other, shared in other_labs.items():
            rotate_learners(writable, other, find_learners(store, other), shared, now)
            result.update(other_labs=[*result["other_labs"], other])
    if other_labs:
        module.warn(
            "The learners who were rotated are the same users in other labs, and were rotated there too: run these "
            f"again, so that they get new URLs and pages: {', '.join(other_labs)}."
        )
    if module._diff:
        latest = get_latest_keys(existing)
        before = {
            learner_id: latest[learner_id].generation if learner_id in latest else 0 for learner_id in generations
        }
        result["diff"] = dict(before=before, after=generations)


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            lab=dict(type="str", required=True),
            rotate=dict(type="list", elements="str", default=[]),
            **store_argument_spec(),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
