"""Site references on disk: what centres people of a study that training never saw, named and digested.

`vagus predict` saves them beside its table; it and the service read them again by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from features.digest import canonical_json, json_digest
from features.encoding import SiteReference
from features.errors import invalid


def save_sites(path: Path, sites: Mapping[str, SiteReference]) -> str:
    """Write site references as JSON and return their digest."""
    content = {
        name: {**vars(site), "genus_centre": site.genus_centre.tolist(), "family_centre": site.family_centre.tolist()}
        for name, site in sites.items()
    }
    digest = json_digest(content)
    path.write_bytes(canonical_json({"digest": digest, "sites": content}))
    return digest


def load_sites(path: Path) -> dict[str, SiteReference]:
    """Read what `save_sites` wrote; raises InvalidInput when its digest does not hold."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        content = stored["sites"]
        if json_digest(content) != stored["digest"]:
            raise ValueError
        return {
            name: SiteReference(name, site["samples"], np.array(site["genus_centre"]), np.array(site["family_centre"]))
            for name, site in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        message, remedy = "this is not a site reference, or it was altered", "Give the .sites.json of vagus predict"
        raise invalid("site_reference", message, remedy, file=str(path)) from error
