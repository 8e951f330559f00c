# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles incoming gameliftstreams requests, invokes methods, returns responses."""

from __future__ import annotations

from moto.core.responses import ActionResult, BaseResponse

from .models import GameLiftStreamsBackend, gameliftstreams_backends


class GameLiftStreamsResponse(BaseResponse):
    """Handler for GameLiftStreams requests and responses."""

    def __init__(self) -> None:
        super().__init__(service_name="gameliftstreams")
        self.automated_parameter_parsing = True

    @property
    def gameliftstreams_backend(self) -> GameLiftStreamsBackend:
        """Return backend instance specific for this region."""
        return gameliftstreams_backends[self.current_account][self.region]

    def create_application(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.create_application(self._get_params()))

    def create_stream_group(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.create_stream_group(self._get_params()))

    def create_stream_url(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.create_stream_url(self._get_params()))

    def delete_application(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.delete_application(self._get_params()))

    def delete_stream_group(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.delete_stream_group(self._get_params()))

    def get_stream_group(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.get_stream_group(self._get_params()))

    def get_stream_session(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.get_stream_session(self._get_params()))

    def get_stream_url(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.get_stream_url(self._get_params()))

    def list_stream_groups(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.list_stream_groups(self._get_params()))

    def list_stream_sessions(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.list_stream_sessions(self._get_params()))

    def list_stream_urls(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.list_stream_urls(self._get_params()))

    def revoke_stream_url(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.revoke_stream_url(self._get_params()))

    def terminate_stream_session(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.terminate_stream_session(self._get_params()))

    def update_stream_group(self) -> ActionResult:
        return ActionResult(self.gameliftstreams_backend.update_stream_group(self._get_params()))
