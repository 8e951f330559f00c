# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.simulator.control import Simulator
from tests.unit.simulator.nimble_http import STUDIO, Nimble
from tests.unit.simulator.support import APPLICATION, FLEET, GROUP, LOCATION, STACK

NO_RETRIES = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="session")
def process() -> Iterator[Simulator]:
    with Simulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    """An empty simulator."""
    process.reset()
    return process


@pytest.fixture(scope="session")
def session_client(process: Simulator) -> Any:
    return process.client("appstream", config=NO_RETRIES)


@pytest.fixture
def appstream(simulator: Simulator, session_client: Any) -> Any:
    """A client that never retries, so that each test sees each reply."""
    return session_client


@pytest.fixture
def lab(simulator: Simulator, appstream: Any) -> Any:
    """The client, with a running fleet of two instances on a stack: ``LAB``."""
    simulator.seed_lab(STACK, FLEET, instances=2)
    return appstream


@pytest.fixture
def nimble(simulator: Simulator) -> Nimble:
    """Nimble's calls, with a studio of three READY sessions: anna's, ben's and chris's."""
    simulator.seed_studio(
        STUDIO, [{"sessionId": name, "ownedBy": f"{name}@example.org"} for name in ("anna", "ben", "chris")]
    )
    return Nimble(simulator)


@pytest.fixture(scope="session")
def gamelift_session_client(process: Simulator) -> Any:
    return process.client("gameliftstreams", config=NO_RETRIES)


@pytest.fixture
def gamelift(simulator: Simulator, gamelift_session_client: Any) -> Any:
    """A client that never retries, with the stream group of ``STREAM``: one application, and two streams at once."""
    simulator.seed_stream_group(GROUP, [APPLICATION], [{"LocationName": LOCATION, "AlwaysOnCapacity": 2}])
    return gamelift_session_client


STATUSES = {"ConflictException": 409, "ResourceNotFoundException": 404}


@contextmanager
def _rejected(code: str, status: int | None = None) -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == (status or STATUSES.get(code, 400))


@pytest.fixture
def rejected() -> Callable[..., AbstractContextManager[None]]:
    """``with rejected(code):`` checks that the call in the block fails with this error and its HTTP status."""
    return _rejected
