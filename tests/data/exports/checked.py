from agents import function_tool, HostedMCPTool, Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

# Tool definitions
@function_tool
def send_parcel(weight: number, street: string):
  pass

mcp = HostedMCPTool(tool_config={
  "type": "mcp",
  "server_label": "parcels",
  "server_url": "https://parcels.example.com/mcp",
  "authorization": "pk-canary-5f2b9d71c3",
  "require_approval": "never"
})
courier = Agent(
  name="Courier",
  instructions="Send parcels.",
  model="gpt-4.1",
  tools=[
    send_parcel,
    mcp
  ],
  model_settings=ModelSettings(
    temperature=0["4"],
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Parcels"):
    state = {
      "member": False
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
    courier_result_temp = await Runner.run(
      courier,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_checked"
      })
    )

    conversation_history.extend([item.to_input_item() for item in courier_result_temp.new_items])

    courier_result = {
      "output_text": courier_result_temp.final_output_as(str)
    }
    if state["member"] == True:
      return {"message": "Free of charge."}
    else:

    return courier_result
