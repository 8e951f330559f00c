# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from botocore.loaders import JSONFileLoader

from tests.simulator.control import Simulator
from tests.unit.plugins.module_utils.dynamodb_services import (
    DynamoDB,
    dynalite_process,
    simulator_process,
    why_no_dynalite,
)


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    """One for all tests of a process."""
    with simulator_process() as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """A simulator that knows nothing yet."""
    running_simulator.reset()
    return running_simulator


@pytest.fixture(scope="session")
def moto(running_simulator: Simulator) -> DynamoDB:
    """The simulator's DynamoDB, which moto does. A test has tables of its own."""
    return DynamoDB(running_simulator.endpoint_url)


@pytest.fixture(scope="session")
def dynalite() -> Iterator[DynamoDB]:
    """Another DynamoDB. A test has tables of its own."""
    reason = why_no_dynalite()
    if reason:
        pytest.skip(reason)
    with dynalite_process() as service:
        yield service


@pytest.fixture(scope="module")
def files_of_botocore_are_read_once() -> Iterator[None]:
    """For tests that make many clients, each of which would read megabytes of JSON."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _self, path: read(path))
        yield
