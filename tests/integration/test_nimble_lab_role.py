# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nimble_lab: from learners and sessions to seats and a summary."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.integration.running import PUBLISH, Ansible, Run, Task
from tests.simulator.control import Simulator

PLAYBOOK = ROLE = "labstream.aws.nimble_lab"
STREAM = "labstream.aws.nimble_session_stream"
STUDIO = "studio-1"
STORE = ".ansible/labstream/leases.sqlite3"
POLL = f"{ROLE} : Wait until the sessions are ready"
FAILURE = "labstream.aws.lab_results : Show the result, or fail with it"
RunPlaybook = Callable[..., Run]


def variables(**options: Any) -> dict[str, Any]:
    """The role's variables for a lab "monday"; options with None are left out."""
    lab = {"name": "monday", "studio_id": STUDIO, **options}
    return {f"nimble_lab_{option}": value for option, value in lab.items() if value is not None}


def learners(*names: str) -> list[dict[str, str]]:
    return [{"id": name} for name in names]


def include(lab: Mapping[str, Any]) -> dict[str, Any]:
    """A task that runs the role, and lets the play go on when it fails."""
    return {
        "block": [{"ansible.builtin.include_role": {"name": ROLE}, "vars": dict(lab)}],
        "rescue": [{"name": "the role has failed", "ansible.builtin.debug": {"msg": "go on"}}],
    }


def published_in(run: Run) -> list[Task]:
    """Return what the role published, each time that it ran."""
    published = [task for task in run.tasks if task.name == PUBLISH]
    assert {task.status for task in published} == {"ok"}, run.printed
    return published


def seats_of(published: Task) -> list[dict[str, Any]]:
    return published.result["ansible_facts"]["nimble_lab_seats"]


def get_summary(published: Task) -> dict[str, Any]:
    return published.result["ansible_facts"]["nimble_lab_summary"]


def count_states(published: Task) -> tuple[str, int, int, int, int]:
    """Outcome, started, issued, reused, released."""
    summary = get_summary(published)
    return tuple(summary[each] for each in ("outcome", "started", "issued", "reused", "released"))


def failures_of(published: Task) -> dict[str, tuple[str | None, str]]:
    """Return session and message of each learner who got no stream."""
    failures = get_summary(published)["failures"]
    return {failure["id"]: (failure["session_id"], failure["message"]) for failure in failures}


def files_with(simulator: Simulator, folder: Path) -> list[Path]:
    """The files under the folder that hold a stream's URL, or its secret part."""
    urls = simulator.streaming_urls()
    assert urls, "a search for nothing proves nothing"
    needles = [needle.encode() for url in urls for needle in (url, url.partition("=")[2])]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]


