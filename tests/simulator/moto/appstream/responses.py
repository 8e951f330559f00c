# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles incoming appstream requests, invokes methods, returns responses."""

from __future__ import annotations

from moto.core.responses import ActionResult, BaseResponse

from .models import AppStreamBackend, appstream_backends


class AppStreamResponse(BaseResponse):
    """Handler for AppStream requests and responses."""

    def __init__(self) -> None:
        super().__init__(service_name="appstream")
        self.automated_parameter_parsing = True

    @property
    def appstream_backend(self) -> AppStreamBackend:
        """Return backend instance specific for this region."""
        return appstream_backends[self.current_account][self.region]

    def associate_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.associate_fleet(self._get_params()))

    def create_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.create_fleet(self._get_params()))

    def create_stack(self) -> ActionResult:
        return ActionResult(self.appstream_backend.create_stack(self._get_params()))

    def create_streaming_url(self) -> ActionResult:
        return ActionResult(self.appstream_backend.create_streaming_url(self._get_params()))

    def create_usage_report_subscription(self) -> ActionResult:
        return ActionResult(self.appstream_backend.create_usage_report_subscription(self._get_params()))

    def create_user(self) -> ActionResult:
        return ActionResult(self.appstream_backend.create_user(self._get_params()))

    def delete_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.delete_fleet(self._get_params()))

    def delete_stack(self) -> ActionResult:
        return ActionResult(self.appstream_backend.delete_stack(self._get_params()))

    def delete_usage_report_subscription(self) -> ActionResult:
        return ActionResult(self.appstream_backend.delete_usage_report_subscription(self._get_params()))

    def delete_user(self) -> ActionResult:
        return ActionResult(self.appstream_backend.delete_user(self._get_params()))

    def describe_application_fleet_associations(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_application_fleet_associations(self._get_params()))

    def describe_applications(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_applications(self._get_params()))

    def describe_fleets(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_fleets(self._get_params()))

    def describe_images(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_images(self._get_params()))

    def describe_sessions(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_sessions(self._get_params()))

    def describe_stacks(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_stacks(self._get_params()))

    def describe_usage_report_subscriptions(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_usage_report_subscriptions(self._get_params()))

    def describe_users(self) -> ActionResult:
        return ActionResult(self.appstream_backend.describe_users(self._get_params()))

    def disable_user(self) -> ActionResult:
        return ActionResult(self.appstream_backend.disable_user(self._get_params()))

    def disassociate_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.disassociate_fleet(self._get_params()))

    def enable_user(self) -> ActionResult:
        return ActionResult(self.appstream_backend.enable_user(self._get_params()))

    def expire_session(self) -> ActionResult:
        return ActionResult(self.appstream_backend.expire_session(self._get_params()))

    def list_associated_fleets(self) -> ActionResult:
        return ActionResult(self.appstream_backend.list_associated_fleets(self._get_params()))

    def list_associated_stacks(self) -> ActionResult:
        return ActionResult(self.appstream_backend.list_associated_stacks(self._get_params()))

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult(self.appstream_backend.list_tags_for_resource(self._get_params()))

    def start_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.start_fleet(self._get_params()))

    def stop_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.stop_fleet(self._get_params()))

    def tag_resource(self) -> ActionResult:
        return ActionResult(self.appstream_backend.tag_resource(self._get_params()))

    def untag_resource(self) -> ActionResult:
        return ActionResult(self.appstream_backend.untag_resource(self._get_params()))

    def update_fleet(self) -> ActionResult:
        return ActionResult(self.appstream_backend.update_fleet(self._get_params()))

    def update_stack(self) -> ActionResult:
        return ActionResult(self.appstream_backend.update_stack(self._get_params()))
