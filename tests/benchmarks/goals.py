# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goals, and whether they are met."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.tables import Table, number


@dataclass(frozen=True)
class Goal:
    """A goal, and the figure of each round."""

    what: str
    at_most: float
    figures: Sequence[float]
    unit: str = ""

    @property
    def reached(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.figures)

    @property
    def is_met(self) -> bool:
        return self.reached <= self.at_most

    def result(self) -> str:
        """Return the figure that was reached, with the minimum and maximum of the rounds."""
        spread = f" ({number(min(self.figures))} to {number(max(self.figures))})" if len(self.figures) > 1 else ""
        return f"{number(self.reached)}{self.unit}{spread}, {'met' if self.is_met else 'missed'}"


def table_of_goals(newest: Sequence[Goal], oldest: Iterable[Goal]) -> Table:
    """Return the table of goals for the newest and the oldest environment."""
    beside = {goal.what: goal.result() for goal in oldest}
    rows = [
        [goal.what, f"{number(goal.at_most)}{goal.unit}", goal.result(), beside.get(goal.what, "not measured")]
        for goal in newest
    ]
    return Table("goals", ["Goal", "At most", "Newest", "Oldest"], rows)
