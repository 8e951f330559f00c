# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks, fleets, associations and tags: each operation's success and its errors."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.unit.simulator.support import FLEET, FLEET_MEMBERS, LAB, STACK

ELASTIC_MEMBERS = {
    "InstanceType": "stream.standard.medium",
    "FleetType": "ELASTIC",
    "MaxConcurrentSessions": 5,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
}
ANNA = {"UserName": "anna@example.org", "AuthenticationType": "USERPOOL"}


def state(appstream, name=FLEET):
    return appstream.describe_fleets(Names=[name])["Fleets"][0]["State"]


def capacity(appstream, name=FLEET):
    return appstream.describe_fleets(Names=[name])["Fleets"][0]["ComputeCapacityStatus"]


class TestStacks:
    def test_a_created_stack_is_described_with_what_was_given(self, appstream):
        before = datetime.now(UTC).replace(microsecond=0)
        created = appstream.create_stack(
            Name=STACK,
            DisplayName="Class",
            RedirectURL="https://example.org/done",
            EmbedHostDomains=["lms.example.org"],
        )["Stack"]

        assert created["Arn"] == "arn:aws:appstream:us-east-1:123456789012:stack/class"
        assert before <= created["CreatedTime"] <= datetime.now(UTC)
        assert appstream.describe_stacks(Names=[STACK])["Stacks"] == [created]
        assert created["DisplayName"] == "Class"
        assert created["EmbedHostDomains"] == ["lms.example.org"]
        assert created["StorageConnectors"] == []

    def test_a_second_stack_of_the_same_name_is_rejected(self, appstream, rejected):
        appstream.create_stack(Name=STACK)
        with rejected("ResourceAlreadyExistsException"):
            appstream.create_stack(Name=STACK)

    def test_update_changes_what_is_given_and_deletes_what_is_named(self, appstream):
        connectors = [{"ConnectorType": "HOMEFOLDERS"}, {"ConnectorType": "ONE_DRIVE", "Domains": ["example.org"]}]
        appstream.create_stack(
            Name=STACK, DisplayName="Class", RedirectURL="https://example.org/done", StorageConnectors=connectors
        )

        updated = appstream.update_stack(
            Name=STACK, DisplayName="Evening", AttributesToDelete=["REDIRECT_URL", "STORAGE_CONNECTOR_ONE_DRIVE"]
        )["Stack"]

        assert updated["DisplayName"] == "Evening"
        assert "RedirectURL" not in updated
        assert [one["ConnectorType"] for one in updated["StorageConnectors"]] == ["HOMEFOLDERS"]
        assert appstream.describe_stacks(Names=[STACK])["Stacks"] == [updated]

    def test_a_stack_has_default_user_settings_where_it_is_given_none(self, appstream):
        def permissions(stack):
            return {setting["Action"]: setting["Permission"] for setting in stack["UserSettings"]}

        defaults = permissions(appstream.create_stack(Name="other")["Stack"])
        upload = {"Action": "FILE_UPLOAD", "Permission": "DISABLED"}
        created = appstream.create_stack(Name=STACK, UserSettings=[upload])["Stack"]

        assert (len(defaults), defaults["FILE_UPLOAD"]) == (8, "ENABLED")
        assert permissions(created) == {**defaults, "FILE_UPLOAD": "DISABLED"}
        assert appstream.describe_stacks(Names=[STACK])["Stacks"] == [created]
        updated = appstream.update_stack(Name=STACK, AttributesToDelete=["USER_SETTINGS"])["Stack"]
        assert permissions(updated) == defaults

    def test_a_deleted_stack_is_gone(self, appstream, rejected):
        appstream.create_stack(Name=STACK)
        appstream.delete_stack(Name=STACK)
        with rejected("ResourceNotFoundException"):
            appstream.describe_stacks(Names=[STACK])

    def test_a_stack_with_a_fleet_cannot_be_deleted(self, lab, rejected):
        with rejected("ResourceInUseException"):
            lab.delete_stack(Name=STACK)

    @pytest.mark.parametrize("operation", ["update_stack", "delete_stack"])
    def test_an_unknown_stack_is_not_found(self, appstream, rejected, operation):
        with rejected("ResourceNotFoundException"):
            getattr(appstream, operation)(Name="nowhere")


