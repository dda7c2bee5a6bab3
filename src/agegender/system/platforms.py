"""The supported platforms, checked before the imports that fail on others."""

import sys

SUPPORTED = "Linux and macOS"


def check_platform() -> None:
    """Exit with one line and code 2 on Windows, which lacks signals and calls that checkpoints and caches need."""
    if sys.platform in ("win32", "cygwin"):
        print(
            f"error: agegender runs on {SUPPORTED}, not on {sys.platform}; on Windows use WSL (wsl --install)",
            file=sys.stderr,
        )
        sys.exit(2)
