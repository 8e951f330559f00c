# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import (
    DEFAULT_LEASE_STORE,
    LeaseTable,
    SQLiteFile,
    parse_address,
)

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/leases"


def test_none_is_no_store():
    assert parse_address("none") is None


def test_nothing_named_is_the_default_file():
    assert parse_address(None) == parse_address(DEFAULT_LEASE_STORE)


def test_an_empty_environment_variable_is_named(monkeypatch):
    monkeypatch.setenv("LABSTREAM_LEASE_STORE", "")
    with pytest.raises(InvalidOption, match="The environment variable LABSTREAM_LEASE_STORE is empty"):
        parse_address("")


@pytest.mark.parametrize(
    ("lease_store", "path"),
    [
        (DEFAULT_LEASE_STORE, "/~/.ansible/labstream/leases.sqlite3"),
        ("sqlite:///var/lib/leases.sqlite3", "/var/lib/leases.sqlite3"),
        ("sqlite:////var/lib/leases.sqlite3", "//var/lib/leases.sqlite3"),
        ("sqlite:///what?mode=memory#x%41", "/what?mode=memory#x%41"),
        ("sqlite:///a://b", "/a://b"),
        ("sqlite:///Übung/größe.db", "/Übung/größe.db"),
    ],
)
def test_sqlite_names_a_file_and_nothing_in_its_path_has_a_meaning(lease_store, path):
    assert parse_address(lease_store) == SQLiteFile(path)


@pytest.mark.parametrize(
    ("lease_store", "table"),
    [
        ("dynamodb://leases", LeaseTable("leases")),
        ("dynamodb://leases?", LeaseTable("leases")),
        ("dynamodb://Labstream_Leases.2026-11", LeaseTable("Labstream_Leases.2026-11")),
        ("dynamodb://abc", LeaseTable("abc")),
        ("dynamodb://" + "a" * 255, LeaseTable("a" * 255)),
        ("dynamodb://leases?region=eu-central-1", LeaseTable("leases", region="eu-central-1")),
        ("dynamodb://leases?profile=lab", LeaseTable("leases", profile="lab")),
        ("dynamodb://leases?profile=the%20lab", LeaseTable("leases", profile="the lab")),
        (
            "dynamodb://leases?endpoint_url=http://127.0.0.1:8000",
            LeaseTable("leases", endpoint_url="http://127.0.0.1:8000"),
        ),
        (
            "dynamodb://leases?endpoint_url=http%3A%2F%2F127.0.0.1%3A8000",
            LeaseTable("leases", endpoint_url="http://127.0.0.1:8000"),
        ),
        (
            "dynamodb://leases?endpoint_url=https://[::1]:8000/a/path?a=b",
            LeaseTable("leases", endpoint_url="https://[::1]:8000/a/path?a=b"),
        ),
        (
            "dynamodb://leases?profile=lab&endpoint_url=https://dynamodb.example.org&region=us-west-2",
            LeaseTable("leases", "us-west-2", "https://dynamodb.example.org", "lab"),
        ),
        (f"dynamodb://{ARN}", LeaseTable(ARN, region="eu-central-1")),
        (f"dynamodb://{ARN}?profile=lab", LeaseTable(ARN, region="eu-central-1", profile="lab")),
        (f"dynamodb://{ARN}?region=eu-central-1", LeaseTable(ARN, region="eu-central-1")),
        (
            "dynamodb://arn:aws-cn:dynamodb:cn-north-1:123456789012:table/Leases.X_1",
            LeaseTable("arn:aws-cn:dynamodb:cn-north-1:123456789012:table/Leases.X_1", region="cn-north-1"),
        ),
        (
            "dynamodb://arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/leases",
            LeaseTable("arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/leases", region="us-gov-west-1"),
        ),
    ],
)
def test_dynamodb_names_a_table_and_how_it_is_reached(lease_store, table):
    assert parse_address(lease_store) == table


@pytest.mark.parametrize(
    "lease_store",
    [
        "",
        "None",
        "none://",
        "no",
        "leases.sqlite3",
        "/var/lib/leases.sqlite3",
        "~/leases.sqlite3",
        "sqlite",
        "sqlite:",
        "sqlite:/var/lib/leases.sqlite3",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite://leases.sqlite3",
        "sqlite://~/leases.sqlite3",
        "SQLITE:///var/lib/leases.sqlite3",
        "sqlite3:///var/lib/leases.sqlite3",
        "sqlite:///var/lib/leases\0.sqlite3",
        "file:///var/lib/leases.sqlite3",
        "postgresql://localhost/leases",
        "https://example.org/leases",
        " sqlite:///var/lib/leases.sqlite3",
        "dynamodb",
        "dynamodb:",
        "dynamodb://",
        "dynamodb:leases",
        "dynamodb:/leases",
        "DynamoDB://leases",
        " dynamodb://leases",
        "leases",
        ARN,
    ],
)
def test_what_names_no_store_is_rejected(lease_store):
    with pytest.raises(InvalidOption) as rejected:
        parse_address(lease_store)
    assert str(rejected.value) == (
        f"lease_store is {lease_store!r}, which is not a lease store: use sqlite:///PATH, such as "
        "sqlite:///~/.ansible/labstream/leases.sqlite3, or dynamodb://TABLE, or none."
    )


