"""The auditor's door: arguments only. `python -m training.audit ACT ...` or `vagus audit ACT ...`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import Refused, VerificationFailed, invalid

if TYPE_CHECKING:
    from models.log_reader import LogReader


def main(argv: list[str]) -> int:
    """Do one act (`argv[0]` is `audit`) and return its exit code."""
    options = _parser().parse_args(argv[1:])
    code: int = options.act(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vagus audit", description="Compare, reproduce and prove.")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    compare = _act(acts, "compare", _compare, "two runs on the same people: what differs, which predicts better")
    compare.add_argument("runs", nargs=2, metavar="RUN", help="run id, NAME@ALIAS or run folder")
    compare.add_argument("--row", default="chosen", help="model row of the runs (default: chosen, the run's own model)")
    compare.add_argument("--against", metavar="ROW", help="model row of the first run, where it is another")
    compare.add_argument("--common", action="store_true", help="compare the overlap where people or folds differ")
    compare.add_argument("--html", type=Path, metavar="FILE", help="write the page with plots")
    verify = _act(acts, "verify", _verify, "a receipt, bundle, run folder, backup, log or OpenSSF model signature")
    verify.add_argument("path")
    verify.add_argument(
        "--reformatted", action="store_true", help="a JSON tool has changed the receipt's spaces or order"
    )
    verify.add_argument("--covers", type=Path, metavar="DIR", help="the folder an OpenSSF model signature should cover")
    verify.add_argument("--receipt", type=Path, action="append", default=[], help="a kept receipt the log must fit")
    _replay(acts)
    trace = _act(acts, "trace", _trace, "one answer back to its log entry, model, run, rows, thresholds and consent")
    trace.add_argument("prediction", metavar="PREDICTION-ID")
    trace.add_argument("--run", metavar="RUN", help="the run folder, where it is not in the tracking store")
    checks = _act(acts, "checklist", _checklist, "a guideline as checks that run, each with its evidence")
    checks.add_argument("run", metavar="RUN", help="run id, NAME@ALIAS or run folder")
    checks.add_argument(
        "--profile", required=True, help="tripod-ai, probast-ai, storms, ml-test-score, eu-ai-act-12, hti-1"
    )
    checks.add_argument("--html", type=Path, metavar="FILE", help="write the list and the model card as a page")
    for parser_of_log in (trace, checks):
        parser_of_log.add_argument(
            "--log", metavar="PATH", help="the log (default: .vagus/log/log.sqlite, if it is there)"
        )
    ui = _act(acts, "ui", _ui, "a page on this machine: runs, comparison, checklist, receipt")
    ui.add_argument("--port", type=int, default=3050)
    return parser


def _replay(acts: Any) -> None:
    reproduce = _act(acts, "reproduce", _reproduce, "replay a run from its record; exit 4 names the first difference")
    reproduce.add_argument("run", metavar="RUN", help="run id, NAME@ALIAS or run folder")
    reproduce.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the cohort folder it was trained on"
    )
    reproduce.add_argument("--python", default=sys.executable, help="interpreter of the recorded environment")
    reproduce.add_argument(
        "--build-env",
        type=Path,
        metavar="DIR",
        help="build the recorded environment there first (by its lock, with pip)",
    )
    reproduce.add_argument(
        "--file", type=Path, action="append", default=[], help="a file the settings name, where not beside the cohort"
    )
    reproduce.add_argument("--other-cpu", action="store_true", help="allow the declared bound between processors")


def _act(acts: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = acts.add_parser(name, help=text, description=text)
    parser.set_defaults(act=act)
    parser.add_argument("--trust", action="append", metavar="KEY", help="pin a public key: ed25519:HEX or a .pub file")
    parser.add_argument("--tracking-uri", metavar="URI", help="where runs are kept (default: ./.vagus)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return parser


def _compare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from training.audit import page, plots
    from training.audit.compare import compare
    from training.audit.runs import locate, read_run

    trusted = _trusted(options.trust)
    first, second = (read_run(locate(name, options.tracking_uri), trusted) for name in options.runs)
    found = compare(first, second, models=(options.against or options.row, options.row), common=options.common)
    content = found.as_dict()
    if options.html:
        drawn = plots.draw_all(content, found.aligned) if found.tests else {}
        options.html.write_text(page.page(content, drawn), encoding="utf-8")
    if options.json:
        _print_json(content)
    else:
        page.say(content, Console(width=None if sys.stdout.isatty() else 120))
    if not found.tests:
        raise Refused("not-comparable", f"not comparable: {'; '.join(found.reasons)} (see --common)")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from training.audit.reproduce import reproduce
    from training.audit.runs import locate, read_run

    run = read_run(locate(options.run, options.tracking_uri), _trusted(options.trust))
    found = reproduce(
        run,
        options.data,
        python=options.python,
        build_env=options.build_env,
        files=options.file,
        other_cpu=options.other_cpu,
    )
    if options.json:
        _print_json(found.as_dict())
    else:
        lines = [f"{step.name:<12} {step.status:<13} {step.detail}\n" for step in found.steps]
        sys.stdout.write("".join(lines) + f"{found.run}: {found.verdict}\n")
    if found.verdict.startswith("differs"):
        raise VerificationFailed(f"replay of {found.run}: {found.verdict}")
    return 0


def _trace(options: argparse.Namespace) -> int:
    from training.audit.lineage import prove_entry, trace
    from training.audit.runs import locate, read_run

    reader = _log(options.log)
    if reader is None:
        raise invalid("log-absent", "there is no log at .vagus/log", "name it with --log")
    entry = prove_entry(options.prediction, reader)
    reference = options.run or str(entry["facts"].get("run_id", ""))
    run = read_run(locate(reference, options.tracking_uri), _trusted(options.trust))
    _print_json(trace(entry, run), indent=None if options.json else 2)
    return 0


def _checklist(options: argparse.Namespace) -> int:
    from training.audit import checklist, page
    from training.audit.runs import locate, read_run

    run = read_run(locate(options.run, options.tracking_uri), _trusted(options.trust))
    found = checklist.judge(run, options.profile, _log(options.log))
    if options.html:
        options.html.write_text(page.render("checklist.html", c=found), encoding="utf-8")
    if options.json:
        _print_json(found)
        return 0
    lines = [f"{f['id']:<14} {f['status']:<17} {f['requirement']}: {f['evidence']}" for f in found["findings"]]
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items())
    score = f"points per section: {found['score']}\n" if "score" in found else ""
    sys.stdout.write("\n".join(lines) + f"\n{score}{found['source']}; run {found['run']} ({found['seal']}): {counts}\n")
    return 0


def _ui(options: argparse.Namespace) -> int:
    from training.audit.catalogue import store_folder
    from training.audit.ui import AuditServer

    with AuditServer(store_folder(options.tracking_uri), options.port) as server:
        sys.stderr.write(f"http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)\n")
        server.serve_forever()
    return 0


def _log(address: str | None) -> LogReader | None:
    """Return a reader of the log that was named, or of the one in its usual place if there is one."""
    from models.ledger import DEFAULT_FOLDER, STORE
    from models.log_reader import LogReader
    from models.log_store import open_store

    usual = DEFAULT_FOLDER / STORE
    if address is None and not usual.is_file():
        return None
    return LogReader(open_store(address or usual, create=False))


def _verify(options: argparse.Namespace) -> int:
    from training.audit.verify import verify

    trusted = _trusted(options.trust)
    found = verify(options.path, trusted, options.receipt, reformatted=options.reformatted, covers=options.covers)
    if options.json:
        _print_json(found)
    else:
        sys.stdout.write("verified\n" + "".join(f"  {name}: {value}\n" for name, value in found.items()))
    return 0


def _trusted(given: list[str] | None) -> list[str] | None:
    """Return the pinned public keys, reading those given as files; None where none was given."""
    from models.seal import read_public_key

    if given is None:
        return None
    return [text if text.startswith("ed25519:") else read_public_key(Path(text)) for text in given]


def _print_json(content: Mapping[str, Any], indent: int | None = None) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=indent) + "\n")


if __name__ == "__main__":
    from vagus import main as front_door

    sys.exit(front_door(["audit", *sys.argv[1:]]))
