"""Where the numbers come from: commands, code, machine, and the hashes of data, measurements, weights and tables."""

from __future__ import annotations

import json
import shlex
from typing import Any

from bench.errors import visible
from bench.report.page.content import Content
from bench.report.page.runs import Run


def provenance(content: Content) -> dict[str, Any]:
    """For each run what its manifest says."""
    return {"heading": "Where the numbers come from", "runs": [_run(run) for run in content.runs]}


def _run(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "name": run.name,
        "command": _command(manifest),
        "sweep": _toml(manifest.get("sweep")),
        "facts": _facts(manifest),
        "hashes": _hashes(run),
        "manifest": visible(json.dumps(manifest, indent=2, ensure_ascii=False)),
    }


def _command(manifest: dict[str, Any]) -> str:
    """The commands that repeat a run; empty where the manifest does not have them."""
    given, commit = manifest.get("argv"), manifest.get("commit")
    if not isinstance(given, list) or not given:
        return ""
    lines = [f"git checkout {shlex.quote(str(commit).removesuffix('-dirty'))}"] if commit else []
    lines += ["make install", f".venv/bin/python -m bench {shlex.join(map(str, given))}"]
    return visible("\n".join(lines))


def _toml(sweep: Any) -> str:
    """The options of a sweep as a file that `bench run --config` reads; a list of JSON is one of TOML."""
    if not isinstance(sweep, dict):
        return ""
    return visible("\n".join(f"{name} = {json.dumps(value)}" for name, value in sweep.items() if value is not None))


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    commit = str(manifest.get("commit") or "not known")
    facts = [
        (
            "code",
            commit.removesuffix("-dirty") + " and changes since that were not committed" * commit.endswith("-dirty"),
        )
    ]
    if "python" in manifest:
        versions = {"Python": manifest["python"], **_mapping(manifest.get("packages"))}
        facts.append(("packages", ", ".join(f"{name} {version}" for name, version in versions.items())))
    facts += [(name, str(value)) for name, value in _mapping(manifest.get("machine")).items()]
    data = _mapping(manifest.get("data"))
    if data:
        facts.append(("data", f"{data.get('name')}, {data.get('split')} split, from {data.get('source')}"))
    return [(name, visible(value)) for name, value in facts]


def _hashes(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    data = _mapping(manifest.get("data"))
    found = {"data": data["sha256"]} if "sha256" in data else {}
    found |= {f"measurements: {name}": value for name, value in _mapping(manifest.get("measurements")).items()}
    found |= {f"weights: {name}": value for name, value in _mapping(manifest.get("weights")).items()}
    found |= _mapping(manifest.get("files")) | {"manifest.json": run.manifest_sha256}
    return [(visible(str(name)), visible(str(value))) for name, value in found.items()]


def _mapping(value: Any) -> dict[str, Any]:
    """A part of a manifest, which is read as it is: nothing vouches for its form."""
    return value if isinstance(value, dict) else {}
