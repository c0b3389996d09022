from openai import AsyncOpenAI
from types import SimpleNamespace
from guardrails.runtime import load_config_bundle, instantiate_guardrails, run_guardrails
from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

# Shared client for guardrails and file search
client = AsyncOpenAI()
ctx = SimpleNamespace(guardrail_llm=client)
# Guardrails definitions
gate_config = {
  "guardrails": [
    { "name": "Jailbreak", "config": { "model": "gpt-4.1-mini", "confidence_threshold": 0.7 } }
  ]
}
def guardrails_has_tripwire(results):
  return any((hasattr(r, "tripwire_triggered") and (r.tripwire_triggered is True)) for r in (results or []))

def build_guardrail_fail_output(results):
  def named(name: str):
    for r in results or []:
      info = getattr(r, "info", None) or {}
      if info.get("guardrail_name") == name:
        return r
  moderation, jailbreak = named("Moderation"), named("Jailbreak")
  return {
    "moderation": { "failed": moderation.tripwire_triggered, "categories": (moderation.info or {}).get("flagged_categories") },
    "jailbreak": { "failed": jailbreak.tripwire_triggered },
  }

greeter = Agent(
  name="Greeter",
  instructions="Greet.",
  model="gpt-4.1",
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Gate"):
    state = {

    }
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
    gate_results = await run_guardrails(ctx, workflow["input_as_text"], "text/plain", instantiate_guardrails(load_config_bundle(gate_config)), suppress_tripwire=True, raise_guardrail_errors=True)
    gate_output = build_guardrail_fail_output(gate_results or [])
    if guardrails_has_tripwire(gate_results):
      return gate_output
    else:
      greeter_result_temp = await Runner.run(
        greeter,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_bug_guardrail"
        })
      )

      conversation_history.extend([item.to_input_item() for item in greeter_result_temp.new_items])

      greeter_result = {
        "output_text": greeter_result_temp.final_output_as(str)
      }
      return greeter_result
