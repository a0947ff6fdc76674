/*
 * network_host.h - the supervisor's end of hearth-network: start the program, clean up after a killed one.
 */
#ifndef NSJAIL_LITE_NETWORK_NETWORK_HOST_H
#define NSJAIL_LITE_NETWORK_NETWORK_HOST_H
struct error;
struct program;

/* Start it; START is the caller's to send. On success the caller owns the fds and reaps the pid. */
int network_process_start(struct program *ret_process, struct error *err);

/*
 * Remove what a killed hearth-network of this instance left on the host: its table, the gateway's address,
 * its share in the host's forwarding (the last one to leave restores it). Links go with their namespaces: it
 * waits for that, some seconds at most. 0 also when there is nothing.
 */
int network_recover(const char *instance, struct error *err);
#endif
