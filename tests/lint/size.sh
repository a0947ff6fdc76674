#!/bin/bash
# Small files, small functions: beyond 400 lines and 40 a warning, beyond 600 and 80 a failure.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

# A function's body is what stands between a { and a } that begin a line; so are no other blocks.
check() {
	c_files "$1" | while IFS= read -r file; do
		awk -v file="$file" '
		function complain(what, n, warn, fail) {
			if (n > fail)
				printf "%s: %s has %d lines, more than %d\n", file, what, n, fail
			else if (n > warn)
				printf "# %s: %s has %d lines, more than %d\n", file, what, n, warn
		}
		/^[A-Za-z_].*\(/ { match($0, /[A-Za-z_0-9]+\(/); name = substr($0, RSTART, RLENGTH - 1) }
		/^\{/ { start = NR }
		/^\}/ { if (start) complain(name "()", NR - start - 1, 40, 80); start = 0 }
		END { complain("the file", NR, 400, 600) }
		' "$1/$file"
	done
}

lines() {
	for ((i = 0; i < $1; i++)); do
		echo "$2"
	done
}

body=$'int f(void)\n{\n'
tree_is_clean 'no file has more than 600 lines, no function more than 80'
accepts 'a file of 600 lines' base/x.c "$(lines 600 'int x;')"
refuses 'a file of 601 lines' base/x.c "$(lines 601 'int x;')"
refuses 'a header of 601 lines' base/x.h "$(lines 601 'int x;')"
accepts 'a function of 80 lines' base/x.c "$body$(lines 80 $'\tx();')"$'\n}'
refuses 'a function of 81 lines' base/x.c "$body$(lines 81 $'\tx();')"$'\n}'
refuses 'the second of two functions' base/x.c "$body"$'}\n\n'"$body$(lines 81 $'\tx();')"$'\n}'
accepts 'a long table' base/x.c $'static const int x[] = {\n'"$(lines 200 $'\t1,')"$'\n};'
accepts 'a long text' base/x.md "$(lines 700 text)"
done_testing
