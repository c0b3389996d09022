"""Configurations are checked strictly, checks run in a task group, and models are asked by the context's own client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str
    confidence_threshold: float = 0.7


class Verdict(BaseModel):
    flagged: bool
    confidence: float
    reason: str = ""


@dataclass(frozen=True)
class GuardrailResult:
    tripwire_triggered: bool
    execution_failed: bool = False
    original_exception: Exception | None = None
    info: dict[str, Any] = field(default_factory=dict)


def load_config_bundle(source: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(entry["name"], entry["config"]) for entry in source["guardrails"]]


def instantiate_guardrails(bundle: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Config]]:
    for name, _ in bundle:
        if name not in {"Jailbreak", "NSFW Text"}:
            raise KeyError(f"Guardrail {name!r} not found.")
    return [(name, Config.model_validate(config)) for name, config in bundle]


async def run_guardrails(
    ctx: Any,
    data: str,
    media_type: str,
    guardrails: list[tuple[str, Config]],
    *,
    suppress_tripwire: bool = False,
    raise_guardrail_errors: bool = False,
) -> list[GuardrailResult]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_check(ctx, data, name, config)) for name, config in guardrails]
    results = [task.result() for task in tasks]
    for result in results:
        if result.original_exception is not None and raise_guardrail_errors:
            raise result.original_exception
        if result.tripwire_triggered and not suppress_tripwire:
            raise RuntimeError("tripwire")
    return results


async def _check(ctx: Any, data: str, name: str, config: Config) -> GuardrailResult:
    try:
        answer = await ctx.guardrail_llm.chat.completions.create(
            model=config.model,
            messages=[{"role": "system", "content": name}, {"role": "user", "content": f"# Text\n\n{data}"}],
            response_format={"type": "json_object"},
        )
        verdict = Verdict.model_validate_json(answer.choices[0].message.content)
    except Exception as error:
        return GuardrailResult(False, True, Exception(str(error)), {"guardrail_name": name, "error": str(error)})
    trips = verdict.flagged and verdict.confidence >= config.confidence_threshold
    return GuardrailResult(trips, info={"guardrail_name": name, **verdict.model_dump(), "stage_name": "unnamed"})
