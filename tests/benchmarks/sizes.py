# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of learners and rounds."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.measuring import LATENCY


@dataclass(frozen=True)
class Sizes:
    """Numbers of learners, and of repeats.

    ``learners`` are given URLs, and ``reused`` have theirs already. Ways that take a process or a task for each learner
    are measured with up to ``one_by_one``, those that make one call after another with up to ``lab_size``, and
    extrapolated from there. The goals are about ``lab_size``, at the first of the latencies if not at all of them, and
    about the memory that ``many`` take. ``large`` labs are measured with the memory of the controller. ``goals_only``
    leaves out what the goals do not need.

    What is compared is measured ``repeat`` times, but once with more than ``lab_size`` learners. What takes a call, a
    process or a task for each learner is measured once, and so is what is beside our task at a service that throttles.

    Token buckets are measured ``bucket_repeat`` times: each of the ``rates``, calls a second with the learners of a lab
    that keeps such a service busy for half a minute or longer, with each of the ``bursts``.
    """

    learners: tuple[int, ...] = (1, 30, 500, 5000)
    reused: tuple[int, ...] = (1, 500, 5000)
    one_by_one: int = 30
    lab_size: int = 500
    many: int = 5000
    sessions: int = 200
    large: tuple[int, ...] = (5000, 50_000)
    latencies: tuple[float, ...] = (LATENCY, 0.0)
    repeat: int = 3
    rates: tuple[tuple[int, int], ...] = ((5, 500), (50, 2500), (20, 1000))
    bursts: tuple[int, ...] = (10, 20, 100, 200)
    bucket_repeat: int = 5
    goals_only: bool = False

    def repeats(self, learners: int) -> int:
        """Return how often a benchmark with so many learners is repeated."""
        return self.repeat if learners <= self.lab_size else 1


FULL = Sizes()
# For the tests, which only check that it works.
SMALL = Sizes(
    (2,),
    (2,),
    one_by_one=1,
    lab_size=2,
    many=2,
    sessions=2,
    large=(2,),
    latencies=(0.0,),
    repeat=1,
    rates=((20, 2),),
    bursts=(1,),
    bucket_repeat=1,
)
