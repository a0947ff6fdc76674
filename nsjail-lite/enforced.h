/*
 * enforced.h - which of the limits that are asked for this host cannot enforce.
 *
 * Host side, before the first build: supervisor and nsjail-lite make it an error or a warning.
 */
#ifndef NSJAIL_LITE_ENFORCED_H
#define NSJAIL_LITE_ENFORCED_H
#include <stdint.h>

struct cgroup_base;
struct jail_limits;

/*
 * A set of enum limit_hit of proto/control.h: memory, pids, cpu (quota or weight), io. Limits of io want
 * io_major and io_minor filled: see io_disk_find().
 */
uint32_t enforced_missing(const struct cgroup_base *base, const struct jail_limits *limits);
#endif
