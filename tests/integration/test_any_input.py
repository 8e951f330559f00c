# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever value any option of any module is given, the task succeeds or fails with one message about it.

No call is made that the service rejects as malformed. The options come from the modules' own argument specs, so new
options are included; only a new module needs a line in ``GOOD``. tests/strategies.py has the values.
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import LeaseKey
from botocore.config import Config
from hypothesis import given, note
from hypothesis import strategies as st

from tests import strategies
from tests.integration.lease_stores import LeaseTable
from tests.integration.running import CHECKOUT, FLEET, STACK, STREAM_GROUP, STUDIO, Task
from tests.simulator.control import Simulator

MODULES = "ansible_collections.labstream.aws.plugins.modules"
TARGET = {"stack_name": STACK, "fleet_name": FLEET}
SEAT = {"lease": LeaseKey("appstream|host|stack|fleet", "anna").to_text(), "id": "anna"}
FILES = {"pages_dir": "pages", "overview_html": "overview.html", "links_csv": "links.csv", "urls_csv": "urls.csv"}
# What each module needs to do its work, so that another option makes a difference.
GOOD: dict[str, dict[str, Any]] = {
    "appstream_fleet": {"name": FLEET},
    "appstream_fleet_info": {},
    "appstream_session": {**TARGET, "user_id": "anna", "state": "expired"},
    "appstream_session_info": {**TARGET, "lab": "a class"},
    "appstream_streaming_url": {**TARGET, "user_id": "anna"},
    "gamelift_stream_group": {"stream_group": STREAM_GROUP},
    "gamelift_stream_group_info": {},
    "gamelift_stream_url_info": {"stream_group": STREAM_GROUP},
    "gamelift_stream_url": {
        "stream_group": STREAM_GROUP,
        "application": "a-lab",
        "locations": ["us-east-1"],
        "learner": "anna",
    },
    "nimble_session": {"studio_id": STUDIO, "session_ids": ["seat-01"]},
    "nimble_session_info": {"studio_id": STUDIO},
    "nimble_session_stream": {"studio_id": STUDIO, "session_id": "seat-01"},
    "streaming_handout": {"seats": [SEAT], "lab": "a class", "allow_missing": True, **FILES},
    "streaming_lease_info": {},
    "streaming_lease_table": {"name": "another-table"},
    "streaming_rotation": {"lab": "a class", "rotate": ["anna"]},
}
# One with each kind of client, and one with two of them.
CONNECTING = ["appstream_fleet_info", "nimble_session_info", "streaming_lease_table", "appstream_streaming_url"]
# What is asked for and not there, and a lease that is: no error codes of what is malformed.
GOOD_ANSWERS = {None, "ResourceNotFoundException", "ConditionalCheckFailedException"}
# One try shows what becomes of an answer.
ONCE = {"retries": {"total_max_attempts": 1}, "connect_timeout": 2, "read_timeout": 10}
MAX_MESSAGE_LENGTH = 1500
MAX_SECONDS = 30
MASKED = "********"  # what ansible-core makes of a secret's value, wherever it is
NO_TRACEBACK = "(traceback unavailable)"  # what ansible-core 2.19 adds to each failure

STORES = ["sqlite:///~/leases.sqlite3", "dynamodb://labstream-leases"]
NO_STORES = [
    "none",
    "sqlite:///",
    "sqlite://leases",
    "dynamodb://",
    "dynamodb://no-such-table",
    "dynamodb://arn:aws:dynamodb:us-east-1:123456789012:table/labstream-leases",
    "dynamodb://labstream-leases?region=eu-central-1&region=eu-west-1",
    "dynamodb://labstream-leases?endpoint_url=http://127.0.0.1:1",
    "dynamodb://labstream-leases?profile=nobody",
]
BEFORE_TEXT = ["", "sqlite:///~/", "dynamodb://", *(f"dynamodb://labstream-leases?{name}=" for name in ("region", "x"))]
# No address that somebody else answers at.
ENDPOINTS = [
    "http://",
    "http://127.0.0.1:1",
    "http://127.0.0.1:99999",
    "http://[",
    "https://127.0.0.1:1/\n",
    "file:///etc/passwd",
    "http://a b",
]
LEARNER_KEYS = ["id", "name", "email", "generation", "x"]
SEAT_KEYS = ["scope", "seat", "learner", "name", "application_id", "session_context", "generation", "studio_id"]


