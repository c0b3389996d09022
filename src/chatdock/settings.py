"""Every setting once: name, default, help. The command line, the server and docs/configuration.md read this table."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}

PREFIX = "CHATDOCK_"

BESIDE = ("CHATDOCK_MODEL", "CHATDOCK_MODEL_DIR")
"""Variables that are no settings of a server: they say where the embedded model is."""

OF_TESTS = ("CHATDOCK_TEST_", "CHATDOCK_CHAOS_")

ELSEWHERE = {
    "CHATDOCK_API_KEY": "is what a back end sends; the server takes its own keys from CHATDOCK_API_KEYS",
    "CHATDOCK_DEMO": "has no effect; it is an option of `chatdock serve`: --demo",
    "CHATDOCK_FILES_URL": "has no effect in this version",
    "CHATDOCK_HOST": "has no effect; it is an option of `chatdock serve`: --host",
    "CHATDOCK_PORT": "has no effect; it is an option of `chatdock serve`: --port",
    "CHATDOCK_REDIS_URL": "has no effect in this version",
    "CHATDOCK_URL": "is for a back end; the server does not read it",
}
"""Why a variable has no effect, where that is known."""

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Read from the environment: `CHATDOCK_` and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = Field(
        default="sqlite:///./chatdock.db",
        description="Where everything is stored. `sqlite:///relative` or `sqlite:////absolute`.",
    )
    api_keys: CommaSeparated = Field(
        default=(),
        description="API keys of the project `default`, comma-separated: for containers and tests. "
        "Keys made by `chatdock keys create` work beside them.",
        repr=False,
    )
    allowed_origins: CommaSeparated = Field(
        default=(),
        description="Origins whose pages may call the conversation and file endpoints, comma-separated and exact: "
        "`https://app.example.com`. The server's own origin needs no entry.",
    )
    turn_headers: CommaSeparated = Field(
        default=(),
        description="Request headers that workflows may read as `turn.headers`, comma-separated: `x-tenant,x-source`. "
        "Pages of the allowed origins may send them. They are stored with the run, never logged, and may have 4,096 "
        "bytes together.",
    )
    on_disconnect: Literal["continue", "cancel"] = Field(
        default="continue",
        description="What becomes of a run whose client went away: it goes on, or it is cancelled "
        "(for clients whose Stop button only drops the connection).",
    )
    multitask_strategy: Literal["reject", "interrupt", "enqueue"] = Field(
        default="reject",
        description="A second message while a run of the thread is live: refused with 409, "
        "or the live run is cancelled first, or the message waits for its turn.",
    )
    session_seconds: int = Field(
        default=600,
        ge=1,
        description="How long a client secret lives when the request names no `expires_after`, in seconds.",
    )
    session_max_seconds: int = Field(
        default=600, ge=1, description="The longest `expires_after.seconds` that a request may ask for."
    )
    session_requests_per_minute: int = Field(
        default=10, ge=1, description="`max_requests_per_1_minute` of a session that names none."
    )
    session_retention: float = Field(
        default=86_400,
        ge=60,
        description="How long a session's record is kept after its end, with its user and its state variables, in "
        "seconds. A session whose message waits for its turn is kept until that has begun.",
    )
    run_time_limit: float = Field(
        default=600,
        gt=0,
        description="Wall time that one run may take, in seconds, unless its workflow has a `time_limit` of its own.",
    )
    run_output_limit: int = Field(
        default=16_777_216,
        ge=1024,
        description="How much one run may emit, in bytes of its events. The end of a message repeats its text, and "
        "pictures may travel inside their items.",
    )
    run_tool_call_limit: int = Field(default=100, ge=1, description="How many tools one run may call.")
    user_run_limit: int = Field(
        default=10,
        ge=1,
        description="How many runs of one user may be unfinished at once, those that wait included; the next gets 429.",
    )
    project_run_limit: int = Field(default=1000, ge=1, description="The same for all users of a project together.")
    run_retention: float = Field(
        default=600,
        ge=0,
        description="How long after its end the events of a run can still be replayed, in seconds. "
        "The thread's items stay for good.",
    )
    lease: float = Field(
        default=10,
        gt=0,
        description="How long a silent server keeps its runs before another one may end them, in seconds.",
    )
    sweep_interval: float = Field(
        default=2, gt=0, description="How often runs without an owner and expired records are looked for, in seconds."
    )
    keepalive: float = Field(
        default=15, gt=0, description="Silence on a stream after which a comment is sent, in seconds."
    )
    slow_reader_timeout: float = Field(
        default=30, gt=0, description="A reader that takes nothing for so long is cut off, in seconds. The run goes on."
    )
    drain_timeout: float = Field(
        default=6, ge=0, description="After SIGTERM: how long live runs may go on before they are ended, in seconds."
    )
    model_api: Literal["auto", "responses", "chat_completions"] = Field(
        default="auto",
        description="Which API of the model endpoint agents use: `auto` means Responses at OpenAI and Chat Completions "
        "elsewhere.",
    )
    trace_retention: float = Field(
        default=604_800,
        ge=0,
        description="How long traces of turns are kept, in seconds; 0 keeps none. "
        "They go with their thread in any case.",
    )
    trace_content: bool = Field(
        default=False,
        description="Whether traces hold what users, models and tools wrote, beside durations and token counts.",
    )
    operator_paths: Literal["auto", "open", "closed"] = Field(
        default="auto",
        description="Whether `/metrics`, `/docs` and `/openapi.json`, which need no credential, answer on the server's "
        "port. `auto`: while it listens on a loopback address alone and they have no port of their own.",
    )
    operator_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="A port of their own for them, with `/healthz` and `/readyz` beside them and nothing else.",
    )
    operator_host: str = Field(default="127.0.0.1", description="The address that the operator's port is opened on.")
    log_content: bool = Field(
        default=False,
        description="Whether the log also quotes what users, models and tools wrote, where an error or a library does. "
        "Without it, such texts are told as far as they stand in the code that raised them.",
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="The largest request body, in bytes.")
    max_json_depth: int = Field(default=64, ge=8, description="How deep a request's JSON may be nested.")
    max_message_chars: int = Field(
        default=1_048_576, ge=1, description="How many characters a user's message may have, with what it quotes."
    )
    max_head_bytes: int = Field(
        default=32_768,
        ge=1024,
        description="The largest head of a request (its address and headers), in bytes. It has 100 headers at most.",
    )
    request_timeout: float = Field(
        default=10,
        gt=0,
        description="How long a connection may stay open without a request, how long a request's head may take, and "
        "how long its body may take beside one second for each KiB, in seconds.",
    )
    connection_limit: int = Field(
        default=4096,
        ge=1,
        description="How many connections may be open at once. One more takes the place of the one that has waited "
        "longest without a whole request; when there is none, it gets 503.",
    )
    page_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        description="How large a page of threads or items may be, in bytes. One record more ends it early with "
        "`has_more`; a single record may be larger.",
    )
    session_response_limit: int = Field(
        default=32,
        ge=1,
        description="How many responses of one session may be under way at once, streams included; the next request "
        "gets 429.",
    )
    user_response_limit: int = Field(default=64, ge=1, description="The same for all sessions of a user together.")
    user_requests_per_minute: int = Field(
        default=0,
        ge=0,
        description="How many requests a minute all sessions of a user may send together, and ten times as many that "
        "only read; 0 counts none.",
    )
    key_requests_per_minute: int = Field(
        default=0, ge=0, description="How many requests a minute may be sent with one API key; 0 counts none."
    )
    address_requests_per_minute: int = Field(
        default=0,
        ge=0,
        description="How many requests a minute may come from one address, with a credential or without; 0 counts "
        "none. Behind a proxy it needs `CHATDOCK_TRUSTED_PROXIES`.",
    )
    trusted_proxies: CommaSeparated = Field(
        default=(),
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, "
        "comma-separated: `127.0.0.1,10.0.0.0/8`.",
    )
    demo_hosts: CommaSeparated = Field(
        default=(),
        description="Names beside those of this machine under which a demo may be opened, comma-separated: "
        "`demo.example.com`. The names in `CHATDOCK_ALLOWED_ORIGINS` need no entry.",
    )
    demo_sessions_per_minute: int = Field(
        default=120,
        ge=1,
        description="How many anonymous sessions a demo gives to one address in a minute; ten times as many to all.",
    )
    response_limit: int = Field(
        default=4096, ge=1, description="The same for the process, with those to API keys and to nobody."
    )

    @field_validator("api_keys", "allowed_origins", "turn_headers", "trusted_proxies", "demo_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("turn_headers")
    @classmethod
    def _storable_headers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower() for name in names)
        for name in names:
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
            if name in _CREDENTIALS:
                raise ValueError(f"{name!r} holds credentials, which are not stored: send an id in a header of its own")
        return names

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if scheme not in {"http", "https"} or not host or "/" in host or "*" in host:
                raise ValueError(f"{origin!r} is not an origin; write scheme, host and port: https://app.example.com")
        return origins


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like a setting and has no effect."""
    known = [*(f"{PREFIX}{name}".upper() for name in Settings.model_fields), *BESIDE]
    for name, value in sorted(environ.items()):
        written = name.upper()
        if not written.startswith(PREFIX) or written in known or written.startswith(OF_TESTS):
            continue
        if value.startswith("tcp://") or "_SERVICE_" in written or "_TCP" in written:
            continue  # Kubernetes tells every container of a service that is called chatdock
        if written in ELSEWHERE:
            yield f"{name} {ELSEWHERE[written]}."
            continue
        own = [one.removeprefix(PREFIX) for one in known]
        meant = get_close_matches(written.removeprefix(PREFIX), own, n=1, cutoff=0.7)
        yield f"{name} is set, and nothing reads it{f'; is {PREFIX}{meant[0]} meant?' if meant else '.'}"
