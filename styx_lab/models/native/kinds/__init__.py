"""The kinds of models, one file each: PMML's element in snake case, and one table that finds them.

A kind's file has `GRAMMAR` (the elements it adds, itself among them, with their attributes and children) and
`compile_model(node, setting)`, which gives a function from a scope to a `Prediction`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.native.grammar import Grammar
from styx_lab.models.native.kinds import (
    anomaly_detection_model,
    clustering_model,
    general_regression_model,
    mining_model,
    naive_bayes_model,
    nearest_neighbor_model,
    neural_network,
    regression_model,
    rule_set_model,
    scorecard,
    support_vector_machine_model,
    tree_model,
)
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model."""

    grammar: Grammar
    compile: Callable[[Element, Setting], Callable[[Scope], Prediction]]


KINDS: Final[dict[str, Kind]] = {
    "AnomalyDetectionModel": Kind(anomaly_detection_model.GRAMMAR, anomaly_detection_model.compile_model),
    "ClusteringModel": Kind(clustering_model.GRAMMAR, clustering_model.compile_model),
    "GeneralRegressionModel": Kind(general_regression_model.GRAMMAR, general_regression_model.compile_model),
    "MiningModel": Kind(mining_model.GRAMMAR, mining_model.compile_model),
    "NaiveBayesModel": Kind(naive_bayes_model.GRAMMAR, naive_bayes_model.compile_model),
    "NearestNeighborModel": Kind(nearest_neighbor_model.GRAMMAR, nearest_neighbor_model.compile_model),
    "NeuralNetwork": Kind(neural_network.GRAMMAR, neural_network.compile_model),
    "RegressionModel": Kind(regression_model.GRAMMAR, regression_model.compile_model),
    "RuleSetModel": Kind(rule_set_model.GRAMMAR, rule_set_model.compile_model),
    "Scorecard": Kind(scorecard.GRAMMAR, scorecard.compile_model),
    "SupportVectorMachineModel": Kind(support_vector_machine_model.GRAMMAR, support_vector_machine_model.compile_model),
    "TreeModel": Kind(tree_model.GRAMMAR, tree_model.compile_model),
}
"""The kinds by the name of their element."""
