# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For processes that fork off a child for each module: what they do once for all children, and how a child ends."""

from __future__ import annotations

import atexit
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cache

import boto3
from botocore import hooks
from botocore.loaders import JSONFileLoader, Loader


def make_clients_quick(*services: str) -> None:
    """From now on, do once what botocore does anew for each client: read files, and ask the same of the same.

    A client of each of the services is made now, so that what it takes is there before the first child.
    """
    read = cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = lambda _loader, path: read(path)

    # It looks into four hundred folders, each time that a client is made.
    look_for_services = Loader.list_available_services
    found = cache(lambda type_name: look_for_services(Loader(), type_name))
    Loader.list_available_services = lambda _loader, type_name: found(type_name)

    # It asks this of the same hundred and forty handlers and names of events.
    hooks.accepts_kwargs = cache(hooks.accepts_kwargs)
    alias_of = cache(hooks.EventAliaser(None)._alias_event_name)
    hooks.EventAliaser._alias_event_name = lambda _aliaser, event_name: alias_of(event_name)

    for service in services:
        boto3.client(service, "us-east-1")


def status_of(run: Callable[[], object]) -> int:
    """Run what a child is for, and end all but its process; its exit status, for ``os._exit``.

    Python's own end would go on to take apart, and so to copy, all memory that the child shares with its parent.
    """
    status = 0
    try:
        run()
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
