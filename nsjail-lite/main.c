/*
 * nsjail-lite - run one command as root of a fresh sandbox, and leave nothing.
 *
 * The same sandboxes as the supervisor's, without a supervisor: it starts the same builder program
 * for its single sandbox, asks for one slot and one build, and gets the sandbox's channel.
 *
 * Two processes: this one stays root, reads nothing that comes from inside, waits for the end,
 * reports the limits that were hit and cleans up. Its child becomes user hearth without a
 * capability, then speaks to the guest: stdin in, stdout and stderr out, signals and terminal
 * sizes across. The child's exit status is the command's and becomes ours.
 *
 * A guest that does not end at its timeout, whatever holds it, is ended from outside a little later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "images/image.h"
#include "nsjail-lite/enforced.h"
#include "nsjail-lite/image_mount.h"
#include "nsjail-lite/io_disk.h"
#include "nsjail-lite/one_shot.h"
#include "nsjail-lite/options.h"
#include "proto/console.h"
#include "proto/limit_text.h"

#define STATUS_TIMEOUT	 124
#define STATUS_OWN	 125
#define TIMEOUT_GRACE_MS 3000 /* how much later than the guest the parent ends it */

/* Those that the cgroups count are told by the parent, the others by the child. */
#define PARENTS_LIMITS ((uint32_t)(LIMIT_HIT_MEMORY | LIMIT_HIT_PIDS | LIMIT_HIT_CPU))

static int complain(const struct error *err)
{
	fprintf(stderr, "nsjail-lite: %s (%s)\n", err->text, error_name(err->code));
	return STATUS_OWN;
}

/* In one line. That of the time has a sentence of its own. */
static void say_limits(const struct options *o, uint32_t limits_hit)
{
	const struct jail_limits *limits = &o->limits;
	const struct limit_values values = {
		.memory_bytes = limits->memory_bytes,
		.disk_bytes = limits->disk_bytes ? limits->disk_bytes : limits->memory_bytes / 2,
		.disk_inodes = limits->disk_inodes,
		.pids = limits->pids,
		.cpu_milli = limits->cpu_milli,
	};
	char text[LIMIT_TEXT_MAX];

	limits_hit &= ~(uint32_t)LIMIT_HIT_TIME;
	if (limits_hit)
		fprintf(stderr, "nsjail-lite: the command hit a limit: %s\n",
			limit_text_all(limits_hit, &values, text));
}

/* The child: user hearth, the guest's bytes, the command's status. */
static int attend(const struct options *o, int channel_fd)
{
	const struct console_command command = {
		.argv = (const char *const *)o->command,
		.env = o->env,
		.cwd = o->cwd,
		.timeout_ms = (uint32_t)o->timeout_ms,
		.has_stdin = true,
		.has_tty = o->has_tty,
	};
	struct guest_client *guest = NULL;
	struct console console = {0};
	struct error err = {0};
	int r = drop_privileges(&err);

	if (r == 0)
		r = guest_client_create(channel_fd, &guest, &err);
	if (r == 0)
		r = console_start(&console, guest, &command, &err);
	if (r == 0)
		r = console_attend(&console, NULL, &err);
	if (r == 0) {
		console_finish(&console);
		r = console_status(&console, o->command[0], &err);
	}
	say_limits(o, console.reply.limits_hit & ~PARENTS_LIMITS);
	if (err.text[0])
		complain(&err);
	guest_client_destroy(guest);
	return r < 0 ? STATUS_OWN : r;
}

/* Signals meant for us go on to the child; what a terminal sends reaches it anyway. */
static void pass_signals(int signals, pid_t child)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
			kill(child, (int)info.ssi_signo);
}

