# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStreamBackend class with methods for supported APIs.

Each operation is a method that takes the request's members and returns the reply's; times are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.core.exceptions import InvalidToken
from moto.core.utils import unix_time
from moto.moto_api import state_manager

# moto's own backends import these from there: there is no public place.
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.utilities.paginator import Paginator

from .exceptions import (
    ConcurrentModificationException,
    InvalidParameterCombinationException,
    LimitExceededException,
    OperationNotPermittedException,
    ResourceAlreadyExistsException,
    ResourceInUseException,
    ResourceNotAvailableException,
    ResourceNotFoundException,
)

Members = dict[str, Any]

FLEET_MODEL = "appstream::fleet"

VALIDITY = range(1, 604_800 + 1)
DEFAULT_VALIDITY = 60
MAX_TAGS = 50
SESSIONS_PAGE = range(1, 50 + 1)
MAX_RESULTS = range(1, 25 + 1)  # of every list that has it

# The permissions that a stack has unless it is given others.
USER_SETTINGS = {
    "CLIPBOARD_COPY_FROM_LOCAL_DEVICE": "ENABLED",
    "CLIPBOARD_COPY_TO_LOCAL_DEVICE": "ENABLED",
    "FILE_UPLOAD": "ENABLED",
    "FILE_DOWNLOAD": "ENABLED",
    "PRINTING_TO_LOCAL_DEVICE": "ENABLED",
    "DOMAIN_PASSWORD_SIGNIN": "ENABLED",
    "DOMAIN_SMART_CARD_SIGNIN": "DISABLED",
    "AUTO_TIME_ZONE_REDIRECTION": "DISABLED",
}
FLEET_DEFAULTS: Members = {
    "FleetType": "ALWAYS_ON",
    "MaxUserDurationInSeconds": 57_600,
    "DisconnectTimeoutInSeconds": 900,
    "IdleDisconnectTimeoutInSeconds": 0,
    "EnableDefaultInternetAccess": False,
    "StreamView": "APP",
}
FLEET_SECONDS = {
    "MaxUserDurationInSeconds": range(600, 432_000 + 1),
    "DisconnectTimeoutInSeconds": range(60, 36_000 + 1),
    "IdleDisconnectTimeoutInSeconds": range(60, 36_000 + 1),  # or 0: never
}
UPDATABLE_WHILE_RUNNING = {
    False: {
        "DisplayName",
        "ComputeCapacity",
        "ImageArn",
        "ImageName",
        "IdleDisconnectTimeoutInSeconds",
        "DisconnectTimeoutInSeconds",
    },
    True: {  # elastic fleets
        "DisplayName",
        "IdleDisconnectTimeoutInSeconds",
        "DisconnectTimeoutInSeconds",
        "MaxConcurrentSessions",
        "SessionScriptS3Location",
        "UsbDeviceFilterStrings",
    },
}
# AttributesToDelete names members in a way of its own.
FLEET_ATTRIBUTES = {
    "VPC_CONFIGURATION": "VpcConfig",
    "DOMAIN_JOIN_INFO": "DomainJoinInfo",
    "IAM_ROLE_ARN": "IamRoleArn",
    "USB_DEVICE_FILTER_STRINGS": "UsbDeviceFilterStrings",
    "SESSION_SCRIPT_S3_LOCATION": "SessionScriptS3Location",
    "MAX_SESSIONS_PER_INSTANCE": "MaxSessionsPerInstance",
    "VOLUME_CONFIGURATION": "RootVolumeConfig",
}
STACK_ATTRIBUTES = {
    "STORAGE_CONNECTORS": "StorageConnectors",
    "REDIRECT_URL": "RedirectURL",
    "FEEDBACK_URL": "FeedbackURL",
    "USER_SETTINGS": "UserSettings",
    "EMBED_HOST_DOMAINS": "EmbedHostDomains",
    "ACCESS_ENDPOINTS": "AccessEndpoints",
    "STREAMING_EXPERIENCE_SETTINGS": "StreamingExperienceSettings",
    "CONTENT_REDIRECTION": "ContentRedirection",
    "AGENT_ACCESS_CONFIG": "AgentAccessConfig",
    "STORAGE_CONNECTOR_AUTHENTICATION": "StorageConnectorAuthentication",
}


