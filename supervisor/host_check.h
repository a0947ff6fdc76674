/*
 * host_check.h - the doctor's checks at a start: what is missing is said before anything is built.
 */
#ifndef SUPERVISOR_HOST_CHECK_H
#define SUPERVISOR_HOST_CHECK_H
struct error;
struct supervisor_config;

/*
 * All but those that build sandboxes, each in a child, before the loop: some tens of milliseconds. Logs
 * one line. 0, or -errno when a required check failed: each is logged, the first is in err.
 */
int host_check(const struct supervisor_config *config, struct error *err);
#endif
