#!/bin/bash
# Who may include whom: base < proto < {nsjail-lite, images, pool} < {supervisor, agentd, cli}. The
# three in the middle do not know each other; agentd and dns, which read foreign bytes, see none of them.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

# config.h, made by configure, is everybody's.
#
# allowed FILE: the folders whose headers it may include, as an extended regular expression.
allowed() {
	case $1 in
	base/*) echo 'base/' ;;
	proto/*) echo '(base|proto)/' ;;
	nsjail-lite/guest/*) echo '(base|proto|nsjail-lite/guest)/' ;;
	nsjail-lite/main.c) echo '(base|proto|nsjail-lite|images)/' ;;
	nsjail-lite/*) echo '(base|proto|nsjail-lite)/' ;;
	images/*) echo '(base|proto|images)/' ;;
	pool/*) echo '(base|proto|pool)/' ;;
	supervisor/*) echo '(base|proto|nsjail-lite|images|pool|supervisor)/' ;;
	agentd/*) echo '(base|proto|agentd)/' ;;
	dns/*) echo '(base|proto|dns)/' ;;
	cli/*) echo '(base|proto|nsjail-lite|images|pool|cli)/' ;;
	examples/*) echo '(base|proto)/' ;;
	tests/*) echo '[a-z-]+/' ;;
	*) echo '' ;;
	esac
}

# forbidden FILE: headers that it must not see although their folder is allowed, or outside the tree.
forbidden() {
	case $1 in
	# Pure, or for both C libraries: no event loop.
	base/* | proto/* | pool/* | nsjail-lite/* | images/*) echo '<event2/' ;;
	# JSON ends in agentd and the command line.
	supervisor/*) echo '"proto/rpc\.h"' ;;
	agentd/*) echo '<(seccomp|libmnl|libnftnl|netlink|sys/capability)' ;;
	*) echo '^$' ;;
	esac
}

check_includes() {
	c_files "$1" | while IFS= read -r file; do
		folders=$(allowed "$file")
		if [ -z "$folders" ]; then
			echo "$file: no rule says what this folder may include"
			continue
		fi
		grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$1/$file" |
			grep -vE "include[[:space:]]*\"(${folders}[^\"]*|config\.h)\"" | sed "s,^,$file:,"
		grep -nE '^[[:space:]]*#[[:space:]]*include' "$1/$file" | sed 's/^[0-9]*:.*include//' |
			grep -E "$(forbidden "$file")" | sed "s,^,$file: must not see ,"
		case $file in
		nsjail-lite/* | images/* | pool/* | base/*)
			grep -nF '"proto/rpc.h"' "$1/$file" | sed "s,^,$file:,"
			;;
		esac
	done
}

# The linker holds the same line: agentd is not even given these libraries.
check_links() {
	[ -f "$1/agentd/local.mk" ] || return
	grep -nE 'lib(jail|pool|images)|(SECCOMP|CAP|NL|MNL|NFTNL)_(LIBS|CFLAGS)|-l(seccomp|cap|nl|mnl)' \
		"$1/agentd/local.mk" | sed 's,^,agentd/local.mk:,'
}

check() {
	check_includes "$1"
	check_links "$1"
}

tree_is_clean 'no file includes a floor that it may not see'
refuses 'proto in base' base/x.c '#include "proto/check.h"'
refuses 'a middle floor in proto' proto/x.c '#include "nsjail-lite/jail.h"'
refuses 'nsjail-lite in pool' pool/x.h '#include "nsjail-lite/jail.h"'
refuses 'pool in images' images/x.c '#include "pool/pool.h"'
refuses 'images in nsjail-lite' nsjail-lite/jail.c '#include "images/image.h"'
accepts 'images in the command line of nsjail-lite' nsjail-lite/main.c '#include "images/image.h"'
refuses 'the jail in the guest' nsjail-lite/guest/x.c '#include "nsjail-lite/jail.h"'
accepts 'the guest in the guest' nsjail-lite/guest/x.c '#include "nsjail-lite/guest/guest.h"'
refuses 'the jail in agentd' agentd/tool/x.c '#include "nsjail-lite/jail.h"'
refuses 'pool in agentd' agentd/x.c '#	include "pool/pool.h"'
refuses 'the command line in the supervisor' supervisor/x.c '#include "cli/command.h"'
refuses 'the supervisor in the command line' cli/x.c '#include "supervisor/main.h"'
refuses 'the jail in dns' dns/x.c '#include "nsjail-lite/jail.h"'
accepts 'its protocol and an event loop in dns' dns/x.c '#include "proto/dns.h"
#include <event2/dns.h>'
accepts 'all middle floors in the supervisor' supervisor/x.c '#include "nsjail-lite/jail.h"
#include "images/image.h"
#include "pool/pool.h"'
refuses 'a path without its folder' base/x.c '#include "error.h"'
refuses 'a path that climbs' pool/x.c '#include "../nsjail-lite/jail.h"'
refuses 'a folder without a rule' attic/x.c 'int x;'
refuses 'an event loop in pool' pool/x.c '#include <event2/event.h>'
refuses 'JSON-RPC in the supervisor' supervisor/x.c '#include "proto/rpc.h"'
refuses 'JSON-RPC in the builder' nsjail-lite/builder/x.c '#include "proto/rpc.h"'
refuses 'libseccomp in agentd' agentd/x.c '#include <seccomp.h>'
refuses 'the jail library linked to agentd' agentd/local.mk 'hearth_agentd_LDADD = libjail.a'
# shellcheck disable=SC2016 # make's variables, not ours
refuses 'libseccomp linked to agentd' agentd/local.mk 'hearth_agentd_LDADD = $(SECCOMP_LIBS)'
# shellcheck disable=SC2016
accepts 'its own libraries linked to agentd' agentd/local.mk \
	'hearth_agentd_LDADD = librpc.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)'
done_testing
