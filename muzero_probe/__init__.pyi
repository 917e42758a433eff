from .config import SearchConfig
from .envs import Environment, Replayed, StepResult
from .models import LearnedModel, Model, ModelError, Prediction, TrueModel
from .models.functions import FunctionModel
from .probed import ProbedAgent
from .probes.episodes import Episodes, play
from .probes.planning import play_planner, play_prior
from .probes.policies import prior_policy, search_policy
from .probes.prior_effect import PriorEffect, prior_effect
from .probes.sequences import Sequences, by_rank, enumerate_sequences
from .probes.value_error import PolicyError, policy_value_error
from .search.leaves import RolloutLeaf, ValueLeaf
from .search.mcts import SearchResult, search
from .search.policies import sample_actions, search_policies, visit_policy

__version__: str

__all__ = [
    "Environment",
    "Episodes",
    "FunctionModel",
    "LearnedModel",
    "Model",
    "ModelError",
    "PolicyError",
    "Prediction",
    "PriorEffect",
    "ProbedAgent",
    "Replayed",
    "RolloutLeaf",
    "SearchConfig",
    "SearchResult",
    "Sequences",
    "StepResult",
    "TrueModel",
    "ValueLeaf",
    "by_rank",
    "enumerate_sequences",
    "play",
    "play_planner",
    "play_prior",
    "policy_value_error",
    "prior_effect",
    "prior_policy",
    "sample_actions",
    "search",
    "search_policies",
    "search_policy",
    "visit_policy",
]
