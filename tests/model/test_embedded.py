"""The embedded model answers like any endpoint, and its process never outlives or hurts its parent: the real model."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from chatdock.model import embedded
from chatdock.model.embedded import EmbeddedModel
from chatdock.model.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

psutil: Any = importlib.import_module("psutil")  # it comes without types

DEADLINE = 30.0


@pytest.fixture(scope="module")
async def model(model_file: Path) -> AsyncIterator[EmbeddedModel]:
    started = await EmbeddedModel.start(model_file)
    yield started
    await started.stop()


@pytest.fixture
async def client(model: EmbeddedModel) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=model.base_url, api_key="local", max_retries=0, timeout=DEADLINE) as client:
        yield client


async def until(state: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not state():
        assert time.monotonic() < end, "the state was not reached"
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def running() -> set[int]:
    """Ids of the model processes of this test run."""
    found = set()
    for child in psutil.Process().children():
        try:
            if any("serve_gguf.py" in word for word in child.cmdline()):
                found.add(int(child.pid))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def asked(text: str) -> list[Any]:
    return [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]


async def test_chat_completions_stream_and_stop_at_the_end_of_the_answer(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="any",
        messages=asked("Say hello."),
        stream=True,
        stream_options={"include_usage": True},
        temperature=0,
    )
    chunks = [chunk async for chunk in stream]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    deltas = [choice.delta.content for choice in choices if choice.delta.content]
    assert len(deltas) > 3
    assert "<|im_" not in "".join(deltas)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens >= len(deltas)


async def test_responses_stream(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="any", input="Say hello.", stream=True)
    events = [event async for event in stream]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == text != ""
    assert last.response.output[0].id
    assert last.response.output[0].id.startswith("msg_")


async def test_an_agent_streams_over_chat_completions(model: EmbeddedModel) -> None:
    from agents import Agent, ModelSettings, OpenAIProvider, RunConfig, Runner

    async with AsyncOpenAI(base_url=model.base_url, api_key="local") as client:
        provider = OpenAIProvider(openai_client=client, use_responses=False)
        agent = Agent(name="Demo", instructions="You are helpful.", model_settings=ModelSettings(include_usage=True))
        config = RunConfig(model="any", model_provider=provider, tracing_disabled=True)
        run = Runner.run_streamed(agent, "Say hello.", run_config=config)
        deltas = [
            event.data.delta
            async for event in run.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
    assert len(deltas) > 3
    assert run.final_output == "".join(deltas)
    assert run.context_wrapper.usage.output_tokens > 0


async def test_two_answers_are_generated_at_once(client: AsyncOpenAI) -> None:
    async def times(question: str) -> tuple[float, float]:
        stream = await client.chat.completions.create(
            model="any", messages=asked(question), stream=True, max_tokens=40, extra_body={"ignore_eos": True}
        )
        at = [time.monotonic() async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
        return at[0], at[-1]

    (start, end), (other_start, other_end) = await asyncio.gather(times("Tell me of rain."), times("And of the sea?"))
    assert max(start, other_start) < min(end, other_end)


async def test_a_request_longer_than_the_context_is_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="exceeds the available context size"):
        await client.chat.completions.create(model="any", messages=asked("word " * 5000))


async def test_a_closed_stream_frees_its_slot(model_file: Path) -> None:
    model = await EmbeddedModel.start(model_file, slots=1, context=8192)
    try:
        async with AsyncOpenAI(base_url=model.base_url, api_key="local", max_retries=0) as client:
            endless = await client.chat.completions.create(
                model="any", messages=asked("Count."), stream=True, max_tokens=8000, extra_body={"ignore_eos": True}
            )
            await anext(aiter(endless))
            await endless.close()
            async with asyncio.timeout(DEADLINE):  # 8,000 tokens take minutes
                await client.chat.completions.create(model="any", messages=asked("Hello!"), max_tokens=1)
    finally:
        await model.stop()


async def test_it_listens_on_this_machine_only_and_not_for_web_pages(model: EmbeddedModel) -> None:
    sockets = psutil.Process(model.pid).net_connections("inet")
    assert {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{model.base_url}/models", headers={"Origin": "https://example.com"})
    assert answer.headers.get("access-control-allow-origin", "") == ""


async def test_stop_ends_the_process_and_may_be_called_twice(model_file: Path) -> None:
    model = await EmbeddedModel.start(model_file)
    pid = model.pid
    await model.stop()
    await model.stop()
    assert gone(pid)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{model.base_url}/models")


async def test_a_model_that_dies_comes_back_at_the_same_address(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "FIRST_DELAY", 0.01)
    model = await EmbeddedModel.start(model_file)
    try:
        async with AsyncOpenAI(base_url=model.base_url, api_key="local", max_retries=0) as client:
            answering = await client.chat.completions.create(
                model="any", messages=asked("Count."), stream=True, extra_body={"ignore_eos": True}
            )
            first = model.pid
            psutil.Process(first).kill()
            with pytest.raises((openai.APIError, httpx.HTTPError)):
                [chunk async for chunk in answering]
            await until(lambda: model.pid != first)
            again = await client.chat.completions.create(model="any", messages=asked("Hello!"), max_tokens=5)
            assert again.choices[0].message.content
    finally:
        await model.stop()
    assert gone(model.pid)


async def test_stop_while_it_is_being_started_again_leaves_no_process(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "FIRST_DELAY", 0.01)
    before = running()
    model = await EmbeddedModel.start(model_file)
    first = model.pid
    psutil.Process(first).kill()
    await until(lambda: bool(running() - before - {first}))
    await model.stop()
    assert running() == before


async def test_a_file_that_is_no_model_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model" * 100)
    with pytest.raises(ModelError, match=r"(?s)broken.gguf did not start \(exit code 1\):.*expected 'GGUF'"):
        await EmbeddedModel.start(broken)


async def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.gguf did not start"):
        await EmbeddedModel.start(tmp_path / "no.gguf")


async def test_a_deadline_that_passes_leaves_no_process(model_file: Path) -> None:
    before = running()
    with pytest.raises(ModelError, match=r"not ready after 0\.01 seconds"):
        await EmbeddedModel.start(model_file, timeout=0.01)
    assert running() == before


async def test_a_cancelled_start_leaves_no_process(model_file: Path) -> None:
    before = running()
    starting = asyncio.create_task(EmbeddedModel.start(model_file))
    await until(lambda: running() > before)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert running() == before


async def test_the_model_ends_with_a_parent_that_was_killed(model_file: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from chatdock.model.embedded import EmbeddedModel\n"
        "async def main():\n"
        "    model = await EmbeddedModel.start(Path(sys.argv[1]))\n"
        "    print('PID', model.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(model_file), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    async with asyncio.timeout(DEADLINE):
        while not (line := await parent.stdout.readline()).startswith(b"PID"):
            assert line
    pid = int(line.split()[1])
    assert not gone(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: gone(pid))
