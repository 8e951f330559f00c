# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role gamelift_lab and the lab playbooks: a whole lab on GameLift Streams, from its capacity to its end."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import PUBLISH, RESULT, Run
from tests.pages import find_links, url_of
from tests.simulator.control import Simulator

START, END, ROLE = "labstream.aws.start_lab", "labstream.aws.end_lab", "labstream.aws.gamelift_lab"
GROUP, APPLICATION, LOCATION = "sg-engine", "a-engine", "us-east-1"
STORE = ".ansible/labstream/leases.sqlite3"
RunPlaybook = Callable[..., Run]

pytestmark = pytest.mark.usefixtures("gamelift")

LAB = {
    "lab_provider": "gamelift",
    "gamelift_lab_name": "monday",
    "gamelift_lab_roster": "roster.csv",
    "gamelift_lab_stream_group": GROUP,
    "gamelift_lab_application": APPLICATION,
    "gamelift_lab_locations": [LOCATION, "eu-west-1"],
    "gamelift_lab_expires_after_minutes": 60,
    "gamelift_lab_spare_sessions": 1,
    "gamelift_lab_summary_path": "summary.json",
    "lab_handout_pages_dir": "pages",
    "lab_handout_links_csv": "links.csv",
    "lab_handout_urls_csv": "urls.csv",
    "lab_handout_overview_html": "overview.html",
}


@pytest.fixture
def group(simulator: Simulator) -> Simulator:
    """The simulator, with a stream group of instances for two sessions each, and nothing always on."""
    simulator.set(stream_group_updating_seconds=0.3)
    locations = [{"LocationName": LOCATION, "AlwaysOnCapacity": 0, "MaximumCapacity": 4}, "eu-west-1"]
    simulator.seed_stream_group(GROUP, [APPLICATION], locations, StreamClass="gen5n_high")
    return simulator


def published_in(run: Run) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """The seats and the summary that the role published, each time that it ran."""
    facts = [task.result["ansible_facts"] for task in run.tasks if task.name == PUBLISH]
    return [(each["gamelift_lab_seats"], each["gamelift_lab_summary"]) for each in facts]


def import_playbook(playbook: str, **options: Any) -> dict[str, Any]:
    """Return the entry of a playbook that runs another one for the lab, with these options of the role."""
    variables = {**LAB, **{f"gamelift_lab_{option}": value for option, value in options.items()}}
    return {"ansible.builtin.import_playbook": playbook, "vars": variables}


def write_roster(path: Path, *learners: str) -> None:
    path.write_text("".join(f"{line}\n" for line in ("id,name", *learners)))


def get_pages(home: Path) -> dict[str, str]:
    """The page of each learner in the list of links."""
    with open(home / "links.csv", newline="", encoding="utf-8") as file:
        return {row["id"]: (home / "pages" / row["page"]).read_text() for row in csv.DictReader(file)}


def get_capacity(simulator: Simulator) -> tuple[int, int]:
    """The always-on and the maximum capacity of the location."""
    client = simulator.client("gameliftstreams")
    states = {each["LocationName"]: each for each in client.get_stream_group(Identifier=GROUP)["LocationStates"]}
    return states[LOCATION]["AlwaysOnCapacity"], states[LOCATION]["MaximumCapacity"]


def count_statuses(simulator: Simulator) -> dict[str, int]:
    """How many URLs there are in each status."""
    client = simulator.client("gameliftstreams")
    found = [each["Status"] for each in client.list_stream_urls(StreamGroupIdentifier=GROUP, MaxResults=100)["Items"]]
    return {status: found.count(status) for status in found}


def find_secrets(simulator: Simulator, folder: Path, but: set[str]) -> list[str]:
    """The files under the folder that have the text of a URL, or its token, other than these."""
    urls = simulator.streaming_urls()
    assert urls, "a search for nothing proves nothing"
    needles = [needle.encode() for url in urls for needle in (url, url.partition("token=")[2])]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in but]
    return [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]


