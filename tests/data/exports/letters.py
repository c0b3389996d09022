from agents import Agent, ModelSettings, TResponseInputItem, Runner, RunConfig, trace
from pydantic import BaseModel
from openai.types.shared.reasoning import Reasoning

class RouterSchema(BaseModel):
  category: str


router = Agent(
  name="Router",
  instructions="""### ROLE
Put the request into one of the categories.""",
  model="gpt-4.1",
  output_type=RouterSchema,
  model_settings=ModelSettings(
    temperature=0
  )
)


drafter = Agent(
  name="Drafter",
  instructions="Write the letter.",
  model="gpt-4.1",
  model_settings=ModelSettings(
    temperature=1,
    top_p=1,
    max_tokens=2048,
    store=True
  )
)


sender = Agent(
  name="Sender",
  instructions="Say that the letter is on its way.",
  model="gpt-5",
  model_settings=ModelSettings(
    store=True,
    reasoning=Reasoning(
      effort="low",
      summary="auto"
    )
  )
)


critic = Agent(
  name="Critic",
  instructions="Say what the letter lacks.",
  model="gpt-4.1"
)


def approval_request(message: str):
  # TODO: Implement
  return True

class WorkflowInput(BaseModel):
  input_as_text: str


# Main code entrypoint
async def run_workflow(workflow_input: WorkflowInput):
  with trace("Letters"):
    state = {
      "letters": 0,
      "tone": "plain"
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
    state["letters"] = state["letters"] + 1
    router_input = workflow["input_as_text"]
    router_result_temp = await Runner.run(
      router,
      input=[
        {
          "role": "user",
          "content": [
            {
              "type": "input_text",
              "text": f"{router_input}"
            }
          ]
        }
      ],
      run_config=RunConfig(trace_metadata={
        "__trace_source__": "agent-builder",
        "workflow_id": "wf_letters"
      })
    )
    router_result = {
      "output_text": router_result_temp.final_output.json(),
      "output_parsed": router_result_temp.final_output.model_dump()
    }
    router_category = router_result["output_parsed"]["category"]
    if router_category == "letter":
      drafter_result_temp = await Runner.run(
        drafter,
        input=[
          *conversation_history,
          {
            "role": "user",
            "content": [
              {
                "type": "input_text",
                "text": f"Letter number {state['letters']}, in a {state['tone']} tone"
              }
            ]
          }
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_letters"
        })
      )

      conversation_history.extend([item.to_input_item() for item in drafter_result_temp.new_items])

      drafter_result = {
        "output_text": drafter_result_temp.final_output_as(str)
      }
      approval_message = "Send this letter?"

      if approval_request(approval_message):
        sender_result_temp = await Runner.run(
          sender,
          input=[
            *conversation_history
          ],
          run_config=RunConfig(trace_metadata={
            "__trace_source__": "agent-builder",
            "workflow_id": "wf_letters"
          })
        )

        conversation_history.extend([item.to_input_item() for item in sender_result_temp.new_items])

        sender_result = {
          "output_text": sender_result_temp.final_output_as(str)
        }
        return sender_result
      else:
        end_result = {
          "message": "Nothing was sent."
        }
        return end_result
    elif router_category == "critique":
      critic_result_temp = await Runner.run(
        critic,
        input=[
          *conversation_history
        ],
        run_config=RunConfig(trace_metadata={
          "__trace_source__": "agent-builder",
          "workflow_id": "wf_letters"
        })
      )

      conversation_history.extend([item.to_input_item() for item in critic_result_temp.new_items])

      critic_result = {
        "output_text": critic_result_temp.final_output_as(str)
      }
    elif router_category == "count":
      end_result = {
        "message": f"Letter number {state['letters']}, {state['tone']}"
      }
      return end_result
    else:
      return router_result
