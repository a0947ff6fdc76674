# shellcheck shell=bash
# Sourced by the lints: the files of the tree, TAP, and samples that a lint must refuse or accept.
#
# A lint defines check DIR, which prints a line for each thing that is wrong in the tree at DIR; a
# line that begins with "# " is a warning and no failure.

set -u
export LC_ALL=C

tree=$(cd "${top_srcdir:-.}" && pwd)
samples=$(mktemp -d) || exit 1
trap 'rm -rf "$samples"' EXIT
count=0
status=0

# files DIR: the sources below DIR, one relative path a line: what git tracks, and in a tree without
# git (a release, a sample) everything but what the build makes.
files() {
	if [ -e "$1/.git" ] && git -C "$1" ls-files 2>/dev/null >"$samples/tracked"; then
		while IFS= read -r name; do
			if [ -f "$1/$name" ]; then
				printf '%s\n' "$name"
			fi
		done <"$samples/tracked"
		return
	fi
	(cd "$1" && find . \( -name .git -o -path ./build -o -path './build-*' -o -path './_*' -o -path ./out \
		-o -name autom4te.cache -o -name .deps -o -name __pycache__ \) -prune -o -type f \
		! -name configure ! -name aclocal.m4 ! -name Makefile ! -name Makefile.in \
		! -path './config.*' ! -name '*.[oa]' ! -name '*.log' ! -name '*.trs' ! -name '*.test' \
		! -name stamp-h1 -print | sed 's,^\./,,' | sort)
}

# c_files DIR, shell_files DIR: of these, the C sources and the shell scripts.
c_files() {
	files "$1" | grep -E '\.[ch]$'
}

shell_files() {
	files "$1" | while IFS= read -r name; do
		case $name in
		*.sh) printf '%s\n' "$name" ;;
		*) head -n 1 "$1/$name" | tr -d '\0' | grep -qE '^#! ?/.*[/ ](ba)?sh( |$)' &&
			printf '%s\n' "$name" ;;
		esac
	done
}

# result OK NAME FINDINGS: one test.
result() {
	count=$((count + 1))
	if [ -n "$3" ]; then
		printf '%s\n' "$3" | sed 's/^\(# \)\{0,1\}/# /'
	fi
	if [ "$1" = yes ]; then
		printf 'ok %d - %s\n' "$count" "$2"
	else
		printf 'not ok %d - %s\n' "$count" "$2"
		status=1
	fi
}

# without_warnings TEXT
without_warnings() {
	printf '%s' "$1" | grep -v '^# '
}

# tree_is_clean NAME
tree_is_clean() {
	findings=$(check "$tree")
	if [ -z "$(without_warnings "$findings")" ]; then
		result yes "$1" "$findings"
	else
		result no "$1" "$findings"
	fi
}

# sample FILE CONTENT: a new tree at $samples/tree with this one file.
sample() {
	rm -rf "$samples/tree"
	mkdir -p "$samples/tree/$(dirname "$1")"
	printf '%s\n' "$2" >"$samples/tree/$1"
}

# refuses NAME FILE CONTENT, accepts NAME FILE CONTENT: what check must say about such a tree.
refuses() {
	sample "$2" "$3"
	findings=$(check "$samples/tree")
	if [ -n "$(without_warnings "$findings")" ]; then
		result yes "refuses $1" ""
	else
		result no "refuses $1" "nothing was found in $2"
	fi
}

accepts() {
	sample "$2" "$3"
	findings=$(check "$samples/tree")
	if [ -z "$(without_warnings "$findings")" ]; then
		result yes "accepts $1" ""
	else
		result no "accepts $1" "$findings"
	fi
}

# done_testing: the plan, and the exit status.
done_testing() {
	printf '1..%d\n' "$count"
	exit "$status"
}
