from agents import function_tool, HostedMCPTool, WebSearchTool, Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper, trace
from pydantic import BaseModel

# Tool definitions
@function_tool
def current_city(precise: bool):
  pass

@function_tool
def find_order(number: str):
  pass

mcp = HostedMCPTool(tool_config={
  "type": "mcp",
  "server_label": "ships",
  "server_url": "http://127.0.0.1:9/mcp",
  "headers": {
    "X-Harbour": "canaryQ7xN3kVw0Zp5Ls8"
  },
  "allowed_tools": [
    "sink_ship"
  ],
  "require_approval": "always"
})

class TriageSchema__Item(BaseModel):
  name: str
  count: float


class TriageSchema(BaseModel):
  topic: str
  urgent: bool
  items: list[TriageSchema__Item]


class GuideContext:
  def __init__(self, state_place: str, input_output_parsed_topic: str):
    self.state_place = state_place
    self.input_output_parsed_topic = input_output_parsed_topic
def guide_instructions(run_context: RunContextWrapper[GuideContext], _agent: Agent[GuideContext]):
  state_place = run_context.context.state_place
  input_output_parsed_topic = run_context.context.input_output_parsed_topic
  return f"You guide through {state_place}. The topic is {input_output_parsed_topic}."
triage = Agent(
  name="Triage",
  instructions="What is it about?",
  model="gpt-4.1",
  output_type=TriageSchema,
  model_settings=ModelSettings(
    temperature=1
  )
)


guide = Agent(
  name="Guide",
  instructions=guide_instructions,
  model="gpt-4.1",
  tools=[
    current_city,
    find_order
  ],
  model_settings=ModelSettings(
    temperature=1,
    parallel_tool_calls=True
  )
)


harbour = Agent(
  name="Harbour",
  instructions="You look after ships.",
  model="gpt-4.1",
  tools=[
    mcp
  ]
)


class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Desk"):
    state = {
      "place": "Rome",
      "rounds": 0,
      "notes": None
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
    triage_result_temp = await Runner.run(
      triage,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_desk"
      })
    )

    conversation_history.extend([item.to_input_item() for item in triage_result_temp.new_items])

    triage_result = {
      "output_text": triage_result_temp.final_output.json(),
      "output_parsed": triage_result_temp.final_output.model_dump()
    }
    transform_result = {
      "wanted": triage_result["output_parsed"]["topic"]
    }
    while state["rounds"] < 2 and transform_result["wanted"] == "loop":
      state["rounds"] = state["rounds"] + 1
    if triage_result["output_parsed"]["urgent"] == True:
      harbour_result_temp = await Runner.run(
        harbour,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_desk"
        })
      )

      conversation_history.extend([item.to_input_item() for item in harbour_result_temp.new_items])

      harbour_result = {
        "output_text": harbour_result_temp.final_output_as(str)
      }
      return harbour_result
    elif transform_result["wanted"] == "guide":
      guide_result_temp = await Runner.run(
        guide,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_desk"
        }),
        context=GuideContext(
          state_place=state["place"],
          input_output_parsed_topic=triage_result["output_parsed"]["topic"]
        )
      )

      conversation_history.extend([item.to_input_item() for item in guide_result_temp.new_items])

      guide_result = {
        "output_text": guide_result_temp.final_output_as(str)
      }
    elif transform_result["wanted"] == "broken":
      state["place"] = transform_result["missing"]
    elif transform_result["wanted"] == "loop":
      end_result = {
        "rounds": state["rounds"],
        "reply": f"Went round {state['rounds']} times in {state['place']}"
      }
      return end_result
    else:
      return triage_result
