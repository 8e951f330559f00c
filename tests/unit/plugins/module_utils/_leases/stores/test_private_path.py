# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which owners and modes of files and folders let other users reach a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.private_path import find_exposure

from tests.unit.plugins.module_utils.support import NOBODY, as_ordinary_user, searchable_folder

OTHER_GROUP = 4711


@pytest.fixture
def folder(monkeypatch):
    """A folder for ``above/parent/file``, outside of the user's home."""
    with searchable_folder() as folder:
        (folder / "above" / "parent").mkdir(parents=True)
        (folder / "above" / "parent" / "file").touch(mode=0o600)
        monkeypatch.setenv("HOME", str(folder / "home"))
        yield folder


def exposure_of(folder):
    path = str(folder / "above" / "parent" / "file")
    return find_exposure([path, f"{path}-journal"])


@pytest.mark.parametrize(
    ("path", "mode", "command"),
    [
        *(("above/parent/file", mode, "chmod 0600") for mode in (0o640, 0o604, 0o620, 0o602, 0o611)),
        *(("above/parent/file", mode, None) for mode in (0o600, 0o400, 0o700)),
        *(("above/parent", mode, "chmod go-w") for mode in (0o777, 0o1777, 0o2770, 0o720, 0o702, 0o1703)),
        *(("above/parent", mode, None) for mode in (0o755, 0o700, 0o2755, 0o750)),
        *(("above", mode, "chmod go-w") for mode in (0o777, 0o707, 0o2707)),
        *(("above", mode, None) for mode in (0o1777, 0o755, 0o700, 0o2770)),
    ],
)
def test_a_mode_that_lets_others_in_is_found(folder, path, mode, command):
    other = folder / path
    other.chmod(mode)
    found = exposure_of(folder)
    assert found == (command and f"{other} has mode {mode:04o}: run {command} {other}")


@pytest.mark.parametrize("mode", [0o770, 0o2770, 0o1770])
def test_a_group_with_others_in_it_may_not_write_to_a_folder_above(folder, mode):
    above = folder / "above"
    chown(above, -1, OTHER_GROUP)
    above.chmod(mode)
    is_sticky = mode & 0o1000
    assert exposure_of(folder) == (None if is_sticky else f"{above} has mode {mode:04o}: run chmod go-w {above}")


@pytest.mark.parametrize("path", ["above/parent/file", "above/parent", "above"])
def test_another_owner_than_the_user_is_found_for_root_too(folder, path):
    other = folder / path
    chown(other, NOBODY, -1)
    assert exposure_of(folder) == f"{other} belongs to user id {NOBODY}: run chown 0 {other}"


def test_folders_of_root_are_accepted_and_files_are_not(folder):
    file = folder / "above" / "parent" / "file"
    chown(file, NOBODY, -1)
    assert as_ordinary_user(lambda: exposure_of(folder)) is None
    chown(file, 0, -1)
    found = as_ordinary_user(lambda: exposure_of(folder))
    assert found == f"{file} belongs to user id 0: run chown {NOBODY} {file}"


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (lambda path: path.touch(0o600), None),
        (lambda path: path.touch(0o644), "{path} has mode 0644: run chmod 0600 {path}"),
        (
            lambda path: (path.touch(0o600), chown(path, NOBODY, -1)),
            "{path} belongs to user id 65534: run chown 0 {path}",
        ),
        (lambda path: path.symlink_to("file"), "{path} is not a regular file: remove it"),
        (lambda path: path.symlink_to("nowhere"), "{path} is not a regular file: remove it"),
        (os.mkfifo, "{path} is not a regular file: remove it"),
    ],
    ids=["ours", "readable", "another's", "a link", "a dead link", "a pipe"],
)
def test_a_file_that_was_planted_beside_it_is_found(folder, plant, found):
    path = folder / "above" / "parent" / "file-journal"
    plant(path)
    assert exposure_of(folder) == (found and found.format(path=path))


def test_what_is_missing_is_passed_over_and_what_is_above_it_is_not(folder):
    missing = [str(folder / "above" / "parent" / "new" / "file")]
    assert find_exposure(missing) is None
    (folder / "above").chmod(0o777)
    assert str(find_exposure(missing)).startswith(f"{folder / 'above'} has mode 0777: ")


def test_what_is_above_the_home_of_the_user_is_the_administrators(folder, monkeypatch):
    folder.chmod(0o777)
    assert str(exposure_of(folder)).startswith(f"{folder} has mode 0777: ")
    monkeypatch.setenv("HOME", str(folder / "above"))
    assert exposure_of(folder) is None
    # But the home itself counts.
    (folder / "above").chmod(0o777)
    assert str(exposure_of(folder)).startswith(f"{folder / 'above'} has mode 0777: ")


def test_a_path_is_quoted_in_the_command(folder):
    path = Path(folder / "above" / "it's mine")
    path.touch(0o644)
    assert find_exposure([str(path)]) == f"{path} has mode 0644: run chmod 0600 '{folder}/above/it'\"'\"'s mine'"


def chown(path, uid, gid):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, uid, gid)
