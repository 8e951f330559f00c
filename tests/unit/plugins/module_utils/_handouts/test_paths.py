# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where handouts can be written."""

from __future__ import annotations

import os

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._handouts.files import HandoutError
from ansible_collections.labstream.aws.plugins.module_utils._handouts.paths import validate_paths

from tests.unit.plugins.module_utils.support import as_ordinary_user, searchable_folder

REMEDY = "Name a file in a folder that the user of this task can write to."
FOLDER_REMEDY = "Name a folder which, like the one above it, the user of this task can write to."


@pytest.fixture
def folder(tmp_path):
    """A folder with files and links: ``link`` leads to the folder itself, ``pages`` is that of the pages."""
    for name in ("pages", "pages/inner"):
        (tmp_path / name).mkdir()
    for name in ("leases.sqlite3", "urls.csv", "pages/store.sqlite3"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "linked.csv").symlink_to(tmp_path / "leases.sqlite3")
    os.link(tmp_path / "leases.sqlite3", tmp_path / "hard.csv")
    os.link(tmp_path / "urls.csv", tmp_path / "other.csv")
    return tmp_path


STORE, PAGES = "which is a file of the lease store", "in the folder of the pages"
MEETING = {
    "the store": ({"urls_csv": "leases.sqlite3"}, f"urls_csv is .*{STORE}"),
    "the store's journal": ({"overview_html": "leases.sqlite3-journal"}, f"overview_html is .*{STORE}"),
    "the store through a linked folder": ({"links_csv": "link/leases.sqlite3"}, STORE),
    "the store through a link": ({"urls_csv": "linked.csv"}, STORE),
    "the store by another name": ({"urls_csv": "hard.csv"}, STORE),
    "the store as folder": ({"pages_dir": "leases.sqlite3"}, STORE),
    "one path": ({"urls_csv": "a.csv", "links_csv": "./a.csv"}, "links_csv and urls_csv are both .*its own path"),
    "one path through a linked folder": ({"urls_csv": "a.csv", "links_csv": "link/a.csv"}, "are both"),
    "one file by two names": ({"urls_csv": "urls.csv", "overview_html": "other.csv"}, "are both"),
    "among the pages": ({"urls_csv": "pages/a.csv", "pages_dir": "pages"}, f"urls_csv is .*{PAGES}.*another folder"),
    "among the pages through a link": ({"urls_csv": "link/pages/inner/a.csv", "pages_dir": "pages"}, PAGES),
    "pages through a link": ({"links_csv": "pages/a.csv", "pages_dir": "link/pages"}, PAGES),
    "the store among the pages": ({"pages_dir": ""}, f"lease_store is .*{PAGES}"),
}


@pytest.mark.parametrize(("paths", "message"), MEETING.values(), ids=MEETING)
def test_paths_that_meet_are_rejected(folder, paths, message):
    with pytest.raises(InvalidOption, match=message):
        validate(folder, paths)


def test_paths_beside_each_other_are_accepted(folder):
    paths = {"urls_csv": "urls.csv", "links_csv": "links.csv", "overview_html": "new.html", "pages_dir": "pages"}
    validate(folder, paths)


def test_a_store_that_is_no_file_meets_nothing(folder):
    validate_paths({"urls_csv": str(folder / "urls.csv"), "pages_dir": str(folder / "pages")}, ())


@pytest.mark.parametrize("path", ["nowhere/file", "urls.csv/file"], ids=["a file in no folder", "a file in a file"])
def test_a_file_needs_a_folder(folder, path):
    with pytest.raises(HandoutError) as error:
        validate(folder, {"urls_csv": path})
    assert str(error.value) == (
        f"The handout {folder / path} cannot be written: its folder is missing or read-only. {REMEDY}"
    )


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("nowhere/pages", "the folder above it is missing or read-only", id="a folder in no folder"),
        pytest.param("urls.csv/pages", "the folder above it is missing or read-only", id="a folder in a file"),
        pytest.param("urls.csv", "it is not a folder", id="a folder that is a file"),
    ],
)
def test_what_is_wrong_with_the_folder_of_the_pages_is_said_of_a_folder(folder, path, problem):
    with pytest.raises(HandoutError) as error:
        validate(folder, {"pages_dir": path})
    assert str(error.value) == f"pages_dir ({folder / path}) cannot be written: {problem}. {FOLDER_REMEDY}"


def test_a_pipe_is_rejected(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(HandoutError, match=r"^urls_csv \(.*/pipe\) cannot be written: it is not a regular file"):
        validate(folder, {"urls_csv": "pipe"})


def test_a_folder_may_be_missing_if_its_parent_exists(folder):
    validate(folder, {"pages_dir": "new-pages"})


def test_a_folder_needs_write_permission():
    with searchable_folder() as folder:
        folder.chmod(0o555)
        with pytest.raises(HandoutError, match="its folder is missing or read-only"):
            as_ordinary_user(lambda: validate_paths({"urls_csv": str(folder / "urls.csv")}, ()))


def test_the_folder_above_the_pages_needs_write_permission():
    """Their temporary files are written there."""
    with searchable_folder() as folder:
        (folder / "pages").mkdir()
        (folder / "pages").chmod(0o777)
        folder.chmod(0o555)
        with pytest.raises(HandoutError, match="the folder above it is missing or read-only"):
            as_ordinary_user(lambda: validate_paths({"pages_dir": str(folder / "pages")}, ()))


def test_the_folder_of_the_pages_needs_write_permission():
    with searchable_folder() as folder:
        (folder / "pages").mkdir()
        (folder / "pages").chmod(0o555)
        folder.chmod(0o777)
        with pytest.raises(HandoutError, match="pages\\) cannot be written: it is read-only"):
            as_ordinary_user(lambda: validate_paths({"pages_dir": str(folder / "pages")}, ()))


def validate(folder, paths):
    """Validate paths in the folder, beside the store ``leases.sqlite3`` and the files that SQLite may keep there."""
    store = [str(folder / f"leases.sqlite3{suffix}") for suffix in ("", "-journal")]
    validate_paths({option: str(folder / path) for option, path in paths.items()}, store)
