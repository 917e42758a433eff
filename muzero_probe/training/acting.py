"""Self-play: E environments per seed, one search per environment and slot."""

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment, check_reset, check_step, in_play, start_states
from muzero_probe.models.contract import Model
from muzero_probe.randomness import advance, restore, row_keys, stream
from muzero_probe.search.policies import root_noise, sample_actions, search_policies
from muzero_probe.training.monitor import Decided, Monitor
from muzero_probe.training.replay import Replay

STREAMS = ("resets", "actions", "noise")
SAYS_NOTHING = np.zeros(0, np.bool_)


class Actor:
    """Plays S x E episodes with the current nets and writes them to replay.

    At a time limit the final state gets a slot of its own (searched, no action), so that its search value
    can bootstrap the episode's last returns; the environment is reset behind it.
    """

    def __init__(self, env: Environment, config: SearchConfig, *, seeds: list[int], environments: int) -> None:
        """Starts every environment."""
        self.env = env
        self.config = config
        self.seeds = seeds
        self.environments = environments
        self.rngs = {name: [stream(seed, name) for seed in seeds] for name in STREAMS}
        self.keys = np.concatenate([row_keys(seed, "ties", environments) for seed in seeds])  # of the searches
        rows = len(seeds) * environments
        self.states, self.observations = check_reset(env, env.reset(self._reset_seeds(np.arange(rows))), rows)
        self.lengths = np.zeros(rows, np.int64)  # steps of the running episodes
        self.returns = np.zeros(rows)  # undiscounted rewards of the running episodes
        self.at_limit = np.zeros(rows, np.bool_)  # whether the state is the final one of a truncated episode
        self.finished: list[list[float]] = [[] for _ in seeds]  # returns of episodes since `pop_returns`
        self.noise = np.full((rows, env.num_actions), 1 / env.num_actions)  # at the latest roots
        self.monitor = Monitor(
            seeds=len(seeds), environments=environments, num_actions=env.num_actions, discount=config.discount
        )

    def act(self, model: Model, temperature: float, replay: Replay) -> None:
        """Searches at every environment's state, acts, and writes one slot. `model` has S x E rows."""
        S, E = len(self.seeds), self.environments
        A = self.env.num_actions
        self._renew_noise(first=not replay.written)
        draws = np.concatenate([rng.random(E) for rng in self.rngs["actions"]])
        found = search_policies(
            model, self.observations, self.config, states=self.states, temperature=temperature, noise=self.noise,
            keys=advance(self.keys, replay.written),
        )  # fmt: skip
        actions = sample_actions(found.acting, draws)
        playing = in_play(self.env, self.states)
        step = check_step(self.env, self.env.step(self.states, actions), S * E)
        final = self.at_limit.copy()
        terminated = step.terminated & ~final
        replay.add(
            observations=self.observations.reshape(S, E, *self.observations.shape[1:]),
            actions=np.where(final, 0, actions).reshape(S, E),
            rewards=np.where(final, 0, step.rewards).reshape(S, E),
            terminated=terminated.reshape(S, E),
            final=final.reshape(S, E),
            policies=found.training.reshape(S, E, A),
            values=found.values.reshape(S, E),
        )
        self.returns += np.where(final, 0.0, step.rewards)
        self.monitor.add(
            Decided(
                lengths=self.lengths, final=final, terminated=terminated, actions=actions, rewards=step.rewards,
                returns=self.returns, in_play=SAYS_NOTHING if playing is None else playing, visits=found.training,
                values=found.values, prior_logits=found.said.prior_logits, net_values=found.said.values,
                net_rewards=found.said.rewards,
            )
        )  # fmt: skip
        self.lengths += ~final
        self.at_limit = ~final & ~terminated & (self.lengths == self.env.time_limit)
        self.states, self.observations = step.states, step.observations
        ended = np.flatnonzero(terminated | final)
        if ended.size:
            for row in ended:
                self.finished[row // E].append(float(self.returns[row]))
            self.states = self.states.copy()
            self.observations = self.observations.copy()
            seeds, over = self._reset_seeds(ended), terminated[ended]
            rows = ended[over]
            self.states[rows], self.observations[rows] = self.env.restart(self.states[rows], seeds[over])
            rows = ended[~over]
            self.states[rows], self.observations[rows] = self.env.reset(seeds[~over])
            self.lengths[ended] = 0
            self.returns[ended] = 0.0

    def _renew_noise(self, *, first: bool) -> None:
        """Draws noise for the next roots; each environment keeps what it has with probability 1 - 1 / noise_steps."""
        counts = [self.environments] * len(self.seeds)
        new = root_noise(self.rngs["noise"], counts, self.config, self.env.num_actions)
        if self.config.noise_steps > 1 and not first:
            draws = np.concatenate([rng.random(self.environments) for rng in self.rngs["noise"]])
            new = np.where(draws[:, None] * self.config.noise_steps < 1, new, self.noise)
        self.noise = new

    def pop_returns(self) -> list[list[float]]:
        """Returns, per seed, the returns of the episodes that ended since the last call."""
        finished = self.finished
        self.finished = [[] for _ in self.seeds]
        return finished

    def _reset_seeds(self, rows: np.ndarray) -> np.ndarray:
        return np.array([self.rngs["resets"][row // self.environments].integers(2**31) for row in rows])

    def state_dict(self) -> tuple[dict[str, np.ndarray], dict]:
        """Returns arrays, and the random streams and unreported returns as plain values."""
        arrays = {
            "states": np.frombuffer(self.env.to_bytes(self.states), np.uint8),
            "lengths": self.lengths,
            "returns": self.returns,
            "at_limit": self.at_limit,
            **self.monitor.state_dict(),
        }
        if self.config.noise_steps > 1:
            arrays["noise"] = self.noise
        streams = {name: [rng.bit_generator.state for rng in rngs] for name, rngs in self.rngs.items()}
        return arrays, {"streams": streams, "finished": self.finished}

    def load_state_dict(self, arrays: dict[str, np.ndarray], meta: dict) -> None:
        """Restores `state_dict`'s result.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another kind.
            ValueError: if it does not fit the environment and the rows.
        """
        rows = (len(self.seeds) * self.environments,)
        states = self.env.from_bytes(door.same("states", arrays["states"], np.uint8, ("n",)).tobytes())
        if len(states) != rows[0]:
            raise ValueError(f"states must be {rows[0]} rows, not {len(states)}")
        start_states(self.env, states)
        limit = self.env.time_limit
        lengths = door.same("lengths", arrays["lengths"], np.int64, rows, low=0, high=limit)
        returns = door.same("returns", arrays["returns"], np.float64, rows)
        at_limit = door.same("at_limit", arrays["at_limit"], np.bool_, rows)
        if (at_limit != (lengths == (-1 if limit is None else limit))).any():
            raise ValueError(f"at_limit must say which lengths are {limit}")
        if self.config.noise_steps > 1:
            noise = door.same("noise", arrays["noise"], np.float64, (*rows, self.env.num_actions), low=0, high=1)
            door.distributions("noise", noise, (*rows, self.env.num_actions))
            self.noise = noise.copy()
        self.monitor.load_state_dict(arrays)
        finished = meta["finished"]
        if not isinstance(finished, list) or [type(of_seed) for of_seed in finished] != [list] * len(self.seeds):
            raise ValueError(f"finished must be {len(self.seeds)} lists of returns")
        for value in (value for of_seed in finished for value in of_seed):
            door.number("a finished return", value, -1e300, 1e300)
        for name, rngs in self.rngs.items():
            for rng, state in zip(rngs, meta["streams"][name], strict=True):
                restore(rng, state)
        self.states, self.observations = states, self.env.observe(states)
        self.lengths, self.returns, self.at_limit = lengths.copy(), returns.copy(), at_limit.copy()
        self.finished = finished
