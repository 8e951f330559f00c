# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed, and the lab that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.simulator.control import Simulator
from tests.stress.lab import Lab


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed",
        type=int,
        default=int(f"{datetime.now():%Y%m%d}"),
        help="seed of everything that is random; today's date by default",
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"to repeat this run: --seed {config.getoption('seed')}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return request.config.getoption("seed")


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with Simulator.start() as simulator:
        yield simulator


@pytest.fixture
def lab(simulator_process: Simulator, tmp_path: Path) -> Lab:
    return Lab(simulator_process, tmp_path)
