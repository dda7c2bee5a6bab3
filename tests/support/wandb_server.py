"""A server to which W&B's own client can upload runs: it answers the client's queries and stores what it sends."""

import gzip
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = {"id": "entity", "name": "tester"}
HISTORY = "wandb-history.jsonl"


@dataclass
class SentRun:
    """The received content of one run."""

    config: dict[str, Any] = field(default_factory=dict)
    project: str | None = None
    entity: str | None = None
    group: str | None = None
    job_type: str | None = None
    notes: str | None = None
    tags: list[str] = field(default_factory=list)
    display_name: str | None = None
    exit_code: int | None = None  # once it has ended
    preempted: bool = False  # whether it has said so before its end
    lines: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))  # by file, by line number
    overwritten: int = 0  # lines of the history that were sent twice
    files: dict[str, bytes] = field(default_factory=dict)

    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.lines[HISTORY].items())]

    def summary(self) -> dict[str, Any]:
        return json.loads(self.lines["wandb-summary.json"][0])

    def log(self) -> str:
        return "".join(text for _, text in sorted(self.lines["output.log"].items()))


@dataclass
class SentArtifact:
    """The received content of one artifact."""

    name: str
    kind: str
    run: str | None
    aliases: list[str] = field(default_factory=list)
    committed: bool = False
    used_by: list[str] = field(default_factory=list)  # names of runs
    files: dict[str, bytes] = field(default_factory=dict)


