# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test different server responses."""

from __future__ import annotations

import json

from moto import mock_aws, server


@mock_aws
def test_describe_stacks():
    client = server.create_backend_app("appstream").test_client()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "PhotonAdminProxyService.DescribeStacks",
    }

    response = client.post("/", headers=headers, data="{}")

    assert response.status_code == 200
    assert json.loads(response.data) == {"Stacks": []}
