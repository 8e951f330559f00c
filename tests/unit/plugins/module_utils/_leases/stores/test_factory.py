# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which store a module opens, how it reaches it, and what is checked before anything is issued."""

from __future__ import annotations

from threading import Barrier, get_ident

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._argspec import store_argument_spec
from ansible_collections.labstream.aws.plugins.module_utils._client import endpoint_host
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    InvalidOption,
    LabstreamError,
    LeaseStoreError,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import DEFAULT_LEASE_STORE
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import NoLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb import DynamoDBLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

from tests.unit.plugins.module_utils.dynamodb_services import REGION
from tests.unit.plugins.module_utils.module_arguments import patch_module_args
from tests.unit.plugins.module_utils.support import NOW, SCOPE, build_key, compare_and_set, lease_of

pytestmark = pytest.mark.usefixtures("files_of_botocore_are_read_once")

OTHER_REGION = "us-west-2"
NOWHERE = "http://127.0.0.1:1"
# The accounts that keys of different origin belong to.
OF_THE_TASK, OF_THE_LAB, OF_THE_COURSE = "111111111111", "222222222222", "333333333333"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, on a machine without settings of AWS."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return home


@pytest.fixture
def module_of(home, monkeypatch):
    """Makes the module that has these options."""

    def make(*, argument_spec=None, **options):
        spec = {**store_argument_spec(), **(argument_spec or {})}
        with patch_module_args(options):
            return LabstreamAWSModule(empty_result={}, argument_spec=spec, supports_check_mode=True)

    return make


# Whose time counts.


def test_a_file_knows_no_time_and_a_table_that_of_dynamodb(module_of, simulator, moto, tmp_path):
    with open_lease_store(module_of(lease_store=f"sqlite://{tmp_path}/x"), create=True) as store:
        store.find(None)
        assert store.now() is None
    url = f"dynamodb://{moto.create_table()}?region={REGION}&endpoint_url={moto.endpoint_url}"
    with open_lease_store(module_of(lease_store=url, access_key="x", secret_key="x"), create=False) as store:
        assert store.now() is None
        store.find(None)
        assert store.now() is not None
    with open_lease_store(module_of(lease_store=url), create=False, service_now=lambda: NOW) as store:
        assert store.now() == NOW


# SQLite and none.


def test_none_opens_a_store_that_remembers_nothing(module_of):
    with open_lease_store(module_of(lease_store="none"), service_now=lambda: NOW, create=True) as store:
        assert isinstance(store, NoLeaseStore)


@pytest.mark.parametrize(
    ("lease_store", "path"),
    [
        ("sqlite://{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:///{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:////{tmp}/leases.sqlite3", "leases.sqlite3"),
        ("sqlite:///~/leases.sqlite3", "home/leases.sqlite3"),
        ("sqlite:////~/leases.sqlite3", "home/leases.sqlite3"),
        ("sqlite:///~/new/folder/leases.sqlite3", "home/new/folder/leases.sqlite3"),
        (None, "home/.ansible/labstream/leases.sqlite3"),
        ("sqlite://{tmp}/a b/c d.db", "a b/c d.db"),
        ("sqlite://{tmp}/100%/x%41y", "100%/x%41y"),
        ("sqlite://{tmp}/what?mode=memory", "what?mode=memory"),
        ("sqlite://{tmp}/a#b/x#y.db", "a#b/x#y.db"),
        ("sqlite://{tmp}/Übung/größe.db", "Übung/größe.db"),
        ("sqlite://{tmp}/a://b", "a:/b"),
        ("sqlite://{tmp}/~/x", "~/x"),
        ("sqlite://{tmp}/'\";.db", "'\";.db"),
    ],
)
def test_a_url_of_sqlite_names_a_file(tmp_path, module_of, lease_store, path):
    # Given a URL, or none for the default.
    options = {"lease_store": lease_store.replace("{tmp}", str(tmp_path))} if lease_store else {}

    # When a lease is written to the store of that URL.
    with open_lease_store(module_of(**options), service_now=lambda: NOW, create=True) as store:
        assert isinstance(store, SQLiteLeaseStore)
        compare_and_set(store, lease_of(lease_id="x"))

    # Then that file and no other holds it, and the same URL reads it.
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / path]
    with open_lease_store(module_of(**options), service_now=lambda: NOW, create=False) as store:
        assert store.read([build_key()]) == {build_key(): lease_of(lease_id="x")}


