#!/bin/sh
# tiny: busybox, its applets and a static true; what unit-like tests need. Under a second.
#
# A recipe is run as root by `hearth image build` as NAME.sh ROOT WORK CACHE: it fills the empty
# directory ROOT, may use WORK as it likes, and may keep downloads in CACHE, which it does not
# trust. On its output it says, one a line:
#   progress PERMILLE TEXT | version TEXT | package NAME VERSION | env K=V | cwd DIR | ca NAME SHA256
# What it writes to its standard error goes to the log; a failure is explained by its last line.
set -eu
umask 022
root=$1

busybox=/bin/busybox
[ -x "$busybox" ] || {
	echo "$busybox not found: install busybox-static" >&2
	exit 1
}
if ldd "$busybox" >/dev/null 2>&1; then
	echo "$busybox is not static: install busybox-static" >&2
	exit 1
fi

echo "progress 100 copying busybox"
cd "$root"
mkdir -p bin sbin usr/bin usr/sbin etc dev proc sys run root tmp var/tmp workspace
chmod 0700 root
chmod 1777 tmp var/tmp
cp "$busybox" bin/busybox
chmod 0755 bin/busybox

echo "progress 300 linking applets"
"$busybox" --list-full | while read -r applet; do
	case $applet in
	bin/busybox | linuxrc | usr/bin/true | bin/true) ;;
	*) ln -s /bin/busybox "$applet" ;;
	esac
done
cp "$HEARTH_LIBEXECDIR/tiny-true" bin/true
chmod 0755 bin/true

echo "progress 900 writing /etc"
cat >etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
END
cat >etc/group <<'END'
root:x:0:
tty:x:5:
nogroup:x:65534:
END
cat >etc/hosts <<'END'
127.0.0.1 localhost
::1 localhost
END
: >etc/resolv.conf

version=$("$busybox" 2>&1 | sed -n '1s/^BusyBox v\([^ ]*\).*/\1/p')
echo "version $version"
echo "package busybox $version"
echo "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
echo "env HOME=/root"
echo "env LANG=C.UTF-8"
echo "cwd /root"