class TestFleets:
    def test_a_created_fleet_is_stopped_and_has_the_services_defaults(self, appstream):
        created = appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)["Fleet"]

        assert created["Arn"] == "arn:aws:appstream:us-east-1:123456789012:fleet/class-fleet"
        assert created["State"] == "STOPPED"
        assert created["FleetType"] == "ALWAYS_ON"
        assert created["MaxUserDurationInSeconds"] == 57_600
        assert created["ComputeCapacityStatus"] == {"Desired": 2, "Running": 0, "InUse": 0, "Available": 0}
        assert appstream.describe_fleets(Names=[FLEET])["Fleets"] == [created]

    def test_a_second_fleet_of_the_same_name_is_rejected(self, appstream, rejected):
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)
        with rejected("ResourceAlreadyExistsException"):
            appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)

    @pytest.mark.parametrize(
        ("members", "change"),
        [
            pytest.param(FLEET_MEMBERS, {"ImageName": None}, id="no image"),
            pytest.param(FLEET_MEMBERS, {"ComputeCapacity": None}, id="no capacity"),
            pytest.param(FLEET_MEMBERS, {"ComputeCapacity": {}}, id="empty capacity"),
            pytest.param(
                FLEET_MEMBERS, {"ComputeCapacity": {"DesiredInstances": 1, "DesiredSessions": 1}}, id="two capacities"
            ),
            pytest.param(FLEET_MEMBERS, {"ComputeCapacity": {"DesiredSessions": 4}}, id="sessions without a maximum"),
            pytest.param(FLEET_MEMBERS, {"MaxSessionsPerInstance": 4}, id="a maximum without sessions"),
            pytest.param(FLEET_MEMBERS, {"MaxConcurrentSessions": 4}, id="elastic member on another fleet"),
            pytest.param(FLEET_MEMBERS, {"DisconnectTimeoutInSeconds": 59}, id="disconnect timeout too short"),
            pytest.param(FLEET_MEMBERS, {"IdleDisconnectTimeoutInSeconds": 36_001}, id="idle timeout too long"),
            pytest.param(FLEET_MEMBERS, {"MaxUserDurationInSeconds": 599}, id="session too short"),
            pytest.param(ELASTIC_MEMBERS, {"MaxConcurrentSessions": None}, id="elastic without sessions"),
            pytest.param(ELASTIC_MEMBERS, {"ComputeCapacity": {"DesiredInstances": 1}}, id="elastic with instances"),
            pytest.param(ELASTIC_MEMBERS, {"VpcConfig": {"SubnetIds": ["subnet-1"]}}, id="elastic with one subnet"),
            pytest.param(
                ELASTIC_MEMBERS, {"DomainJoinInfo": {"DirectoryName": "example.org"}}, id="elastic in a domain"
            ),
        ],
    )
    def test_members_that_do_not_go_together_are_rejected(self, appstream, rejected, members, change):
        members = {name: value for name, value in (members | change).items() if value is not None}
        with rejected("InvalidParameterCombinationException"):
            appstream.create_fleet(Name=FLEET, **members)
        assert appstream.describe_fleets()["Fleets"] == []

    def test_starting_takes_the_time_that_is_set_and_capacity_follows(self, simulator, appstream):
        simulator.set(fleet_starting_seconds=0.2, fleet_stopping_seconds=0.2)
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)

        appstream.start_fleet(Name=FLEET)
        assert state(appstream) == "STARTING"
        assert capacity(appstream) == {"Desired": 2, "Running": 0, "InUse": 0, "Available": 0}
        time.sleep(0.25)
        assert state(appstream) == "RUNNING"
        assert capacity(appstream) == {"Desired": 2, "Running": 2, "InUse": 0, "Available": 2}

        appstream.stop_fleet(Name=FLEET)
        assert state(appstream) == "STOPPING"
        time.sleep(0.25)
        assert state(appstream) == "STOPPED"

    def test_boto3s_waiters_see_the_fleet_start_and_stop(self, simulator, appstream):
        quickly = {"Delay": 0.05, "MaxAttempts": 20}
        simulator.set(fleet_starting_seconds=0.2, fleet_stopping_seconds=0.2)
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)

        appstream.start_fleet(Name=FLEET)
        appstream.get_waiter("fleet_started").wait(Names=[FLEET], WaiterConfig=quickly)
        assert state(appstream) == "RUNNING"

        appstream.stop_fleet(Name=FLEET)
        appstream.get_waiter("fleet_stopped").wait(Names=[FLEET], WaiterConfig=quickly)
        assert state(appstream) == "STOPPED"
        assert len(simulator.calls("DescribeFleets")) > 4

    def test_starting_and_stopping_again_changes_nothing(self, lab):
        lab.start_fleet(Name=FLEET)
        assert state(lab) == "RUNNING"
        lab.stop_fleet(Name=FLEET)
        lab.stop_fleet(Name=FLEET)
        assert state(lab) == "STOPPED"

    def test_a_stopping_fleet_cannot_be_started(self, simulator, lab, rejected):
        simulator.set(fleet_stopping_seconds=60)
        lab.stop_fleet(Name=FLEET)
        with rejected("ConcurrentModificationException"):
            lab.start_fleet(Name=FLEET)

    def test_the_clocks_offset_neither_starts_nor_stops_a_fleet(self, simulator, lab):
        simulator.set(clock_offset_seconds=-86_400, fleet_stopping_seconds=60)
        assert state(lab) == "RUNNING"
        lab.stop_fleet(Name=FLEET)
        simulator.set(clock_offset_seconds=86_400)
        assert state(lab) == "STOPPING"

    def test_capacity_of_a_multi_session_fleet_counts_sessions(self, simulator, appstream):
        simulator.seed_lab(STACK, FLEET, ComputeCapacity={"DesiredSessions": 5}, MaxSessionsPerInstance=4)
        for user in ("anna", "ben"):
            simulator.open(appstream.create_streaming_url(**LAB, UserId=user)["StreamingURL"])

        assert capacity(appstream) == {
            "Desired": 2,
            "Running": 2,
            "InUse": 1,
            "Available": 1,
            "DesiredUserSessions": 8,  # of whole instances
            "ActualUserSessions": 8,
            "ActiveUserSessions": 2,
            "AvailableUserSessions": 6,
        }

    def test_an_elastic_fleet_has_room_for_its_concurrent_sessions(self, appstream):
        appstream.create_fleet(Name=FLEET, **ELASTIC_MEMBERS)
        appstream.start_fleet(Name=FLEET)
        assert capacity(appstream) == {"Desired": 5, "Running": 5, "InUse": 0, "Available": 5}

    def test_a_running_fleet_changes_its_capacity_but_not_its_instance_type(self, lab, rejected):
        updated = lab.update_fleet(Name=FLEET, ComputeCapacity={"DesiredInstances": 7})["Fleet"]
        assert updated["ComputeCapacityStatus"]["Running"] == 7
        with rejected("ResourceInUseException"):
            lab.update_fleet(Name=FLEET, InstanceType="stream.standard.large")
        lab.stop_fleet(Name=FLEET)
        updated = lab.update_fleet(Name=FLEET, InstanceType="stream.standard.large")["Fleet"]
        assert updated["InstanceType"] == "stream.standard.large"

    def test_a_starting_fleet_cannot_be_updated(self, simulator, appstream, rejected):
        simulator.set(fleet_starting_seconds=60)
        simulator.seed_lab(STACK, FLEET, wait=False)
        with rejected("OperationNotPermittedException"):
            appstream.update_fleet(Name=FLEET, DisplayName="Class")

    def test_update_deletes_attributes_and_rejects_a_fleet_that_would_not_work(self, appstream, rejected):
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS, DomainJoinInfo={"DirectoryName": "example.org"})
        updated = appstream.update_fleet(Name=FLEET, AttributesToDelete=["DOMAIN_JOIN_INFO"])["Fleet"]
        assert "DomainJoinInfo" not in updated
        with rejected("InvalidParameterCombinationException"):
            appstream.update_fleet(Name=FLEET, ComputeCapacity={"DesiredSessions": 3})
        with rejected("InvalidParameterCombinationException"):
            appstream.update_fleet(DisplayName="no name given")

    def test_a_fleet_is_deleted_when_stopped_and_associated_with_nothing(self, lab, rejected):
        with rejected("ResourceInUseException"):
            lab.delete_fleet(Name=FLEET)
        lab.stop_fleet(Name=FLEET)
        with rejected("ResourceInUseException"):
            lab.delete_fleet(Name=FLEET)
        lab.disassociate_fleet(**LAB)
        lab.delete_fleet(Name=FLEET)
        assert lab.describe_fleets()["Fleets"] == []

    @pytest.mark.parametrize("operation", ["update_fleet", "delete_fleet", "start_fleet", "stop_fleet"])
    def test_an_unknown_fleet_is_not_found(self, appstream, rejected, operation):
        with rejected("ResourceNotFoundException"):
            getattr(appstream, operation)(Name="nowhere")


