# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code in what users read: README files, guides, the documentation of plugins, and the examples."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
README = CHECKOUT / "README.md"
GUIDES = CHECKOUT / "docs/docsite/rst"
AUTHENTICATION = GUIDES / "guide_authentication.rst"

# How a block of code begins and ends, by the ending of the file's name.
_BLOCKS = {
    ".py": r'^EXAMPLES = r"""\n(?P<code>(?s:.*?))^"""',
    ".md": r"^```{language}\n(?P<code>(?s:.*?))^```",
    ".rst": r"^(?P<indent> *)\.\. code-block:: {language}\n(?: +:\w+:.*\n)*\n(?P<code>(?:(?:(?P=indent) +\S.*)?\n)+)",
    ".yml": r"\A(?P<code>(?s:.+))\Z",
}


def find_files() -> list[Path]:
    """Return all files of this collection with code that users read, in their order."""
    folders = ("plugins", "roles", "playbooks", "examples", "docs/docsite/rst", "tests/simulator")
    found = {path for folder in folders for path in (CHECKOUT / folder).rglob("*") if path.suffix in _BLOCKS}
    return [README, *sorted(found)]


def find_code(file: Path, language: str) -> Iterator[str]:
    """Yield the blocks in a language, without their indentation. A plugin has its examples, and a YAML file all of it.

    Args:
        file: The file; one of a kind that has no code yields none.
        language: A regular expression, such as ``ya?ml``.
    """
    if pattern := _BLOCKS.get(file.suffix):
        text = file.read_text(encoding="utf-8")
        for block in re.finditer(pattern.replace("{language}", language), text, re.MULTILINE):
            yield textwrap.dedent(block["code"])


def find_internal() -> set[str]:
    """Return the names of the plugins and roles that the README calls internal: users are not to call them."""
    sentences = re.findall(r"^.* are internal parts of .*$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for sentence in sentences for name in re.findall(r"`(\w+)`", sentence)}
