"""Write the table of docs/real-cohorts.md: `python benchmarks/table_real_cohorts.py` (needs ../shared/data; about ten minutes)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
# cohort, instrument, R2 of column (b) in BASELINES.md
ROWS = [
    ("ihmp_ibdmdb_2019", "HBI", "+0.182"),
    ("ihmp_ibdmdb_2019", "SCCAI", "+0.070"),
    ("p8_probiotic_stress_2021", "cortisol_ug_dl", "+0.485"),
    ("p8_probiotic_stress_2021", "tnf_alpha_pg_ml", "+0.119"),
    ("p8_probiotic_stress_2021", "ifn_gamma_pg_ml", "+0.102"),
    ("micropouch_fmt_2024", "PDAI", "-0.004"),
    ("prebiotic_residents_2020", "PSS", "-0.343"),
]


def main() -> None:
    lines = [_row(*row) for row in ROWS]
    page = ROOT / "docs" / "real-cohorts.md"
    head, rest = re.split(r"(?<=\|---\|\n)", page.read_text(), maxsplit=1)
    page.write_text(head + "\n".join(lines) + "\n" + rest[rest.index("\n## ") :])


def _row(cohort: str, instrument: str, plain: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        clock = time.perf_counter()
        command = [sys.executable, "-m", "vagus", "train", str(DATA / cohort), "--instrument", instrument, "--json"]
        done = subprocess.run(
            command,
            cwd=home,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": home},
            check=False,
        )
        seconds = time.perf_counter() - clock
    found = json.loads(done.stdout)
    reference, metrics = found["reference_rows"], found["metrics"]
    gain = found["increment"][0] if found["increment"] else None
    stated = f"{gain['estimate']:+.3f} [{gain['lower']:+.3f}, {gain['upper']:+.3f}] {gain['verdict']}" if gain else "–"
    failing = ", ".join(name for name, gate in found["gates"].items() if gate["status"] == "fail") or "none"
    cells = [
        f"{cohort} {instrument}", f"{found['rows']} / {found['subjects']}", _span(reference["baseline"]["r2"]), _span(reference["covariates"]["r2"]),
        plain, _span(metrics.get("r2")), stated, f"{failing} (exit {done.returncode}, {seconds:.0f} s)",
    ]  # fmt: skip
    print(cells, flush=True)
    return "| " + " | ".join(cells) + " |"


def _span(value: dict[str, float | None] | None) -> str:
    return (
        "–"
        if not value or value["estimate"] is None
        else f"{value['estimate']:+.3f} [{value['lower']:+.3f}, {value['upper']:+.3f}]"
    )


if __name__ == "__main__":
    main()
