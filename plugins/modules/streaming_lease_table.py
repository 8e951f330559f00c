#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_lease_table
version_added: 0.1.0
short_description: Create the DynamoDB table for shared leases
description:
  - Creates a DynamoDB table that the other modules of this collection accept as
    O(labstream.aws.appstream_streaming_url#module:lease_store), so that controllers, AWX jobs and pipelines
    share their leases.
  - The table has the keys C(scope) and C(holder), is billed on demand, and deletes a lease 30 days after it expired, by
    the attribute C(delete_after).
  - An existing table of that name with these keys is adopted. Other settings that differ are changed, including the
    billing mode.
  - The module does not delete tables. Use the console, the AWS CLI or Terraform, after disabling the deletion
    protection.
author:
  - labstream.aws contributors (@labstream)
options:
  name:
    description:
      - The name of the table, with 3 to 255 of the characters V(a-z), V(A-Z), V(0-9), V(_), V(-) and V(.).
    type: str
    required: true
  kms_key_id:
    description:
      - The id or the ARN of a customer managed KMS key that encrypts the table. Aliases are not accepted.
      - By default, a new table is encrypted with a key that AWS owns, which is free and needs no permission, and the
        key of an existing table is not changed.
      - With a customer managed key, everyone who uses the leases also needs permission to use that key, and KMS bills
        its use.
    type: str
  deletion_protection:
    description:
      - Whether the table is protected from deletion.
      - Without the table, a lab gets new URLs at the next run, and there is no record of who got which URL.
    type: bool
    default: true
  tags:
    description:
      - Tags of the table. They are added to the existing tags, which are changed but never removed.
    type: dict
attributes:
  check_mode:
    support: full
    details:
      - RV(table_arn) of a table that would be created is V(null).
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - O(endpoint_url) is a DynamoDB endpoint here. So set the one of AppStream on the tasks that issue URLs, and not by
    E(AWS_URL) or the defaults of the action group.
  - There is no option for point-in-time recovery, and it is not changed. Its backups would keep for 35 days what
    O(labstream.aws.appstream_streaming_url#module:purge) removes, while a lost lease can be issued again.
seealso:
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.streaming_handout
  - name: CreateTable
    description: The API operation that creates tables.
    link: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
  - name: DynamoDB encryption at rest
    description: The kinds of keys, and what a customer managed key must allow.
    link: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/EncryptionAtRest.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Create a table for leases
  labstream.aws.streaming_lease_table:
    name: labstream-leases
    tags:
      cost-center: training
  register: lease_table

- name: Create the URLs of a lab, and store them there
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    users:
      - user_id: anna
      - user_id: ben
    validity: 14400
    lease_store: "{{ lease_table.lease_store }}"
    return_urls: false

- name: Encrypt the table with a customer managed key
  labstream.aws.streaming_lease_table:
    name: labstream-leases
    kms_key_id: 1234abcd-12ab-34cd-56ef-1234567890ab
"""

RETURN = r"""
name:
  description: The name of the table.
  returned: always
  type: str
  sample: labstream-leases
lease_store:
  description:
    - The value for O(labstream.aws.appstream_streaming_url#module:lease_store), also of other modules and of roles.
    - It contains the endpoint if O(endpoint_url) is set.
    - V(null) if the task failed.
  returned: always
  type: str
  sample: dynamodb://labstream-leases?region=eu-central-1
table_arn:
  description: The ARN of the table. V(null) if the table does not exist, or the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:dynamodb:eu-central-1:123456789012:table/labstream-leases
region:
  description: The region of the table. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: eu-central-1
created:
  description: Whether this task created the table, or would create it in check mode.
  returned: always
  type: bool
  sample: true
"""

from collections.abc import Iterator
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores import dynamodb_table as lease_table
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    name=None,
    lease_store=None,
    table_arn=None,
    region=None,
    created=False,
)


def build_settings(params: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the options ask for. What an option leaves alone is not among them."""
    tags = params["tags"]
    settings = dict(
        billing_mode=lease_table.ON_DEMAND,
        deletion_protection=params["deletion_protection"],
        time_to_live=lease_table.EXPIRES_BY,
        kms_key_id=params["kms_key_id"],
        tags=None if tags is None else {key: str(value) for key, value in tags.items()},
    )
    return {setting: value for setting, value in settings.items() if value is not None}


def ensure_table(client: Any, name: str, wanted: dict[str, Any], check_mode: bool) -> Iterator[dict[str, Any]]:
    """Create the table, or change the settings that differ, and yield the parts of the result as they become known."""
    table = lease_table.find_table(client, name)
    created = table is None and (check_mode or lease_table.create(client, name, wanted))
    yield dict(changed=created, created=created)
    if created and check_mode:
        yield dict(diff=dict(before={}, after=wanted))
        return
    table = table or lease_table.wait_until_active(client, name)
    yield dict(table_arn=table.arn)
    settings = lease_table.get_settings(client, name, table, with_tags="tags" in wanted)
    changes = lease_table.compute_changes(settings, wanted)
    for setting, value in changes.items():
        if not check_mode:
            lease_table.change(client, name, table, setting, value)
        yield dict(changed=True)
    before, after = ({}, wanted) if created else (settings, {**settings, **changes})
    yield dict(diff=dict(before=before, after=after))


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then create or change the table."""
    params, result = module.params, module.result
    name = params["name"]
    result.update(name=name)
    lease_table.validate_table_name(name)
    lease_table.validate_kms_key_id(params["kms_key_id"])
    lease_table.validate_tags(params["tags"])
    client = build_client(module, lease_table.SERVICE, 1)
    region = client.meta.region_name
    result.update(region=region)
    for known in ensure_table(client, name, build_settings(params), module.check_mode):
        result.update(known)
    result.update(lease_store=lease_table.lease_store_url(name, region, params["endpoint_url"]))
    if not module._diff:
        result.pop("diff")


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            name=dict(type="str", required=True),
            kms_key_id=dict(type="str", no_log=False),
            deletion_protection=dict(type="bool", default=True),
            tags=dict(type="dict"),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
