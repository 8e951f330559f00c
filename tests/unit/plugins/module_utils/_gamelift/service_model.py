# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's own model, for tests that compare tables with it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader


def load_shapes() -> dict[str, Any]:
    """Return the shapes of GameLift Streams; skip the test where botocore is older than the service."""
    try:
        return Loader().load_service_model("gameliftstreams", "service-2")["shapes"]
    except UnknownServiceError:
        pytest.skip("this botocore does not have the service")
