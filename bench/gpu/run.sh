#!/usr/bin/env bash
# bench.gpu in an environment of its own, made of a folder of wheels and nothing from a network:
#
#     bench/gpu/run.sh WHEELS [options of python -m bench.gpu]
#
# WHEELS holds pixelgauge's wheel and onnxruntime-gpu's (`onnxruntime`'s with --provider cpu), and those of what they need
# that this machine's Python does not have:
#
#     pip wheel --no-deps -w WHEELS . && pip download -d WHEELS onnxruntime-gpu numpy pillow tqdm
#     pip download --no-deps -d WHEELS lpips pytorch-fid
#
# PyTorch and torchvision of this machine's Python, with lpips and pytorch-fid of either, are the contenders where they are there.
# The references of parity are in PIXELGAUGE_SHARED, `../shared` by default; without them the CPU is what the card is held against.
set -euo pipefail
wheels=$(cd "${1:?the folder of wheels}" && pwd)
shift
cd "$(dirname "$0")/../.."
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv --system-site-packages "$environment"
# Where python3 is itself of a virtual environment, its packages are not the system's: they come behind those of this one.
python3 -c 'import site; print(*site.getsitepackages(), sep="\n")' >"$("$environment/bin/python" -c 'import site; print(site.getsitepackages()[0])')/behind.pth"
shopt -s nullglob
runtime=("$wheels"/onnxruntime*.whl)
own=("$wheels"/pixelgauge-*.whl)
[ ${#runtime[@]} = 1 ] && [ ${#own[@]} = 1 ] || {
  echo "$wheels must hold one wheel of pixelgauge and one of onnxruntime: it has ${own[*]:-none} and ${runtime[*]:-none}" >&2
  exit 2
}
# Onnxruntime in whatever kind the machine has it is replaced here alone.
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" --ignore-installed --no-deps "${runtime[@]}" "${own[@]}"
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" "${runtime[@]}" "${own[@]}"
programs=("$wheels"/lpips-*.whl "$wheels"/pytorch_fid-*.whl)
[ ${#programs[@]} = 0 ] || "$environment/bin/pip" install --quiet --no-index --no-deps "${programs[@]}"
# CUDA's libraries where packages of this machine's Python bring them: onnxruntime looks beside itself alone.
libraries=$("$environment/bin/python" -c "
import importlib.util, pathlib
found = importlib.util.find_spec('nvidia')
print(':'.join(str(folder) for place in (found.submodule_search_locations if found else []) for folder in sorted(pathlib.Path(place).glob('*/lib'))))")
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$environment/bin/python" -m bench.gpu "$@"
