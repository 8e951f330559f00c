# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.runners import VARIABLES


@pytest.fixture(autouse=True)
def no_user_settings(monkeypatch):
    """Hide the shell's settings for AWS, such as the simulator's endpoint, and those of a runner."""
    ours = (*VARIABLES, "LABSTREAM_LEASE_STORE")
    for name in [name for name in os.environ if name.startswith("AWS_") or name in ours]:
        monkeypatch.delenv(name)
