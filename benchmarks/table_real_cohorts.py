"""Write the tables of docs/real-cohorts.md (needs ../shared/data; about half an hour).

python benchmarks/table_real_cohorts.py [--only change|once] [--cohorts p8,kang]

`--cohorts` runs the rows of some cohorts anew and leaves the others as they stand.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "real-cohorts.md"
NOTHING = "none"  # as the cohort has it
# cohort, instrument, R2 of column (b) in BASELINES.md, further options of `vagus train`
CHANGES: list[tuple[str, ...]] = [
    ("ihmp_ibdmdb_2019", "HBI", "+0.182"),
    ("ihmp_ibdmdb_2019", "SCCAI", "+0.070"),
    ("p8_probiotic_stress_2021", "cortisol_ug_dl", "+0.485"),
    ("p8_probiotic_stress_2021", "tnf_alpha_pg_ml", "+0.119"),
    ("p8_probiotic_stress_2021", "ifn_gamma_pg_ml", "+0.102"),
    ("p8_probiotic_stress_2021", "il10_pg_ml", "+0.006"),
    ("crohn_ustekinumab_2018", "CDAI", "-0.005 (+ clinical)", "--follow-up", "6"),
    ("crohn_ustekinumab_2018", "CDAI", "-0.005", "--follow-up", "8"),
    ("crohn_ustekinumab_2018", "CDAI", "-0.025", "--follow-up", "22"),
    ("micropouch_fmt_2024", "PDAI", "-0.004"),
    ("prebiotic_residents_2020", "PSS", "-0.343"),
]
# cohort, instrument, positive class (labels), the best column of BASELINES.md with the sd of its repeats
ONCE = [
    ("parkinson_cirstea_2020", "BDI", "", "+0.110 ± 0.012 (b, + diet)"),
    ("parkinson_cirstea_2020", "Constipation-severity", "", "+0.141 ± 0.005 (b)"),
    ("parkinson_cirstea_2020", "FSS", "", "+0.094 ± 0.012 (b)"),
    ("parkinson_cirstea_2020", "STAI-total", "", "+0.055 ± 0.023 (b)"),
    ("gespic_spa_2022", "BASDAI", "", "+0.312 ± 0.009 (b)"),
    ("kang_autism_2017", "GI-severity-index", "", "+0.049 ± 0.052 (c)"),
    ("parkinson_cirstea_2020", "diagnosis", "PD", "0.708 ± 0.024 (d)"),
    ("kang_autism_2017", "diagnosis", "autistic", "0.678 ± 0.018 (b)"),
    ("micropouch_fmt_2024", "PDAI", "remission", "0.732 ± 0.049 (b)"),
    ("hugerth_popcol_2019", "diagnosis", "IBS", "0.579 ± 0.035 (c, stool only)"),
    ("hugerth_popcol_2019, stool only,", "diagnosis", "IBS", "0.579 ± 0.035 (c)"),
    ("hugerth_popcol_2019, stool only,", "anxiety-depression-category", "any", "0.670 ± 0.016 (c)"),
    ("agp_ibs_2021", "diagnosis", "IBS", "0.594 ± 0.014 (d)"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("change", "once"))
    parser.add_argument("--cohorts", default="", help="starts of the names of the cohorts to run, parted by commas")
    given = parser.parse_args()
    wanted = tuple(given.cohorts.split(","))
    if given.only != "once":
        _write(0, [_change_row(*row) for row in CHANGES if row[0].startswith(wanted)])
    if given.only != "change":
        _write(1, [_once_row(*row) for row in ONCE if row[0].startswith(wanted)])


def _write(table: int, lines: list[str]) -> None:
    """Put lines in the place of the rows of the page's table of that number that are about the same."""
    parts = re.split(r"((?<=\|---\|\n)(?:\|.*\n)*)", PAGE.read_text())
    rows = {line.split(" | ")[0]: line for line in [*parts[2 * table + 1].splitlines(), *lines]}
    parts[2 * table + 1] = "".join(f"{line}\n" for line in rows.values())
    PAGE.write_text("".join(parts))


