"""What a turn of the benchmark is. Here and not in `respond.py`, so that the client starts without chatkit."""

TOKEN = " token"
TOKENS = 200
"""Deltas of an unpaced turn."""
ANSWER = TOKEN * TOKENS
RATE = 50
"""Events a second of one paced stream."""
