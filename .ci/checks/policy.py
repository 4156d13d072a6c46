"""Licences, refused crates and sources of everything in the lock file, by the rules in deny.toml, without a network.

cargo-deny knows more, advisories first of all, but has to be installed and to fetch its database. Where it is there it
runs too; where it is not, these checks still hold.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """An SPDX expression, read with AND above OR; the old way of writing `MIT/Apache-2.0` means OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def alternatives() -> bool:
        fine = conjunction()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            # Both sides have to be read, whichever of them decides.
            fine = conjunction() or fine
        return fine

    def conjunction() -> bool:
        fine = licence()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            fine = licence() and fine
        return fine

    def licence() -> bool:
        token = tokens.pop(0)
        if token == "(":
            fine = alternatives()
            tokens.pop(0)
            return fine
        if tokens and tokens[0] == "WITH":
            token = f"{token} WITH {tokens[1]}"
            del tokens[:2]
        return token in allowed

    return alternatives()


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[-+]", version)[0].split("."))


def is_refused(name: str, version: str, rule: str) -> bool:
    refused, _, below = rule.partition("@<")
    if name != refused:
        return False
    bound = number(below) if below else ()
    return not below or number(version)[: len(bound)] < bound


def findings(packages: list[dict], policy: dict) -> list[str]:
    allowed = set(policy["licenses"]["allow"])
    found = []
    for package in packages:
        crate = f"{package['name']} {package['version']}"
        if not package["license"]:
            found.append(f"{crate} names no licence")
        elif not is_allowed(package["license"], allowed):
            found.append(f"{crate} is under {package['license']}, which deny.toml does not allow")
        if package["source"] not in (None, REGISTRY):
            found.append(f"{crate} comes from {package['source']}")
        for rule in policy["bans"]["deny"]:
            if is_refused(package["name"], package["version"], rule["crate"]):
                found.append(f"{crate} is refused: {rule['reason']}")
    return found


def main() -> None:
    policy = tomllib.loads(Path("deny.toml").read_text())
    compiler = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in compiler.splitlines() if line.startswith("host:"))
    # What is built here; other platforms' crates would have to be downloaded to be read.
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    if found := findings(packages, policy):
        sys.exit("\n".join(f"policy: {finding}" for finding in found))
    print(f"policy: {len(packages)} packages have an allowed licence, a known source and are not refused")
    if shutil.which("cargo-deny"):
        checks = ["bans", "licenses", "sources"]
        if (Path.home() / ".cargo/advisory-dbs").is_dir():
            checks.append("advisories")
        subprocess.run(["cargo", "deny", "--offline", "check", *checks], check=True)


if __name__ == "__main__":
    main()
