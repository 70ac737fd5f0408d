"""The names of all explainers, without importing them: each would import torch."""

import ast
from pathlib import Path

import stexplain


def method_names() -> list[str]:
    """The class names that `--method` takes, sorted, read from the imports of `stexplain.explainers`.

    Example:
        >>> {"STGGradCAM", "Motion"} <= set(method_names())
        True
    """
    source = Path(stexplain.__file__).with_name("explainers").joinpath("__init__.py").read_text("utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports if ".methods." in (node.module or "") for alias in node.names]
    return sorted(name for name in names if name[0].isupper())  # functions are no methods
