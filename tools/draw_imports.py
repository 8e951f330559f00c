# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw which folders of plugins/ import which, and write the picture into the guide for maintainers.

Usage: draw_imports.py [--check], which only compares.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PLUGINS = CHECKOUT / "plugins"
GUIDE = CHECKOUT / "docs/docsite/rst/guide_maintainers.rst"
PACKAGE = "ansible_collections.labstream.aws.plugins."
# The files in the folder module_utils itself. One that imports a folder is drawn as if it were one.
BESIDE = "module_utils/*.py"
PICTURE = re.compile(r"(?<=\.\. begin imports\n\n)(.*?)(?=\n\.\. end imports\n)", re.DOTALL)

Graph = Mapping[str, set[str]]


def build_graph() -> Graph:
    """Return what each folder imports."""
    files = {file: set(find_imports(file)) for file in sorted(PLUGINS.rglob("*.py"))}
    graph: dict[str, set[str]] = {}
    for file, imported in files.items():
        graph.setdefault(get_folder(file, files), set()).update(get_folder(each, files) for each in imported)
    return {folder: imported - {folder} for folder, imported in graph.items() if folder != "doc_fragments/"}


def find_imports(file: Path) -> Iterator[Path]:
    """Yield the files of this collection that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").removeprefix(PACKAGE)
            start = file.parents[node.level - 1] if node.level else PLUGINS
            for name in ["", *(f"{alias.name}.py" for alias in node.names)]:
                target = start.joinpath(*filter(None, module.split(".")), name)
                if (found := target if name else target.with_suffix(".py")).is_file():
                    yield found


def get_folder(file: Path, files: Mapping[Path, set[Path]]) -> str:
    """Return what a file is drawn as."""
    kind, *folders = file.relative_to(PLUGINS).parent.parts
    if kind != "module_utils":
        return f"{kind}/"
    if folders:
        return f"module_utils/{folders[0]}/"
    is_above_folders = any(imported.parent != file.parent for imported in files[file])
    return f"module_utils/{file.name}" if is_above_folders else BESIDE


def draw(graph: Graph) -> str:
    """Return a row for each folder, the lowest last, with a mark below each folder that it imports.

    Raises:
        CycleError: folders import each other.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    layers: list[list[str]] = []
    while sorter.is_active():
        layers.insert(0, sorted(sorter.get_ready()))
        sorter.done(*layers[0])
    rows = [folder for layer in layers for folder in layer]
    width, letters = max(map(len, rows)), {folder: chr(ord("a") + number) for number, folder in enumerate(rows)}
    rule = "-" * (width + 3 + 2 * len(rows))
    lines = [f"{'':{width}}    {' '.join(letters.values())}"]
    for layer in layers:
        lines.append(rule)
        for folder in layer:
            marks = ("x" if other in graph[folder] else "\\" if other == folder else " " for other in rows)
            lines.append(f"{letters[folder]} {folder:{width}}  {' '.join(marks)}".rstrip())
    return "\n".join([*lines, ""])


def main() -> int:
    """Write the picture, or compare it with the one in the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    indented = "".join(f"    {line}\n" for line in draw(build_graph()).splitlines())
    drawn = PICTURE.sub(lambda _old: f".. code-block:: text\n\n{indented}", text)
    if "--check" not in sys.argv:
        GUIDE.write_text(drawn, encoding="utf-8")
    elif drawn != text:
        print(f"The picture in {GUIDE.relative_to(CHECKOUT)} is not current: run tools/draw_imports.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
