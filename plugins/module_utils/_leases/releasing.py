# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Releasing: of the leases of rows, or of a lab that ends, those that no other lab needs.

The records of the lab are changed first. So of two labs that end at the same time, the later one finds that nobody else
needs the leases. Then leases are released, and only what no lab has begun to use by then is ended at the service. A
released lease keeps the id of its resource, so that an end that was interrupted can be repeated.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._errors import LeaseStoreError, list_names, quote
from .._time import to_iso8601
from .lab_records import MAX_NAMED, LabRecord, Labs, group_labs, raise_first
from .lease import Lease, LeaseKey
from .module import End, LeaseTask, end_nothing
from .stores.address import SQLiteFile, parse_address
from .stores.base import LeaseStore, NoLeaseStore, Write
from .stores.runners import find_runner
from .summary import NO_SUMMARY, build_release_diff, build_release_warning


@dataclass(frozen=True)
class Release:
    """What a task with state=absent is about, in the order of the keys.

    Attributes:
        keys: The keys of the leases of the rows, or of the lab.
        stored: What is stored of these.
        leases: The leases that are released or purged.
        records: The records of labs that are about these keys.
        labs: All labs.
        others: The records of labs that remain ahead.
    """

    keys: Sequence[LeaseKey]
    stored: Mapping[LeaseKey, Lease]
    leases: Sequence[Lease]
    records: Sequence[LabRecord]
    labs: Labs
    others: Sequence[LabRecord]


def find_to_release(task: LeaseTask) -> Release:
    """Return what releasing the rows, or ending the lab for them, changes. Without rows, it is all of the lab.

    To purge, a row without a purpose stands for all leases of its holder: whoever wants their records removed
    need not know what they had URLs for. What is past its retention is purged too.

    Raises:
        LeaseStoreError: The store failed, or it is a file that was probably deleted.
    """
    if not task.given and not task.module.is_query:
        _reject_deleted_file(task)
    purge, now = task.module.params["purge"], task.now()
    store = task.store if task.scope else NoLeaseStore()
    holders = {row.holder for row in task.given if not row.purpose} if purge else set()

    def is_meant(key: LeaseKey) -> bool:
        return not task.rows or key in task.rows or key.holder in holders

    labs = Labs(store, task.scope, include_old=purge)
    own, others = [], []
    for record in labs.records:
        if task.lab in (None, record.lab) and is_meant(record.lease):
            own.append(record)
        elif record.is_ahead(now):
            others.append(record)
    keys = {record.lease for record in own} | (set(task.rows) if task.lab is None else set())
    if purge:
        stored = store.find(task.scope, include_old=True)
        keys |= {key for key in stored if is_meant(key)} if task.lab is None else set()
    else:
        stored = store.read(keys)
    needed = {record.lease for record in others if record.lab != task.lab}
    leases = [stored[key] for key in sorted(keys - needed) if key in stored]
    return Release(
        keys=sorted(keys),
        stored=stored,
        leases=[lease for lease in leases if purge or lease.released_at is None],
        records=own,
        labs=labs,
        others=others,
    )


def release(task: LeaseTask, found: Release, end: End = end_nothing) -> Iterator[dict[str, Any]]:
    """End the lab for what was found, then release or purge its leases; warn about URLs that still work.

    Args:
        task: The task.
        found: What it is about.
        end: Ends what was issued.

    Yields:
        The parts of the result as they become known: a store that fails may have released some of the leases.

    Raises:
        LeaseStoreError: The store failed.
    """
    purge, leases = task.module.params["purge"], list(found.leases)
    leaving = [record for record in found.records if record.ended_at is None]
    ended_records = [record for record in found.records if record.ended_at is not None]
    requested = len(task.rows) or len(leases)
    if leaving:
        task.store.check()
    if leases or (purge and found.records):
        task.store.check("purge" if purge else "release")
    predicts, has_left = task.module.check_mode, False
    released = 0
    try:
        if not predicts:
            ended_records += found.labs.leave(leaving, task.now())
        has_left = True
        needed = _find_needed(task, found)
        leases = [lease for lease in leases if lease.key not in needed]
        to_release = [] if predicts else [lease for lease in leases if lease.released_at is None]
        if to_release:
            released = task.store.release(to_release)
            needed |= _find_needed(task, found)
        to_end = [found.stored[key] for key in found.keys if key in found.stored and key not in needed]
        ended = {lease.key for lease in end({*found.keys, *task.rows} - needed, to_end)}
        kept = {lease.key for lease in leases} - ended
        to_restore = [lease for lease in to_release if lease.key in kept]
        _restore(task.store, to_restore)
        leases = [lease for lease in leases if lease.key in ended]
        released = len(leases) if predicts else released - len(to_restore)
        if purge and not predicts:
            released = task.store.purge(leases) if leases else 0
            found.labs.purge([record for record in ended_records if record.lease not in kept])
    except LeaseStoreError as e:
        released = released or (min(e.changed, len(leases)) if has_left else 0)
        summary = dict(NO_SUMMARY, requested=requested, released=released)
        yield dict(changed=released > 0 or (bool(leaving) if has_left else e.changed > 0), summary=summary)
        raise LeaseStoreError(f"{e} {released} of {len(leases)} leases were released.") from e
    yield dict(
        changed=bool(released or leaving or (purge and found.records)),
        summary=dict(NO_SUMMARY, requested=requested, released=released),
        leases=_describe(task, found, {lease.key for lease in leases}),
        known_labs=found.labs.names,
        **({"diff": build_release_diff(leases)} if task.module._diff else {}),
    )
    for warning in _build_warnings(task, found, leases, end is end_nothing):
        task.module.warn(warning)


