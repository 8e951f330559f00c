# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What all modules that issue share: the rows that leases are asked for, issuing and releasing, and the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from .._errors import InvalidOption, LeaseStoreError, quote
from .._failures import find_bug
from .._module import LabstreamAWSModule
from .lease import Lease, LeaseKey, is_text
from .reuse import ReusePolicy
from .scheduler import Outcome
from .stores.address import NONE, SQLiteFile, parse_address
from .stores.base import LeaseStore
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
class LeaseTask:
    """A task for the rows of one scope, over an open lease store.

    Attributes:
        module: Its options.
        store: The lease store.
        now: The service's clock.
        scope: The scope of the leases; empty if nothing is left of it.
        given: The rows; none for all leases of the lab that are to be released.
    """

    module: LabstreamAWSModule
    store: LeaseStore
    now: Callable[[], datetime]
    scope: str
    given: Sequence[Row]

    @cached_property
    def rows(self) -> dict[LeaseKey, Row]:
        """The rows by the keys of their leases."""
        return {LeaseKey.build(self.scope, row.holder, row.purpose): row for row in self.given}

    @property
    def _names(self) -> dict[LeaseKey, str]:
        return {key: format_holder(row.holder, row.purpose) for key, row in self.rows.items()}

    def issue(self, issuer: Issuer) -> list[Outcome]:
        """Return the outcome of each row, in their order.

        Raises:
            LeaseStoreError: The store failed.
        """
        return issuer.run(list(self.rows), self.store.read(self.rows), self.module.check_mode)

    def build_result(
        self, outcomes: Sequence[Outcome], describe: Callable[[Outcome], dict[str, Any]], url: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the result of issuing, and its entries.

        Args:
            outcomes: The outcomes.
            describe: Returns what an entry says of an outcome, with the URL.
            url: The name of the URL in that.
        """
        failed = any(outcome.failure for outcome in outcomes)
        entries = []
        for outcome in outcomes:
            own = dict(issued=outcome.issued, lease=outcome.key.to_text())
            entry = {**self.rows[outcome.key].values, **describe(outcome), **own}
            if failed or not self.module.params["return_urls"]:
                entry[url] = None
            entries.append(entry)
        result = dict(
            changed=any(outcome.issued for outcome in outcomes),
            summary=build_summary(outcomes),
            failures=[
                {**self.rows[outcome.key].values, **outcome.failure._asdict()}
                for outcome in outcomes
                if outcome.failure
            ],
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

    def find_to_release(self) -> list[Lease]:
        """Return the leases of the rows, or of the lab if there are no rows, that releasing changes.

        To purge, a row without a purpose stands for all leases of its holder: whoever wants to be forgotten need not
        know what they had URLs for. What is past its retention is purged too.

        Raises:
            LeaseStoreError: The store failed.
        """
        if not self.given:
            self._reject_deleted_file()
        if not self.scope:
            return []
        lab, purge = self.module.params["lab"], self.module.params["purge"]
        if self.rows and not purge:
            leases = list(self.store.read(self.rows).values())
        else:
            holders = {row.holder for row in self.given if not row.purpose}
            leases = [
                lease
                for key, lease in self.store.find(self.scope, include_old=purge).items()
                if (key in self.rows or key.holder in holders if self.rows else lease.lab == lab)
            ]
        return [lease for lease in leases if purge or lease.released_at is None]

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

    def release(self, leases: Sequence[Lease]) -> dict[str, Any]:
        """Release these leases, or purge their records; warn about URLs that still work.

        Returns:
            The result, but ``changed``: a store that fails may have released some of them.

        Raises:
            LeaseStoreError: The store failed.
        """
        if leases and not self.module.check_mode:
            keys, lab = [lease.key for lease in leases], None if self.rows else self.module.params["lab"]
            release = self.store.purge if self.module.params["purge"] else self.store.release
            release(keys, lab=lab)
        warning = build_release_warning(leases, self.now())
        if warning:
            self.module.warn(warning)
        summary = dict(NO_SUMMARY, requested=len(self.rows) or len(leases), released=len(leases))
        return dict(summary=summary, **({"diff": build_release_diff(leases)} if self.module._diff else {}))


def build_fact(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return an entry of a result as a fact has it: without URL and identity."""
    return {name: value for name, value in entry.items() if name not in (*IDENTITY, url)}
