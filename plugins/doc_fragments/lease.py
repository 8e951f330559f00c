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
      - V(present) returns a URL that works for everybody who is listed. A reusable lease is reused; otherwise a URL is
        issued.
      - V(absent) releases the leases, which removes the URLs from the store, so that the next run issues new ones. The
        service cannot revoke a URL, so URLs that were given out work until they expire. The module warns about them.
      - The leases that are released are exactly those that the same arguments would return with V(present), so a lease
        for another application or session context is kept.
      - With O(lab), only this lab is ended for those who are listed, or for all of its learners if nobody is. A lease
        that another lab still needs is not released. Without O(lab), leases are released for all labs.
      - With O(lab) and nobody listed, V(absent) fails if O(lease_store) is an empty file in a job of a runner that
        usually deletes files, since the lab was probably started with another one.
    type: str
    choices: [present, absent]
    default: present
  lab:
    description:
      - The name of the lab, 1 to 225 characters. Who takes part in it, with which lease and until when, is stored.
        Several labs can use one lease.
      - With O(state=absent) and a lab about which nothing is stored, nothing is changed, and a warning names the labs
        that are known, except in check mode.
    type: str
  force:
    description:
      - Issue a new URL, or create a new stream, even if a lease is reusable.
      - The previous one works until it expires, so this does not help if it has leaked. See
        M(labstream.aws.streaming_rotation) instead.
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), also remove the records of the leases. For somebody who is listed without an application
        and a session context, these are all leases on the given target, whatever they open.
      - Otherwise the part of a record that is not secret is kept until 30 days after the URL expired. It says who got a
        URL and when, and has the SHA-256 hash of the URL or the id of the stream.
    type: bool
    default: false
  withdraw_removed:
    description:
      - Whether the leases of learners of O(lab) who are no longer listed are released, for all labs that use them.
      - With V(false), these learners are only returned.
      - Only with O(state=present).
    version_added: 1.0.0
    type: bool
    default: false
  withdraw_limit:
    description:
      - If O(withdraw_removed) concerns more learners than this, or all learners of the lab, the task fails before
        anything is issued. By default, it is a tenth of the learners whom the lab had, but at least three.
    version_added: 1.0.0
    type: int
  concurrency:
    description:
      - How many calls to make at the same time, from 1 to 64.
      - Once the service throttles a call, calls slow down to the rate that it allows, whatever this is. So at a service
        that throttles, more calls at the same time are no faster, and more of them are rejected and tried again.
      - V(32) or V(64) are for labs of thousands, in an account whose quotas allow it.
    type: int
    default: 16
  return_urls:
    description:
      - Whether to return the URLs.
      - A streaming URL is a password. Set C(no_log) on a task that returns URLs.
      - With V(false), what was issued is only stored, for tasks that use the same lease store. So it cannot be combined
        with O(lease_store=none).
      - V(true) is rejected in a task with C(async), because Ansible keeps its result in a file with mode 0644.
    type: bool
    default: true
seealso:
  - module: labstream.aws.streaming_lease_info
  - ref: ansible_collections.labstream.aws.docsite.guide_leases
    description: When URLs are reused, who has one, and who can read what is stored.
"""

    STORE = r"""
options:
  lease_store:
    description:
      - Where to store leases.
      - V(sqlite:///PATH) is a file on the host that the task runs on, with mode 0600 in a directory with mode 0700. A
        leading V(~) stands for the home of the user that the task runs as. A file is rejected if other users can access
        it, or write to its directory.
      - V(dynamodb://TABLE) is a DynamoDB table, for controllers, AWX jobs and pipelines that share a lab. TABLE is its
        name or its ARN. The playbook C(labstream.aws.lease_table) creates one. Parameters may follow, as in
        V(dynamodb://labstream-leases?region=eu-central-1&profile=labs).
      - The parameter C(region) defaults to that of the ARN or else of the task. C(profile) names a profile to use
        instead of the task's credentials. C(endpoint_url) is a DynamoDB endpoint, by default
        E(AWS_ENDPOINT_URL_DYNAMODB), or else E(AWS_URL) or E(AWS_ENDPOINT_URL), which are for all services. The task's
        option O(endpoint_url) is never used for the table.
      - With V(none), leases are not stored, so every run issues new URLs, and nothing can be reused or handed out
        later.
      - If not given, the environment variable E(LABSTREAM_LEASE_STORE) on that host is used, and by default
        V(sqlite:///~/.ansible/labstream/leases.sqlite3).
      - In a job of AWX, GitHub Actions, GitLab CI/CD, Jenkins, Azure Pipelines, CodeBuild, Bitbucket Pipelines or
        TeamCity, the default is rejected, since the file is usually deleted with the job. If the home is kept there,
        name the default file here. If only E(CI) or E(JOB_ID) is set, the module warns.
    type: str
"""
