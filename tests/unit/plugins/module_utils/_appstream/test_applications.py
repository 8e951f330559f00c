# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import check_applications
from ansible_collections.labstream.aws.plugins.module_utils._appstream.applications import (
    Catalog,
    build_elastic_catalog,
    build_image_catalog,
    validate_applications,
    validate_desktop,
)
from ansible_collections.labstream.aws.plugins.module_utils._appstream.errors import AnsibleAppStreamError
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from botocore.exceptions import ClientError

ARN = "arn:aws:appstream:eu-central-1:123456789012"
FLEET = {"Name": "cad-fleet", "FleetType": "ALWAYS_ON", "StreamView": "APP", "ImageArn": f"{ARN}:image/cad-image"}
HIDDEN = "its image is not visible to these credentials, as when it is no longer shared"
DYNAMIC = "its image gets applications dynamically when a session starts"
EMPTY = "its image lists no applications"


def app(name, **members):
    return {"Name": name, "DisplayName": f"{name} 2026", "Enabled": True, **members}


def image(*applications, **members):
    return {"Name": "cad-image", "Applications": list(applications), **members}


@pytest.mark.parametrize(
    ("described", "catalog"),
    [
        pytest.param(image(app("office"), app("cad")), Catalog(["cad", "office"]), id="an image"),
        pytest.param(
            image(app("cad"), app("cam", Enabled=False)), Catalog(["cad"], ["cam"]), id="a disabled application"
        ),
        pytest.param(image({"Name": "cad"}), Catalog(["cad"]), id="it does not say whether it is enabled"),
        pytest.param(image(app("cad"), DynamicAppProvidersEnabled="DISABLED"), Catalog(["cad"]), id="not dynamic"),
        pytest.param(
            image(app("cad"), DynamicAppProvidersEnabled="ENABLED"), Catalog(["cad"], doubt=DYNAMIC), id="dynamic"
        ),
        pytest.param(image(DynamicAppProvidersEnabled="ENABLED"), Catalog([], doubt=DYNAMIC), id="only dynamic"),
        pytest.param(image(), Catalog([], doubt=EMPTY), id="no applications"),
        pytest.param({"Name": "cad-image"}, Catalog([], doubt=EMPTY), id="no list"),
        pytest.param(None, Catalog(doubt=HIDDEN), id="no image"),
    ],
)
def test_the_image_says_which_applications_there_are_and_whether_that_is_certain(described, catalog):
    found = build_image_catalog(described)
    assert (list(found.names), list(found.disabled), found.doubt) == (
        list(catalog.names),
        list(catalog.disabled),
        catalog.doubt,
    )


@pytest.mark.parametrize(
    ("arns", "applications", "catalog"),
    [
        (["a", "b"], [app("cad"), app("office", Enabled=False)], Catalog(["cad", "office"])),
        (["a", "b"], [app("cad")], Catalog(["cad"], doubt="the service does not describe all of its applications")),
        ([], [], Catalog([])),
    ],
)
def test_an_elastic_fleet_has_the_applications_that_it_is_associated_with(arns, applications, catalog):
    assert build_elastic_catalog(arns, applications) == catalog


@pytest.mark.parametrize(
    ("view", "names", "to_find"),
    [
        ("DESKTOP", {"Desktop"}, []),
        ("DESKTOP", {"Desktop", "office", "cad"}, ["cad", "office"]),
        ("APP", {"cad"}, ["cad"]),
        ("APP", {"desktop"}, ["desktop"]),
        ("APP", set(), []),
        (None, {"Desktop"}, []),
    ],
)
def test_the_desktop_is_none_of_the_applications_to_find(view, names, to_find):
    assert validate_desktop({**FLEET, "StreamView": view}, names) == to_find


def test_the_desktop_needs_a_fleet_that_shows_it():
    with pytest.raises(InvalidOption) as rejected:
        validate_desktop(FLEET, {"cad", "Desktop"})
    assert str(rejected.value) == (
        "application_id is 'Desktop', but fleet 'cad-fleet' shows applications and no desktop (its stream view is "
        "APP): name an application, or use a fleet with the stream view DESKTOP."
    )


MANY = [f"app-{number:02}" for number in range(13)]
TEN = ", ".join(repr(name) for name in MANY[:10])
USE = "use the name, not the display name, of one that it has"


