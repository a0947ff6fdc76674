/* bench_floor.c - what a round trip costs that does nothing, and the samples' arithmetic. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/bench.h"
#include "proto/channel.h"
#include "proto/control.h"

#define SAMPLES_MAX 1000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void bench_sort(uint64_t *samples, unsigned long count)
{
	qsort(samples, count, sizeof(*samples), compare);
}

uint64_t bench_percentile(const uint64_t *sorted, unsigned long count, unsigned per_mille)
{
	unsigned long rank = (count * per_mille + 999) / 1000;

	return count ? sorted[rank ? rank - 1 : 0] : 0;
}

void bench_rest(unsigned long pause_us)
{
	struct timespec ts = {(time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000};

	if (pause_us)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* The child of bench_floor(). Ends with its parent's end of the pair. */
_Noreturn static void echo(int fd)
{
	char packet[sizeof(struct control_leased)] = {0};

	while (recv(fd, packet, sizeof(packet), 0) > 0)
		if (send(fd, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
			break;
	_exit(0);
}

int bench_floor(
	unsigned long count, unsigned long pause_us, uint64_t *ret_p50_ns, struct error *err)
{
	static uint64_t samples_ns[SAMPLES_MAX];
	char request[sizeof(struct control_acquire)] = {0}, answer[sizeof(struct control_leased)];
	int pair[2], r = channel_pair(pair, err);
	pid_t pid;

	if (r < 0)
		return r;
	if (count > SAMPLES_MAX)
		count = SAMPLES_MAX;
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
		samples_ns[i] = clock_now_ns() - started_ns;
	}
	close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	bench_sort(samples_ns, count);
	*ret_p50_ns = bench_percentile(samples_ns, count, 500);
	return r;
}
