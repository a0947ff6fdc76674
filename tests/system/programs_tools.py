"""Compilers, debuggers, interpreters, terminals and ipc, in sandboxes of the image base."""

import tap
from inside import Inside

THREADS = r"""
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>
int main()
{
	std::atomic<long> sum{0};
	std::vector<std::thread> threads;
	for (int i = 1; i <= 32; i++)
		threads.emplace_back([&sum, i] { for (int k = 0; k < 1000; k++) sum += i; });
	for (auto &thread : threads)
		thread.join();
	std::cout << "sum " << sum << std::endl;
	try { throw 7; } catch (int thrown) { return thrown; }
}
"""
INNER = r"""
#include <stdio.h>
static int inner(int depth) { return depth == 0 ? puts("reached") : inner(depth - 1); }
int main(void) { return inner(3) < 0; }
"""
RACE = r"""
#include <stdlib.h>
int main(void) { volatile char *p = malloc(8); return p[8]; }
"""
WORKERS = r"""
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync } = require('child_process');
if (isMainThread) {
	const sums = [1, 2, 3, 4].map((n) => new Promise((done, failed) => {
		const worker = new Worker('/workers.js', { workerData: n });
		worker.on('message', done).on('error', failed);
	}));
	Promise.all(sums).then((all) => {
		const server = require('http').createServer((q, a) => a.end(JSON.stringify(all)));
		server.listen(0, '127.0.0.1', async () => {
			const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
			console.log(await answer.text(), execFileSync('id', ['-u']).toString().trim());
			process.exit(0);
		});
	});
} else {
	parentPort.postMessage(workerData * 10);
}
"""
POOL = r"""
import concurrent.futures, multiprocessing, os, sqlite3, threading

def square(n):
    return n * n, os.getpid()

def count(lock, value):
    for _ in range(1000):
        with lock:
            value.value += 1

if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool:
        squares = pool.map(square, range(8), chunksize=1)
    print(sum(s for s, _ in squares), os.getpid() not in {pid for _, pid in squares})
    value, lock = multiprocessing.Value("i", 0), multiprocessing.Lock()
    processes = [multiprocessing.Process(target=count, args=(lock, value)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as executor:
        print(value.value, [s for s, _ in executor.map(square, (3, 4))])
"""
SQLITE = r"""
import sqlite3, threading
one = sqlite3.connect("/workspace/data")
one.execute("pragma journal_mode=wal")
one.execute("create table t (n)")

def insert(first):
    own = sqlite3.connect("/workspace/data", timeout=60)
    for n in range(first, first + 50):
        with own:
            own.execute("insert into t values (?)", (n,))
    own.close()

threads = [threading.Thread(target=insert, args=(i * 50,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(one.execute("select count(*), sum(n) from t").fetchone())
print(one.execute("pragma integrity_check").fetchone()[0])
"""
QUEUES = r"""
#include <mqueue.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
struct message { long type; char text[8]; };
int main(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
	mqd_t mq = mq_open("/hearty", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	int msg = msgget(IPC_PRIVATE, 0600), sem = semget(IPC_PRIVATE, 1, 0600);
	int shm = shmget(IPC_PRIVATE, 4096, 0600);
	char *shared = shmat(shm, NULL, 0), text[16] = "";
	struct message message = {1, "sysv"};
	struct sembuf up = {0, 1, 0}, down = {0, -1, 0};
	sem_t *named = sem_open("/hearty", O_CREAT | O_EXCL, 0600, 0);
	if (mq < 0 || msg < 0 || sem < 0 || shared == (void *)-1 || named == SEM_FAILED)
		return perror("make"), 1;
	if (fork() == 0) {
		semop(sem, &down, 1);
		strcpy(shared, "shared");
		mq_send(mq, "posix", 6, 1);
		msgsnd(msg, &message, sizeof(message.text), 0);
		sem_post(named);
		_exit(0);
	}
	semop(sem, &up, 1);
	mq_receive(mq, text, sizeof(text), NULL);
	memset(message.text, 0, sizeof(message.text));
	msgrcv(msg, &message, sizeof(message.text), 1, 0);
	sem_wait(named);
	wait(NULL);
	printf("%s %s %s\n", shared, text, message.text);
	shmctl(shm, IPC_RMID, NULL);
	msgctl(msg, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	return mq_unlink("/hearty") || sem_unlink("/hearty");
}
"""