@pytest.mark.parametrize(
    ("create", "check_mode", "created"),
    [(True, False, True), (True, True, False), (False, False, False), (False, True, False)],
)
def test_a_file_is_created_for_whom_it_is_to_be_and_not_in_check_mode(tmp_path, module_of, create, check_mode, created):
    path = tmp_path / "leases.sqlite3"
    module = module_of(lease_store=f"sqlite://{path}", _ansible_check_mode=check_mode)
    with open_lease_store(module, service_now=lambda: NOW, create=create) as store:
        assert store.find(None) == {}
    assert path.exists() is created


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("lease_store", "message"),
    [
        (
            "sqlite:///~nosuchuser/leases.sqlite3",
            "The lease store ~nosuchuser/leases.sqlite3 has no home directory to be in: name an absolute path in "
            "lease_store.",
        ),
        (
            "leases.sqlite3",
            "lease_store is 'leases.sqlite3', which is not a lease store: use sqlite:///PATH, such as "
            "sqlite:///~/.ansible/labstream/leases.sqlite3, or dynamodb://TABLE, or none.",
        ),
    ],
)
def test_what_cannot_be_opened_is_rejected_by_everybody(module_of, lease_store, message, create, check_mode):
    module = module_of(lease_store=lease_store, _ansible_check_mode=check_mode)
    with (
        pytest.raises((InvalidOption, LeaseStoreError)) as rejected,
        open_lease_store(module, service_now=lambda: NOW, create=create),
    ):
        pytest.fail("It is open.")
    assert str(rejected.value) == message


# In a runner, whose home is usually deleted.


@pytest.mark.parametrize("create", [False, True])
def test_the_default_file_is_rejected_in_a_runner(module_of, home, monkeypatch, create):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with (
        pytest.raises(LeaseStoreError) as rejected,
        open_lease_store(module_of(), service_now=lambda: NOW, create=create),
    ):
        pytest.fail("It is open.")
    assert str(rejected.value) == (
        "No lease store is named, and the default file is probably deleted with this job, since GITHUB_ACTIONS is set, "
        "as in a job of GitHub Actions. Set lease_store or LABSTREAM_LEASE_STORE to dynamodb://TABLE, or to "
        "sqlite:///PATH in a folder that is kept, such as sqlite:///~/.ansible/labstream/leases.sqlite3 if the home is "
        "kept."
    )
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "lease_store", [DEFAULT_LEASE_STORE, "none", "sqlite:///~/leases.sqlite3", "dynamodb://leases"]
)
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_store_that_is_named_is_accepted_there(module_of, monkeypatch, lease_store, by_environment):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    options = {"lease_store": lease_store}
    if by_environment:
        monkeypatch.setenv("LABSTREAM_LEASE_STORE", options.pop("lease_store"))
    with open_lease_store(module_of(region=REGION, **options), service_now=lambda: NOW, create=False):
        pass


@pytest.mark.parametrize("options", [{}, {"lease_store": None}], ids=["left out", "null"])
@pytest.mark.parametrize(("name", "warned"), [("CI", True), ("JOB_ID", True), ("LANG", False)])
def test_the_default_file_is_a_warning_where_there_is_only_a_hint(module_of, home, monkeypatch, options, name, warned):
    monkeypatch.setenv(name, "4711")
    module, warnings = module_of(**options), []
    monkeypatch.setattr(module, "warn", warnings.append)
    with open_lease_store(module, service_now=lambda: NOW, create=True) as store:
        compare_and_set(store, lease_of())
    assert (home / ".ansible" / "labstream" / "leases.sqlite3").exists()
    assert [warning.partition(". ")[0] for warning in warnings] == [
        f"No lease store is named, and the default file may be deleted with this job, since {name} is set, as in jobs "
        "of some runners"
    ] * warned


# How a table is reached.


@pytest.fixture
def keys_of(simulator):
    """Keys of an account, as the options of a task."""

    def assume(account):
        role = f"arn:aws:iam::{account}:role/teacher"
        keys = simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="lab")["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "session_token": keys["SessionToken"],
        }

    return assume


