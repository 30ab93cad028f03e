#!/usr/bin/env bash
# An environment of its own for benchmarks/peers.py: this package and the libraries it is held against.
#
#     bash benchmarks/peers-environment.sh DIR
#
# torchattacks comes without what it asks for: it would bring torchvision, which it needs for none of
# the attacks used here; what it does import the others bring along.
set -euo pipefail
directory=${1:?give the directory to create}
cd "$(dirname "$0")/.."

python3 -m venv "$directory"
"$directory/bin/pip" install --quiet '.[bench]' adversarial-robustness-toolbox==1.20.1 foolbox==3.3.4
"$directory/bin/pip" install --quiet --no-deps torchattacks==3.5.1
"$directory/bin/python" -W ignore -c "import art, foolbox, rafair, torchattacks"
