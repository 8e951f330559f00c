# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Credentials of a botocore session: whatever loading or renewing them raises becomes a CredentialsError.

Loading runs programs, reads files and calls other services, and botocore passes on what these raise. They are loaded
when a client is built, and renewed while a request is signed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    from botocore.credentials import create_credential_resolver
    from botocore.exceptions import BotoCoreError, ClientError, RefreshWithMFAUnsupportedError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ._errors import CredentialsError, to_line

# Settings of a profile that say where its credentials come from.
_SOURCES = ("role_arn", "credential_process", "web_identity_token_file", "sso_session", "sso_start_url")
_DEFAULT = "default"
_NO_MFA = (
    "their profile asks for an MFA code (mfa_serial), which a module cannot do: get temporary credentials first (sts "
    "get-session-token or assume-role), and set access_key, secret_key and session_token, or a profile that has them"
)


class CredentialLoader:
    """A session's ``credential_provider``, for ``session.register_component``.

    Args:
        session: The botocore session.
        region: The region of the client.
    """

    def __init__(self, session: Any, region: str | None) -> None:
        self._session = session
        self._region = region

    def load_credentials(self) -> LoadedCredentials | None:
        """Return the credentials; None if there are none.

        Raises:
            CredentialsError: They cannot be loaded.
        """
        with _as_credentials_errors(self._session):
            credentials = create_credential_resolver(self._session, region_name=self._region).load_credentials()
        if credentials is None:
            return None
        needs_mfa = any({"role_arn", "mfa_serial"} <= settings.keys() for settings in _get_role_chain(self._session))
        if credentials.method == "assume-role" and needs_mfa:
            # It would be asked for on the terminal, or read from nowhere.
            raise _build_error(RefreshWithMFAUnsupportedError(), self._session)
        loaded = LoadedCredentials(credentials, self._session)
        loaded.get_frozen_credentials()  # A role is assumed only now.
        return loaded


class LoadedCredentials:
    """Credentials as a client uses them. They are renewed when they are about to expire."""

    def __init__(self, credentials: Any, session: Any) -> None:
        self._credentials = credentials
        self._session = session
        self.method: str = credentials.method

    def get_frozen_credentials(self) -> Any:
        """Return keys and token that belong together.

        Raises:
            CredentialsError: They cannot be renewed.
        """
        with _as_credentials_errors(self._session):
            return self._credentials.get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return a function that returns the property, such as ``account_id``."""
        return lambda: getattr(self.get_frozen_credentials(), name, None)


@contextmanager
def _as_credentials_errors(session: Any) -> Iterator[None]:
    """Let what botocore raises become a CredentialsError. To be put around a call of botocore alone."""
    try:
        yield
    except Exception as e:
        raise _build_error(e, session) from e


def _build_error(error: Exception, session: Any) -> CredentialsError:
    return CredentialsError(f"The credentials{_describe_profile(session)} cannot be used: {_explain(error, session)}.")


def _describe_profile(session: Any) -> str:
    """Return the profile that the credentials come from; empty if they come from elsewhere."""
    settings: Mapping[str, str] = next(_get_role_chain(session), {})
    is_source = session.profile or any(source in settings for source in _SOURCES)
    return f" of profile {session.profile or _DEFAULT!r}" if is_source else ""


def _explain(error: Exception, session: Any) -> str:
    """Return why the credentials cannot be used and what to do. What is in tokens and replies is not quoted."""
    processes = [settings.get("credential_process") for settings in _get_role_chain(session)]
    program = next((process.split()[0] for process in processes if process and process.strip()), None)
    if isinstance(error, RefreshWithMFAUnsupportedError):
        return _NO_MFA
    if isinstance(error, OSError) and error.filename is not None:
        return _explain_file(error, program)
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        said = f"{error.operation_name} failed with {details.get('Code')} ({to_line(details.get('Message') or '')})"
        remedy = "correct 'role_arn' of the profile, the trust policy of the role, or the credentials that assume it"
        return f"{said}: {remedy}"
    if isinstance(error, (BotoCoreError, OSError)):
        return to_line(str(error)) + (f": check credential_process, {program}" if program else "")
    source = f"credential_process, {program}" if program else "what returns them"
    # botocore raises RuntimeError for what it has just renewed, and all others over what a program or service returned.
    if isinstance(error, RuntimeError):
        return f"the renewed ones have expired already: check {source}, and this machine's clock"
    return f"what was returned for them cannot be parsed ({type(error).__name__}): check {source}"


def _explain_file(error: OSError, program: str | None) -> str:
    if error.filename == program:
        return f"credential_process, {program}, cannot be run ({error.strerror}): correct its path, or its mode"
    variables = [name for name, value in os.environ.items() if name.startswith("AWS_") and value == error.filename]
    named = f"{error.filename} ({variables[0]})" if variables else error.filename
    return f"{named} cannot be read ({error.strerror}): correct the path, or let user id {os.geteuid()} read the file"


def _get_role_chain(session: Any) -> Iterator[Mapping[str, str]]:
    """Return the settings of the session's profile, then those of the profiles whose roles it assumes the role with."""
    try:
        profiles = session.full_config["profiles"]
    except BotoCoreError:
        return
    name, seen = session.profile or _DEFAULT, set[str]()
    while name in profiles and name not in seen:
        yield profiles[name]
        seen.add(name)
        name = profiles[name].get("source_profile", "")
        if "aws_access_key_id" in profiles.get(name, {}):
            return  # Its role is not assumed.
