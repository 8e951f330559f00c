# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does once, and not in every process that is forked off, what botocore does anew for each client."""

from __future__ import annotations

from functools import cache

import boto3
from botocore import hooks
from botocore.loaders import JSONFileLoader, Loader


def read_once(*services: str) -> None:
    """From now on, botocore reads each of its files once in this process; those of the services now."""
    read: dict[str, dict | None] = {}
    load_file = JSONFileLoader.load_file

    def load_once(loader: JSONFileLoader, path: str) -> dict | None:
        if path not in read:
            read[path] = load_file(loader, path)
        return read[path]

    # It looks into four hundred folders, each time that a client is made.
    look_for_services = Loader.list_available_services
    found = cache(lambda type_name: look_for_services(Loader(), type_name))

    JSONFileLoader.load_file = load_once
    Loader.list_available_services = lambda loader, type_name: found(type_name)

    # It asks this of the same hundred and forty handlers and names of events.
    hooks.accepts_kwargs = cache(hooks.accepts_kwargs)
    alias_of = cache(hooks.EventAliaser(None)._alias_event_name)
    hooks.EventAliaser._alias_event_name = lambda _aliaser, event_name: alias_of(event_name)

    for service in services:
        boto3.client(service, "us-east-1")
