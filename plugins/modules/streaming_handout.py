#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_handout
version_added: 0.1.0
short_description: Write the streaming URLs of a class to a file for hand-out
description:
  - Reads the streaming URLs of the given seats from the lease store, and writes them to a CSV file with mode 0600.
  - The store must be the one that the URLs were issued with. If that is a file, run this module on the same host and
    as the same user. The options to connect to AWS are for a store in DynamoDB.
  - No URL passes through Ansible, so neither the task nor what it registers needs C(no_log).
author:
  - labstream.aws contributors (@labstream)
options:
  dest:
    description:
      - The CSV file. Its folder must exist.
      - It is replaced in one step, and only if its content or its mode changes.
      - Its columns are V(learner), V(name), V(email), V(seat), V(expires) and V(streaming_url).
      - A cell that a spreadsheet would take for a formula gets an apostrophe in front.
    type: path
    required: true
  seats:
    description:
      - The seats to write, in this order, such as those that the role P(labstream.aws.appstream_lab#role) publishes.
      - Each is a dict with C(scope) and C(seat), and with C(application_id) and C(session_context) if the URL has them.
        C(learner), C(name) and C(email) are copied to the file. Other keys are left alone.
      - Seats of Nimble Studio (C(provider) is V(nimble)) are refused, since their URLs are never stored.
        M(labstream.aws.nimble_session_stream) tells them.
    type: list
    elements: dict
    required: true
attributes:
  check_mode:
    support: full
    details:
      - A seat whose URL would have been issued before this task is taken as one that changes the file.
  diff_mode:
    support: none
    details:
      - The file consists of URLs.
  idempotent:
    support: full
seealso:
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.nimble_session_stream
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Give the class its URLs
  ansible.builtin.include_role:
    name: labstream.aws.appstream_lab

- name: Write them to a file for the instructor
  labstream.aws.streaming_handout:
    dest: /srv/labs/cad-2026-11-21.csv
    seats: "{{ appstream_lab_seats }}"
"""

RETURN = r"""
dest:
  description: The CSV file.
  returned: always
  type: str
  sample: /srv/labs/cad-2026-11-21.csv
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many seats were given.
      type: int
      returned: always
      sample: 30
    missing:
      description: How many of them have no URL in the lease store.
      type: int
      returned: always
      sample: 0
missing:
  description: The seats that have no URL in the lease store. If there is any, the task fails and leaves the file alone.
  returned: always
  type: list
  elements: str
  sample: []
"""

import csv
import io
import os
import tempfile
from datetime import datetime, timezone
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils.arguments import check_has_lease_store, store_arguments
from ansible_collections.labstream.aws.plugins.module_utils.exceptions import InvalidOption, LabstreamError, quote
from ansible_collections.labstream.aws.plugins.module_utils.lease import Lease, LeaseKey, purpose_of
from ansible_collections.labstream.aws.plugins.module_utils.lease_store.opening import lease_store_of
from ansible_collections.labstream.aws.plugins.module_utils.modules import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils.moments import format_moment

EMPTY_RESULT: dict[str, Any] = dict(changed=False, dest=None, missing=[], summary=dict(requested=0, missing=0))
COLUMNS = ("learner", "name", "email", "seat", "expires", "streaming_url")
MODE = 0o600
NAME_ANOTHER = "Name a file in a folder that the user of this task may write to."


class HandoutError(LabstreamError):
    """A hand-out cannot be made or written."""

    code = "HandoutError"


def key_of(seat: dict[str, Any]) -> LeaseKey:
    """Where the seat's lease is found.

    Raises:
        InvalidOption: the seat does not say, or it is one whose URL is never stored.
    """
    if seat.get("provider") == "nimble":
        raise InvalidOption(
            f"Seat {quote(seat.get('seat'))} is one of Nimble Studio, whose URLs are never stored: have "
            "labstream.aws.nimble_session_stream tell the URLs of these seats, with no_log."
        )
    for name in ("scope", "seat"):
        if not isinstance(seat.get(name), str) or not seat[name]:
            raise InvalidOption(
                f"A seat has no {name}: pass on the seats as a role of this collection publishes them, such as "
                "appstream_lab_seats."
            )
    return LeaseKey(seat["scope"], seat["seat"], purpose_of(seat.get("application_id"), seat.get("session_context")))


def csv_of(seats: list[dict[str, Any]], keys: list[LeaseKey], leases: dict[LeaseKey, Lease]) -> str:
    """The text of the CSV file."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    for seat, key in zip(seats, keys, strict=True):
        told = {column: defused(seat.get(column)) for column in COLUMNS}
        lease = leases[key]
        table.writerow(dict(told, expires=format_moment(lease.expires), streaming_url=lease.url))
    return text.getvalue()


def defused(value: Any) -> str:
    """The text of a cell, such that no spreadsheet runs it as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def is_current(dest: str, content: bytes) -> bool:
    """Whether the file has this content and is private."""
    try:
        with open(dest, "rb") as file:
            return os.fstat(file.fileno()).st_mode & 0o777 == MODE and file.read() == content
    except FileNotFoundError:
        return False


def replace(dest: str, content: bytes) -> None:
    """Put the content into the file in one step. AnsibleModule.atomic_move would lend a new file the umask's mode."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(dest), prefix=".labstream-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, dest)
    except BaseException:
        os.unlink(temporary)
        raise


def run(module: LabstreamAWSModule) -> None:
    """Bring the file up to date.

    Raises:
        LabstreamError: a seat is no seat or has no URL, the store or the file cannot be used.
    """
    params, result = module.params, module.result
    dest, seats = os.path.abspath(params["dest"]), params["seats"]
    result.update(dest=dest, summary=dict(requested=len(seats), missing=0))
    check_has_lease_store(params["lease_store"])
    folder = os.path.dirname(dest)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise HandoutError(f"The hand-out {dest} cannot be written: its folder is missing or read-only. {NAME_ANOTHER}")
    keys = [key_of(seat) for seat in seats]
    with lease_store_of(module, issues=False) as store:
        held = store.read(set(keys), now=datetime.now(timezone.utc))
    leases = {key: lease for key, lease in held.items() if lease.url is not None}
    # In check mode, an earlier task only predicted these.
    if module.check_mode and any(seat.get("issued") and seat.get("expires") is None for seat in seats):
        result["changed"] = True
        return
    missing = [key.seat for key in keys if key not in leases]
    if missing:
        result.update(missing=missing, summary=dict(requested=len(seats), missing=len(missing)))
        raise HandoutError(missing_message(missing, len(seats), params["lease_store"]))
    content = csv_of(seats, keys, leases).encode()
    try:
        result["changed"] = not is_current(dest, content)
        if result["changed"] and not module.check_mode:
            replace(dest, content)
    except OSError as e:
        result["changed"] = False
        raise HandoutError(f"The hand-out {dest} cannot be written: {e.strerror}. {NAME_ANOTHER}") from e


def missing_message(missing: list[str], requested: int, lease_store: str) -> str:
    """One sentence on the seats without a URL."""
    named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    return (
        f"The lease store {lease_store} has no working URL for {len(missing)} of {requested} seats ({named}): issue "
        "them first, with this lease_store; if it is a file, on this host and as this user."
    )


def main() -> None:
    """The module."""
    module = LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            dest=dict(type="path", required=True),
            seats=dict(type="list", elements="dict", required=True),
            **store_arguments(),
        ),
        supports_check_mode=True,
    )
    module.run(run)


if __name__ == "__main__":
    main()