def test_a_lab_from_its_capacity_to_its_end(
    group: Simulator, run_playbook: RunPlaybook, home: Path, tmp_path: Path
) -> None:
    write_roster(home / "roster.csv", "anna,Anna", "ben,Ben", "carla,Carla")

    # Check mode changes nothing, and foresees what the start does.
    foreseen = run_playbook(START, extra_vars=LAB, check=True, diff=True)
    assert foreseen.returncode == 0, foreseen.printed
    assert not group.calls("UpdateStreamGroup")
    assert not group.calls("CreateStreamUrl")
    assert {path.name for path in home.iterdir() if not path.name.startswith(".")} == {"roster.csv"}
    assert not (home / STORE).exists()
    [(seats, summary)] = published_in(foreseen)
    assert [(seat["id"], seat["stream_url_id"], seat["issued"]) for seat in seats] == [
        ("anna", None, True),
        ("ben", None, True),
        ("carla", None, True),
    ]
    assert (summary["outcome"], summary["would_issue"], summary["capacity"]["always_on"]) == ("ok", 3, 4)
    assert summary["message"].startswith("Learners: 3. Stream URLs to be created: 3, reused: 0. ")

    # The start raises the capacity for three learners and a spare session, and prints its progress.
    started = run_playbook(START, extra_vars=LAB, verbosity=3)
    assert started.returncode == 0, started.printed
    assert f"{GROUP}: ACTIVE, 4 of 4 always-on sessions allocated" in started.stderr
    assert get_capacity(group) == (4, 4)
    [(seats, summary)] = published_in(started)
    known = {"provider": "gamelift", "stream_group": GROUP, "application": APPLICATION, "region": "us-east-1"}
    assert seats[0] == {
        "id": "anna",
        "name": "Anna",
        "email": None,
        **known,
        "stream_url_id": seats[0]["stream_url_id"],
        "lease": seats[0]["lease"],
        "expires": seats[0]["expires"],
        "issued": True,
        "generation": 0,
        "usage_limit": 5,
        "language": None,
    }
    assert summary == json.loads((home / "summary.json").read_text())
    assert summary["capacity"] == {
        "location": LOCATION,
        "always_on": 4,
        "maximum": 4,
        "allocated": 4,
        "in_use": 0,
        "available": 4,
        "needed": 3,
        "restored": [],
        "kept": [],
    }
    published = started.task("Publish the results").result["ansible_stats"]["data"]["lab_summary"]
    assert (published["outcome"], published["lab"], published["handout"]["written"]) == ("ok", "monday", 6)
    # The URLs are in the pages and in the instructor's file, and nowhere else.
    (tmp_path / "printed").write_text(started.printed)
    assert find_secrets(group, tmp_path, {"urls.csv"}) == []
    pages = get_pages(home)
    assert [link for page in pages.values() for link in find_links(page) if "token=" in link] == []
    assert "You can open your lab 5 times in all." in pages["anna"]

    # Anna opens hers: a session, and one use less. Nothing changes in the next run, not even a page, which would say
    # how many are left otherwise; and the sessions of the others are still there.
    assert group.open(url_of(pages["anna"]) or "")[0] == 200
    assert sorted(url["RemainingUses"] for url in group.stream_urls(GROUP)) == [4, 5, 5]
    assert [session["Status"] for session in group.stream_sessions()] == ["CONNECTED"]
    # After it, her link has leaked, ben has left, and dora is late.
    write_roster(home / "later.csv", "anna,Anna", "carla,Carla", "dora,Dora")
    later = import_playbook(START, roster="later.csv", rotate="anna", withdraw_removed=True)
    run = run_playbook([import_playbook(START), later])
    assert run.returncode == 0, run.printed
    (seats, summary), (later_seats, later_summary) = published_in(run)
    until = next(number for number, task in enumerate(run.tasks) if "ansible_stats" in task.result)
    assert [task.name for task in run.tasks[:until] if task.status == "ok" and task.result.get("changed")] == []
    assert [seat["issued"] for seat in seats] == [False] * 3
    assert (summary["capacity"]["in_use"], summary["capacity"]["needed"]) == (1, 2)
    seats, summary = later_seats, later_summary
    assert [(seat["id"], seat["generation"], seat["issued"]) for seat in seats] == [
        ("anna", 1, True),
        ("carla", 0, False),
        ("dora", 0, True),
    ]
    assert summary["warnings"] == [
        "anna has a new URL, and the previous one was revoked, and its sessions ended. If there are pages, send the "
        "address of the new one.",
        "Learners who are no longer in the roster were withdrawn, and their URLs revoked: ben.",
    ]
    assert count_statuses(group) == {"ACTIVE": 3, "REVOKED": 2}
    assert {session["Status"] for session in group.stream_sessions()} <= {"TERMINATING", "TERMINATED"}
    states = [
        re.findall(r'<main[^>]* data-state="(\w+)"', page.read_text())[0] for page in (home / "pages").glob("*.html")
    ]
    assert sorted(states) == ["ended", "moved", "open", "open", "open"]
    new_pages = get_pages(home)
    assert new_pages["carla"] == pages["carla"]
    assert url_of(new_pages["anna"]) not in (None, url_of(pages["anna"]))
    assert group.open(url_of(pages["anna"]) or "")[0] == 403

    # What leaves the leases out ends nothing, so the files stay.
    left = run_playbook([import_playbook(END, roster="later.csv")], arguments=["--skip-tags", "leases"])
    assert left.returncode == 0, left.printed
    [(seats, summary)] = published_in(left)
    assert (seats, summary["ended"], get_capacity(group)) == ([], False, (4, 4))
    assert left.task(RESULT).msg.endswith("nor knows that it has ended.")
    assert (get_pages(home), (home / "urls.csv").exists()) == (new_pages, True)

    # The end lets sessions go on, and says until when; the capacity is what it was.
    assert group.open(url_of(new_pages["carla"]) or "")[0] == 200
    ended = run_playbook([import_playbook(END, roster="later.csv", terminate_sessions=False)])
    assert ended.returncode == 0, ended.printed
    [(seats, summary)] = published_in(ended)
    assert [(seat["id"], seat["lease"], seat["stream_url_id"]) for seat in seats] == [
        ("anna", None, None),
        ("carla", None, None),
        ("dora", None, None),
    ]
    assert (summary["outcome"], summary["released"], summary["running_sessions"]) == ("ok", 3, 1)
    assert summary["ended"] is True
    assert summary["sessions_end_by"] is not None
    assert re.fullmatch(
        r"Leases released: 3\. Stream URLs revoked: 3\. 1 session goes on, until .* at the latest, and is billed\. "
        r"The capacity of location 'us-east-1' is restored to 0 always on, maximum 4\.",
        summary["message"],
    )
    assert get_capacity(group) == (0, 4)
    assert count_statuses(group) == {"REVOKED": 5}
    assert [session["Status"] for session in group.stream_sessions()][-1] == "CONNECTED"
    states = [
        re.findall(r'<main[^>]* data-state="(\w+)"', page.read_text())[0] for page in (home / "pages").glob("*.html")
    ]
    assert states == ["ended"] * 5
    assert not (home / "urls.csv").exists()
    assert find_secrets(group, tmp_path, set()) == []


