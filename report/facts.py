"""What is known of the agents beside their tables: published returns, deviations from the paper, runs that are void."""

from typing import NamedTuple


class Published(NamedTuple):
    """A return that somebody else reports, or that the rules of a game set."""

    who: str
    value: str
    source: str


class Facts(NamedTuple):
    """Of one agent."""

    published: tuple[Published, ...]
    deviations: tuple[str, ...]
    void: tuple[str, ...] = ()


STACKELBERG = "Martinez et al. 2026, table 1: interquartile mean of 30 seeds, 10^8 steps of the game's port to JAX"
SPIKING = (
    "Xu et al., Common-Mode Errors Limit Low-Timestep Deep Spiking Q-Networks, table 2: mean of five seeds' best, "
    "5 million steps"
)
EFFICIENTZERO = "Ye et al. 2021 (EfficientZero): 100,000 agent steps"

FACTS = {
    "cartpole": Facts(
        published=(Published("time limit", "500", "Gymnasium"),),
        deviations=(
            "nets are 64 wide, not 16, whose size alone would limit the model",
            "n_step is 10, not 50, and two environment steps are played per update, not 2/3",
            "a tenth of the positions is searched again before use, policy and value, with root noise",
            "ties of eq 1 go to the action with the larger prior, then by action order",
            "eq 7 is the exact expectation over all sequences, not a Monte Carlo estimate",
        ),
    ),
    "lunar_lander": Facts(
        published=(Published("counts as solved", "200", "Gymnasium"),),
        deviations=(
            "100,000 updates, a tenth of the paper's",
            "discount 0.99, not 0.999, and n_step 20, not 30",
            "ten environment steps are played per update, a twentieth of the positions are searched again",
            "ten of the thirty seeds plan in Figure 7, one episode each",
        ),
        void=(
            "a run of seeds 0-29 with discount 0.98, stopped at step 40,000: half of its episodes ended at the time "
            "limit; today's discount was chosen after it",
        ),
    ),
    "minatar": Facts(
        published=(
            Published("random play", "0.5", "MinAtar's README"),
            Published("DQN", "19.2", STACKELBERG),
            Published("double DQN", "36.5", STACKELBERG),
            Published("PQN", "70.0", STACKELBERG),
            Published("DQN", "27.8", SPIKING),
        ),
        deviations=(
            "not in the paper: the same game at 10 x 10, no sticky actions, no difficulty ramp",
            "episodes end after 1,000 steps, where MinAtar has no limit",
            "50,000 updates, 400,000 environment steps",
        ),
        void=(
            "a run of seeds 0-19 with supports above 0, stopped at step 20,500: interrupted, it did not come to the "
            "same bits",
        ),
    ),
    "breakout": Facts(
        published=(
            Published("random play", "1.7", EFFICIENTZERO),
            Published("MuZero", "48.0", EFFICIENTZERO),
            Published("EfficientZero", "414", EFFICIENTZERO),
        ),
        deviations=(
            "four small agents, 15,000 updates: a 33rd of the paper's, screens of 48 x 48, nets of 16 planes",
            "layer normalisation in place of batch normalisation; nets see the difference to a game's first screen",
            "n_step 15, not 5; batches of 64, not 256; four environment steps per update, not one",
            "planners have 4 simulations",
        ),
        void=(
            "a run of seeds 0-3 whose nets did not see the ball, stopped at step 4,200",
            "two starts of seeds 0-3 with a schedule of 20,000 updates, stopped at steps 1,000 and 600 to save time",
        ),
    ),
}
