"""Holds what a scenario called against its role's IAM policy: iam_policy.py ROLE BACKEND-SCENARIO, with the actions as a JSON list on standard input.

Fails where the role's iam_policy.json does not allow one of them. With UPDATE_IAM_POLICIES=1 it writes the policy instead. What the policy had stays in it
until a recording of every backend is at hand (in .local/iam): then the policy is what those measured, and what is used no longer goes (make iam-policies).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from contracts import policies


def main(role: str, recording: str, used: list[str]) -> str:
    if not used:
        return f"{role}: no action was recorded in {recording}: was the recorder asked?"
    if os.environ.get("UPDATE_IAM_POLICIES"):
        policies.update(role, recording, used)
        return ""
    file = policies.path(role)
    policy = json.loads(file.read_text()) if file.exists() else policies.document([])
    if missing := policies.missing(policy, used):
        remedy = "If the role needs that: run its scenario with UPDATE_IAM_POLICIES=1, then make docs."
        return f"roles/{role}/iam_policy.json does not allow {', '.join(missing)}. {remedy}"
    return ""


sys.exit(main(sys.argv[1], sys.argv[2], json.load(sys.stdin)) or 0)
