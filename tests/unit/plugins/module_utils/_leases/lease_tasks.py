# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of tasks that issue or release share: rows, leases, labs, and tasks with them."""

from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LabRecord, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import LeaseTask, Row

from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    MemoryStore,
    after,
    build_key,
    build_policy,
    lease_of,
)

CAD, OFFICE = build_purpose(application_id="cad"), build_purpose(application_id="office")


ELSEWHERE = SCOPE + "-2"


LEASES = {
    "anna": lease_of(build_key("anna")),
    "anna for cad": lease_of(build_key("anna", CAD)),
    "anna for office": lease_of(build_key("anna", OFFICE), expires=-1),
    "anna elsewhere": lease_of(build_key("anna", scope=ELSEWHERE)),
    "anna for cad elsewhere": lease_of(build_key("anna", CAD, scope=ELSEWHERE)),
    "ben": lease_of(build_key("ben")),
    "ben for cad": lease_of(build_key("ben", CAD)),
    "Anna": lease_of(build_key("Anna")),
}


LABS = {
    "monday": ["anna", "anna elsewhere"],
    "tuesday": ["anna for cad", "anna for cad elsewhere", "ben", "ben for cad"],
}


def row_of(holder, purpose=""):
    """A row without an identity."""
    return Row.build("user_id", dict(user_id=holder), purpose)


ANNA, BEN, CLEO = map(row_of, ("anna", "ben", "cleo"))


ANNA_CAD = row_of("anna", CAD)


HOUR = build_policy(validity=3600)


def task_of(rows=(), *, scope=SCOPE, store=None, check_mode=False, is_query=False, is_in_role=False, **params):
    """A task with these rows and parameters, that notes warnings and the message that it failed with."""
    params = (
        dict(
            lab=None,
            purge=False,
            force=False,
            withdraw_removed=False,
            withdraw_limit=None,
            return_urls=True,
            lease_store="sqlite:///x",
        )
        | params
    )
    failed: list[str] = []
    module = SimpleNamespace(
        params=params,
        check_mode=check_mode,
        is_query=is_query,
        is_in_role=is_in_role,
        _diff=True,
        warnings=[],
        failed=failed,
    )
    # As LabstreamAWSModule.
    module.warn = (lambda _warning: None) if is_query else module.warnings.append
    module.bugs = []

    def fail_json(*, msg, bug):
        failed.append(msg)
        module.bugs += [bug] if bug else []

    module.fail_json = fail_json
    return LeaseTask(module, MemoryStore() if store is None else store, lambda: NOW, scope, rows, "user_id")


def join(store, lab, *names, ends_at=3600, **fields):
    """Have a lab use the leases of these names."""
    records = [LabRecord(lab, LEASES[name].key, LEASES[name].key.holder, after(ends_at), **fields) for name in names]
    Labs(store, None).join(records)
    return records


def named(keys):
    """The names that the leases of these keys have above."""
    keys = set(keys)
    return {name for name, lease in LEASES.items() if lease.key in keys}
