# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that issue streaming URLs, and of those that read the lease store."""

from __future__ import annotations


class ModuleDocFragment:
    """The default fragment is for the modules that issue; STORE is for all that open a lease store."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) gives every learner a URL that works. A lease that is current is reused; otherwise a URL is issued.
      - V(absent) forgets the leases, so that the next run issues new URLs. The service has no call that revokes a
        URL, so those that were handed out work until they expire. The module warns about them.
      - What is forgotten are exactly the leases that the same arguments would give with V(present), so a lease for
        another application or session context stays. With O(lab) and no learner named, all leases of the lab are.
    type: str
    choices: [present, absent]
    default: present
  lab:
    description:
      - A label that is stored with each lease, such as the name of the class.
      - With O(state=absent), and no learner named, all leases of this lab on the given target are forgotten.
    type: str
  force:
    description:
      - Issue a new URL, or create a new stream, even where a lease is current.
      - What was issued before works until it expires.
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), remove the records of the leases altogether. For a learner who is named without an
        application and a session context, these are all leases on the given target, whatever they open.
      - Otherwise what is no secret is kept until 30 days after the URL expired. This is who got a URL and when, and the
        SHA-256 of the URL or the id of the stream.
    type: bool
    default: false
  concurrency:
    description:
      - How many calls to make at once, from 1 to 64.
    type: int
    default: 16
  return_urls:
    description:
      - Whether the result carries the URLs.
      - A streaming URL is a password. Set C(no_log) on a task that returns URLs.
      - With V(false), what was issued is only remembered, for tasks that use the same lease store. So it cannot be
        combined with O(lease_store=none).
    type: bool
    default: true
"""

    STORE = r"""
options:
  lease_store:
    description:
      - Where leases are remembered.
      - V(sqlite:///PATH) is a file on the host that the task runs on, with mode 0600 in a folder of mode 0700. A
        leading V(~) stands for the home of the user that the task runs as.
      - V(dynamodb://TABLE) is a table in DynamoDB, for controllers, AWX jobs and pipelines that share a lab. TABLE is
        its name or its ARN. The playbook C(labstream.aws.lease_table) creates one. Parameters may follow, as in
        V(dynamodb://labstream-leases?region=eu-central-1&profile=labs).
      - The parameter C(region) is by default that of the ARN or else of the task. C(profile) names a profile to use
        instead of the task's credentials. C(endpoint_url) is an endpoint of DynamoDB. The task's O(endpoint_url) is
        never asked for the table.
      - V(none) remembers nothing, so every run issues new URLs, and nothing can be reused or handed out later.
      - If not given, the environment variable E(LABSTREAM_LEASE_STORE) on that host is used.
      - In a job of AWX, where E(JOB_ID) is set, the default is refused, since that file would be thrown away with the
        job.
    type: str
    default: sqlite:///~/.ansible/labstream/leases.sqlite3
"""