@pytest.mark.parametrize(
    ("names", "catalog", "message"),
    [
        pytest.param(
            ["blender"],
            Catalog(["cad", "office"]),
            f"application_id is 'blender', but fleet 'cad-fleet' has no application of that name: {USE}: 'cad', "
            "'office'.",
            id="missing",
        ),
        pytest.param(
            ["cad 2026"],
            Catalog(["cad"]),
            f"application_id is 'cad 2026', but fleet 'cad-fleet' has no application of that name: {USE}: 'cad'.",
            id="a display name",
        ),
        pytest.param(
            ["CAD", "cad", "cad "],
            Catalog(["cad"]),
            f"application_id is 'CAD', 'cad ', but fleet 'cad-fleet' has no application of that name: {USE}: 'cad'.",
            id="written differently",
        ),
        pytest.param(
            ["blender"],
            Catalog(MANY),
            f"application_id is 'blender', but fleet 'cad-fleet' has no application of that name: {USE}: {TEN} and 3 "
            "more.",
            id="ten of many",
        ),
        pytest.param(
            MANY,
            Catalog(["cad"]),
            f"application_id is {TEN} and 3 more, but fleet 'cad-fleet' has no application of that name: {USE}: 'cad'.",
            id="many missing",
        ),
        pytest.param(
            ["cad"],
            Catalog([]),
            "application_id is 'cad', but fleet 'cad-fleet' has no application of that name: it has none that would "
            "start, so leave application_id out, or use another fleet.",
            id="an Elastic fleet without applications",
        ),
        pytest.param(
            ["blender", "cam"],
            Catalog(["cad"], ["cam"]),
            "application_id is 'cam', which is disabled in the image of fleet 'cad-fleet', so it would not start: "
            f"{USE}: 'cad'.",
            id="disabled",
        ),
    ],
)
def test_an_application_that_would_not_start_is_an_error_that_names_it_and_those_that_would(names, catalog, message):
    with pytest.raises(InvalidOption) as rejected:
        validate_applications(FLEET, names, catalog)
    assert str(rejected.value) == message


@pytest.mark.parametrize("doubt", [HIDDEN, DYNAMIC, EMPTY])
@pytest.mark.parametrize("disabled", [[], ["blender"]])
def test_what_is_not_certain_is_a_warning(doubt, disabled):
    assert validate_applications(FLEET, ["blender", "cad"], Catalog(["cad"], disabled, doubt)) == (
        f"application_id is 'blender', but it could not be checked whether fleet 'cad-fleet' has it, since {doubt}."
    )


@pytest.mark.parametrize("doubt", [None, DYNAMIC])
def test_applications_that_are_there_are_accepted(doubt):
    assert validate_applications(FLEET, ["cad", "office"], Catalog(["cad", "cam", "office"], doubt=doubt)) is None


# Lookups


class Service:
    """A client with canned pages by operation; ``calls`` are the parameters of each call."""

    def __init__(self, **pages):
        self.pages, self.calls = pages, []

    def __getattr__(self, operation):
        def call(**parameters):
            self.calls.append((operation, parameters))
            page = self.pages[operation].pop(0)
            if isinstance(page, Exception):
                raise page
            return page

        return call

    def get_paginator(self, operation):
        service, pages = self, self.pages[operation]

        class Pages:
            def paginate(self, **parameters):
                service.calls.append((operation, parameters))
                return self

            def build_full_result(self):
                page = pages.pop(0)
                if isinstance(page, Exception):
                    raise page
                return page

        return Pages()


def error(code, operation="DescribeImages"):
    return ClientError({"Error": {"Code": code, "Message": "Not you."}}, operation)


ELASTIC = {"Name": "cad-fleet", "FleetType": "ELASTIC", "StreamView": "APP"}
CAD = image(app("cad"))


@pytest.mark.parametrize("fleet_type", ["ALWAYS_ON", "ON_DEMAND", None])
@pytest.mark.parametrize(
    ("members", "selection"),
    [
        ({}, {"Arns": [FLEET["ImageArn"]]}),
        ({"ImageName": "cad-image"}, {"Arns": [FLEET["ImageArn"]]}),
        ({"ImageName": "cad-image", "ImageArn": None}, {"Names": ["cad-image"]}),
    ],
)
def test_the_image_is_looked_up_once_by_its_arn_or_else_by_its_name(fleet_type, members, selection):
    client = Service(describe_images=[{"Images": [CAD]}])
    ids = ["cad", None] * 250
    assert check_applications(client, {**FLEET, "FleetType": fleet_type, **members}, ids) is None
    assert client.calls == [("describe_images", selection)]


