"""The architecture as a test: packages, names, sizes, mirrored tests, what a serving process may import."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("features", "models", "training", "serving")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_resolves_inside_the_project(room):
    assert Path(importlib.import_module(room).__file__).resolve().is_relative_to(ROOT)


def test_no_module_bears_a_standard_library_name():
    clashing = [path for path in MODULES if path.stem in sys.stdlib_module_names and path.stem != "__main__"]
    assert clashing == []


def test_no_room_is_a_drawer():
    assert [path for path in MODULES if path.stem in ("utils", "helpers", "common", "core", "misc")] == []


def test_tests_have_no_packages():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_artefact_lies_in_models():
    assert {path.suffix for path in (ROOT / "models").rglob("*") if path.is_file()} <= {".py", ".pyc"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small(path):
    assert len(path.read_text().splitlines()) <= 250
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    long = [f.name for f in functions if f.end_lineno - f.lineno + 1 > 40]
    assert long == []


def test_functions_are_short_on_average():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert sum(lengths) / len(lengths) <= 15


def _loaded(statement):
    code = f"{statement}; import sys; print(sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stdout))


def test_the_front_door_imports_no_room():
    assert not _loaded("import vagus") & {"training", "models", "serving", "numpy", "pandas", "mlflow"}


def test_the_served_predictor_needs_numpy_alone():
    heavy = {"pandas", "sklearn", "scipy", "xgboost", "mlflow", "training", "matplotlib"}
    assert not _loaded("import models.bundle, features.importers.clinic") & heavy


def test_no_pickle_in_the_serving_path():
    served = [path for path in MODULES if path.parts[-2] in ("serving", "models", "features", "importers")]
    loaders = re.compile(r"import (pickle|joblib|cloudpickle|skops)|allow_pickle=True")
    assert [path for path in served if loaders.search(path.read_text())] == []


def test_one_configuration_file():
    strays = ("setup.cfg", "tox.ini", "pytest.ini", ".flake8", "mypy.ini", "ruff.toml", ".importlinter", "setup.py")
    assert [name for name in strays if (ROOT / name).exists()] == []


def test_locks_agree_and_name_no_address():
    pins = {}
    for name in ("dev", "run", "serve"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text
        pins[name] = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", text, re.M))
    assert pins["serve"].items() <= pins["run"].items() <= pins["dev"].items()
    assert pins["run"]["mlflow"].split(".")[0] == "3"
    assert pins["serve"]["bentoml"].startswith("1.4")
    assert not {"xgboost", "nvidia-nccl-cu12", "nvidia-nccl-cu13"} & set(pins["dev"])
    assert not {"mlflow", "scikit-learn", "xgboost-cpu", "pandas"} & set(pins["serve"])
