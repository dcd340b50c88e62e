# shellcheck shell=bash
# The stages of both tiers, each a function that fails by its first failing command, and what runs and times them.
# Sourced by .ci/run and .ci/deep; everything is built in a folder of its own, which is removed at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=$(command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
"$python" -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed, this is " + sys.version'

# Fails with the package that brings a program that is not there: a stage that cannot run has not passed.
need() { # program, Debian package
  command -v "$1" >/dev/null || {
    echo "$1 is not installed: apt-get install $2" >&2
    return 1
  }
}

# Enters a virtual environment of this run, made when first asked for; the rest are its requirements.
enter() { # name, requirements
  if [[ ! -e $work/$1/made ]]; then
    "$python" -m venv "$work/$1"
    "$work/$1/bin/pip" install --quiet --upgrade pip
    [[ $# == 1 ]] || "$work/$1/bin/pip" install --quiet "${@:2}"
    touch "$work/$1/made"
  fi
  # shellcheck disable=SC1090,SC1091
  . "$work/$1/bin/activate"
}

# Enters an environment with the tools of the extra `dev` and what the package needs, without building the package.
enter_tools() {
  local requirements
  mapfile -t requirements < <("$python" - <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *extras["cpu"], *extras["dev"], sep="\n")
PYTHON
  )
  enter tools "${requirements[@]}"
}

# Builds the C++ tests of a preset and runs them.
build_cpp() { # preset
  enter_tools
  cmake --preset "$1" -B "$work/$1" >"$work/$1.log" || {
    cat "$work/$1.log"
    return 1
  }
  cmake --build "$work/$1" --parallel "$(nproc)" >"$work/$1.log" || {
    cat "$work/$1.log"
    return 1
  }
}
test_cpp() { # preset
  build_cpp "$1"
  # ThreadSanitizer wants its memory where addresses that are drawn at random may lie.
  setarch "$(uname -m)" -R ctest --test-dir "$work/$1" --output-on-failure --parallel "$(nproc)"
}

stage_style() {
  enter_tools
  ruff check .
  ruff format --check .
  mypy
  PYTHONPATH=python lint-imports
  git ls-files -z '*.cpp' '*.hpp' '*.h' '*.inl' | xargs -0 clang-format --dry-run --Werror
  shellcheck .ci/* bench/gpu/run.sh
}

stage_cpp() { test_cpp debug; }

stage_asan() { test_cpp asan; }

# The site without a warning and without a network, its links, and every block of its pages; it stays in build/site.
stage_docs() {
  need cmake cmake
  need c++ g++
  enter docs '.[cpu,plot,test,docs]'
  rm -rf build/site
  https_proxy=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 \
    python -m sphinx -W --keep-going -q -d "$work/doctrees" docs build/site
  PIXELGAUGE_SITE=$PWD/build/site PIXELGAUGE_DOCS=all CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) pytest tests/docs |
    tee "$work/docs.log"
  echo "docs: $(tail -n 1 "$work/docs.log")" >>"$work/figures"
}

# Exactly the README's test command, in a fresh virtual environment.
stage_tests() {
  local command
  # shellcheck disable=SC2016
  command=$(sed -n '/<!-- test command -->/,/```$/p' README.md | sed -n '/^```/,/^```/p' | sed '/^```/d')
  [[ -n $command ]]
  enter tests
  echo "$command"
  bash -euo pipefail -c "$command" | tee "$work/pytest.log"
  tail -n 1 "$work/pytest.log" >"$work/closing"
}

# The models of examples/generative, which the tests stage skips: it has no JAX.
stage_examples() {
  enter examples '.[cpu,examples,test]'
  pytest tests/examples | tee "$work/pytest.log"
  echo "examples: $(tail -n 1 "$work/pytest.log")" >>"$work/figures"
}

# Half a million executions over all targets, the same in every run: a change is judged by itself, new inputs are the other tier's.
# What it finds outlives the run.
findings=build/fuzz-findings
stage_fuzz() {
  enter tests '.[cpu,test]' # where the stage before has not installed it
  fuzz mutations --runs 20000 1
}

# Hours, with inputs chosen by the branches that they take too.
stage_fuzz_long() {
  enter fuzz '.[cpu,test,fuzz]'
  # the day is the seed: other inputs each time, and the same again on demand
  fuzz mutations --seconds $((${FUZZ_SECONDS:-14400} / 2)) "$(date +%Y%m%d)"
  fuzz atheris --seconds $((${FUZZ_SECONDS:-14400} / 2)) "$(date +%Y%m%d)"
}
fuzz() { # engine, how long (an option and its value), seed
  python -m tests.fuzz --engine "$1" "$2" "$3" --jobs "$(nproc)" --seed "$4" --findings "$findings" |
    tee "$work/fuzz.log"
  echo "fuzz: $(grep '^all ' "$work/fuzz.log")" >>"$work/figures"
}

# The whole suite under each instruction set that this processor has.
stage_isas() {
  enter suite '.[cpu,test]'
  local isas isa
  isas=$(python -c 'import pixelgauge; print(*pixelgauge.build_info()["available_isas"])')
  for isa in $isas; do
    echo "PIXELGAUGE_ISA=$isa pytest"
    PIXELGAUGE_ISA=$isa pytest | tee "$work/pytest.log"
    echo "$isa: $(tail -n 1 "$work/pytest.log")" >>"$work/figures"
  done
}

# The properties with new examples, many times as many as in the first tier.
stage_hypothesis() {
  enter suite '.[cpu,test]'
  HYPOTHESIS_PROFILE=deep HYPOTHESIS_STORAGE_DIRECTORY="$work/hypothesis" pytest -m hypothesis --hypothesis-show-statistics |
    tee "$work/pytest.log"
  echo "hypothesis: $(tail -n 1 "$work/pytest.log")" >>"$work/figures"
}

# Whether the intervals cover: every population and size, 4000 samples each, from fixed seeds.
stage_coverage() {
  enter suite '.[cpu,test]'
  OPENBLAS_NUM_THREADS=1 python -m bench.coverage --found "$work/coverage.jsonl" | tee "$work/coverage.log"
  echo "coverage: $(tail -n 1 "$work/coverage.log")" >>"$work/figures"
}

# The reports in Debian's Chromium: keys, fingers, axe's rules, no request, hostile names, frame times. Pictures of them outlive the run.
stage_browser() {
  need chromium chromium
  need node nodejs
  need npm npm
  enter suite '.[cpu,test]'
  local shots
  shots=$(mktemp -d -t pixelgauge-reports.XXXXXX)
  python -m tests.browser.make_reports "$work/reports"
  cp -R tests/browser "$work/browser"
  npm ci --prefix "$work/browser" --ignore-scripts --no-audit --no-fund --silent
  PIXELGAUGE_REPORTS=$work/reports PIXELGAUGE_SHOTS=$shots npm test --prefix "$work/browser" | tee "$work/browser.log"
  echo "reports' pictures: $shots" >>"$work/figures"
  grep -E '^(Chrome/|scroll:|filter:)' "$work/browser.log" >>"$work/figures"
}

stage_tsan() { test_cpp tsan; }

need_clang() {
  need clang++-19 clang-19
  echo 'int main() {}' | clang++-19 -fsanitize=address,undefined -x c++ - -o "$work/sanitized" || {
    echo "clang++-19 does not link the sanitizers: apt-get install libclang-rt-19-dev" >&2
    return 1
  }
}

stage_clang() {
  need_clang
  test_cpp debug-clang
}

stage_asan_clang() {
  need_clang
  test_cpp asan-clang
}

stage_tsan_clang() {
  need_clang
  test_cpp tsan-clang
}

# Guard pages of every size and the million random calls, with AddressSanitizer watching.
stage_full() {
  build_cpp asan
  run_full guard_pages all
  run_full arguments 1000000 "$(date +%Y%m%d)" # the day is the seed: other calls each time, and the same again on demand
}
run_full() { # test, its arguments
  local program
  program=$(find "$work/asan" -type f -name "test_$1")
  [[ -n $program ]] || {
    echo "the preset asan builds no test_$1" >&2
    return 1
  }
  echo "test_$*"
  "$program" "${@:2}" | tee "$work/full.log"
  echo "test_$*: $(tail -n 1 "$work/full.log")" >>"$work/figures"
}

stage_aarch64() {
  need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
  need aarch64-linux-gnu-objdump binutils-aarch64-linux-gnu
  need qemu-aarch64 qemu-user
  test_cpp aarch64
}

# Runs the stages named on the command line, or all of the tier's; the table of times and the suite's closing line are last.
run_stages() { # stop or go-on at a failure, the tier's stages, --, the command line
  local on_failure=$1 name code start failed=0 known=() chosen=() table=()
  shift
  while [[ $1 != -- ]]; do
    known+=("$1")
    shift
  done
  shift
  chosen=("$@")
  [[ $# -gt 0 ]] || chosen=("${known[@]}")
  for name in "${chosen[@]}"; do
    [[ " ${known[*]} " == *" $name "* ]] || {
      echo "there is no stage $name: use ${known[*]}" >&2
      exit 2
    }
  done
  for name in "${chosen[@]}"; do
    echo "== $name"
    start=$SECONDS
    # not `if (...)`: a condition would switch off `set -e` inside
    set +e
    (
      set -e
      "stage_${name//-/_}"
    )
    code=$?
    set -e
    table+=("$(printf '%-10s %5d s  %s' "$name" $((SECONDS - start)) "$([[ $code == 0 ]] && echo passed || echo FAILED)")")
    if [[ $code != 0 ]]; then
      failed=1
      [[ $on_failure == go-on ]] || break
    fi
  done
  echo "== times"
  printf '%s\n' "${table[@]}"
  [[ ! -e $work/figures ]] || cat "$work/figures"
  [[ ! -e $work/closing ]] || cat "$work/closing"
  return $failed
}
