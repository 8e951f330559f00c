# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebooks for Event-Driven Ansible: which messages they act on, and what the playbooks then do.

ansible-rulebook itself runs them if there is a Java runtime and it is on the PATH, or LABSTREAM_TEST_RULEBOOK names it.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from tests.documentation import CHECKOUT, GUIDES, find_code
from tests.integration.running import FLEET, STACK, Ansible, Run
from tests.simulator.control import Simulator

RULEBOOKS = CHECKOUT / "extensions/eda/rulebooks"
LAB = "cad-2026-11-21"
# What EventBridge Scheduler sends, as examples/terraform/lab has it.
END: dict[str, Any] = {"action": "end_lab", "lab": LAB, "stack": STACK, "fleet": FLEET}
# What EventBridge sends about an alarm of one metric.
ALARM: dict[str, Any] = {
    "version": "0",
    "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
    "detail-type": "CloudWatch Alarm State Change",
    "source": "aws.cloudwatch",
    "account": "123456789012",
    "time": "2026-11-21T14:04:40Z",
    "region": "us-east-1",
    "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:cad-fleet-without-capacity"],
    "detail": {
        "alarmName": "cad-fleet-without-capacity",
        "configuration": {
            "description": "The fleet has no instances.",
            "metrics": [
                {
                    "id": "30b6c6b2-a864-43a2-4877-c09a1afc3b87",
                    "metricStat": {
                        "metric": {
                            "dimensions": {"Fleet": FLEET},
                            "name": "ActualCapacity",
                            "namespace": "AWS/AppStream",
                        },
                        "period": 60,
                        "stat": "Maximum",
                    },
                    "returnData": True,
                }
            ],
        },
        "previousState": {"reason": "", "timestamp": "2026-11-21T13:59:40.987+0000", "value": "OK"},
        "state": {"reason": "", "timestamp": "2026-11-21T14:04:40.987+0000", "value": "ALARM"},
    },
}
FLEET_PATH = ("detail", "configuration", "metrics", 0, "metricStat", "metric", "dimensions", "Fleet")
NOT_NAMES = [
    "",
    "cad 1",
    "cad-1\n",
    "2026",
    2026,
    None,
    ["cad-1"],
    "{{ lookup('env', 'HOME') }}",
    "cad-1,cad-2",
]

RULEBOOK = os.environ.get("LABSTREAM_TEST_RULEBOOK") or shutil.which("ansible-rulebook")
needs_rulebook = pytest.mark.skipif(
    not (RULEBOOK and (shutil.which("java") or os.environ.get("JAVA_HOME"))),
    reason="ansible-rulebook, or the Java runtime that it needs, is not on this machine",
)


