"""Write `deploy/kubernetes/base`: what Jina exports from `deploy/kubernetes/flow.yml`.

Usage: ``python tools/export_kubernetes.py``. It needs no network, no cluster and no container engine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "kubernetes"
#: The gateway's arguments contain addresses of the executors, and these the namespace.
NAMESPACE = "soundalike"
#: Where Jina looked for files: a folder of the machine that exports.
_LOCAL_OPTION = "--extra-search-paths"
_HEADER = (
    "# Written by tools/export_kubernetes.py from flow.yml; changes belong there, or into components/.\n"
)


def export(flow_file: Path) -> dict[str, str]:
    """Return the text of a file of Kubernetes objects for each part of a Flow, by the file's name."""
    os.environ.setdefault("JINA_OPTOUT_TELEMETRY", "1")
    from jina import Flow

    with tempfile.TemporaryDirectory() as folder:
        Flow.load_config(str(flow_file)).to_kubernetes_yaml(folder, k8s_namespace=NAMESPACE)
        found = {path.name: path.read_text(encoding="utf-8") for path in Path(folder).glob("*/*.yml")}
    return {name: _HEADER + _same_everywhere(text) for name, text in sorted(found.items())}


def _same_everywhere(text: str) -> str:
    """Return exported objects without the folders of this machine."""
    objects = list(yaml.safe_load_all(text))
    for one in objects:
        if one["kind"] == "Deployment":
            for container in one["spec"]["template"]["spec"]["containers"]:
                container["args"] = _without(_LOCAL_OPTION, container["args"])
    return yaml.safe_dump_all(objects, sort_keys=True, width=105)


def _without(option: str, arguments: list[Any]) -> list[Any]:
    """Return arguments without an option that takes one value."""
    if option not in arguments:
        return arguments
    at = arguments.index(option)
    return arguments[:at] + arguments[at + 2 :]


def main() -> int:
    """Write the files, and remove those of parts that the Flow does not have any more."""
    files = export(FOLDER / "flow.yml")
    base = FOLDER / "base"
    for path in base.glob("*.yml"):
        path.unlink()
    for name, text in files.items():
        (base / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} files to {base}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
