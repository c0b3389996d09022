"""Writes docs/configuration.md from the settings table and the commands; `--check` exits 1 when the page is stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import typer

from chatdock.cli import app
from chatdock.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

KINDS: dict[Any, str] = {
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    str: "text",
    tuple[str, ...]: "list",
}
"""What a setting holds, by its type."""

PAGE = Path(__file__).with_name("configuration.md")
COMMAND = "python docs/generate_configuration.py"

BEFORE = f"""\
<!-- Written by `{COMMAND}`. Change src/chatdock/settings.py, src/chatdock/cli/ or the script instead. -->

# Configuration

Settings come from the environment of `chatdock serve`. There is no configuration file, and no `.env` file is read.
An empty variable counts as one that is not set. A value that cannot be used stops the command with exit code 1 and a
message that says why. A variable that begins with `CHATDOCK_` and that nothing reads is named on stderr, with the
setting whose name is closest. Settings are read once, at start.

## Settings

"""

BETWEEN = """
Notes:

- A session request without `expires_after` gets `CHATDOCK_SESSION_SECONDS`, at most `CHATDOCK_SESSION_MAX_SECONDS`.
- `CHATDOCK_MAX_BODY_BYTES` bounds dictation too: recorded speech arrives as base64 in a JSON body.
- `CHATDOCK_DRAIN_TIMEOUT` is followed by a few seconds in which runs are ended and connections closed. Let the process
  manager wait at least 8 seconds longer before it kills.
- An API key in `CHATDOCK_API_KEYS` cannot be revoked while the server runs, and belongs to the project `default`.
- PostgreSQL, Redis and stores for attachments are not available yet, so there are no settings for them.

## Environment that is not ours

These say which model answers agents. They matter when a workflow needs a model: when it is an Agents SDK agent that
holds no model object of its own. Most of them are shared with other tools, and none is a setting of the table above.

| variable | default | meaning |
|---|---|---|
| `OPENAI_BASE_URL` | OpenAI's own | The model endpoint: any that speaks OpenAI's API. |
| `OPENAI_API_KEY` | none | Its key. Without one, an endpoint named by `OPENAI_BASE_URL` is sent the key `none`. |
| `OPENAI_DEFAULT_MODEL` | the Agents SDK's default | The model of agents that name none. Read by the Agents SDK. |
| `CHATDOCK_MODEL` | the pulled model | Path of a GGUF file to run as the embedded model. |
| `CHATDOCK_MODEL_DIR` | `$XDG_CACHE_HOME/chatdock/models` | Where `chatdock model pull` keeps its file. |
| `XDG_CACHE_HOME` | `~/.cache` | The user's cache folder. |

The first of these that applies answers:

1. `OPENAI_BASE_URL` or `OPENAI_API_KEY` is set: that endpoint. `CHATDOCK_MODEL` is then not looked at.
2. `CHATDOCK_MODEL` is set: that file, run by the embedded server.
3. `chatdock model pull` was run: the pulled file, run by the embedded server.
4. None of these: `chatdock serve` says what to install or set and exits with code 1; without a target it leaves
   `wf_demo` out and serves `wf_showcase` alone.

The embedded server needs the extra `local` (`pip install 'chatdock[local]'`) and Chat Completions, which
`CHATDOCK_MODEL_API=auto` chooses for it. It listens on 127.0.0.1 at a free port, answers two requests at once with
4,096 tokens of context each, and lets others wait.

`chatdock model pull` runs pip, so pip's own configuration (index, proxy, certificates) applies to it.

OpenTelemetry's `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` lets traces be exported; see
[Tracing](tracing.md).

"""

AFTER = """
A TARGET is one of:

- `file.py`: every workflow that the file registers;
- `pkg.module`: every workflow that the module registers, looked up from the current folder too;
- `file.py:name` or `pkg.module:name`: the one object of that name. What is not registered yet becomes `wf_name`.

