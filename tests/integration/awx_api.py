# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AWX's REST API that examples/awx/setup.yml calls, with AWX's rules for surveys and schedules.

    with AwxApi() as awx:
        run_playbook("setup.yml", environment={"CONTROLLER_HOST": awx.url, "CONTROLLER_OAUTH_TOKEN": awx.token})
        awx.objects("job_templates")

Sources of the rules: awx/api/views (JobTemplateSurveySpec), awx/api/serializers (validate_rrule, JobOptionsSerializer)
and awx/main/models (mixins.SurveyJobTemplateMixin, projects.Project) of AWX 24.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

# The types of questions that our surveys have, of those that AWX knows. Their answers are texts.
TYPES = {"text", "textarea", "multiplechoice"}
SECRET_INPUTS = {"password", "security_token"}
RRULE = re.compile(r"DTSTART;TZID=[\w/+-]+:\d{8}T\d{6} RRULE:(?=.*\bINTERVAL=)(?!.*SECONDLY)[A-Z0-9=;,]+", re.ASCII)
# What a new object has that nobody gave.
DEFAULTS: dict[str, dict[str, Any]] = {
    "inventories": {"kind": "", "host_filter": None},
    "job_templates": {"survey_spec": {}},
    "projects": {"scm_revision": "", "status": "never updated"},
}


class Rejected(Exception):
    """A request that AWX answers with status 400."""


