# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks, the labs, the tasks and the commands in README and guides work. They are run one after the other.

Those of examples/ and of the guide "Getting started" have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documentation import CHECKOUT, GUIDES, README, find_code, find_internal
from tests.integration.lease_stores import LeaseTable
from tests.integration.running import Run
from tests.pages import url_of
from tests.simulator.control import Simulator

ROLES = sorted((CHECKOUT / "roles").glob("*/README.md"))
PAGES = [README, *ROLES, *(page for page in sorted(GUIDES.glob("*.rst")) if page.stem != "guide_getting_started")]
COMMAND = re.compile(r"\bansible localhost -m ([\w.]+)(?: -a '([^']*)')?")
IMPORT = "ansible.builtin.import_playbook"
# Other collections, which send mail, are not installed here.
INSTALLED = ("labstream.aws.", "amazon.aws.", "ansible.builtin.")
LEARNERS = ["anna", "ben"]

Block = Any


def adapt(text: str, home: Path, endpoint_url: str) -> str:
    """Change what a reader would change: the day, the folder and the endpoint."""
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    text = text.replace("https://studio.example.org", endpoint_url).replace("/srv/labs", str(home))
    return text.replace("2026-11-21", tomorrow).replace('_ends_at: "17:00"', f'_ends_at: "{tomorrow}T17:00"')


def is_playbook(block: Block) -> bool:
    return isinstance(block, list) and any({"hosts", IMPORT} & each.keys() for each in block)


def without_names(block: Block) -> Block:
    """Return the block without the names of plays and tasks."""
    if isinstance(block, list):
        return [without_names(each) for each in block]
    if isinstance(block, dict) and ("tasks" in block or "vars" in block):
        return {key: without_names(value) for key, value in block.items() if key != "name"}
    return block


def is_lab(block: Block) -> bool:
    """Return whether these are the variables of a lab, and not only some of them."""
    return isinstance(block, dict) and any(re.fullmatch(r"\w+_lab_name", key) for key in block)


def are_tasks(block: Block) -> bool:
    return isinstance(block, list) and not is_playbook(block)


def import_playbook(name: str, variables: Mapping[str, Any]) -> Block:
    return [{"name": name, IMPORT: f"labstream.aws.{name}", "vars": dict(variables)}]


def play(name: str, tasks: list[dict[str, Any]]) -> Block:
    found = [task for task in tasks if any(key.startswith(INSTALLED) for key in task)]
    variables = {"posted_url": "https://example.org/posted"}
    return [{"name": name, "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": found}]


def find_commands() -> Iterator[dict[str, Any]]:
    """Yield a task for each ad hoc command in the pages."""
    for page in PAGES:
        for module, arguments in COMMAND.findall(page.read_text(encoding="utf-8")):
            yield {"name": f"{page.stem}: {module}", module: arguments or {}}


def read_lab_of_terraform(home: Path) -> dict[str, Any]:
    """Return the variables that the guide to Terraform runs its playbooks with: an output and a file."""
    [output] = [code for code in find_code(GUIDES / "guide_terraform.rst", "hcl") if code.startswith('output "lab"')]
    lab = dict(re.findall(r'(appstream_lab_\w+) += "(.*)"', output))
    return lab | yaml.safe_load(adapt((CHECKOUT / "examples/terraform/lab/lab.yml").read_text(), home, ""))


def build_playbooks(home: Path, endpoint_url: str) -> dict[str, Block]:
    """Return all that the pages have, each as a playbook, with a name for it."""
    blocks = {
        f"{page.parent.name}-{page.stem}-{number}": yaml.safe_load(adapt(code, home, endpoint_url))
        for page in PAGES
        for number, code in enumerate(find_code(page, r"ya?ml"))
    }
    # README and a role's README have the same playbook, with other names.
    different = {
        name: blocks[name] for name in {str(without_names(block)): name for name, block in blocks.items()}.values()
    }
    labs = {name: block for name, block in blocks.items() if is_lab(block)}
    playbooks = {
        "lease_table": import_playbook("lease_table", {"lease_table_region": "eu-central-1"}),
        **{name: block for name, block in different.items() if is_playbook(block)},
        **{f"start-{name}": import_playbook("start_lab", lab) for name, lab in labs.items()},
        **{name: play(name, block) for name, block in blocks.items() if are_tasks(block)},
        "commands": play("commands", list(find_commands())),
        **{f"end-{name}": import_playbook("end_lab", lab) for name, lab in labs.items()},
    }
    for each in playbooks["rst-guide_terraform-0"]:
        each["vars"] = read_lab_of_terraform(home)
    return playbooks


