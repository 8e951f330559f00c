# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message for a user whose credentials cannot be loaded or renewed."""

from __future__ import annotations

import json
import os
import shlex
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _credentials
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import describe_stack
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import CredentialsError
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

from tests.unit.plugins.module_utils.module_arguments import patch_module_args
from tests.unit.plugins.module_utils.support import as_ordinary_user, searchable_folder

pytestmark = pytest.mark.usefixtures("files_of_botocore_are_read_once")

ROLE = "arn:aws:iam::123456789012:role/lab"
KEYS = {"Version": 1, "AccessKeyId": "nobody", "SecretAccessKey": "correct-horse", "SessionToken": "battery"}
NO_MFA = (
    "their profile asks for an MFA code (mfa_serial), which a module cannot do: get temporary credentials first (sts "
    "get-session-token or assume-role), and set access_key, secret_key and session_token, or a profile that has them."
)


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Writes AWS's config file, in which {tmp} stands for a folder, and sets variables."""

    def write(config="", **variables):
        path = tmp_path / "config"
        path.write_text(config.replace("{tmp}", str(tmp_path)), encoding="utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("{tmp}", str(tmp_path)))

    return write


def client(**options):
    """The client that a module with these options builds."""
    with patch_module_args({"region": "eu-central-1", "endpoint_url": "http://127.0.0.1:1", **options}):
        return build_client(LabstreamAWSModule(empty_result={}, argument_spec={}), "appstream", 1)


def write_program(path, *, expires_in=None, prints=None, status=0):
    """Write a credential_process that prints keys, or what else is given."""
    expiration = {"Expiration": (datetime.now(UTC) + timedelta(seconds=expires_in)).isoformat()} if expires_in else {}
    text = json.dumps({**KEYS, **expiration}) if prints is None else prints
    path.write_text(f"#!/bin/sh\nprintf '%s' {shlex.quote(text)}\necho 'No luck.' >&2\nexit {status}\n")
    path.chmod(0o700)
    return path


MFA = f"[profile lab]\nrole_arn = {ROLE}\nsource_profile = me\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"
ME = "[profile me]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n"


@pytest.mark.parametrize(
    ("config", "profile"),
    [
        pytest.param(MFA + ME, "lab", id="of the profile"),
        pytest.param(
            MFA + ME + f"[profile next]\nrole_arn = {ROLE}\nsource_profile = lab\n", "next", id="of its source profile"
        ),
        pytest.param((MFA + ME).replace("profile lab", "default"), None, id="of the default profile"),
        pytest.param(
            MFA.replace("= me\n", "= lab\n") + ME.partition("\n")[2], "lab", id="of a profile that is its own source"
        ),
    ],
)
def test_nobody_is_asked_for_an_mfa_code(configure, config, profile):
    configure(config)
    with pytest.raises(CredentialsError) as rejected:
        client(profile=profile)
    assert str(rejected.value) == f"The credentials of profile '{profile or 'default'}' cannot be used: {NO_MFA}"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(ME.replace("me", "lab") + "mfa_serial = arn:aws:iam::123456789012:mfa/me\n", id="no role"),
        pytest.param(
            f"[profile lab]\nrole_arn = {ROLE}\nsource_profile = me\n"
            + ME
            + f"role_arn = {ROLE}\nmfa_serial = arn:aws:iam::123456789012:mfa/me\nsource_profile = me\n",
            id="the source profile has keys",
        ),
    ],
)
def test_an_mfa_device_that_is_not_needed_is_none(configure, simulator, config):
    configure(config, AWS_ENDPOINT_URL_STS=simulator.endpoint_url)
    assert client(profile="lab").meta.region_name == "eu-central-1"


PROCESS = "[profile lab]\ncredential_process = {tmp}/program --for lab\n"
CANNOT_RUN = "credential_process, {tmp}/program, cannot be run"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param(None, f"{CANNOT_RUN} (No such file or directory): correct its path, or its mode.", id="missing"),
        pytest.param(
            dict(mode=0o600), f"{CANNOT_RUN} (Permission denied): correct its path, or its mode.", id="not executable"
        ),
        pytest.param(
            dict(prints="{"),
            "what was returned for them cannot be parsed (JSONDecodeError): check credential_process, {tmp}/program.",
            id="half of the keys",
        ),
        pytest.param(
            dict(prints="[]"),
            "what was returned for them cannot be parsed (AttributeError): check credential_process, {tmp}/program.",
            id="something else",
        ),
        pytest.param(
            dict(prints='{"Version": 1}'),
            "Error when retrieving credentials from custom-process: Missing required key in response: 'AccessKeyId': "
            "check credential_process, {tmp}/program.",
            id="no keys",
        ),
        pytest.param(
            dict(status=3),
            "Error when retrieving credentials from custom-process: No luck: check credential_process, {tmp}/program.",
            id="an error of its own",
        ),
        pytest.param(
            dict(expires_in=-60),
            "the renewed ones have expired already: check credential_process, {tmp}/program, and this machine's clock.",
            id="keys that have expired",
        ),
    ],
)
def test_a_program_that_gives_no_credentials_is_named(configure, tmp_path, program, reason):
    configure(PROCESS)
    if program is not None:
        mode = program.pop("mode", 0o700)
        write_program(tmp_path / "program", **program).chmod(mode)
    with pytest.raises(CredentialsError) as rejected:
        client(profile="lab")
    assert str(rejected.value) == (
        f"The credentials of profile 'lab' cannot be used: {reason.replace('{tmp}', str(tmp_path))}"
    )


