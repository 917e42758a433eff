"""The paper's figures: each module draws one table, aggregated over seeds, per agent.

A module is named like its analysis and offers `COLUMNS`, the columns that it reads, `CAPTION`, what
is drawn and what to look for, and `draw(tables)`, from a mapping of agents to tables to a Matplotlib
figure. `style` alone decides how
things look.
"""

import os

# A notebook hands its own backend on to the commands that it starts; pictures are drawn into files alone.
os.environ["MPLBACKEND"] = "agg"
