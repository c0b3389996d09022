"""Sessions: what a client secret opens, for whom, how long and how often."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from chatdock.chat.recent import Recent
from chatdock.errors import InvalidRequest, NotFound, Unauthorized
from chatdock.protocol import ids, rest
from chatdock.storage import idempotency, sessions
from chatdock.storage.threads import Scope

if TYPE_CHECKING:
    from chatdock.chat.refusals import Refusals
    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Row, Tx
    from chatdock.storage.times import Clock
    from chatdock.workflows.registry import Registry

MAX_FILE_MEGABYTES = 512
MAX_FILES = 10
MAX_SECONDS = 600
"""What the API lets every application ask for; an operator's shorter limit shortens it."""
MAX_COUNT = 1_000_000_000

log = structlog.get_logger("chatdock.chat")


@dataclass(frozen=True, slots=True)
class Session:
    """What a request with a client secret may do."""

    id: str
    project_id: str
    user_id: str
    workflow_id: str
    workflow_version: str | None
    state_variables: str | None
    expires_at: int
    requests_per_minute: int
    titling: bool
    tracing: bool
    scope: Scope

    @classmethod
    def from_row(cls, row: Row) -> Session:
        """From its record."""
        whose = {"project_id": row["project_id"], "user_id": row["user_id"]}
        if not row["history"]:
            scope = Scope(**whose, session_id=row["id"])
        elif row["recent_threads"] is not None:
            scope = Scope(**whose, session_id=row["id"], recent=row["recent_threads"])
        else:
            scope = Scope(**whose)
        return cls(
            id=row["id"],
            project_id=row["project_id"],
            user_id=row["user_id"],
            workflow_id=row["workflow_id"],
            workflow_version=row["workflow_version"],
            state_variables=row["state_variables"],
            expires_at=row["expires_at"],
            requests_per_minute=row["requests_per_minute"],
            titling=bool(row["titling"]),
            tracing=bool(row["tracing"]),
            scope=scope,
        )