def seed(simulator: Simulator, home: Path) -> None:
    """Make what the documentation names: stacks, fleets, a stream group, a studio, and a roster."""
    simulator.seed_lab("cad-course", "cad-fleet", instances=2)
    simulator.client("appstream").create_fleet(
        Name="cad-course",
        InstanceType="stream.standard.medium",
        ImageName="lab-image",
        ComputeCapacity={"DesiredInstances": 1},
    )
    simulator.seed_lab("cad-course", "cad-course", instances=1, region="eu-central-1")
    simulator.seed_stream_group("sg-1AB2C3De4", ["a-9ZY8X7Wv6"], ["eu-central-1", "eu-west-1"])
    owned = [{"sessionId": f"session-of-{learner}", "ownedBy": learner} for learner in LEARNERS]
    stopped = {"sessionId": "session-4712", "state": "STOPPED"}
    simulator.seed_studio("us-west-2-example", ["session-4711", stopped, "session-spare", *owned], region="us-west-2")
    rows = ["id,email", *(f"{learner},{learner}@example.org" for learner in LEARNERS)]
    (home / "participants.csv").write_text("\n".join(rows))


def test_playbooks_labs_tasks_and_commands_of_the_documentation_work(
    simulator: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    seed(simulator, home)
    playbooks = build_playbooks(home, simulator.endpoint_url)
    for name, playbook in playbooks.items():
        (home / f"{name}.yml").write_text(yaml.safe_dump(playbook, sort_keys=False))

    *first, last = [f"{name}.yml" for name in playbooks]
    run = run_playbook(last, arguments=first)

    assert run.returncode == 0, run.printed
    assert {"appstream", "dynamodb", "gameliftstreams", "nimble"} <= {each["service"] for each in simulator.calls()}
    urls = simulator.streaming_urls()
    assert len(urls) > 0
    assert not any(url in run.printed for url in urls)


def test_the_inventory_of_the_guide_starts_a_lab(
    simulator: Simulator, run_playbook: Callable[..., Run], home: Path
) -> None:
    # Given the inventory, and what it names for the host that overrides the most.
    [inventory] = [code for code in find_code(GUIDES / "guide_lab.rst", "yaml") if code.startswith("labs:")]
    (home / "labs.yml").write_text(adapt(inventory, home, ""))
    simulator.seed_lab("gpu", "gpu", instances=2)
    for folder in ("rosters", "pages", "links"):
        (home / folder).mkdir()
    (home / "rosters/blender.csv").write_text("id\nanna\n")

    # When the lab of that host is started. Three labs in one run would take 15 seconds; test_many_labs.py has others.
    arguments = ["--inventory", "labs.yml", "--limit", "blender"]
    run = run_playbook("labstream.aws.start_lab", arguments=arguments, extra_vars={"lab_hosts": "labs"})

    # Then its learner has a URL, a page and a line.
    assert run.returncode == 0, run.printed
    [url] = simulator.streaming_urls()
    [page] = (home / "pages/blender").glob("*.html")
    assert url_of(page.read_text()) == url
    assert page.name in (home / "links/blender.csv").read_text()


# What the examples of plugins take from elsewhere.
VARIABLES = {
    "build_number": 17,
    "found_url": "https://example.org/found",
    "lab_user_id_key": "a secret of the tests",
    "session_ids": ["session-anna", "session-ben"],
}


@pytest.mark.long
def test_examples_of_plugins_work(simulator: Simulator, run_playbook: Callable[..., Run], home: Path) -> None:
    # Given what the examples name.
    seed(simulator, home)
    elastic = {"InstanceType": "stream.standard.medium", "FleetType": "ELASTIC", "MaxConcurrentSessions": 30}
    subnets = {"SubnetIds": ["subnet-1", "subnet-2"]}
    simulator.client("appstream").create_fleet(Name="elastic-fleet", VpcConfig=subnets, **elastic)
    simulator.seed_studio("us-west-2-example", ["session-anna", "session-ben", "session-render", "session-spare"])
    LeaseTable.create(simulator)
    (home / "gradebook.csv").write_text('Student,ID,SIS Login ID,Section\n"Example, Anna",1,anna@example.org,x\n')

    # When those of each plugin are run, one after the other, unless it is for the roles alone.
    plays, internal = [], find_internal()
    for kind in ("modules", "filter", "lookup"):
        for file in sorted((CHECKOUT / "plugins" / kind).glob("*.py")):
            for code in find_code(file, "yaml") if file.stem not in internal else []:
                tasks = yaml.safe_load(adapt(code, home, simulator.endpoint_url))
                plays += play(f"{kind} {file.stem}", [task for task in tasks if IMPORT not in task])
    (home / "examples.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    [lab, *_others] = find_code(GUIDES / "guide_lab.rst", "yaml")
    run = run_playbook("examples.yml", extra_vars=VARIABLES | yaml.safe_load(adapt(lab, home, "")))

    # Then none fails.
    assert run.returncode == 0, run.printed
