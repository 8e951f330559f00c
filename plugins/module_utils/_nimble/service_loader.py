# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The description of a service that botocore does not know. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceLoader:
    """A data loader for a botocore session: one service's descriptions are ours, all else is another loader's.

    Ours take precedence if the other loader also has the service. No file is written, unlike with AWS_DATA_PATH.

    Args:
        service: The service's name, as ``create_client`` takes it.
        descriptions: The service's descriptions by their types, such as "service-2".
        others: The session's own loader, a botocore.loaders.Loader.
    """

    def __init__(self, service: str, descriptions: Mapping[str, Any], others: Any) -> None:
        self._service = service
        self._descriptions = descriptions
        self._others = others

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Return the description of this type. The signature is botocore's; ours has only one version.

        Raises:
            botocore.exceptions.DataNotFoundError: the description does not exist.
        """
        if service_name == self._service and type_name in self._descriptions:
            return self._descriptions[type_name]
        return self._others.load_service_model(service_name, type_name, api_version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._others, name)
