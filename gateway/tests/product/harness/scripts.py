"""Scripts for the SDKs of Node: each asks a gateway something and prints what it saw as JSON."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from .gateway import Account

SOURCES = Path(__file__).parents[1] / "node"


class Scripts:
    """The scripts beside their packages: Node looks for packages only above the script that imports them."""

    def __init__(self, folder: Path, modules: Path):
        self.folder = folder
        for script in SOURCES.glob("*.mjs"):
            shutil.copy(script, folder)
        (folder / "node_modules").symlink_to(modules)

    def run(self, name: str, account: Account, **arguments: object) -> dict:
        """What the script printed. Fails where the script does."""
        variables = {
            "PATH": os.environ["PATH"],
            "OPENAI_BASE_URL": f"{account.gateway.url}/v1",
            "OPENAI_API_KEY": account.key,
        }
        command = ["node", f"{name}.mjs", json.dumps(arguments)]
        done = subprocess.run(
            command, cwd=self.folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, f"{name}.mjs: {done.stderr}"
        return json.loads(done.stdout)
