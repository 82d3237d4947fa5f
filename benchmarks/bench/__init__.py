"""The bench: `bin/bench`. What it measures and how is in benchmarks/README.md."""
