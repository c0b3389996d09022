from agents import Agent, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

class SummarySchema(BaseModel):
  summary: str


adviser = Agent(
  name="Adviser",
  instructions="Advise.",
  model="gpt-4.1"
)


recorder = Agent(
  name="Recorder",
  instructions="Record.",
  model="gpt-4.1",
  output_type=SummarySchema
)


# Added by hand: the exporter writes neither of these.
front = Agent(
  name="Front",
  instructions="Welcome people.",
  model="gpt-4.1",
  tools=[adviser.as_tool("ask_adviser", "Ask the adviser.")],
  handoffs=[recorder]
)


class WorkflowInput(BaseModel):
  input_as_text: str
  place: str = "nowhere"


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Handover"):
    workflow = workflow_input.model_dump()
    conversation_history: list[TResponseInputItem] = [
      {
        "role": "user",
        "content": [
          {
            "type": "input_text",
            "text": f"{workflow['input_as_text']} in {workflow['place']}"
          }
        ]
      }
    ]
    front_result_temp = await Runner.run(
      front,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_handover"
      })
    )

    conversation_history.extend([item.to_input_item() for item in front_result_temp.new_items])

    if front_result_temp.last_agent is recorder:
      front_result = {
        "output_text": front_result_temp.final_output.json(),
        "output_parsed": front_result_temp.final_output.model_dump()
      }
      return front_result
    return {
      "output_text": front_result_temp.final_output_as(str)
    }
