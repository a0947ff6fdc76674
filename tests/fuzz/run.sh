#!/bin/bash
# run.sh CORPUS PROGRAM... - let each fuzz target search for HEARTH_FUZZ_SECONDS, and count. What fails, and
# the inputs that led to code which the corpus does not reach, are kept below fuzz-finds/NAME/.
set -u
corpus=$1
shift
seconds=${HEARTH_FUZZ_SECONDS:-60}
finds=fuzz-finds
failed=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1}

for program; do
	name=${program##*/}
	name=${name%_fuzz.test}
	mkdir -p "$finds/$name/new"
	log=$finds/$name/log
	if "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$finds/$name/" \
		"$finds/$name/new" "$corpus/$name" >"$log" 2>&1; then
		result=ok
	else
		result=FAILED
		failed=$((failed + 1))
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	printf '%-14s %10s runs %6s edges  %s\n' "$name" "${runs:-?}" "${edges:-?}" "$result"
done
echo "fuzz: $# targets, $failed failed, $seconds s each"
[ "$failed" = 0 ]
