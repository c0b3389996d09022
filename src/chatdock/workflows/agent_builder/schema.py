"""Schemas of exports whose keys are no names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field


class KeyedModel(BaseModel):
    """Stands for pydantic's `BaseModel`."""

    # What the workflow looks up in its results are the keys that its author chose, which are the fields' aliases here.
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return super().model_dump(**{"by_alias": True} | options)

    def model_dump_json(self, **options: Any) -> str:
        return super().model_dump_json(**{"by_alias": True} | options)

    def json(self, **options: Any) -> str:
        return self.model_dump_json(**options)


def keyed(kind: Any, key: str) -> Any:
    """A type of a field or parameter whose name in JSON is this key."""
    return Annotated[kind, Field(alias=key)]