@pytest.fixture
def profiles(home, keys_of):
    """The profiles lab and class in the home: each has the keys of its account, and lab has a region."""
    (home / ".aws").mkdir()
    with (home / ".aws" / "credentials").open("w", encoding="utf-8") as file:
        for name, account in (("lab", OF_THE_LAB), ("class", OF_THE_COURSE)):
            keys = keys_of(account)
            file.write(f"[{name}]\naws_access_key_id = {keys['access_key']}\n")
            file.write(f"aws_secret_access_key = {keys['secret_key']}\naws_session_token = {keys['session_token']}\n")
    (home / ".aws" / "config").write_text(f"[profile lab]\nregion = {OTHER_REGION}\n", encoding="utf-8")


@pytest.fixture
def task(keys_of):
    """The options of a task that reaches another service, with keys of its own."""
    return {"region": REGION, "endpoint_url": NOWHERE, **keys_of(OF_THE_TASK)}


@pytest.fixture
def reached(module_of, simulator):
    """``reached(options, table, parameters)``: the region and the account in which a module looks for that table."""

    def open_it(options, table="leases", **parameters):
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        url = f"dynamodb://{table}?endpoint_url={simulator.endpoint_url}&{query}".rstrip("&")
        with open_lease_store(module_of(lease_store=url, **options), service_now=lambda: NOW, create=False) as store:
            assert simulator.calls(service="dynamodb") == []  # Who issues nothing is not checked.
            with pytest.raises(LeaseStoreError, match="ResourceNotFoundException"):
                store.find(SCOPE)
        [call] = simulator.calls(service="dynamodb")
        return call["region"], call["account"]

    return open_it


@pytest.mark.parametrize(
    ("region", "table", "parameters", "expected_region"),
    [
        pytest.param("eu-west-1", "leases", {}, "eu-west-1", id="the task's"),
        pytest.param("eu-west-1", "leases", {"region": OTHER_REGION}, OTHER_REGION, id="the store's before the task's"),
        pytest.param(None, "leases", {"region": OTHER_REGION}, OTHER_REGION, id="the store's alone"),
        pytest.param(
            "eu-west-1", f"arn:aws:dynamodb:{REGION}:123456789012:table/leases", {}, REGION, id="the ARN's before"
        ),
        pytest.param(None, f"arn:aws:dynamodb:{REGION}:123456789012:table/leases", {}, REGION, id="the ARN's alone"),
    ],
)
def test_the_region_is_the_stores_or_the_arns_or_the_tasks(reached, task, region, table, parameters, expected_region):
    assert reached({**task, "region": region}, table, **parameters) == (expected_region, OF_THE_TASK)


@pytest.mark.parametrize(
    ("options", "parameters", "expected"),
    [
        pytest.param({}, {}, (REGION, OF_THE_TASK), id="keys of the task"),
        pytest.param({}, {"profile": "lab"}, (REGION, OF_THE_LAB), id="a profile of the store before them"),
        pytest.param({"region": None}, {"profile": "lab"}, (OTHER_REGION, OF_THE_LAB), id="which may have a region"),
        pytest.param({"profile": "class"}, {}, (REGION, OF_THE_COURSE), id="a profile of the task"),
        pytest.param({"profile": "class"}, {"profile": "lab"}, (REGION, OF_THE_LAB), id="another before that"),
    ],
)
def test_the_credentials_are_those_of_the_stores_profile_or_the_tasks(
    profiles, reached, task, options, parameters, expected
):
    keys = {} if options.get("profile") else task
    assert reached({"region": REGION, **keys, **options}, **parameters) == expected


@pytest.mark.parametrize(("parameters", "account"), [({}, OF_THE_TASK), ({"profile": "lab"}, OF_THE_LAB)])
def test_a_profile_of_the_store_goes_before_keys_of_the_environment_too(
    profiles, reached, keys_of, monkeypatch, parameters, account
):
    keys = keys_of(OF_THE_TASK)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["secret_key"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["session_token"])
    assert reached({"region": REGION}, **parameters) == (REGION, account)