@pytest.mark.core
def test_a_failure_for_one_learner_leaves_the_others_their_urls_and_a_misspelled_lab_changes_nothing(
    group: Simulator, run_playbook: RunPlaybook
) -> None:
    """How labs share a location's capacity is in the tests of the module gamelift_stream_group."""
    error = {"code": "ServiceQuotaExceededException"}
    group.add_fault(service="gameliftstreams", operation="CreateStreamUrl", error=error, times=1)
    learners = [{"id": "anna"}, {"id": "ben"}]
    monday = {**LAB, "gamelift_lab_roster": "", "gamelift_lab_learners": learners, "gamelift_lab_concurrency": 1}
    monday |= {"gamelift_lab_manage_capacity": False, "gamelift_lab_summary_path": ""}
    absent = {"gamelift_lab_state": "absent", "gamelift_lab_learners": None, "gamelift_lab_manage_capacity": True}
    labs = [monday, {**monday, **absent, "gamelift_lab_name": "mondya"}]
    tasks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": ROLE}, "vars": {**lab, "lab_handout_pages_dir": None}}],
            "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}],
        }
        for lab in labs
    ]

    run = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])

    (seats, partial), (no_seats, unknown) = published_in(run)
    assert (partial["outcome"], unknown["outcome"]) == ("partial", "unchanged"), run.printed
    assert [(each["id"], each["code"]) for each in partial["failures"]] == [("anna", "ServiceQuotaExceededException")]
    assert ([seat["id"] for seat in seats], no_seats) == (["ben"], [])
    assert unknown["message"] == "Nothing was released."
    assert unknown["warnings"] == [
        "Nothing is stored about lab 'mondya' on this stream group, so nothing was released. Labs known there: monday."
    ]
    assert (count_statuses(group), group.calls("UpdateStreamGroup")) == ({"ACTIVE": 1}, [])


