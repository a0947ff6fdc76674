/*
 * bench_command.h - one command, in a sandbox and on the host, timed.
 */
#ifndef CLI_BENCH_COMMAND_H
#define CLI_BENCH_COMMAND_H
#include <stdint.h>

struct error;
struct guest_client;

/*
 * Run it in the sandbox, its output dropped, and wait for its reply. The process has dropped its
 * privileges before. 0; -errno also when its status is not 0.
 */
int bench_command_inside(
	struct guest_client *guest, const char *const *argv, uint64_t *ret_ns, struct error *err);

/* The floor: posix_spawn of the same on the host, until it is reaped. -errno, without a word, also when its status is not 0. */
int bench_command_on_host(const char *const *argv, uint64_t *ret_ns);
#endif
