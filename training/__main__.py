"""The data scientist's door: arguments only. `python -m training VERB ...` or `vagus VERB ...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from training import doctor, logbook, output, tracking
from training.config import read_config


def main(argv: list[str]) -> int:
    """Run one verb and return its exit code."""
    parser = _parser()
    given = parser.parse_args(argv)
    code: int = given.run(given)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vagus", description="Train, look at, promote and export models.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _train(_verb(verbs, "train", _run_train, "nested validation by subject, tested increment, MLflow run", TRAIN_HELP))
    _curve(_verb(verbs, "learning-curve", _run_curve, "how many more people would show what the microbiome adds"))
    runs = _verb(verbs, "runs", _run_runs, "list runs, or show one: vagus runs show RUN")
    runs.add_argument("what", nargs="*", metavar="show RUN")
    _promote(
        _verb(verbs, "promote", _run_promote, "move an alias to a run's model, if every gate passes (else exit 3)")
    )
    rollback = _verb(verbs, "rollback", _run_rollback, "move an alias back to the version before")
    rollback.add_argument("name", metavar="NAME")
    rollback.add_argument("--alias", default="champion")
    export = _verb(verbs, "export", _run_export, "write the sealed folder that is served")
    export.add_argument("reference", metavar="RUN-or-NAME@ALIAS")
    export.add_argument("--out", type=Path, required=True, metavar="BUNDLE")
    export.add_argument(
        "--model-signature", type=Path, metavar="FILE", help="also write an OpenSSF model signature of it (Ed25519)"
    )
    _predict(_verb(verbs, "predict", _run_predict, "predict for a cohort folder, through the bundle that is served"))
    _verb(verbs, "doctor", _run_doctor, "say what is installed and whether it works")
    return parser


TRAIN_HELP = """\
example: vagus train cohort/ --instrument PHQ-9
The run is recorded even when a promotion gate says no (exit 0). Exit 3: a leak was found, or fewer than 20 people (recorded
with its reference rows). A config file may set: task, follow_up, positive, model, repeats, folds, shuffles, seed, splits, accept,
literature."""


def _verb(verbs: Any, name: str, run: Any, text: str, epilog: str = "") -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow store (default: $MLFLOW_TRACKING_URI or SQLite under ./.vagus)"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")
    return verb


def _train(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("cohort", type=Path, metavar="DIR")
    verb.add_argument(
        "--instrument", required=True, metavar="NAME", help="whose change is predicted, as in outcomes.tsv"
    )
    verb.add_argument("--task", choices=("change", "score", "label"), help="default: change")
    verb.add_argument(
        "--follow-up", type=float, metavar="TIME", help="needed where one baseline has several follow-ups"
    )
    verb.add_argument("--config", type=Path, metavar="FILE.toml")
    verb.add_argument("--name", default="", metavar="MODEL", help="name in the registry (default: vagus-INSTRUMENT)")
    verb.add_argument(
        "--model",
        metavar="ENTRY",
        help="search (default: the inner loop chooses) or one entry, such as baseline (no challenger is tried then)",
    )
    verb.add_argument("--seed", type=int)
    verb.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help="try no further challenger after this; the additive model always is",
    )
    verb.add_argument(
        "--literature",
        metavar="NAME",
        help="published effects as prior means: auto (below 400 people), none, or a name",
    )
    verb.add_argument(
        "--accept",
        action="append",
        metavar="CODE",
        help="keep rows with this (true) problem of `cohort check`; may be repeated",
    )


def _curve(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("cohort", type=Path, metavar="DIR")
    verb.add_argument("--instrument", required=True, metavar="NAME")
    verb.add_argument("--follow-up", type=float, metavar="TIME")
    verb.add_argument("--config", type=Path, metavar="FILE.toml")
    verb.add_argument("--plot", type=Path, metavar="FILE.svg", help="also draw it; a name ending in .html gives a page")


def _promote(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("reference", metavar="RUN")
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--alias", default=tracking.CHAMPION)
    where.add_argument(
        "--canary",
        type=_share,
        metavar="SHARE",
        help="alias canary: the share of requests meant for it, 0 to 1, is logged",
    )
    verb.add_argument(
        "--plan", type=Path, metavar="PLAN.toml", help="a plan sealed before the evaluation; refused otherwise"
    )


def _predict(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("cohort", type=Path, metavar="DIR")
    verb.add_argument("--model", required=True, metavar="BUNDLE-or-RUN-or-NAME@ALIAS")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE.tsv")
    verb.add_argument("--every-arm", action="store_true", help="one row per person and arm of training")
    verb.add_argument("--force", action="store_true", help="fill in numbers of unanswered rows too (for evaluation)")
    verb.add_argument("--site-reference", type=Path, metavar="FILE", help="the .sites.json of an earlier prediction")
    verb.add_argument(
        "--contributions",
        type=Path,
        metavar="FILE.tsv",
        help="also write what made up each prediction, feature by feature",
    )
    verb.add_argument("--accept", action="append", default=[], metavar="CODE")


def _run_train(given: argparse.Namespace) -> int:
    from training import jobs

    config = read_config(
        given.config, instrument=given.instrument, task=given.task, follow_up=given.follow_up, model=given.model, seed=given.seed,
        budget=given.budget,
        literature=given.literature,
        accept=tuple(given.accept) if given.accept else None,
    )  # fmt: skip
    found = jobs.train(
        given.cohort, config, name=given.name, uri=given.tracking_uri, say=output.say, barred=logbook.barred_people
    )
    logbook.note_evaluation(tracking.fetch(found["run_id"], given.tracking_uri))
    output.show(found, given.json, output.trained)
    jobs.refuse_small(found)
    return 0


def _run_curve(given: argparse.Namespace) -> int:
    from training import jobs

    config = read_config(given.config, instrument=given.instrument, follow_up=given.follow_up)
    output.show(
        jobs.curve(given.cohort, config, plot=given.plot, barred=logbook.barred_people), given.json, output.curve
    )
    return 0


def _run_runs(given: argparse.Namespace) -> int:
    from training import promotion

    if given.what[:1] == ["show"] and len(given.what) == 2:
        output.show(promotion.show(given.what[1], given.tracking_uri), given.json, output.trained)
    else:
        output.show({"runs": promotion.listing(given.tracking_uri)}, given.json, output.runs)
    return 0


def _run_promote(given: argparse.Namespace) -> int:
    from training import promotion

    facts: dict[str, Any] = {} if given.canary is None else {"share": given.canary}
    if given.plan:
        champion = promotion.current(
            given.reference, given.alias if given.canary is None else tracking.CHAMPION, given.tracking_uri
        )
        folder = promotion.run_folder(given.reference, given.tracking_uri)
        facts |= logbook.check_plan(given.plan, folder, champion)
        for line in facts["plan_proof"]:
            output.say(line)
    alias = given.alias if given.canary is None else tracking.CANARY
    found = {**promotion.promote(given.reference, alias=alias, uri=given.tracking_uri), **facts}
    logbook.note("promotion", found)
    output.show(found, given.json, output.alias)
    return 0


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError("a share lies between 0 and 1")
    return share


def _run_rollback(given: argparse.Namespace) -> int:
    from training import promotion

    found = promotion.rollback(given.name, alias=given.alias, uri=given.tracking_uri)
    logbook.note("rollback", found)
    output.show(found, given.json, output.alias)
    return 0


def _run_export(given: argparse.Namespace) -> int:
    from training import promotion
    from training.audit.model_signing import sign_model
    from training.keyring import signing_key

    bundle = promotion.export(given.reference, given.out, uri=given.tracking_uri)
    if given.model_signature:
        given.model_signature.write_bytes(sign_model(given.out, signing_key()))
    logbook.note("export", {"model_digest": bundle.digest, "run_id": str(bundle.manifest["run_id"])})
    found = {"bundle": str(given.out), "digest": bundle.digest, "instrument": bundle.instrument}
    output.show(found, given.json, output.exported)
    return 0


def _run_predict(given: argparse.Namespace) -> int:
    from training import predict_job

    found = predict_job.run(
        given.cohort, given.model, given.out, uri=given.tracking_uri, every_arm=given.every_arm, force=given.force,
        sites=given.site_reference, accept=frozenset(given.accept), contributions=given.contributions,
    )  # fmt: skip
    output.show(found, given.json, output.predicted)
    return 0


def _run_doctor(given: argparse.Namespace) -> int:
    found = doctor.examine()
    output.show(found, given.json, output.examined)
    return 0 if found["works"] else 1


if __name__ == "__main__":
    from vagus import main as front_door

    sys.exit(front_door(sys.argv[1:]))
