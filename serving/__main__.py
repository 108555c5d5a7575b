"""The door of the clinic developer: `serve`, `keys` for those who may ask, `cohort export-log` for what came of it."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from features.errors import VagusError
from models.ledger import DEFAULT_FOLDER, prepare_ledger
from models.sites import load_sites
from serving import keys
from serving.access import digest_of, new_key
from serving.desk import load_bundles
from serving.settings import DEFAULT_PORT, LOOPBACK, Settings


def main(argv: Sequence[str]) -> int:
    """Run `serve`, `keys` or `cohort export-log`; return the exit code. Raises VagusError before anything listens."""
    if argv[:1] == ["cohort"]:
        from serving import retraining  # it loads the writers of cohort folders, which a service does without

        return retraining.main(argv)
    parser = argparse.ArgumentParser(prog="vagus")
    verbs = parser.add_subparsers(dest="verb", required=True)
    _serve_options(verbs.add_parser("serve", help="serve bundles over HTTP"))
    keys.options(verbs.add_parser("keys", help="create, grant, rotate and revoke keys"))
    options = parser.parse_args(list(argv))
    return keys.run(options) if options.verb == "keys" else serve(options)


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", type=Path, required=True, metavar="BUNDLE",
                        help="a bundle folder; one per instrument")  # fmt: skip
    parser.add_argument("--shadow", action="append", type=Path, default=[], metavar="BUNDLE",
                        help="a challenger that answers the same requests unseen (needs --state); see GET /monitor")  # fmt: skip
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--state", type=Path, help="folder of lasting state: outcomes, stop switch (default: a temporary one)"
    )
    parser.add_argument("--keep-inputs", action="store_true",
                        help="keep what is asked about patients in STATE/inputs.db (taxa, lifestyle, baseline, arm, weeks; under "
                        "the random prediction id, no name or identifier), for `vagus cohort export-log`; needs --state")  # fmt: skip
    parser.add_argument("--site-reference", type=Path, metavar="FILE", help="the .sites.json of vagus predict")
    parser.add_argument("--log", type=Path, default=DEFAULT_FOLDER, help="folder of the append-only log")
    parser.add_argument("--no-log", action="store_true", help="log nothing and give no receipts")
    parser.add_argument("--no-auth", action="store_true", help="let anyone ask; loopback only")
    parser.add_argument("--keys", type=Path, help="file of hashed keys (otherwise a one-time key is shown)")


def serve(options: argparse.Namespace) -> int:
    """Verify the bundles, settle who may ask, then serve; a bundle that does not verify starts nothing."""
    key = "" if options.no_auth or options.keys else new_key()
    settings = replace(
        Settings.from_environ(os.environ),
        models=tuple(path.absolute() for path in options.model),  # a link stays a link: it may be moved
        shadows=tuple(path.absolute() for path in options.shadow),
        host=options.host,
        port=options.port,
        workers=options.workers,
        open_door=options.no_auth,
        keys=options.keys.resolve() if options.keys else None,
        key_digest=digest_of(key) if key else "",
        log=None if options.no_log else options.log.resolve(),
        outcomes=(options.state / "outcomes.db").resolve() if options.state else None,
        inputs=((options.state or Path()) / "inputs.db").resolve() if options.keep_inputs else None,
        sites=options.site_reference.resolve() if options.site_reference else None,
        state=(options.state or Path(tempfile.mkdtemp(prefix="vagus-state-"))).resolve(),
    )
    bundles = load_bundles(settings.models)
    for name, bundle in (load_bundles(settings.shadows) if settings.shadows else {}).items():
        _say(
            f"challenger in the shadow of {name}: {bundle.manifest['name']}, run {bundle.manifest['run_id']}, {bundle.digest}"
        )
    if options.state:
        options.state.mkdir(parents=True, exist_ok=True)
    if settings.log is not None:
        prepare_ledger(settings.log)
    if settings.sites is not None:
        load_sites(settings.sites)
    for name, bundle in bundles.items():
        _say(f"serving {name}: {bundle.manifest['name']}, run {bundle.manifest['run_id']}, {bundle.digest}")
    if key:
        _say(f"one-time key (valid until this service stops): {key}")
    _say(f"listening on http://{settings.host}:{settings.port} (Ctrl-C stops)")
    return _run(settings)


def _run(settings: Settings) -> int:
    """BentoML reads the environment when it is imported, so it is imported only now."""
    gc.disable()  # until all is imported: none of a million fresh objects is garbage, and looking costs a fifth of the start
    os.environ.update(settings.environ())
    os.environ.update({"BENTOML_DO_NOT_TRACK": "True", "OTEL_SDK_DISABLED": "true"})
    from serving.listen import run

    return run(settings)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except VagusError as error:
        _say(str(error))
        raise SystemExit(error.exit_code) from None
