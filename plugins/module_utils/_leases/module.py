# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules that issue end, alike whatever they issue: what the result, the diff and the warnings say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import Any

from .._client import ServiceClock
from .._module import LabstreamAWSModule
from .lease import Lease, LeaseKey
from .scheduler import Outcome
from .stores.address import NONE
from .stores.base import LeaseStore
from .summary import NO_SUMMARY, build_diff, build_release_diff, build_release_warning, build_summary, failure_message
from .url_issuer import leases_to_release

# For reading also what is past its retention.
_EVER = datetime.fromtimestamp(0, timezone.utc)


def end_present(module: LabstreamAWSModule, outcomes: Sequence[Outcome], **result: Any) -> None:
    """Tell what became of the seats; fail if one of them failed.

    Args:
        module: The module.
        outcomes: What became of them.
        result: What the module's result tells besides ``changed``, ``summary`` and ``diff``.
    """
    module.result.update(result, changed=any(outcome.issued for outcome in outcomes), summary=build_summary(outcomes))
    if module._diff:
        module.result["diff"] = build_diff(outcomes)
    remembered = module.params["lease_store"] != NONE
    if not remembered:
        module.warn("lease_store is none, so nothing is remembered: every run issues anew.")
    if any(outcome.failure for outcome in outcomes):
        message = failure_message(outcomes, remembered, module.check_mode)
        module.fail_json(msg=message)


def end_absent(
    module: LabstreamAWSModule, clock: ServiceClock, store: LeaseStore, scope: str, keys: Collection[LeaseKey]
) -> None:
    """Forget the leases of these keys, or of the lab in this scope if there are no keys, and tell it.

    With ``purge``, a key without a purpose stands for all leases of its seat: whoever wants to be forgotten need not
    know what for they had a URL. An empty scope is one of which nothing is left.
    """
    now = clock.now()
    leases: list[Lease] = []
    if scope and keys and not module.params["purge"]:
        leases = list(store.read(keys, now=now).values())
    elif scope:
        seats = {key.seat for key in keys if not key.purpose}
        leases = [
            lease
            for key, lease in store.find(scope, now=_EVER if module.params["purge"] else now).items()
            if (key in keys or key.seat in seats if keys else lease.lab == module.params["lab"])
        ]
    forgotten = leases_to_release(leases, purge=module.params["purge"])
    # Before it is tried, since a store that fails may have forgotten some of them.
    module.result["changed"] = bool(forgotten)
    if forgotten and not module.check_mode:
        lab = None if keys else module.params["lab"]
        store.forget([lease.key for lease in forgotten], now=now, purge=module.params["purge"], lab=lab)
    module.result["summary"] = dict(NO_SUMMARY, requested=len(keys) or len(forgotten), forgotten=len(forgotten))
    if module._diff:
        module.result["diff"] = build_release_diff(forgotten)
    warning = build_release_warning(forgotten, now)
    if warning:
        module.warn(warning)
