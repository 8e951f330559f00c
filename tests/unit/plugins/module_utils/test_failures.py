# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure, find_bug, format_failures


def failed(name, message="The service said no."):
    return name, Failure("NotReady", message)


def test_an_error_becomes_its_code_and_its_message():
    assert Failure.from_error(NotReady("Not now.")) == ("NotReady", "Not now.")


def test_a_bug_becomes_a_failure_without_its_text_and_its_exception_is_found():
    error = KeyError("correct-horse")
    failures = [None, Failure.from_error(NotReady("Not now.")), Failure.from_error(error)]
    assert failures[2]._asdict().keys() == {"code", "message"}
    assert failures[2].code == "InternalError"
    assert "correct-horse" not in str(failures[2])
    assert find_bug(failures) is error
    assert find_bug(failures[:2]) is None


def test_each_reason_follows_the_names_that_have_it():
    failures = [failed("anna", "It is full."), failed("ben", "It is stopped."), failed("cleo", "It is full.")]
    assert format_failures(failures) == "anna, cleo: It is full; ben: It is stopped"


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more"), (500, " and 495 more")])
def test_only_the_first_five_names_of_a_reason_are_shown(count, more):
    text = format_failures([failed(f"learner-{number}") for number in range(count)])
    assert text == "learner-0, learner-1, learner-2, learner-3, learner-4" + more + ": The service said no"


def test_only_the_first_five_reasons_are_shown():
    text = format_failures([failed(f"learner-{number}", f"Reason {number}.") for number in range(6)])
    assert text.endswith("learner-4: Reason 4; and more, see failures")


def test_a_long_name_is_shortened():
    text = format_failures([failed("anna " + "x" * 100)])
    assert text == "anna...: The service said no"
