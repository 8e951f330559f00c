# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What all modules that issue share: the rows that leases are asked for, issuing and releasing, and the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from .._errors import InvalidOption, quote
from .._failures import find_bug
from .._module import LabstreamAWSModule
from .._time import to_iso8601
from .lab_records import LabRecord, Labs, describe_excess, find_other_labs, group_labs
from .lease import Lease, LeaseKey, is_text
from .reuse import ReusePolicy
from .scheduler import Outcome
from .stores.address import NONE
from .stores.base import LeaseStore
from .summary import (
    build_diff,
    build_failure_message,
    build_grant_warnings,
    build_summary,
    format_holder,
)

# What identifies the learner of a row. It is returned unchanged beside the URL, and used for nothing else.
IDENTITY = ("id", "name", "email")

# What results say of labs, if there is none. The first two are of issuing, the others of releasing.
NO_LABS: dict[str, Any] = dict(outdated_labs=[], removed=[], leases=[], known_labs=[])


def identity_argument_spec() -> dict[str, Any]:
    """Return the argument spec of what identifies the learner of a row."""
    return {option: dict(type="str") for option in IDENTITY}


@dataclass(frozen=True)
class Row:
    """A lease that is asked for.

    Attributes:
        holder: Whose lease it is, as the provider identifies them.
        values: What results return of the row.
        purpose: What the lease is to open, by ``build_purpose``.
        generation: How often it was replaced because it had leaked, if that is a part of the purpose.
    """

    holder: str
    values: Mapping[str, str | None]
    purpose: str = ""
    generation: int = 0

    @property
    def learner_id(self) -> str:
        """What identifies the learner in the roster, as far as that is known."""
        return self.values["id"] or self.holder

    @property
    def name(self) -> str:
        """The row as messages and diffs name it."""
        return format_holder(self.holder, self.purpose)

    @classmethod
    def build(cls, holder_option: str, given: Mapping[str, Any], purpose: str = "", **values: str | None) -> Row:
        """Return the row of an entry of an option.

        Args:
            holder_option: The name of the option that has the holder.
            given: The entry.
            purpose: What the lease is to open, by ``build_purpose``.
            values: What results return in addition to the learner's identity and the holder.

        Raises:
            InvalidOption: A text is not Unicode. Identities are not quoted.
        """
        holder = given[holder_option]
        identity = {option: given.get(option) for option in IDENTITY}
        for option, value in identity.items():
            if value is not None and not is_text(value):
                raise InvalidOption(f"{option} of {quote(holder)} has an unpaired surrogate: correct it.")
        return cls(holder, {**identity, holder_option: holder, **values}, purpose)


# Ends at the service what was issued for these keys, which have these leases. Returns the leases that may be released:
# all but those for which it failed. In check mode, it predicts.
End = Callable[[Collection[LeaseKey], Sequence[Lease]], Sequence[Lease]]


def end_nothing(keys: Collection[LeaseKey], leases: Sequence[Lease]) -> Sequence[Lease]:
    """Return the leases: the service has no way to end what they are of."""
    return leases