NO_TABLE = "is neither the name nor the ARN of a DynamoDB table"
NO_LIST = "is not a list of NAME=VALUE, joined by &"
NO_URL = "which is not an http or https URL"
OTHER_REGION = "the table is in the region eu-central-1, and its parameter region is"
LONG = "'" + "a" * 37 + "..." + "a" * 38 + "'"


@pytest.mark.parametrize(
    ("rest", "reported"),
    [
        # Not a table.
        ("ab", f"'ab' {NO_TABLE}"),
        ("a" * 256, f"{LONG} {NO_TABLE}"),
        ("?region=eu-central-1", f"'' {NO_TABLE}"),
        ("my leases", f"'my leases' {NO_TABLE}"),
        ("leases ", f"'leases ' {NO_TABLE}"),
        ("leases\n", rf"'leases\n' {NO_TABLE}"),
        ("/leases", f"'/leases' {NO_TABLE}"),
        ("leases/", f"'leases/' {NO_TABLE}"),
        ("leases#x", f"'leases#x' {NO_TABLE}"),
        ("leases&region=eu-central-1", f"'leases&region=eu-central-1' {NO_TABLE}"),
        ("lab@leases", f"'lab@leases' {NO_TABLE}"),
        ("Übungen", f"'Übungen' {NO_TABLE}"),
        ("١٢٣", f"'١٢٣' {NO_TABLE}"),
        ("lea%73es", f"'lea%73es' {NO_TABLE}"),
        # Not the ARN of one.
        ("arn:aws:s3:::leases", f"'arn:aws:s3:::leases' {NO_TABLE}"),
        (f"{ARN}/index/x", f"'{ARN}/index/x' {NO_TABLE}"),
        (ARN.replace("12:", "1:"), f"'{ARN.replace('12:', '1:')}' {NO_TABLE}"),
        (ARN.replace("eu-central-1", ""), f"'{ARN.replace('eu-central-1', '')}' {NO_TABLE}"),
        (ARN.replace("leases", "ab"), f"'{ARN.replace('leases', 'ab')}' {NO_TABLE}"),
        (ARN.replace("dynamodb", "dax"), f"'{ARN.replace('dynamodb', 'dax')}' {NO_TABLE}"),
        (ARN.replace("arn:aws:", "arn:ibm:"), f"'{ARN.replace('arn:aws:', 'arn:ibm:')}' {NO_TABLE}"),
        # Not parameters.
        ("leases?region", f"'region' {NO_LIST}"),
        ("leases?region=x&", f"'region=x&' {NO_LIST}"),
        ("leases?region=x&&profile=y", f"'region=x&&profile=y' {NO_LIST}"),
        ("leases?regions=x", "it accepts region, endpoint_url, profile and not 'regions'"),
        ("leases?Region=x", "it accepts region, endpoint_url, profile and not 'Region'"),
        ("leases?access_key=x", "it accepts region, endpoint_url, profile and not 'access_key'"),
        ("leases?region=x;profile=y&table=z", "it accepts region, endpoint_url, profile and not 'table'"),
        ("leases?region=", "region is empty or given twice"),
        ("leases?profile=", "profile is empty or given twice"),
        ("leases?endpoint_url=", "endpoint_url is empty or given twice"),
        ("leases?region=x&region=y", "region is empty or given twice"),
        ("leases?region=x&region=x", "region is empty or given twice"),
        ("leases?region=eu-central-1&profile=x&profile=y", "profile is empty or given twice"),
        # Not an endpoint.
        ("leases?endpoint_url=127.0.0.1:8000", f"endpoint_url is '127.0.0.1:8000', {NO_URL}"),
        ("leases?endpoint_url=ftp://example.org", f"endpoint_url is 'ftp://example.org', {NO_URL}"),
        ("leases?endpoint_url=http://", f"endpoint_url is 'http://', {NO_URL}"),
        ("leases?endpoint_url=http://:8000", f"endpoint_url is 'http://:8000', {NO_URL}"),
        ("leases?endpoint_url=http://[::1", f"endpoint_url is 'http://[::1', {NO_URL}"),
        ("leases?endpoint_url=http://example.org:0", f"endpoint_url is 'http://example.org:0', {NO_URL}"),
        ("leases?endpoint_url=http://example.org:65536", f"endpoint_url is 'http://example.org:65536', {NO_URL}"),
        ("leases?endpoint_url=http://example.org:x", f"endpoint_url is 'http://example.org:x', {NO_URL}"),
        # Contradictions.
        (f"{ARN}?region=us-west-2", f"{OTHER_REGION} 'us-west-2'"),
        (f"{ARN}?region=EU-CENTRAL-1", f"{OTHER_REGION} 'EU-CENTRAL-1'"),
    ],
)
def test_what_names_no_table_or_no_way_to_it_is_rejected(rest, reported):
    lease_store = f"dynamodb://{rest}"
    with pytest.raises(InvalidOption) as rejected:
        parse_address(lease_store)
    assert str(rejected.value) == (
        f"lease_store is {lease_store!r}, but {reported}: write it like dynamodb://TABLE?region=eu-central-1."
    )
