# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import describe_template_error, strip_core_prefix

MESSAGE = "There is no roster /srv/x.csv on the controller."
# What was seen with ansible-core 2.17 (the same in 2.16 and 2.18) and 2.19 (the same in 2.20 and 2.21).
OLD_FILTER = (
    "An unhandled exception occurred while templating '{{ 'x\ny' | labstream.aws.roster }}'. Error was a "
    "<class 'ansible.errors.AnsibleFilterError'>, original message: "
)
OLD_NESTED = (
    "An unhandled exception occurred while templating '{{ lazy | length }}'. Error was a <class "
    "'ansible.errors.AnsibleError'>, original message: "
)
OLD_LOOKUP = (
    "An unhandled exception occurred while running the lookup plugin 'labstream.aws.roster'. Error was a <class "
    "'ansible.errors.AnsibleLookupError'>, original message: "
)
OLD_SUFFIX = "\n\nThe error appears to be in '/srv/play.yml': line 9, column 7, but may\nbe elsewhere in the file"
TASK = "Task failed: Finalization of task args for 'ansible.builtin.set_fact' failed: "
ARGUMENT = f"{TASK}Error while resolving value for 'x': "


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("", ""),
        (OLD_FILTER, ""),
        (OLD_LOOKUP, ""),
        (OLD_NESTED + OLD_FILTER, ""),
        (f"The conditional check 'lazy | int > 0' failed. The error was: {OLD_NESTED}{OLD_LOOKUP}", OLD_SUFFIX),
        ("The lookup plugin 'labstream.aws.roster' failed: ", ""),
        ("Task failed: The filter plugin 'labstream.aws.roster' failed: ", ""),
        (f"{ARGUMENT}The filter plugin 'labstream.aws.roster' failed: ", ""),
        (f"{ARGUMENT}The lookup plugin 'labstream.aws.roster' failed: ", ""),
        (
            "Task failed: Finalization of task args for 'x.y.z' failed: The filter plugin 'labstream.aws.to_utc' "
            "failed: ",
            "",
        ),
    ],
)
def test_what_ansible_core_puts_around_a_message_is_removed(prefix, suffix):
    assert strip_core_prefix(prefix + MESSAGE + suffix) == MESSAGE


@pytest.mark.parametrize(
    "message", ["", "Fleet 'x' is STOPPED: see 'The filter plugin 'a.b.c' failed: '.", "The plugin 'x' failed: y"]
)
def test_any_other_message_is_kept(message):
    assert strip_core_prefix(message) == message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AnsibleUndefinedVariable("'nope' is undefined"), "'nope' is undefined"),
        # What was seen with ansible-core 2.16.
        (
            AnsibleUndefinedVariable("{'a': 's3cret: {{ nope }}'}: 'nope' is undefined. 'nope' is undefined"),
            "'nope' is undefined",
        ),
        (
            "template error while templating string: unexpected end of template. String: s3cret{{ nope. unexpected end "
            "of template",
            "template error while templating string: unexpected end of template",
        ),
        (
            "recursive loop detected in template string: s3cret\n{{ key }}. maximum recursion depth exceeded",
            "recursive loop detected",
        ),
        (
            "An unhandled exception occurred while templating '{{ 's3cret' | f }}'. Error was a <class "
            "'ansible.errors.AnsibleError'>, original message: It is wrong.",
            "It is wrong.",
        ),
    ],
)
def test_the_error_of_a_template_does_not_quote_it(error, expected):
    assert describe_template_error(error if isinstance(error, Exception) else ValueError(error)) == expected
