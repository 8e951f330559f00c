# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that could be copied into moto: its file names, and nothing of ours in them."""

from __future__ import annotations

import ast
import sys

import pytest
from botocore.session import get_session
from moto.appstream.models import AppStreamBackend
from moto.appstream.responses import AppStreamResponse
from moto.core.utils import camelcase_to_underscores
from moto.gameliftstreams.models import GameLiftStreamsBackend
from moto.gameliftstreams.responses import GameLiftStreamsResponse

from tests.simulator.control import CHECKOUT

FOLDER = CHECKOUT / "tests" / "simulator" / "moto"
FILES = ["__init__.py", "exceptions.py", "models.py", "responses.py", "urls.py"]
MOTOS = {"moto", "botocore", *sys.stdlib_module_names}


def outsiders(source):
    """What the code imports, unless it is beside it or there for moto too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] not in MOTOS)
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            name = "." * node.level + (node.module or "")
            if name.partition(".")[0] not in MOTOS:
                yield name


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import json, moto.core", []),
        ("from .models import x", []),
        ("from moto.core import x", []),
        ("import yaml", ["yaml"]),
        ("from tests.simulator.settings import now", ["tests.simulator.settings"]),
        ("from ..appstream import x", ["..appstream"]),
        ("def f():\n    from tests import x", ["tests"]),
    ],
)
def test_an_import_from_elsewhere_is_found(line, found):
    assert list(outsiders(line)) == found


@pytest.mark.parametrize("package", ["appstream", "gameliftstreams"])
def test_a_package_has_motos_files_and_imports_nothing_of_ours(package):
    files = sorted((FOLDER / package).glob("*.py"))
    assert [file.name for file in files] == FILES
    assert {file.name: list(outsiders(file.read_text())) for file in files} == {name: [] for name in FILES}


@pytest.mark.parametrize(
    ("service", "backend", "response"),
    [
        ("appstream", AppStreamBackend, AppStreamResponse),
        ("gameliftstreams", GameLiftStreamsBackend, GameLiftStreamsResponse),
    ],
)
def test_responses_have_the_operations_of_the_backend(service, backend, response):
    names = get_session().get_service_model(service).operation_names
    operations = {camelcase_to_underscores(name) for name in names}
    assert operations & vars(response).keys() == operations & vars(backend).keys() != set()