@dataclass
class Stack(BaseModel):
    name: str
    arn: str
    attributes: Members
    tags: dict[str, str]
    created: float

    def describe(self) -> Members:
        settings = {action: {"Action": action, "Permission": given} for action, given in USER_SETTINGS.items()}
        settings |= {one["Action"]: one for one in self.attributes.get("UserSettings", [])}
        return {
            "StorageConnectors": [],
            "StackErrors": [],
            "ApplicationSettings": {"Enabled": False},
            **self.attributes,
            "UserSettings": list(settings.values()),
            "Name": self.name,
            "Arn": self.arn,
            "CreatedTime": self.created,
        }


@dataclass
class Fleet(BaseModel):
    name: str
    arn: str
    attributes: Members
    tags: dict[str, str]
    created: float
    errors: list[Members] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)  # ARNs, of an elastic fleet
    progress: ManagedState = field(default_factory=lambda: ManagedState(FLEET_MODEL, [("STOPPED", "STOPPED")]))

    def start(self) -> None:
        self.progress = ManagedState(FLEET_MODEL, [("STARTING", "RUNNING")])

    def stop(self) -> None:
        self.progress = ManagedState(FLEET_MODEL, [("STOPPING", "STOPPED")])

    def update(self, attributes: Members) -> None:
        self.attributes = attributes

    @property
    def state(self) -> str:
        return self.progress.status or ""

    @property
    def elastic(self) -> bool:
        return self.attributes["FleetType"] == "ELASTIC"

    @property
    def instances(self) -> int:
        """How many instances the fleet runs when it has started; an elastic fleet has one for each session."""
        if self.elastic:
            return self.attributes["MaxConcurrentSessions"]
        capacity = self.attributes["ComputeCapacity"]
        if "DesiredSessions" in capacity:
            return math.ceil(capacity["DesiredSessions"] / self.attributes["MaxSessionsPerInstance"])
        return capacity["DesiredInstances"]

    @property
    def provisioned(self) -> int:
        """How many instances there are now."""
        return self.instances if self.state == "RUNNING" else 0

    @property
    def session_slots(self) -> int:
        return self.provisioned * self.attributes.get("MaxSessionsPerInstance", 1)

    def capacity_status(self, sessions: int) -> Members:
        per_instance = self.attributes.get("MaxSessionsPerInstance", 1)
        running = self.provisioned
        in_use = math.ceil(sessions / per_instance)
        status = {
            "Desired": self.instances,
            "Running": running,
            "InUse": in_use,
            "Available": max(running - in_use, 0),
        }
        if "MaxSessionsPerInstance" in self.attributes:
            status |= {
                "DesiredUserSessions": self.instances * per_instance,
                "ActualUserSessions": self.session_slots,
                "ActiveUserSessions": sessions,
                "AvailableUserSessions": max(self.session_slots - sessions, 0),
            }
        return status

    def describe(self, sessions: int) -> Members:
        return {
            **{name: value for name, value in self.attributes.items() if name != "ComputeCapacity"},
            "Name": self.name,
            "Arn": self.arn,
            "State": self.state,
            "ComputeCapacityStatus": self.capacity_status(sessions),
            "FleetErrors": self.errors,
            "CreatedTime": self.created,
        }


@dataclass(frozen=True)
class Session(BaseModel):
    """One user's session on a stack's fleet; while it lives, its user comes back to it."""

    id: str
    user_id: str
    stack: Stack
    fleet: Fleet
    started: float
    ends: float

    def describe(self) -> Members:
        return {
            "Id": self.id,
            "UserId": self.user_id,
            "StackName": self.stack.name,
            "FleetName": self.fleet.name,
            "State": "ACTIVE",
            "ConnectionState": "CONNECTED",
            "StartTime": self.started,
            "MaxExpirationTime": self.ends,
            "AuthenticationType": "API",
        }


