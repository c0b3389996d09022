from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, RunContextWrapper, trace
from pydantic import BaseModel

class ReviewerContext:
  def __init__(self, input_output_text: str) -> None:
    self.input_output_text = input_output_text
def reviewer_instructions(run_context: RunContextWrapper[ReviewerContext], _agent: Agent[ReviewerContext]):
  input_output_text = run_context.context.input_output_text
  return f"""Review: {input_output_text}"""
short = Agent(
  name="Short",
  instructions="Answer in a word.",
  model="gpt-4.1",
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


long_ = Agent(
  name="Long",
  instructions="Answer at length.",
  model="gpt-4.1",
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


reviewer = Agent(
  name="Reviewer",
  instructions=reviewer_instructions,
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
  with trace("Review"):
    state = {
      "brief": True
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
    if state["brief"] == True:
      short_result_temp = await Runner.run(
        short,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_bug_input"
        })
      )

      conversation_history.extend([item.to_input_item() for item in short_result_temp.new_items])

      short_result = {
        "output_text": short_result_temp.final_output_as(str)
      }
    else:
      long__result_temp = await Runner.run(
        long_,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_bug_input"
        })
      )

      conversation_history.extend([item.to_input_item() for item in long__result_temp.new_items])

      long__result = {
        "output_text": long__result_temp.final_output_as(str)
      }
    reviewer_result_temp = await Runner.run(
      reviewer,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_input"
      }),
      context=ReviewerContext(input_output_text=input["output_text"])
    )

    conversation_history.extend([item.to_input_item() for item in reviewer_result_temp.new_items])

    reviewer_result = {
      "output_text": reviewer_result_temp.final_output_as(str)
    }
    return reviewer_result
