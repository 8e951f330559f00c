# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bug in the collection: what a user reads of it, at the highest verbosity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.running import Run
from tests.simulator.control import Simulator

SECRET = "correct-horse"
# Built as the modules of the collection are. The URL is made when it runs, as by a service.
MODULE = f"""\
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.labstream.aws.plugins.module_utils._appstream.errors import AppStreamErrorHandler
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._service_errors import (call)
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule


def fail(url):
    raise KeyError(url)


@AppStreamErrorHandler.common_error_handler("describe the stacks")
def parse(client, url):
    call(client.describe_stacks)
    fail(url)


def run(module):
    url = "https://example.org/authenticate?parameters=" + "{SECRET[::-1]}"[::-1]
    module.result["stored"] = "a lease"
    place = module.params["place"]
    if place == "worker":
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(fail, url).result()
    elif place == "parser":
        parse(build_client(module, "appstream", 1), url)
    fail(url)


def main():
    module = LabstreamAWSModule(empty_result=dict(changed=False, stored=None), argument_spec=dict(place=dict()))
    module.run(run)


if __name__ == "__main__":
    main()
"""


@pytest.mark.core
def test_a_bug_is_reported_without_the_url_that_it_holds(
    simulator: Simulator, run_tasks: Callable[..., Run], home: Path
) -> None:
    library = home / "library"
    library.mkdir()
    (library / "buggy.py").write_text(MODULE)
    places = ("run", "worker", "parser")
    tasks = [{"name": place, "buggy": {"place": place}} for place in places]

    run = run_tasks(tasks, environment={"ANSIBLE_LIBRARY": str(library)}, verbosity=4)

    for place in places:
        task = run.task(place)
        assert task.failed
        assert task.msg.startswith("internal error in labstream.aws (KeyError at plugins/module_utils/")
        assert task.msg.endswith("): please report it")
        assert task.result["frames"][-1].startswith(".../")
        assert task.result["frames"][-1].endswith(" fail")
        assert (task.result["changed"], task.result["stored"]) == (False, "a lease")
    assert SECRET not in run.printed
    assert "endpoint_url" not in "".join(run.task(place).msg for place in places)
