"""What a serving process holds while it runs: verified bundles by instrument, the key list, its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from features.encoding import SiteReference
from features.errors import invalid
from features.instruments import find
from models.bundle import Bundle
from models.sites import load_sites
from serving.access import Access, Principal, read_keys
from serving.budget import Budget
from serving.inputs import Inputs
from serving.journal import Journal
from serving.outcomes import Outcomes
from serving.repeats import Repeats
from serving.scribe import Scribe
from serving.settings import Settings
from serving.shadow import Shadow
from serving.switch import Switch
from serving.together import Together

if TYPE_CHECKING:
    from serving.tokens import Tokens


@dataclass
class Desk:
    """The state of one worker. `bundles` is replaced as a whole, never changed in place."""

    settings: Settings
    bundles: Mapping[str, Bundle]
    access: Access
    budget: Budget
    switch: Switch
    repeats: Repeats = field(default_factory=Repeats)
    together: Together = field(default_factory=Together)
    sites: Mapping[str, SiteReference] = field(default_factory=dict)
    journal: Journal | None = None
    outcomes: Outcomes | None = None
    inputs: Inputs | None = None
    verdicts: dict[str, str] = field(default_factory=dict)
    shadow: Shadow | None = None
    metrics: Callable[[], bytes] = field(default=bytes)
    reloaded: int = 0  # the call for a reload that was followed last, and when this worker looked for one
    looked: float = 0.0

    @cached_property
    def scribe(self) -> Scribe:
        """Return the thread that writes answers, started when first asked for."""
        return Scribe(self.journal, self.outcomes)

    @property
    def writes(self) -> bool:
        """Return whether an answer waits for the disk."""
        return self.journal is not None or self.outcomes is not None

    @classmethod
    def open(cls, settings: Settings) -> Desk:
        """Verify and load everything the settings name; raises InvalidInput or VerificationFailed."""
        budget = Budget(settings.rate, settings.burst)
        desk = cls(settings, load_bundles(settings.models), access_of(settings), budget, Switch(settings.state))
        if settings.outcomes is not None:
            desk.outcomes = Outcomes(settings.outcomes)
        if settings.inputs is not None:
            desk.inputs = Inputs(settings.inputs)
        desk.sites = load_sites(settings.sites) if settings.sites else {}
        if settings.shadows and desk.outcomes is not None:
            desk.shadow = Shadow(load_bundles(settings.shadows), desk.outcomes, desk.sites)
        if settings.log is not None:
            desk.journal = Journal.open(settings.log)
            for bundle in desk.bundles.values():
                desk.journal.note("load", "service", {"bundle_digest": bundle.digest})
        return desk


def load_bundles(paths: tuple[Path, ...]) -> dict[str, Bundle]:
    """Return verified bundles by canonical instrument name, in the order given."""
    if not paths:
        raise invalid("no_model", "there is nothing to serve", "Name a bundle with --model", column="--model")
    bundles: dict[str, Bundle] = {}
    for path in paths:
        bundle = Bundle.load(path)
        name = find(bundle.instrument).name
        if name in bundles:
            remedy = "Serve one bundle per instrument"
            message = f"two bundles predict {name}"
            raise invalid("two_models", message, remedy, file=path.name, column="--model")
        bundles[name] = bundle
    return bundles


def access_of(settings: Settings) -> Access:
    """Return the key list: those of the key file, and the one-time key of this start."""
    holders = read_keys(settings.keys) if settings.keys else []
    if settings.key_digest:
        holders.append(Principal("one-time", settings.key_digest, "operator"))
    return Access(holders, _tokens(settings), open_door=settings.open_door)


def _tokens(settings: Settings) -> Tokens | None:
    if settings.jwks is None:
        return None
    if settings.state is None:
        message = "tokens need a folder in which used ones are noted"
        raise invalid("state", message, "Set VAGUS_STATE", column="VAGUS_STATE")
    from serving.tokens import Provider, Replays, Tokens  # it loads all of PyJWT, which keys alone do not need

    provider = Provider(settings.issuer, settings.audience, settings.jwks)
    return Tokens(provider, Replays(settings.state / "tokens.db"))