def change(message: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    """Return the message with another value at that place."""
    changed: Any = copy.deepcopy(message)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return changed


IGNORED: dict[str, list[Any]] = {
    "end_lab": [
        "not JSON",
        None,
        ["end_lab"],
        {},
        ALARM,
        {**END, "action": "start_lab"},
        {key: value for key, value in END.items() if key != "stack"},
        *({**END, key: name} for name in NOT_NAMES for key in ("lab", "stack", "fleet")),
    ],
    "restore_fleet": [
        "not JSON",
        None,
        ["ALARM"],
        {},
        END,
        change(ALARM, "detail", "state", "value", to="OK"),
        change(ALARM, "detail-type", to="CloudWatch Alarm Configuration Change"),
        change(ALARM, "detail", "configuration", "metrics", to=[]),
        change(ALARM, *FLEET_PATH[:-2], "namespace", to="AWS/EC2"),
        change(ALARM, "region", to="eu-central-1; true"),
        *(change(ALARM, *FLEET_PATH, to=name) for name in NOT_NAMES),
    ],
}
ACCEPTED = {"end_lab": END, "restore_fleet": ALARM}
# What the playbook of the same name gets.
EXTRA_VARS = {
    "end_lab": {
        "appstream_lab_name": LAB,
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
    },
    "restore_fleet": {"appstream_lab_fleet_name": FLEET, "appstream_lab_region": "us-east-1"},
}

COMPARISON = re.compile(r'event\.body(?P<path>\S+) (?:== "(?P<value>[^"]*)"|is match\("(?P<pattern>[^"]*)"\))')
PATH_PART = re.compile(r'\.(\w+)|\["([\w-]+)"\]|\[(\d+)\]')


def load(name: str) -> dict[str, Any]:
    """Return the only ruleset of a rulebook."""
    [ruleset] = yaml.safe_load((RULEBOOKS / f"{name}.yml").read_text(encoding="utf-8"))
    assert isinstance(ruleset, dict)
    return ruleset


def get(message: Any, path: str) -> Any:
    """Return the value at a path, as a condition has it; None if there is none."""
    for name, quoted, number in PATH_PART.findall(path):
        try:
            message = message[int(number) if number else name or quoted]
        except (LookupError, TypeError):
            return None
    return message


def accepts(rule: dict[str, Any], message: Any) -> bool:
    """Return whether the condition of the rule holds, which is a row of comparisons."""
    matches = [COMPARISON.fullmatch(each.strip()) for each in rule["condition"].split(" and ")]
    for match in matches:
        assert match, rule["condition"]
        value = get(message, match["path"])
        if match["pattern"] is None:
            if value != match["value"]:
                return False
        # Java's \z is \Z in Python.
        elif not isinstance(value, str) or not re.match(match["pattern"].replace(r"\z", r"\Z"), value):
            return False
    return True


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_rulebook_acts_on_its_message_and_on_nothing_else(name: str) -> None:
    [rule] = load(name)["rules"]

    assert accepts(rule, ACCEPTED[name])
    assert [message for message in IGNORED[name] if accepts(rule, message)] == []


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_rulebook_gives_names_and_nothing_else_to_the_playbook_of_its_name(name: str) -> None:
    action = load(name)["rules"][0]["action"]["run_playbook"]
    environment = NativeEnvironment()
    passed = {
        variable: environment.from_string(value).render(event={"body": ACCEPTED[name]})
        for variable, value in action["extra_vars"].items()
    }

    assert passed == EXTRA_VARS[name]
    assert action["name"] == f"labstream.aws.{name}"
    assert (CHECKOUT / f"playbooks/{name}.yml").is_file()
    specs = yaml.safe_load((CHECKOUT / "roles/appstream_lab/meta/argument_specs.yml").read_text(encoding="utf-8"))
    assert passed.keys() <= specs["argument_specs"]["main"]["options"].keys()


def test_each_rulebook_reads_a_queue_of_its_own_which_terraform_names() -> None:
    events = (CHECKOUT / "examples/terraform/lab/events.tf").read_text(encoding="utf-8")
    output = events.partition('output "rulebooks"')[2]
    queues = []
    for name in ACCEPTED:
        [source] = load(name)["sources"]
        options = source["amazon.aws.aws_sqs_queue"]
        assert options.keys() == {"name", "region", "delay_seconds"}
        assert f"    {options['region'].strip('{} ')} " in output
        queues.append(options["name"].strip("{} "))

    assert len(set(queues)) == 2
    assert all(f"    {queue} " in output for queue in queues)


def test_terraform_sends_the_message_that_ends_a_lab() -> None:
    events = (CHECKOUT / "examples/terraform/lab/events.tf").read_text(encoding="utf-8")
    [sent] = re.findall(r"input = jsonencode\(\{$(.*?)^ +\}\)$", events, re.MULTILINE | re.DOTALL)

    assert dict(re.findall(r"^ +(\w+) += (.*)$", sent, re.MULTILINE)) == {
        "action": '"end_lab"',
        "lab": "each.key",
        "stack": "var.name",
        "fleet": "var.name",
    }


class Controller:
    """The host that runs the playbooks: the guide's inventory has what a message lacks. A lab of two is under way."""

    def __init__(self, ansible: Ansible, simulator: Simulator) -> None:
        self._ansible, self._appstream = ansible, simulator.client("appstream")
        self.store = f"sqlite://{ansible.home}/store/leases.sqlite3"
        self.inventory = ansible.home / "labs.yml"
        [inventory] = find_code(GUIDES / "guide_eda.rst", "yaml")
        for shown, here in (
            ("/srv/labs", str(ansible.home)),
            ("dynamodb://labstream-leases?region=eu-central-1", self.store),
            ("eu-central-1", "us-east-1"),
        ):
            assert shown in inventory
            inventory = inventory.replace(shown, here)
        self.inventory.write_text(inventory)
        (ansible.home / "rosters").mkdir()
        (ansible.home / f"rosters/{LAB}.csv").write_text("id\nanna\nben\n")
        self.issue(lab=LAB, users=[{"user_id": "anna"}, {"user_id": "ben"}])

    def issue(self, **options: Any) -> None:
        """Issue the URLs of a lab, or end it."""
        options = {"stack_name": STACK, "fleet_name": FLEET, "lease_store": self.store, **options}
        issued = self._ansible.call_module(options)
        assert not issued.failed, issued.msg

    def play(self, playbook: str) -> Run:
        """Run the playbook with what its rulebook gives it."""
        return self._ansible.run_playbook(
            f"labstream.aws.{playbook}",
            extra_vars=EXTRA_VARS[playbook],
            arguments=["--inventory", str(self.inventory)],
        )

    def stop_fleet(self) -> None:
        self._appstream.stop_fleet(Name=FLEET)

    @property
    def fleet(self) -> str:
        [fleet] = self._appstream.describe_fleets(Names=[FLEET])["Fleets"]
        return str(fleet["State"])


@pytest.fixture
def controller(ansible: Ansible, lab: Simulator) -> Controller:
    return Controller(ansible, lab)


def test_a_fleet_is_restored_as_long_as_a_lab_needs_it(controller: Controller, lab: Simulator) -> None:
    # Given a lab that is under way, and another one that is far off.
    controller.issue(lab="cad-next", users=[{"user_id": "cleo"}], starts_at="2099-01-01T09:00:00Z")

    # When the fleet has fallen back, then it is started.
    controller.stop_fleet()
    assert controller.play("restore_fleet").changed == 1
    assert controller.fleet == "RUNNING"

    # When it runs without instances, then that is a failure which says why.
    lab.change_fleet(FLEET, FleetErrors=["SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES"])
    failed = controller.play("restore_fleet")
    assert (failed.returncode, failed.changed) == (2, 0)
    assert "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES" in failed.task("Fail if the fleet reports errors").msg

    # When the lab under way has ended, then the fleet stays as it is.
    controller.issue(lab=LAB, state="absent")
    controller.stop_fleet()
    assert controller.play("restore_fleet").changed == 0
    assert controller.fleet == "STOPPED"


@needs_rulebook
@pytest.mark.parametrize("name", ACCEPTED)
def test_ansible_rulebook_runs_the_playbook_once_for_its_message(
    name: str, controller: Controller, ansible: Ansible, lab: Simulator
) -> None:
    # Given the rulebook with a source that has the messages already, all those before that it must ignore.
    controller.stop_fleet()
    ruleset = load(name)
    messages = [{"body": message} for message in [*IGNORED[name], ACCEPTED[name]]]
    payload = ansible.home / "messages.yml"
    payload.write_text(yaml.safe_dump(messages))
    ruleset["sources"] = [{"eda.builtin.generic": {"payload_file": str(payload), "shutdown_after": 2}}]
    rulebook = ansible.home / "rulebook.yml"
    rulebook.write_text(yaml.safe_dump([ruleset]))

    # When ansible-rulebook runs it.
    assert RULEBOOK
    done = subprocess.run(
        [RULEBOOK, "--rulebook", rulebook, "--inventory", controller.inventory],
        cwd=ansible.home,
        env={**ansible.environment, "LABSTREAM_TEST_RESULTS": str(ansible.home / "results.jsonl")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    # Then the playbook has run, and has done its work.
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert printed.count("PLAY RECAP") == 1, printed
    assert controller.fleet == {"end_lab": "STOPPED", "restore_fleet": "RUNNING"}[name]
    assert ("released_at" in printed, "Leases released: 2." in printed) == (False, name == "end_lab"), printed
    assert not [url for url in lab.streaming_urls() if url in printed]
