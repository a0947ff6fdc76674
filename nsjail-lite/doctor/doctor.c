/* One child per check: what it does to itself goes with it, and a check that hangs is one that failed. */
#include "nsjail-lite/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/one_shot.h"

#define TRY_MS	   5000
#define SANDBOX_MS 30000 /* more than the builder's own limit, so that its word comes through */

const char *doctor_verdict_name(enum doctor_verdict verdict)
{
	static const char *const names[] = {"pass", "warn", "fail", "unknown"};

	return names[verdict];
}

int check_found(struct check_attempt *attempt, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(attempt->result->detail, sizeof(attempt->result->detail), format, ap);
	va_end(ap);
	return 0;
}

int check_bad(struct error *err, const char *format, ...)
{
	va_list ap;

	err->code = 0;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return -EINVAL;
}

int check_wait(int pid, struct error *err, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		return error_errno(err, "%s: wait", what);
	if (WIFSIGNALED(status))
		return error_set(err, ECHILD, "%s: ended by signal %d (%s)", what, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 0)
		return 0;
	return error_set(err, WEXITSTATUS(status), "%s: %s", what, strerror(WEXITSTATUS(status)));
}

static void set_cause(struct doctor_result *result, enum doctor_verdict verdict, int code,
	const char *cause, const char *fix)
{
	result->verdict = verdict;
	result->error = code;
	snprintf(result->detail, sizeof(result->detail), "%s", cause);
	if (!result->fix[0])
		snprintf(result->fix, sizeof(result->fix), "%s", fix);
}

static void try(struct check_attempt *attempt)
{
	struct error err = {0};

	if (attempt->check->try(attempt, &err) < 0)
		set_cause(attempt->result, attempt->on_failure, err.code, err.text,
			attempt->check->fix);
}

static _Noreturn void try_in_child(struct check_attempt *attempt, int result_fd)
{
	setpgid(0, 0);
	try(attempt);
	fd_write_full(result_fd, attempt->result, sizeof(*attempt->result));
	_exit(0);
}

/* Its result, or what its silence means. */
static void read_result(struct doctor_result *result, const struct doctor_check *check,
	enum doctor_verdict on_failure, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int limit_ms = check->flags & CHECK_SANDBOX ? SANDBOX_MS : TRY_MS;
	struct doctor_result answer;
	int n;

	do
		n = poll(&p, 1, limit_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		set_cause(result, on_failure, ETIMEDOUT, "no answer in time", check->fix);
	else if (fd_read_full(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer))
		*result = answer;
	else
		set_cause(result, on_failure, ECHILD, "the try was killed", check->fix);
}

/* Everything below it that did not leave its process group; a builder ends with its link. */
static void end_child(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void run_check(struct check_attempt *attempt)
{
	int fds[2];
	pid_t pid = -1;

	if (pipe2(fds, O_CLOEXEC) == 0) {
		pid = process_fork();
		if (pid == 0)
			try_in_child(attempt, fds[1]);
		fd_close(fds[1]);
		if (pid > 0) {
			read_result(attempt->result, attempt->check, attempt->on_failure, fds[0]);
			end_child(pid);
		}
		fd_close(fds[0]);
	}
	if (pid < 0)
		set_cause(attempt->result, DOCTOR_UNKNOWN, errno, "no process to try it in",
			"end other processes and try again");
}

static bool is_tried(struct check_attempt *attempt, const struct doctor_summary *summary)
{
	if ((attempt->check->flags & CHECK_ROOT) && geteuid() != 0)
		set_cause(attempt->result, DOCTOR_UNKNOWN, EPERM, "only root can try it",
			"run as root");
	else if ((attempt->check->flags & CHECK_SANDBOX) && summary->is_failed)
		set_cause(attempt->result, DOCTOR_UNKNOWN, ECANCELED,
			"not tried: a required check before it failed", "mend that one first");
	else
		return true;
	return false;
}

static void count(struct doctor_summary *summary, const struct doctor_result *result)
{
	summary->count[result->verdict]++;
	if (result->is_required && result->verdict == DOCTOR_FAIL)
		summary->is_failed = true;
	if (result->is_required && result->verdict == DOCTOR_UNKNOWN)
		summary->is_incomplete = true;
}

void doctor_run(const struct doctor_options *options,
	void (*visit)(void *arg, const struct doctor_result *result), void *arg,
	struct doctor_summary *ret_summary)
{
	struct check_attempt attempt = {.options = options};

	*ret_summary = (struct doctor_summary){.count = {0}};
	one_shot_name(attempt.instance);
	for (unsigned i = 0; i < doctor_check_count; i++) {
		const struct doctor_check *check = &doctor_checks[i];
		bool is_required = check->flags & CHECK_REQUIRED;
		struct doctor_result result = {.name = check->name, .is_required = is_required};

		if (options->is_start && (check->flags & (CHECK_SANDBOX | CHECK_LATE)))
			continue;
		attempt.check = check;
		attempt.result = &result;
		attempt.on_failure = is_required ? DOCTOR_FAIL : DOCTOR_WARN;
		if (is_tried(&attempt, ret_summary))
			(check->flags & CHECK_READ ? try : run_check)(&attempt);
		count(ret_summary, &result);
		visit(arg, &result);
	}
	/* What a try could not take away itself, because it was killed. */
	if (geteuid() == 0) {
		one_shot_drop(attempt.instance);
		one_shot_sweep(NULL);
	}
}