class WandbServer:
    """Runs in a thread while its context is open."""

    def __init__(self) -> None:
        self.runs: dict[str, SentRun] = {}
        self.artifacts: list[SentArtifact] = []
        self.unknown: list[str] = []  # queries without an answer
        self.num_requests = 0
        self.refusal: int | None = None  # status with which every request is answered; None: as a server that works
        self.sweep_config = ""  # of a W&B sweep, as YAML
        self.program = ""
        self.trials: list[tuple[str, dict[str, Any]]] = []  # id and values of each that an agent is to run
        self.to_stop: dict[str, Callable[[str], bool]] = {}  # by id: whether a trial is to be stopped now
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.wandb = self  # pyright: ignore[reportAttributeAccessIssue]
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "WandbServer":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make the client use this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40}

    def answer(self, path: str, body: bytes) -> Any:
        """Return the answer to a request; None if it is unknown."""
        with self._lock:
            if path == "/graphql":
                question = json.loads(body)
                asked = re.search(r"(?:query|mutation) (\w+)", question["query"])
                answer = getattr(self, f"_{asked[1]}", None) if asked else None
                if answer is None:
                    self.unknown.append(question["query"])
                    return None
                return {"data": answer(question.get("variables") or {})}
            if path.endswith("/file_stream"):
                return self._keep_lines(path.split("/")[-2], json.loads(body))
            kind, _, rest = path.removeprefix("/upload/").partition("/")
            owner, _, name = rest.partition("/")
            if kind == "run":
                self.runs[owner].files[name] = body
            elif kind == "artifact":
                self.artifacts[int(owner)].files[name] = body
            return {}

    def _keep_lines(self, run: str, sent: dict[str, Any]) -> dict[str, Any]:
        if sent.get("complete"):
            self.runs[run].exit_code = sent["exitcode"]
        self.runs[run].preempted |= bool(sent.get("preempting"))
        for name, part in (sent.get("files") or {}).items():
            lines = self.runs[run].lines[name]
            for number, line in enumerate(part["content"], part["offset"]):
                self.runs[run].overwritten += name == HISTORY and number in lines
                lines[number] = line
        return {"exitcode": None, "limits": {}}

    # The client's queries, by their names.

    def _ServerFeaturesQuery(self, _: dict[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def _OrganizationCoreWeaveOrganizationID(self, _: dict[str, Any]) -> Any:
        return {"entity": {"organization": None}}

    def _Viewer(self, _: dict[str, Any]) -> Any:
        viewer = {"id": "viewer", "username": "tester", "email": "", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": {**viewer, "entity": ENTITY["name"]}}

    def _RunResumeStatus(self, asked: dict[str, Any]) -> Any:
        bucket = self._bucket(asked) if asked["name"] in self.runs else None
        return {"model": {"id": "project", "name": asked["project"], "entity": _entity(asked), "bucket": bucket}}

    def _UpsertBucket(self, asked: dict[str, Any]) -> Any:
        inserted = asked["name"] not in self.runs
        run = self.runs.setdefault(asked["name"], SentRun())
        run.config |= json.loads(asked.get("config") or "{}")
        names = {"group": "groupName", "job_type": "jobType", "display_name": "displayName"}
        for key in ("project", "entity", "group", "job_type", "notes", "tags", "display_name"):
            setattr(run, key, asked.get(names.get(key, key)) or getattr(run, key))
        return {"upsertBucket": {"bucket": self._bucket(asked), "inserted": inserted}}

    def _bucket(self, asked: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[asked["name"]]
        events = run.lines["wandb-events.jsonl"]
        return {
            "id": f"id-{asked['name']}",
            "name": asked["name"],
            "displayName": run.display_name,
            "config": json.dumps(run.config),
            "project": {"id": "project", "name": asked["project"], "entity": _entity(asked)},
            "summaryMetrics": run.lines["wandb-summary.json"].get(0, "{}"),
            "historyLineCount": len(run.lines[HISTORY]),
            "historyTail": json.dumps([line for _, line in sorted(run.lines[HISTORY].items())][-1:]),
            "eventsLineCount": len(events),
            "eventsTail": json.dumps([line for _, line in sorted(events.items())][-1:]),
            "logLineCount": len(run.lines["output.log"]),
            "wandbConfig": "{}",
        }

    def _CreateRunFiles(self, asked: dict[str, Any]) -> Any:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/run/{asked['run']}/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": f"id-{asked['run']}", "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, asked: dict[str, Any]) -> Any:
        sent = asked["input"]
        number = str(len(self.artifacts))
        aliases = [one["alias"] for one in sent.get("aliases") or []]
        names = (sent["artifactCollectionName"], sent["artifactTypeName"], sent["runName"])
        self.artifacts.append(SentArtifact(*names, aliases))
        artifact = {"id": number, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _CreateArtifactManifest(self, _: dict[str, Any]) -> Any:
        file = {"id": "file", "name": "m", "displayName": "m", "uploadUrl": f"{self.url}/upload/manifest/0/m"}
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": {**file, "uploadHeaders": []}}}}

    def _CreateArtifactFiles(self, asked: dict[str, Any]) -> Any:
        nodes = [
            {
                "id": spec["name"],
                "name": spec["name"],
                "displayName": spec["name"],
                "uploadUrl": f"{self.url}/upload/artifact/{spec['artifactID']}/{spec['name']}",
                "uploadHeaders": [],
                "artifact": {"id": spec["artifactID"]},
            }
            for spec in asked["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _ArtifactType(self, asked: dict[str, Any]) -> Any:
        names = {artifact.name: artifact.kind for artifact in self.artifacts}
        kind = names.get(asked["name"].partition(":")[0])
        return {"project": {"artifact": None if kind is None else {"artifactType": {"name": kind}}}}

    def _ArtifactByID(self, asked: dict[str, Any]) -> Any:
        artifact = self.artifacts[int(asked["id"])]
        project = {"id": "project", "internalId": "1", "name": "agegender", "entity": ENTITY}
        collection = {"__typename": "ArtifactSequence", "name": artifact.name, "project": project}
        unset = dict.fromkeys(("description", "metadata", "historyStep", "commitHash", "updatedAt"))
        return {
            "artifact": {
                **unset,
                "__typename": "Artifact",
                "id": asked["id"],
                "artifactSequence": collection,
                "versionIndex": 0,
                "artifactType": {"name": artifact.kind},
                "ttlDurationSeconds": -1,
                "ttlIsInherited": False,
                "tags": [],
                "state": "COMMITTED",
                "size": sum(map(len, artifact.files.values())),
                "digest": "",
                "fileCount": len(artifact.files),
                "createdAt": "2026-01-01T00:00:00Z",
                "aliases": [],
            }
        }

    def _UseArtifact(self, asked: dict[str, Any]) -> Any:
        used = asked["input"]
        self.artifacts[int(used["artifactID"])].used_by.append(used["runName"])
        return {"useArtifact": {"artifact": {"id": used["artifactID"]}}}

    # The questions of an agent of a sweep.

    def _SweepWithRuns(self, asked: dict[str, Any]) -> Any:
        return {"project": {"sweep": {"id": asked["sweep"], "config": self.sweep_config, "runs": {"edges": []}}}}

    def _CreateAgent(self, _: dict[str, Any]) -> Any:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _Heartbeat(self, asked: dict[str, Any]) -> Any:
        running = [run for run, is_running in json.loads(asked["runState"]).items() if is_running]
        commands = self._commands(running)
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _commands(self, running: list[str]) -> list[dict[str, Any]]:
        """Return an agent's commands: stop what is to be stopped, else start the next trial, else end."""
        stopped = [run for run in running if run in self.to_stop and self.to_stop[run](run)]
        if running:
            return [{"type": "stop", "run_id": run} for run in stopped]
        if not self.trials:
            return [{"type": "exit"}]
        run, values = self.trials.pop(0)
        arguments = {key: {"value": value} for key, value in values.items()}
        return [{"type": "run", "run_id": run, "program": self.program, "args": arguments}]

    def _CommitArtifact(self, asked: dict[str, Any]) -> Any:
        self.artifacts[int(asked["artifactID"])].committed = True
        return {"commitArtifact": {"artifact": {"id": asked["artifactID"], "digest": ""}}}


def _entity(asked: dict[str, Any]) -> dict[str, Any]:
    return {**ENTITY, "name": asked.get("entity") or ENTITY["name"]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        server = self.server.wandb  # pyright: ignore[reportAttributeAccessIssue]
        server.num_requests += 1
        answer = server.answer(self.path, body) if server.refusal is None else None
        told = json.dumps({"errors": [{"message": "not understood"}]} if answer is None else answer).encode()
        self.send_response(server.refusal or (400 if answer is None else 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_PUT = do_POST

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # a client that has ended
            pass

    def log_message(self, format: str, *args: Any) -> None:
        pass
