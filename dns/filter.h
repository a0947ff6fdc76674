/*
 * filter.h - the system calls that a loop over sockets needs, and no other.
 */
#ifndef DNS_FILTER_H
#define DNS_FILTER_H
struct error;

/*
 * For good, after no_new_privs and once the event loop has been made: anything else is ENOSYS. No file is
 * opened, no program started, no memory made executable; new sockets are IPv4's for datagrams. 0 or -errno.
 */
int filter_install(struct error *err);
#endif