def _reject_deleted_file(task: LeaseTask) -> None:
    """Reject to end a lab where a runner has probably deleted the file with its leases.

    Raises:
        LeaseStoreError: Names the sign of the runner.
    """
    address, runner = parse_address(task.module.params["lease_store"]), find_runner(os.environ)
    if not (runner and isinstance(address, SQLiteFile)) or task.store.find(None, include_old=True):
        return
    path, *_others = address.files
    # The end of a lab may have purged all leases.
    if not (task.module.params["purge"] and os.path.exists(path)):
        raise LeaseStoreError(
            f"Nothing is known about lab {quote(task.lab)}, since the lease store {path} is empty, and {runner}, whose "
            "files are usually deleted when it ends: set lease_store to the store that the lab was started with."
        )


def _find_needed(task: LeaseTask, found: Release) -> set[LeaseKey]:
    """Return the keys of the leases that other labs need, also those that have begun to use them meanwhile."""
    if task.lab is None:
        return set()
    is_changing = found.leases and not task.module.check_mode
    others = Labs(task.store, task.scope).others_ahead(task.lab, task.now()) if is_changing else found.others
    return {record.lease for record in others if record.lab != task.lab}


def _restore(store: LeaseStore, leases: Iterable[Lease]) -> None:
    """Store leases again that were released, unless another run has replaced them meanwhile.

    Raises:
        LeaseStoreError: The store failed.
    """
    changes = [Write(replace(lease, lease_id=uuid.uuid4().hex), None) for lease in leases]
    raise_first(store.write(changes) if changes else ())


def _describe(task: LeaseTask, found: Release, released: set[LeaseKey]) -> list[dict[str, Any]]:
    """Return an entry of the result for each lease that the task is about."""
    mine = {record.lease: record for record in found.records} if task.lab is not None else {}
    labs = group_labs((record.lease.holder, record.lab) for record in found.others)
    return [
        {
            "id": mine[key].learner_id if key in mine else None,
            task.holder_option: key.holder,
            "lease": key.to_text(),
            "expires": to_iso8601(found.stored[key].expires) if key in found.stored else None,
            "ended": key in mine and not mine[key].is_ahead(task.now()),
            "released": key in released,
            "labs": sorted(labs[key.holder]),
        }
        for key in found.keys
    ]


def _build_warnings(task: LeaseTask, found: Release, leases: Sequence[Lease], may_work: bool) -> Iterator[str]:
    now, released = task.now(), {lease.key for lease in leases}
    # A role that ends a lab says so itself, in the time zone of the lab.
    is_said = task.module.is_in_role and task.lab is not None
    working = build_release_warning(leases, now) if may_work and not is_said else None
    if working:
        yield working
    if task.lab is None:
        labs = {record.lab for record in found.records if record.lease in released and record.is_ahead(now)}
        if len(labs) > 1:
            yield f"The leases were released for all labs that use them: {list_names(sorted(labs), MAX_NAMED)}."
    # A role says so itself.
    elif not found.keys and not task.module.is_in_role:
        if task.lab in found.labs.names:
            yield f"Nothing is stored about those who are listed in lab {task.lab!r}, so no lease was released."
            return
        known = list_names(found.labs.names, MAX_NAMED) or "none"
        yield f"Nothing is stored about lab {task.lab!r} here, so no lease was released. Labs known here: {known}."
