# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch):
    """No test sees what the shell sets for AWS, such as the simulator's endpoint, or AWX for its jobs."""
    ours = ("JOB_ID", "LABSTREAM_LEASE_STORE")
    for name in [name for name in os.environ if name.startswith("AWS_") or name in ours]:
        monkeypatch.delenv(name)
