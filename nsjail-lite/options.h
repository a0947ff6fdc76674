/*
 * options.h - the command line of nsjail-lite.
 */
#ifndef NSJAIL_LITE_OPTIONS_H
#define NSJAIL_LITE_OPTIONS_H
#include <stdbool.h>

#include "nsjail-lite/jail.h"

#define OPTIONS_ENV_MAX 256

struct options {
	const char *image; /* NULL: rootfs is given */
	const char *rootfs;
	struct jail_limits limits;
	uint64_t timeout_ms; /* 0: none */
	bool is_strict;	     /* a limit that the host cannot enforce is a failure */
	const char *env[OPTIONS_ENV_MAX + 1];
	unsigned env_count;
	const char *cwd;
	const char *hostname;
	bool has_tty;
	unsigned bind_count;
	const char *bind_sources[JAIL_BINDS_MAX]; /* cut out of argv */
	struct jail_bind binds[JAIL_BINDS_MAX];
	char *const *command; /* NULL-terminated */
};

/* True: go on. False: leave with *ret_status; what there was to say has been printed. */
bool options_parse(int argc, char **argv, struct options *ret_options, int *ret_status);
#endif
