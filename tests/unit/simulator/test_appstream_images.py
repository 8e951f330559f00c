# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images with their applications, and the applications of elastic fleets."""

from __future__ import annotations

import pytest

from tests.unit.simulator.support import FLEET, FLEET_MEMBERS

OWN = "arn:aws:appstream:us-east-1:123456789012"
ELASTIC = {
    "InstanceType": "stream.standard.medium",
    "FleetType": "ELASTIC",
    "MaxConcurrentSessions": 2,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
}


def names(members):
    return [each["Name"] for each in members]


def pages(operation, member, **parameters):
    """The sizes of the pages, and all items."""
    sizes, items, token = [], [], {}
    while True:
        page = operation(**parameters, **token)
        sizes.append(len(page[member]))
        items += page[member]
        if "NextToken" not in page:
            return sizes, items
        token = {"NextToken": page["NextToken"]}


@pytest.fixture
def elastic(simulator, appstream):
    """The client, with an elastic fleet of three applications."""
    appstream.create_fleet(Name=FLEET, **ELASTIC)
    simulator.change_fleet(FLEET, Applications=["cad", {"Name": "cam", "DisplayName": "CAM 2"}, "office"])
    return appstream


class TestImages:
    def test_an_image_has_its_applications_by_name_and_display_name(self, simulator, appstream):
        arn = simulator.put_image("cad-image", Applications=["cad", {"Name": "cam", "Enabled": False}])

        [image] = appstream.describe_images(Arns=[arn])["Images"]

        assert arn == f"{OWN}:image/cad-image"
        assert (image["Name"], image["Visibility"], image["State"]) == ("cad-image", "PRIVATE", "AVAILABLE")
        assert image["DynamicAppProvidersEnabled"] == "DISABLED"
        assert image["Applications"] == [
            {"Name": "cad", "DisplayName": "cad", "Enabled": True},
            {"Name": "cam", "DisplayName": "cam", "Enabled": False},
        ]
        assert appstream.describe_images(Names=["cad-image"])["Images"] == [image]

    def test_an_image_may_list_no_applications(self, simulator, appstream):
        simulator.put_image("cad-image", DynamicAppProvidersEnabled="ENABLED")
        [image] = appstream.describe_images()["Images"]
        assert image["DynamicAppProvidersEnabled"] == "ENABLED"
        assert "Applications" not in image

    def test_an_image_that_is_put_again_is_replaced(self, simulator, appstream):
        simulator.put_image("cad-image", Applications=["cad"])
        simulator.put_image("cad-image", Visibility="SHARED")
        [image] = appstream.describe_images()["Images"]
        assert "Applications" not in image

    def test_a_shared_image_is_found_by_its_arn_until_it_is_shared_no_more(self, simulator, appstream, rejected):
        arn = simulator.put_image("cad-image", Visibility="SHARED")
        assert arn == "arn:aws:appstream:us-east-1:210987654321:image/cad-image"
        assert names(appstream.describe_images(Arns=[arn])["Images"]) == ["cad-image"]
        with rejected("ResourceNotFoundException"):
            appstream.describe_images(Names=["cad-image"])

        simulator.remove_image("cad-image")

        assert appstream.describe_images(Arns=[arn])["Images"] == []

    def test_a_public_image_belongs_to_no_account(self, simulator, appstream):
        arn = simulator.put_image("base", Visibility="PUBLIC")
        assert arn == "arn:aws:appstream:us-east-1::image/base"
        assert names(appstream.describe_images(Names=["base"])["Images"]) == ["base"]

    def test_images_are_listed_by_type_and_in_pages(self, simulator, appstream):
        for number in range(3):
            simulator.put_image(f"own-{number}")
        simulator.put_image("base", Visibility="PUBLIC")

        assert pages(appstream.describe_images, "Images")[0] == [2, 2]
        assert pages(appstream.describe_images, "Images", MaxResults=3)[0] == [3, 1]
        assert names(appstream.describe_images(Type="PUBLIC")["Images"]) == ["base"]

    def test_regions_are_kept_apart(self, simulator, appstream):
        simulator.put_image("cad-image", region="eu-central-1")
        assert appstream.describe_images()["Images"] == []

    def test_bad_input_is_rejected(self, simulator, appstream, rejected):
        arn = simulator.put_image("cad-image")
        with rejected("InvalidParameterCombinationException"):
            appstream.describe_images(Names=["cad-image"], Arns=[arn])
        with rejected("InvalidParameterCombinationException"):
            appstream.describe_images(MaxResults=0)
        with rejected("ValidationException"):
            appstream.describe_images(MaxResults=26)
        with rejected("ValidationException"):
            appstream.describe_images(Arns=["cad-image"])
        with rejected("ResourceNotFoundException"):
            appstream.describe_images(Names=["cad-image", "other"])

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            ({"Applications": "cad"}, "Applications must be a list, not 'cad'"),
            ({"Applications": [{"DisplayName": "CAD"}]}, "Applications holds names, or objects with Name"),
            ({"Applications": ["cad", "cad"]}, "Applications has a name twice"),
            ({"Applications": [{"Name": "cad", "Enabled": "yes"}]}, "Enabled must be a boolean"),
            ({"Applications": [{"Name": "cad", "Icon": "x"}]}, "Icon is not a member of Application"),
            ({"DynamicAppProvidersEnabled": True}, "DynamicAppProvidersEnabled must be a string"),
            ({"DynamicAppProvidersEnabled": "YES"}, "Member must satisfy enum value set"),
            ({"Visibility": "HIDDEN"}, "Member must satisfy enum value set"),
            ({"Shared": True}, "Shared is not a member of Image"),
            ({"region": "mars-1"}, "AppStream has no endpoint in the region 'mars-1'"),
        ],
    )
    def test_a_bad_image_is_rejected_with_a_reason_and_the_old_one_stays(self, simulator, appstream, members, reason):
        simulator.put_image("cad-image", Applications=["cad"])
        with pytest.raises(ValueError, match=reason):
            simulator.put_image("cad-image", **members)
        assert names(appstream.describe_images()["Images"][0]["Applications"]) == ["cad"]

    def test_an_image_that_is_not_there_cannot_be_removed(self, simulator):
        with pytest.raises(ValueError, match="There is no image 'cad-image'"):
            simulator.remove_image("cad-image")


