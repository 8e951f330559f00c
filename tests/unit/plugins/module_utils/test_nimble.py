# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils.nimble import pauses_after_conflicts


@pytest.mark.parametrize(
    ("retries", "pauses"),
    [
        pytest.param({"total_max_attempts": 1}, [], id="once"),
        pytest.param({"total_max_attempts": 4, "mode": "standard"}, [0.25, 0.5, 1], id="as often as the user says"),
        pytest.param({"mode": "legacy"}, [0.25, 0.5, 1, 2, 4, 4, 4, 4, 4], id="as often as we say"),
        pytest.param(None, [0.25, 0.5, 1, 2, 4, 4, 4, 4, 4], id="nothing is said"),
    ],
)
def test_conflicts_are_tried_again_as_often_as_other_errors(retries, pauses):
    client = SimpleNamespace(meta=SimpleNamespace(config=SimpleNamespace(retries=retries)))
    assert pauses_after_conflicts(client) == pauses
