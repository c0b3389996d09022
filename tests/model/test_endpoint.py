"""The environment decides which model answers, and the message says what to do when none can."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chatdock.model.cache import SMOLLM2
from chatdock.model.endpoint import ModelEndpoint, resolve_endpoint
from chatdock.model.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def without_xllamacpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)


@pytest.fixture
def pulled(tmp_path: Path) -> Path:
    """A cache that looks like one after `chatdock model pull`."""
    path = tmp_path / SMOLLM2.filename
    with path.open("wb") as file:
        file.truncate(SMOLLM2.size)
    path.with_name(path.name + ".sha256").write_text(SMOLLM2.sha256)
    return path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OPENAI_API_KEY": "sk-1"}, ModelEndpoint(None, "sk-1", None, False)),
        ({"OPENAI_BASE_URL": "http://vllm/v1"}, ModelEndpoint("http://vllm/v1", "none", None, False)),
        (
            {"OPENAI_BASE_URL": "http://vllm/v1", "OPENAI_API_KEY": "k", "OPENAI_DEFAULT_MODEL": "qwen3"},
            ModelEndpoint("http://vllm/v1", "k", "qwen3", False),
        ),
        ({"OPENAI_API_KEY": "sk-1", "CHATDOCK_MODEL": "/nowhere.gguf"}, ModelEndpoint(None, "sk-1", None, False)),
    ],
    ids=["OpenAI", "keyless server", "server with key and model", "before a local file"],
)
def test_the_openai_variables_name_the_endpoint(environ: dict[str, str], expected: ModelEndpoint) -> None:
    assert resolve_endpoint(environ) == expected


def test_the_pulled_model_is_next(pulled: Path) -> None:
    environ = {"CHATDOCK_MODEL_DIR": str(pulled.parent), "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    assert resolve_endpoint(environ) == ModelEndpoint(
        base_url=None, api_key="local", model="SmolLM2-135M-Instruct.Q4_1", embedded=True, path=pulled
    )


def test_any_gguf_file_can_be_named(pulled: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"GGUF")
    environ = {"CHATDOCK_MODEL": str(mine), "CHATDOCK_MODEL_DIR": str(pulled.parent)}
    assert resolve_endpoint(environ).path == mine


def test_a_named_file_that_does_not_exist_is_an_error_also_when_one_is_pulled(pulled: Path) -> None:
    with pytest.raises(ModelError, match=r"CHATDOCK_MODEL is '/no/such\.gguf', and no such file exists"):
        resolve_endpoint({"CHATDOCK_MODEL": "/no/such.gguf", "CHATDOCK_MODEL_DIR": str(pulled.parent)})


def test_a_missing_file_says_how_to_pull_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve_endpoint({"CHATDOCK_MODEL_DIR": str(tmp_path)})
    assert str(caught.value) == (
        "No model to answer with: its file is not here; run: chatdock model pull. "
        "Or set OPENAI_API_KEY to use OpenAI's models, or OPENAI_BASE_URL to use any endpoint that speaks its API."
    )


@pytest.mark.usefixtures("without_xllamacpp")
def test_a_missing_extra_says_how_to_install_it(pulled: Path) -> None:
    with pytest.raises(ModelError, match=r"run: pip install 'chatdock\[local\]'\. Or set OPENAI_API_KEY"):
        resolve_endpoint({"CHATDOCK_MODEL_DIR": str(pulled.parent)})


@pytest.mark.usefixtures("without_xllamacpp")
def test_both_missing_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pip install 'chatdock\[local\]', and .*chatdock model pull"):
        resolve_endpoint({"CHATDOCK_MODEL_DIR": str(tmp_path)})


def test_the_key_is_not_shown() -> None:
    assert "sk-1" not in repr(resolve_endpoint({"OPENAI_API_KEY": "sk-1"}))


def test_importing_the_model_package_loads_no_sdk_and_no_native_code() -> None:
    code = (
        "import sys, chatdock.model.embedded, chatdock.model.endpoint, chatdock.model.pull\n"
        "chatdock.model.endpoint.importlib.util.find_spec('xllamacpp')\n"
        "print(sorted({'agents', 'chatkit', 'openai', 'xllamacpp'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
