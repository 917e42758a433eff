"""What model does MuZero learn? Training of MuZero populations, and probes of their learned models.

Axis letters, everywhere: S seeds, E environments per seed, B rows (roots, states, plans), N tree nodes,
A actions, T time, K training unroll, H evaluation horizon. Shapes stand in comments: # [B, N, A].

Conventions: the reward r_t follows action a_t in state s_t; a return discounts its first reward by
gamma^0; a termination ends all reward, a time limit ends the episode but not the value.
"""
