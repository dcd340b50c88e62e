"""Checks that no code compiled for a higher instruction set can be shared with, or run before, common code.

In the core's archive: an ISA unit defines no weak symbol (the linker would keep one copy for everyone), exports its
table alone and has no static initialiser; no other unit holds an instruction of its ISA.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

ISA_UNITS = {"baseline.cpp.o": "kBaseline", "avx2.cpp.o": "kAvx2", "avx512.cpp.o": "kAvx512"}
# Registers and encodings that only these ISAs have: VEX mnemonics begin with v, wide and mask registers are AVX-512's.
HIGHER = {
    "common": re.compile(r"\t(v[a-z0-9]+)\s|%[yz]mm|%k[1-7]"),
    "avx2.cpp.o": re.compile(r"%zmm|%k[1-7]|%[xy]mm(1[6-9]|2\d|3[01])"),
}


def by_member(text: str) -> dict[str, list[str]]:
    """Lines of nm's or objdump's output by the archive member they are about."""
    members: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := re.match(r"^(?:.*\()?([\w.]+\.cpp\.o)\)?:", line):
            name = match[1]
        members.setdefault(name, []).append(line)
    return members


def main() -> int:
    """Run the check; 0 if nothing leaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("archive")
    args = parser.parse_args()
    symbols = by_member(subprocess.run([args.nm, args.archive], capture_output=True, text=True, check=True).stdout)
    code = by_member(
        subprocess.run(
            [args.objdump, "-d", "--no-show-raw-insn", args.archive], capture_output=True, text=True, check=True
        ).stdout
    )
    failures = []
    isa_units = [m for m in symbols if m in ISA_UNITS]
    if "baseline.cpp.o" not in isa_units or not code:
        failures.append(f"no ISA units found among {sorted(symbols)}")
    for member in isa_units:
        defined = [line.split() for line in symbols[member] if re.match(r"^[0-9a-f]+ \w ", line)]
        weak = [name for _, kind, name in defined if kind in "WVu"]
        exported = [name for _, kind, name in defined if kind.isupper() and kind not in "WV"]
        initialisers = [name for _, _, name in defined if "_GLOBAL__sub_I" in name]
        if weak:
            failures.append(f"{member} defines weak symbols: {weak[:5]}")
        if len(exported) != 1 or ISA_UNITS[member] not in exported[0]:
            failures.append(f"{member} exports {exported}, not its table alone")
        if initialisers:
            failures.append(f"{member} runs code when it is loaded: {initialisers}")
    x86 = "avx2.cpp.o" in isa_units
    for member, lines in code.items():
        pattern = HIGHER.get(member) or (HIGHER["common"] if member != "avx512.cpp.o" else None)
        if not x86 or pattern is None:
            continue
        found = [line.strip() for line in lines if pattern.search(line)]
        if found:
            failures.append(f"{member} holds {len(found)} instructions of a higher ISA, such as: {found[0]}")
    if x86 and not any("%zmm" in line for line in code["avx512.cpp.o"]):
        failures.append("avx512.cpp.o holds no AVX-512 instruction: the check would prove nothing")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(isa_units)} ISA units and {len(code) - len(isa_units)} common units checked")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
