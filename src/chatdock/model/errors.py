"""What can go wrong with a model before it answers."""

from __future__ import annotations


class ModelError(Exception):
    """There is no model to answer with. The message says what is missing and what to run; it is meant for the operator."""
