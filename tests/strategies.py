# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unexpected values of every type that YAML and JSON have, and the settings of hypothesis.

``make test`` tries few examples, always the same. With ``HYPOTHESIS_PROFILE=stress`` there are many, and others each
time. To repeat those of a run, give pytest the option ``--hypothesis-seed``.
"""

from __future__ import annotations

import copy
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

MANY = os.environ.get("HYPOTHESIS_PROFILE") == "stress"

# What hypothesis finds out about Unicode, which it would write to the folder that the tests are started in.
set_hypothesis_home_dir(str(Path(__file__).parents[1] / "build" / "hypothesis"))

# Values that often break programs. None of them is a path out of the home folder and its parent.
TEXTS = [
    "",
    " ",
    "a",
    "\0",
    "anna\n",
    "\ud800",
    "Jos\u00e9 \U0001f600",
    "\u202eanna\u200b",
    "\x1b[31m",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "<b>&amp;</b>",
    "=1+1",
    "../../x",
    "..",
    "a/b",
    "a b",
    "a,b",
    "a=b",
    "%s%n%00",
    "None",
    "007",
    "1e999",
    "nan",
    "inf",
    "17:00",
    "2026-02-30T25:61:00+99:99",
    "9999-12-31T23:59:59-23:59",
    "9" * 5000,
    "x" * 256,
    "x" * 100_000,
    "\u00e4" * 2048,
]
NUMBERS = [0, -1, 1, 60, 2**31 - 1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e300]


def settled(few: int, many: int, name: str) -> Callable[[Any], Any]:
    """Set how many examples ``make test`` tries, the same each time, and how many ``make stress``.

    The name is the seed of the former.
    """
    chosen = settings(
        max_examples=many if MANY else few,
        phases=[Phase.generate, Phase.shrink] if MANY else [Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    return chosen if MANY else lambda test: seed(zlib.crc32(name.encode()))(chosen(test))


def texts() -> st.SearchStrategy[str]:
    """Return texts that often break programs, and others of any characters, also unpaired surrogates."""
    others = st.text(st.characters(), max_size=40).filter(lambda text: not text.strip().startswith(("/", "~", "$")))
    return st.sampled_from(TEXTS) | others


def numbers() -> st.SearchStrategy[float]:
    return st.sampled_from(NUMBERS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def scalars() -> st.SearchStrategy[Any]:
    return texts() | numbers() | st.booleans() | st.none()


def values() -> st.SearchStrategy[Any]:
    """Return any value of JSON."""
    return scalars() | st.lists(scalars(), max_size=3) | st.dictionaries(texts(), scalars() | nested(), max_size=3)


def nested() -> st.SearchStrategy[Any]:
    """Return lists and dictionaries of lists and dictionaries."""
    return st.lists(st.lists(scalars(), max_size=2), max_size=2) | st.dictionaries(
        texts(), st.lists(scalars(), max_size=2), max_size=2
    )


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of keys to each part of the value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (key,)
        yield from ((key, *deeper) for deeper in places(part))


def spoilt(good: Any, more: Iterable[tuple[Any, ...]] = ()) -> st.SearchStrategy[Any]:
    """Return the value with one or two parts replaced, at its own places or at those in ``more``."""
    changes = st.tuples(st.sampled_from(list(dict.fromkeys([*places(good), *more]))), values())
    return st.lists(changes, min_size=1, max_size=2).map(lambda chosen: reduce(_replaced, chosen, good))


def _replaced(value: Any, change: tuple[tuple[Any, ...], Any]) -> Any:
    """Return a copy of the value with another part at the place; the value itself if the place is gone."""
    place, part = change
    changed = inner = copy.deepcopy(value)
    try:
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = part
    except (LookupError, TypeError):
        return value
    return changed
