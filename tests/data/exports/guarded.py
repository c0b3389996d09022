from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from openai import AsyncOpenAI
from types import SimpleNamespace
from guardrails.runtime import load_config_bundle, instantiate_guardrails, run_guardrails
from pydantic import BaseModel

# Shared client for guardrails and file search
client = AsyncOpenAI()
ctx = SimpleNamespace(guardrail_llm=client)
# Guardrails definitions
guardrails_config = {
  "guardrails": [
    {
      "name": "Contains PII",
      "config": {
        "block": False,
        "entities": [
          "EMAIL_ADDRESS",
          "CREDIT_CARD"
        ]
      }
    },
    {
      "name": "Jailbreak",
      "config": {
        "model": "gpt-4.1-mini",
        "confidence_threshold": 0.7
      }
    }
  ]
}
def guardrails_has_tripwire(results):
  return any(getattr(r, "tripwire_triggered", False) is True for r in (results or []))

def get_guardrail_safe_text(results, fallback_text):
  for r in (results or []):
    found = (r.info if isinstance(r.info, dict) else None) or {}
    if "checked_text" in found:
      return found["checked_text"] or fallback_text
  return fallback_text

async def scrub_conversation_history(history, config):
  for msg in (history or []):
    for part in (msg.get("content") if isinstance(msg.get("content"), list) else []):
      if isinstance(part, dict) and part.get("type") == "input_text":
        res = await run_guardrails(ctx, part["text"], "text/plain", instantiate_guardrails(load_config_bundle({"guardrails": config["guardrails"][:1]})), suppress_tripwire=True, raise_guardrail_errors=True)
        part["text"] = get_guardrail_safe_text(res, part["text"])

async def run_and_apply_guardrails(input_text, config, history, workflow):
  results = await run_guardrails(ctx, input_text, "text/plain", instantiate_guardrails(load_config_bundle(config)), suppress_tripwire=True, raise_guardrail_errors=True)
  await scrub_conversation_history(history, config)
  tripped = guardrails_has_tripwire(results)
  safe_text = get_guardrail_safe_text(results, input_text)
  workflow["input_as_text"] = safe_text
  return {
    "results": results,
    "has_tripwire": tripped,
    "safe_text": safe_text,
    "fail_output": build_guardrail_fail_output(results or []),
    "pass_output": {"safe_text": safe_text}
  }

def build_guardrail_fail_output(results):
  def _named(name):
    return next((r for r in results if (r.info or {}).get("guardrail_name") == name), None)
  pii, moderation, jailbreak = _named("Contains PII"), _named("Moderation"), _named("Jailbreak")
  counts = [f"{k}:{len(v)}" for k, v in (pii.info.get("detected_entities") or {}).items()]
  return {
    "pii": {"failed": len(counts) > 0, "detected_counts": counts},
    "moderation": {"failed": moderation.tripwire_triggered, "flagged_categories": moderation.info.get("flagged_categories")},
    "jailbreak": {"failed": jailbreak.tripwire_triggered}
  }
writer = Agent(
  name="Writer",
  instructions="Answer.",
  model="gpt-4.1"
)


def approval_request(message: str):
  # TODO: Implement
  return True

class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Guarded"):
    workflow = workflow_input.model_dump()
    conversation_history: list[TResponseInputItem] = [
      {
        "role": "user",
        "content": [
          {
            "type": "input_text",
            "text": workflow["input_as_text"]
          }
        ]
      }
    ]
    try:
      guardrails_input_text = workflow["input_as_text"]
      guardrails_result = await run_and_apply_guardrails(guardrails_input_text, guardrails_config, conversation_history, workflow)
      guardrails_hastripwire = guardrails_result["has_tripwire"]
      guardrails_output = (guardrails_hastripwire and guardrails_result["fail_output"]) or guardrails_result["pass_output"]
      if guardrails_hastripwire:
        return guardrails_output
      else:
        if approval_request(f"Answer this: {workflow['input_as_text']}"):
          writer_result_temp = await Runner.run(
            writer,
            input=[
              *conversation_history
            ],
            run_config=RunConfig(trace_metadata={
              "__trace_source__": "agent-builder",
              "workflow_id": "wf_guarded"
            })
          )

          conversation_history.extend([item.to_input_item() for item in writer_result_temp.new_items])

          writer_result = {
            "output_text": writer_result_temp.final_output_as(str)
          }
    except Exception as guardrails_error:
      end_result = {
        "message": "The checks did not work."
      }
      return end_result
