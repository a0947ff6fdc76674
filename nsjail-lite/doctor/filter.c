/* The filter that every sandbox gets, loaded for real: what it answers, and what it ends. */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/process.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/seccomp.h"

static int load(struct error *err)
{
	static struct seccomp_program program;
	struct sock_fprog filter = {.filter = program.instructions};
	int r = seccomp_compile(&program, err);

	if (r < 0)
		return r;
	filter.len = (unsigned short)program.count;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		return error_errno(err, "seccomp");
	return (int)program.count;
}

int try_filter(struct check_attempt *attempt, struct error *err)
{
	int count = load(err);

	if (count < 0)
		return count;
	/* EFAULT or EINVAL would be the kernel's own answer. */
	if (mount(NULL, NULL, NULL, 0, NULL) == 0 || errno != EPERM)
		return error_set(err, EBADMSG, "loaded, but mount is not refused");
	return check_found(attempt, "%d instructions", count);
}

/* getpid of the i386 table: in the native one it is writev. */
static long foreign_getpid(void)
{
#ifdef __x86_64__
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
#else
	raise(SIGSYS);
	return 0;
#endif
}

int try_foreign_abi(struct check_attempt *attempt, struct error *err)
{
	pid_t pid = process_fork();
	int status;

	if (pid == 0) {
		int r = load(NULL);

		if (r < 0)
			_exit(-r);
		foreign_getpid();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return error_errno(err, "fork");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return check_found(attempt, "ended by SIGSYS");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return check_found(attempt, "this kernel has none");
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return error_set(
			err, WEXITSTATUS(status), "seccomp: %s", strerror(WEXITSTATUS(status)));
	return error_set(err, EBADMSG, "a call of the i386 table goes through");
}
