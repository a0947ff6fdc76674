/* What a tenant leaves in the kernel's own stores: ipc, keys, names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/keyctl.h>

#include "tests/residue/probe.h"

#define KEY	  0x68656172
#define HOG_BYTES (256u << 20) /* more than the memory of the pool that is used for it */
#define HOG_FORKS 600	       /* and more than its processes */
#define SPIN_NS	  60000000L

/* Rows of a table in /proc below its head line. */
static void look_at_table(const char *path)
{
	char text[4096];
	const char *line = probe_read(path, text, sizeof(text)) < 0 ? NULL : strchr(text, '\n');

	if (line && line[1])
		probe_found("%s: %.60s", path, line + 1);
}

int leave_shm(void)
{
	int id = shmget(KEY, 4096, IPC_CREAT | 0666);
	char *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (at == (void *)-1)
		return -errno;
	strcpy(at, CANARY);
	return 0;
}

void look_shm(void)
{
	int id = shmget(KEY, 0, 0);

	if (id >= 0)
		probe_found("shm %d", id);
	look_at_table("/proc/sysvipc/shm");
}

int leave_sem(void)
{
	return semget(KEY, 1, IPC_CREAT | 0666) < 0 ? -errno : 0;
}

void look_sem(void)
{
	int id = semget(KEY, 0, 0);

	if (id >= 0)
		probe_found("sem %d", id);
	look_at_table("/proc/sysvipc/sem");
}

int leave_msg(void)
{
	const struct {
		long type;
		char text[16];
	} message = {1, CANARY};
	int id = msgget(KEY, IPC_CREAT | 0666);

	return id < 0 || msgsnd(id, &message, sizeof(message.text), 0) < 0 ? -errno : 0;
}

void look_msg(void)
{
	int id = msgget(KEY, 0);

	if (id >= 0)
		probe_found("msg %d", id);
	look_at_table("/proc/sysvipc/msg");
}

int leave_mq(void)
{
	mqd_t queue = mq_open("/" CANARY, O_CREAT | O_RDWR, 0666, NULL);

	return queue < 0 || mq_send(queue, CANARY, strlen(CANARY), 1) < 0 ? -errno : 0;
}

static void look_at_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			probe_found("%s/%s", path, entry->d_name);
	if (dir)
		closedir(dir);
}

void look_mq(void)
{
	mqd_t queue = mq_open("/" CANARY, O_RDONLY);

	if (queue >= 0)
		probe_found("a message queue");
	look_at_directory("/dev/mqueue");
}

int leave_posix_shm(void)
{
	int fd = shm_open("/" CANARY, O_CREAT | O_RDWR, 0666);

	return fd < 0 || write(fd, CANARY, strlen(CANARY)) < 0 ? -errno : 0;
}

void look_posix_shm(void)
{
	int fd = shm_open("/" CANARY, O_RDONLY, 0);

	if (fd >= 0)
		probe_found("a shared memory object");
	look_at_directory("/dev/shm");
}

/* In a session keyring of this process alone, so that it leaves nothing where it is not refused. */
int leave_key(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		return -errno;
	return syscall(SYS_add_key, "user", CANARY, CANARY, strlen(CANARY),
		       KEY_SPEC_SESSION_KEYRING) < 0
		       ? -errno
		       : 0;
}

void look_key(void)
{
	static const int rings[] = {KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_KEYRING,
		KEY_SPEC_USER_SESSION_KEYRING, KEY_SPEC_PROCESS_KEYRING};
	char text[8192];

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		if (syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i], "user", CANARY, 0) >= 0)
			probe_found("a key in keyring %d", rings[i]);
	if (syscall(SYS_request_key, "user", CANARY, NULL, 0) >= 0)
		probe_found("a key");
	if (probe_read("/proc/keys", text, sizeof(text)) > 0 && strstr(text, CANARY))
		probe_found("/proc/keys tells of it");
}

int leave_hostname(void)
{
	if (sethostname(CANARY, strlen(CANARY)) < 0)
		return -errno;
	return setdomainname(CANARY, strlen(CANARY)) < 0 ? -errno : 0;
}

void look_hostname(void)
{
	struct utsname name;

	if (uname(&name) < 0 || strstr(name.nodename, CANARY) || strstr(name.domainname, CANARY))
		probe_found("host name %s, domain name %s", name.nodename, name.domainname);
}

static const struct sockaddr_un_abstract {
	sa_family_t family;
	char path[sizeof(CANARY)];
} abstract = {AF_UNIX, "\0" CANARY};

static int hold_abstract(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&abstract, sizeof(abstract)) < 0 ||
		listen(fd, 1) < 0)
		return -errno;
	return 0;
}

int leave_abstract(void)
{
	return probe_daemon(hold_abstract);
}

void look_abstract(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[8192];

	if (connect(fd, (const struct sockaddr *)&abstract, sizeof(abstract)) == 0)
		probe_found("an abstract socket answers");
	close(fd);
	if (probe_read("/proc/net/unix", text, sizeof(text)) > 0 && strstr(text, "@" CANARY))
		probe_found("/proc/net/unix tells of it");
}

static void spin(void)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < SPIN_NS);
}

/* Move the counters of the cgroup: of processor time, and of processes up to their end. */
int leave_counts(void)
{
	pid_t children[HOG_FORKS];
	int count = 0;

	spin();
	while (count < HOG_FORKS && (children[count] = fork()) > 0)
		count++;
	if (count < HOG_FORKS && children[count] == 0)
		for (;;)
			pause();
	for (int i = 0; i < count; i++)
		kill(children[i], SIGKILL);
	for (int i = 0; i < count; i++)
		waitpid(children[i], NULL, 0);
	return count < HOG_FORKS ? 0 : -ERANGE;
}

/* And of memory: up to its end, which is this process's too. */
int leave_memory_hog(void)
{
	char *memory =
		mmap(NULL, HOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	memset(memory, 1, HOG_BYTES);
	return -ERANGE;
}