class TestUsers:
    def users(self, appstream):
        return appstream.describe_users(AuthenticationType="USERPOOL", MaxResults=25)["Users"]

    def test_a_user_is_described_until_deleted(self, appstream):
        appstream.create_user(**ANNA, FirstName="Anna", LastName="B", MessageAction="SUPPRESS")
        [user] = self.users(appstream)
        assert user.items() >= {**ANNA, "FirstName": "Anna", "LastName": "B", "Enabled": True}.items()
        assert "MessageAction" not in user
        appstream.create_user(**ANNA, MessageAction="RESEND")
        assert self.users(appstream) == [user]

        appstream.disable_user(**ANNA)
        assert self.users(appstream) == [{**user, "Enabled": False}]
        appstream.enable_user(**ANNA)
        assert self.users(appstream) == [user]
        appstream.delete_user(**ANNA)
        assert self.users(appstream) == []

    def test_a_second_user_of_the_same_name_is_rejected_but_names_have_cases(self, appstream, rejected):
        appstream.create_user(**ANNA)
        with rejected("ResourceAlreadyExistsException"):
            appstream.create_user(**ANNA)
        appstream.create_user(**{**ANNA, "UserName": "Anna@example.org"})
        assert len(self.users(appstream)) == 2

    @pytest.mark.parametrize("operation", ["enable_user", "disable_user", "delete_user"])
    def test_an_unknown_user_is_not_found(self, appstream, rejected, operation):
        with rejected("ResourceNotFoundException"):
            getattr(appstream, operation)(**ANNA)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"UserName": "anna b"}, "ValidationException"),
            ({"FirstName": "Zoë"}, "ValidationException"),
            ({"AuthenticationType": "SAML"}, "InvalidParameterCombinationException"),
        ],
    )
    def test_what_the_user_pool_cannot_hold_is_rejected(self, appstream, rejected, change, code):
        with rejected(code):
            appstream.create_user(**{**ANNA, **change})
        assert self.users(appstream) == []