class Sessions:
    """Creates, cancels and recognises sessions."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        settings: Settings,
        clock: Clock,
        refusals: Refusals,
        *,
        traces: bool,
    ) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._refusals = refusals
        self._traces = traces
        self._told_of_uploads = False
        self.recent: Recent[Session] = Recent(clock)

    async def create(
        self, project_id: str, wanted: rest.CreateSession, *, api_key: str, idempotency_key: str | None
    ) -> rest.Session:
        """A new session with its client secret, which is shown this once.

        The same `idempotency_key` with the same request returns the same session and secret: it is then derived
        from the API key, which is not stored, so that a copy of the database does not hold it.
        """
        if wanted.workflow.id not in self._registry:
            raise NotFound("Workflow", wanted.workflow.id, param="workflow.id")
        columns = self._columns(project_id, wanted)
        salt = os.urandom(32)
        seed = api_key.encode() if idempotency_key else os.urandom(32)

        async def create(tx: Tx) -> tuple[Row, bytes]:
            # Another key of the project could not derive the secret, so its requests are its own.
            scope, request = (
                f"{project_id}/{digest(api_key).hex()}/sessions",
                wanted.model_dump_json(exclude_none=True).encode(),
            )
            if idempotency_key:
                if known := await idempotency.find(tx, scope, idempotency_key, request):
                    row = await sessions.by_id(tx, project_id, known["result_id"])
                    if row is not None:
                        return row, known["salt"]
                await idempotency.remember(
                    tx, scope, idempotency_key, request, result_id=columns["id"], now=columns["created_at"], salt=salt
                )
            secret = _secret(seed, salt, columns["expires_at"])
            await sessions.add(tx, **columns, secret_hash=digest(secret))
            row = await sessions.by_id(tx, project_id, columns["id"])
            assert row is not None
            return row, salt

        row, salt = await self._database.write(create)
        secret = _secret(seed, salt, row["expires_at"])
        now = self._clock.micros()
        return _resource(row, secret if _status(row, now) == "active" else "", now)

    async def cancel(self, project_id: str, session_id: str) -> rest.Session:
        """End a session; one that was cancelled or has expired is returned as it is."""
        now = self._clock.micros()

        async def cancel(tx: Tx) -> Row | None:
            await sessions.cancel(tx, project_id, session_id, now)
            return await sessions.by_id(tx, project_id, session_id)

        row = await self._database.write(cancel)
        if row is None:
            raise NotFound("Session", session_id, param="session_id")
        self.recent.drop(row["secret_hash"])
        return _resource(row, "", now)

    async def authenticate(self, secret: str) -> Session:
        """The session that a client secret opens; the same `Unauthorized` for every one that opens none."""
        hashed = digest(secret)
        session = self.recent.get(hashed)
        if session is None:
            row = await self._database.read(lambda tx: sessions.by_secret(tx, hashed))
            if row is None or _status(row, self._clock.micros()) != "active":
                self.recent.drop(hashed)
                if row is None:
                    self._refusals.unknown("client_secret")
                raise _unauthorized()
            session = Session.from_row(row)
            self.recent.keep(hashed, session)
        if session.expires_at <= self._clock.micros():
            self.recent.drop(hashed)
            raise _unauthorized()
        return session

    def _columns(self, project_id: str, wanted: rest.CreateSession) -> dict[str, Any]:
        settings = self._settings
        seconds = wanted.expires_after.seconds if wanted.expires_after else None
        if seconds is None:
            seconds = min(settings.session_seconds, settings.session_max_seconds)
        longest = settings.session_max_seconds
        if seconds > max(longest, MAX_SECONDS):
            raise InvalidRequest(
                f"expires_after.seconds must be at most {max(longest, MAX_SECONDS)}, not {seconds}.",
                param="expires_after.seconds",
            )
        configuration = wanted.chatkit_configuration or rest.ConfigurationParam()
        upload = configuration.file_upload or rest.FileUploadParam()
        history = configuration.history or rest.HistoryParam()
        titling = configuration.automatic_thread_titling or rest.TitlingParam()
        limits = wanted.rate_limits or rest.RateLimitsParam()
        tracing = wanted.workflow.tracing or rest.TracingParam()
        if upload.enabled and not self._told_of_uploads:
            self._told_of_uploads = True
            log.warning(
                "file_upload_off",
                workflow=wanted.workflow.id,
                hint="The application asks for uploads, which are off on this server: its sessions say so, and an "
                "upload is refused.",
            )
        now = self._clock.micros()
        variables = wanted.workflow.state_variables
        return {
            "id": ids.session_id(),
            "project_id": project_id,
            "user_id": wanted.user,
            "workflow_id": wanted.workflow.id,
            "workflow_version": wanted.workflow.version or None,
            "state_variables": None if variables is None else orjson.dumps(variables).decode(),
            "tracing": int(self._traces and tracing.enabled is not False),
            "created_at": now,
            "expires_at": (now // 1_000_000 + min(seconds, longest)) * 1_000_000,
            "cancelled_at": None,
            "requests_per_minute": _kept(limits.max_requests_per_1_minute) or settings.session_requests_per_minute,
            "titling": int(titling.enabled is not False),
            "max_file_size": upload.max_file_size or MAX_FILE_MEGABYTES,
            "max_files": _kept(upload.max_files) or MAX_FILES,
            "history": int(history.enabled is not False),
            "recent_threads": _kept(history.recent_threads),
        }


def _kept(number: int | None) -> int | None:
    """A number that the API does not bound, as the database takes it; the response says what it came to."""
    return None if number is None else min(number, MAX_COUNT)


def _status(row: Row, now: int) -> str:
    """`active`, `cancelled` or `expired`."""
    if row["cancelled_at"] is not None:
        return "cancelled"
    return "expired" if row["expires_at"] <= now else "active"


def _resource(row: Row, client_secret: str, now: int) -> rest.Session:
    """The REST resource of a session."""
    variables = row["state_variables"]
    return rest.Session.model_validate(
        {
            "id": row["id"],
            "expires_at": row["expires_at"] // 1_000_000,
            "client_secret": client_secret,
            "workflow": {
                "id": row["workflow_id"],
                "version": row["workflow_version"],
                "state_variables": None if variables is None else orjson.loads(variables),
                "tracing": {"enabled": bool(row["tracing"])},
            },
            "user": row["user_id"],
            "rate_limits": {"max_requests_per_1_minute": row["requests_per_minute"]},
            "max_requests_per_1_minute": row["requests_per_minute"],
            "status": _status(row, now),
            "chatkit_configuration": {
                "automatic_thread_titling": {"enabled": bool(row["titling"])},
                "file_upload": {
                    "enabled": False,
                    "max_file_size": row["max_file_size"],
                    "max_files": row["max_files"],
                },
                "history": {"enabled": bool(row["history"]), "recent_threads": row["recent_threads"]},
            },
        }
    )


def digest(secret: str) -> bytes:
    """What is stored of a client secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _secret(seed: bytes, salt: bytes, expires_at: int) -> str:
    """`ek_<48 hex>_00<base64 of {"expires_at": …}>`, the form whose tail clients parse."""
    body = hmac.new(seed, salt, "sha256").hexdigest()[:48]
    tail = base64.b64encode(orjson.dumps({"expires_at": expires_at // 1_000_000})).decode()
    return f"ek_{body}_00{tail}"


def _unauthorized() -> Unauthorized:
    return Unauthorized("Invalid or expired client secret.", code="invalid_client_secret")