class TestImagesOfFleets:
    @pytest.mark.parametrize("by_arn", [True, False])
    def test_a_fleet_has_the_name_and_the_arn_of_its_image(self, simulator, appstream, by_arn):
        arn = simulator.put_image("base", Visibility="PUBLIC")
        image = {"ImageArn": arn, "ImageName": None} if by_arn else {"ImageName": "base"}
        members = {name: value for name, value in {**FLEET_MEMBERS, **image}.items() if value is not None}
        appstream.create_fleet(Name=FLEET, **members)

        [fleet] = appstream.describe_fleets()["Fleets"]

        assert (fleet["ImageName"], fleet["ImageArn"]) == ("base", arn)

    def test_another_image_replaces_both(self, appstream):
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)
        appstream.update_fleet(Name=FLEET, ImageArn=f"{OWN}:image/second")
        fleet = appstream.update_fleet(Name=FLEET, ImageName="third")["Fleet"]
        assert (fleet["ImageName"], fleet["ImageArn"]) == ("third", f"{OWN}:image/third")

    def test_a_fleet_has_its_stream_view(self, appstream):
        assert appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)["Fleet"]["StreamView"] == "APP"
        assert appstream.update_fleet(Name=FLEET, IdleDisconnectTimeoutInSeconds=60)["Fleet"]["StreamView"] == "APP"
        desktop = appstream.create_fleet(Name="desktop", **FLEET_MEMBERS, StreamView="DESKTOP")["Fleet"]
        assert desktop["StreamView"] == "DESKTOP"


class TestApplicationsOfElasticFleets:
    def test_they_are_found_by_their_arns_in_pages(self, elastic):
        sizes, found = pages(
            elastic.describe_application_fleet_associations, "ApplicationFleetAssociations", FleetName=FLEET
        )
        assert sizes == [2, 1]
        arns = [association["ApplicationArn"] for association in found]
        assert arns == [f"{OWN}:application/{name}" for name in ("cad", "cam", "office")]

        sizes, applications = pages(elastic.describe_applications, "Applications", Arns=arns)
        assert sizes == [2, 1]
        assert [(each["Name"], each["DisplayName"]) for each in applications] == [
            ("cad", "cad"),
            ("cam", "CAM 2"),
            ("office", "office"),
        ]

    def test_associations_are_found_by_application_too(self, simulator, elastic):
        elastic.create_fleet(Name="second", **ELASTIC)
        simulator.change_fleet("second", Applications=["cad"])
        arn = f"{OWN}:application/cad"
        found = elastic.describe_application_fleet_associations(ApplicationArn=arn)["ApplicationFleetAssociations"]
        assert [association["FleetName"] for association in found] == [FLEET, "second"]
        found = elastic.describe_application_fleet_associations(ApplicationArn=arn, FleetName="second")
        assert len(found["ApplicationFleetAssociations"]) == 1

    def test_they_are_replaced_and_those_of_no_fleet_are_still_listed(self, simulator, elastic):
        simulator.change_fleet(FLEET, Applications=[])
        associations = elastic.describe_application_fleet_associations(FleetName=FLEET)["ApplicationFleetAssociations"]
        assert associations == []
        assert len(elastic.describe_applications(MaxResults=25)["Applications"]) == 3

    def test_bad_input_is_rejected(self, elastic, rejected):
        with rejected("InvalidParameterCombinationException"):
            elastic.describe_application_fleet_associations()
        with rejected("ResourceNotFoundException"):
            elastic.describe_applications(Arns=[f"{OWN}:application/other"])
        with rejected("InvalidParameterCombinationException"):
            elastic.describe_applications(NextToken="nonsense")
        with rejected("InvalidParameterCombinationException"):
            elastic.describe_applications(MaxResults=26)

    def test_only_an_elastic_fleet_is_given_applications(self, simulator, appstream):
        appstream.create_fleet(Name=FLEET, **FLEET_MEMBERS)
        with pytest.raises(ValueError, match="has its applications from its image"):
            simulator.change_fleet(FLEET, Applications=["cad"])