def test_stopped_sessions_are_started_with_a_line_for_each_poll_as_check_mode_predicts(
    simulator: Simulator, run_playbook: RunPlaybook, home: Path, tmp_path: Path
) -> None:
    simulator.set(page_size=1, session_starting_seconds=6, stream_creating_seconds=0.3)
    simulator.seed_studio(
        STUDIO,
        [
            {"sessionId": "seat-1", "ownedBy": "somebody", "state": "STOPPED"},
            {"sessionId": "gone", "ownedBy": "S2", "state": "DELETED"},
            {"sessionId": "seat-2", "ownedBy": "S2", "state": "STOPPED"},
            {"sessionId": "seat-3", "ownedBy": "S3"},
        ],
    )
    (home / "roster.csv").write_text(
        'ID number,First name,Last name,Email address\nS3,Chloé,"{{ 7*7 }}",\nS1,Anna,Example,anna@example.org\nS2,,,\n'
    )
    summary_path = home / "summary.json"
    lab = variables(
        roster="roster.csv",
        sessions={"S1": "seat-1", "S9": "seat-9"},
        start_sessions=True,
        start_timeout=6,
        summary_path=str(summary_path),
        region="",
        endpoint_url="",
        lease_store="",
    )

    predicted = run_playbook(PLAYBOOK, extra_vars=lab, check=True, diff=True)

    assert (predicted.returncode, predicted.changed) == (0, 2), predicted.printed
    assert not simulator.calls("StartStreamingSession")
    assert not simulator.calls("CreateStreamingSessionStream")
    assert not (home / STORE).exists()
    assert not summary_path.exists()
    prediction = predicted.task(PUBLISH)
    assert get_summary(prediction)["message"] == (
        "Learners: 3. Sessions to be started: 2. Streams to be created: 3, reused: 0."
    )

    first = run_playbook(PLAYBOOK, extra_vars=lab, diff=True, verbosity=3)

    assert (first.returncode, first.changed) == (0, 2), first.printed
    # The name of the role is in front of the task's in newer versions of ansible-core.
    assert re.search(rf"FAILED - RETRYING: \[localhost\]: (\S+ : )?{POLL.partition(' : ')[2]} \(", first.stdout)
    published = first.task(PUBLISH)
    chloe, anna, ben = seats_of(published)
    assert chloe == {
        "id": "S3",
        "name": "Chloé {{ 7*7 }}",
        "email": None,
        "session_id": "seat-3",
        "provider": "nimble",
        "lease": chloe["lease"],
        "studio_id": STUDIO,
        "region": "us-east-1",
        "expires": chloe["expires"],
        "issued": True,
        "language": None,
    }
    assert len({chloe["lease"], anna["lease"], ben["lease"], None}) == 4
    assert (anna["session_id"], anna["name"], anna["email"]) == ("seat-1", "Anna Example", "anna@example.org")
    assert (ben["session_id"], ben["name"]) == ("seat-2", None)
    assert get_summary(published) == {
        "outcome": "ok",
        "state": "present",
        "lab": "monday",
        "requested": 3,
        "started": 2,
        "issued": 3,
        "reused": 0,
        "failed": 0,
        "released": 0,
        "earliest_expiry": get_summary(published)["earliest_expiry"],
        "failures": [],
        "ended": None,
        "warnings": [],
        "check": False,
        "would_issue": 0,
        "message": (
            "Learners: 3. Sessions started: 2. Streams created: 3, reused: 0. They are valid until "
            f"{datetime.fromisoformat(get_summary(published)['earliest_expiry']):%Y-%m-%d %H:%M} (UTC)."
        ),
    }
    assert get_summary(published)["earliest_expiry"] in {seat["expires"] for seat in seats_of(published)}
    assert json.loads(summary_path.read_text()) == get_summary(published)
    assert stat.S_IMODE(summary_path.stat().st_mode) == 0o640
    # Check mode predicted the same, except for what nobody could know.
    known = {**chloe, "expires": None}
    assert seats_of(prediction) == [known, *({**seat, "expires": None, "lease": None} for seat in (anna, ben))]
    unknown = {"earliest_expiry": None, "message": get_summary(prediction)["message"], "check": True, "would_issue": 3}
    assert get_summary(prediction) == {**get_summary(published), **unknown}
    # No URL is anywhere, not even in the store.
    assert len(simulator.streaming_urls()) == 3
    (tmp_path / "printed").write_text(first.printed)
    assert files_with(simulator, tmp_path) == []
    planted = home / "planted"
    planted.write_text(simulator.streaming_urls()[-1])
    assert files_with(simulator, tmp_path) == [planted]
    assert "censored" not in first.printed
    assert "WARNING" not in first.printed


