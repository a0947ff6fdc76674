/*
 * forwarding.h - the host's net.ipv4.ip_forward, on while an instance needs it.
 *
 * /run/hearth-forwarding holds a line "INODE INSTANCE" for each instance that needs what Hearth has turned
 * on in the network namespace of that inode; the last to leave turns it off. No line: it was on before, and
 * stays. A line of an instance whose base cgroup is gone counts for nothing.
 *
 * What the kernel sets besides whenever ip_forward changes, and would not set back, is in lines "INODE SETTING VALUE",
 * SETTING below net/ipv4/conf: all/accept_redirects, and forwarding of each link and of links to come (default). The
 * last to leave writes them back.
 */
#ifndef NSJAIL_LITE_NETWORK_FORWARDING_H
#define NSJAIL_LITE_NETWORK_FORWARDING_H
struct error;

/* Both for the current network namespace; 0 or -errno. */
int forwarding_take(const char *instance, struct error *err);
/* 0 also when the instance has not taken it. */
int forwarding_give(const char *instance, struct error *err);
#endif
