/*
 * instance.h - an instance of Hearth is a directory: the names in it and the id made of it.
 *
 * Supervisor and CLI. The id stands in the name of every kernel object of the instance
 * ("hearth-<id>"), so that recovery finds its own and touches no other's.
 */
#ifndef PROTO_INSTANCE_H
#define PROTO_INSTANCE_H

struct error;

#define INSTANCE_DIRECTORY_DEFAULT "/run/hearth"
#define INSTANCE_CONTROL_SOCKET	   "control.sock"
#define INSTANCE_AGENTD_SOCKET	   "agentd.sock"
#define INSTANCE_METRICS_SOCKET	   "metrics.sock"
#define INSTANCE_API_SOCKET	   "api.sock"
#define INSTANCE_CONFIG		   "hearth.conf"
#define INSTANCE_LOCK		   "lock"
#define INSTANCE_ID_SIZE	   11 /* 10 hex digits and the terminator */

/* The id of an existing directory: the first 10 hex digits of FNV-1a-64 of its real path. 0 or -errno. */
int instance_id(const char *directory, char ret_id[INSTANCE_ID_SIZE], struct error *err);
#endif
