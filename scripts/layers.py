"""Write the layer contract of each room into pyproject.toml from the imports as they are: `python scripts/layers.py`.

Layers are levels of the import graph; modules of one level do not import each other. The contract is exhaustive, so a new
module, or an import that points upwards, fails `make check` until this was run again and the change was looked at.
"""

from __future__ import annotations

from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("features", "models", "training", "serving")


def main() -> None:
    graph = grimp.build_graph(*ROOMS, exclude_type_checking_imports=True)
    page = ROOT / "pyproject.toml"
    # These contracts stand last in the file, so all from the first of them on is written anew.
    text = page.read_text().split('\n[[tool.importlinter.contracts]]\nname = "inside ')[0]
    page.write_text(text.rstrip("\n") + "\n" + "".join(_contract(graph, room) for room in ROOMS))


def _contract(graph: grimp.ImportGraph, room: str) -> str:
    children = sorted(graph.find_children(room))
    below = {child: _needs(graph, child, children) for child in children}
    levels: list[list[str]] = []
    while below:
        level = sorted(child for child, needs in below.items() if not needs & set(below))
        if not level:
            raise SystemExit(f"{room}: imports run in a circle among {', '.join(sorted(below))}")
        levels.append(level)
        below = {child: needs for child, needs in below.items() if child not in level}
    lines = ",\n".join(
        '  "' + " | ".join(name.removeprefix(f"{room}.") for name in level) + '"' for level in reversed(levels)
    )
    head = f'\n[[tool.importlinter.contracts]]\nname = "inside {room}"\ntype = "layers"\ncontainers = ["{room}"]'
    return f"{head}\nexhaustive = true\nlayers = [\n{lines},\n]\n"


def _needs(graph: grimp.ImportGraph, child: str, children: list[str]) -> set[str]:
    others = (other for other in children if other != child)
    return {other for other in others if graph.direct_import_exists(importer=child, imported=other, as_packages=True)}


if __name__ == "__main__":
    main()
