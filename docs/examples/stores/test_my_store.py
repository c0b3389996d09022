"""The conformance suite over a store: here Chatdock's, there yours."""

from pathlib import Path
from typing import Any

import pytest
from chatkit.store import Store

from chatdock import SQLStore
from chatdock.conformance import StoreConformance


class TestMyStore(StoreConformance):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/chatdock.db"

    async def make_store(self) -> Store[Any]:
        return SQLStore(self.url, user=lambda context: context["user"])

    async def close_store(self, store: Any) -> None:
        await store.close()

    def context(self, user: str) -> Any:
        return {"user": user}