def is_no_region(value: Any) -> bool:
    """Return whether botocore rejects the region without a call."""
    return not re.fullmatch(r"[A-Za-z0-9-]{1,63}", str(value))


def is_no_part_of_a_signature(text: str) -> bool:
    """Return whether the simulator can parse a signature with this key."""
    return not set(text) & set("/,=")


# What an option's type does not say.
SPECIAL: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "access_key": lambda: strategies.texts().filter(is_no_part_of_a_signature),
    "aws_config": lambda: (
        st.dictionaries(st.sampled_from(sorted(Config.OPTION_DEFAULTS)), strategies.values()) | strategies.values()
    ),
    "endpoint_url": lambda: st.sampled_from(ENDPOINTS) | strategies.values(),
    "lease_store": lambda: (
        st.sampled_from(NO_STORES)
        | st.builds(str.__add__, st.sampled_from(BEFORE_TEXT), strategies.texts().filter(is_no_region))
        | strategies.values()
    ),
    "learners": lambda: (
        st.lists(
            st.dictionaries(st.sampled_from(LEARNER_KEYS), strategies.values(), max_size=3) | strategies.values(),
            max_size=3,
        )
        | strategies.values()
    ),
    "region": lambda: strategies.values().filter(is_no_region),
    "seats": lambda: (
        st.lists(
            st.dictionaries(st.sampled_from(SEAT_KEYS), strategies.values(), max_size=2).map(
                lambda reported: {**SEAT, **reported}
            ),
            max_size=3,
        )
        | strategies.values()
    ),
}


@cache
def module_of(name: str) -> Mapping[str, Any]:
    """Return the arguments of the module's LabstreamAWSModule."""
    module = importlib.import_module(f"{MODULES}.{name}")
    with patch.object(module, "LabstreamAWSModule") as made:
        module.main()
    return made.call_args.kwargs


