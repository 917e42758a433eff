"""What do agents without a model return after as many environment steps? DQN and PPO of stable-baselines3."""
