from agents import function_tool, Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

# Tool definitions
@function_tool
def find_rooms(guests: integer, price: number, breakfast: boolean, town: string, tags: array, extra: object):
  pass

desk = Agent(
  name="Desk",
  instructions="Find rooms.",
  model="gpt-4.1",
  tools=[
    find_rooms
  ],
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
  with trace("Rooms"):
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
    desk_result_temp = await Runner.run(
      desk,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_types"
      })
    )

    conversation_history.extend([item.to_input_item() for item in desk_result_temp.new_items])

    desk_result = {
      "output_text": desk_result_temp.final_output_as(str)
    }
    return desk_result
