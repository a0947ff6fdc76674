#include "cli/bench_floor.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/bench.h"
#include "proto/channel.h"
#include "proto/control.h"

/* The child of bench_floor(). Ends with its parent's end of the pair. */
_Noreturn static void echo(int fd)
{
	char packet[sizeof(struct control_leased)] = {0};

	while (recv(fd, packet, sizeof(packet), 0) > 0)
		if (send(fd, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
			break;
	_exit(0);
}

int bench_floor(unsigned long count, unsigned long pause_us, uint64_t *ret_ns, struct error *err)
{
	char request[sizeof(struct control_acquire)] = {0}, answer[sizeof(struct control_leased)];
	int pair[2], r = channel_pair(pair, err);
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		echo(pair[1]);
	}
	close(pair[1]);
	if (pid < 0)
		r = error_errno(err, "measure the floor");
	for (unsigned long i = 0; r == 0 && i < count; i++) {
		uint64_t started_ns;

		bench_rest(pause_us);
		started_ns = clock_now_ns();
		if (send(pair[0], request, sizeof(request), MSG_NOSIGNAL) < 0 ||
			recv(pair[0], answer, sizeof(answer), 0) <= 0)
			r = error_errno(err, "measure the floor");
		ret_ns[i] = clock_now_ns() - started_ns;
	}
	close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}
