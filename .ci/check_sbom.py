"""Whether a bill of materials keeps to the schema of CycloneDX 1.6: check_sbom.py FILE"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = Path(sys.argv[1]).read_text()
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if problem:
    sys.exit(f"not CycloneDX 1.6: {problem}")
bill = json.loads(text)
refs = [component["bom-ref"] for component in bill["components"]]
refs.append(bill["metadata"]["component"]["bom-ref"])
if len(set(refs)) != len(refs):
    sys.exit("a component is there twice")
if {dependency["ref"] for dependency in bill["dependencies"]} != set(refs):
    sys.exit("not every component has its dependencies listed")
# What nobody would miss by looking at crates alone.
for name in ["sqlite", "mimalloc", "rust-std"]:
    if not any(ref.startswith(f"pkg:generic/{name}@") for ref in refs):
        sys.exit(f"{name} is missing")
print(f"{len(refs)} components, valid")
