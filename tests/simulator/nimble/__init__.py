# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble Studio as a moto backend; neither moto nor a current botocore has the service."""

from __future__ import annotations

from tests.simulator.nimble.models import nimble_backends

__all__ = ["nimble_backends"]
