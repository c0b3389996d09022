"""Pages that the server ships."""

from pathlib import Path

DEMO = Path(__file__).parent / "demo"
"""The demo page's files."""
