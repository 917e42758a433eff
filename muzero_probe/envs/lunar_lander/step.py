"""Gymnasium's Lunar Lander step, compiled around Box2D's own `b2World::Step`.

The arithmetic keeps Gymnasium's order of operations: double precision outside the world, single precision
where Box2D applies an impulse. `lunar_lander.prove` holds it against Gymnasium bit for bit.

A record is int64 [9]. Box2D calls it as its contact listener, so its first word points to a table of
functions; the words from `STATE` on belong to the state of the world.
"""

import ctypes
import math
from typing import Any, NamedTuple

import numpy as np
from numba import cfunc, types

from muzero_probe.compiled import jit
from muzero_probe.envs.lunar_lander.image import function, restore, take
from muzero_probe.envs.lunar_lander.memory import call_step, doubles, floats, integers, words

# isort: split
from gymnasium.envs.box2d.lunar_lander import (  # `image` has loaded Box2D without its warnings
    FPS,
    LEG_DOWN,
    MAIN_ENGINE_POWER,
    MAIN_ENGINE_Y_LOCATION,
    SCALE,
    SIDE_ENGINE_AWAY,
    SIDE_ENGINE_HEIGHT,
    SIDE_ENGINE_POWER,
    VIEWPORT_H,
    VIEWPORT_W,
)  # fmt: skip

TABLE, LANDER, LEG = 0, 1, 2  # words of a record; two legs
GAME_OVER, CONTACT, SHAPING, TERMINATED = 4, 5, 7, 8  # two contacts; SHAPING holds a float64
STATE = 4
WORDS = 9

# offsets in b2Body: bytes of the flags, and of floats in units of four bytes
FLAGS, AWAKE = 4, 2
POSITION, CENTER, ANGLE, VELOCITY, SPIN, INVERSE_MASS, INVERSE_INERTIA = 3, 11, 14, 16, 18, 37, 39
BODY_FLOATS = 48
FIXTURES_OF_CONTACT, BODY_OF_FIXTURE = 96, 16

SECONDS = np.float32(1.0 / FPS)
VELOCITY_ITERATIONS, POSITION_ITERATIONS = np.int32(6 * 30), np.int32(2 * 30)
HALF_WIDTH = VIEWPORT_W / SCALE / 2
HALF_HEIGHT = VIEWPORT_H / SCALE / 2
LEG_HEIGHT = LEG_DOWN / SCALE
SEVENTEEN = 17  # Gymnasium's number where it most probably meant SIDE_ENGINE_HEIGHT


@jit
def _touches(record, contact, body):
    """Whether a body takes part in a contact."""
    fixtures = words(contact + FIXTURES_OF_CONTACT, 2)
    first, second = words(fixtures[0] + BODY_OF_FIXTURE, 1)[0], words(fixtures[1] + BODY_OF_FIXTURE, 1)[0]
    return first == record[body] or second == record[body]


@cfunc(types.void(types.int64, types.int64), cache=True)
def _begin_contact(listener, contact):
    record = words(listener, WORDS)
    if _touches(record, contact, LANDER):
        record[GAME_OVER] = 1
    for i in range(2):
        if _touches(record, contact, LEG + i):
            record[CONTACT + i] = 1


@cfunc(types.void(types.int64, types.int64), cache=True)
def _end_contact(listener, contact):
    record = words(listener, WORDS)
    for i in range(2):
        if _touches(record, contact, LEG + i):
            record[CONTACT + i] = 0


@cfunc(types.void(types.int64, types.int64, types.int64), cache=True)
def _ignore(listener, contact, details):
    pass


# b2ContactListener: two destructors, BeginContact, EndContact, PreSolve, PostSolve
_TABLE = np.array([f.address for f in (_ignore, _ignore, _begin_contact, _end_contact, _ignore, _ignore)], np.int64)


def listen(game: Any) -> np.ndarray:
    """Returns the record of a game just reset, and makes it the contact listener of its world."""
    record = np.zeros(WORDS, np.int64)
    record[TABLE] = _TABLE.ctypes.data
    record[LANDER] = int(game.lander.this)
    for i, leg in enumerate(game.legs):
        record[LEG + i] = int(leg.this)
        record[CONTACT + i] = leg.ground_contact
    record[GAME_OVER] = game.game_over
    record.view(np.float64)[SHAPING] = game.prev_shaping
    set_listener = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
        function("_ZN7b2World18SetContactListenerEP17b2ContactListener")
    )
    set_listener(int(game.world.this), record.ctypes.data)
    return record


@jit
def _push(body, impulse_x, impulse_y, at_x, at_y):
    """b2Body::ApplyLinearImpulse on an awake body."""
    ix, iy = np.float32(impulse_x), np.float32(impulse_y)
    body[VELOCITY] += body[INVERSE_MASS] * ix
    body[VELOCITY + 1] += body[INVERSE_MASS] * iy
    arm_x, arm_y = np.float32(at_x) - body[CENTER], np.float32(at_y) - body[CENTER + 1]
    body[SPIN] += body[INVERSE_INERTIA] * (arm_x * iy - arm_y * ix)


