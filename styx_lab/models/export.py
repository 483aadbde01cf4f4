"""A fitted pipeline becomes PMML bytes: sklearn2pmml with its representation, its verification rows, and no telemetry.

Law: the bytes depend on the pipeline and the rows alone (no clock in them), and have passed the guard before they are
given out.
"""

from __future__ import annotations

import copy
import os
import re
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import polars as pl

from styx_lab.core.java import find_java
from styx_lab.errors import InputMissingError, ModelError, OutputError
from styx_lab.models.converter import NO_TELEMETRY, UnlikeError, can_convert, convert
from styx_lab.models.guard import check_pmml, parse_pmml
from styx_lab.models.parity.precision import SINGLE_PRECISION, single_precision
from styx_lab.models.versions import check_training_versions

__all__ = ["NO_TELEMETRY", "VERIFY_PRECISION", "export_pipeline"]

VERIFY_PRECISION: Final = 1e-9
"""How near an answer must come to an embedded one, as a share of it."""

_TIMESTAMP: Final = re.compile(rb"\s*<Timestamp>[^<]*</Timestamp>")
_one_at_a_time = threading.Lock()


def export_pipeline(
    pipeline: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    name: str = "model",
    verify: Any = None,
    precision: float | None = None,
    check: Callable[[bytes], None] | None = None,
) -> bytes:
    """Export a fitted PMMLPipeline as PMML: `export_pipeline(pipeline, "fraud.pmml", name="fraud", verify=frame)`.

    >>> export_pipeline("not a pipeline", name="fraud")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: model 'fraud': only a fitted PMMLPipeline can be exported; got 'str'. Try: ...

    Args:
        pipeline: a `sklearn2pmml.pipeline.PMMLPipeline` after `fit`; it is left as it is.
        path: where to write it as well; written whole or not at all.
        name: what to call the model in errors.
        verify: a pandas or Polars frame of the pipeline's inputs; its rows are embedded with the pipeline's answers,
            and every scorer asks for them when it loads the model.
        precision: how near those answers must come: 1e-9 where it is not said, 1e-6 where the file hangs on 32 bits.
        check: is called with the bytes before they are written or given out, and may raise.

    Raises:
        ModelError: when the pipeline cannot be exported; the message carries sklearn2pmml's own.
        MissingDependencyError: when Java or a package is missing or of a wrong version.
        OutputError, InputMissingError: when the file cannot be written.
    """
    check_training_versions()
    where = f"model {name!r}"
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted
    from sklearn2pmml.pipeline import PMMLPipeline

    hint = "PMMLPipeline([...]).fit(x, y), with x and y as pandas objects that have names"
    if not isinstance(pipeline, PMMLPipeline):
        raise ModelError(
            "only a fitted PMMLPipeline can be exported", where=where, got=type(pipeline).__name__, hint=hint
        )
    try:
        check_is_fitted(pipeline)
    except NotFittedError as error:
        raise ModelError("the pipeline is not fitted", where=where, hint=hint) from error
    target = Path(path) if path is not None else None
    if target is not None and not target.parent.is_dir():
        raise InputMissingError("there is no such folder to export to", where=where, got=str(target.parent))
    # The converter puts attributes of its own on the steps, and verify one on the pipeline.
    pipeline = copy.deepcopy(pipeline)
    nearness = VERIFY_PRECISION if precision is None else precision
    pmml = _verified(pipeline, verify, nearness, where)
    root = parse_pmml(pmml, name=name)
    if verify is not None and precision is None and single_precision(root) is not None:
        # Else no evaluator would load it: scikit-learn reckons in 64 bits.
        pmml = _verified(pipeline, verify, SINGLE_PRECISION, where)
    check_pmml(pmml, name=name)
    if check is not None:
        check(pmml)
    if target is not None:
        _write(target, pmml, where)
    return pmml


def _verified(pipeline: Any, verify: Any, precision: float, where: str) -> bytes:
    """The file of a pipeline, with its rows to be verified."""
    if verify is not None:
        rows = verify.to_pandas() if isinstance(verify, pl.DataFrame) else verify
        try:
            pipeline.verify(rows, precision=precision, zeroThreshold=precision)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"the verification rows do not fit the pipeline ({error})", where=where) from error
    return _TIMESTAMP.sub(b"", _convert(pipeline, where), count=1)


def _convert(pipeline: Any, where: str) -> bytes:
    # The folder is the user's alone (mode 0700).
    with tempfile.TemporaryDirectory(prefix="styx-export-") as folder, _one_at_a_time:
        if can_convert(pipeline):
            with suppress(UnlikeError):
                return convert(pipeline, folder, where=where)
        return _convert_cold(pipeline, folder, where)


def _convert_cold(pipeline: Any, folder: str, where: str) -> bytes:
    """The same by sklearn2pmml's own call, which starts two JVMs each time."""
    import sklearn2pmml as package

    java = find_java()
    said: list[str] = []
    home = str(java.home) if java.home is not None else None
    path = os.path.join(folder, "model.pmml")
    # sklearn2pmml prints what its Java says, and an advertisement. Its own name `print` is put aside for the call;
    # to redirect stdout would swallow what other threads print.
    vars(package)["print"] = lambda *parts: said.append(" ".join(str(part) for part in parts))
    try:
        package.sklearn2pmml(pipeline, path, with_repr=True, java_home=home, java_opts=list(NO_TELEMETRY))
        return Path(path).read_bytes()
    except (RuntimeError, TypeError, ValueError, OSError) as error:
        raise ModelError(
            f"sklearn2pmml cannot export it: {_reason(said, error)}",
            where=where,
            hint="see docs/models.md for which estimators can be exported",
        ) from error
    finally:
        vars(package).pop("print", None)


def _reason(said: list[str], error: Exception) -> str:
    """The converter's own sentence out of what its Java printed."""
    causes = re.findall(
        r"^(?:Caused by: |Exception in thread \"\S+\" )?(?:[a-z]\w*\.)+\w+(?:Exception|Error): (.+)$",
        "\n".join(said),
        re.MULTILINE,
    )
    return (causes[0] if causes else str(error)).strip()[:500]


def _write(target: Path, pmml: bytes, where: str) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(pmml)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"the PMML file cannot be written ({error.strerror})", where=where, got=str(target), hint="free some space"
        ) from error