class AppStreamBackend(BaseBackend):
    """The service in one account and region."""

    clock = staticmethod(unix_time)
    default_page_size = MAX_RESULTS[-1]
    fleet_class = Fleet

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        state_manager.register_default_transition(FLEET_MODEL, {"progression": "immediate"})
        self.stacks: dict[str, Stack] = {}
        self.fleets: dict[str, Fleet] = {}
        self.associations: dict[tuple[str, str], None] = {}  # (stack, fleet), in the order of association
        self.sessions: dict[str, Session] = {}
        self.images: dict[str, Members] = {}  # by their ARNs
        self.applications: dict[str, Members] = {}  # of elastic fleets, by their ARNs
        self.users: dict[str, Members] = {}  # of the user pool, by their names
        self.usage_reports: list[Members] = []  # at most one subscription

    # Stacks

    def create_stack(self, request: Members) -> Members:
        name = request.pop("Name")
        if name in self.stacks:
            raise ResourceAlreadyExistsException(f"The stack {name} already exists.")
        tags = request.pop("Tags", {})
        stack = self.stacks[name] = Stack(name, self.arn("stack", name), request, tags, self._now())
        return {"Stack": stack.describe()}

    def describe_stacks(self, request: Members) -> Members:
        stacks = self._named(self.stacks, self._stack, request)
        page, token = self.paginate("DescribeStacks", stacks, request)
        return {"Stacks": [stack.describe() for stack in page], **token}

    def update_stack(self, request: Members) -> Members:
        stack = self._stack(request.pop("Name"))
        deleted = request.pop("AttributesToDelete", [])
        if request.pop("DeleteStorageConnectors", False):
            deleted = [*deleted, "STORAGE_CONNECTORS"]
        stack.attributes |= request
        _delete_attributes(stack.attributes, deleted, STACK_ATTRIBUTES)
        return {"Stack": stack.describe()}

    def delete_stack(self, request: Members) -> Members:
        stack = self._stack(request["Name"])
        if any(associated == stack.name for associated, _other in self.associations):
            raise ResourceInUseException(f"The stack {stack.name} has an associated fleet.")
        del self.stacks[stack.name]
        return {}

    # Fleets

    def create_fleet(self, request: Members) -> Members:
        name = request.pop("Name")
        if name in self.fleets:
            raise ResourceAlreadyExistsException(f"The fleet {name} already exists.")
        tags = request.pop("Tags", {})
        attributes = FLEET_DEFAULTS | request | self._image_of(request)
        _check_fleet(attributes)
        fleet = self.fleets[name] = self.fleet_class(name, self.arn("fleet", name), attributes, tags, self._now())
        return {"Fleet": fleet.describe(sessions=0)}

    def describe_fleets(self, request: Members) -> Members:
        fleets = self._named(self.fleets, self._fleet, request)
        page, token = self.paginate("DescribeFleets", fleets, request)
        for fleet in page:
            fleet.progress.advance()
        return {"Fleets": [fleet.describe(len(self._sessions_on(fleet))) for fleet in page], **token}

    def update_fleet(self, request: Members) -> Members:
        if "Name" not in request:
            raise InvalidParameterCombinationException("The fleet's name is required.")
        fleet = self._fleet(request.pop("Name"))
        deleted = request.pop("AttributesToDelete", [])
        if request.pop("DeleteVpcConfig", False):
            deleted = [*deleted, "VPC_CONFIGURATION"]
        changed = request.keys() | {FLEET_ATTRIBUTES.get(name, name) for name in deleted}
        if fleet.state in ("STARTING", "STOPPING"):
            raise OperationNotPermittedException(f"The fleet {fleet.name} is {fleet.state}.")
        locked = changed - UPDATABLE_WHILE_RUNNING[fleet.elastic]
        if fleet.state == "RUNNING" and locked:
            message = f"The fleet {fleet.name} must be stopped to update {', '.join(sorted(locked))}."
            raise ResourceInUseException(message)
        attributes = fleet.attributes | request | self._image_of(request)
        _delete_attributes(attributes, deleted, FLEET_ATTRIBUTES)
        _check_fleet(attributes)
        fleet.update(attributes)
        return {"Fleet": fleet.describe(len(self._sessions_on(fleet)))}

    def delete_fleet(self, request: Members) -> Members:
        fleet = self._fleet(request["Name"])
        if fleet.state != "STOPPED":
            raise ResourceInUseException(f"The fleet {fleet.name} is {fleet.state}.")
        if any(associated == fleet.name for _other, associated in self.associations):
            raise ResourceInUseException(f"The fleet {fleet.name} is associated with a stack.")
        del self.fleets[fleet.name]
        return {}

    def start_fleet(self, request: Members) -> Members:
        fleet = self._fleet(request["Name"])
        if fleet.state == "STOPPING":
            raise ConcurrentModificationException(f"The fleet {fleet.name} is STOPPING.")
        if fleet.state == "STOPPED":
            fleet.start()
        return {}

    def stop_fleet(self, request: Members) -> Members:
        fleet = self._fleet(request["Name"])
        if fleet.state in ("RUNNING", "STARTING"):
            for session in self._sessions_on(fleet):
                del self.sessions[session.id]
            fleet.stop()
        return {}

    # Associations

    def associate_fleet(self, request: Members) -> Members:
        stack, fleet = self._stack(request["StackName"]), self._fleet(request["FleetName"])
        self.associations[stack.name, fleet.name] = None
        return {}

    def disassociate_fleet(self, request: Members) -> Members:
        stack, fleet = self._stack(request["StackName"]), self._fleet(request["FleetName"])
        if any(session.stack is stack for session in self._sessions_on(fleet)):
            message = f"The fleet {fleet.name} has sessions on the stack {stack.name}."
            raise ResourceInUseException(message)
        self.associations.pop((stack.name, fleet.name), None)
        return {}

    def list_associated_fleets(self, request: Members) -> Members:
        names = [fleet for stack, fleet in self.associations if stack == request["StackName"]]
        page, token = self.paginate("ListAssociatedFleets", names, request)
        return {"Names": page, **token}

    def list_associated_stacks(self, request: Members) -> Members:
        names = [stack for stack, fleet in self.associations if fleet == request["FleetName"]]
        page, token = self.paginate("ListAssociatedStacks", names, request)
        return {"Names": page, **token}

    # Images, and applications of elastic fleets

    def describe_images(self, request: Members) -> Members:
        names, arns = request.get("Names"), request.get("Arns")
        if names and arns:
            raise InvalidParameterCombinationException("Give Names or Arns, not both.")
        images = list(self.images.values())
        if names:
            own = {image["Name"]: image for image in images if image["Visibility"] != "SHARED"}
            for name in names:
                if name not in own:
                    raise ResourceNotFoundException(f"The image {name} was not found.")
            images = [own[name] for name in names]
        elif arns:
            images = [self.images[arn] for arn in arns if arn in self.images]
        images = [image for image in images if request.get("Type") in (None, image["Visibility"])]
        page, token = self.paginate("DescribeImages", images, request)
        return {"Images": page, **token}

    def describe_application_fleet_associations(self, request: Members) -> Members:
        if "FleetName" not in request and "ApplicationArn" not in request:
            raise InvalidParameterCombinationException("FleetName or ApplicationArn is required.")
        associations = [
            {"FleetName": fleet.name, "ApplicationArn": arn}
            for fleet in self.fleets.values()
            for arn in fleet.applications
            if request.get("FleetName") in (None, fleet.name) and request.get("ApplicationArn") in (None, arn)
        ]
        page, token = self.paginate("DescribeApplicationFleetAssociations", associations, request)
        return {"ApplicationFleetAssociations": page, **token}

    def describe_applications(self, request: Members) -> Members:
        arns = request.get("Arns") or list(self.applications)
        for arn in arns:
            if arn not in self.applications:
                raise ResourceNotFoundException(f"The application {arn} was not found.")
        page, token = self.paginate("DescribeApplications", [self.applications[arn] for arn in arns], request)
        return {"Applications": page, **token}

    # Streaming URLs and sessions

    def create_streaming_url(self, request: Members) -> Members:
        stack, fleet = self._stack(request["StackName"]), self._fleet(request["FleetName"])
        validity = request.get("Validity", DEFAULT_VALIDITY)
        if validity not in VALIDITY:
            message = f"Validity must be between {VALIDITY[0]} and {VALIDITY[-1]} seconds."
            raise InvalidParameterCombinationException(message)
        if (stack.name, fleet.name) not in self.associations:
            message = f"The fleet {fleet.name} is not associated with the stack {stack.name}."
            raise OperationNotPermittedException(message)
        if "DomainJoinInfo" in fleet.attributes:
            message = f"The fleet {fleet.name} is joined to a domain; its users sign in by SAML."
            raise OperationNotPermittedException(message)
        if fleet.state != "RUNNING":
            raise ResourceNotAvailableException(f"The fleet {fleet.name} is {fleet.state}.")
        url, expires = self.issue_url(stack, fleet, request, validity)
        return {"StreamingURL": url, "Expires": expires}

    def issue_url(self, stack: Stack, fleet: Fleet, request: Members, validity: int) -> tuple[str, float]:
        """A new URL, and when it expires."""
        secret = mock_random.token_urlsafe(48)
        url = f"https://appstream2.{self.region_name}.aws.amazon.com/authenticate?parameters={secret}"
        return url, self._now() + validity

    def start_session(self, stack: Stack, fleet: Fleet, user_id: str) -> Session:
        """Start the user's session, or come back to it. No operation does: it happens when a URL is opened."""
        live = self._sessions_on(fleet)
        for session in live:
            if session.stack is stack and session.user_id == user_id:
                return session
        if len(live) >= fleet.session_slots:
            raise ResourceNotAvailableException(f"The fleet {fleet.name} has no instance for another session.")
        started = self._now()
        ends = started + fleet.attributes["MaxUserDurationInSeconds"]
        session = Session(str(mock_random.uuid4()), user_id, stack, fleet, started, ends)
        self.sessions[session.id] = session
        return session

    def describe_sessions(self, request: Members) -> Members:
        if "UserId" in request and "AuthenticationType" not in request:
            message = "AuthenticationType is required when UserId is given."
            raise InvalidParameterCombinationException(message)
        if request.get("Limit", SESSIONS_PAGE[0]) not in SESSIONS_PAGE:
            message = f"Limit must be between {SESSIONS_PAGE[0]} and {SESSIONS_PAGE[-1]}."
            raise InvalidParameterCombinationException(message)
        descriptions = [session.describe() for session in self._live_sessions()]
        wanted: Members = {
            name: request[name] for name in ("StackName", "FleetName", "UserId", "InstanceId") if name in request
        }
        wanted["AuthenticationType"] = request.get("AuthenticationType", "API")
        matching = [one for one in descriptions if all(one.get(name) == value for name, value in wanted.items())]
        page, token = self.paginate("DescribeSessions", matching, request)
        return {"Sessions": page, **token}

    def expire_session(self, request: Members) -> Members:
        self.sessions.pop(request["SessionId"], None)
        return {}

    # The user pool

    def create_user(self, request: Members) -> Members:
        _check_user_pool(request)
        name = request["UserName"]
        if request.pop("MessageAction", "") == "RESEND":
            self._user(request)
        elif name in self.users:
            raise ResourceAlreadyExistsException(f"The user {name} already exists.")
        else:
            facts = {"Arn": self.arn("user", name), "Enabled": True, "Status": "UNCONFIRMED"}
            self.users[name] = {**request, **facts, "CreatedTime": self._now()}
        return {}

    def describe_users(self, request: Members) -> Members:
        _check_user_pool(request)
        page, token = self.paginate("DescribeUsers", list(self.users.values()), request)
        return {"Users": page, **token}

    def enable_user(self, request: Members) -> Members:
        self._user(request)["Enabled"] = True
        return {}

    def disable_user(self, request: Members) -> Members:
        self._user(request)["Enabled"] = False
        return {}

    def delete_user(self, request: Members) -> Members:
        del self.users[self._user(request)["UserName"]]
        return {}

    # Usage reports

    def create_usage_report_subscription(self, request: Members) -> Members:
        if not self.usage_reports:
            bucket = f"appstream-logs-{self.region_name}-{self.account_id}-{mock_random.get_random_hex(8)}"
            self.usage_reports = [{"S3BucketName": bucket, "Schedule": "DAILY"}]
        return self.usage_reports[0]

    def describe_usage_report_subscriptions(self, request: Members) -> Members:
        page, token = self.paginate("DescribeUsageReportSubscriptions", self.usage_reports, request)
        return {"UsageReportSubscriptions": [{**one, "SubscriptionErrors": []} for one in page], **token}

    def delete_usage_report_subscription(self, request: Members) -> Members:
        if not self.usage_reports:
            raise ResourceNotFoundException("There is no subscription to usage reports.")
        self.usage_reports = []
        return {}

    # Tags

    def tag_resource(self, request: Members) -> Members:
        resource = self._resource(request["ResourceArn"])
        tags = resource.tags | request["Tags"]
        if len(tags) > MAX_TAGS:
            raise LimitExceededException(f"A resource has at most {MAX_TAGS} tags.")
        resource.tags = tags
        return {}

    def untag_resource(self, request: Members) -> Members:
        resource = self._resource(request["ResourceArn"])
        for key in request["TagKeys"]:
            resource.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Members) -> Members:
        return {"Tags": self._resource(request["ResourceArn"]).tags}

    # Pages

    def paginate(self, operation: str, items: list[Any], request: Members) -> tuple[list[Any], Members]:
        """One page of ``items`` and, if there are more, the reply's NextToken, which fits this operation only."""
        if "MaxResults" in request and request["MaxResults"] not in MAX_RESULTS:
            message = f"MaxResults must be between {MAX_RESULTS[0]} and {MAX_RESULTS[-1]}."
            raise InvalidParameterCombinationException(message)
        try:
            paginator = Paginator(
                max_results=request.get("Limit", request.get("MaxResults")),
                max_results_default=self.default_page_size,
                starting_token=request.get("NextToken"),
                unique_attribute="number",
                param_values_to_check=operation,
            )
        except (AttributeError, InvalidToken) as reason:  # AttributeError: a token that holds no object
            raise InvalidParameterCombinationException("NextToken is not valid.") from reason
        page, token = [], None
        with suppress(InvalidToken):  # the list has become shorter than it was when the token was issued
            page, token = paginator.paginate([{"number": number, "item": item} for number, item in enumerate(items)])
        return [one["item"] for one in page], {"NextToken": token} if token else {}

    # Lookups

    def _now(self) -> float:
        return round(self.clock(), 3)

    def arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:appstream:{self.region_name}:{self.account_id}:{kind}/{name}"

    def _image_of(self, request: Members) -> Members:
        """The name and the ARN of the image that a request gives a fleet by one of the two."""
        if "ImageArn" in request:
            return {"ImageName": request.get("ImageName", request["ImageArn"].rpartition("/")[2])}
        if "ImageName" in request:
            name = request["ImageName"]
            known = (image["Arn"] for image in self.images.values() if image["Name"] == name)
            return {"ImageArn": next(known, self.arn("image", name))}
        return {}

    def _stack(self, name: str) -> Stack:
        if name not in self.stacks:
            raise ResourceNotFoundException(f"The stack {name} was not found.")
        return self.stacks[name]

    def _fleet(self, name: str) -> Fleet:
        if name not in self.fleets:
            raise ResourceNotFoundException(f"The fleet {name} was not found.")
        return self.fleets[name]

    def _user(self, request: Members) -> Members:
        _check_user_pool(request)
        if request["UserName"] not in self.users:
            raise ResourceNotFoundException(f"The user {request['UserName']} was not found.")
        return self.users[request["UserName"]]

    def _resource(self, arn: str) -> Stack | Fleet:
        resources: list[Stack | Fleet] = [*self.stacks.values(), *self.fleets.values()]
        for resource in resources:
            if resource.arn == arn:
                return resource
        raise ResourceNotFoundException(f"The resource {arn} was not found.")

    @staticmethod
    def _named(resources: dict[str, Any], find: Callable[[str], Any], request: Members) -> list[Any]:
        return [find(name) for name in request["Names"]] if request.get("Names") else list(resources.values())

    def _live_sessions(self) -> list[Session]:
        return [session for session in self.sessions.values() if self.clock() < session.ends]

    def _sessions_on(self, fleet: Fleet) -> list[Session]:
        return [session for session in self._live_sessions() if session.fleet is fleet]


