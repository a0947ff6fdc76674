/*
 * migration.h - the tables, and how those of an older version become those of today.
 *
 * A version is an SQL text that is never changed once it has been released; a new one is appended. The
 * version of a file is its PRAGMA user_version; 0 is an empty file.
 */
#ifndef AGENTD_STORE_MIGRATION_H
#define AGENTD_STORE_MIGRATION_H

struct database;
struct error;

#define MIGRATION_NEWEST 3

/* Up to this version, a transaction each. -EPROTO: the file is of a newer one; it is left as it is. */
int migration_run(struct database *database, int version, struct error *err);
#endif
