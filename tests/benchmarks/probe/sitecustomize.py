# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down what a module's process does when. Python imports this first where PYTHONPATH names its folder.

At the process's end, it writes JSON to the file that LABSTREAM_BENCH_PROBE names: of each phase when it first began and
last ended, in seconds since the epoch, and for how many seconds it was under way.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import sys
import threading
import time
from collections import defaultdict

ANSIBLE = "ansible.module_utils.basic"
SQLITE = "ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite"


class Phase:
    """Something that is under way while at least one thread is in it."""

    def __init__(self):
        self.begun = self.ended = self.seconds = 0.0
        self._since = 0.0
        self._depth = 0
        self._lock = threading.Lock()

    def begin(self):
        """A thread is in it."""
        with self._lock:
            if not self._depth:
                self._since = time.time()
                self.begun = self.begun or self._since
            self._depth += 1

    def end(self):
        """And out of it."""
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self.ended = time.time()
                self.seconds += self.ended - self._since

    def __enter__(self):
        self.begin()

    def __exit__(self, *error):
        self.end()

    def told(self):
        """As it is written."""
        return {"begun": self.begun, "ended": self.ended, "seconds": self.seconds}


phases = defaultdict(Phase)


def time_method(phase, owner, name):
    """Have the method's time count to the phase."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def timed(*args, **kwargs):
        with phases[phase]:
            return method(*args, **kwargs)

    setattr(owner, name, timed)


def watch():
    """Once all is imported: time what the module does."""
    import boto3.session
    from botocore.client import BaseClient

    phases["imports"].end()
    for name in ("__init__", "client"):
        time_method("client", boto3.session.Session, name)
    store = sys.modules[SQLITE].SQLiteLeaseStore
    for name in ("__init__", "read", "write"):
        time_method(f"store {name}", store, name)
    make_call = BaseClient._make_api_call

    def timed_call(client, operation, parameters):
        with phases["calls that issue" if operation.startswith("Create") else "calls that look up"]:
            return make_call(client, operation, parameters)

    BaseClient._make_api_call = timed_call


class TimedLoader:
    """A loader of modules that also does what is wanted here."""

    def __init__(self, loader, name):
        self._loader = loader
        self._name = name

    def exec_module(self, module):
        """As importlib calls it."""
        with phases["ansible" if self._name == ANSIBLE else "boto3"]:
            self._loader.exec_module(module)
        if self._name == ANSIBLE:
            begin = module.AnsibleModule.__init__

            def watched(*args, **kwargs):
                watch()
                with phases["arguments"]:
                    begin(*args, **kwargs)

            module.AnsibleModule.__init__ = watched

    def __getattr__(self, name):
        return getattr(self._loader, name)


class Finder:
    """Finds what is to be timed where others find it."""

    def find_spec(self, name, path=None, target=None):
        """As importlib asks for it."""
        if name.partition(".")[0] not in ("boto3", "botocore") and name != ANSIBLE:
            return None
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, specs), None)
        if spec is not None:
            spec.loader = TimedLoader(spec.loader, name)
        return spec


def tell():
    """Write it down."""
    phases["process"].end()
    with open(os.environ["LABSTREAM_BENCH_PROBE"], "w", encoding="utf-8") as file:
        json.dump({name: phase.told() for name, phase in phases.items()}, file)


phases["process"].begin()
phases["imports"].begin()
sys.meta_path.insert(0, Finder())
atexit.register(tell)
