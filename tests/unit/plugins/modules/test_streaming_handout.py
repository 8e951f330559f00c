# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handouts of a lab, task after task: who gets which URL and page, and what is left alone."""

from __future__ import annotations

import csv
import os
import re
import stat
from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE, LIMIT_REACHED, StreamUrl
from ansible_collections.labstream.aws.plugins.module_utils._handouts import handout as handouts
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import LIFETIME, find_learners
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LabRecord, Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import build_purpose
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.modules import streaming_handout

from tests.pages import url_of
from tests.unit.plugins.module_utils.support import (
    DAY,
    NOW,
    SCOPE,
    after,
    as_ordinary_user,
    build_key,
    compare_and_set,
    lease_of,
    pending_lease_of,
    release,
    resource_lease_of,
    searchable_folder,
)

LEARNERS = ("anna", "ben", "carla")
STARTS_AT = "2026-11-24T13:00:00+01:00"
PAGE = re.compile(r"[0-9a-f]{32}\.html")
CSV_ONLY = {"pages_dir": None, "overview_html": None, "links_csv": None}


class Lab:
    """A lab, its leases in a file, and its handouts in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.lease_store = f"sqlite://{folder}/leases.sqlite3"
        self.pages_dir, self.overview_html = folder / "pages", folder / "overview.html"
        self.links_csv, self.urls_csv = folder / "links.csv", folder / "urls.csv"
        self.seats = []
        self.now = NOW
        self.warnings = []

    def open_store(self):
        params = {"lease_store": self.lease_store}
        return open_lease_store(SimpleNamespace(params=params, check_mode=False), create=True, service_now=lambda: NOW)

    def issue(self, *holders, **lease):
        """Issue URLs, which replace those that are stored, and let ``seats`` be theirs; return the URLs by holder."""
        leases = [lease_of(build_key(holder), **lease) for holder in holders]
        self.remember(*leases)
        self.seats = [seat_of(holder) for holder in holders]
        return dict(zip(holders, (lease.url for lease in leases), strict=True))

    def remember(self, *leases):
        with self.open_store() as store:
            existing = store.read([lease.key for lease in leases])
            for lease in leases:
                compare_and_set(store, lease, expected=existing[lease.key].lease_id if lease.key in existing else None)

    def release(self, holder):
        with self.open_store() as store:
            release(store, build_key(holder))

    def write(self, *, check=False, **options):
        """Write pages, overview and links of ``seats``, and whatever the options say; return the result."""
        module = self.build_module(check, options)
        streaming_handout.run(module)
        return module.result

    def fail(self, *, check=False, **options):
        """Return the message of a task that fails, and its result."""
        module = self.build_module(check, options)
        with pytest.raises(LabstreamError) as error:
            streaming_handout.run(module)
        return str(error.value), module.result

    def write_csv(self, *seats, **options):
        return self.write(seats=list(seats), urls_csv=str(self.urls_csv), **CSV_ONLY, **options)

    def fail_csv(self, *seats, **options):
        return self.fail(seats=list(seats), urls_csv=str(self.urls_csv), **CSV_ONLY, **options)

    def build_module(self, check, options):
        """Return a module with these options, as far as the task needs it."""
        unset = ("urls_csv", "base_url", "title", "contact", "texts", "limits", "starts_at", "ends_at")
        flags = ("return_pages", "allow_missing", "purge")
        paths = {name: str(getattr(self, name)) for name in ("pages_dir", "overview_html", "links_csv")}
        known = dict(state="present", lab="cad", language="en", seats=self.seats, lease_store=self.lease_store, **paths)
        params = dict.fromkeys(unset) | dict.fromkeys(flags, False) | known | options
        result = dict(streaming_handout.EMPTY_RESULT)
        self.hidden = []
        return SimpleNamespace(
            params=params, check_mode=check, result=result, hide=self.hidden.extend, warn=self.warnings.append
        )

    def rows(self):
        with self.urls_csv.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def addresses(self):
        """Return the addresses of the pages by learner."""
        with self.links_csv.open(newline="", encoding="utf-8") as file:
            return {row["id"]: row["page"] for row in csv.DictReader(file)}

    def page_of(self, learner):
        return (self.pages_dir / self.addresses()[learner]).read_text()

    def pages(self):
        return [page.read_text() for page in sorted(self.pages_dir.iterdir())]

    def states(self):
        return sorted(map(state_of, self.pages()))

    def overview(self):
        """Return name, id and holder, as far as they differ, and the status of each row."""
        lines = re.findall(r"<tr data-status.*?</tr>", self.overview_html.read_text())
        return [
            (*re.findall(r"<bdi>(.*?)</bdi>", line), *re.findall(r'<td class="status">(.*?)</td>', line))
            for line in lines
        ]

    def snapshot(self):
        """Return all files except the store's, with what changes when one is written."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("leases.")]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode) for path in paths}


def roster_row(learner):
    return {"id": learner, "name": f"{learner.title()} Example", "email": f"{learner}@example.org"}