@pytest.mark.parametrize("process", ["", "'"])
def test_a_program_that_is_not_a_command_line(configure, process):
    configure(f"[profile lab]\ncredential_process = {process}\n")
    with pytest.raises(CredentialsError, match=r"^The credentials of profile 'lab' cannot be used: "):
        client(profile="lab")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        pytest.param(
            dict(AWS_WEB_IDENTITY_TOKEN_FILE="{tmp}/token", AWS_ROLE_ARN=ROLE),
            "{tmp}/token (AWS_WEB_IDENTITY_TOKEN_FILE) cannot be read (No such file or directory)",
            id="a web identity's",
        ),
        pytest.param(
            dict(
                AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/",
                AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="{tmp}/token",
            ),
            "{tmp}/token (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) cannot be read (No such file or directory)",
            id="a container's",
        ),
    ],
)
def test_a_token_file_that_is_missing_is_named_with_its_variable(configure, tmp_path, variables, reason):
    configure(**variables)
    with pytest.raises(CredentialsError) as rejected:
        client()
    assert str(rejected.value) == (
        f"The credentials cannot be used: {reason.replace('{tmp}', str(tmp_path))}: correct the path, or let user id "
        f"{os.geteuid()} read the file."
    )


def test_a_token_file_of_a_profile_that_may_not_be_read_is_named(configure):
    with searchable_folder() as folder:
        token = folder / "token"
        token.write_text("correct-horse")
        token.chmod(0)
        configure()
        config = folder / "config"
        config.write_text(f"[profile lab]\nrole_arn = {ROLE}\nweb_identity_token_file = {token}\n")
        config.chmod(0o644)

        def try_it():
            os.environ["AWS_CONFIG_FILE"] = str(config)
            try:
                client(profile="lab")
            except CredentialsError as e:
                return str(e)

        message = as_ordinary_user(try_it)
    assert message.startswith(
        f"The credentials of profile 'lab' cannot be used: {token} cannot be read (Permission denied): correct the "
    )


def test_a_container_that_cannot_be_reached(configure):
    configure(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/", AWS_METADATA_SERVICE_NUM_ATTEMPTS="1")
    with pytest.raises(CredentialsError, match=r"^The credentials cannot be used: Error when retrieving credentials"):
        client()


def test_a_role_that_may_not_be_assumed_is_not_an_action_of_the_service(configure, simulator):
    configure(
        f"[profile lab]\nrole_arn = {ROLE}\nsource_profile = me\n{ME}", AWS_ENDPOINT_URL_STS=simulator.endpoint_url
    )
    simulator.add_fault(service="sts", operation="AssumeRole", error={"code": "AccessDenied", "message": "Not you."})
    with pytest.raises(CredentialsError) as rejected:
        client(profile="lab")
    assert str(rejected.value) == (
        "The credentials of profile 'lab' cannot be used: AssumeRole failed with AccessDenied (Not you): correct "
        "'role_arn' of the profile, the trust policy of the role, or the credentials that assume it."
    )


def test_a_role_is_assumed_once_and_its_credentials_sign(configure, simulator):
    configure(
        f"[profile lab]\nrole_arn = {ROLE}\nsource_profile = me\n{ME}", AWS_ENDPOINT_URL_STS=simulator.endpoint_url
    )
    appstream = client(profile="lab", endpoint_url=simulator.endpoint_url)
    for _time in range(2):
        assert describe_stack(appstream, "course") is None
    assert [len(simulator.calls(operation)) for operation in ("AssumeRole", "DescribeStacks")] == [1, 2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(os.unlink, f"{CANNOT_RUN} (No such file or directory)", id="it vanishes"),
        pytest.param(
            lambda path: write_program(path, expires_in=-60), "the renewed ones have expired already", id="too old"
        ),
        pytest.param(
            lambda path: write_program(path, prints="correct-horse"),
            "what was returned for them cannot be parsed (JSONDecodeError)",
            id="something else",
        ),
    ],
)
def test_credentials_that_cannot_be_renewed_are_not_taken_for_a_response(configure, tmp_path, change, reason):
    """Keys of five minutes are renewed for each call."""
    configure(PROCESS)
    program = write_program(tmp_path / "program", expires_in=300)
    appstream = client(profile="lab")
    change(program)
    with pytest.raises(CredentialsError) as rejected:
        describe_stack(appstream, "course")
    assert str(rejected.value).startswith(
        f"The credentials of profile 'lab' cannot be used: {reason.replace('{tmp}', str(tmp_path))}: "
    )
    assert "correct-horse" not in str(rejected.value)


def test_keys_of_the_options_ask_no_profile(configure):
    configure((MFA + ME).replace("profile lab", "default"))
    appstream = client(access_key="nobody", secret_key="nothing", region="eu-west-1")
    assert appstream.meta.region_name == "eu-west-1"


def test_a_bug_of_this_collection_is_not_taken_for_what_credentials_are_loaded_from(monkeypatch, configure, tmp_path):
    def get_role_chain(_session):
        raise KeyError("profiles")

    configure(PROCESS)
    write_program(tmp_path / "program")
    monkeypatch.setattr(_credentials, "_get_role_chain", get_role_chain)
    with pytest.raises(KeyError):
        client(profile="lab")
