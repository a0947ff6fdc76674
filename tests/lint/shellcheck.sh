#!/bin/bash
# No shell script, whatever its name, gives shellcheck a reason to speak.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

if ! command -v shellcheck >/dev/null; then
	echo 'Bail out! shellcheck is needed: apt-get install shellcheck'
	exit 1
fi

# SC1091: a file that is sourced from elsewhere, such as /etc/os-release.
check() {
	(cd "$1" && shell_files . | xargs -r -d '\n' shellcheck --format=gcc \
		--external-sources --exclude=SC1091)
}

tree_is_clean 'all shell scripts are clean'
accepts 'a clean script' x.sh $'#!/bin/sh\necho "$1"'
refuses 'an unquoted variable' x.sh $'#!/bin/sh\nrm $1'
refuses 'it in a script that only its first line tells' setup $'#!/bin/bash\nrm $1'
refuses 'it behind env' setup $'#!/usr/bin/env bash\nrm $1'
accepts 'what is no shell script' x.py $'#!/usr/bin/python3\nrm $1'
done_testing
