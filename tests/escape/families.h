/* families.h - the tables of attempts, one a file. */
#ifndef TESTS_ESCAPE_FAMILIES_H
#define TESTS_ESCAPE_FAMILIES_H
#include <stdint.h>

#include "tests/escape/probe.h"

extern const struct probe_family probe_cgroups;
extern const struct probe_family probe_descriptors;
extern const struct probe_family probe_filter;
extern const struct probe_family probe_identity;
extern const struct probe_family probe_kernel;
extern const struct probe_family probe_links;
extern const struct probe_family probe_channel;
extern const struct probe_family probe_files;
extern const struct probe_family probe_mounts;
extern const struct probe_family probe_lower;
extern const struct probe_family probe_namespaces;
extern const struct probe_family probe_processes;
extern const struct probe_family probe_proc;
extern const struct probe_family probe_sockets;

/* "uid", "gid": is it root's? A number: is this capability effective? */
bool identity_has(const char *right);
/* Load a filter that allows everything, then try what is refused: 0 or -errno. */
int filter_load_and_unshare(void);
/* Prints how many calls were granted, refused, unknown: "random N N N". An exit status. */
int random_calls(uint64_t seed);
#endif