def seat_of(holder, /, **fields):
    """Return a seat as the role publishes it when its URL is new."""
    lease = build_key(holder).to_text()
    return {**roster_row(holder), "user_id": holder, "lease": lease, "issued": True, "expires": "soon", **fields}


def state_of(page):
    return re.findall(r'<main id="page"[^>]* data-state="(\w+)"', page)[0]


def lang_of(page):
    return re.findall(r'<html lang="(.*?)">', page)[0]


def with_url(value, url):
    """Return the value with the URL in place of {}."""
    if isinstance(value, dict):
        return {key: with_url(each, url) for key, each in value.items()}
    return value.replace("{}", url)


def summary(**known):
    return dict(requested=0, missing=0, written=0) | known


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab on a host whose clock the test sets."""
    lab = Lab(tmp_path)
    monkeypatch.setattr(handouts, "utc_now", lambda: lab.now)
    return lab


# The CSV file with the URLs


def test_the_csv_file_has_a_row_for_each_seat_in_the_order_given(lab):
    urls = lab.issue("anna", "ben")

    result = lab.write_csv(seat_of("ben"), seat_of("anna", id="S1"))

    written = dict(changed=True, urls_csv=str(lab.urls_csv), missing=[], summary=summary(requested=2, written=1))
    assert result == written
    known = dict(expires="2026-11-21T09:00:00Z")
    assert lab.rows() == [
        dict(roster_row("ben"), holder="ben", streaming_url=urls["ben"], **known),
        dict(roster_row("anna"), id="S1", holder="anna", streaming_url=urls["anna"], **known),
    ]


def test_entries_of_the_modules_that_issue_are_seats(lab):
    urls = lab.issue("anna")
    given = dict(streaming_url="https://a", stream_url="https://b", url="https://c", lease=build_key("anna").to_text())
    lab.write_csv(dict(id=None, name=None, email=None, user_id="anna", **given))
    assert set(lab.hidden) >= {"https://a", "https://b", "https://c"}
    [row] = lab.rows()
    assert [row[column] for column in ("id", "name", "email", "streaming_url")] == ["anna", "", "", urls["anna"]]


def test_the_url_is_that_of_the_lease(lab):
    """Given leases of one holder for other purposes and of another scope."""
    purposes = ("", build_purpose(application_id="cad"), build_purpose(application_id="cad", session_context="x"))
    keys = [*(build_key("anna", purpose) for purpose in purposes), build_key("anna", scope=f"{SCOPE}-2")]
    leases = [lease_of(key) for key in keys]
    lab.remember(*leases)

    lab.write_csv(*(dict(lease=key.to_text()) for key in reversed(keys)))

    assert [row["streaming_url"] for row in lab.rows()] == [lease.url for lease in reversed(leases)]


def test_the_expiry_is_that_of_the_stored_lease(lab):
    """Another run may have renewed it since the seat was published."""
    lab.issue("anna")
    lab.write_csv(seat_of("anna", expires="2001-01-01T00:00:00Z"))
    assert lab.rows()[0]["expires"] == "2026-11-21T09:00:00Z"


@pytest.mark.parametrize("name", ["Änna Größe-Ümlaut", "例え", 'Anna "A", Example; esq.', "Anna\nExample", "O'Neill"])
def test_a_name_is_written_as_it_is(lab, name):
    lab.issue("anna")
    lab.write_csv(seat_of("anna", name=name))
    assert lab.rows()[0]["name"] == name


def test_no_cell_that_people_fill_in_is_a_formula_and_the_url_is_unchanged(lab):
    urls = lab.issue("@anna", url="https://streaming.example.org/?a;=b;-c")
    lab.write_csv(seat_of("@anna", id="=1", name="+2", email="-3"))
    [row] = lab.rows()
    assert [row[column] for column in ("id", "name", "email", "holder")] == ["'=1", "'+2", "'-3", "'@anna"]
    assert row["streaming_url"] == urls["@anna"]


def test_a_new_url_changes_the_csv_file_and_a_second_task_does_not(lab):
    lab.issue("anna", "ben")
    lab.write_csv(*lab.seats)
    before = lab.snapshot()
    assert not lab.write_csv(*lab.seats)["changed"]
    assert lab.snapshot() == before

    [new] = lab.issue("anna").values()

    assert lab.write_csv(*lab.seats)["changed"]
    assert lab.rows()[0]["streaming_url"] == new


# The learners' pages


def test_every_learner_gets_a_private_page_with_the_url(lab):
    urls = lab.issue(*LEARNERS)

    result = lab.write()

    assert result["summary"] == summary(requested=3, written=5)
    assert {learner: url_of(lab.page_of(learner)) for learner in LEARNERS} == urls
    for learner in LEARNERS:
        assert f"{learner.title()} Example" in lab.page_of(learner)
    assert len({PAGE.fullmatch(path.name) and path.name for path in lab.pages_dir.iterdir()} - {None}) == 3
    assert stat.S_IMODE(lab.pages_dir.stat().st_mode) == 0o700
    assert {stat.S_IMODE(mode) for _inode, _time, mode in lab.snapshot().values()} == {0o600}


def test_a_second_task_writes_none_of_500_pages(lab):
    lab.issue(*(f"learner-{number}" for number in range(500)))
    assert lab.write()["summary"] == summary(requested=500, written=502)
    before = lab.snapshot()

    again = lab.write()

    assert (again["changed"], again["summary"]["written"]) == (False, 0)
    assert lab.snapshot() == before


def test_a_new_url_changes_the_page_and_not_its_address(lab):
    lab.issue(*LEARNERS)
    lab.write()
    before, seats = lab.addresses(), lab.seats
    [new] = lab.issue("anna").values()

    result = lab.write(seats=seats)

    assert result["summary"]["written"] == 1
    assert lab.addresses() == before
    assert url_of(lab.page_of("anna")) == new


def test_pages_from_the_roster_alone_get_their_urls_later_and_keep_them(lab):
    roster = [roster_row(learner) for learner in LEARNERS]
    ahead = lab.write(seats=roster, allow_missing=True, starts_at=STARTS_AT)
    assert ahead["missing"] == list(LEARNERS)
    assert lab.states() == ["waiting"] * 3
    before = lab.addresses()

    urls = lab.issue(*LEARNERS)
    lab.write(starts_at=STARTS_AT)
    assert lab.addresses() == before
    assert {learner: url_of(lab.page_of(learner)) for learner in LEARNERS} == urls

    again = lab.write(seats=roster, allow_missing=True, starts_at=STARTS_AT)
    assert again["missing"] == []
    assert {learner: url_of(lab.page_of(learner)) for learner in LEARNERS} == urls


def test_a_part_of_the_roster_removes_nobody_from_the_overview_or_the_pages(lab):
    lab.issue(*LEARNERS)
    lab.write()
    pages = lab.pages()

    lab.write(seats=[seat_of("ben")])

    assert lab.overview() == [("Ben Example", "ben", "Valid"), ("anna", "Valid"), ("carla", "Valid")]
    assert lab.pages() == pages


def test_an_overview_without_pages_remembers_its_learners_too(lab):
    lab.issue("anna", "ben")
    for seats in (lab.seats, lab.seats[1:]):
        lab.write(seats=seats, pages_dir=None, links_csv=None)
    assert lab.overview() == [("Ben Example", "ben", "Valid"), ("anna", "Valid")]


def test_labs_do_not_affect_each_other(lab):
    lab.issue("anna")
    lab.write()
    monday = lab.addresses()
    lab.write(lab="tuesday")
    assert lab.addresses()["anna"] != monday["anna"]

    lab.write(state="absent", lab="tuesday")

    assert lab.states() == ["ended", "open"]


def test_the_previous_page_of_a_rotated_learner_says_that_there_is_another(lab):
    lab.issue("anna", "ben")
    lab.write()
    before = lab.addresses()
    [new_url] = lab.issue("anna-2").values()
    rotated = seat_of("anna-2", id="anna", generation=1)

    assert lab.write(seats=[rotated])["summary"]["written"] == 4  # both pages, links and overview
    assert not lab.write(seats=[rotated])["changed"]

    assert lab.addresses()["anna"] != before["anna"]
    assert url_of(lab.page_of("anna")) == new_url
    assert state_of((lab.pages_dir / before["anna"]).read_text()) == "moved"
    assert state_of((lab.pages_dir / before["ben"]).read_text()) == "open"
    assert [row[:-1] for row in lab.overview()] == [("Anna-2 Example", "anna", "anna-2"), ("ben",)]


def test_a_replaced_page_is_never_used_again(lab):
    """Given a second page because the address of the first leaked; when seats of earlier generations are written."""
    [url] = lab.issue("anna").values()
    lab.write()
    before = lab.addresses()
    lab.write(seats=[seat_of("anna", generation=2)])
    current = lab.addresses()
    assert current != before

    for seat in (roster_row("anna"), seat_of("anna", generation=0), seat_of("anna", generation=1)):
        assert not lab.write(seats=[seat], allow_missing=True)["changed"]

    assert lab.addresses() == current
    assert url_of(lab.page_of("anna")) == url
    assert lab.states() == ["moved", "open"]


@pytest.mark.parametrize(("ended", "state"), [(True, "ended"), (False, "open")])
def test_the_page_of_a_learner_who_was_withdrawn_says_that_it_is_over(lab, ended, state):
    # Given a lab of two, of whom one is no longer in the roster, and has or has not been withdrawn.
    lab.issue("anna", "ben")
    with lab.open_store() as store:
        Labs(store, None).join([LabRecord("cad", build_key(who), who, after(3600)) for who in ("anna", "ben")])
    lab.write()
    page = lab.pages_dir / lab.addresses()["ben"]
    if ended:
        with lab.open_store() as store:
            labs = Labs(store, None)
            labs.leave([record for record in labs.records if record.learner_id == "ben"], NOW)

    # When the handouts are written for the other, then his page is one of the lab that has ended.
    lab.write(seats=[seat_of("anna")])
    assert state_of(page.read_text()) == state
    assert state_of(lab.page_of("anna")) == "open"


def test_a_learner_in_another_case_keeps_the_page_and_is_shown_as_written(lab):
    lab.issue("anna")
    lab.write(seats=[seat_of("anna", id="anna@example.org")])
    [page] = lab.addresses().values()

    result = lab.write(seats=[seat_of("anna", id="Anna@Example.ORG")], return_pages=True)

    assert lab.addresses() == {"Anna@Example.ORG": page}
    assert result["pages"] == [{"id": "Anna@Example.ORG", "page": page}]
    assert [row[1] for row in lab.overview()] == ["Anna@Example.ORG"]

    # Whoever is rotated in another case has no page left that opens the URL.
    lab.write(seats=[seat_of("anna", id="ANNA@example.org", generation=1)])
    assert state_of((lab.pages_dir / page).read_text()) == "moved"
    assert lab.states() == ["moved", "open"]


# Streams and stream URLs, which are not in the store


@pytest.mark.parametrize(
    ("days_ahead", "statuses"),
    [
        (0, ["Valid"] * 2 + ["No URL"] * 4 + ["Expired"]),
        (200, ["Valid"] * 2 + ["Expired"] * 3 + ["No URL", "Expired"]),
    ],
)
def test_the_urls_of_streams_come_from_the_service_which_knows_when_they_expire(lab, monkeypatch, days_ahead, statuses):
    lab.now = after(days_ahead * DAY)
    scope = "nimble|nimble.us-west-2.amazonaws.com|arn:aws:nimble:us-west-2:123456789012:studio/us-west-2-studio"
    keys = {name: build_key(f"session-{name}", scope=scope) for name in ("ready", "late", "dead", "gone", "busy")}
    lab.remember(*(resource_lease_of(key, resource_id=f"of-{key.holder}") for key in keys.values()))
    others = [build_key(f"session-{name}", scope=scope) for name in ("pending", "expired")]
    lab.remember(pending_lease_of(others[0]), resource_lease_of(others[1], resource_id="x", expires=-1))
    url = "https://streaming.example.org/?stream"
    streams = {
        "ready": SimpleNamespace(url=url, expires_at=None),
        "late": SimpleNamespace(url=url, expires_at=after(60)),
        "dead": SimpleNamespace(url=url, expires_at=NOW),
        "busy": SimpleNamespace(url=None, expires_at=None),
    }
    requests = []

    def get_stream(client, studio_id, session_id, stream_id):
        requests.append((client, studio_id, session_id, stream_id))
        return streams.get(session_id.removeprefix("session-"))

    monkeypatch.setattr(streaming_handout, "build_nimble_client", lambda _module, studio_id, _count: studio_id)
    monkeypatch.setattr(streaming_handout, "ServiceClock", lambda _client: SimpleNamespace(now=lambda: NOW))
    monkeypatch.setattr(streaming_handout, "get_streaming_session_stream", get_stream)

    seats = [dict(lease=key.to_text()) for key in [*keys.values(), *others]]
    result = lab.write(seats=seats, allow_missing=True, urls_csv=str(lab.urls_csv))

    studio = "us-west-2-studio"
    asked = [(key.holder, f"of-{key.holder}") for key in keys.values()] + [("session-expired", "x")]
    assert sorted(requests) == sorted((studio, studio, *each) for each in asked)
    missing = ("dead", "gone", "busy", "pending", "expired")
    assert result["missing"] == [f"session-{name}" for name in missing]
    found = [(row["holder"], row["expires"], row["streaming_url"]) for row in lab.rows() if row["streaming_url"]]
    assert found == [("session-ready", "2026-11-21T09:00:00Z", url), ("session-late", "2026-11-21T08:01:00Z", url)]
    assert [row[-1] for row in lab.overview()] == statuses


def test_stream_urls_come_from_the_service_in_the_region_of_each_stream_group(lab, monkeypatch):
    # Given leases in two stream groups, and one at Nimble Studio.
    regions = {"anna": "us-west-2", "ben": "eu-central-1", "carla": "us-west-2", "dan": "us-west-2"}

    def key_of(holder):
        region = regions[holder]
        arn = f"arn:aws:gameliftstreams:{region}:123456789012:streamgroup/sg-{region}"
        return build_key(holder, scope=f"gameliftstreams|gameliftstreams.{region}.amazonaws.com|{arn}")

    studio = "nimble|nimble.us-west-2.amazonaws.com|arn:aws:nimble:us-west-2:123456789012:studio/studio"
    keys = [*map(key_of, regions), build_key("seat-1", scope=studio)]
    lab.remember(*(resource_lease_of(key, resource_id=f"of-{key.holder}") for key in keys))
    stream_urls = {
        "of-anna": StreamUrl("of-anna", ACTIVE, after(60), 1, url="https://streaming.example.org/?a", usage_limit=5),
        "of-ben": StreamUrl("of-ben", ACTIVE, after(60), 1, url="https://streaming.example.org/?b", usage_limit=1),
        "of-carla": StreamUrl("of-carla", LIMIT_REACHED, after(60), 0, usage_limit=5),
    }
    stream = SimpleNamespace(url="https://streaming.example.org/?n", expires_at=None)
    requests = []

    def get_stream_url(client, stream_group, stream_url_id):
        requests.append((client, stream_group, stream_url_id))
        return stream_urls.get(stream_url_id)

    monkeypatch.setattr(streaming_handout, "build_gamelift_client", lambda _module, _count, region: region)
    monkeypatch.setattr(streaming_handout, "build_nimble_client", lambda _module, studio_id, _count: studio_id)
    monkeypatch.setattr(streaming_handout, "ServiceClock", lambda _client: SimpleNamespace(now=lambda: NOW))
    monkeypatch.setattr(listing, "get_stream_url", get_stream_url)
    monkeypatch.setattr(streaming_handout, "get_streaming_session_stream", lambda *_names: stream)
    seats = [{"lease": key.to_text()} for key in keys]

    # When the handouts are written.
    result = lab.write(seats=seats, allow_missing=True)

    # Then each is asked for once where it is, and a page says how many openings there are, if these are counted.
    assert sorted(requests) == sorted((region, f"sg-{region}", f"of-{holder}") for holder, region in regions.items())
    assert result["missing"] == ["carla", "dan"]
    pages = {holder: lab.page_of(holder) for holder in ("anna", "ben", "seat-1")}
    assert {holder: url_of(page)[-1] for holder, page in pages.items()} == {"anna": "a", "ben": "b", "seat-1": "n"}
    assert {holder: ("5 times in all" in page, "only once" in page) for holder, page in pages.items()} == {
        "anna": (True, False),
        "ben": (False, True),
        "seat-1": (False, False),
    }
    assert not lab.write(seats=seats, allow_missing=True)["changed"]

    message, _result = lab.fail(seats=seats)
    assert message == (
        "2 of 5 seats have no URL: carla, dan: the service has no URL that still works: issue a new one."
    )


# Seats without a URL


def no_url(lab, seats):
    return (
        f"{seats}: the lease store {lab.lease_store} has no valid URL: issue it first, with the same lease_store; if "
        "that is a file, on this host and as this user."
    )


def has_expired(lab, seconds=3600):
    return (
        f"the URL has expired (it was valid until {to_iso8601(after(seconds))}, and the clock of this host says "
        f"{to_iso8601(lab.now)}): issue a new one, or correct that clock if it is wrong."
    )


@pytest.mark.parametrize("check", [False, True])
def test_seats_without_a_url_fail_the_task_and_change_no_file(lab, check):
    lab.issue("anna")
    lab.write(urls_csv=str(lab.urls_csv))
    before = lab.snapshot()
    lab.remember(pending_lease_of(build_key("dan")))
    seats = [seat_of("cleo"), seat_of("anna"), seat_of("dan")]

    message, result = lab.fail(seats=seats, urls_csv=str(lab.urls_csv), check=check)

    assert message == no_url(lab, "2 of 3 seats have no URL: cleo, dan")
    assert result == dict(
        changed=False,
        urls_csv=str(lab.urls_csv),
        missing=["cleo", "dan"],
        summary=summary(requested=3, missing=2),
    )
    assert lab.snapshot() == before
    lab.write()
    assert list(lab.addresses()) == ["anna"]


def test_of_many_seats_without_a_url_five_are_named(lab):
    seats = [seat_of(f"learner-{number}") for number in range(7)]
    message, result = lab.fail_csv(*seats)
    named = "learner-0, learner-1, learner-2, learner-3, learner-4"
    assert message == no_url(lab, f"7 of 7 seats have no URL: {named} and 2 more")
    assert result["missing"] == [seat["user_id"] for seat in seats]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("seconds", [3600, 3601, 10**8])
def test_an_expired_url_is_not_written(lab, seconds, check):
    """Given a store that nobody has written to since the URL expired, and a URL that is still valid."""
    lab.issue("cleo", expires=10**9)
    lab.issue("anna")
    seats = [seat_of("anna"), seat_of("cleo")]
    lab.now = after(3599)
    assert lab.write_csv(*seats)["changed"]
    before = lab.snapshot()

    lab.now = after(seconds)
    message, result = lab.fail_csv(*seats, check=check)

    assert message == f"1 of 2 seats have no URL: anna: {has_expired(lab)}"
    assert (result["missing"], result["changed"]) == (["anna"], False)
    assert lab.snapshot() == before


def test_a_clock_that_is_ahead_wipes_no_url_and_its_owner_is_warned(lab):
    # Given two labs with URLs, and a host whose clock is 200 days ahead.
    anna, ben = lease_of(build_key("anna")), lease_of(build_key("ben"))
    lab.remember(anna, ben)
    lab.seats = [seat_of("anna")]
    lab.write()
    address = lab.addresses()
    lab.now = after(200 * DAY)

    # When the handouts of one are written again.
    result = lab.write(allow_missing=True)

    # Then the page says no URL, and the task says why.
    assert result["missing"] == ["anna"]
    assert state_of(lab.page_of("anna")) == "waiting"
    assert lab.overview() == [("Anna Example", "anna", "Expired")]
    assert lab.warnings == [f"1 stored URLs are not handed out: {has_expired(lab)}"]

    # And once the clock is right, all is as it was.
    lab.now = NOW
    assert lab.write()["missing"] == []
    assert url_of(lab.page_of("anna")) == anna.url
    assert lab.addresses() == address
    with lab.open_store() as store:
        assert store.find(SCOPE) == {anna.key: anna, ben.key: ben}


@pytest.mark.parametrize("days", [-1000, 0])
def test_a_clock_that_is_behind_does_not_shorten_the_life_of_a_page(lab, days):
    lab.issue("anna")
    lab.now = after(days * DAY)
    lab.write()
    with lab.open_store() as store:
        [record] = find_learners(store, "cad").values()
    assert record.expires == NOW + LIFETIME


def test_a_released_url_is_not_written(lab):
    lab.issue("anna", "ben")
    lab.write()
    lab.release("ben")

    assert lab.fail()[1]["missing"] == ["ben"]

    lab.write(allow_missing=True)
    assert state_of(lab.page_of("ben")) == "waiting"
    assert lab.overview() == [("Anna Example", "anna", "Valid"), ("Ben Example", "ben", "Released")]


def test_without_a_store_there_are_no_urls(lab):
    assert lab.fail_csv(seat_of("anna"))[0] == no_url(lab, "1 of 1 seats have no URL: anna")
    assert not lab.pages_dir.exists()


def test_a_url_that_is_not_a_web_url_is_not_written(lab):
    lab.issue("anna", url="javascript:alert(1)")
    message, _result = lab.fail()
    assert message == "The URL of 'anna' does not start with https or http: issue a new one with force=true."
    assert lab.snapshot() == {}


# Check mode


def test_check_mode_names_no_page_and_predicts_what_a_run_does(lab):
    lab.issue(*LEARNERS)

    predicted = lab.write(check=True, return_pages=True)

    assert [entry["page"] for entry in predicted["pages"]] == [None] * 3
    assert lab.write(check=True, return_pages=True) == predicted
    assert lab.snapshot() == {}
    done = lab.write(return_pages=True)
    assert done["pages"] == [{"id": learner, "page": lab.addresses()[learner]} for learner in LEARNERS]
    assert {**predicted, "pages": []} == {**done, "pages": []}
    unchanged = {"changed": False, "summary": {**done["summary"], "written": 0}}
    assert lab.write(check=True, return_pages=True) == {**done, **unchanged}


def test_check_mode_predicts_a_csv_file(lab):
    lab.issue("anna")
    for changed in (True, False):
        predicted = lab.write_csv(seat_of("anna"), check=True)
        assert lab.urls_csv.exists() is not changed
        assert predicted == lab.write_csv(seat_of("anna"))
        assert predicted["changed"] is changed


@pytest.mark.parametrize("lease", [None, build_key("ben").to_text()])
def test_check_mode_takes_a_url_that_would_have_been_issued_for_a_change(lab, lease):
    lab.issue("anna")
    lab.write()
    predicted = [seat_of("anna"), seat_of("ben", lease=lease, expires=None)]

    result = lab.write(seats=predicted, check=True, return_pages=True)

    assert (result["changed"], result["missing"]) == (True, [])
    assert result["summary"] == summary(requested=2)
    assert [entry["page"] for entry in result["pages"]] == [lab.addresses()["anna"], None]
    assert lab.fail(seats=predicted)[1]["changed"] is False


# The end of the lab


def test_the_end_of_a_lab_is_on_all_its_pages(lab):
    lab.issue(*LEARNERS)
    lab.write(urls_csv=str(lab.urls_csv))
    before = {path.name for path in lab.pages_dir.iterdir()}
    end = {"state": "absent", "seats": None, "urls_csv": str(lab.urls_csv)}

    predicted = lab.write(check=True, **end)
    assert lab.states() == ["open"] * 3
    done = lab.write(**end)

    assert predicted["summary"] == done["summary"] == summary(written=6)
    assert predicted["changed"]
    assert {path.name for path in lab.pages_dir.iterdir()} == before
    assert lab.states() == ["ended"] * 3
    assert "Example" not in str(lab.pages())
    assert not lab.urls_csv.exists()
    assert not lab.links_csv.exists()
    assert "The lab has ended." in lab.overview_html.read_text()
    assert not lab.write(**end)["changed"]


def test_the_overview_of_a_lab_that_has_ended_names_those_in_the_roster(lab):
    lab.issue(*LEARNERS)
    lab.write()
    for learner in LEARNERS:
        lab.release(learner)

    lab.write(state="absent", seats=[roster_row("ben"), roster_row("dora")])

    assert lab.overview() == [
        *(("Ben Example", "ben", "Released"), ("Dora Example", "dora", "No URL")),
        *(("anna", "Released"), ("carla", "Released")),
    ]
    assert lab.states() == ["ended"] * 3


def test_a_lab_that_has_ended_can_be_resumed(lab):
    lab.issue(*LEARNERS)
    lab.write()
    before = lab.addresses()
    lab.write(state="absent", seats=None)

    lab.write()

    assert lab.addresses() == before
    assert lab.states() == ["open"] * 3


def test_purge_removes_the_names_of_the_pages(lab):
    lab.issue("anna")
    lab.write()
    [before] = lab.addresses().values()
    end = {"state": "absent", "purge": True, "seats": None, "overview_html": None}

    assert lab.write(check=True, **end)["changed"]
    assert lab.write(**end)["changed"]
    assert not lab.write(**end)["changed"]

    lab.write()
    assert lab.addresses()["anna"] != before
    assert lab.states() == ["ended", "open"]


# Languages, limits


def test_each_learner_has_a_page_in_the_language_of_the_seat_from_the_first_day_to_the_end(lab):
    lab.issue(*LEARNERS)
    spoken = dict(zip(LEARNERS, (None, "fr_CA", "nl"), strict=True))
    seats = [seat_of(learner, language=language) for learner, language in spoken.items()]
    own = {"de": {"open": "Los"}, "fr": {"ended": "Fini."}}

    lab.write(seats=seats, language="de", texts=own)

    assert [lang_of(lab.page_of(learner)) for learner in LEARNERS] == ["de", "fr-ca", "de"]
    assert ">Los</button>" in lab.page_of("anna")
    assert ">Ouvrir mon labo</button>" in lab.page_of("ben")
    assert lab.warnings == [
        "There are no texts in 'nl', so these pages are in 'de': give texts, or correct the language."
    ]
    assert lang_of(lab.overview_html.read_text()) == "en"

    lab.write(seats=[{**seat, "generation": 1} for seat in seats], language="de", texts=own)
    moved = [page for page in lab.pages() if state_of(page) == "moved"]
    assert sorted(map(lang_of, moved)) == ["de", "de", "fr-ca"]

    rows = [{**roster_row(learner), "language": language} for learner, language in spoken.items()]
    lab.write(state="absent", seats=rows[:2], language="es", texts=own)
    assert sorted(map(lang_of, lab.pages())) == ["es"] * 4 + ["fr-ca"] * 2
    assert sum("Fini." in page for page in lab.pages()) == 2


def test_a_language_without_texts_is_english_and_the_task_warns(lab):
    lab.issue("anna")
    lab.write(language="nl")
    assert lang_of(lab.page_of("anna")) == "en"
    assert lab.warnings == [
        "There are no texts in 'nl', so these pages are in 'en': give texts, or correct the language."
    ]


def test_pages_show_the_limits_of_the_fleet(lab):
    lab.issue("anna")
    lab.write(limits={"idle_disconnect_timeout_in_seconds": 900, "max_user_duration_in_seconds": None})
    assert "Your desktop closes after 15 minutes without input." in lab.page_of("anna")


# What goes wrong


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("where", "what"),
    [
        (dict(id="{}"), "The id of seat 2"),
        (dict(name="Anna {}"), "The name of seat 2"),
        (dict(email="<{}>"), "The email of seat 2"),
        (dict(title="{}"), "The title of the lab"),
        (dict(contact="See {}"), "The contact"),
        (dict(texts={"en": {"open": "Open {}"}}), "A text of the pages"),
        (dict(texts={"de": {"open": "{}"}}), "A text of the pages"),
    ],
)
def test_a_url_that_others_would_see_is_rejected(lab, where, what, state):
    """Also that of another learner, and one whose learner is not among the seats."""
    url = lab.issue(*LEARNERS)["carla"]
    lab.write()
    before = lab.snapshot()
    where = with_url(where, url)
    in_seat = where if where.keys() <= {"id", "name", "email"} else {}
    seats = [lab.seats[0], {**lab.seats[1], **in_seat}]

    message, result = lab.fail(state=state, seats=seats, **({} if in_seat else where))

    assert message == f"{what} has a streaming URL in it, which other people would see: remove it."
    assert url in lab.hidden
    assert (lab.snapshot(), result["changed"]) == (before, False)


@pytest.mark.parametrize(
    "name", ["</title><script>alert(1)</script>", "../../x", "{{ 7 * 7 }}", "=1+1", "a\x00b\u202ec"]
)
def test_hostile_names_stay_text(lab, name):
    lab.issue("anna")
    learner_id = name.replace("\x00", "")
    hostile = seat_of("anna", id=learner_id, name=name, email=name)

    lab.write(seats=[hostile], title=name, contact=name)

    for page in [*lab.pages(), lab.overview_html.read_text()]:
        assert page.count("<script>") == 1
    assert [bool(PAGE.fullmatch(path.name)) for path in lab.pages_dir.iterdir()] == [True]
    assert list(lab.addresses()) == [f"'{name}" if name.startswith("=") else learner_id]
    assert not lab.write(seats=[hostile], title=name, contact=name)["changed"]


def test_a_page_that_cannot_be_written_is_reported_without_its_name_and_the_others_are_written(lab):
    lab.issue("anna", "ben")
    lab.write()
    page = lab.pages_dir / lab.addresses()["anna"]
    page.unlink()
    page.mkdir()

    message, result = lab.fail(title="New")

    assert message == (
        f"A page in {lab.pages_dir} cannot be written: it is not a regular file. Name a folder which, like the one "
        "above it, the user of this task can write to."
    )
    assert page.stem not in message + str(result)
    assert result["changed"]
    assert "<h1><bdi>New</bdi></h1>" in lab.page_of("ben")


@pytest.mark.parametrize("check", [False, True])
def test_a_read_only_store_fails_the_task_before_a_page_is_written(lab, check):
    with searchable_folder() as folder:
        os.chown(folder, as_ordinary_user(os.geteuid), -1)
        lab = Lab(folder)

        def write():
            lab.issue("anna")
            (folder / "leases.sqlite3").chmod(0o400)
            lab.write(check=check)

        with pytest.raises(LabstreamError, match="read and write"):
            as_ordinary_user(write)

        assert (folder / "leases.sqlite3").exists()
        assert lab.snapshot() == {}


INVALID_OPTIONS = {
    "a lab without a name": ({"lab": ""}, ("lab is ''",)),
    "a start that is not a timestamp": (
        {"starts_at": "tomorrow"},
        ("starts_at is 'tomorrow'", "2026-11-21T17:00:00+01:00"),
    ),
    "an end without an offset": ({"ends_at": "2026-11-21T17:00:00"}, ("ends_at", "no offset from UTC")),
    "an end before the start": (
        {"starts_at": "2026-11-21T17:00:00Z", "ends_at": "2026-11-21T13:00:00Z"},
        ("ends_at is 2026-11-21T13:00:00Z, which is not after starts_at",),
    ),
    "a base_url that is a script": (
        {"base_url": "javascript:alert(1)"},
        ("base_url is 'javascript:alert(1)'", "https"),
    ),
    "a folder that is a file": (
        {"pages_dir": "overview.html", "overview_html": None},
        ("pages_dir (", "it is not a folder"),
    ),
    "a folder in no folder": ({"pages_dir": "nowhere/pages"}, ("the folder above it is missing or read-only",)),
    "purge and present": ({"purge": True}, ("purge is only for state=absent",)),
    "no store": ({"lease_store": "none"}, ("lease_store is none",)),
    "a learner with two seats": ({"seats": [{"id": "a"}, {"id": "A"}]}, ("Several seats", "'a'")),
    "an overview among the pages": (
        {"overview_html": "pages/index.html"},
        ("overview_html is ", "in the folder of the pages", "name another folder"),
    ),
    "links among the pages": (
        {"links_csv": "pages/../pages/links.csv"},
        ("links_csv is ", "in the folder of the pages"),
    ),
    "two files with one path": (
        {"links_csv": "x", "urls_csv": "./x"},
        ("links_csv and urls_csv are both ", "give each its own path"),
    ),
    "a limit below 0": (
        {"limits": {"disconnect_timeout_in_seconds": -1}},
        ("limits has -1 as disconnect_timeout_in_seconds",),
    ),
    "a limit that is no number": ({"limits": {"disconnect_timeout_in_seconds": True}}, ("limits has True",)),
    "an unknown limit": ({"limits": {"idle_timeout": 9}}, ("limits has 'idle_timeout', but its keys are idle_",)),
    "no language": ({"language": "german"}, ("language is 'german', but it must be a language such as de",)),
    "a text that no page has": ({"texts": {"de": {"oben": "x"}}}, ("texts has the key 'oben' for 'de'",)),
    "a seat with an invalid lease": ({"seats": [{"lease": "x"}]}, ("A lease is not valid",)),
}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("options", "parts"), INVALID_OPTIONS.values(), ids=INVALID_OPTIONS)
def test_invalid_options_are_rejected_before_anything_is_written(lab, monkeypatch, options, parts, check):
    monkeypatch.chdir(lab.folder)
    lab.overview_html.write_text("unchanged")

    message, result = lab.fail(check=check, allow_missing=True, **options)

    for part in parts:
        assert part in message
    assert not result["changed"]
    assert [path.name for path in lab.folder.iterdir()] == ["overview.html"]


def test_a_task_with_async_returns_no_pages(lab, monkeypatch):
    """Ansible keeps its result in a file with mode 0644."""
    lab.issue("anna")
    monkeypatch.setenv("ANSIBLE_ASYNC_DIR", "~/.ansible_async")

    message, result = lab.fail(return_pages=True)

    assert message.startswith("return_pages is true and ANSIBLE_ASYNC_DIR is ~/.ansible_async, as in a task with async")
    assert message.endswith("set return_pages to false, and take the addresses from the file that links_csv names.")
    assert "pages" not in result
    assert not lab.pages_dir.exists()
