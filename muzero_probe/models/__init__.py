"""Models behind one contract: learned ones, the environment itself, and anybody's."""

from muzero_probe.models.contract import Model, ModelError, Prediction, States
from muzero_probe.models.learned import LearnedModel
from muzero_probe.models.true import TrueModel

__all__ = ["LearnedModel", "Model", "ModelError", "Prediction", "States", "TrueModel"]
