# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``with patch_module_args(arguments):`` an AnsibleModule that is made in the block has these arguments."""

from __future__ import annotations

__all__ = ["patch_module_args"]

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # ansible-core 2.18 and older
    import json
    from collections.abc import Iterator, Mapping
    from contextlib import contextmanager
    from typing import Any
    from unittest import mock

    from ansible.module_utils import basic

    @contextmanager
    def patch_module_args(args: Mapping[str, Any]) -> Iterator[None]:
        """Do the same for versions that are not developed any more."""
        with mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()):
            yield
