from agents import WebSearchTool, FileSearchTool, HostedMCPTool, CodeInterpreterTool, ImageGenerationTool, function_tool, Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from openai.types.shared.reasoning import Reasoning
from pydantic import BaseModel

# Tool definitions
web_search_preview = WebSearchTool(
  search_context_size="medium",
  user_location={
    "city": None,
    "country": "NO",
    "region": None,
    "timezone": None,
    "type": "approximate"
  }
)
file_search = FileSearchTool(
  vector_store_ids=[
    "vs_1"
  ]
)
mcp = HostedMCPTool(tool_config={
  "type": "mcp",
  "server_label": "harbour",
  "server_url": "https://harbour.example.com/mcp",
  "allowed_tools": [
    "list_ships"
  ],
  "require_approval": "always"
})
mcp1 = HostedMCPTool(tool_config={
  "type": "mcp",
  "server_label": "mail",
  "connector_id": "connector_gmail",
  "require_approval": "never"
})
code_interpreter = CodeInterpreterTool(tool_config={
  "type": "code_interpreter",
  "container": {
    "type": "auto",
    "file_ids": [

    ]
  }
})
image_generation = ImageGenerationTool(tool_config={
  "type": "image_generation",
  "size": "auto"
})
@function_tool
def show_map(place: str):
  pass

agent = Agent(
  name="My agent",
  instructions="Look things up.",
  model="gpt-5",
  tools=[
    web_search_preview,
    file_search,
    mcp,
    show_map
  ],
  model_settings=ModelSettings(
    parallel_tool_calls=True,
    store=True,
    reasoning=Reasoning(
      effort="low",
      summary="auto"
    )
  )
)


agent1 = Agent(
  name="My agent",
  instructions="Draw and reckon.",
  model="gpt-4.1",
  tools=[
    mcp1,
    code_interpreter,
    image_generation
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
  with trace("Tools"):
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
    agent_result_temp = await Runner.run(
      agent,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_tools"
      })
    )

    conversation_history.extend([item.to_input_item() for item in agent_result_temp.new_items])

    agent_result = {
      "output_text": agent_result_temp.final_output_as(str)
    }
    agent_result1_temp = await Runner.run(
      agent1,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_tools"
      })
    )

    conversation_history.extend([item.to_input_item() for item in agent_result1_temp.new_items])

    agent_result1 = {
      "output_text": agent_result1_temp.final_output_as(str)
    }
