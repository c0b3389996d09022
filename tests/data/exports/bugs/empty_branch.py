from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel
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
  with trace("Greeting"):
    state = {
      "seen": False
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
    if state["seen"] == True:
      return {"message": "Welcome back."}
    else:

    greeter_result_temp = await Runner.run(
      greeter,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_empty"
      })
    )

    conversation_history.extend([item.to_input_item() for item in greeter_result_temp.new_items])

    greeter_result = {
      "output_text": greeter_result_temp.final_output_as(str)
    }
    if state["seen"] == False:
      # nothing yet
    return greeter_result