/* The parent: until the child has ended. Its status, as a shell has it; STATUS_TIMEOUT when it had to be hurried. */
static int wait_for_child(struct one_shot *s, const struct options *o, pid_t child, int signals)
{
	uint64_t until =
		o->timeout_ms ? clock_now_ms() + o->timeout_ms + TIMEOUT_GRACE_MS : UINT64_MAX;
	struct pollfd p = {.fd = signals, .events = POLLIN};
	bool is_late = false;
	struct error err = {0};
	int status, r;

	while ((r = waitpid(child, &status, WNOHANG)) == 0) {
		uint64_t now = clock_now_ms();

		if (now >= until) {
			is_late = true;
			until = UINT64_MAX;
			if (one_shot_end(s, &err) < 0) /* its channel hangs up: the child ends */
				complain(&err);
		}
		poll(&p, 1, until == UINT64_MAX ? -1 : (int)(until - now));
		pass_signals(signals, child);
	}
	if (is_late)
		return STATUS_TIMEOUT;
	if (r < 0) {
		error_errno(&err, "wait");
		return complain(&err);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What the template asks for, but is not in this host's power: a warning, or with --strict a failure. */
static int check_enforced(const struct one_shot *s, const struct options *o,
	const struct builder_template *template, struct error *err)
{
	uint32_t missing = enforced_missing(&s->base, &template->limits);
	char names[LIMIT_TEXT_MAX];

	if (!missing)
		return 0;
	limit_names(missing, names);
	if (o->is_strict)
		return error_set(err, EOPNOTSUPP, "this host cannot enforce limits of: %s", names);
	fprintf(stderr, "nsjail-lite: warning: this host cannot enforce limits of: %s\n", names);
	return 0;
}

static int run(struct one_shot *s, const struct options *o)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
	struct error err = {0};
	sigset_t set;
	int signals, status;
	pid_t child;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	process_leave_ignored(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	child = signals < 0 ? -1 : fork();
	if (child < 0) {
		error_errno(&err, "start");
		return complain(&err);
	}
	if (child == 0) {
		int channel_fd = take_fd(&s->channel_fd);

		/* Signals stay blocked: what comes before console_start() is the command's too. */
		fd_close(signals);
		fd_close(take_fd(&s->builder.link_fd));
		fd_close(take_fd(&s->builder.pidfd));
		cgroup_base_close(&s->base);
		_exit(attend(o, channel_fd));
	}
	fd_close(take_fd(&s->channel_fd));
	status = wait_for_child(s, o, child, signals);
	fd_close(signals);
	if (one_shot_end(s, &err) < 0)
		complain(&err);
	if (s->has_ended)
		say_limits(o, s->ended.limits_hit & PARENTS_LIMITS);
	return status;
}

static int open_binds(const struct options *o, struct builder_template *t, struct error *err)
{
	for (; t->bind_count < o->bind_count; t->bind_count++) {
		unsigned i = t->bind_count;
		struct stat st;

		t->bind_fds[i] = open(o->bind_sources[i], O_PATH | O_CLOEXEC);
		if (t->bind_fds[i] < 0 || fstat(t->bind_fds[i], &st) < 0)
			return error_errno(err, "--bind: open %s", o->bind_sources[i]);
		if (!S_ISDIR(st.st_mode))
			return error_set(
				err, ENOTDIR, "--bind: %s is no directory", o->bind_sources[i]);
		t->binds[i] = o->binds[i];
	}
	return 0;
}

/* The disk below the image, where there is one; else limits of io are not enforced. */
static void find_disk(int root_fd, struct jail_limits *limits)
{
	if (limits->io_read_bps || limits->io_write_bps)
		io_disk_find(root_fd, &limits->io_major, &limits->io_minor, NULL);
}

/* The image's root and defaults, or the directory that was given. */
static int open_root(
	const struct options *o, struct image *image, struct builder_template *t, struct error *err)
{
	int r;

	bool is_copy;

	if (o->rootfs) {
		auto_close int fd = open(o->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return error_errno(err, "--rootfs: open %s", o->rootfs);
		find_disk(fd, &t->limits);
		return image_mount(fd, &t->root_fd, &is_copy, err);
	}
	r = image_open(IMAGE_STORE_DEFAULT, o->image, image, err);
	if (r < 0)
		return r;
	find_disk(image->root_fd, &t->limits);
	t->cwd = image->manifest.cwd;
	t->env = (const char *const *)image->manifest.env;
	return image_mount(image->root_fd, &t->root_fd, &is_copy, err);
}

/*
 * A caller may have closed any of the first three, and what is opened next would take its number. Of
 * these, stdin ends at once and writing to stdout fails, as it would have; complaints go nowhere.
 */
static void fill_standard_fds(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", (fd == STDERR_FILENO ? O_RDWR : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct builder_template template = {.root_fd = -1};
	struct image image = {.root_fd = -1};
	struct one_shot s;
	struct options o;
	struct error err = {0};
	int status, r;

	fill_standard_fds();
	signal(SIGCHLD, SIG_DFL); /* ignored, as an exec keeps it, no child could be waited for */
	if (!options_parse(argc, argv, &o, &status))
		return status;
	if (geteuid() != 0) {
		error_set(&err, EPERM, "making a sandbox needs root");
		return complain(&err);
	}
	template.limits = o.limits;
	snprintf(template.hostname, sizeof(template.hostname), "%s", o.hostname);
	r = open_root(&o, &image, &template, &err);
	if (r == 0)
		r = open_binds(&o, &template, &err);
	if (r < 0)
		return complain(&err);
	r = one_shot_start(&s, &template, &err);
	if (r == 0)
		r = check_enforced(&s, &o, &template, &err);
	status = r < 0 ? complain(&err) : run(&s, &o);
	one_shot_finish(&s);
	image_close(&image);
	return status;
}