Without a TARGET, `serve` offers `wf_demo`, an agent on the configured model, and `wf_showcase`, plain Python that needs
no model. Without a model `wf_demo` is left out, with the reason, and `wf_showcase` is served alone.

`--demo` serves a chat page at `/` and gives everybody who opens it a session with 60 requests a minute, in the project
`default`, for any workflow of the server. Do not use it where strangers must not talk to your workflows. It answers
under the names of this machine (`localhost`, `127.0.0.1`, `::1`), of `--host`, of `CHATDOCK_ALLOWED_ORIGINS` and of
`CHATDOCK_DEMO_HOSTS` alone, so that no page elsewhere can reach it under a name of its own; with a `--host` beyond this
machine, under numeric addresses too. Pages of other origins get no sessions.

`--database-url` takes precedence over `CHATDOCK_DATABASE_URL`.

`--reload` needs the extra `reload` (`pip install 'chatdock[reload]'`) and a TARGET, and is for development; see
[workflows](workflows.md#while-you-write). With it, `CHATDOCK_DRAIN_TIMEOUT` is at most 1.

## Other commands

"""


def render() -> str:
    """The page."""
    return "".join([BEFORE, *_settings(), BETWEEN, *_serve(), AFTER, *_commands()])


def _settings() -> Iterator[str]:
    yield "| variable | default | values | meaning |\n|---|---|---|---|\n"
    prefix = Settings.model_config.get("env_prefix", "")
    for name, field in Settings.model_fields.items():
        default = _code(_text(field.default)) if field.default not in ((), None) else "none"
        yield _row(_code(f"{prefix}{name}".upper()), default, _values(field), field.description or "")


def _serve() -> Iterator[str]:
    yield "## `chatdock serve [OPTION]… [TARGET]…`\n\n| option | default | meaning |\n|---|---|---|\n"
    for parameter in _group(app).commands["serve"].params:
        if parameter.param_type_name == "option":
            default = _code(_text(parameter.default)) if parameter.default not in {None, False} else ""
            yield _row(_code(parameter.opts[0]), default, parameter.help)


def _commands() -> Iterator[str]:
    yield "| command | meaning |\n|---|---|\n"
    for path, command in _leaves(_group(app), "chatdock"):
        if path == "chatdock serve":
            continue
        words = [path]
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                word = parameter.name.upper()
                words.append(word if parameter.required else f"[{word}]")
            elif parameter.opts[0] != "--database-url":
                value = "" if parameter.is_flag else f" {parameter.name.upper()}"
                words.append(f"[{parameter.opts[0]}{value}]")
        yield _row(_code(" ".join(words)), command.help)
    yield "\nAll but `model pull` take `--database-url`. Each prints its options with `--help`.\n"


def _leaves(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _group(application: typer.Typer) -> Any:
    return typer.main.get_command(application)


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(_code(choice) for choice in get_args(field.annotation))
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    # A kind that has no name here yet is an error, not a guess.
    kind = KINDS[kinds[0] if type(None) in get_args(field.annotation) else field.annotation]
    bounds = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [
        f"{words} {_text(getattr(rule, name))}"
        for rule in field.metadata
        for name, words in bounds.items()
        if hasattr(rule, name)
    ]
    return ", ".join([kind, *limits])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _code(text: str) -> str:
    return f"`{text}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cells))} |\n"


def _escaped(cells: Iterable[str]) -> Iterator[str]:
    return (" ".join(cell.replace("|", "\\|").split()) for cell in cells)


def main() -> None:
    """Write the page, or with `--check` compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    given = parser.parse_args()
    page = render()
    if not given.check:
        PAGE.write_text(page, "utf-8")
    elif not PAGE.is_file() or PAGE.read_text("utf-8") != page:
        sys.exit(f"{PAGE} is stale; run: {COMMAND}")


if __name__ == "__main__":
    main()
