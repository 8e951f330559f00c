# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Where a roster comes from: a file on the controller, or the text itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.labstream.aws.plugins.plugin_utils._paths import resolve_path
from ansible_collections.labstream.aws.plugins.plugin_utils._roster import is_json


def read_source(source: str, loader: Any, playbook_dir: str) -> str:
    """Return the text of a roster, that of a file decrypted if it is encrypted by Ansible Vault.

    Args:
        source: The text, which has a line break or is JSON, or the path of a file.
        loader: Ansible's DataLoader.
        playbook_dir: The folder of the playbook.

    Raises:
        ValueError: There is no such file, or it cannot be read.
    """
    if "\n" in source or is_json(source):
        return source
    path = resolve_path(source, playbook_dir)
    if not path.is_file():
        raise ValueError(f"There is no roster {path} on the controller: correct the path.")
    try:
        readable = loader.get_real_file(str(path))
        text = Path(readable).read_bytes().decode(errors="surrogateescape")
        loader.cleanup_tmp_file(readable)
    except (AnsibleError, OSError) as error:
        raise ValueError(f"The roster {path} cannot be read: {error}") from error
    return text
