from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

class PainterSchema__Frame(BaseModel):
  class: str
  width-cm: float


class PainterSchema(BaseModel):
  image description: str
  from: str
  _id: str
  json: str
  frame: PainterSchema__Frame


painter = Agent(
  name="Painter",
  instructions="Describe a picture.",
  model="gpt-4.1",
  output_type=PainterSchema,
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
  with trace("Pictures"):
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
    painter_result_temp = await Runner.run(
      painter,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_keys"
      })
    )

    conversation_history.extend([item.to_input_item() for item in painter_result_temp.new_items])

    painter_result = {
      "output_text": painter_result_temp.final_output.json(),
      "output_parsed": painter_result_temp.final_output.model_dump()
    }
    end_result = {
      "message": f"{painter_result["output_parsed"]["image description"]} from {painter_result["output_parsed"]["from"]}, {painter_result["output_parsed"]["frame"]["width-cm"]} wide"
    }
    return end_result
