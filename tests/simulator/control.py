# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, steers and stops a simulator from Python: test fixtures, the demo and the benchmarks use this.

    with Simulator.start() as simulator:
        simulator.seed_lab("class", "class-fleet")
        subprocess.run(["ansible-playbook", "lab.yml"], env=simulator.subprocess_environment())

Standard library only, but for ``client`` and ``seed_lab``, which speak AWS and import boto3.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import string
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 10
ACCOUNT = "123456789012"  # of every access key that nobody made
# Prefixes of the variables that a child process must not get from the caller.
SETTINGS = ("AWS_", "MOTO_", "ANSIBLE_", "LABSTREAM_")
# Proxies are for other hosts.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Simulator:
    """A simulator at ``endpoint_url``. Made by ``start`` it owns the process; made directly it uses a running one."""

    def __init__(self, endpoint_url: str, process: subprocess.Popen[str] | None = None) -> None:
        self.endpoint_url = endpoint_url
        self._process = process
        # Any key is accepted. Random ones: Ansible masks a secret's text in whatever it prints.
        self._access_key = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _number in range(16))
        self._secret_key = secrets.token_urlsafe(30)

    @classmethod
    def start(cls, port: int = 0) -> Self:
        """Start a simulator, which ends with this process; RuntimeError if it is not ready in half a minute."""
        command = [sys.executable, "-m", "tests.simulator", "--port", str(port), "--stop-at-eof"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=CHECKOUT, env=_neutral(), stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        line = process.stdout.readline() if select.select([process.stdout], [], [], START_SECONDS)[0] else ""
        if not line:
            process.kill()
            raise RuntimeError(f"The simulator did not start (exit status {process.wait()}).")
        return cls(json.loads(line)["endpoint_url"], process)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Stop the process, if this object started it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def environment(self, region: str = "us-east-1") -> dict[str, str]:
        """Variables that point boto3, the ``aws`` command and amazon.aws modules here, and at no real account."""
        return {
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_URL": self.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Clients differ in which of the two they read first.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def subprocess_environment(self, region: str = "us-east-1") -> dict[str, str]:
        """A whole environment for a child process: the caller's without its AWS_PROFILE and the like, and the above."""
        return {**_neutral(), **self.environment(region)}

    # Steering

    def reset(self) -> None:
        """Remove everything: resources of all services, settings, faults, calls and URLs."""
        self._request("POST", "reset")

    def set(self, **settings: float | bool) -> dict[str, Any]:
        """Change settings; returns all of them. README.md has the table."""
        return self._request("POST", "settings", settings)

    def add_fault(self, **rule: Any) -> None:
        """Put a fault in force: ``add_fault(operation="CreateStreamingURL", error={"code": ...}, times=1)``."""
        self._request("POST", "faults", rule)

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, in their order; ``acted`` is on how many calls each has."""
        return self._request("GET", "faults")

    def clear_faults(self) -> None:
        self._request("DELETE", "faults")

    def calls(self, operation: str | None = None, **selection: str) -> list[dict[str, Any]]:
        """The API calls so far, in order; of one operation, service, account or region if given."""
        if operation:
            selection["operation"] = operation
        return self._request("GET", f"calls?{urllib.parse.urlencode(selection)}")

    def streaming_urls(self) -> list[str]:
        """Every streaming URL issued so far, in order. They are secrets: search outputs for them, print none."""
        return self._request("GET", "streaming_urls")

    # AppStream: images, and what no operation does to a fleet.

    def put_image(self, name: str, *, region: str = "us-east-1", account: str = ACCOUNT, **members: Any) -> str:
        """Make an image, or replace it: ``put_image("lab-image", Applications=["cad"])``; returns its ARN.

        README.md says which members there are.
        """
        body = {**members, "Name": name, "region": region, "account": account}
        return self._request("POST", "appstream/images", body)["Arn"]

    def remove_image(self, name: str, *, region: str = "us-east-1", account: str = ACCOUNT) -> None:
        """Delete an image, or end that it is shared with the account."""
        self._delete("appstream/images", Name=name, region=region, account=account)

    def change_fleet(self, name: str, *, region: str = "us-east-1", account: str = ACCOUNT, **members: Any) -> None:
        """Give a fleet errors, or its starts another outcome: ``change_fleet("class-fleet", StartOutcome="STOPPED")``.

        README.md says which members there are.
        """
        self._request("POST", "appstream/fleets", {**members, "Name": name, "region": region, "account": account})

    # GameLift Streams: what no operation makes here. README.md says which members there are.

    def seed_stream_group(
        self,
        group_id: str,
        applications: Iterable[str] = ("a-lab",),
        locations: Iterable[str | dict[str, Any]] = ("us-east-1",),
        *,
        region: str = "us-east-1",
        account: str = ACCOUNT,
        **members: Any,
    ) -> str:
        """Make an ACTIVE stream group with its applications and locations: names, or their members; returns its ARN.

        seed_stream_group("sg-lab", ["a-cad"], [{"LocationName": "us-east-1", "AlwaysOnCapacity": 2}])
        """
        definition = {"Applications": list(applications), "Locations": list(locations), **members}
        body = {"Id": group_id, "region": region, "account": account, **definition}
        return self._request("POST", "gameliftstreams/stream_groups", body)["Arn"]

    def change_stream_group(
        self, group_id: str, *, region: str = "us-east-1", account: str = ACCOUNT, **members: Any
    ) -> None:
        """Change members of a stream group, of locations too: ``change_stream_group("sg-lab", Status="ERROR")``."""
        body = {**members, "Id": group_id, "region": region, "account": account}
        self._request("POST", "gameliftstreams/stream_groups", body)

    def delete_stream_group(self, group_id: str, *, region: str = "us-east-1", account: str = ACCOUNT) -> None:
        """Delete a stream group, which revokes its URLs and ends its sessions."""
        self._delete("gameliftstreams/stream_groups", Id=group_id, region=region, account=account)

    def seed_application(self, application_id: str, *, region: str = "us-east-1", account: str = ACCOUNT) -> str:
        """Make an application of GameLift Streams that no stream group has; returns its ARN."""
        body = {"Id": application_id, "region": region, "account": account}
        return self._request("POST", "gameliftstreams/applications", body)["Arn"]

    def delete_application(self, application_id: str, *, region: str = "us-east-1", account: str = ACCOUNT) -> None:
        """Delete an application and its associations, which revokes its URLs and ends their sessions."""
        self._delete("gameliftstreams/applications", Id=application_id, region=region, account=account)

    def stream_urls(self, group_id: str | None = None) -> list[dict[str, Any]]:
        """GameLift's stream URLs of all stream groups, or of one, as they were created, without their text."""
        every = self._request("GET", "gameliftstreams/stream_urls")
        return [url for url in every if group_id in (None, url["StreamGroupId"])]

    def change_stream_url(self, url_id: str, **members: Any) -> None:
        """Set the ``RemainingUses`` of a stream URL, or let it expire ``ExpiresIn`` seconds from now."""
        self._request("POST", "gameliftstreams/stream_urls", {"StreamUrlId": url_id, **members})

    def remove_stream_url(self, url_id: str) -> None:
        """Forget a stream URL and its client token, as if it had never been created."""
        self._delete("gameliftstreams/stream_urls", StreamUrlId=url_id)

    def stream_sessions(self, url_id: str | None = None) -> list[dict[str, Any]]:
        """GameLift's stream sessions of all stream groups, or those that one URL started, as they were started."""
        every = self._request("GET", "gameliftstreams/stream_sessions")
        return [session for session in every if url_id in (None, session["StreamUrlId"])]

    def change_stream_session(self, session_id: str, **members: Any) -> None:
        """Give a stream session another ``Status`` and ``StatusReason``."""
        self._request("POST", "gameliftstreams/stream_sessions", {"StreamSessionId": session_id, **members})

    # Nimble: what no operation makes here. README.md says which members there are.

    def seed_studio(
        self,
        studio_id: str,
        sessions: Iterable[str | dict[str, Any]] = (),
        *,
        region: str = "us-east-1",
        account: str = ACCOUNT,
        **members: Any,
    ) -> None:
        """Make a studio, unless it is there, and add sessions: ids, or their members; ``members`` go to each of them.

        seed_studio("studio", ["seat-01", {"sessionId": "seat-02", "ownedBy": "anna"}], state="STOPPED")
        """
        definitions = [{**members, **({"sessionId": one} if isinstance(one, str) else one)} for one in sessions]
        body = {"studioId": studio_id, "sessions": definitions, "region": region, "account": account}
        self._request("POST", "nimble/studios", body)

    def change_session(
        self, studio_id: str, session_id: str, *, region: str = "us-east-1", account: str = ACCOUNT, **members: Any
    ) -> None:
        """Change members of a Nimble session: ``change_session("studio", "seat-01", state="STOPPED")``."""
        body = {**members, "studioId": studio_id, "sessionId": session_id, "region": region, "account": account}
        self._request("POST", "nimble/sessions", body)

    def streams(self, session_id: str | None = None) -> list[dict[str, Any]]:
        """Nimble's streams of all studios, or of one session, as they were created, without their URLs."""
        every = self._request("GET", "nimble/streams")
        return [stream for stream in every if session_id in (None, stream["sessionId"])]

    def change_stream(self, stream_id: str, **members: Any) -> None:
        """Give a stream another ``state`` and ``statusCode``, or let it expire ``expiresIn`` seconds from now."""
        self._request("POST", "nimble/streams", {"streamId": stream_id, **members})

    def expire_stream(self, stream_id: str) -> None:
        """Let a stream expire now."""
        self.change_stream(stream_id, expiresIn=0)

    def remove_stream(self, stream_id: str) -> None:
        """Remove a stream, as if it had never been created."""
        self._delete("nimble/streams", streamId=stream_id)

    def _delete(self, path: str, **selection: str) -> None:
        self._request("DELETE", f"{path}?{urllib.parse.urlencode(selection)}")

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}/_simulator/{path}", data, method=method)
        try:
            with _OPENER.open(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None

    # Using

    def open(self, url: str) -> tuple[int, str]:
        """Open a streaming URL as a browser does: the HTTP status and the page."""
        try:
            with _OPENER.open(url, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def client(self, service: str, region: str = "us-east-1", **options: Any) -> Any:
        """A boto3 client of the simulator. Call this from one thread; the client itself may be shared."""
        defaults = {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self._access_key,
            "aws_secret_access_key": self._secret_key,
        }
        return self._session.client(service, region_name=region, **{**defaults, **options})

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.session.Session()

    def seed_lab(
        self,
        stack: str,
        fleet: str,
        *,
        instances: int = 30,
        region: str = "us-east-1",
        wait: bool = True,
        **members: Any,
    ) -> None:
        """Make a stack with a running fleet, over the AWS API. ``members`` go to CreateFleet as they are.

        The fleet shows the desktop, and its image has the application "cad".
        """
        appstream = self.client("appstream", region)
        appstream.create_stack(Name=stack)
        self.put_image("lab-image", region=region, Applications=["cad"])
        defaults = {
            "InstanceType": "stream.standard.medium",
            "ImageName": "lab-image",
            "StreamView": "DESKTOP",
            "ComputeCapacity": {"DesiredInstances": instances},
        }
        appstream.create_fleet(Name=fleet, **{**defaults, **members})
        appstream.associate_fleet(StackName=stack, FleetName=fleet)
        appstream.start_fleet(Name=fleet)
        deadline = time.monotonic() + 60
        while wait and appstream.describe_fleets(Names=[fleet])["Fleets"][0]["State"] != "RUNNING":
            if time.monotonic() > deadline:
                raise RuntimeError(f"The fleet {fleet} did not start in a minute.")
            time.sleep(0.1)


def _neutral() -> dict[str, str]:
    """The caller's environment without its settings of AWS, moto, Ansible and this collection."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
