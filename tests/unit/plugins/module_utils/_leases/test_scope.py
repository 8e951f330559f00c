# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope

STACK = "arn:aws:appstream:eu-central-1:123456789012:stack/cad-course"
FLEET = "arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet"
TEXT = f"appstream|appstream2.eu-central-1.amazonaws.com|{STACK}|{FLEET}"


def test_a_scope_and_its_text_give_each_other():
    scope = Scope("appstream", "appstream2.eu-central-1.amazonaws.com", (STACK, FLEET))
    assert scope.to_text() == TEXT
    assert Scope.parse(TEXT) == scope
    assert (scope.names, scope.region) == (("cad-course", "cad-fleet"), "eu-central-1")


@pytest.mark.parametrize("text", ["", "other", "other|host", "other|host|stack|fleet", "|||"])
def test_any_text_can_be_parsed(text):
    scope = Scope.parse(text)
    assert scope.provider == text.partition("|")[0]
    assert scope.region == ""