def _stool_only(source: Path, folder: Path) -> Path:
    """Make a cohort folder of the stool samples alone, its categories of anxiety and depression read as any or none."""
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    tables = {
        name: pd.read_csv(source / name, sep="\t", dtype=str)
        for name in ("samples.tsv", "outcomes.tsv", "counts.tsv.gz", "lifestyle.tsv")
    }
    stool = tables["samples.tsv"][tables["samples.tsv"].body_site == "stool"]
    outcomes = tables["outcomes.tsv"]
    category = outcomes.instrument == "anxiety-depression-category"
    outcomes.loc[category, "label"] = np.where(outcomes.label[category] == NOTHING, "none", "any")
    for name, table in tables.items():
        (folder / name).unlink()
        own = table.sample_id.isin(stool.sample_id) if "sample_id" in table else table.subject_id.isin(stool.subject_id)
        table[own].to_csv(folder / name, sep="\t", index=False)
    return folder


def _train(cohort: Path, instrument: str, *options: str) -> tuple[int, dict[str, Any], float]:
    with tempfile.TemporaryDirectory() as home:
        clock = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "vagus",
            "train",
            str(cohort),
            "--instrument",
            instrument,
            *options,
            "--json",
        ]
        place = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": home}
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, env=place, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, time.perf_counter() - clock


def _change_row(cohort: str, instrument: str, plain: str, *options: str) -> str:
    code, found, seconds = _train(DATA / cohort, instrument, *options)
    reference, metrics = found["reference_rows"], found["metrics"]
    failing = ", ".join(name for name, gate in found["gates"].items() if gate["status"] == "fail") or "none"
    return _line(
        f"{cohort} {instrument}{f', week {options[1]}' if options else ''}", f"{found['rows']} / {found['subjects']}", _span(reference["baseline"]["r2"]), _span(reference["covariates"]["r2"]),
        plain, _span(metrics.get("r2")), _gain(found), f"{failing} (exit {code}, {seconds:.0f} s)",
    )  # fmt: skip


def _once_row(cohort: str, instrument: str, positive: str, plain: str) -> str:
    task, metric = ("label", "auc") if positive else ("score", "r2")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(f'positive = "{positive}"\n')
        config.flush()
        options = ("--task", task, "--config", config.name, "--accept", "score_out_of_range")
        if "stool only" in cohort:
            with tempfile.TemporaryDirectory() as folder:
                code, found, seconds = _train(
                    _stool_only(DATA / cohort.partition(",")[0], Path(folder)), instrument, *options
                )
        else:
            code, found, seconds = _train(DATA / cohort, instrument, *options)
    name = f"{cohort} {instrument} {f'= {positive}' if positive else 'score'}"
    if not found:
        return _line(name, "–", "–", plain, "–", "–", f"refused before any fit (exit {code})")
    return _line(
        name, f"{found['rows']} / {found['subjects']}", _span(found["reference_rows"]["covariates"][metric]), plain,
        _span(found["metrics"].get(metric)), _gain(found), f"exit {code}, {seconds:.0f} s",
    )  # fmt: skip


def _gain(found: dict[str, Any]) -> str:
    gain = next((row for row in found["increment"] if row["block"] == "microbiome"), None)  # none without stool
    return f"{gain['estimate']:+.3f} [{gain['lower']:+.3f}, {gain['upper']:+.3f}] {gain['verdict']}" if gain else "–"


def _line(*cells: str) -> str:
    print(cells, flush=True)
    return "| " + " | ".join(cells) + " |"


def _span(value: dict[str, float | None] | None) -> str:
    if not value or value["estimate"] is None:
        return "–"
    return f"{value['estimate']:+.3f} [{value['lower']:+.3f}, {value['upper']:+.3f}]"


if __name__ == "__main__":
    main()
