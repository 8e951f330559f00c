# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: rules that delay, throttle, reject, drop or spoil the API calls they select, of any service."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.calls import Call

SELECTORS = {"service", "operation", "parameters", "user_agent"}
KINDS = {"latency_seconds", "throttle", "error", "drop", "reply"}
# When the connection is closed, and what is sent in place of the reply.
DROPS = ("before", "after")
REPLIES = ("truncated", "malformed", "page")


@dataclass
class Error:
    """An error reply in the service's own format; without ``status``, with the one that the service gives the code."""

    code: str
    message: str = "Fault set by the test."
    status: int | None = None


THROTTLED = Error("ThrottlingException", "Rate exceeded")


@dataclass
class Effect:
    """What is done to one call. At most one of ``error``, ``drop`` and ``reply`` is set."""

    latency_seconds: float = 0
    error: Error | None = None
    drop: str | None = None  # one of DROPS
    reply: str | None = None  # one of REPLIES
    kinds: list[str] = field(default_factory=list)


class TokenBucket:
    """Lets ``rate`` calls a second pass, and ``burst`` calls at once after a rest."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._filled_at = float(burst), time.monotonic()

    def take(self) -> bool:
        when = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (when - self._filled_at) * self.rate)
        self._filled_at = when
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Rule:
    """One rule as posted: which calls it selects, a kind of fault, and how often it still acts (None: always).

    Before that, it lets ``skip`` more calls pass.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        unknown = definition.keys() - SELECTORS - KINDS - {"skip", "times"}
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
        if not isinstance(self.selector.get("user_agent", ""), str):
            raise ValueError("A fault's user_agent must be a text that is in the User-Agent of calls.")
        self.skip: int = _whole_number(definition, "skip", 0) or 0
        self.times = _whole_number(definition, "times", 1)
        self.acted = 0
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
                good = value in (DROPS if self.kind == "drop" else REPLIES)
        except (AttributeError, KeyError, TypeError, ValueError) as reason:
            raise ValueError(f"A fault's {self.kind} cannot be {value!r}: see the table of faults.") from reason
        if not good:
            raise ValueError(f"A fault's {self.kind} cannot be {value!r}: see the table of faults.")

    def selects(self, call: Call) -> bool:
        parameters = self.selector.get("parameters", {})
        return (
            self.selector.get("service", call.service) == call.service
            and self.selector.get("operation", call.operation) == call.operation
            and self.selector.get("user_agent", "") in call.user_agent
            and all(call.parameters.get(name) == value for name, value in parameters.items())
        )

    def apply(self, effect: Effect) -> None:
        """Add this rule's fault to ``effect``, unless it lets the call pass, is spent or has nothing to do."""
        if self.skip:
            self.skip -= 1
            return
        if self.times == 0:
            return
        if self.kind == "latency_seconds":
            effect.latency_seconds += self.latency_seconds
        elif effect.error or effect.drop or effect.reply:
            return
        elif self.kind == "throttle":
            if self.bucket.take():
                return
            effect.error = THROTTLED
        elif self.kind == "error":
            effect.error = self.error
        elif self.kind == "drop":
            effect.drop = self.definition["drop"]
        else:
            effect.reply = self.definition["reply"]
        effect.kinds.append(self.kind)
        self.acted += 1
        if self.times is not None:
            self.times -= 1


def _whole_number(definition: Mapping[str, Any], name: str, least: int) -> int | None:
    """A member that is a whole number of at least ``least``, None if it is not there."""
    value = definition.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise ValueError(f"A fault's {name} must be a whole number of at least {least}, not {value!r}.")
    return value


class Faults:
    """The rules in force. Their order matters: the first that acts on a call wins, but for latency, which adds up."""

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
            return [
                {**rule.definition, "skip": rule.skip, "times": rule.times, "acted": rule.acted} for rule in self._rules
            ]

    def reset(self) -> None:
        with self._lock:
            self._rules.clear()
