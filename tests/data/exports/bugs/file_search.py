from openai import AsyncOpenAI
from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel

# Shared client for file search
client = AsyncOpenAI()

reader = Agent(
  name="Reader",
  instructions="Answer from what was found.",
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
  with trace("Search"):
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
    filesearch_result = { "results": [
      {
        "id": result.file_id,
        "filename": result.filename,
        "score": result.score,
      } for result in client.vector_stores.search(vector_store_id="vs_1", query=f"about {workflow["input_as_text"]}", max_num_results=5)
    ]}
    reader_result_temp = await Runner.run(
      reader,
      input=[
        *conversation_history
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_bug_search"
      })
    )

    conversation_history.extend([item.to_input_item() for item in reader_result_temp.new_items])

    reader_result = {
      "output_text": reader_result_temp.final_output_as(str)
    }
    return reader_result
