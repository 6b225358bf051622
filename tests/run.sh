#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test suites, each of which prints TAP, and closes with one line for all of them.
# Usage: run.sh [SUITE...]; without one, all of them in order of what they need.
set -u
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
python=${PYTHON:-/usr/bin/python3}
out=${OUT:-.output}
mkdir -p "$out/tests"

unit() {
	local status=0
	for program in "$out"/tests/unit/*.test; do
		CMOCKA_MESSAGE_OUTPUT=TAP "$program" || status=1
	done
	return $status
}
cli() {
	local status=0
	for script in tests/cli/*.py; do
		head -1 "$script" | grep -q '^#!' || continue	# a module of the others
		$python "$script" || status=1
	done
	return $status
}
trace() {
	local status=0
	for script in run timeline stacks; do
		$python tests/trace/$script.py || status=1
	done
	return $status
}
truth() { $python tests/truth/run.py; }
fds() { $python tests/truth/fds.py --batch; }
doctor() { $python tests/doctor/run.py --quick; }
# All of its programs, which takes a quarter of an hour: see test-doctor.
doctors() { $python tests/doctor/run.py; }
cross() { $python tests/truth/cross.py; }
screen() { $python tests/screen/run.py; }
servers() {
	local status=0
	for script in run descriptors models; do
		$python tests/servers/$script.py || status=1
	done
	return $status
}
# Every server of the lab, tested; it is measured by make lab.
lab() {
	local status=0
	for script in clients document; do
		$python tests/lab/$script.py || status=1
	done
	return $status
}
# On stock kernels, which are fetched. Not all of it runs without being named: see test-kernels.
matrix() { $python tests/vm/run.py --suite hooks --suite truth --suite lacking; }
kernels() {
	local options=()
	for backend in ${BACKENDS:-}; do
		options+=(--backend "$backend")
	done
	$python tests/vm/run.py ${KERNELS:-} "${options[@]}"
}

suites=("$@")
[ $# -gt 0 ] || suites=(unit cli screen truth trace fds cross doctor servers lab matrix)
passed=0 failed=0 skipped=0
for suite in "${suites[@]}"; do
	log=$out/tests/$suite.tap
	echo "== $suite"
	begin=$SECONDS
	"$suite" >"$log" 2>&1 </dev/null
	status=$?
	skips=$(grep -cE '^ok .*# SKIP' "$log")
	good=$(($(grep -c '^ok ' "$log") - skips))
	bad=$(grep -c '^not ok ' "$log")
	# A suite that died, or that tested nothing, is a failure of its own.
	if [ $bad = 0 ] && { [ $status != 0 ] || [ $((good + skips)) = 0 ]; }; then
		bad=1
		tail -20 "$log"
	fi
	# What failed, with what it said, and what was not run, with its reason.
	awk '/^(ok|not ok) /{show = /^not ok / || /# SKIP/} show' "$log"
	echo "   $good passed, $bad failed, $skips skipped ($((SECONDS - begin)) s; $log)"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
done

# Tests that all need root prove nothing without it; a guest has its own.
if [ "$(id -u)" != 0 ] && [ "${suites[*]}" != kernels ]; then
	echo "not root: run it as sudo make test"
	failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
