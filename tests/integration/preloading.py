# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imported by the process from which those of ``Ansible.call_module`` are forked, and by no other.

botocore's descriptions of services are read there, since every module would parse the same megabytes of JSON.
"""

from __future__ import annotations

from functools import cache

import boto3
from botocore.loaders import JSONFileLoader

_read = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _self, path: _read(path)
for service in {"appstream", "dynamodb", "gameliftstreams"} & set(boto3.session.Session().get_available_services()):
    boto3.session.Session().client(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