def test_what_is_wrong_with_the_urls_is_said_before_the_capacity_is_raised(
    group: Simulator, run_playbook: RunPlaybook
) -> None:
    lab = {**LAB, "gamelift_lab_roster": "", "gamelift_lab_learners": [{"id": "anna"}], "gamelift_lab_summary_path": ""}
    wrong: dict[str, dict[str, Any]] = {
        "Application 'a-engin' is not associated with stream group 'sg-engine'": {"application": "a-engin"},
        "Stream group 'sg-engine' has no location 'eu-wets-1'": {"locations": [LOCATION, "eu-wets-1"]},
        "gamelift_lab_resolution is '1921x1080'": {"resolution": "1921x1080"},
    }
    roles = [
        {
            "block": [
                {
                    "ansible.builtin.include_role": {"name": ROLE},
                    "vars": {**lab, **{f"gamelift_lab_{option}": value for option, value in options.items()}},
                }
            ],
            "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}],
        }
        for options in ({**each, "manage_capacity": True} for each in wrong.values())
    ]

    run = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": roles}])

    for beginning, (_seats, summary) in zip(wrong, published_in(run), strict=True):
        assert summary["message"].startswith(beginning), run.printed
    assert group.calls("UpdateStreamGroup") == group.calls("CreateStreamUrl") == []


def test_sessions_end_only_where_that_is_said_and_those_that_go_on_are_reported(
    group: Simulator, run_playbook: RunPlaybook
) -> None:
    """How it is said is in the unit tests of the report."""

    def lab(*learners: str, **options: Any) -> dict[str, Any]:
        given = {"learners": [{"id": each} for each in learners], "roster": "", "summary_path": ""}
        return import_playbook(ROLE, manage_capacity=True, **given, **options)

    def summarize(run: Run) -> list[dict[str, Any]]:
        assert run.returncode == 0, run.printed
        return [summary for _seats, summary in published_in(run)]

    # Given a lab, which starts though its sessions cannot be listed,
    error = {"code": "AccessDeniedException"}
    group.add_fault(service="gameliftstreams", operation="ListStreamUrls", error=error, times=1)
    run = run_playbook([lab("anna", "ben", "carla")])
    [started] = summarize(run)
    assert (started["outcome"], started["capacity"]["needed"], len(started["warnings"])) == ("ok", 3, 1)
    assert "the capacity is for all learners: " in started["warnings"][0]
    assert "the credentials are not authorized to perform gameliftstreams:ListStreamUrls" in started["warnings"][0]
    # and in which all learners are at work.
    listed = group.client("gameliftstreams").list_stream_urls(StreamGroupIdentifier=GROUP, MaxResults=100)["Items"]
    urls = {url["StreamUrlId"]: url["StreamUrl"] for url in listed}
    first_ids = [seat["stream_url_id"] for seat in published_in(run)[0][0]]
    assert [group.open(urls[each])[0] for each in first_ids] == [200] * 3

    def get_statuses() -> list[str]:
        return [group.stream_sessions(each)[0]["Status"] for each in first_ids]

    # Another URL leaves Anna her session; Ben's ends when he is withdrawn; Carla's goes on.
    force = lab("anna", "carla", force=True, withdraw_removed=True)
    withdraw = lab("anna", withdraw_removed=True, terminate_sessions=False)
    run = run_playbook([force, withdraw])
    assert [(each["outcome"], each["running_sessions"]) for each in summarize(run)] == [("ok", 0), ("ok", 1)]
    assert get_statuses() == ["CONNECTED", "TERMINATED", "CONNECTED"]

    # What leaves the leases out does not end the lab, so its capacity stays.
    [left] = summarize(run_playbook([lab(state="absent")], arguments=["--skip-tags", "leases"]))
    assert (left["outcome"], get_capacity(group)) == ("unchanged", (4, 4))
    assert left["message"].endswith("the lab has not ended, since the tag 'leases' is not among those that run.")

    # However often the lab is ended with the sessions kept, they are reported, until an end ends them.
    keep = lab(state="absent", terminate_sessions=False)
    first, again, ended = summarize(run_playbook([keep, keep, lab(state="absent")]))
    assert [each["running_sessions"] for each in (first, again, ended)] == [2, 2, 0]
    assert [each["outcome"] for each in (first, again, ended)] == ["ok", "unchanged", "ok"]
    assert ended["message"].startswith("Leases released: 0. Stream URLs revoked: 2. Their sessions end now.")
    assert (get_statuses(), get_capacity(group)) == (["TERMINATED"] * 3, (0, 4))


