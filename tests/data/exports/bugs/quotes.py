from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper, trace
from pydantic import BaseModel

class GreeterContext:
  def __init__(self, state_nickname: str) -> None:
    self.state_nickname = state_nickname
def greeter_instructions(run_context: RunContextWrapper[GreeterContext], _agent: Agent[GreeterContext]):
  state_nickname = run_context.context.state_nickname
  return f"""Greet {state_nickname} in one line."""
greeter = Agent(
  name="Greeter",
  instructions=greeter_instructions,
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
      "nickname": "friend"
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
    greeter_result_temp = await Runner.run(
      greeter,
      input=[
        *conversation_history,
        {
          "role": "user",
          "content": [
            {
              "type": "input_text",
              "text": f"They wrote {workflow["input_as_text"]} and are called {state["nickname"]}"
            }
          ]
        }
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_quotes"
      }),
      context=GreeterContext(state_nickname=state["nickname"])
    )

    conversation_history.extend([item.to_input_item() for item in greeter_result_temp.new_items])

    greeter_result = {
      "output_text": greeter_result_temp.final_output_as(str)
    }
    return greeter_result
