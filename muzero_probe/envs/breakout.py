"""Where does the ball go, and which bricks does it break? Breakout of the Arcade Learning Environment.

Gymnasium's `ALE/Breakout-v5` without sticky actions, seen as EfficientZero sees it: four frames a step, the
brighter of the last two pixel by pixel, colour, the last four screens. Equal to Gymnasium's
`AtariPreprocessing` and `FrameStackObservation` but for one thing: when the game ends within a step, the screen
stays as it was.

Training, and the ground truth that the model is judged by, count every brick as 1 and end when a life is lost;
the game's own score and end are those of `Breakout.evaluation`.

Two options depart from EfficientZero's set-up (docs/protocol.md says which profiles have them). With `serve` the
environment presses FIRE until there is a ball, at a start and after a lost life, as Baselines' `FireReset` does: an
agent that never serves sees still screens for ever. With `field` a screen is the field alone, grey, and a pixel the
brightest of those that it stands for: a ball of 2 x 4 pixels keeps its brightness.
"""

import math
import threading
import zlib

import cv2
import numpy as np
from ale_py import Action, ALEInterface, ALEState, LoggerMode, roms
from numpy.typing import ArrayLike, NDArray

from muzero_probe.envs.base import Environment, StepResult, object_array

FRAMES_PER_STEP = 4  # of the game
SCREENS = 4  # of an observation
NO_OPS = 30  # at most, at the start of a game
ACTIONS = (Action.NOOP, Action.FIRE, Action.RIGHT, Action.LEFT)
FIRE = ACTIONS.index(Action.FIRE)
# steps; EfficientZero's 12,000 frames in training and in tests while training: an agent that does not serve would wait
# for ever. Its last test allows 108,000
TIME_LIMIT = 3_000
MACHINE = 2**16  # bytes of an emulator's state, at most; it has about 15,000
BALL = 101  # byte of the console's memory: the ball's line on the screen, 0 while there is no ball
SERVICE = 16  # steps of FIRE in a row, at most; one or two do
FIELD = slice(32, 195)  # lines of the screen between score and floor
WIDTH = 160  # pixels of the screen
CONSOLES = 128  # at most, in one environment and thread; half a MiB and an eighth of a second each


class GameState:
    """One state of a game.

    Attributes:
        machine: the emulator's state, its random numbers included.
        screens: the last four, oldest first, each [side, side, 3] uint8 ([side, side, 1] of the field); states share
            them.
        lives: left.
        lost: whether the step that led here lost a life.
        over: whether the game is.
    """

    __slots__ = ("lives", "lost", "machine", "over", "screens")

    def __init__(
        self, machine: ALEState, screens: tuple[np.ndarray, ...], *, lives: int, lost: bool, over: bool
    ) -> None:
        self.machine = machine
        self.screens = screens
        self.lives = lives
        self.lost = lost
        self.over = over


