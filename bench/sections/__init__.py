"""What is measured, one module each; `run(bench)` measures and prints a table."""