@pytest.mark.parametrize(
    "ids", [pytest.param([None, None], id="no application"), pytest.param(["Desktop", None], id="the desktop")]
)
def test_nothing_is_looked_up_if_there_is_nothing_to_find(ids):
    client = Service()
    assert check_applications(client, {**FLEET, "StreamView": "DESKTOP"}, ids) is None
    assert client.calls == []


@pytest.mark.parametrize("reply", [{"Images": []}, {}, error("ResourceNotFoundException")])
def test_an_image_that_the_service_does_not_show_is_a_warning(reply):
    warning = check_applications(Service(describe_images=[reply]), FLEET, ["cad"])
    assert HIDDEN in (warning or "")


def test_a_fleet_without_an_image_is_a_warning_without_a_call():
    client = Service()
    warning = check_applications(client, {**FLEET, "ImageArn": None}, ["cad"])
    assert HIDDEN in (warning or "")
    assert client.calls == []


def test_an_elastic_fleet_is_looked_up_by_its_associations_page_by_page():
    client = Service(
        describe_application_fleet_associations=[
            {"ApplicationFleetAssociations": [{"ApplicationArn": "a"}], "NextToken": "1"},
            {"ApplicationFleetAssociations": [], "NextToken": "2"},
            {"ApplicationFleetAssociations": [{"ApplicationArn": "b"}]},
        ],
        describe_applications=[
            {"Applications": [app("office")], "NextToken": "1"},
            {"Applications": [app("cad", Enabled=False)]},
        ],
    )

    assert check_applications(client, ELASTIC, ["cad"]) is None

    assert client.calls == [
        ("describe_application_fleet_associations", {"FleetName": "cad-fleet"}),
        ("describe_application_fleet_associations", {"FleetName": "cad-fleet", "NextToken": "1"}),
        ("describe_application_fleet_associations", {"FleetName": "cad-fleet", "NextToken": "2"}),
        ("describe_applications", {"Arns": ["a", "b"]}),
        ("describe_applications", {"Arns": ["a", "b"], "NextToken": "1"}),
    ]


def test_an_elastic_fleet_without_applications_does_not_list_those_of_the_account():
    client = Service(describe_application_fleet_associations=[{}])
    with pytest.raises(InvalidOption, match="it has none that would start"):
        check_applications(client, ELASTIC, ["cad"])
    assert len(client.calls) == 1


def test_an_application_that_was_deleted_meanwhile_is_a_warning():
    client = Service(
        describe_application_fleet_associations=[{"ApplicationFleetAssociations": [{"ApplicationArn": "a"}]}],
        describe_applications=[error("ResourceNotFoundException", "DescribeApplications")],
    )
    warning = check_applications(client, ELASTIC, ["cad"])
    assert "the service does not describe all of its applications" in (warning or "")


def test_a_page_that_is_followed_by_itself_is_an_error():
    same = {"ApplicationFleetAssociations": [], "NextToken": "1"}
    with pytest.raises(AnsibleAppStreamError, match="the response could not be parsed"):
        check_applications(Service(describe_application_fleet_associations=[same] * 3), ELASTIC, ["cad"])


@pytest.mark.parametrize(
    ("fleet", "operation", "pages"),
    [
        (FLEET, "DescribeImages", {"describe_images": [error("AccessDeniedException")]}),
        (
            ELASTIC,
            "DescribeApplicationFleetAssociations",
            {
                "describe_application_fleet_associations": [
                    error("AccessDeniedException", "DescribeApplicationFleetAssociations")
                ]
            },
        ),
        (
            ELASTIC,
            "DescribeApplications",
            {
                "describe_application_fleet_associations": [
                    {"ApplicationFleetAssociations": [{"ApplicationArn": "a"}]}
                ],
                "describe_applications": [error("AccessDeniedException", "DescribeApplications")],
            },
        ),
    ],
)
def test_a_call_that_is_denied_is_a_warning_that_names_the_action(fleet, operation, pages):
    warning = check_applications(Service(**pages), fleet, ["cad"]) or ""
    assert warning.startswith("application_id was not checked. Failed to ")
    assert (
        f"the credentials are not authorized to perform appstream:{operation} (Not you): allow this action" in warning
    )
    assert 'on all resources ("*")' in warning


def test_any_other_error_of_a_call_is_one():
    with pytest.raises(AnsibleAppStreamError, match="Failed to describe the image of the fleet: InternalFailure"):
        check_applications(Service(describe_images=[error("InternalFailure")]), FLEET, ["cad"])
