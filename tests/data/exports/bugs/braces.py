from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper, trace
from pydantic import BaseModel

class FormContext:
  def __init__(self, state_form: str) -> None:
    self.state_form = state_form
def form_filler_instructions(run_context: RunContextWrapper[FormContext], _agent: Agent[FormContext]):
  state_form = run_context.context.state_form
  return f"""Fill the form {state_form}.
Answer like this:
{"title": "...", "lines": [{"text": "...", "count": 3}]}
Never write {title} or {{placeholder} itself, and no lone } either."""
form_filler = Agent(
  name="Form filler",
  instructions=form_filler_instructions,
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
  with trace("Forms"):
    state = {
      "form": "A-1"
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
    form_filler_result_temp = await Runner.run(
      form_filler,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_braces"
      }),
      context=FormContext(state_form=state["form"])
    )

    conversation_history.extend([item.to_input_item() for item in form_filler_result_temp.new_items])

    form_filler_result = {
      "output_text": form_filler_result_temp.final_output_as(str)
    }
    return form_filler_result
