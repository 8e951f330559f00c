# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import required_capacity

THREE = ["anna", "ben", "chloe"]


def session(user_id, state="ACTIVE"):
    return {"user_id": user_id, "state": state, "connection_state": "NOT_CONNECTED"}


@pytest.mark.parametrize(
    ("sessions", "spare", "needed", "available"),
    [
        pytest.param([], 0, 3, 3, id="nobody has a session"),
        pytest.param([], 2, 3, 5, id="with spare sessions"),
        pytest.param([], "2", 3, 5, id="with the text that a template makes of a number"),
        pytest.param([session("anna")], 0, 2, 2, id="one has a session"),
        pytest.param([session("zoe")], 0, 3, 3, id="somebody else has a session"),
        pytest.param([session("anna", "EXPIRED")], 0, 3, 3, id="one had a session"),
        pytest.param([session(user) for user in THREE], 1, 0, 1, id="all have a session"),
    ],
)
def test_a_lab_needs_a_session_for_each_learner_who_has_none(sessions, spare, needed, available):
    assert required_capacity(THREE, sessions, spare) == {"needed": needed, "available_sessions": available}
