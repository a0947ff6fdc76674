"""Package managers and what they call, in sandboxes of the image base; all from local files."""

import tap
from inside import Inside

# A package with all that needs a privilege to unpack: an owner, a set-id bit, a capability.
PACKAGE = r"""
mkdir -p /p/DEBIAN /p/opt/hearty /p/etc
printf '#!/bin/sh\necho "hearty runs"\n' >/p/opt/hearty/run
chmod 0755 /p/opt/hearty/run
cp /bin/true /p/opt/hearty/as-mail
chown mail:mail /p/opt/hearty/as-mail
chmod 6755 /p/opt/hearty/as-mail
echo setting=1 >/p/etc/hearty.conf
echo /etc/hearty.conf >/p/DEBIAN/conffiles
cat >/p/DEBIAN/control <<END
Package: hearty
Version: $1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: a package for a test
END
cat >/p/DEBIAN/postinst <<'END'
#!/bin/sh
set -e
getent passwd hearty >/dev/null || useradd --system --home-dir /opt/hearty hearty
install -d -o hearty -g hearty -m 0750 /var/lib/hearty
cp /bin/true /opt/hearty/on-port-80
setcap cap_net_bind_service=ep /opt/hearty/on-port-80
END
chmod 0755 /p/DEBIAN/postinst
dpkg-deb --build /p /hearty_$1_all.deb >/dev/null
"""
INSTALLED = r"""
/opt/hearty/run
/opt/hearty/as-mail && stat -c '%U %G %a' /opt/hearty/as-mail /var/lib/hearty
getcap /opt/hearty/on-port-80
dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' hearty
"""
INSTALLED_SAYS = ("hearty runs", "mail mail 6755", "hearty hearty 750",
                  "/opt/hearty/on-port-80 cap_net_bind_service=ep")
WHEEL = r"""
import zipfile
with zipfile.ZipFile("hearty-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("hearty.py", "def main():\n    print('hearty of a wheel')\n")
    info = "hearty-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: hearty\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL",
                   "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\nhearty = hearty:main\n")
    wheel.writestr(info + "RECORD", "".join(f"{name},,\n" for name in (
        "hearty.py", info + "METADATA", info + "WHEEL", info + "entry_points.txt", info + "RECORD")))
"""
NPM_PACKAGE = r"""
mkdir -p /p /app
cat >/p/package.json <<'END'
{"name": "hearty", "version": "1.2.3", "bin": "run.js",
 "scripts": {"postinstall": "node -e 'fs.writeFileSync(`/after`, process.getuid() + ` ran`)'"}}
END
printf '#!/usr/bin/env node\nconsole.log("hearty of a tarball", process.argv[2])\n' >/p/run.js
cd /p && npm pack --silent && cd /app && echo '{"name": "app", "version": "1.0.0"}' >package.json
"""


