from guardrails.runtime import load_config_bundle, instantiate_guardrails, run_guardrails
from types import SimpleNamespace
from openai import AsyncOpenAI
from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

# Shared client for guardrails and file search
client = AsyncOpenAI()
ctx = SimpleNamespace(guardrail_llm=client)
# Guardrails definitions
guardrails_config = {
  "guardrails": [
    { "name": "Jailbreak", "config": { "model": "gpt-4.1-mini", "confidence_threshold": 0.7 } },
    { "name": "URL Filter", "config": { "url_allow_list": [], "allowed_schemes": ["https"] } }
  ]
}
def guardrails_has_tripwire(results):
  return any((hasattr(r, "tripwire_triggered") and (r.tripwire_triggered is True)) for r in (results or []))

async def run_and_apply_guardrails(input_text, config, history, workflow):
  results = await run_guardrails(ctx, input_text, "text/plain", instantiate_guardrails(load_config_bundle(config)), suppress_tripwire=True, raise_guardrail_errors=True)
  tripped = guardrails_has_tripwire(results)
  return { "results": results, "has_tripwire": tripped, "safe_text": input_text, "fail_output": { "jailbreak": { "failed": tripped } }, "pass_output": { "safe_text": input_text } }

my_agent = Agent(
  name="My agent",
  instructions="You are a helpful assistant.",
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
  with trace("Guards"):
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
    guardrails_input_text = workflow["input_as_text"]
    guardrails_inline = await run_guardrails(ctx, guardrails_input_text, "text/plain", instantiate_guardrails(load_config_bundle(guardrails_config)), suppress_tripwire=True)
    guardrails_result = await run_and_apply_guardrails(guardrails_input_text, guardrails_config, conversation_history, workflow)
    guardrails_hastripwire = guardrails_result["has_tripwire"]
    guardrails_output = (guardrails_hastripwire and guardrails_result["fail_output"]) or guardrails_result["pass_output"]
    if guardrails_hastripwire or guardrails_has_tripwire(guardrails_inline):
      return guardrails_output
    else:
      my_agent_result_temp = await Runner.run(
        my_agent,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_guards"
        })
      )

      conversation_history.extend([item.to_input_item() for item in my_agent_result_temp.new_items])

      my_agent_result = {
        "output_text": my_agent_result_temp.final_output_as(str)
      }
      return my_agent_result
