"""Real servers under fire: a workload, a nemesis that breaks what can break, and a checker of what was seen."""
