# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README and guides say what the code says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.documentation import CHECKOUT, GUIDES, README, find_files, find_internal

PLUGINS = CHECKOUT / "plugins"
ANY = "…"


def find_texts(file: Path) -> list[str]:
    """Return the texts in a file's code, with an ellipsis for each value that is put into them."""
    texts = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else ANY for part in node.values)
            texts.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return texts


def quoted_messages() -> list[str]:
    text = (GUIDES / "guide_troubleshooting.rst").read_text(encoding="utf-8")
    return re.findall(r"^   \* - ``(.+)``$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def texts() -> str:
    return "\n".join(text for file in PLUGINS.rglob("*.py") for text in find_texts(file))


@pytest.mark.parametrize("message", quoted_messages())
def test_a_message_to_troubleshoot_is_one_of_ours(message: str, texts: str) -> None:
    parts = [part.strip(" '") for part in message.split(ANY)]
    assert [part for part in parts if part not in texts] == []


def test_the_picture_of_the_architecture_is_current() -> None:
    command = [sys.executable, CHECKOUT / "tools/draw_imports.py", "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_readme_names_all_content() -> None:
    section = re.search(r"^## Included content$(.*?)(?=^## )", README.read_text(encoding="utf-8"), re.M | re.S)
    assert section
    content = {
        *(file.stem for kind in ("modules", "filter", "lookup") for file in (PLUGINS / kind).glob("*.py")),
        *(role.name for role in (CHECKOUT / "roles").iterdir()),
        *(file.stem for file in (CHECKOUT / "playbooks").glob("*.yml")),
        *(file.stem for file in (CHECKOUT / "extensions/eda/rulebooks").glob("*.yml")),
    }
    assert set(re.findall(r"`(\w+)`", section[1])) >= content


def test_the_readme_says_what_is_internal_and_nothing_that_does_not_exist() -> None:
    files = [
        *(file for kind in ("modules", "filter", "lookup") for file in (PLUGINS / kind).glob("*.py")),
        *(CHECKOUT / "roles").glob("*/README.md"),
    ]
    texts = {
        file.parent.name if file.suffix == ".md" else file.stem: file.read_text(encoding="utf-8") for file in files
    }
    say_so = {name for name, text in texts.items() if "can change in any release" in text}
    assert say_so
    assert say_so <= find_internal() <= texts.keys()


def test_every_guide_is_in_the_table_of_contents() -> None:
    sections = yaml.safe_load((CHECKOUT / "docs/docsite/extra-docs.yml").read_text(encoding="utf-8"))["sections"]
    listed = [guide for section in sections for guide in section["toctree"]]
    assert sorted(listed) == sorted(file.stem for file in GUIDES.glob("*.rst"))


def test_links_to_files_of_the_project_lead_somewhere() -> None:
    base = "https://github.com/labstream/labstream.aws/"
    broken = []
    for file in find_files():
        text = file.read_text(encoding="utf-8")
        absolute = re.findall(re.escape(base) + r"(?:blob|tree)/main/([\w./-]+)", text)
        relative = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text) if file.suffix == ".md" else []
        targets = [CHECKOUT / path for path in absolute] + [file.parent / path for path in relative]
        broken += [f"{file.relative_to(CHECKOUT)}: {target}" for target in targets if not target.exists()]
    assert broken == []
