"""Which action does a search select in a node? (docs/protocol.md, Search)

Every rule takes the argmax over a of eq 1,

    Q(z, a) + c prior(a | z) sqrt(sum_b N(z, b)) / (1 + N(z, a))

with Q normalised by the smallest and the largest Q met in the tree. Ties go to the action with the larger prior: in a
fresh node eq 1 is equal for all actions but for Q. Where priors are equal too, one of them is drawn from the row's
stream, so that nothing depends on how actions are numbered. A rule says how Q is normalised, and what stands for the Q
of an action without a visit:

    muzero          (Q - low) / (high - low), Q as it is while high = low; unvisited: 0 on the normalised scale
                    (Schrittwieser et al. 2020, pseudocode)
    efficientzero   (Q - low) / max(high - low, 0.01), Q as it is while nothing was met, cut to [0, 1]; unvisited: the
                    node's value, estimated as the mean over its visited actions' Qs and, below the root, its parent's
                    estimate (Ye et al. 2021, appendix)

A new rule is a number, a name and a branch in this module; `config.SearchConfig` allows its name.
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.randomness import GOLDEN, mix

MUZERO, EFFICIENTZERO = 0, 1
RULES = {"muzero": MUZERO, "efficientzero": EFFICIENTZERO}

LEAST_RANGE = 0.01  # of Q that EfficientZero divides by
TIES = np.uint64(0xD1B54A32D192ED03)  # keeps draws of ties apart from those of rollouts, which share a row's key


@jit(inline=True)
def value_of_unvisited(tree, b, node, rule, of_parent):
    """The Q, not normalised, that stands for an unvisited action of a node; `of_parent`: the same of its parent."""
    if rule == MUZERO:
        return 0.0
    total = 0.0 if node == 0 else of_parent
    count = 0 if node == 0 else 1
    for a in range(tree.visits.shape[2]):
        if tree.visits[b, node, a] > 0:
            total += tree.totals[b, node, a] / tree.visits[b, node, a]
            count += 1
    return total / count if count else 0.0


@jit(inline=True)
def choose(tree, b, node, factor, rule, unvisited, key):
    """The action that row b takes in a node; factor: c sqrt(sum of the visits) there; key: the row's stream."""
    low = tree.bounds[b, 0]
    high = tree.bounds[b, 1]
    best = -np.inf
    chosen = 0
    tied = 0
    for a in range(tree.visits.shape[2]):
        n = tree.visits[b, node, a]
        score = factor * tree.priors[b, node, a] / (1 + n)
        if rule == MUZERO:
            if n > 0:
                q = tree.totals[b, node, a] / n
                score += (q - low) / (high - low) if high > low else q
        else:
            q = tree.totals[b, node, a] / n if n > 0 else unvisited
            q = (q - low) / max(high - low, LEAST_RANGE) if high > low else q
            score += min(max(q, 0.0), 1.0)
        if score > best or (score == best and tree.priors[b, node, a] > tree.priors[b, node, chosen]):
            best = score
            chosen = a
            tied = 1
        elif score == best and tree.priors[b, node, a] == tree.priors[b, node, chosen]:
            tied += 1  # the i-th of equals takes the place of those before with probability 1 / i
            simulation = mix(mix(key ^ TIES) + GOLDEN * np.uint64(tree.counts[b, 0] + 1))
            draw = mix(simulation + GOLDEN * np.uint64(node * tree.visits.shape[2] + a + 1)) >> np.uint64(32)
            if draw * np.uint64(tied) < np.uint64(2**32):
                chosen = a
    return chosen
