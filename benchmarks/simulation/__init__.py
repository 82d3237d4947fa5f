"""The simulation: `bin/simulate`. What it reckons with, and how wrong it is, stands in docs/scaling.md."""
