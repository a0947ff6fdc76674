/*
 * lease_options.h - what a command that leases a sandbox may ask for: pool, network, and what the lease has of its own.
 */
#ifndef CLI_LEASE_OPTIONS_H
#define CLI_LEASE_OPTIONS_H
struct cli;
struct control_acquire;

/*
 * From the options image, net, workspace, hostname, memory, pids, cpus; the rest of *ret_request is 0. 0,
 * or the exit code of a printed usage error.
 */
int lease_options_parse(const struct cli *cli, struct control_acquire *ret_request);
#endif