def test_a_lab_whose_lease_store_is_lost_goes_on_with_its_urls(
    group: Simulator, run_playbook: RunPlaybook, home: Path
) -> None:
    """What is recovered from which URL is in the tests of the module gamelift_stream_url."""
    options: dict[str, Any] = {"manage_capacity": False, "launch_args": ["--scene"], "environment": {"A": "1"}}
    options |= {"resolution": "1280x720", "role_arn": "arn:aws:iam::123456789012:role/lab"}
    lab = {**LAB, **{f"gamelift_lab_{name}": value for name, value in options.items()}}
    write_roster(home / "roster.csv", "anna,Anna", "ben,Ben", "carla,Carla")

    def start(check: bool = False, **more: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """Start the lab; return the id of each learner's URL, and the summary."""
        run = run_playbook(START, extra_vars=lab, check=check, arguments=["-e", json.dumps(more)])
        assert run.returncode == 0, run.printed
        [(seats, summary)] = published_in(run)
        return {seat["id"]: seat["stream_url_id"] for seat in seats}, summary

    # Given a lab in which Anna was rotated, and whose lease store is lost while Ben is at work,
    run = run_playbook([import_playbook(START, **options), import_playbook(START, **options, rotate=["anna"])])
    before = {seat["id"]: seat["stream_url_id"] for seat in published_in(run)[-1][0]}
    assert group.open(url_of(get_pages(home)["ben"]) or "")[0] == 200
    opened = url_of(get_pages(home)["ben"])
    (home / STORE).unlink()

    # when it is started as if it were new, then a warning says how to keep the URLs.
    _predicted, summary = start(check=True, gamelift_lab_manage_capacity=True)
    assert (summary["would_issue"], len(summary["warnings"])) == (3, 1)
    assert (
        "about this lab, but 3 ACTIVE stream URLs seem to belong to it: the lease store was" in summary["warnings"][0]
    )
    assert "gamelift_lab_recover to reuse these" in summary["warnings"][0]

    # When it is recovered, then those who were not rotated keep their URLs, which are on their pages.
    created = len(group.calls("CreateStreamUrl"))
    after, summary = start(gamelift_lab_recover=True)
    assert {**after, "anna": before["anna"]} == before
    assert after["anna"] != before["anna"]
    assert len(group.calls("CreateStreamUrl")) == created + 1
    assert (summary["issued"], summary["reused"], summary["recovered"]) == (1, 2, 2)
    assert url_of(get_pages(home)["ben"]) == opened
    assert [session["Status"] for session in group.stream_sessions()] == ["CONNECTED"]
    # The one that Anna had is named, until it is revoked.
    assert summary["duplicates"] == [before["anna"]]
    assert before["anna"] in "".join(summary["warnings"])

    # And the end revokes it too, and even all of them if the lease store is lost again. It ends Ben's session.
    revoking = import_playbook(START, **options, recover=True, revoke_duplicates=True)
    foreseen = run_playbook([revoking, import_playbook(END, **options)], check=True)
    (home / STORE).unlink()
    ended = run_playbook(END, extra_vars=lab)
    assert (foreseen.returncode, ended.returncode) == (0, 0), foreseen.printed + ended.printed
    (_seats, would), (_seats, before_loss) = published_in(foreseen)
    [(_seats, after_loss)] = published_in(ended)
    assert (would["revoked"], would["duplicates"]) == (1, [])
    for summary, released, unknown, to_be in ((before_loss, 3, 1, "to be "), (after_loss, 0, 4, "")):
        found = summary["outcome"], summary["known"], summary["released"], summary["revoked"], summary["unknown"]
        assert found == ("ok", True, released, 4, [])
        assert summary["message"].startswith(
            f"Leases {to_be}released: {released}. Stream URLs {to_be}revoked: 4, "
            f"of which the lease store did not know: {unknown}. Their sessions "
        )
    [pages] = after_loss["warnings"]
    assert "If there are pages, delete those" in pages
    for printed in (foreseen.printed, ended.printed):
        assert "about lab 'monday' here" not in printed
        assert "of lab 'monday', but nothing is stored" not in printed
    assert count_statuses(group) == {"REVOKED": 5}
    assert group.stream_sessions()[0]["Status"].startswith("TERMINAT")
    assert not (home / "urls.csv").exists()
