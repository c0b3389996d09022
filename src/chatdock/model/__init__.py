"""The model behind an agent: an endpoint from the environment, or a small one that runs on this machine.

`endpoint` decides which, `pull` fetches the small one's file, `embedded` runs it in a process of its own.
Importing this package loads none of the Agents SDK, the OpenAI SDK or xllamacpp.
"""