@jit
def _step(step_address, world, record, helipad, action, observation):
    """One step of Gymnasium's, without dispersion; fills observation [8], returns the reward in float64."""
    body = floats(record[LANDER], BODY_FLOATS)
    angle = np.float64(body[ANGLE])
    tip_x, tip_y = math.sin(angle), math.cos(angle)
    side_x, side_y = -tip_y, tip_x
    x, y = np.float64(body[POSITION]), np.float64(body[POSITION + 1])
    main, side = 0.0, 0.0
    if action == 2:
        main = 1.0
        ox = tip_x * (MAIN_ENGINE_Y_LOCATION / SCALE) + side_x * 0.0
        oy = -tip_y * (MAIN_ENGINE_Y_LOCATION / SCALE) - side_y * 0.0
        _push(body, -ox * MAIN_ENGINE_POWER, -oy * MAIN_ENGINE_POWER, x + ox, y + oy)
    elif action != 0:
        side = 1.0
        away = (action - 2) * SIDE_ENGINE_AWAY / SCALE
        ox = tip_x * 0.0 + side_x * away
        oy = -tip_y * 0.0 - side_y * away
        _push(
            body,
            -ox * SIDE_ENGINE_POWER,
            -oy * SIDE_ENGINE_POWER,
            x + ox - tip_x * SEVENTEEN / SCALE,
            y + oy + tip_y * SIDE_ENGINE_HEIGHT / SCALE,
        )
    call_step(step_address, world, SECONDS, VELOCITY_ITERATIONS, POSITION_ITERATIONS)
    s0 = (np.float64(body[POSITION]) - HALF_WIDTH) / HALF_WIDTH
    s1 = (np.float64(body[POSITION + 1]) - (helipad + LEG_HEIGHT)) / HALF_HEIGHT
    s2 = np.float64(body[VELOCITY]) * HALF_WIDTH / FPS
    s3 = np.float64(body[VELOCITY + 1]) * HALF_HEIGHT / FPS
    s4 = np.float64(body[ANGLE])
    s5 = 20.0 * np.float64(body[SPIN]) / FPS
    s6, s7 = np.float64(record[CONTACT]), np.float64(record[CONTACT + 1])
    observation[0], observation[1], observation[2], observation[3] = s0, s1, s2, s3
    observation[4], observation[5], observation[6], observation[7] = s4, s5, s6, s7
    shaping = (
        -100 * math.sqrt(s0 * s0 + s1 * s1) - 100 * math.sqrt(s2 * s2 + s3 * s3) - 100 * abs(s4) + 10 * s6 + 10 * s7
    )
    before = doubles(record.ctypes.data + 8 * SHAPING, 1)
    reward = shaping - before[0]
    before[0] = shaping
    reward -= main * 0.30
    reward -= side * 0.03
    if record[GAME_OVER] != 0 or abs(s0) >= 1.0:
        record[TERMINATED] = 1
        reward = -100.0
    if integers(record[LANDER] + FLAGS, 1)[0] & AWAKE == 0:
        record[TERMINATED] = 1
        reward = 100.0
    return reward


class Machine(NamedTuple):
    """What the kernels want to know of one world."""

    step_address: int  # of `b2World::Step`
    world: int  # its address
    record: np.ndarray  # [9] int64
    helipad: float  # height of the pad
    addresses: np.ndarray  # this and the next ones: an `image.Memory`
    lengths: np.ndarray
    base: np.ndarray
    expected: np.ndarray


@jit
def follow(machine, lines, put_back, actions, observation, rewards, taking):
    """Takes actions [T] from a non-terminal state of a world, to their end or to a termination.

    Args:
        machine: a `Machine`.
        lines: [n, 9] int64, image of the state.
        put_back: whether the world is elsewhere and must be put there.
        actions: [T] int64.
        observation: [8] float32, receives the last one.
        rewards: [T] float32, receives theirs.
        taking: whether to take the last state.

    Returns:
        The number of actions taken, whether the last state is terminal, and its image [n, 9] (empty if not
        asked for).
    """
    record = machine.record
    if put_back:
        restore(machine.addresses, machine.lengths, machine.base, lines)
    taken = 0
    for action in actions:
        rewards[taken] = _step(machine.step_address, machine.world, record, machine.helipad, action, observation)
        taken += 1
        if record[TERMINATED] != 0:
            break
    terminated = record[TERMINATED] != 0
    if taking:
        return taken, terminated, take(machine.addresses, machine.lengths, machine.base, machine.expected)
    return taken, terminated, np.empty((0, 9), np.int64)