class Issuer(Protocol):
    """UrlIssuer or ResourceIssuer."""

    def run(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Return an outcome for each key."""


@dataclass(frozen=True)
class LeaseTask:
    """A task for the rows of one scope, over an open lease store.

    Attributes:
        module: Its options.
        store: The lease store.
        now: The service's clock.
        scope: The scope of the leases; empty if nothing is left of it.
        given: The rows; none for all leases of the lab that are to be released.
        holder_option: The name of what has a holder in results.
    """

    module: LabstreamAWSModule
    store: LeaseStore
    now: Callable[[], datetime]
    scope: str
    given: Sequence[Row]
    holder_option: str

    @cached_property
    def rows(self) -> dict[LeaseKey, Row]:
        """The rows by the keys of their leases."""
        return {LeaseKey.build(self.scope, row.holder, row.purpose): row for row in self.given}

    @property
    def _is_stored(self) -> bool:
        """Whether leases are stored, and which labs use them."""
        return bool(self.module.params["lease_store"] != NONE)

    @property
    def _names(self) -> dict[LeaseKey, str]:
        return {key: row.name for key, row in self.rows.items()}

    @property
    def lab(self) -> str | None:
        """The lab that uses the leases; None if none is named."""
        lab: str | None = self.module.params["lab"]
        return lab

    @cached_property
    def _labs(self) -> Labs:
        return Labs(self.store, self.scope)

    def find_labs_of_leases(self) -> Mapping[LeaseKey, set[str]]:
        """Return the labs that use or used each lease, also those that are over, and those that have just begun.

        Raises:
            LeaseStoreError: The store failed.
        """
        return group_labs((record.lease, record.lab) for record in Labs(self.store, self.scope).records)

    def join(self, policy: ReusePolicy, starts_at: datetime | None = None) -> bool:
        """Record that the lab uses the leases of the rows.

        Returns:
            Whether that is new of a lease. That the lab has another start or end is stored too, but is not a change.

        Raises:
            LeaseStoreError: The store failed.
        """
        if self.lab is None or not self._is_stored:
            return False
        now = self.now()
        asked = policy.valid_until or now + timedelta(seconds=policy.validity or 0)
        known = {record.lease: record for record in self._labs.get_records(self.lab) if record.is_ahead(now)}
        changed = []
        for key, row in self.rows.items():
            old, ends_at = known.get(key), asked
            if old and policy.valid_until is None and not self.module.params["force"]:
                # It ends with the URL, which is renewed once less than that remains.
                ends_at = asked if old.ends_at < policy.required_until(now) else old.ends_at
            record = LabRecord(self.lab, key, row.learner_id, ends_at, starts_at)
            if not old or old.times != record.times or old.learner_id != record.learner_id:
                changed.append(record)
        if changed:
            self.store.check()
            if not self.module.check_mode:
                self._labs.join(changed)
        return any(record.lease not in known for record in changed)

    def issue(
        self,
        issuer: Issuer,
        policy: ReusePolicy,
        starts_at: datetime | None = None,
        validate_new: Callable[[Collection[LeaseKey]], None] = lambda keys: None,
    ) -> tuple[list[Outcome], bool]:
        """Return the outcome of each row, in their order, and whether the lab is new to one of the leases.

        Args:
            issuer: The issuer.
            policy: How long the leases must be valid.
            starts_at: When the lab starts, if it has not.
            validate_new: Rejects keys that nothing is stored of, before anything is issued.

        Raises:
            InvalidOption: Too many learners would be withdrawn.
            LeaseStoreError: The store failed.
        """
        existing = self.store.read(self.rows)
        validate_new(self.rows.keys() - existing.keys())
        self._validate_withdrawal()
        joined = self.join(policy, starts_at)
        if joined and existing and not self.module.check_mode:
            # Again, since no other lab that ends releases them from now on.
            existing = self.store.read(self.rows)
        return issuer.run(list(self.rows), existing, self.module.check_mode), joined

    def describe_issuing(self, outcomes: Sequence[Outcome], *, joined: bool) -> dict[str, Any]:
        """Return what the result says once all was issued, whatever fails after that.

        Args:
            outcomes: The outcomes.
            joined: Whether the lab is new to one of the leases.
        """
        changed = any(outcome.issued or (outcome.recovered and self._is_stored) for outcome in outcomes)
        return dict(changed=joined or changed, summary=build_summary(outcomes))

    def build_result(
        self,
        outcomes: Sequence[Outcome],
        describe: Callable[[Outcome], dict[str, Any]],
        url: str,
        issuing: Mapping[str, Any],
        *,
        removed: Sequence[dict[str, Any]] = (),
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the result of issuing, and its entries.

        Args:
            outcomes: The outcomes.
            describe: Returns what an entry says of an outcome, with the URL.
            url: The name of the URL in that.
            issuing: What ``describe_issuing`` has returned.
            removed: What ``withdraw`` has returned.
        """
        is_withdrawn = bool(removed) and self.module.params["withdraw_removed"]
        failed = any(outcome.failure for outcome in outcomes)
        entries = []
        for outcome in outcomes:
            own = dict(issued=outcome.issued, lease=outcome.key.to_text())
            entry = {**self.rows[outcome.key].values, **describe(outcome), **own}
            if failed or not self.module.params["return_urls"]:
                entry[url] = None
            entries.append(entry)
        result = dict(
            issuing,
            changed=issuing["changed"] or is_withdrawn,
            failures=[
                {**self.rows[outcome.key].values, **outcome.failure._asdict()}
                for outcome in outcomes
                if outcome.failure
            ],
            outdated_labs=self._find_outdated_labs(outcomes),
            removed=list(removed),
        )
        if self.module._diff:
            result["diff"] = build_diff(outcomes, self._names)
        return result, entries

    def finish(self, outcomes: Sequence[Outcome], policy: ReusePolicy, *, recovers: bool = False) -> None:
        """Warn about what is not as it was asked for, and fail if an outcome has a failure.

        Args:
            outcomes: The outcomes.
            policy: How long the leases had to be valid.
            recovers: Whether what is not stored was searched for at the service.
        """
        for warning in build_grant_warnings(outcomes, policy):
            self.module.warn(warning)
        if not self._is_stored:
            runs = "a run without recover" if recovers else "every run"
            self.module.warn(f"lease_store is none: leases are not stored, so {runs} issues new URLs.")
        if any(outcome.failure for outcome in outcomes):
            check_mode = self.module.check_mode
            message = build_failure_message(outcomes, self._names, is_stored=self._is_stored, check_mode=check_mode)
            self.module.fail_json(msg=message, bug=find_bug(outcome.failure for outcome in outcomes))

    def _find_outdated_labs(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Return the other labs whose handouts show the URLs that new ones have replaced."""
        replaced = {outcome.key for outcome in outcomes if outcome.issued and outcome.existing}
        if not replaced:
            return []
        others = self._labs.others_ahead(self.lab, self.now())
        return sorted({record.lab for record in others if record.lease in replaced})

    @cached_property
    def _removed(self) -> list[LabRecord]:
        """The records of the lab's learners who are not among the rows, in the order of the learners."""
        learners, holders = ({getattr(row, name) for row in self.given} for name in ("learner_id", "holder"))
        removed = [
            record
            for record in (self._labs.get_records(self.lab) if self.lab is not None else ())
            if record.is_ahead(self.now()) and record.learner_id not in learners and record.lease.holder not in holders
        ]
        return sorted(removed, key=lambda record: (record.learner_id, record.lease))

    def _validate_withdrawal(self) -> None:
        if not self._removed or not self.module.params["withdraw_removed"]:
            return
        # With those whose earlier leases were released because they had leaked.
        given = {row.learner_id for row in self.given}
        learners = {row.learner_id for row in self.given if row.generation}.union(
            record.learner_id
            for record in self._labs.get_records(str(self.lab))
            if record.is_ahead(self.now()) or record.learner_id in given
        )
        removed = {record.learner_id for record in self._removed}
        excess = describe_excess(removed, len(learners), self.module.params["withdraw_limit"], "withdraw_limit")
        if excess:
            raise InvalidOption(excess)
        self.store.check("release")

    def withdraw(self, end: End = end_nothing) -> list[dict[str, Any]]:
        """Return the learners of the lab who are not among the rows. If that is asked for, release their leases.

        That is for all labs that use them: who must not have a URL any more must not have it anywhere.

        Args:
            end: Ends what they were issued.

        Raises:
            LeaseStoreError: The store failed.
        """
        if not self._removed:
            return []
        now, withdraws = self.now(), self.module.params["withdraw_removed"]
        keys = {record.lease for record in self._removed}
        leases = self.store.read(keys)
        to_release = {key: lease for key, lease in leases.items() if withdraws and lease.released_at is None}
        others = self._labs.others_ahead(self.lab, now)
        if withdraws:
            ended = end(keys, list(to_release.values()))
            leaving = keys - (to_release.keys() - {lease.key for lease in ended})
            to_release = {lease.key: lease for lease in ended}
            if not self.module.check_mode:
                # Last: with its record, a withdrawal that was interrupted is repeated.
                self.store.release(ended)
                self._labs.leave([record for record in (*self._removed, *others) if record.lease in leaving], now)
        serving = group_labs((record.lease, record.lab) for record in others)
        elsewhere = group_labs((record.lease.holder, record.lab) for record in others if record.lease not in keys)
        return [
            {
                "id": record.learner_id,
                self.holder_option: record.lease.holder,
                "lease": record.lease.to_text(),
                "expires": to_iso8601(leases[record.lease].expires) if record.lease in leases else None,
                "released": record.lease in to_release,
                "labs": sorted(serving[record.lease]),
                "other_labs": sorted(elsewhere[record.lease.holder]),
            }
            for record in self._removed
        ]

    def describe_other_labs(self, is_shared: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Return the other labs that need what the scopes share for which ``is_shared``, if the task ends a lab.

        Raises:
            LeaseStoreError: The store failed.
        """
        if self.lab is None or not self.scope:
            return []
        now = self.now()
        return [
            dict(
                lab=name,
                starts_at=starts_at and to_iso8601(starts_at),
                starts_in=int((starts_at - now).total_seconds()) if starts_at else 0,
                ends_at=to_iso8601(ends_at),
            )
            for name, starts_at, ends_at in find_other_labs(self.store, self.lab, self.scope, is_shared, now)
        ]


def build_fact(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return an entry of a result as a fact has it: without URL and identity."""
    return {name: value for name, value in entry.items() if name not in (*IDENTITY, url)}
