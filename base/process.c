#include "base/process.h"

#include <signal.h>
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
