#!/bin/bash
# peers.sh - hearth run and nsjail-lite beside other sandboxes, as whole client processes, as root:
#
#   tests/bench/peers.sh [--json] BIN_DIR [RUNS]     RUNS of each program and pause, 5 to 10000 (default 100)
#
# bwrap, crun, runc, systemd-nspawn and unshare come from Debian's packages; what is missing is installed, stays
# installed, and no service is started. peers.py says how it is measured. Everything else that is made here
# has a name that begins with hearth-peers and is removed at the end, at an interrupt too; the image tiny stays in
# the store of images if it had to be built. The exit status does not depend on the figures.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d
work='' bin='' id=hearth-peers-$$ timer='' own_policy='' cgroup=''

fail() {
	printf 'peers.sh: %s\n' "$1" >&2
	exit "${2:-1}"
}

usage() {
	printf 'usage: peers.sh [--json] BIN_DIR [RUNS]     RUNS: 5 to 10000 (default 100)\n' >&2
	exit 2
}

# peers.py removes its containers; runtimes and systemd-nspawn leave cgroups, also some below ours.
clean_up() {
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	if [ -n "$timer" ]; then
		kill -TERM "$timer" 2>/dev/null
		wait "$timer"
	fi
	if [ -n "$own_policy" ]; then
		rm -f "$policy"
	fi
	if [ -n "$work" ]; then
		if [ -d "$work/instance" ]; then
			"$bin/hearth" down --dir "$work/instance" >/dev/null
		fi
		find /sys/fs/cgroup -depth -type d -path "*/$id-*" -exec rmdir {} + 2>/dev/null
		rm -rf "$work"
	fi
}

# A service is not started while policy-rc.d says so.
install_packages() {
	local pair missing=()
	for pair in bwrap:bubblewrap crun:crun runc:runc systemd-nspawn:systemd-container unshare:util-linux \
		busybox:busybox-static python3:python3; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ ! -e "$policy" ]; then
		own_policy=yes
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update >/dev/null 2>&1 || true
	# One by one: what is not to be had costs its own row only.
	for pair in "${missing[@]}"; do
		apt-get -qy install --no-install-recommends "$pair" >/dev/null 2>&1 ||
			printf 'peers.sh: package %s cannot be installed\n' "$pair" >&2
	done
	if [ -n "$own_policy" ]; then
		rm -f "$policy"
		own_policy=''
	fi
}

# The files of image tiny that a run needs, so that all run the same true.
make_tree() {
	local tree=$work/tree busybox
	busybox=$(command -v busybox) || fail 'busybox is needed: apt-get install busybox-static'
	! ldd "$busybox" >/dev/null 2>&1 || fail "$busybox is not static: apt-get install busybox-static"
	mkdir -p "$tree"/{bin,dev,etc,proc,root,run,sys,tmp,usr,var}
	cp "$busybox" "$tree/bin/busybox"
	ln -s busybox "$tree/bin/sh"
	cp "$bin/../libexec/hearth/tiny-true" "$tree/bin/true"
	printf 'ID=busybox\n' >"$tree/etc/os-release"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$tree/etc/passwd"
}

# systemd-nspawn makes cgroups beside its own; so that these have our name, all are started from one of ours.
make_cgroup() {
	local top=/sys/fs/cgroup
	[ ! -d "$top/systemd" ] || top=$top/systemd
	cgroup=$top/$id-clients
	mkdir "$cgroup"
}

json=()
if [ "${1:-}" = --json ]; then
	json=(--json)
	shift
fi
if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ $1 == -* ]]; then
	usage
fi
runs=${2:-100}
if ! [[ $runs =~ ^[1-9][0-9]{0,4}$ ]] || [ "$runs" -lt 5 ] || [ "$runs" -gt 10000 ]; then
	usage
fi
if ! [ -x "$1/hearth" ] || ! [ -x "$1/nsjail-lite" ]; then
	fail "$1: no hearth and nsjail-lite there" 2
fi
[ "$(id -u)" = 0 ] || fail 'needs root'
bin=$(cd "$1" && pwd)

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
install_packages
work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-peers.XXXXXX")
chmod 755 "$work"
make_tree
make_cgroup
"$bin/hearth" up --dir "$work/instance" --image tiny --pool 20 >/dev/null ||
	printf 'peers.sh: no instance, so no figures of hearth run\n' >&2
# In the background, because a trap waits for what runs in the foreground.
(
	echo 0 >"$cgroup/cgroup.procs"
	exec python3 "$here/peers.py" --bin "$bin" --work "$work" --id "$id" --runs "$runs" "${json[@]}"
) &
timer=$!
status=0
wait "$timer" || status=$?
timer=''
[ "$status" = 0 ]
