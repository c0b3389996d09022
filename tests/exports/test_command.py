"""`chatdock serve my_export.py`, in a process that may be killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exports.serving import placed
from tests.harness.client import Json
from tests.harness.model_endpoint import Say, Step, model_endpoint
from tests.harness.server import ProcessServer
from tests.workflows.agents import KEY, press

UNTITLED: Json = {"automatic_thread_titling": {"enabled": False}}


@pytest.mark.slow
def test_an_export_is_served_under_its_own_id_and_survives_kill_9_while_it_waits(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    steps: list[Step] = [[Say('{"category": "letter"}')], [Say("Dear Ann.")], [Say("It is on its way.")]]
    with model_endpoint(*steps) as endpoint:
        environment = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY}
        with ProcessServer(tmp_path, str(path), environment=environment) as server:
            chat = server.backend.chat(workflow="wf_letters", chatkit_configuration=UNTITLED)
            drafted = chat.create("A letter to Ann")
            assert drafted.text == "Dear Ann."
            [card] = drafted.done("widget")
            server.kill()
            server.start()
            assert press(chat, card, "confirm").text == "It is on its way."
            assert "wf_letters" in server.output()
    assert [request["model"] for request in endpoint.requests] == ["gpt-4.1", "gpt-4.1", "gpt-5"]
