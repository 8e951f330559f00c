# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The scope of leases: the resources that they are for, as a part of a lease's key. Pure."""

from __future__ import annotations

from typing import NamedTuple

_SEPARATOR = "|"


class Scope(NamedTuple):
    """A provider, the host of its endpoint, and the ARNs of the resources there, such as a stack and a fleet."""

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
        """The names of the resources, such as those of a stack and a fleet, or a studio's id."""
        return tuple(arn.rpartition("/")[2] for arn in self.arns)

    @property
    def region(self) -> str:
        """The region of the resources; empty if there are none."""
        parts = self.arns[0].split(":") if self.arns else []
        return parts[3] if len(parts) > 3 else ""
