"""Agent Builder's Python exports: read, repaired in memory, loaded and run as they were written."""
