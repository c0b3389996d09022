from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper
from pydantic import BaseModel

class CardSchema__LinesItem(BaseModel):
  text: str
  count: float


class CardSchema(BaseModel):
  title: str
  lines: list[CardSchema__LinesItem]


class NothingSchema(BaseModel):
  pass


class ClassifySchema(BaseModel):
  category: str


class CounterContext:
  def __init__(self, workflow_input_as_text: str, state_count: str) -> None:
    self.workflow_input_as_text = workflow_input_as_text
    self.state_count = state_count
def counter_instructions(run_context: RunContextWrapper[CounterContext], _agent: Agent[CounterContext]):
  workflow_input_as_text = run_context.context.workflow_input_as_text
  state_count = run_context.context.state_count
  return f"""Count {workflow_input_as_text}, which was {state_count}.
Braces that stay: {{"a": 1}}"""
classify = Agent(
  name="Classify",
  instructions="""### ROLE
You are a careful classification assistant.
### CATEGORIES
{ "category": "count" } or { "category": "draw" }""",
  model="gpt-4.1-mini",
  output_type=ClassifySchema,
  model_settings=ModelSettings(
    temperature=0
  )
)


counter = Agent(
  name="Counter",
  instructions=counter_instructions,
  model="gpt-4.1",
  output_type=NothingSchema,
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


painter = Agent(
  name="Painter",
  instructions="Fill the card.",
  model="gpt-4.1",
  output_type=CardSchema,
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


def approval_request(message: str):
  # TODO: Implement
  return True

class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  state = {
    "count": 0,
    "owner": None,
    "tags": [

    ],
    "place": {
      "town": "Bergen"
    }
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
  classify_input = workflow["input_as_text"]
  classify_result_temp = await Runner.run(
    classify,
    input=[
      {
        "role": "user",
        "content": [
          {
            "type": "input_text",
            "text": f"{classify_input}"
          }
        ]
      }
    ],
    run_config=RunConfig(trace_metadata={
      "__trace_source__": "agent-builder",
      "workflow_id": "wf_flow"
    })
  )
  classify_result = {
    "output_text": classify_result_temp.final_output.json(),
    "output_parsed": classify_result_temp.final_output.model_dump()
  }
  classify_category = classify_result["output_parsed"]["category"]
  classify_output = {"category": classify_category}
  if classify_category == "count":
    while (state["count"] < 2) and (state["owner"] == None):
      counter_result_temp = await Runner.run(
        counter,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_flow"
        }),
        context=CounterContext(
          workflow_input_as_text=workflow["input_as_text"],
          state_count=state["count"]
        )
      )

      conversation_history.extend([item.to_input_item() for item in counter_result_temp.new_items])

      counter_result = {
        "output_text": counter_result_temp.final_output.json(),
        "output_parsed": counter_result_temp.final_output.model_dump()
      }
      state["count"] = state["count"] + 1
    approval_message = f"Is {state['count']} right?"

    if approval_request(approval_message):
      transform_result = {"count": state["count"]}
      end_result = {
        "message": f"There are {transform_result['count']}."
      }
      return end_result
    else:
      return counter_result
  else:
    painter_result_temp = await Runner.run(
      painter,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_flow"
      }),
      max_turns=3
    )
    painter_result = {
      "output_text": painter_result_temp.final_output.json(),
      "output_parsed": painter_result_temp.final_output.model_dump()
    }