@pytest.fixture
def host_of(module_of):
    """``host_of(lease_store, **options)``: where the store of a module with these options looks for its table."""

    def open_it(lease_store, **options):
        module = module_of(lease_store=lease_store, region=REGION, **options)
        with open_lease_store(module, service_now=lambda: NOW, create=False) as store:
            assert isinstance(store, DynamoDBLeaseStore)
            return endpoint_host(store._table.client)

    return open_it


@pytest.mark.parametrize("options", [{"endpoint_url": NOWHERE}, {}], ids=["of the task", "none"])
@pytest.mark.parametrize(
    ("lease_store", "host"),
    [
        ("dynamodb://leases", f"dynamodb.{REGION}.amazonaws.com"),
        ("dynamodb://leases?region=us-west-2", "dynamodb.us-west-2.amazonaws.com"),
        ("dynamodb://leases?endpoint_url=http://127.0.0.1:8000", "127.0.0.1:8000"),
    ],
)
def test_an_endpoint_of_the_service_that_issues_is_none_of_the_store(host_of, options, lease_store, host):
    assert host_of(lease_store, **options) == host


@pytest.mark.parametrize("name", ["AWS_URL", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize(
    ("lease_store", "more", "host"),
    [
        pytest.param("dynamodb://leases", {}, "127.0.0.1:1", id="the environment's"),
        pytest.param("dynamodb://leases?region=us-west-2", {}, "127.0.0.1:1", id="in any region"),
        pytest.param(
            "dynamodb://leases", {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:2"}, "127.0.0.1:2", id="DynamoDB's own"
        ),
        pytest.param("dynamodb://leases?endpoint_url=http://127.0.0.1:3", {}, "127.0.0.1:3", id="the store's before"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"endpoint_url": "http://127.0.0.1:4"}], ids=["alone", "beside the task's"])
def test_an_endpoint_for_all_services_is_the_stores_too(host_of, monkeypatch, name, lease_store, more, host, options):
    for variable, value in {name: NOWHERE, **more}.items():
        monkeypatch.setenv(variable, value)
    assert host_of(lease_store, **options) == host


def test_an_empty_endpoint_for_all_services_is_none(host_of, monkeypatch):
    monkeypatch.setenv("AWS_URL", "")
    assert host_of("dynamodb://leases", endpoint_url=NOWHERE) == f"dynamodb.{REGION}.amazonaws.com"


@pytest.mark.parametrize(("concurrency", "connections"), [(None, 16), (7, 7)])
def test_there_are_as_many_connections_as_calls_at_once(module_of, concurrency, connections):
    options = {} if concurrency is None else {"concurrency": concurrency}
    spec = {"concurrency": {"type": "int"}} if options else {}
    module = module_of(argument_spec=spec, region=REGION, lease_store="dynamodb://leases", **options)
    together, threads = Barrier(connections), set()

    def call(_number):
        threads.add(get_ident())
        together.wait(timeout=10)
        count = len(threads)
        together.wait(timeout=10)
        return count

    with open_lease_store(module, service_now=lambda: NOW, create=False) as store:
        assert store._table.client.meta.config.max_pool_connections == connections
        assert set(store._table.map(call, range(2 * connections))) == {connections}


@pytest.mark.parametrize(
    ("options", "parameters", "reported"),
    [
        ({"region": None}, "", "region"),
        ({}, "?region=eu%20central", "'eu central'"),
        ({}, "?profile=nobody", "nobody"),
    ],
)
def test_a_table_that_cannot_be_reached_is_one_message(module_of, options, parameters, reported):
    module = module_of(**{"region": REGION, **options}, lease_store=f"dynamodb://leases{parameters}")
    with (
        pytest.raises(LabstreamError, match=reported) as rejected,
        open_lease_store(module, service_now=lambda: NOW, create=False),
    ):
        pytest.fail("It is open.")
    assert "\n" not in str(rejected.value)


def test_the_store_is_closed_at_the_end(module_of):
    with open_lease_store(
        module_of(region=REGION, lease_store="dynamodb://leases"), service_now=lambda: NOW, create=False
    ) as store:
        pass
    with pytest.raises(RuntimeError, match="shutdown"):
        store.read([build_key()])
