"""What stands for pydantic's `BaseModel` in exports whose keys are no names of fields."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class KeyedModel(BaseModel):
    # What the workflow looks up in its results are the keys that its author chose, which are the fields' aliases here.
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return super().model_dump(**{"by_alias": True} | options)

    def model_dump_json(self, **options: Any) -> str:
        return super().model_dump_json(**{"by_alias": True} | options)

    def json(self, **options: Any) -> str:
        return self.model_dump_json(**options)