def test_usage_reports_are_subscribed_to_once_until_it_ends(appstream, rejected):
    def subscriptions():
        return appstream.describe_usage_report_subscriptions()["UsageReportSubscriptions"]

    assert subscriptions() == []
    created = appstream.create_usage_report_subscription()
    assert created["S3BucketName"].startswith("appstream-logs-us-east-1-123456789012-")
    assert created["Schedule"] == "DAILY"
    assert appstream.create_usage_report_subscription()["S3BucketName"] == created["S3BucketName"]
    [subscription] = subscriptions()
    assert subscription["S3BucketName"] == created["S3BucketName"]
    appstream.delete_usage_report_subscription()
    assert subscriptions() == []
    with rejected("ResourceNotFoundException"):
        appstream.delete_usage_report_subscription()


class TestAssociations:
    def test_an_association_shows_from_both_sides_until_it_is_undone(self, lab):
        assert lab.list_associated_fleets(StackName=STACK)["Names"] == [FLEET]
        assert lab.list_associated_stacks(FleetName=FLEET)["Names"] == [STACK]
        lab.disassociate_fleet(**LAB)
        assert lab.list_associated_fleets(StackName=STACK)["Names"] == []
        assert lab.list_associated_stacks(FleetName=FLEET)["Names"] == []

    @pytest.mark.parametrize("operation", ["associate_fleet", "disassociate_fleet"])
    @pytest.mark.parametrize("unknown", ["StackName", "FleetName"])
    def test_both_must_exist(self, lab, rejected, operation, unknown):
        with rejected("ResourceNotFoundException"):
            getattr(lab, operation)(**{**LAB, unknown: "nowhere"})

    def test_a_fleet_with_sessions_stays_associated(self, simulator, lab, rejected):
        simulator.open(lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"])
        with rejected("ResourceInUseException"):
            lab.disassociate_fleet(**LAB)


class TestPagination:
    NAMES = ("a1", "a2", "a3", "a4", "a5")

    def test_boto3s_paginators_find_every_item(self, appstream):
        for name in self.NAMES:
            appstream.create_stack(Name=name)
            appstream.create_fleet(Name=name, **FLEET_MEMBERS)
            appstream.associate_fleet(StackName="a1", FleetName=name)
            appstream.associate_fleet(StackName=name, FleetName="a1")

        def names(operation, member, **request):
            pages = list(appstream.get_paginator(operation).paginate(**request))
            assert [len(page[member]) for page in pages] == [2, 2, 1]
            return tuple(item if isinstance(item, str) else item["Name"] for page in pages for item in page[member])

        assert names("describe_stacks", "Stacks") == self.NAMES
        assert names("describe_fleets", "Fleets") == self.NAMES
        assert names("list_associated_fleets", "Names", StackName="a1") == self.NAMES
        assert names("list_associated_stacks", "Names", FleetName="a1") == self.NAMES

    def test_the_page_size_can_be_set(self, simulator, appstream):
        simulator.set(page_size=4)
        for name in self.NAMES:
            appstream.create_stack(Name=name)
        assert len(appstream.describe_stacks()["Stacks"]) == 4

    def test_a_token_of_another_operation_is_rejected(self, appstream, rejected):
        for name in self.NAMES:
            appstream.create_stack(Name=name)
        token = appstream.describe_stacks()["NextToken"]
        for bad in (token, "rubbish", "é"):
            with rejected("InvalidParameterCombinationException"):
                appstream.describe_fleets(NextToken=bad)


class TestTags:
    @pytest.fixture
    def arns(self, appstream):
        stack = appstream.create_stack(Name=STACK, Tags={"class": "morning"})["Stack"]["Arn"]
        fleet = appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS, Tags={"class": "morning"})["Fleet"]["Arn"]
        return stack, fleet

    def test_tags_are_added_replaced_and_removed(self, appstream, arns):
        for arn in arns:
            appstream.tag_resource(ResourceArn=arn, Tags={"class": "evening", "room": "Zürich 1"})
            assert appstream.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"class": "evening", "room": "Zürich 1"}
            appstream.untag_resource(ResourceArn=arn, TagKeys=["room", "not there"])
            assert appstream.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"class": "evening"}

    def test_a_resource_has_at_most_fifty_tags(self, appstream, arns, rejected):
        with rejected("LimitExceededException"):
            appstream.tag_resource(ResourceArn=arns[0], Tags={f"key{number}": "" for number in range(50)})

    def test_an_unknown_resource_is_not_found(self, appstream, arns, rejected):
        arn = arns[0] + "x"
        with rejected("ResourceNotFoundException"):
            appstream.list_tags_for_resource(ResourceArn=arn)
        with rejected("ResourceNotFoundException"):
            appstream.tag_resource(ResourceArn=arn, Tags={"a": "b"})
        with rejected("ResourceNotFoundException"):
            appstream.untag_resource(ResourceArn=arn, TagKeys=["a"])
