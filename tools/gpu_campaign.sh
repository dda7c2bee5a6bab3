#!/bin/sh
# Checks, rates and Table 2 on a machine that has a GPU but no network: see docs/cluster.md, or this script with --help.
# Here it uses the project's environment; there, the Python that holds PyTorch, or the one that PYTHON names.
here=$(dirname "$0")
if [ -z "$PYTHON" ] && [ -x "$here/../.venv/bin/python" ]; then PYTHON=$here/../.venv/bin/python; fi
exec "${PYTHON:-python3}" "$here/gpu_campaign.py" "$@"
