# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import RETENTION
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope, find_stored_scope

from tests.unit.plugins.module_utils.support import MemoryStore, build_key, lease_of

STACK = "arn:aws:appstream:eu-central-1:123456789012:stack/cad-course"
FLEET = "arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet"
TEXT = f"appstream|appstream2.eu-central-1.amazonaws.com|{STACK}|{FLEET}"


def test_a_scope_and_its_text_give_each_other():
    scope = Scope("appstream", "appstream2.eu-central-1.amazonaws.com", (STACK, FLEET))
    assert scope.to_text() == TEXT
    assert Scope.parse(TEXT) == scope
    assert (scope.names, scope.region, scope.account) == (("cad-course", "cad-fleet"), "eu-central-1", "123456789012")


@pytest.mark.parametrize("text", ["", "other", "other|host", "other|host|stack|fleet", "|||"])
def test_any_text_can_be_parsed(text):
    scope = Scope.parse(text)
    assert scope.provider == text.partition("|")[0]
    assert (scope.region, scope.account) == ("", "")


def find_in(*texts, names=("cad-course", "cad-fleet"), **fields):
    """The scope that is found by the names of stack and fleet if there are leases of these scopes."""
    store = MemoryStore()
    store.leases = {lease.key: lease for lease in (lease_of(build_key(scope=text), **fields) for text in texts)}
    return find_stored_scope(store, "appstream", "appstream2.eu-central-1.amazonaws.com", "eu-central-1", *names)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (TEXT, True),
        (TEXT.replace("123456789012", "210987654321"), True),
        (TEXT.replace("arn:aws:", "arn:aws-cn:"), True),
        (TEXT.replace("|appstream2", "|other"), False),
        (TEXT.replace("appstream|", "nimble|"), False),
        (TEXT.replace(":eu-central-1:", ":eu-west-1:"), False),
        (TEXT.replace("cad-course", "cad-course-2"), False),
        (TEXT.replace("cad-fleet", "other-fleet"), False),
        (f"{TEXT}|{FLEET}", False),
        ("appstream|appstream2.eu-central-1.amazonaws.com", False),
        ("other", False),
    ],
)
def test_the_scope_of_what_was_deleted_is_found_by_endpoint_region_and_names(text, is_found):
    others = ("other", f"{TEXT}-2")
    assert find_in(text, *others) == (Scope.parse(text) if is_found else None)


def test_the_scope_of_a_deleted_studio_is_found_by_its_id():
    studio = TEXT.replace(f"{STACK}|{FLEET}", "arn:aws:nimble:eu-central-1:123456789012:studio/lab")
    assert find_in(studio, names=("lab",)) == Scope.parse(studio)


def test_a_scope_is_found_by_a_lease_that_is_past_its_retention_too_since_that_may_be_purged():
    assert find_in(TEXT, expires=-RETENTION.total_seconds()) == Scope.parse(TEXT)


def test_scopes_of_several_accounts_are_not_taken_for_each_other():
    with pytest.raises(NotReady) as rejected:
        find_in(TEXT, TEXT.replace("123456789012", "210987654321"))
    assert str(rejected.value) == (
        "The lease store has leases for the deleted 'cad-course' and 'cad-fleet' in region eu-central-1 of several "
        "accounts (123456789012, 210987654321): create them again in the account whose leases to release, then run "
        "again, or wait until their URLs have expired."
    )
