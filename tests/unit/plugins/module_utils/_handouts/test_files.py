# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that hold URLs: their mode, how they are replaced, and what happens if they cannot be written."""

from __future__ import annotations

import fcntl
import os
import stat

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.files import (
    TEMPORARY,
    File,
    HandoutError,
    write_files,
)

REMEDY = "Name a file in a folder that the user of this task can write to."


def write(path, content=b"new", *, check_mode=False):
    """Write a file; return whether that changed anything."""
    return bool(list(write_files([File(str(path), content, f"The file {path}")], check_mode=check_mode)))


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "urls.csv"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_a_file_is_private_whatever_the_umask(path, mask):
    before = os.umask(mask)
    try:
        assert write(path)
    finally:
        os.umask(before)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o600)
    assert os.listdir(path.parent) == [path.name]


def test_a_missing_folder_is_created_private(path):
    page = path.parent / "pages" / "page.html"
    assert write(page)
    assert mode_of(page.parent) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o400])
def test_another_mode_is_corrected(path, mode):
    write(path)
    path.chmod(mode)
    assert write(path, check_mode=True)
    assert mode_of(path) == mode
    assert write(path)
    assert mode_of(path) == 0o600


def test_an_unchanged_file_is_left_alone(path):
    write(path)
    before = path.stat()
    assert not write(path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_is_replaced_atomically(path):
    """Whoever has opened it reads the old content to its end."""
    write(path, b"old content")
    with path.open("rb") as reader:
        assert reader.read(3) == b"old"
        assert write(path)
        assert reader.read() == b" content"
    assert path.read_bytes() == b"new"


def test_a_symbolic_link_is_replaced_and_not_followed(path):
    other = path.with_name("other")
    other.write_bytes(b"mine")
    path.symlink_to(other)
    assert write(path)
    assert (other.read_bytes(), path.is_symlink()) == (b"mine", False)
    assert not write(path)


def test_a_file_without_content_is_removed(path):
    assert not write(path, None)
    write(path)
    assert write(path, None, check_mode=True)
    assert path.exists()
    assert write(path, None)
    assert not path.exists()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_unchanged_and_no_other_file(path, monkeypatch, broken):
    write(path, b"old")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(HandoutError) as error:
        write(path)

    assert str(error.value) == f"The file {path} cannot be written: No space left on device. {REMEDY}"
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_files_after_one_that_fails_are_written(path, check_mode):
    folder, other = path.with_name("folder"), path.with_name("other")
    folder.mkdir()
    files = [File(str(folder), b"x", "The file"), File(str(other), b"x", "The other")]
    written = []
    with pytest.raises(HandoutError, match=f"^The file cannot be written: it is not a regular file. {REMEDY}$"):
        written.extend(file.name for file in write_files(files, check_mode=check_mode))
    assert other.exists() is not check_mode


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("name", ["a\0b.csv", "a\ud800.csv", "a\0b/page.html", "a\ud800/page.html"])
def test_an_invalid_file_name_is_an_error(path, name, check_mode):
    invalid = path.parent / name
    with pytest.raises(HandoutError) as error:
        write(invalid, check_mode=check_mode)
    assert str(error.value) == f"The file {invalid} cannot be written: that is not a valid file name. {REMEDY}"
    assert os.listdir(path.parent) == []


def test_what_a_killed_run_has_left_is_removed_by_a_later_one(path):
    """It contains a URL. A file that is locked belongs to another run that is still writing."""
    left, locked, other = (path.with_name(name) for name in (f"{TEMPORARY}a", f"{TEMPORARY}b", ".labstream"))
    for each in (left, locked, other):
        each.write_text("https://streaming.example.org/")
    with locked.open("rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        write(path, check_mode=True)
        assert left.exists()
        write(path)
        assert [each.exists() for each in (left, locked, other)] == [False, True, True]
    write(path, None)
    assert [each.exists() for each in (locked, other)] == [False, True]


def test_a_temporary_file_never_lies_in_a_published_folder(path, monkeypatch):
    """A run that is killed leaves it where it is, as here the one that is not even allowed to remove it."""
    pages = path.parent / "pages"
    pages.mkdir()
    monkeypatch.setattr(os, "replace", lambda _source, _target: os._exit(9))
    child = os.fork()
    if child == 0:
        list(write_files([File(str(pages / "a.html"), b"new", "A page", folder=str(path.parent))], check_mode=False))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert os.listdir(pages) == []
    assert [name.startswith(TEMPORARY) for name in sorted(os.listdir(path.parent))] == [True, False]


def test_of_a_page_the_message_asks_for_another_folder(path):
    path.mkdir()
    with pytest.raises(HandoutError) as error:
        list(write_files([File(str(path), b"new", "A page", folder=str(path.parent))], check_mode=False))
    assert str(error.value) == (
        "A page cannot be written: it is not a regular file. Name a folder which, like the one above it, the user of "
        "this task can write to."
    )


@pytest.mark.parametrize("content", [b"new", None])
@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_only_a_regular_file_is_written_or_removed(path, make, check_mode, content):
    make(path)
    with pytest.raises(HandoutError, match=f"^The file {path} cannot be written: it is not a regular file"):
        write(path, content, check_mode=check_mode)
    assert path.exists()


@pytest.mark.parametrize("check_mode", [False, True])
def test_only_a_file_of_ours_is_removed(path, check_mode):
    wanted = File(str(path), None, "The file", head=b"id,name\r\n")
    path.write_bytes(b"SQLite format 3")
    with pytest.raises(HandoutError, match=r"^The file is not removed, because it is not a handout"):
        list(write_files([wanted], check_mode=check_mode))
    assert path.exists()
    path.write_bytes(b"id,name\r\nanna,Anna\r\n")
    assert [each.name for each in write_files([wanted], check_mode=check_mode)] == ["The file"]
    assert path.exists() is check_mode
