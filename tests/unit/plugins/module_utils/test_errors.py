# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    MAX_MESSAGE_LENGTH,
    InvalidOption,
    list_names,
    quote,
    to_message,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("one line", "one line", id="as it is"),
        pytest.param("two\nlines", "two lines", id="in one line"),
        pytest.param("a" * 5000 + "do this", "do this", id="shortened, with its end"),
    ],
)
def test_a_message_is_one_line_of_limited_length(text, message):
    assert to_message(text).endswith(message)
    assert str(InvalidOption(text)) == to_message(text)
    assert len(to_message(text)) <= MAX_MESSAGE_LENGTH


def test_a_long_value_is_quoted_with_its_begin_and_its_end():
    assert quote("anna") == "'anna'"
    quoted = quote("a" * 500 + "z" * 500)
    assert (quoted[:3], quoted[-3:]) == ("'aa", "zz'")
    assert len(quoted) <= 80


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "'a'"), (["a", "b"], "'a', 'b'"), (["a", "b", "c", "d"], "'a', 'b' and 2 more")],
)
def test_of_many_names_the_first_are_listed(names, text):
    assert list_names(names, 2, quote) == text


@pytest.mark.parametrize("plugin", ["roster", "lab_report", "lab_outcome", "to_utc"])
def test_a_filter_does_not_load_botocore(plugin):
    """Ansible loads filters again for every task that uses one, and botocore takes a third of a second to load."""
    script = f"import sys, ansible_collections.labstream.aws.plugins.filter.{plugin}; print('botocore' in sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert loaded.stdout == "False\n"
