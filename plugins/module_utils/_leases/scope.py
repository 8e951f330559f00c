# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The scope of leases: the resources that they are for, as a part of a lease's key."""

from __future__ import annotations

from typing import NamedTuple

from .._errors import NotReady
from .stores.base import LeaseStore

_SEPARATOR = "|"


class Scope(NamedTuple):
    """A provider, ``aws`` or the host of another endpoint, and the ARNs of the resources there that leases are for."""

    provider: str
    endpoint: str
    arns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Return the scope of a text by ``to_text``. Any other text is a scope without resources."""
        provider, _separator, rest = text.partition(_SEPARATOR)
        endpoint, *arns = rest.split(_SEPARATOR)
        return cls(provider, endpoint, tuple(arns))

    def to_text(self) -> str:
        """Return the scope as the text that leases are stored with."""
        return _SEPARATOR.join([self.provider, self.endpoint, *self.arns])

    @property
    def names(self) -> tuple[str, ...]:
        """The names or ids of the resources, the last parts of their ARNs."""
        return tuple(arn.rpartition("/")[2] for arn in self.arns)

    @property
    def region(self) -> str:
        """The region of the resources; empty if there are none."""
        return self._get_part(3)

    @property
    def account(self) -> str:
        """The account of the resources; empty if there are none."""
        return self._get_part(4)

    def _get_part(self, number: int) -> str:
        parts = self.arns[0].split(":") if self.arns else []
        return parts[number] if len(parts) > number else ""


def find_stored_scope(store: LeaseStore, provider: str, endpoint: str, region: str, *names: str) -> Scope | None:
    """Return the scope of resources that no longer exist, whose account only their leases have; None without leases.

    Raises:
        NotReady: There were such resources in several accounts.
        LeaseStoreError: The store failed.
    """
    wanted = (provider, endpoint, region, names)
    stored = {Scope.parse(key.scope) for key in store.find(None, include_old=True)}
    found = [scope for scope in stored if (scope.provider, scope.endpoint, scope.region, scope.names) == wanted]
    if len(found) > 1:
        deleted, accounts = " and ".join(map(repr, names)), ", ".join(sorted(scope.account for scope in found))
        raise NotReady(
            f"The lease store has leases for the deleted {deleted} in region {region} of several "
            f"accounts ({accounts}): create them again in the account whose leases to release, then run again, or wait "
            "until their URLs have expired."
        )
    return found[0] if found else None
