"""How questions are asked of agents: populations, banks of states, cached units of work, one table a question."""
