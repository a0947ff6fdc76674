/* loopback.h - a TCP port for programs on this host. */
#ifndef AGENTD_LOOPBACK_H
#define AGENTD_LOOPBACK_H
struct error;

/* A non-blocking socket that listens on 127.0.0.1. Returns the fd or -errno. */
int loopback_listen(unsigned port, struct error *err);
#endif
