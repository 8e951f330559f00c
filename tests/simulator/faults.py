# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: rules that delay, throttle, refuse or drop the API calls they select, of any service."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.calls import Call

SELECTORS = {"service", "operation", "parameters"}
KINDS = {"latency_seconds", "throttle", "error", "drop"}


@dataclass
class Error:
    """An error reply in the service's own format; without ``status``, with the one that the service gives the code."""

    code: str
    message: str = "Fault set by the test."
    status: int | None = None


THROTTLED = Error("ThrottlingException", "Rate exceeded")


@dataclass
class Effect:
    """What is done to one call. At most one of ``error`` and ``drop`` is set."""

    latency_seconds: float = 0
    error: Error | None = None
    drop: str | None = None  # "before" or "after" the work
    kinds: list[str] = field(default_factory=list)


class TokenBucket:
    """Lets ``rate`` calls a second pass, and ``burst`` calls at once after a rest."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._filled_at = float(burst), time.monotonic()

    def take(self) -> bool:
        moment = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (moment - self._filled_at) * self.rate)
        self._filled_at = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Rule:
    """One rule as posted: which calls it selects, a kind of fault, and how often it still acts (None: always)."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        unknown = definition.keys() - SELECTORS - KINDS - {"times"}
        if unknown:
            raise ValueError(f"A fault has no member {sorted(unknown)[0]!r}.")
        kinds = definition.keys() & KINDS
        if len(kinds) != 1:
            raise ValueError(f"A fault needs exactly one of {', '.join(sorted(KINDS))}.")
        self.definition = dict(definition)
        self.kind = kinds.pop()
        self.selector = {name: definition[name] for name in definition.keys() & SELECTORS}
        if not isinstance(self.selector.get("parameters", {}), dict):
            raise ValueError("A fault's parameters must be an object.")
        self.times: int | None = definition.get("times")
        if self.times is not None and (
            not isinstance(self.times, int) or isinstance(self.times, bool) or self.times < 1
        ):
            raise ValueError(f"A fault's times must be a whole number of at least 1, not {self.times!r}.")
        self._read_fault(definition[self.kind])

    def _read_fault(self, value: Any) -> None:
        try:
            if self.kind == "latency_seconds":
                self.latency_seconds = float(value)
                good = 0 <= self.latency_seconds <= 600
            elif self.kind == "throttle":
                self.bucket = TokenBucket(float(value["rate"]), float(value.get("burst", 1)))
                good = self.bucket.rate > 0 and self.bucket.burst >= 1
            elif self.kind == "error":
                self.error = Error(**value)
                good = self.error.status is None or 400 <= self.error.status <= 599
            else:
                good = value in ("before", "after")
        except (AttributeError, KeyError, TypeError, ValueError) as reason:
            raise ValueError(f"A fault's {self.kind} cannot be {value!r}: see the table of faults.") from reason
        if not good:
            raise ValueError(f"A fault's {self.kind} cannot be {value!r}: see the table of faults.")

    def selects(self, call: Call) -> bool:
        parameters = self.selector.get("parameters", {})
        return (
            self.selector.get("service", call.service) == call.service
            and self.selector.get("operation", call.operation) == call.operation
            and all(call.parameters.get(name) == value for name, value in parameters.items())
        )

    def apply(self, effect: Effect) -> None:
        """Add this rule's fault to ``effect``, unless it is spent or has nothing to do."""
        if self.times == 0:
            return
        if self.kind == "latency_seconds":
            effect.latency_seconds += self.latency_seconds
        elif effect.error or effect.drop:
            return
        elif self.kind == "throttle":
            if self.bucket.take():
                return
            effect.error = THROTTLED
        elif self.kind == "error":
            effect.error = self.error
        else:
            effect.drop = self.definition["drop"]
        effect.kinds.append(self.kind)
        if self.times is not None:
            self.times -= 1


class Faults:
    """The rules in force. Their order matters: of errors, throttles and drops the first that acts on a call wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, definitions: list[Mapping[str, Any]]) -> None:
        """Put all rules in force or, with a ValueError about the bad one, none."""
        rules = [Rule(definition) for definition in definitions]
        with self._lock:
            self._rules += rules

    def effect_on(self, call: Call) -> Effect:
        """What to do to this call. The caller sleeps, so that a delay holds up nobody else."""
        effect = Effect()
        with self._lock:
            for rule in self._rules:
                if rule.selects(call):
                    rule.apply(effect)
        return effect

    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{**rule.definition, "times": rule.times} for rule in self._rules]

    def reset(self) -> None:
        with self._lock:
            self._rules.clear()
