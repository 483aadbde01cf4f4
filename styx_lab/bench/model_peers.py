"""Evaluators of models, each as one uses it from a Polars frame: ours, pypmml, scikit-learn, onnxruntime.

Law: a peer that is not installed is an error with the command that installs it; no peer is left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.bench.model_works import ModelWork, need
from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.models import open_scorer

__all__ = ["Evaluate", "onnx_peer", "our_way"]

Evaluate = Callable[[pl.DataFrame], npt.NDArray[Any]]
"""From a frame to the answers."""


def our_way(work: ModelWork, engine: str) -> Evaluate:
    """The model through `open_scorer`."""
    need("pypmml") if engine == "pypmml" else None
    scorer: Scorer = open_scorer(ModelRecord(work.name, 1, work.pmml, "", "", {}), engine)

    def evaluate(frame: pl.DataFrame) -> npt.NDArray[Any]:
        return scorer.score(frame).values.to_numpy()

    return evaluate


def onnx_peer(work: ModelWork) -> Evaluate:
    """The same pipeline through skl2onnx and onnxruntime, on one thread; numbers in one matrix of 32 bits.

    Raises:
        MissingDependencyError: when one of them is not installed.
    """
    converter, types, runtime = need("skl2onnx"), need("skl2onnx.common.data_types"), need("onnxruntime")
    pipeline = need("sklearn.pipeline").Pipeline(list(work.steps))
    texts = [name for name, dtype in work.rows.schema.items() if dtype == pl.String]
    kinds: list[tuple[str, Any]] = [("x", types.FloatTensorType([None, work.rows.width]))]
    if texts:
        kinds = [
            (name, (types.StringTensorType if name in texts else types.FloatTensorType)([None, 1]))
            for name in work.rows.columns
        ]
    graph = converter.convert_sklearn(pipeline, initial_types=kinds, options={id(work.steps[-1][1]): {"zipmap": False}})
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = runtime.InferenceSession(graph.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    asked = [session.get_outputs()[1].name]

    def evaluate(frame: pl.DataFrame) -> npt.NDArray[Any]:
        given = (
            {
                name: frame.get_column(name).to_numpy().astype(object if name in texts else np.float32).reshape(-1, 1)
                for name in frame.columns
            }
            if texts
            else {"x": frame.to_numpy().astype(np.float32)}
        )
        answer: npt.NDArray[Any] = session.run(asked, given)[0][:, 1]
        return answer

    return evaluate
