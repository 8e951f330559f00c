# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two labs of one run must not share, and tags that no step has."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._many_labs import lab_conflicts

LOCAL = {"ansible_connection": "local"}
LAB = {"appstream_lab_name": "cad", "appstream_lab_stack_name": "s", "appstream_lab_fleet_name": "f"}
GAMELIFT = {"lab_provider": "gamelift", "gamelift_lab_name": "cad", "gamelift_lab_stream_group": "sg-1"}
NIMBLE = {"lab_provider": "nimble", "nimble_lab_name": "cad", "nimble_lab_studio_id": "studio-1"}
SAME_LAB = "The hosts a and b have the same lab 'cad' on one stack and fleet: give each its own."


@pytest.mark.parametrize(
    ("one", "other", "conflicts"),
    [
        pytest.param(LAB, LAB, [SAME_LAB], id="the same lab"),
        pytest.param({**LAB, "appstream_lab_name": 7}, {**LAB, "appstream_lab_name": "7"}, 1, id="as YAML reads it"),
        pytest.param(LAB, {**LAB, "appstream_lab_name": "cam"}, [], id="another name"),
        pytest.param(LAB, {**LAB, "appstream_lab_fleet_name": "g"}, [], id="another fleet"),
        pytest.param(LAB, {**LAB, "appstream_lab_region": "eu-west-1"}, [], id="another region"),
        pytest.param(LAB, {**LAB, "lab_provider": "appstream"}, [SAME_LAB], id="the provider that is the default"),
        pytest.param({**LAB, **GAMELIFT}, {**LAB, **NIMBLE}, [], id="other providers"),
        pytest.param(
            GAMELIFT,
            GAMELIFT,
            ["The hosts a and b have the same lab 'cad' on one stream group: give each its own."],
            id="one stream group",
        ),
        pytest.param(GAMELIFT, {**GAMELIFT, "gamelift_lab_stream_group": "sg-2"}, [], id="another stream group"),
        pytest.param(NIMBLE, NIMBLE, 1, id="one studio"),
        pytest.param(NIMBLE, {**NIMBLE, "nimble_lab_endpoint_url": "https://x.example"}, [], id="another endpoint"),
        pytest.param({"lab_provider": "x"}, {"lab_provider": "x"}, [], id="a provider that the play rejects"),
        pytest.param({"lab_provider": ["x"]}, {"lab_provider": {}}, [], id="a provider that is not text"),
        pytest.param({}, {}, [], id="no lab at all, which the role rejects"),
        pytest.param(
            {**LOCAL, "lab_handout_pages_dir": "pages"},
            {**LOCAL, "lab_handout_pages_dir": "/srv/./pages"},
            [
                "The hosts a and b have the same path '/srv/./pages' (lab_handout_pages_dir): give each its own.",
            ],
            id="one folder, however it is written",
        ),
        pytest.param(
            {**LOCAL, "lab_handout_urls_csv": "x.csv"}, {**LOCAL, "lab_handout_links_csv": "x.csv"}, 1, id="one file"
        ),
        pytest.param(
            {**LOCAL, **GAMELIFT, "gamelift_lab_summary_path": "x.json"},
            {**LOCAL, "appstream_lab_summary_path": "x.json"},
            1,
            id="one summary",
        ),
        pytest.param(
            {"lab_handout_pages_dir": "/srv/pages"}, {"lab_handout_pages_dir": "/srv/pages"}, [], id="of two machines"
        ),
        pytest.param({**LOCAL, "lab_handout_pages_dir": ""}, {**LOCAL, "lab_handout_pages_dir": ""}, [], id="no path"),
    ],
)
def test_two_hosts_have_their_own_lab_and_paths(one, other, conflicts):
    found = lab_conflicts({"a": one, "b": other}, "/srv")
    assert (len(found) if isinstance(conflicts, int) else found) == conflicts


class Undefined:
    """What ansible-core from 2.19 on returns for a variable that cannot be evaluated."""

    def __bool__(self):
        raise ValueError("'nobody' is undefined")


class Variables(dict):
    """Variables of a host, of which those that are None cannot be evaluated."""

    def get(self, name, default=None):
        value = super().get(name, default)
        if name in self and value is None:
            raise ValueError("'nobody' is undefined")
        return value


@pytest.mark.parametrize(
    "variables",
    [Variables(appstream_lab_name=None, lab_handout_pages_dir=None, lab_provider=None), {"lab_provider": Undefined()}],
)
def test_what_cannot_be_evaluated_is_for_the_role_of_its_host(variables):
    hosts = {"a": LAB, "b": variables, "c": LAB}

    assert lab_conflicts(hosts, "/srv") == [SAME_LAB.replace("and b", "and c")]


@pytest.mark.parametrize(
    ("provider", "conflicts"), [("nimble", []), ("azure", ["'azure'"]), ("", ["''"]), (["nimble"], ["['nimble']"])]
)
def test_an_unknown_provider_is_rejected_even_of_a_single_lab(provider, conflicts):
    message = "lab_provider is {}, but it must be one of appstream, gamelift, nimble."

    assert lab_conflicts({}, "/srv", provider) == [message.format(each) for each in conflicts]


@pytest.mark.parametrize(
    ("run_tags", "skip_tags", "found"),
    [
        pytest.param({"all"}, set(), [], id="no tags given"),
        pytest.param(["urls", "handout"], ["fleet"], [], id="tags of steps"),
        pytest.param(
            ["mine", "always", "never", "tagged", "untagged"], ["wednesday"], [], id="those of a user's playbook"
        ),
        pytest.param(["handuot"], [], [("handuot", "--tags", "handout")], id="misspelled"),
        pytest.param(["cap"], [], [("cap", "--tags", "capacity")], id="the beginning"),
        pytest.param(["all"], ["flet"], [("flet", "--skip-tags", "fleet")], id="of those to skip"),
        pytest.param(
            ["FLEET"], ["flete"], [("FLEET", "--tags", "fleet"), ("flete", "--skip-tags", "fleet")], id="other case"
        ),
        pytest.param(["all", ""], ["", "u", "ha"], [], id="too short to say"),
        pytest.param(
            ["url", "lease"],
            ["url"],
            [("lease", "--tags", "leases"), ("url", "--tags", "urls"), ("url", "--skip-tags", "urls")],
        ),
    ],
)
def test_a_near_miss_of_a_tag_is_rejected_with_the_right_one(run_tags, skip_tags, found):
    message = "No step has the tag {!r} of {}: did you mean {}? The tags are {}."
    tags = "capacity, fleet, handout, leases, rotate, sessions, urls"

    assert lab_conflicts({}, "/srv", "gamelift", run_tags, skip_tags) == [message.format(*each, tags) for each in found]