def _check_user_pool(request: Members) -> None:
    if request["AuthenticationType"] != "USERPOOL":
        raise InvalidParameterCombinationException("AuthenticationType must be USERPOOL.")


def _check_fleet(attributes: Members) -> None:
    """Which members of a fleet go together (CreateFleet and UpdateFleet)."""

    def require(condition: bool, message: str) -> None:
        if not condition:
            raise InvalidParameterCombinationException(message)

    for name, seconds in FLEET_SECONDS.items():
        never = name == "IdleDisconnectTimeoutInSeconds" and attributes[name] == 0
        require(never or attributes[name] in seconds, f"{name} must be between {seconds[0]} and {seconds[-1]}.")
    capacity = attributes.get("ComputeCapacity", {})
    if attributes["FleetType"] == "ELASTIC":
        require("ComputeCapacity" not in attributes, "An elastic fleet has MaxConcurrentSessions, not ComputeCapacity.")
        require(attributes.get("MaxConcurrentSessions", 0) > 0, "An elastic fleet needs MaxConcurrentSessions.")
        require("DomainJoinInfo" not in attributes, "An elastic fleet cannot join a domain.")
        subnets = attributes.get("VpcConfig", {}).get("SubnetIds", [])
        require(len(subnets) >= 2, "An elastic fleet needs a VpcConfig with at least two subnets.")
        return
    require("ImageName" in attributes or "ImageArn" in attributes, "ImageName or ImageArn is required.")
    require("MaxConcurrentSessions" not in attributes, "MaxConcurrentSessions is for elastic fleets.")
    require("SessionScriptS3Location" not in attributes, "SessionScriptS3Location is for elastic fleets.")
    require(
        len(capacity) == 1 and min(capacity.values()) >= 0,
        "ComputeCapacity needs one of DesiredInstances and DesiredSessions, and it must not be negative.",
    )
    require(
        ("MaxSessionsPerInstance" in attributes) == ("DesiredSessions" in capacity),
        "DesiredSessions and MaxSessionsPerInstance go together.",
    )
    require(attributes.get("MaxSessionsPerInstance", 1) >= 1, "MaxSessionsPerInstance must be at least 1.")


def _delete_attributes(attributes: Members, names: Iterable[str], members: dict[str, str]) -> None:
    """Apply AttributesToDelete. Names with no member here (a theme, say) delete nothing."""
    for name in names:
        attributes.pop(members.get(name, name), None)
        if name == "VPC_CONFIGURATION_SECURITY_GROUP_IDS":
            attributes.get("VpcConfig", {}).pop("SecurityGroupIds", None)
        elif name.startswith("STORAGE_CONNECTOR_") and name not in members:
            kind = name.removeprefix("STORAGE_CONNECTOR_")
            kept = [one for one in attributes.get("StorageConnectors", []) if one["ConnectorType"] != kind]
            attributes["StorageConnectors"] = kept


appstream_backends: BackendDict[AppStreamBackend] = BackendDict(AppStreamBackend, "appstream")
