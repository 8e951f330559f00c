# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What all modules that issue share: the rows that leases are asked for, issuing and releasing, and the result."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from .._errors import InvalidOption, LeaseStoreError, list_names, quote
from .._failures import find_bug
from .._module import LabstreamAWSModule
from .._time import to_iso8601
from .lab_records import MAX_NAMED, LabRecord, Labs, describe_excess
from .lease import Lease, LeaseKey, is_text
from .reuse import ReusePolicy
from .scheduler import Outcome
from .stores.address import NONE, SQLiteFile, parse_address
from .stores.base import LeaseStore, NoLeaseStore
from .stores.runners import find_runner
from .summary import (
    NO_SUMMARY,
    build_diff,
    build_failure_message,
    build_grant_warnings,
    build_release_diff,
    build_release_warning,
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
    """

    holder: str
    values: Mapping[str, str | None]
    purpose: str = ""

    @property
    def learner_id(self) -> str:
        """What identifies the learner in the roster, as far as that is known."""
        return self.values["id"] or self.holder

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


class Issuer(Protocol):
    """UrlIssuer or ResourceIssuer."""

    def run(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Return an outcome for each key."""


@dataclass(frozen=True)
class Release:
    """What a task with state=absent is about, in the order of the keys.

    Attributes:
        keys: The keys of the leases of the rows, or of the lab.
        stored: What is stored of these.
        leases: The leases that are released or purged.
        records: The records of labs that are ended or purged.
        labs: All labs.
        others: The records of labs that remain ahead.
    """

    keys: Sequence[LeaseKey]
    stored: Mapping[LeaseKey, Lease]
    leases: Sequence[Lease]
    records: Sequence[LabRecord]
    labs: Labs
    others: Sequence[LabRecord]


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
    def _names(self) -> dict[LeaseKey, str]:
        return {key: format_holder(row.holder, row.purpose) for key, row in self.rows.items()}

    @property
    def _lab(self) -> str | None:
        lab: str | None = self.module.params["lab"]
        return lab

    @cached_property
    def _labs(self) -> Labs:
        return Labs(self.store, self.scope)

    def join(self, policy: ReusePolicy, starts_at: datetime | None = None) -> bool:
        """Record that the lab uses the leases of the rows.

        Returns:
            Whether that is new of a lease. That the lab has another start or end is stored too, but is not a change.

        Raises:
            LeaseStoreError: The store failed.
        """
        if self._lab is None:
            return False
        now = self.now()
        asked = policy.valid_until or now + timedelta(seconds=policy.validity or 0)
        known = {record.lease: record for record in self._labs.of(self._lab) if record.is_ahead(now)}
        changed = []
        for key, row in self.rows.items():
            old, ends_at = known.get(key), asked
            if old and policy.valid_until is None and not self.module.params["force"]:
                # It ends with the URL, which is issued anew once less than that remains.
                ends_at = asked if old.ends_at < policy.required_until(now) else old.ends_at
            record = LabRecord(self._lab, key, row.learner_id, ends_at, starts_at)
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

    def build_result(
        self,
        outcomes: Sequence[Outcome],
        describe: Callable[[Outcome], dict[str, Any]],
        url: str,
        *,
        joined: bool = False,
        removed: Sequence[dict[str, Any]] = (),
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the result of issuing, and its entries.

        Args:
            outcomes: The outcomes.
            describe: Returns what an entry says of an outcome, with the URL.
            url: The name of the URL in that.
            joined: Whether the lab is new to one of the leases.
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
            changed=joined or is_withdrawn or any(outcome.issued for outcome in outcomes),
            summary=build_summary(outcomes),
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

    def finish(self, outcomes: Sequence[Outcome], policy: ReusePolicy) -> None:
        """Warn about what is not as it was asked for, and fail if an outcome has a failure."""
        for warning in build_grant_warnings(outcomes, policy):
            self.module.warn(warning)
        is_stored = self.module.params["lease_store"] != NONE
        if not is_stored:
            self.module.warn("lease_store is none: leases are not stored, so every run issues new URLs.")
        if any(outcome.failure for outcome in outcomes):
            check_mode = self.module.check_mode
            message = build_failure_message(outcomes, self._names, is_stored=is_stored, check_mode=check_mode)
            self.module.fail_json(msg=message, bug=find_bug(outcome.failure for outcome in outcomes))

    def _find_outdated_labs(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Return the other labs whose handouts show the URLs that new ones have replaced."""
        replaced = {outcome.key for outcome in outcomes if outcome.issued and outcome.existing}
        if not replaced:
            return []
        others = self._labs.others_ahead(self._lab, self.now())
        return sorted({record.lab for record in others if record.lease in replaced})

    @cached_property
    def _removed(self) -> list[LabRecord]:
        """The records of the lab's learners who are not among the rows, in the order of the learners."""
        learners, holders = ({getattr(row, name) for row in self.given} for name in ("learner_id", "holder"))
        removed = [
            record
            for record in (self._labs.of(self._lab) if self._lab is not None else ())
            if record.is_ahead(self.now()) and record.learner_id not in learners and record.lease.holder not in holders
        ]
        return sorted(removed, key=lambda record: (record.learner_id, record.lease))

    def _validate_withdrawal(self) -> None:
        if not self._removed or not self.module.params["withdraw_removed"]:
            return
        ahead = {record.learner_id for record in self._labs.of(str(self._lab)) if record.is_ahead(self.now())}
        removed = {record.learner_id for record in self._removed}
        excess = describe_excess(removed, len(ahead), self.module.params["withdraw_limit"], "withdraw_limit")
        if excess:
            raise InvalidOption(excess)
        self.store.check("release")

    def withdraw(self) -> list[dict[str, Any]]:
        """Return the learners of the lab who are not among the rows. If that is asked for, release their leases.

        That is for all labs that use them: who must not have a URL any more must not have it anywhere.

        Raises:
            LeaseStoreError: The store failed.
        """
        if not self._removed:
            return []
        now, withdraws = self.now(), self.module.params["withdraw_removed"]
        keys = {record.lease for record in self._removed}
        leases = self.store.read(keys)
        to_release = {key: lease for key, lease in leases.items() if withdraws and lease.released_at is None}
        others = self._labs.others_ahead(self._lab, now)
        if withdraws and not self.module.check_mode:
            # Last: with its record, a withdrawal that was interrupted is repeated.
            self.store.release(to_release.values())
            self._labs.leave([*self._removed, *(record for record in others if record.lease in keys)], now)
        serving = _group_labs((record.lease, record.lab) for record in others)
        elsewhere = _group_labs((record.lease.holder, record.lab) for record in others if record.lease not in keys)
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

    def find_to_release(self) -> Release:
        """Return what releasing the rows, or ending the lab for them, changes. Without rows, it is all of the lab.

        To purge, a row without a purpose stands for all leases of its holder: whoever wants to be forgotten need not
        know what they had URLs for. What is past its retention is purged too.

        Raises:
            LeaseStoreError: The store failed.
        """
        if not self.given and not self.module.is_query:
            self._reject_deleted_file()
        lab, purge = self._lab, self.module.params["purge"]
        store = self.store if self.scope else NoLeaseStore()
        holders = {row.holder for row in self.given if not row.purpose} if purge else set()

        def is_meant(key: LeaseKey) -> bool:
            return not self.rows or key in self.rows or key.holder in holders

        labs = Labs(store, self.scope, include_old=purge)
        own = [record for record in labs.records if lab in (None, record.lab) and is_meant(record.lease)]
        keys, own_keys = {record.lease for record in own}, {(record.lab, record.lease) for record in own}
        if purge:
            leases = store.find(self.scope, include_old=True)
            keys |= {key for key in leases if is_meant(key)} if lab is None else set()
        else:
            keys |= set(self.rows) if lab is None else set()
            leases = store.read(keys)
        others = labs.others_ahead(lab, self.now()) if lab is not None else []
        needed = {record.lease for record in others}
        return Release(
            keys=sorted(keys),
            stored=leases,
            leases=[
                leases[key]
                for key in sorted(keys - needed)
                if key in leases and (purge or leases[key].released_at is None)
            ],
            records=own if purge else [record for record in own if record.ended_at is None],
            labs=labs,
            others=[
                record for record in labs.others_ahead(None, self.now()) if (record.lab, record.lease) not in own_keys
            ],
        )

    def _reject_deleted_file(self) -> None:
        """Reject to end a lab where a runner has probably deleted the file with its leases.

        Raises:
            LeaseStoreError: Names the sign of the runner.
        """
        lab, address = self.module.params["lab"], parse_address(self.module.params["lease_store"])
        runner = find_runner(os.environ)
        if not (runner and isinstance(address, SQLiteFile)) or self.store.find(None, include_old=True):
            return
        path, *_others = address.files
        # The end of a lab may have purged all leases.
        if not (self.module.params["purge"] and os.path.exists(path)):
            raise LeaseStoreError(
                f"Nothing is known of lab {quote(lab)}, since the lease store {path} is empty, and {runner}, whose "
                "files are usually deleted when it ends: set lease_store to the store that the lab was started with."
            )

    def release(self, release: Release) -> Iterator[dict[str, Any]]:
        """End the lab for the leases of a release, then release or purge these; warn about URLs that still work.

        Yields:
            The parts of the result as they become known: a store that fails may have released some of the leases.

        Raises:
            LeaseStoreError: The store failed.
        """
        purge, leases = self.module.params["purge"], list(release.leases)
        leaving = [record for record in release.records if record.ended_at is None]
        requested, released = len(self.rows) or len(leases), len(leases)
        if leaving:
            self.store.check()
        if leases or (purge and release.records):
            self.store.check("purge" if purge else "release")
        if not self.module.check_mode:
            released, has_left = 0, False
            try:
                release.labs.leave(leaving, self.now())
                has_left = True
                leases = self._drop_needed(leases)
                if leases:
                    released = self.store.purge([each.key for each in leases]) if purge else self.store.release(leases)
                if purge:
                    release.labs.purge(release.records)
            except LeaseStoreError as e:
                released = released or (min(e.changed, len(leases)) if has_left else 0)
                summary = dict(NO_SUMMARY, requested=requested, released=released)
                yield dict(changed=released > 0 or (bool(leaving) if has_left else e.changed > 0), summary=summary)
                raise LeaseStoreError(f"{e} {released} of {len(leases)} leases were released.") from e
        keys = {lease.key for lease in leases}
        yield dict(
            changed=bool(released or release.records),
            summary=dict(NO_SUMMARY, requested=requested, released=released),
            leases=list(self._describe_releases(release, keys)),
            known_labs=release.labs.names,
            **({"diff": build_release_diff(leases)} if self.module._diff else {}),
        )
        for warning in () if self.module.is_query else self._build_release_warnings(release, leases):
            self.module.warn(warning)

    def _drop_needed(self, leases: list[Lease]) -> list[Lease]:
        """Return those of the leases that no other lab has begun to use meanwhile."""
        if not leases or self._lab is None:
            return leases
        needed = {record.lease for record in Labs(self.store, self.scope).others_ahead(self._lab, self.now())}
        return [lease for lease in leases if lease.key not in needed]

    def _describe_releases(self, release: Release, released: Collection[LeaseKey]) -> Iterator[dict[str, Any]]:
        own = {record.lease: record for record in release.labs.records if record.lab == self._lab}
        labs = _group_labs((record.lease.holder, record.lab) for record in release.others)
        for key in release.keys:
            mine = own.get(key)
            yield {
                "id": mine.learner_id if mine else None,
                self.holder_option: key.holder,
                "lease": key.to_text(),
                "expires": to_iso8601(release.stored[key].expires) if key in release.stored else None,
                "ended": mine is not None and not mine.is_ahead(self.now()),
                "released": key in released,
                "labs": sorted(labs[key.holder]),
            }

    def _build_release_warnings(self, release: Release, leases: Sequence[Lease]) -> Iterator[str]:
        working = build_release_warning(leases, self.now())
        if working:
            yield working
        if self._lab is None:
            labs = {record.lab for record in release.records if record.is_ahead(self.now())}
            if labs:
                yield f"The leases were released for all labs that use them: {list_names(sorted(labs), MAX_NAMED)}."
        elif not release.keys:
            known = list_names(release.labs.names, MAX_NAMED) or "none"
            yield f"Nothing is stored of lab {self._lab!r} here, so nothing was released. The labs known here: {known}."


def _group_labs(labs: Iterable[tuple[Any, str]]) -> Mapping[Any, set[str]]:
    """Return the labs of each lease or holder; no labs for any other."""
    grouped: dict[Any, set[str]] = defaultdict(set)
    for key, lab in labs:
        grouped[key].add(lab)
    return grouped


def build_fact(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return an entry of a result as a fact has it: without URL and identity."""
    return {name: value for name, value in entry.items() if name not in (*IDENTITY, url)}
