# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [(KeyError("capacity"), True), (ValueError("It is wrong."), True), (ValueError("a\nb"), False)],
)
def test_the_cause_of_an_error_is_kept_if_it_fits_in_the_message(error, is_kept):
    def broken():
        raise error

    with pytest.raises(AnsibleFilterError) as raised:
        as_filter(broken)()
    assert raised.value.__cause__ is (error if is_kept else None)
    assert str(raised.value) == " ".join(str(raised.value).split())
    assert str(raised.value).count(str(error)) == is_kept
