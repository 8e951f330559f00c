# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab of these tests is called and made of."""

from __future__ import annotations

STACK, FLEET = "class", "class-fleet"
# Of GameLift Streams: ids, a location, and what CreateStreamUrl requires.
GROUP, APPLICATION, LOCATION = "sg-class", "a-cad", "us-east-1"
STREAM = {
    "Identifier": GROUP,
    "ApplicationIdentifier": APPLICATION,
    "Protocol": "WebRTC",
    "UrlExpiresAfterMinutes": 60,
    "Locations": [LOCATION],
}
LAB = {"StackName": STACK, "FleetName": FLEET}
FLEET_MEMBERS = {
    "InstanceType": "stream.standard.medium",
    "ImageName": "lab-image",
    "ComputeCapacity": {"DesiredInstances": 2},
}