class Packages(Inside):
    def test_dpkg(self):
        """dpkg builds a package and installs, upgrades and removes it"""
        self.lines(f"set -- 1\n{PACKAGE}\ndpkg -i /hearty_1_all.deb\n"
                   f"set -- 2\n{PACKAGE}\ndpkg -i /hearty_2_all.deb\n{INSTALLED}"
                   "dpkg --purge hearty >/dev/null 2>&1\nls /etc/hearty.conf || dpkg --audit\n"
                   "echo consistent", *INSTALLED_SAYS, "hearty 2 installed",
                   "ls: cannot access '/etc/hearty.conf': No such file or directory", "consistent")

    def test_apt_repository(self):
        """apt-get takes a package from a repository of local files"""
        self.lines(f"set -- 1\n{PACKAGE}\nmkdir /repository\nmv /hearty_1_all.deb /repository\n"
                   "cd /repository\ndpkg-scanpackages . >Packages\n"
                   "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*\n"
                   "echo 'deb [trusted=yes] file:/repository ./' >/etc/apt/sources.list\n"
                   f"apt-get -q update\napt-get -qy install hearty\n{INSTALLED}",
                   *INSTALLED_SAYS, "hearty 1 installed")

    def test_apt_file(self):
        """apt-get installs a package file and removes it again"""
        self.lines(f"set -- 1\n{PACKAGE}\napt-get -qy install /hearty_1_all.deb\n/opt/hearty/run\n"
                   "apt-get -qy purge hearty >/dev/null 2>&1\nls /opt/hearty",
                   "hearty runs", "on-port-80")

    def test_pip(self):
        """pip installs a wheel, and its command runs"""
        self.lines("cat >make.py\npython3 make.py\n"
                   "pip install --no-index --no-deps --break-system-packages --root-user-action=ignore "
                   "./hearty-1.0-py3-none-any.whl\nhearty\npip uninstall -y --break-system-packages "
                   "--root-user-action=ignore hearty >/dev/null\nls /usr/local/bin/hearty || echo gone",
                   "hearty of a wheel",
                   "ls: cannot access '/usr/local/bin/hearty': No such file or directory", "gone", stdin=WHEEL)

    def test_venv(self):
        """a virtual environment of Python is made and a wheel installed into it"""
        self.lines("cat >make.py\npython3 make.py\npython3 -m venv /v\n"
                   "/v/bin/pip install --no-index --no-deps ./hearty-1.0-py3-none-any.whl\n"
                   "/v/bin/hearty\n/v/bin/python -c 'import sys; print(sys.prefix)'",
                   "hearty of a wheel", "/v", stdin=WHEEL)

    def test_npm(self):
        """npm packs and installs a tarball, runs its script, and npx its command"""
        self.lines(f"{NPM_PACKAGE}\nnpm install --offline --no-audit --no-fund /p/hearty-1.2.3.tgz\n"
                   "cat /after && echo\nnpx --offline hearty well",
                   "0 ran", "hearty of a tarball well")

    def test_pnpm(self):
        """pnpm installs a tarball"""
        self.lines(f"{NPM_PACKAGE}\npnpm add --offline /p/hearty-1.2.3.tgz >log 2>&1 || cat log\n"
                   "node_modules/.bin/hearty well", "hearty of a tarball well")


class Accounts(Inside):
    def test_accounts(self):
        """groupadd, useradd, usermod, chpasswd and userdel keep the account files"""
        self.lines("groupadd -g 4000 crew\nuseradd -m -u 4001 -g crew -s /bin/bash -c 'A. Worker' worker\n"
                   "usermod -aG games worker\necho worker:secret | chpasswd\n"
                   "id worker\nstat -c '%U %G' /home/worker\ngetent shadow worker | cut -c1-10\n"
                   "userdel -r worker 2>/dev/null\nid worker 2>&1 || ls /home",
                   "uid=4001(worker) gid=4000(crew) groups=4000(crew),60(games)", "worker crew",
                   "worker:$y$", "id: ‘worker’: no such user")

    def test_su(self):
        """su, runuser and setpriv become another user, who is held by the files' modes"""
        self.lines("useradd -m worker\necho private >/root/file\nchmod 0600 /root/file\n"
                   "su - worker -c 'id -un; pwd; cat /root/file || touch mine'\n"
                   "runuser -u worker -- sh -c 'id -u; echo $HOME' >/dev/null\n"
                   "setpriv --reuid=worker --regid=worker --init-groups --inh-caps=-all id -un\n"
                   "stat -c '%U' /home/worker/mine",
                   "worker", "/home/worker", "cat: /root/file: Permission denied", "worker", "worker")

    def test_no_way_back(self):
        """a user inside gains nothing by a set-id program: nobody who became a user is root again"""
        self.lines("useradd -m worker\ncp /usr/bin/id /id\nchmod 4755 /id\n"
                   "su worker -c '/id -u; /id -u -r'", "1000", "1000")

    def test_setcap(self):
        """a file gets a capability and loses it again, and runs with it and without"""
        self.lines("cp /bin/true /file\nsetcap cap_net_bind_service=ep /file\n/file && getcap /file\n"
                   "setcap -r /file\n/file && getcap -v /file", "/file cap_net_bind_service=ep", "/file")

    def test_port_80(self):
        """root and users serve on port 80"""
        serve = ("import http.server, os, threading, urllib.request as u\n"
                 "s = http.server.HTTPServer((\"127.0.0.1\", 80), http.server.SimpleHTTPRequestHandler)\n"
                 "threading.Thread(target=s.handle_request).start()\n"
                 "print(os.getuid(), u.urlopen(\"http://127.0.0.1/file\").read().decode())\n")
        self.lines(f"cd /srv && printf content >file\ncat >/serve.py <<'END'\n{serve}END\n"
                   "useradd worker\npython3 /serve.py 2>/log-0\n"
                   "su worker -c 'python3 /serve.py 2>/tmp/log'", "0 content", "1000 content")


if __name__ == "__main__":
    tap.main()
