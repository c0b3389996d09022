"""The build of the wheel and the sdist: what browsers load is made from `ui/` first, unless it is there already."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "ui" / "scripts"))
import build

import node


class UiBuildHook(BuildHookInterface):
    """Runs Node.js: the system's, else one that comes as a Python package. Editable installs leave it to `make ui`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        return [] if build.is_up_to_date() or node.is_on_path() else [node.PACKAGE]

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Build."""
        if version == "editable":
            return
        try:
            build.build()
        except node.NodeError as error:
            sys.exit(f"Chatdock's chat element could not be built. {error}")