class _Console:
    """An emulator, and the state that it is in."""

    def __init__(self, side: int, rom: str, *, serve: bool, field: bool) -> None:
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self.side = side
        self.serve = serve
        self.field = field
        self.ale = ALEInterface()
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.setInt("random_seed", 0)  # without sticky actions nothing in Breakout draws from it
        self.ale.loadROM(rom)
        self.ale.reset_game()
        self._begin = self.ale.cloneState(include_rng=True)
        self.now: GameState | None = None
        self._frames = np.zeros((2, 210, 160, 3), np.uint8)

    def start(self, seed: int) -> GameState:
        """A new game, as Gymnasium's reset with a seed makes it."""
        own = int(np.random.SeedSequence(seed).generate_state(2)[0])
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence(own)))
        self.ale.restoreState(self._begin)
        for _ in range(int(draws.integers(1, NO_OPS + 1))):
            self.ale.act(Action.NOOP)
        self.ale.getScreenRGB(self._frames[0])
        screen = self._shrunk(self._frames[0])
        return self.served(self._keep((screen,) * SCREENS, lost=False, over=False))

    def served(self, state: GameState) -> GameState:
        """The state once there is a ball, where serving is the environment's business.

        Screens between are nobody's observations, so the newest one is repeated, as at a start.
        """
        if not self.serve or state.over or self.has_ball(state):
            return state
        self.serve_now()
        screen = self._shrunk(np.maximum(*self._frames))
        return self._keep((screen,) * SCREENS, lost=state.lost, over=self.ale.game_over())

    def serve_now(self) -> None:
        """Presses FIRE from the state that the emulator is in until there is a ball, and keeps no state."""
        for _ in range(SERVICE if self.serve else 0):
            if self.ale.game_over() or self.ale.getRAM()[BALL]:
                break
            self.roll(None, FIRE)

    def has_ball(self, state: GameState) -> bool:
        """Whether there is a ball."""
        if self.now is not state:
            self.ale.restoreState(state.machine)
            self.now = state
        return bool(self.ale.getRAM()[BALL])

    def follow(self, state: GameState, action: int) -> tuple[GameState, int]:
        """Takes an action from a live state; returns the next state and the points scored."""
        points = self.roll(state, action)
        over = self.ale.game_over()
        screen = state.screens[-1] if over else self._shrunk(np.maximum(*self._frames))
        return self._keep((*state.screens[1:], screen), lost=self.ale.lives() < state.lives, over=over), points

    def roll(self, state: GameState | None, action: int) -> int:
        """Takes an action, from the state that the emulator is in where none is given, and keeps no state."""
        if state is not None and self.now is not state:
            self.ale.restoreState(state.machine)
        self.now = None
        points = 0
        for frame in range(FRAMES_PER_STEP):
            points += self.ale.act(ACTIONS[action])
            if self.ale.game_over():
                break
            if frame >= FRAMES_PER_STEP - 2:
                self.ale.getScreenRGB(self._frames[frame - FRAMES_PER_STEP + 2])
        return points

    def show(self, state: GameState) -> np.ndarray:
        """The screen [210, 160, 3] of a state, a frame later: the emulator draws while it moves on."""
        self.ale.restoreState(state.machine)
        self.now = None
        self.ale.act(Action.NOOP)
        return self.ale.getScreenRGB()

    def _keep(self, screens: tuple[np.ndarray, ...], *, lost: bool, over: bool) -> GameState:
        machine = self.ale.cloneState(include_rng=True)
        self.now = GameState(machine, screens, lives=self.ale.lives(), lost=lost, over=over)
        return self.now

    def _shrunk(self, frame: np.ndarray) -> np.ndarray:
        if self.field:
            grey = cv2.cvtColor(frame[FIELD], cv2.COLOR_RGB2GRAY)
            lines, columns = (np.arange(self.side) * length // self.side for length in grey.shape)
            return np.maximum.reduceat(np.maximum.reduceat(grey, lines, 0), columns, 1)[:, :, None]
        return np.asarray(cv2.resize(frame, (self.side, self.side), interpolation=cv2.INTER_AREA))


class _Consoles(threading.local):
    """A thread's own: searches of several rows run side by side."""

    def __init__(self) -> None:
        self.rows: list[_Console] = []


class Breakout(Environment):
    """Breakout of the Arcade Learning Environment, from any state.

    States are object arrays `[B]` of `GameState`. Observations are `[4, side, side, 3]` uint8, of the field
    `[4, side, side, 1]`.

    Args:
        side: pixels of a screen's side.
        time_limit: steps of an episode: a life in training, a game in evaluation.
        serve: whether the environment serves, in steps that no agent takes and no limit counts.
        field: whether screens show the field alone, in grey; its side is 160 pixels at most.
        consoles: those that another instance shares with this one.

    Raises:
        OSError: if the game's ROM, which comes with ale-py, is missing or damaged.
    """

    num_actions = len(ACTIONS)
    observation_dtype = np.uint8
    screens = SCREENS

    def __init__(
        self, *, side: int = 96, time_limit: int = TIME_LIMIT, serve: bool = False, field: bool = False,
        consoles: _Consoles | None = None,
    ) -> None:  # fmt: skip
        if field and side > WIDTH:
            raise ValueError(f"breakout: side is {side}, of the field at most {WIDTH} are possible")
        sizes = [str(side)] * (side != 96) + [str(time_limit)] * (time_limit != TIME_LIMIT)
        self.name = "-".join(["breakout", *sizes, *["served"] * serve, *["field"] * field])
        self.time_limit: int = time_limit
        self.observation_shape = (SCREENS, side, side, 1 if field else 3)
        self.side, self.serve, self.field = side, serve, field
        try:
            self._rom = str(roms.get_rom_path("breakout"))
        except OSError as error:
            raise OSError(
                f"{self.name}: its ROM cannot be read ({' '.join(str(error).split())}): install ale-py anew, and unset "
                "ALE_ROMS_DIR"
            ) from None
        # row b of a call has a console of its own, which mostly still is in the state that the row goes on from
        self._consoles = consoles or _Consoles()

    @property
    def evaluation(self) -> Environment:
        """The whole game with its own score; of the same states."""
        return _WholeGame(
            side=self.side, time_limit=self.time_limit, serve=self.serve, field=self.field,
            consoles=self._consoles,
        )  # fmt: skip

    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Starts B games with up to 30 no-ops each."""
        states = object_array([self._console(b).start(seed) for b, seed in enumerate(self._check_seeds(seeds))])
        return states, self.observe(states)

    def restart(self, states: np.ndarray, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The next life of the same game, or a new game where it is over."""
        states = self._check_states(states)
        successors = object_array(
            [
                self._console(b).start(seed) if state.over else self._console(b).served(_alive(state))
                for b, (state, seed) in enumerate(zip(states, self._check_seeds(seeds), strict=True))
            ]
        )
        return successors, self.observe(successors)

    def observe(self, states: np.ndarray) -> np.ndarray:
        """Returns the last four screens, oldest first, `[B, 4, side, side, 3]`."""
        states = self._check_states(states)
        observations = np.empty((len(states), *self.observation_shape), np.uint8)
        for state, observation in zip(states, observations, strict=True):
            for place, screen in zip(observation, state.screens, strict=True):
                place[:] = screen
        return observations

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Whether a life was just lost or the game is over, `[B]`."""
        return np.array([self._ended(state) for state in self._check_states(states)], np.bool_)

    def in_play(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Whether there is a ball; without one the agent must serve, `[B]`."""
        return np.array([self._console(b).has_ball(state) for b, state in enumerate(self._check_states(states))], bool)

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Takes one action in each state."""
        states = self._check_states(states)
        (B,) = states.shape
        chosen = self._check_actions(actions, "actions", (B,)).tolist()
        rewards = np.zeros(B, np.float32)
        successors = states.copy()
        for b in range(B):
            if not self._ended(states[b]):
                successor, points = self._console(b).follow(states[b], chosen[b])
                successors[b], rewards[b] = self._shown(successor, self._console(b)), self._reward(points)
        return StepResult(successors, self.observe(successors), rewards, self.is_terminal(successors))

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Follows one plan from each state without taking states between."""
        states = self._check_states(states)
        chosen = self._check_actions(plans, "plans", (len(states), None)).tolist()
        rewards = np.zeros(np.shape(plans), np.float32)
        alive = np.zeros(np.shape(plans), np.bool_)
        for b, (state, plan) in enumerate(zip(states, chosen, strict=True)):
            if self._ended(state):
                continue
            console = self._console(b)
            for t, action in enumerate(plan):
                alive[b, t] = True
                rewards[b, t] = self._reward(console.roll(None if t else state, action))
                if console.ale.game_over() or (self._ends_with_a_life and console.ale.lives() < state.lives):
                    break
                console.serve_now()
        return rewards, alive

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """The console's own screens in colour, one frame later, pixels twice as wide as high: `[B, 210, 320, 3]`."""
        screens = [self._console(0).show(state) for state in self._check_states(states)]
        return np.array(screens, np.uint8).reshape(-1, 210, 160, 3).repeat(2, 2)

    def _console(self, row: int) -> _Console:
        row %= CONSOLES
        consoles = self._consoles.rows
        while len(consoles) <= row:
            consoles.append(_Console(self.side, self._rom, serve=self.serve, field=self.field))
        return consoles[row]

    _ends_with_a_life = True

    def _ended(self, state: GameState) -> bool:
        return state.over or state.lost

    def _reward(self, points: int) -> float:
        return float(np.sign(points))

    def _shown(self, state: GameState, console: _Console) -> GameState:
        """The state that a step leads to, from the one that the emulator is in."""
        return state

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        shape = self.observation_shape[1:]
        for state in self._check_objects(states, GameState):
            if state.screens[0].shape != shape:
                raise self._error(f"states must have screens {list(shape)}, got {list(state.screens[0].shape)}")
        return states

    def _pack(self, states: np.ndarray) -> bytes:
        records = []
        for state in states:
            machine = state.machine.serialize()
            flags = np.array([state.lives, state.lost, state.over, len(machine)], "<i4")
            records += [flags.tobytes(), *(screen.tobytes() for screen in state.screens), machine]
        return zlib.compress(b"".join(records), 1)

    def _unpack(self, payload: bytes, rows: int) -> np.ndarray:
        at, states = 0, []
        size = math.prod(self.observation_shape[1:])
        most = rows * (16 + SCREENS * size + MACHINE)
        try:
            inflating = zlib.decompressobj()
            data = inflating.decompress(payload, most + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if len(data) > most or not inflating.eof or inflating.unused_data:
            raise ValueError(f"other data than {rows} states of at most {most:,} bytes")
        while at < len(data):
            lives, lost, over, length = np.frombuffer(data, "<i4", 4, at).tolist()
            at += 16
            kept = np.frombuffer(data, np.uint8, SCREENS * size, at).reshape(self.observation_shape)
            at += SCREENS * size
            if length < 0 or at + length > len(data):
                raise ValueError(f"an emulator state of {length} bytes")
            try:
                machine = ALEState(data[at : at + length])
            except SystemError:
                raise ValueError(f"an emulator state of {length} bytes, which ale-py cannot read") from None
            at += length
            states.append(GameState(machine, tuple(kept), lives=lives, lost=bool(lost), over=bool(over)))
        return object_array(states)


class _WholeGame(Breakout):
    """The game's own score over all lives, up to the time limit."""

    _ends_with_a_life = False

    def _ended(self, state: GameState) -> bool:
        return state.over

    def _reward(self, points: int) -> float:
        return float(points)

    def _shown(self, state: GameState, console: _Console) -> GameState:
        return console.served(_alive(state))


def _alive(state: GameState) -> GameState:
    """The state without the mark that a life was lost."""
    if not state.lost:
        return state
    return GameState(state.machine, state.screens, lives=state.lives, lost=False, over=state.over)
