#!/bin/bash
# leaks.sh - prints what of Hearth is alive on this host, one sorted line each: processes, cgroups,
# network namespaces, links, mounts, uid ranges, sockets and temporary directories.
# Compare two runs: what the second has more is left behind.
set -u

processes() {
	local comm pid
	grep -lE '^(hearth|nsjail-lite)' /proc/[0-9]*/comm 2>/dev/null | while read -r comm; do
		pid=${comm#/proc/}
		pid=${pid%/comm}
		echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
	done 2>/dev/null
}

# Namespaces of living processes; one that only a mount or an fd holds has a process or mount here too.
namespaces() {
	find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/net' -printf '%l\n' 2>/dev/null | sort -u |
		sed -n 's/^net:/netns net:/p'
	find /run/netns -maxdepth 1 \( -name 'hearth*' -o -name 'hth*' \) 2>/dev/null | sed 's/^/netns /'
}

{
	processes
	find /sys/fs/cgroup -maxdepth 6 -type d -name 'hearth*' 2>/dev/null | sed 's/^/cgroup /'
	namespaces
	find /sys/class/net -maxdepth 1 \( -name 'hearth*' -o -name 'hth*' \) -printf 'link %f\n' 2>/dev/null
	awk '/hearth/ { print "mount", $5 }' /proc/self/mountinfo
	sed 's/^/uid range /' /run/hearth-uid-ranges 2>/dev/null
	awk '$8 ~ /(control|agentd)\.sock$/ { print "socket", $8 }' /proc/net/unix
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'hearth*' -printf 'temporary %p\n' 2>/dev/null
} | sort
