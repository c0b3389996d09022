import asyncio
from agents import Agent, HostedMCPTool, RunHooks, Runner, TResponseInputItem, function_tool
from pydantic import BaseModel

@function_tool
def current_city(precise: bool):
  pass

@function_tool
def count_lamps(room: str):
  return f"3 lamps in the {room}"

mcp = HostedMCPTool(tool_config={
  "type": "mcp",
  "server_label": "ships",
  "server_url": "http://127.0.0.1:9/mcp",
  "require_approval": "always"
})

class PlanSchema(BaseModel):
  plan: str


writer = Agent(name="Writer", instructions="Write.", model="gpt-4.1")
reviewer = Agent(name="Reviewer", instructions="Review.", model="gpt-4.1")
planner = Agent(name="Planner", instructions="Plan.", model="gpt-4.1", output_type=PlanSchema, handoffs=[writer])
clerk = Agent(name="Clerk", instructions="Look it up.", model="gpt-4.1", tools=[current_city, count_lamps])
harbour = Agent(name="Harbour", instructions="Look after ships.", model="gpt-4.1", tools=[mcp])


def approval_request(message: str):
  # TODO: Implement
  return True

class WorkflowInput(BaseModel):
  input_as_text: str


# Nodes in short: the exporter writes them out.
async def ask(agent, history, **options):
  result = await Runner.run(agent, input=[*history], **options)
  history.extend([item.to_input_item() for item in result.new_items])
  return result

# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  state = {
    "n": 0,
    "tone": "plain",
    "notes": []
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
  state["n"] = state["n"] + 1
  # Nodes
