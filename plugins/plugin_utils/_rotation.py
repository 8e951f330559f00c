# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""User ids of learners whose link came into the wrong hands. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import validate_generation
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import rotated_user_id

Row = dict[str, Any]


class Generations:
    """The generation of each learner, however rosters spell them."""

    def __init__(self, generations: Mapping[str, int]) -> None:
        self._by_person: dict[str, int] = {}
        for learner, generation in generations.items():
            validate_generation(learner, generation)
            person = normalise(learner)
            self._by_person[person] = max(generation, self._by_person.get(person, 0))

    def __getitem__(self, learner: str) -> int:
        return self._by_person.get(normalise(learner), 0) if self._by_person else 0


def rotated_learners(
    learners: Sequence[Mapping[str, Any]], generations: Mapping[str, int], former_of: Collection[str] | None = None
) -> list[Row]:
    """Return the learners with the user ids of their generations.

    Args:
        learners: The rows of a roster.
        generations: The generation of each learner who was given one.
        former_of: The ids of learners: return only these, once for each earlier user id.
    """
    known, former = Generations(generations), {normalise(learner) for learner in former_of or ()}
    rows = []
    for learner in learners:
        generation = known[learner["id"]]
        if former_of is None:
            rows.append({**learner, "user_id": rotated_user_id(learner["user_id"], generation)})
        elif normalise(learner["id"]) in former:
            user_ids = (rotated_user_id(learner["user_id"], number) for number in range(generation))
            rows += [{**learner, "user_id": user_id} for user_id in user_ids]
    return rows
