"""What browsers load from the server. Both folders are made from `ui/`: by `make ui`, or while the wheel is built."""

from pathlib import Path

COMPONENT = Path(__file__).parent / "component"
"""The `<openai-chatkit>` element: the script, its lazy chunks, `manifest.json`."""

DEMO = Path(__file__).parent / "demo"
"""The demo page."""
