from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel
poet = Agent(
  name="Poet",
  instructions="Write a verse.",
  model="gpt-4.1",
  model_settings=ModelSettings(
    temperature=0["8"],
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Poems"):
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
    poet_result_temp = await Runner.run(
      poet,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_temperature"
      })
    )

    conversation_history.extend([item.to_input_item() for item in poet_result_temp.new_items])

    poet_result = {
      "output_text": poet_result_temp.final_output_as(str)
    }
    return poet_result