def test_a_failure_for_one_learner_leaves_the_others_their_streams(simulator: Simulator, ansible: Ansible) -> None:
    """And the role's variables for region and endpoint come before the defaults of the group."""
    simulator.set(session_starting_seconds=0.5)
    stopped, region = {"state": "STOPPED"}, "eu-central-1"
    simulator.seed_studio(
        STUDIO,
        [
            {"sessionId": "good", "ownedBy": "anna", **stopped},
            {"sessionId": "bad", "ownedBy": "ben", **stopped, "startOutcome": "START_FAILED"},
            {"sessionId": "slow", "ownedBy": "chloe", **stopped, "startOutcome": "START_IN_PROGRESS"},
            {"sessionId": "full", "ownedBy": "dora", **stopped},
            {"sessionId": "broken", "ownedBy": "emil", "streamOutcome": "CREATE_FAILED"},
            {"sessionId": "first", "ownedBy": "fritz"},
            {"sessionId": "second", "ownedBy": "fritz"},
        ],
        region=region,
    )
    simulator.add_fault(
        operation="StartStreamingSession",
        parameters={"sessionId": "full"},
        error={"code": "ServiceQuotaExceededException"},
    )
    environment = simulator.environment()
    defaults = {
        "endpoint_url": "http://127.0.0.1:9",
        "region": "us-east-1",
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    names = ("anna", "ben", "chloe", "dora", "emil", "fritz", "gina", "hans")
    lab = variables(
        region=region,
        learners=learners(*names),
        sessions={"hans": "nowhere"},
        start_sessions=True,
        start_timeout=1,
        concurrency=3,
    )

    def serve(lab: Mapping[str, Any]) -> tuple[Task, Run]:
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [include(lab)]}
        single = {"endpoint_url": simulator.endpoint_url, "region": "us-east-1"}
        modules = ("nimble_session", "nimble_session_info", "nimble_session_stream")
        play["module_defaults"] = {
            "group/labstream.aws.labstream": defaults,
            **{f"labstream.aws.{name}": single for name in modules},
        }
        run = ansible.run_playbook([play], environment=dict.fromkeys(environment, ""))
        [published] = published_in(run)
        return published, run

    published, run = serve(lab)

    assert [(seat["id"], seat["region"]) for seat in seats_of(published)] == [("anna", region)], run.printed
    assert count_states(published) == ("partial", 3, 1, 0, 0)
    assert (get_summary(published)["requested"], get_summary(published)["failed"]) == (8, 7)
    failures = failures_of(published)
    assert failures.keys() == set(names) - {"anna"}
    assert failures["ben"][0] == "bad"
    assert failures["ben"][1].startswith(
        "Session 'bad' is START_FAILED (INTERNAL_ERROR: the service failed), not READY"
    )
    assert failures["chloe"] == (
        "slow",
        "The session is still START_IN_PROGRESS after 1 seconds (nimble_lab_start_timeout): run again to keep waiting "
        "for it.",
    )
    assert failures["dora"][0] == "full"
    assert "request a quota increase" in failures["dora"][1]
    assert failures["emil"][0] == "broken"
    assert "is CREATE_FAILED" in failures["emil"][1]
    assert failures["fritz"] == (
        None,
        "Learner 'fritz' owns 2 sessions ('first' is READY (STREAMING_SESSION_READY), 'second' is READY "
        "(STREAMING_SESSION_READY)): name one in nimble_lab_sessions.",
    )
    assert failures["gina"][1].startswith("Learner 'gina' has no session: ")
    assert failures["hans"] == ("nowhere", "Session 'nowhere' does not exist in studio 'studio-1': check both ids.")
    message = get_summary(published)["message"]
    assert run.task(FAILURE).msg == message
    for part in ("'fritz'", "'gina'", "nowhere: ", "full: ", "slow: ", "bad: ", "broken: "):
        assert part in message
    assert "Traceback" not in run.printed

    # Given that what was wrong is fixed, except for one session that fails to start.
    simulator.clear_faults()
    for session in ("slow", "full", "broken", "bad"):
        simulator.change_session(STUDIO, session, state="READY", streamOutcome="READY", region=region)
    simulator.seed_studio(STUDIO, [{"sessionId": "late", **stopped, "startOutcome": "START_FAILED"}], region=region)
    own = {"anna": "good", "ben": "bad", "chloe": "slow", "dora": "full", "emil": "broken"}
    sessions = {**own, "fritz": "second", "gina": "first", "hans": "late"}

    fixed, run = serve({**lab, **variables(sessions=sessions, start_timeout=600)})

    # Then the role does not wait for it, who has a stream keeps it, and the others get theirs.
    assert count_states(fixed) == ("partial", 1, 6, 1, 0), run.printed
    assert [(seat["id"], seat["issued"]) for seat in seats_of(fixed)] == [
        (name, name != "anna") for name in names if name != "hans"
    ]
    assert list(failures_of(fixed)) == ["hans"]
    assert "is START_FAILED" in failures_of(fixed)["hans"][1]
    assert len(simulator.streams("good")) == 1


