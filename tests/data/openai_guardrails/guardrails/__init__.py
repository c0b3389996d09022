"""The part of openai-guardrails 0.3.6 that exports use, behaving as it does, without spaCy."""
