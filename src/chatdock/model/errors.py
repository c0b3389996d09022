"""What can go wrong with a model before it answers."""

from __future__ import annotations


class ModelError(Exception):
    """There is no model to answer with. The message is for the operator: what is missing, and what to run."""