STOPPED = "Session 'seat-9' is STOPPED (STREAMING_SESSION_STOPPED), not READY: start it"
REJECTED = {
    "two sources": (
        {"learners": [], "roster": "id\nanna\n"},
        "Give one of nimble_lab_learners and nimble_lab_roster, or nimble_lab_sessions alone.",
    ),
    "a session that is not text": ({"sessions": {"anna": 7}}, "nimble_lab_sessions has 'anna': 7, and 7 is not text"),
    "a stopped session": ({}, f"1 of 1 got no streaming URL: seat-9: {STOPPED}"),
}


def test_a_mapping_is_a_roster_failures_are_one_message_and_absent_releases(
    simulator: Simulator, ansible: Ansible, home: Path
) -> None:
    """And the defaults of the group reach the role."""
    simulator.seed_studio(STUDIO, ["seat-1", "seat-2", {"sessionId": "seat-9", "state": "STOPPED"}])
    environment = simulator.environment()
    defaults = {
        "endpoint_url": simulator.endpoint_url,
        "region": "us-east-1",
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    monday = variables(sessions={"anna": "seat-1", "ben": "seat-2"}, expiration_in_seconds=600, min_remaining=10)
    ask = {
        "name": "get the URLs",
        STREAM: {
            "studio_id": STUDIO,
            "session_ids": "{{ nimble_lab_seats | map(attribute='session_id') | list }}",
            "expiration_in_seconds": 600,
        },
    }
    handout = {
        "name": "write the handout",
        "labstream.aws.streaming_handout": {"urls_csv": str(home / "handout.csv"), "seats": "{{ nimble_lab_seats }}"},
    }
    bad = [
        {
            **variables(name="tuesday", sessions={"anna": "seat-9"}),
            **{f"nimble_lab_{option}": value for option, value in case.items()},
        }
        for case, _message in REJECTED.values()
    ]
    bad[0]["nimble_lab_summary_path"] = str(home / "summary.json")
    bad[-1]["nimble_lab_summary_path"] = str(home / "nowhere" / "summary.json")
    idle = variables(learners=[], start_sessions=True)
    absent = variables(state="absent")
    tasks = [include(monday), ask, handout, *(include(lab) for lab in (idle, *bad, absent))]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    play["module_defaults"] = {"group/labstream.aws.labstream": defaults}

    run = ansible.run_playbook([play], environment=dict.fromkeys(environment, ""))

    first, nobody, *failed, released = published_in(run)
    assert count_states(first) == ("ok", 0, 2, 0, 0), run.printed
    assert [(seat["id"], seat["session_id"], seat["name"]) for seat in seats_of(first)] == [
        ("anna", "seat-1", None),
        ("ben", "seat-2", None),
    ]
    assert not simulator.calls("ListStreamingSessions")
    created = simulator.calls("CreateStreamingSessionStream")
    assert [call["parameters"]["expirationInSeconds"] for call in created if call["status"] == 200] == [600] * 2

    # Only the service has the URLs.
    again = run.task("get the URLs")
    assert not again.changed
    assert [simulator.open(stream["url"])[0] for stream in again.result["streams"]] == [200, 200]
    assert run.task("write the handout").changed
    assert all(stream["url"] in (home / "handout.csv").read_text() for stream in again.result["streams"])

    # A lab without learners is unchanged.
    assert (count_states(nobody), seats_of(nobody)) == (("unchanged", 0, 0, 0, 0), [])
    assert get_summary(nobody)["message"] == "There are no learners, so nothing was done: check the roster."

    # A failure is one message, in the summary too, and nothing of the previous lab is left in it.
    reasons = [task.msg for task in run.tasks if task.name == FAILURE and task.failed]
    for case, reason, each in zip(REJECTED, reasons, failed, strict=True):
        summary = get_summary(each)
        assert summary["message"].startswith(REJECTED[case][1]), case
        assert reason.startswith(summary["message"]), case
        assert count_states(each) == ("failed", 0, 0, 0, 0), case
        assert (summary["earliest_expiry"], seats_of(each)) == (None, [])
    assert json.loads((home / "summary.json").read_text()) == get_summary(failed[0])
    assert "Traceback" not in run.printed

    # Absent releases what the lab has.
    assert (count_states(released), seats_of(released)) == (("ok", 0, 0, 0, 2), [])
    message = get_summary(released)["message"]
    assert message.startswith("Leases released: 2. URLs of streams work until they expire, the last at 20")
