"""What model does MuZero learn? Training of MuZero populations, and probes of their learned models.

Axis letters, everywhere: S seeds, E environments per seed, B rows (roots, states, plans), N tree nodes,
A actions, T time, K training unroll, H evaluation horizon. Shapes stand in comments: # [B, N, A].

Conventions: the reward r_t follows action a_t in state s_t; a return discounts its first reward by
gamma^0; a termination ends all reward, a time limit ends the episode but not the value.

The public names stand in `__init__.pyi`; each is loaded when it is first used.
"""

from importlib import metadata

import lazy_loader

__version__ = metadata.version("muzero-probe")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