class Compilers(Inside):
    def test_gcc(self):
        """gcc compiles, a shared library is linked and loaded"""
        self.lines("printf 'int answer(void) { return 42; }' >lib.c\n"
                   "printf 'int answer(void); int main(void) { return answer(); }' >main.c\n"
                   "gcc -O2 -fPIC -shared -o libanswer.so lib.c\ngcc -o main main.c -L. -lanswer\n"
                   "LD_LIBRARY_PATH=. ./main || echo $?", "42")

    def test_threads(self):
        """g++ compiles a program of many threads that throws and catches"""
        self.lines("g++ -std=c++17 -O1 -pthread -x c++ -o t -\n./t || echo $?",
                   "sum 528000", "7", stdin=THREADS)

    def test_sanitizers(self):
        """a program under the address sanitizer runs and is told its fault"""
        said = self.inside("gcc -g -fsanitize=address,undefined -x c -o t -\n./t || echo status $?",
                           stdin=RACE)
        self.assertIn("heap-buffer-overflow", said)
        self.assertIn("status 1", said)

    def test_make(self):
        """make builds in parallel, and only what has changed"""
        self.lines("printf 'all: a b c\\n%%: %%.c\\n\\t@cc -o $@ $< && echo made $@\\n' >Makefile\n"
                   "for n in a b c; do echo 'int main(void) { return 0; }' >$n.c; done\n"
                   "make -s -j4 | sort\n./a && ./b && ./c\ntouch -d 2001-01-01 b\nmake -s",
                   "made a", "made b", "made c", "made b")

    def test_autotools(self):
        """autoconf, automake and libtool make a configure script that configures"""
        self.lines("printf 'AC_INIT([hearty], [1])\\nAM_INIT_AUTOMAKE([foreign])\\nLT_INIT\\nAC_PROG_CC\\n"
                   "AC_CONFIG_FILES([Makefile])\\nAC_OUTPUT\\n' >configure.ac\n"
                   "printf 'bin_PROGRAMS = hearty\\n' >Makefile.am\n"
                   "echo 'int main(void) { return 0; }' >hearty.c\n"
                   "autoreconf -fi >log 2>&1 || tail log\n./configure --quiet\nmake -s install >log 2>&1\n"
                   "hearty && echo installed", "installed")

    def test_gdb(self):
        """gdb stops a program at a breakpoint and shows how it came there"""
        said = self.inside("gcc -g -O0 -x c -o t -\ngdb -nx -batch -ex 'break inner if depth == 1' -ex run "
                           "-ex backtrace -ex 'print depth * 40' -ex continue ./t", stdin=INNER)
        for part in ("Breakpoint 1, inner (depth=1)", "#2  0x", "in inner (depth=3)", "in main ()",
                     "$1 = 40", "reached", "exited normally"):
            self.assertIn(part, said)

    def test_gdb_attaches(self):
        """gdb attaches to a running process of the sandbox, and leaves it running"""
        self.lines("sleep 1000 &\ngdb -nx -batch -p $! -ex 'info threads' -ex detach >log 2>&1\n"
                   "grep -c 'sleep' log >/dev/null && kill -0 $! && kill $! && echo lives", "lives")


class Interpreters(Inside):
    def test_node(self):
        """node runs worker threads, a server and a client of it, and a child"""
        self.lines("cat >/workers.js\nnode /workers.js", "[10,20,30,40] 0", stdin=WORKERS)

    def test_multiprocessing(self):
        """python's multiprocessing forks and spawns, with locks and shared values"""
        self.lines("cat >/pool.py\npython3 /pool.py", "140 True", "4000 [9, 16]", stdin=POOL)

    def test_sqlite(self):
        """sqlite takes writes of four threads with a write-ahead log"""
        self.lines("cat >/s.py\npython3 /s.py", "(200, 19900)", "ok", stdin=SQLITE)

    def test_shell(self):
        """what a shell script calls is there: pipes, process substitution, jobs, small tools"""
        self.lines("diff <(seq 3) <(printf '1\\n2\\n3\\n')\n"
                   "seq 100 | awk '{ s += $1 } END { print s }'\n"
                   "(sleep 1000 &\nkill -STOP $!\nuntil grep -q '^State:.T' /proc/$!/status; do :; done\n"
                   "kill -KILL $!\nwait $!) 2>/dev/null || echo $?\n"
                   "echo '{\"a\": [1, 2]}' | jq -c '.a | add'\nps -o comm= -p $$\n"
                   "echo needle >hay && rg --no-heading needle hay",
                   "5050", "137", "3", "bash", "needle")