class AwxApi:
    """An AWX with the organization "Default", its team "Teachers", an instance group and the type of AWS keys."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(20)
        self.writes: list[str] = []
        # How a sync ends: "successful", "failed", "canceled" or "error".
        self.sync_status = "successful"
        self._objects: dict[str, list[dict[str, Any]]] = {}
        self._associated: dict[str, list[int]] = {}
        organization = self._create("organizations", {"name": "Default"})
        self._create("teams", {"name": "Teachers", "organization": organization["id"]})
        self._create("instance_groups", {"name": "default"})
        self._create("credential_types", {"name": "Amazon Web Services"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"awx": self}))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def objects(self, collection: str) -> list[dict[str, Any]]:
        """The objects of a collection such as "job_templates", as they are stored, secrets too."""
        return self._objects.get(collection, [])

    def associated(self, collection: str, name: str, what: str) -> list[str]:
        """The names of what is associated with an object, such as its "credentials"."""
        (owner,) = self._found(collection, {"name": name})
        ids = self._associated.get(f"{owner['url']}{what}/", [])
        return [each["name"] for group in self._objects.values() for each in group if each["id"] in ids]

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """The status and body of the reply to a request."""
        collection, identifier, sub = [*path.removeprefix("/api/v2/").strip("/").split("/"), "", ""][:3]
        # A field that is null is as good as not given.
        body = {field: value for field, value in body.items() if value is not None}
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if not identifier:
            if method == "POST":
                return 201, _shown(self._create(collection, body))
            return 200, _listed(self._found(collection, query))
        (one,) = [each for each in self.objects(collection) if each["id"] == int(identifier)]
        if sub == "survey_spec":
            if method == "POST":
                check_survey(body)
                one["survey_spec"] = body
            return 200, one["survey_spec"]
        if sub == "update":
            return 202, self._sync(one)
        if sub:
            ids = self._associated.setdefault(path, [])
            if method == "POST":
                ids.append(body["id"])
                return 204, None
            kind = "notification_templates" if sub.startswith("notification_templates") else sub
            return 200, _listed([each for each in self.objects(kind) if each["id"] in ids])
        return 200, _shown(one)

    def _create(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        self._check(collection, body)
        number = sum(map(len, self._objects.values())) + 1
        url = f"/api/v2/{collection}/{number}/"
        made = {
            **DEFAULTS.get(collection, {}),
            **body,
            "id": number,
            "url": url,
            "related": {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"},
            "summary_fields": {},
        }
        self._objects.setdefault(collection, []).append(made)
        if collection == "job_templates":
            role = self._create("roles", {"name": f"Execute on {body['name']}"})
            made["summary_fields"] = {"object_roles": {"execute_role": {"id": role["id"]}}}
        if collection == "projects":
            made["summary_fields"] = {"current_update": {"id": self._sync(made)["id"]}}
        return made

    def _sync(self, project: dict[str, Any]) -> dict[str, Any]:
        """Sync a project, which leaves its playbooks as they were if it fails."""
        if self.sync_status == "successful":
            project |= {"scm_revision": "4b825dc", "playbooks": ["answers.yml", "end_lab.yml", "start_lab.yml"]}
        project["status"] = self.sync_status
        update = {field: project[field] for field in ("name", "scm_revision", "status")}
        is_failed = self.sync_status != "successful"
        return self._create("project_updates", {**update, "failed": is_failed, "finished": "2026-11-21T07:00:00Z"})

    def _found(self, collection: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """The objects with those fields; a field ``unified_job_template__name`` is one of the object referred to."""
        stored = self.objects("job_templates" if collection == "unified_job_templates" else collection)
        names = {each["id"]: each["name"] for group in self._objects.values() for each in group}

        def value(one: dict[str, Any], field: str) -> str:
            reference, _separator, far = field.partition("__")
            return str(names[one[reference]] if far else one.get(field))

        return [one for one in stored if all(value(one, field) == wanted for field, wanted in query.items())]

    def _check(self, collection: str, body: dict[str, Any]) -> None:
        if collection == "job_templates":
            (project,) = [each for each in self.objects("projects") if each["id"] == body["project"]]
            if body["playbook"] not in project.get("playbooks", []):
                raise Rejected("Playbook not found for project.")
        if collection == "schedules":
            if not RRULE.fullmatch(body["rrule"]):
                raise Rejected(f"not a valid rrule: {body['rrule']}")
            (template,) = [each for each in self.objects("job_templates") if each["id"] == body["unified_job_template"]]
            if errors := survey_errors(template["survey_spec"], body["extra_data"]):
                raise Rejected(str(errors))


def survey_errors(survey: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    """Return what AWX would reject in the answers to a survey, when a job is launched or scheduled with them."""
    questions = {question["variable"]: question for question in survey["spec"]}
    errors = [f"{variable} is not asked" for variable in answers if variable not in questions]
    for variable, question in questions.items():
        answer = answers.get(variable)
        if answer is None:
            errors += [f"{variable} is missing"] * question["required"]
        elif not isinstance(answer, str):
            errors.append(f"{variable} is not text")
        elif question["type"] == "multiplechoice":
            errors += [f"{variable} is not a choice"] * (answer not in question["choices"])
        else:
            errors += [f"{variable} is outside its limits"] * (not question["min"] <= len(answer) <= question["max"])
    return errors


def check_survey(survey: dict[str, Any]) -> None:
    """Raise Rejected for a survey that AWX would not accept."""
    variables = [question["variable"] for question in survey["spec"]]
    if len(set(variables)) != len(variables):
        raise Rejected("two questions have the same variable")
    for question in survey["spec"]:
        fields = {field: type(question.get(field)) for field in ("variable", "question_name", "type", "required")}
        if fields != {"variable": str, "question_name": str, "type": str, "required": bool}:
            raise Rejected(f"a question lacks a field, or has one of another type: {fields}")
        if question["type"] not in TYPES:
            raise Rejected(f"not a type of question: {question['type']}")
        default = question.get("default", "")
        if not isinstance(default, str) or default not in question.get("choices", [default]):
            raise Rejected(f"the default is not text or not a choice: {default!r}")


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    """Return an object as AWX shows it: without secrets and survey."""
    inputs = {name: "$encrypted$" if name in SECRET_INPUTS else text for name, text in one.get("inputs", {}).items()}
    shown = {**one, "inputs": inputs} if "inputs" in one else dict(one)
    shown.pop("survey_spec", None)
    return shown


def _listed(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(found), "next": None, "previous": None, "results": [_shown(one) for one in found]}


class _Handler(BaseHTTPRequestHandler):
    awx: AwxApi

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        if self.headers["Authorization"] != f"Bearer {self.awx.token}":
            status, reply = 401, None
        else:
            try:
                status, reply = self.awx.answer(self.command, url.path, dict(parse_qsl(url.query)), body)
            except Rejected as error:
                status, reply = 400, {"error": str(error)}
        data = b"" if reply is None else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass
