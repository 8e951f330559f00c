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
    """One simulator for all tests of a process."""
    with simulator_process() as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """An empty simulator."""
    running_simulator.reset()
    return running_simulator


@pytest.fixture(scope="session")
def moto(running_simulator: Simulator) -> DynamoDB:
    """The simulator's DynamoDB, which is moto's. Each test has its own tables."""
    return DynamoDB(running_simulator.endpoint_url)


@pytest.fixture(scope="session")
def dynalite() -> Iterator[DynamoDB]:
    """Another DynamoDB. Each test has its own tables."""
    reason = why_no_dynalite()
    if reason:
        pytest.skip(reason)
    with dynalite_process() as service:
        yield service


@pytest.fixture(scope="module")
def files_of_botocore_are_read_once() -> Iterator[None]:
    """Cache botocore's files for tests that make many clients, each of which would parse megabytes of JSON."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _self, path: read(path))
        yield