class Files(Inside):
    def test_git(self):
        """git makes a repository, a branch, a merge and a clone"""
        self.lines("git config --global user.name N\ngit config --global user.email n@example.org\n"
                   "git init -q -b trunk one\ncd one\necho 1 >a\ngit add a\ngit commit -q -m first\n"
                   "git switch -q -c side\necho 2 >b\ngit add b\ngit commit -q -m second\n"
                   "git switch -q trunk\necho 3 >c\ngit add c\ngit commit -q -m third\n"
                   "git merge -q -m merged side\ngit clone -q /workspace/one /workspace/two\ncd ../two\n"
                   "git log -1 --format=%s\nls\ngit gc -q\ngit fsck 2>&1\n"
                   "git worktree add -q ../three HEAD~1\nls ../three",
                   "merged", "a", "b", "c", "a", "c")

    def test_rsync(self):
        """rsync copies a tree with owners, modes, links, times and attributes"""
        self.lines("mkdir -p a/d\necho x >a/d/f\nln a/d/f a/hard\nln -s d/f a/soft\nchown 7:8 a/d/f\n"
                   "chmod 6751 a/d/f\ntouch -d 2001-02-03 a/d/f\n"
                   "python3 -c 'import os; os.setxattr(\"a/d/f\", \"user.k\", b\"v\")'\n"
                   "rsync -aHX a/ b/\nstat -c '%u %g %a %h %y' b/d/f | cut -c1-24\nreadlink b/soft\n"
                   "python3 -c 'import os; print(os.getxattr(\"b/d/f\", \"user.k\"))'\n"
                   "rsync -aHX --itemize-changes a/ b/ | wc -l",
                   "7 8 6751 2 2001-02-03 00", "d/f", "b'v'", "0")

    def test_tar(self):
        """tar packs and unpacks a tree with owners and device-like files that a user may make"""
        self.lines("mkdir t\nmkfifo t/fifo\ninstall -o 33 -g 33 -m 2755 /bin/true t/run\n"
                   "tar -cJf t.tar.xz t\nrm -r t\ntar -xpf t.tar.xz\nstat -c '%F %U %a' t/fifo t/run",
                   "fifo root 644", "regular file www-data 2755")


class Terminals(Inside):
    def test_tmux(self):
        """a session of tmux takes keys and shows what came of them"""
        self.lines("export TERM=screen\ntmux -f /dev/null new-session -d -x 80 -y 24 bash --norc\n"
                   "tmux send-keys 'echo sum $((40 + 2)); tmux wait-for -S done' Enter\n"
                   "tmux wait-for done\ntmux capture-pane -p | grep '^sum'\ntmux kill-server",
                   "sum 42")

    def test_script(self):
        """script gives a command a terminal of its own"""
        self.lines("script -qec 'stty rows 30 cols 90; stty size; test -t 0 && tty' /dev/null | tr -d '\\r'",
                   "30 90", "/dev/pts/0")

    def test_pty(self):
        """a program makes a terminal pair, and ^C at one end interrupts at the other"""
        self.lines("cat >/far_end.py\npython3 /far_end.py", "ended by 2", stdin=(
            "import os, pty\n"
            "pid, fd = pty.fork()\n"
            "if pid == 0:\n"
            "    os.execvp('cat', ['cat'])\n"
            "os.write(fd, b'line\\n')\n"
            "text = b''\n"
            "while text.count(b'line') < 2:  # the terminal's echo, and cat's\n"
            "    text += os.read(fd, 100)\n"
            "os.write(fd, b'\\x03')\n"
            "print('ended by', os.waitpid(pid, 0)[1])\n"))


class Talking(Inside):
    def test_queues(self):
        """POSIX and System V queues, semaphores and shared memory pass from process to process"""
        self.lines("gcc -x c -o q - -lrt -pthread\n./q\nipcs -q -m -s | grep -c 0x || true",
                   "shared posix sysv", "0", stdin=QUEUES)

    def test_ping(self):
        """ping is answered by the loopback, over IPv4 and IPv6, to root and to a user"""
        self.lines("useradd worker\nping -q -c 1 127.0.0.1 | grep -c ' 0% packet loss'\n"
                   "ping -q -c 1 ::1 | grep -c ' 0% packet loss'\n"
                   "su worker -c 'ping -q -c 1 localhost' | grep -c ' 0% packet loss'", "1", "1", "1")

    def test_curl(self):
        """curl fetches from a server of the sandbox"""
        self.lines("echo content >file\npython3 -u -m http.server --bind 127.0.0.1 0 >log 2>&1 &\n"
                   "until grep -q ' port ' log; do :; done\n"
                   "curl -sS \"http://127.0.0.1:$(sed -n 's/.* port \\([0-9]*\\) .*/\\1/p' log)/file\"\n"
                   "kill %1", "content")


if __name__ == "__main__":
    tap.main()
