#!/bin/bash
# All C is as clang-format leaves it, with the .clang-format at the top of the tree.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

# Versions of clang-format differ in detail; Debian 12 has this one.
formatter=$(command -v clang-format-14 || command -v clang-format)
if [ -z "$formatter" ]; then
	echo 'Bail out! clang-format is needed: apt-get install clang-format'
	exit 1
fi

check() {
	(cd "$1" && c_files . | xargs -r -d '\n' "$formatter" --dry-run --Werror \
		--style="file:$tree/.clang-format" 2>&1 | grep -E '(error|warning):')
}

tree_is_clean 'all C sources are formatted'
accepts 'a formatted file' base/x.c $'int f(int x)\n{\n\treturn x + 1;\n}'
refuses 'blanks for a tab' base/x.c $'int f(int x)\n{\n        return x + 1;\n}'
refuses 'an opening brace at the end of a function head' base/x.h $'int f(int x) {\n\treturn x;\n}'
refuses 'a long line' base/x.c "int f(int a_long_name, int another_long_name, int yet_another_name, int and_the_last_one_of_all_of_them);"
done_testing
