from agents import function_tool, Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper, trace
from pydantic import BaseModel

# Tool definitions
@function_tool
def move_booking(guest: string,null, from: string, to: string,null, user-id: integer,null, class: null,string):
  pass

class PlannerSchema__StopsItem(BaseModel):
  place name: str
  2nd choice: str


class PlannerSchema(BaseModel):
  stops: list[PlannerSchema__StopsItem]
  __typename: str
  model_config: str


class PlannerContext:
  def __init__(self, workflow_input_as_text: str, state_town: str) -> None:
    self.workflow_input_as_text = workflow_input_as_text
    self.state_town = state_town
def planner_instructions(run_context: RunContextWrapper[PlannerContext], _agent: Agent[PlannerContext]):
  workflow_input_as_text = run_context.context.workflow_input_as_text
  state_town = run_context.context.state_town
  return f"""Plan « {workflow_input_as_text} » from {state_town} 🚂. Don't use {id} or {...}.
{
  "stops": [
    {"place name": string, "2nd choice": "…"}, // at most {3}
  ],
  "from": {"town": {state_town}, "class": 1 | 2}
}
Say \"\"\"done\"\"\" at the end, or {"yes"} or {"no"}."""
planner = Agent(
  name="Planner",
  instructions=planner_instructions,
  model="gpt-4.1",
  tools=[
    move_booking
  ],
  output_type=PlannerSchema,
  model_settings=ModelSettings(
    temperature=0["25"], top_p=1["0"],
    max_tokens=2048,
    store=True
  )
)


class ClerkContext:
  def __init__(self, input_output_parsed_stops: str) -> None:
    self.input_output_parsed_stops = input_output_parsed_stops
def clerk_instructions(run_context: RunContextWrapper[ClerkContext], _agent: Agent[ClerkContext]):
  input_output_parsed_stops = run_context.context.input_output_parsed_stops
  return f"""Book {input_output_parsed_stops}"""
clerk = Agent(
  name="Clerk",
  instructions=clerk_instructions,
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
  with trace("Trips"):
    state = {
      "town": "Köln",
      "tries": 0
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
    planner_result_temp = await Runner.run(
      planner,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_mixed"
      }),
      context=PlannerContext(
        workflow_input_as_text=workflow["input_as_text"],
        state_town=state["town"]
      )
    )
    planner_result = {
      "output_text": planner_result_temp.final_output.json(),
      "output_parsed": planner_result_temp.final_output.model_dump()
    }
    while (state["tries"] < 2) and (planner_result["output_parsed"]["__typename"] == "Trip"):
      if state["tries"] == 1:

      elif state["tries"] == 2:
        # never
      else:

      state["tries"] = state["tries"] + 1
    clerk_result_temp = await Runner.run(
      clerk,
      input=[
        *conversation_history,
        {
          "role": "user",
          "content": [
            {
              "type": "input_text",
              "text": f"{input["output_parsed"]["stops"][0]["2nd choice"]} from {state["town"]:>{state["tries"]}}, {planner_result["output_parsed"]["model_config"]!r}"
            }
          ]
        }
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_mixed"
      }),
      context=ClerkContext(input_output_parsed_stops=input["output_parsed"]["stops"])
    )
    clerk_result = {
      "output_text": clerk_result_temp.final_output_as(str)
    }
    end_result = {
      "message": f"{state["tries"]} tries: {clerk_result["output_text"]}"
    }
    return end_result