def values_of(name: str, spec: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values for an option, of its type and of others."""
    if name in SPECIAL:
        return SPECIAL[name]()
    kind, element = spec.get("type", "str"), spec.get("elements", "str")
    chosen = {
        "str": strategies.texts,
        "path": strategies.texts,
        "int": lambda: strategies.numbers() | strategies.texts(),
        "bool": lambda: st.booleans() | strategies.scalars(),
        "dict": lambda: st.dictionaries(strategies.texts(), strategies.values(), max_size=3),
        "list": lambda: st.lists(values_of("", {**spec, "type": element}), max_size=3),
    }
    if kind == "dict" and "options" in spec:
        named = {option: values_of(option, inner) for option, inner in spec["options"].items()}
        return st.fixed_dictionaries({}, optional=named) | strategies.values()
    choices = st.sampled_from(spec["choices"]) if "choices" in spec else st.nothing()
    return choices | chosen[kind]() | strategies.values()


def leaves(value: Any) -> Iterator[Any]:
    """Yield the value and everything in it."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield value
    for part in parts:
        yield from leaves(part)


class Tried:
    """One module, called with unexpected options."""

    def __init__(self, name: str, simulator: Simulator, call_module: Callable[..., Task]) -> None:
        self._name, self._simulator, self._call_module = name, simulator, call_module
        self._module = module_of(name)
        self.spec: Mapping[str, Mapping[str, Any]] = self._module["argument_spec"]

    def given(self, option: str, spec: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        """Return values for this option, sometimes for another one too."""
        others = st.sampled_from(sorted(self.spec)).flatmap(self._another)
        return st.builds(dict.__or__, st.just({}) | others, self._one(option, spec))

    def _another(self, option: str) -> st.SearchStrategy[dict[str, Any]]:
        return self._one(option, self.spec[option])

    def _one(self, option: str, spec: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        return values_of(option, spec).map(lambda value: {option: value})

    def arguments(self, given: Mapping[str, Any], store: str) -> dict[str, Any]:
        """Return the required arguments and the given ones, which may exclude some of them."""
        groups = [set(group) for group in self._module.get("mutually_exclusive", []) if given.keys() & set(group)]
        needed = {**GOOD[self._name], **({"lease_store": store} if "lease_store" in self.spec else {})}
        kept = {option: value for option, value in needed.items() if not any(option in group for group in groups)}
        return {"aws_config": ONCE, **kept, **given}

    def check(self, given: Mapping[str, Any], *, store: str, check: bool) -> None:
        """Call the module, and check its message and its calls."""
        note(f"{self._name} with {dict(given)!a}, store {store}, check mode {check}")
        asked_before, begun = len(self._simulator.calls()), time.monotonic()
        task = self._call_module(self.arguments(given, store), module=self._name, check=check, diff=True)
        assert time.monotonic() - begun < MAX_SECONDS
        assert "Traceback" not in str(task.result)
        assert task.result.get("exception", NO_TRACEBACK) == NO_TRACEBACK
        if task.failed:
            self._check_message(task.msg, given, is_ours="changed" in task.result)
        if given.keys() <= self.spec.keys():  # What is malformed in credentials is known to the service alone.
            for call in self._simulator.calls()[asked_before:]:
                assert call["error_code"] in GOOD_ANSWERS, (call["operation"], call["parameters"], task.result)

    def _check_message(self, message: str, given: Mapping[str, Any], *, is_ours: bool) -> None:
        assert message.strip()
        if not is_ours:  # ansible-core's own, which checks types first
            return
        assert len(message.splitlines()) == 1, message
        assert len(message) <= MAX_MESSAGE_LENGTH
        # Values that ansible-core cannot handle, and messages of botocore.
        if message.startswith(("An option is ", "Couldn't connect to AWS: ")):
            return
        assert any(word in message for word in self._words(given)), message

    def _words(self, given: Mapping[str, Any]) -> list[str]:
        """Return the words of which a message must have one: an option's name, or the beginning of a value."""
        of_groups = [option for group in self._module.get("mutually_exclusive", []) for option in group]
        values = ["" if value is None else str(value) for value in leaves(dict(given))]
        shown = [repr(value)[:9] for value in values]
        shown += [beginning for value in values for beginning in (f"/{value[:8]}", value[:8]) if len(beginning) > 1]
        return [*GOOD[self._name], *given, "lease_store", "endpoint_url", *of_groups, *shown, MASKED]


@pytest.fixture
def world(simulator: Simulator) -> Simulator:
    """The simulator, with the resources of ``GOOD``."""
    simulator.seed_lab(STACK, FLEET)
    simulator.seed_studio(STUDIO, ["seat-01"])
    simulator.seed_stream_group(STREAM_GROUP)
    LeaseTable.create(simulator)
    return simulator


def try_out(tried: Tried, name: str, option: str, spec: Mapping[str, Any], many: int) -> None:
    """Try as many values as the hypothesis profile says."""

    @strategies.settled(2, many, f"{name} {option}")
    @given(given=tried.given(option, spec), store=st.sampled_from(STORES), check=st.booleans())
    def test(given: dict[str, Any], store: str, check: bool) -> None:
        tried.check(given, store=store, check=check)

    test()


def test_each_module_has_its_good_arguments_here() -> None:
    # An action plugin asks no service; of its module there is only the documentation.
    modules = [path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py") if path.stem != "lab_arguments"]

    assert sorted(GOOD) == sorted(modules)


@pytest.mark.parametrize("name", GOOD)
def test_no_value_of_an_option_gives_a_traceback_or_a_malformed_call(
    world: Simulator, call_module: Callable[..., Task], name: str
) -> None:
    tried = Tried(name, world, call_module)
    for option, spec in tried.spec.items():
        try_out(tried, name, option, spec, many=30)


def test_no_value_of_an_option_that_connects_gives_a_traceback(
    world: Simulator, call_module: Callable[..., Task]
) -> None:
    modules = {name: Tried(name, world, call_module) for name in CONNECTING}
    for number, (option, spec) in enumerate(aws_argument_spec().items()):
        for name in CONNECTING if strategies.MANY else [CONNECTING[number % len(CONNECTING)]]:
            try_out(modules[name], name, option, spec, many=30)
