# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.plugin_utils._paths import COLLECTION, output_paths, resolve_path


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A working directory, a project with a playbook, and a collection with one, which is also reached by a link."""
    for folder in ("here", "project", "collection/playbooks/plays"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "collection/playbooks")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize(
    ("playbook_dir", "base"),
    [
        ("project", "project"),
        ("collection-of-mine", "collection-of-mine"),
        ("collection", "here"),
        ("collection/playbooks", "here"),
        ("collection/playbooks/plays", "here"),
        ("linked", "here"),
        ("collection/build", "collection/build"),
    ],
)
def test_a_relative_path_starts_at_the_playbook_unless_that_is_the_collections_own(folders, playbook_dir, base):
    path = resolve_path("rosters/a.csv", str(folders / playbook_dir), folders / "collection")

    assert path == folders / base / "rosters/a.csv"


def test_the_working_directory_is_that_of_the_process(folders, monkeypatch):
    monkeypatch.setenv("PWD", "/elsewhere")

    assert resolve_path("a.csv", str(folders / "collection"), folders / "collection") == folders / "here/a.csv"


@pytest.mark.parametrize(("path", "expected"), [("/srv/a.csv", "/srv/a.csv"), ("~/a.csv", "/home/anna/a.csv")])
def test_an_absolute_path_and_a_home_folder_are_kept(monkeypatch, path, expected):
    monkeypatch.setenv("HOME", "/home/anna")

    assert resolve_path(path, "/project") == Path(expected)


def test_the_collection_is_this_one():
    assert (COLLECTION / "galaxy.yml").is_file() or (COLLECTION / "MANIFEST.json").is_file()


CONTROLLER = {"prefix": "lab_handout_", "connection": "local"}


def output_path(folders, path, playbook_dir="collection/playbooks", **options):
    """What becomes of one path."""
    where = {"playbook_dir": str(folders / playbook_dir), "collection": folders / "collection"}
    return output_paths({"urls_csv": path, "links_csv": ""}, **{**CONTROLLER, **where, **options})


@pytest.mark.parametrize(
    ("path", "playbook_dir", "expected"),
    [
        ("urls.csv", "project", "project/urls.csv"),
        ("out/urls.csv", "collection/playbooks", "here/out/urls.csv"),
        ("urls.csv", "linked", "here/urls.csv"),
    ],
)
def test_a_relative_output_starts_where_a_user_keeps_files(folders, path, playbook_dir, expected):
    assert output_path(folders, path, playbook_dir) == {"urls_csv": str(folders / expected)}


@pytest.mark.parametrize("connection", ["local", "ssh"])
@pytest.mark.parametrize("path", ["/srv/urls.csv", "~/urls.csv", "~anna/urls.csv"])
def test_an_absolute_output_is_kept_for_any_host(folders, path, connection):
    assert output_path(folders, path, connection=connection) == {"urls_csv": path}


def test_a_relative_output_of_another_host_is_rejected_by_name(folders):
    with pytest.raises(ValueError, match=r"lab_handout_urls_csv is 'urls.csv', but the connection .* is ssh"):
        output_path(folders, "urls.csv", connection="ssh")


@pytest.mark.parametrize("path", ["../collection/urls.csv", "../linked/urls.csv", "{collection}/playbooks/urls.csv"])
def test_an_output_inside_the_collection_is_rejected_by_name(folders, path):
    with pytest.raises(ValueError, match=r"lab_handout_urls_csv is .* inside this collection: name a path elsewhere"):
        output_path(folders, path.format(collection=folders / "collection"))


@pytest.mark.parametrize("path", [["urls.csv"], 1, "a\0b", {"path": "urls.csv"}])
def test_what_is_no_path_is_rejected_by_name(folders, path):
    with pytest.raises(ValueError, match=r"lab_handout_urls_csv is .*, which is not a path"):
        output_path(folders, path)
