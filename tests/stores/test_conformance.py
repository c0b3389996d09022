"""`SQLStore` keeps to what chatkit-python asks of a store, and the suite that says so covers every type of item."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from chatkit import types
from chatkit.store import Store

from chatdock import SQLStore
from chatdock.conformance import StoreConformance
from chatdock.conformance.samples import ITEMS


def user_of(context: dict[str, str]) -> str:
    """Whose request it is."""
    return context["user_id"]


class TestSQLStore(StoreConformance):
    """On a new SQLite file for each test."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/chatdock.db"

    async def make_store(self) -> Store[Any]:
        """One that opens the file when it is first used."""
        return SQLStore(self.url, user=user_of)

    async def close_store(self, store: Store[Any]) -> None:
        """Close the file."""
        assert isinstance(store, SQLStore)
        await store.close()


def test_there_is_a_sample_of_every_type_of_item() -> None:
    union, _ = get_args(types.ThreadItem)
    assert set(ITEMS) == {kind.model_fields["type"].default for kind in get_args(union)}


def test_the_package_needs_no_pytest() -> None:
    code = "import sys, chatdock, chatdock.conformance; chatdock.SQLStore; assert 'pytest' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_stores_do_not_load_the_agents_sdk() -> None:
    code = "import sys, chatdock; chatdock.SQLStore; chatdock.FileStore; assert 'agents' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
