#include "base/process.h"

#include <sys/prctl.h>
#include <unistd.h>

void process_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it ended before, and nothing was sent */
		raise(SIGKILL);
}

pid_t process_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		process_die_with(parent);
	return pid;
}

void process_leave_ignored(sigset_t *set)
{
	struct sigaction action;

	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(set, signal) == 1 && sigaction(signal, NULL, &action) == 0 &&
			action.sa_handler == SIG_IGN)
			sigdelset(set, signal);
}
