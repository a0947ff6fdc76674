#!/bin/bash
# No notes to self, no paths of somebody's machine, no blanks at the end of a line.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

# Written so that this file does not find itself.
notes='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b'
paths='(^|[^[:alnum:]_.-])/(wor''k|far''m)/|\.\./shar''ed'
blanks='[[:blank:]]+$'

# A corpus holds what others must be able to read, not what we would write.
check() {
	(cd "$1" && files . | grep -v '^tests/fuzz/corpus/' |
		xargs -r -d '\n' grep -HnIE "$notes|$paths|$blanks")
}

tree_is_clean 'no notes to self, foreign paths or blanks at line ends'
refuses 'a note to self' x.c "/* TO""DO: more */"
refuses 'a note in a script' setup "# FIX""ME"
refuses 'three crosses' x.md "XX""X later"
accepts 'the pattern of a temporary name' x.sh 'mktemp -d /tmp/x.XXXXXX'
refuses 'the path of a machine' x.md "see /wor""k/main/README"
refuses 'it in quotes' x.c "char *p = \"/far""m/x\";"
accepts 'a path that only ends like it' x.md "see frame""work/x and /workspace/x"
refuses 'a blank at a line end' x.c 'int x; '
refuses 'a tab at a line end' x.mk $'x =\t'
done_testing
