"""A tool's name as people read it."""

from __future__ import annotations

import pytest

from chatdock.workflows.wording import readable


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("get_weather", "Get weather"),
        ("getWeather", "Get weather"),
        ("lookup-order.v2", "Lookup order v2"),
        ("parse_PDF", "Parse PDF"),
        ("überprüfe_preis", "Überprüfe preis"),
        ("___", "___"),
    ],
)
def test_a_tools_name_reads_as_words(name: str, title: str) -> None:
    assert readable(name) == title
